"""`torchlint check`: files in, a report out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from torchlint.commands import fixing, known, warn
from torchlint.config import Config
from torchlint.errors import ConfigError

if TYPE_CHECKING:
    from torchlint.runner import Checked

_STDIN = "-"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Tell the parser of it."""
    check = commands.add_parser("check", help="check files and folders", allow_abbrev=False)
    check.set_defaults(run=_run)
    add = check.add_argument
    add("paths", nargs="*", metavar="PATH", help="files, folders, or - for standard input (default: .)")
    add("--stdin-filename", metavar="PATH", help="the name of what standard input holds")
    add("--select", action="append", metavar="CODES", help="only these rules: codes, prefixes or names")
    add("--ignore", action="append", metavar="CODES", help="not these rules; the longer prefix wins")
    fixing.add_options(check)
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


def _run(options: argparse.Namespace) -> int:
    from torchlint.reports import Fixing, Palette, render

    fixing.settle(options)
    config = Config(
        _codes(options.select, "--select"),
        _codes(options.ignore, "--ignore") or (),
        project=not options.no_project,
        unsafe_fixes=options.unsafe_fixes,
    )
    out = sys.stdout
    if _STDIN in options.paths:
        results, fixed = _check_stdin(options, config)
        if options.fix and not options.diff:
            # As ruff does: the fixed text takes stdout, the report goes beside it.
            sys.stdout.buffer.write(fixed)
            out = sys.stderr
    else:
        results = _check_paths(options, config)
    for result in results:
        if result.warning is not None:
            warn(result.warning)
    palette = Palette(_coloured(options.color, out))
    if options.fix_only:
        return fixing.report(options, results, palette=palette, out=out)
    made = Fixing(options.fix, options.unsafe_fixes, options.show_fixes)
    for piece in render(options.output_format, results, palette=palette, fixing=made):
        out.write(piece)
    found = {diagnostic.code for result in results for diagnostic in result.diagnostics}
    changed = options.exit_non_zero_on_fix and any(result.fixed for result in results)
    return 2 if "TL002" in found else 1 if found or changed else 0


def _check_stdin(options: argparse.Namespace, config: Config) -> tuple[list[Checked], bytes]:
    from torchlint.runner import check_bytes, differing

    if len(options.paths) > 1:
        raise ConfigError("'-' reads standard input and goes with no other path")
    data = sys.stdin.buffer.read()
    name = options.stdin_filename or _STDIN
    if options.force_exclude and name != _STDIN and not _find([name], options):
        return [], data
    checked, fixed = check_bytes(data, name, config, fix=options.fix)
    if options.diff and fixed != data:
        checked = differing(checked, data, fixed)
    return [checked], fixed


def _check_paths(options: argparse.Namespace, config: Config) -> list[Checked]:
    from torchlint.runner import check_files

    files = _find(options.paths or [os.curdir], options)
    if not files:
        warn("no Python files found under the given path(s)")
    results = check_files(files, config, fix=options.fix, diff=options.diff, jobs=options.jobs)
    return [result for result in results if result.diagnostics or result.fixed or result.warning]


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
    return tuple(known(word, wanted, f"rule code in {option}") for word in words)


def _find(paths: Iterable[str], options: argparse.Namespace) -> list[str]:
    from torchlint.files import EXCLUDED, find_files

    excluded = EXCLUDED if options.exclude is None else _split(options.exclude)
    return find_files(
        paths,
        excluded=(*excluded, *_split(options.extend_exclude or ())),
        force_exclude=options.force_exclude,
        warn=warn,
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


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 is wanted, not '{text}'")
    return number
