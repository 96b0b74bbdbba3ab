"""`torchlint check`: files in, a report out."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from torchlint.commands import fixing, overriding, reporting
from torchlint.commands.silence import adding, print_with_comments, write_comments
from torchlint.errors import ConfigError

if TYPE_CHECKING:
    from torchlint.runner import Checked
    from torchlint.settings import Overrides

OPTIONAL_VALUES = ("--add-noqa", "--add-ignore")
"""Options that take a value behind '=' or none."""

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it."""

_STDIN = "-"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Tell the parser of it."""
    check = commands.add_parser(
        "check", help="check files and folders", allow_abbrev=False, fromfile_prefix_chars="@"
    )
    check.set_defaults(run=_run)
    add = check.add_argument
    overriding.add_options(check)
    add("--stdin-filename", metavar="PATH", help="the name of what standard input holds")
    fixing.add_options(check)
    add("--baseline", metavar="FILE", help="only what is not in FILE; `torchlint baseline` writes it")
    add(
        "--no-baseline",
        dest="baseline",
        action="store_const",
        const="",
        help="all, whatever is in a baseline",
    )
    add(
        "--ignore-noqa",
        "--disable-noqa",
        action="store_true",
        help="also what comments silence",
    )
    add("--add-noqa", nargs="?", metavar="=REASON", help="no report: put '# noqa: CODE' at each finding")
    add("--add-ignore", nargs="?", metavar="=REASON", help="the same with '# torchlint: ignore[CODE]'")
    add("--show-settings", action="store_true", help="tell what holds for the first file, and who says so")
    add("--show-files", action="store_true", help="list the files that would be checked")
    add("--watch", "-w", action="store_true", help="check again whenever a file changes")
    add("--color", choices=("auto", "always", "never"), default="auto", help="default: auto")
    reporting.add_options(check)


def _run(options: argparse.Namespace) -> int:
    if options.watch:
        from torchlint.commands.watch import watch

        return watch(options, check)
    return check(options)


def check(
    options: argparse.Namespace, begin: Callable[[Sequence[Checked]], None] = lambda results: None
) -> int:
    """Check once and report, which may change the options; gives the exit status. Raises ConfigError.

    `begin` hears what every file gave, before the report.
    """
    from torchlint.reports import Fixing, Palette

    reporting.ask_environment(options)
    overrides = overriding.settle(options)
    if options.show_settings or options.show_files:
        return _show(options, overrides)
    fixing.settle(options)
    reporting.output_format(options)
    reporting.output_file(options)
    tell = reporting.warner(options)
    comments = adding(options)
    out = sys.stdout
    interrupted = None
    if options.baseline is not None:
        from torchlint.baseline import load

        load(options.baseline)  # before anything is checked
    if _STDIN in options.paths:
        results, fixed = _check_stdin(options, overrides)
        if comments is not None:
            return print_with_comments(results[0], fixed, comments) if results else 0
        if options.fix and not options.diff:
            # As ruff does: the fixed text takes stdout, the report goes beside it.
            sys.stdout.buffer.write(fixed)
            out = sys.stderr
    else:
        results, interrupted = _check_paths(options, overrides)
    if interrupted is not None and comments is not None:
        raise KeyboardInterrupt  # comments are put at all findings or at none
    begin(results)
    for result in results:
        if result.warning is not None:
            tell(result.warning)
        for line, message in result.remarks:
            tell(f"{result.filename}:{line}: {message}")
    if comments is not None:
        return write_comments(results, comments)
    palette = Palette(_coloured(options.color, out))
    if options.fix_only:
        status = fixing.report(options, results, palette=palette, out=out)
        return status if interrupted is None else _stopped(interrupted, options)
    made = Fixing(options.fix, options.unsafe_fixes, options.show_fixes)
    changed = options.exit_non_zero_on_fix and any(result.fixed for result in results)
    found = {diagnostic.code for result in results for diagnostic in result.diagnostics}
    status = 2 if "TL002" in found else 1 if (found or changed) and not options.exit_zero else 0
    status = status if interrupted is None else INTERRUPTED
    reporting.report(options, results, palette=palette, fixing=made, status=status, out=out)
    return status if interrupted is None else _stopped(interrupted, options)


def _stopped(interrupted: str, options: argparse.Namespace) -> int:
    """Say after the report that Ctrl-C has ended the run before its end."""
    sys.stdout.flush()
    if not (options.quiet or options.silent):
        print(f"interrupted: {interrupted}", file=sys.stderr)
    return INTERRUPTED


def _show(options: argparse.Namespace, overrides: Overrides) -> int:
    from torchlint.commands.config import shown
    from torchlint.settings import settings_for

    if _STDIN in options.paths:
        files = [options.stdin_filename or _STDIN]
    else:
        files = overriding.find(options.paths, options, overrides)
    if options.show_files:
        for name in files:
            print(os.path.abspath(name))
    else:
        path = files[0] if files else os.curdir
        print("\n".join(shown(settings_for(path, overrides), path)))
    return 0


def _check_stdin(options: argparse.Namespace, overrides: Overrides) -> tuple[list[Checked], bytes]:
    from torchlint.runner import check_bytes, differing

    if len(options.paths) > 1:
        raise ConfigError("'-' reads standard input and goes with no other path")
    data = sys.stdin.buffer.read()
    name = options.stdin_filename or _STDIN
    if options.force_exclude and name != _STDIN and not overriding.find([name], options, overrides):
        return [], data
    config = overriding.config_of(name, options, overrides)
    checked, fixed = check_bytes(data, name, config, fix=options.fix)
    if options.diff and fixed != data:
        checked = differing(checked, data, fixed)
    return [checked], fixed


def _check_paths(options: argparse.Namespace, overrides: Overrides) -> tuple[list[Checked], str | None]:
    """What is to be told of the files, and how far Ctrl-C let them come where it was hit."""
    from torchlint.progress import Progress
    from torchlint.runner import check_files

    files, configs = overriding.files_of(options, overrides, tell=reporting.warner(options))
    results: list[Checked] = []
    interrupted = None
    with Progress(files, sys.stderr, shown=reporting.is_watched(options)) as progress:
        try:
            for result in check_files(
                files, configs, fix=options.fix, diff=options.diff, jobs=options.jobs, begun=progress.begin
            ):
                results.append(result)
                progress.advance()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one does not wait for the report
            interrupted = f"{len(results)} of {len(files)} files checked"
    if options.baseline is not None and interrupted is None:
        from torchlint.commands.baseline import tell_gone

        tell_gone(results, configs, overriding.config_of(os.curdir, options, overrides))
    return [result for result in results if _says_something(result)], interrupted


def _says_something(result: Checked) -> bool:
    said = (result.diagnostics, result.fixed, result.warning, result.suppressed, result.remarks)
    return any(said)


def _coloured(when: str, out: TextIO) -> bool:
    if when != "auto":
        return when == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return os.environ.get("TERM") != "dumb" and out.isatty()
