"""The options of `torchlint check` about fixes, and what is said where nothing but fixing was asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from torchlint.commands import warn

if TYPE_CHECKING:
    from torchlint.reports import Palette
    from torchlint.runner import Checked

_NOT_READ = ("TL001", "TL002")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Tell the parser of them."""
    add: Callable[..., Any] = parser.add_argument
    switch = argparse.BooleanOptionalAction
    add("--fix", action=switch, help="make the safe fixes")
    add("--unsafe-fixes", action=switch, help="also those that may change what the program does")
    codes = {"action": "append", "metavar": "CODES"}
    add("--fixable", **codes, help="make the fixes of these rules alone")
    add("--extend-fixable", **codes, help="and of these")
    add("--unfixable", **codes, help="not of these")
    add("--diff", action="store_true", help="write nothing; print what --fix would change, 1 if anything")
    add("--fix-only", action="store_true", help="make the fixes and report nothing that is left")
    add("--show-fixes", action="store_true", help="list what was fixed in which file")
    add("--exit-non-zero-on-fix", action="store_true", help="1 also where all that was found is fixed")


def settle(options: argparse.Namespace) -> None:
    """Set what an option asks for besides: a diff is about fixes alone, and those have to be made."""
    options.fix_only |= options.diff
    options.fix |= options.fix_only


def report(options: argparse.Namespace, results: Sequence[Checked], *, palette: Palette, out: TextIO) -> int:
    """Say what was fixed, or how files would change, and nothing of what is left; gives the exit status.

    A diff takes standard output, and all else goes to standard error then.
    """
    from torchlint.reports import Fixing
    from torchlint.reports.fixes import listed, tally

    for result in results:
        for found in result.diagnostics:
            if found.code in _NOT_READ:
                warn(f"{result.filename}:{found.line}: {found.message}")
    if options.diff:
        _show(b"".join(result.diff for result in results), palette)
        out = sys.stderr
    if options.show_fixes:
        out.writelines(listed(results, made=not options.diff))
    fixing = Fixing(made=not options.diff, unsafe=options.unsafe_fixes)
    out.writelines(tally(results, fixing=fixing))
    if any(found.code == "TL002" for result in results for found in result.diagnostics):
        return 2
    fails = options.diff or options.exit_non_zero_on_fix
    return 1 if fails and any(result.fixed for result in results) else 0


def _show(diff: bytes, palette: Palette) -> None:
    """Print a diff: for a reader in colours, else byte for byte, so that it can be applied."""
    sys.stdout.flush()
    if palette.colour:
        lines = diff.decode("utf-8", "replace").split("\n")
        diff = "\n".join(palette.paint(_style(line), line) for line in lines).encode("utf-8", "replace")
    sys.stdout.buffer.write(diff)
    sys.stdout.buffer.flush()


def _style(line: str) -> str:
    starts = {"---": "bold", "+++": "bold", "@@ ": "hunk", "-": "removed", "+": "added"}
    return next((style for start, style in starts.items() if line.startswith(start)), "plain")
