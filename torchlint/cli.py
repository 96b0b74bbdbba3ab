"""The command: arguments in, a report and an exit status out.

Exit status: 0 nothing found, 1 something found, 2 wrong usage or a defect of torchlint (TL002 too),
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from torchlint import __version__
from torchlint.config import Config
from torchlint.errors import ConfigError, TorchlintError

if TYPE_CHECKING:
    from torchlint.runner import Checked

_STDIN = "-"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status. Nothing that goes wrong shows a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # File names and sources may hold what the terminal's encoding lacks.
            stream.reconfigure(errors="backslashreplace")
    # A source's own syntax warnings are for Python to show when it runs.
    warnings.simplefilter("ignore")
    try:
        options = _parser().parse_args(argv)
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        # What processes have begun is ended before the exit; a second Ctrl-C does not wait for it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        return 130
    except BrokenPipeError:
        # The reader has seen enough. Python would complain of the closed pipe again while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except TorchlintError as error:
        return _failed(str(error))
    except Exception as error:
        return _failed(f"torchlint failed: {type(error).__name__}: {error}")


def _check(options: argparse.Namespace) -> int:
    from torchlint.reports import Fixing, Palette, render

    config = Config(
        _codes(options.select, "--select"),
        _codes(options.ignore, "--ignore") or (),
        project=not options.no_project,
        unsafe_fixes=options.unsafe_fixes,
    )
    out = sys.stdout
    if _STDIN in options.paths:
        results, fixed = _check_stdin(options, config)
        if options.fix:
            # As ruff does: the fixed text takes stdout, the report goes beside it.
            sys.stdout.buffer.write(fixed)
            out = sys.stderr
    else:
        results = _check_paths(options, config)
    for result in results:
        if result.warning is not None:
            _warn(result.warning)
    palette = Palette(_coloured(options.color, out))
    fixing = Fixing(options.fix, options.unsafe_fixes)
    for piece in render(options.output_format, results, palette=palette, fixing=fixing):
        out.write(piece)
    found = {diagnostic.code for result in results for diagnostic in result.diagnostics}
    return 2 if "TL002" in found else 1 if found else 0


def _check_stdin(options: argparse.Namespace, config: Config) -> tuple[list[Checked], bytes]:
    from torchlint.runner import check_bytes

    if len(options.paths) > 1:
        raise ConfigError("'-' reads standard input and goes with no other path")
    data = sys.stdin.buffer.read()
    name = options.stdin_filename or _STDIN
    if options.force_exclude and name != _STDIN and not _find([name], options):
        return [], data
    checked, fixed = check_bytes(data, name, config, fix=options.fix)
    return [checked], fixed


def _check_paths(options: argparse.Namespace, config: Config) -> list[Checked]:
    from torchlint.runner import check_files

    files = _find(options.paths or [os.curdir], options)
    if not files:
        _warn("no Python files found under the given path(s)")
    results = check_files(files, config, fix=options.fix, jobs=options.jobs)
    return [result for result in results if result.diagnostics or result.fixed or result.warning]


def _rule(options: argparse.Namespace) -> int:
    from torchlint.rulebook import page
    from torchlint.rules import RULES

    if options.code is None:
        width = max(len(rule.name) for rule in RULES)
        for rule in RULES:
            default = "on" if rule.on_by_default() else "off"
            print(f"{rule.code}  {rule.name:<{width}}  {rule.group.value}, {default} by default")
        return 0
    wanted = {word: rule.code for rule in RULES for word in (rule.code, rule.name)}
    print(page(_known(options.code, wanted, "rule")).rstrip("\n"))
    return 0


def _prove(options: argparse.Namespace) -> int:
    import subprocess

    # A process of its own: it imports torch and runs programs, which the linter itself never does.
    command = [sys.executable, "-m", "torchlint.prove", *options.words]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.run(command).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def _codes(given: list[str] | None, option: str) -> tuple[str, ...] | None:
    """The code prefixes that an option names; `None` where the option was not given."""
    if given is None:
        return None
    from torchlint.rules import RULES

    wanted = {"ALL": "TL"}
    for rule in RULES:
        wanted.update({rule.code[:length]: rule.code[:length] for length in range(2, len(rule.code) + 1)})
        wanted[rule.name] = rule.code
    words = [word for text in given for word in (piece.strip() for piece in text.split(",")) if word]
    return tuple(_known(word, wanted, f"rule code in {option}") for word in words)


def _known(word: str, wanted: dict[str, str], what: str) -> str:
    for spelling in (word, word.upper(), word.lower()):
        if spelling in wanted:
            return wanted[spelling]
    from difflib import get_close_matches

    alike = {key.lower(): key for key in wanted if len(key) >= min(len(word), len("TL101"))}
    near = get_close_matches(word.lower(), alike, n=3, cutoff=0.6)
    # Of codes equally alike the one of the same topic.
    near.sort(key=lambda key: not word.lower().startswith(key[: len("TL1")]))
    hint = f"did you mean '{alike[near[0]]}'?" if near else "`torchlint rule` lists them"
    raise ConfigError(f"unknown {what} '{word}'; {hint}")


def _find(paths: Iterable[str], options: argparse.Namespace) -> list[str]:
    from torchlint.runner import EXCLUDED, find_files

    excluded = EXCLUDED if options.exclude is None else _split(options.exclude)
    return find_files(
        paths,
        excluded=(*excluded, *_split(options.extend_exclude or ())),
        force_exclude=options.force_exclude,
        warn=_warn,
    )


def _split(given: Iterable[str]) -> list[str]:
    return [piece.strip() for text in given for piece in text.split(",") if piece.strip()]


def _coloured(when: str, out: TextIO) -> bool:
    if when != "auto":
        return when == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return os.environ.get("TERM") != "dumb" and out.isatty()


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torchlint",
        description="Find the mistakes in PyTorch code that torch itself stays silent about.",
        epilog="Exit status: 0 nothing found, 1 something found, 2 wrong usage or a defect of torchlint.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"torchlint {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_check(commands)
    rule = commands.add_parser(
        "rule", help="print the page of a rule, or the list of all", allow_abbrev=False
    )
    rule.add_argument("code", nargs="?", metavar="CODE", help="a code such as TL101, or a name")
    rule.set_defaults(run=_rule)
    prove = commands.add_parser(
        "prove",
        help="run the examples of rules, or a script, on the installed torch, and say what torch did",
        description="Run rule pages or one script on the installed torch and hold the findings against what "
        "torch did. A script is executed, more than once where it has no_grad regions.",
        allow_abbrev=False,
    )
    prove.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="CODE ... | SCRIPT [ARGS ...]",
        help="rule codes or names (default: all), or a script with its own arguments",
    )
    prove.set_defaults(run=_prove)
    return parser


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser("check", help="check files and folders", allow_abbrev=False)
    check.set_defaults(run=_check)
    add = check.add_argument
    add("paths", nargs="*", metavar="PATH", help="files, folders, or - for standard input (default: .)")
    add("--stdin-filename", metavar="PATH", help="the name of what standard input holds")
    add("--select", action="append", metavar="CODES", help="only these rules: codes, prefixes or names")
    add("--ignore", action="append", metavar="CODES", help="not these rules; the longer prefix wins")
    add("--fix", action="store_true", help="make the safe fixes")
    add("--unsafe-fixes", action="store_true", help="also those that may change what the program does")
    add("--output-format", choices=("full", "concise", "json"), default="full", help="default: full")
    add("--exclude", action="append", metavar="PATTERNS", help="leave these out instead of the usual folders")
    add("--extend-exclude", action="append", metavar="PATTERNS", help="leave these out too")
    add("--force-exclude", action="store_true", help="leave them out even where they are named as PATH")
    add(
        "--no-project",
        action="store_true",
        help="read each file by itself, not what it imports or who calls it",
    )
    add("--jobs", "-j", type=_count, metavar="N", help="processes (default: one for each core)")
    add("--color", choices=("auto", "always", "never"), default="auto", help="default: auto")


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 is wanted, not '{text}'")
    return number
