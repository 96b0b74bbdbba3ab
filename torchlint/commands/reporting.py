"""Where the report of `torchlint check` goes, in which format, and how much of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from torchlint.commands import warn
from torchlint.errors import ConfigError
from torchlint.reports import FORMATS

if TYPE_CHECKING:
    from torchlint.reports import Fixing, Palette
    from torchlint.runner import Checked

_FORMAT = "TORCHLINT_OUTPUT_FORMAT"
_FOR_PEOPLE = ("full", "concise", "grouped")
_FILE = "TORCHLINT_OUTPUT_FILE"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Tell the parser of the options that say how the report looks."""
    add = parser.add_argument
    shown = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]} (default: full, or ${_FORMAT})"
    add("--output-format", choices=FORMATS, metavar="FORMAT", help=shown)
    add("--output-file", "-o", metavar="FILE", help=f"write the report there (default: stdout, or ${_FILE})")
    add("--statistics", action="store_true", help="only count the findings of each code")
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("--quiet", "-q", action="store_true", help="print the findings and nothing else")
    loudness.add_argument("--silent", "-s", action="store_true", help="print nothing")
    add("--exit-zero", "-e", action="store_true", help="exit with 0 also where something is found")


def warner(options: argparse.Namespace) -> Callable[[str], None]:
    """What tells the user of something that ends nothing; nobody hears it with --quiet or --silent."""
    return _unheard if options.quiet or options.silent else warn


def ask_environment(options: argparse.Namespace) -> None:
    """Take the format from the environment where no option names one. Raises ConfigError for no format."""
    asked = os.environ.get(_FORMAT)
    if options.output_format is not None or not asked:
        return
    if asked not in FORMATS:
        raise ConfigError(f"${_FORMAT} is '{asked}', and is to be one of {', '.join(FORMATS)}")
    options.output_format = asked


def output_format(options: argparse.Namespace) -> str:
    """The format that was asked for. Raises ConfigError where it does not go with the other options."""
    asked: str = options.output_format
    if options.statistics and asked not in ("full", "concise", "json"):
        raise ConfigError(f"--statistics goes with the formats full, concise and json, not with '{asked}'")
    return asked


def output_file(options: argparse.Namespace) -> str | None:
    """The file for the report, by option or environment; its folder is made where it is missing.

    Raises ConfigError where no file can be written there, before anything is checked.
    """
    given: str | None = options.output_file
    filename = given if given is not None else os.environ.get(_FILE) or None
    if filename is None:
        return None
    folder = os.path.dirname(os.path.abspath(filename))
    try:
        if os.path.isdir(filename):
            raise IsADirectoryError(None, "it is a folder")
        os.makedirs(folder, exist_ok=True)
        if not os.access(filename if os.path.exists(filename) else folder, os.W_OK):
            raise PermissionError(None, "permission denied")
    except OSError as error:
        raise _unwritable(filename, error) from None
    return filename


def is_watched(options: argparse.Namespace) -> bool:
    """Whether a person sits before the terminal to whom a long run may show how far it has come."""
    if options.quiet or options.silent or output_format(options) not in _FOR_PEOPLE:
        return False
    if os.environ.get("CI", "").lower() not in ("", "0", "false") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stderr.isatty()


def report(
    options: argparse.Namespace,
    results: Sequence[Checked],
    *,
    palette: Palette,
    fixing: Fixing,
    status: int,
    out: TextIO,
) -> None:
    """Write the report to `out`, or to the file that was named. Raises ConfigError where that fails."""
    filename = output_file(options)
    if filename is not None:
        from torchlint.reports import Palette

        palette = Palette(colour=False)
        text = "".join(_pieces(options, results, palette=palette, fixing=fixing, status=status))
        try:
            _put(filename, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise _unwritable(filename, error) from None
    elif not options.silent:
        for piece in _pieces(options, results, palette=palette, fixing=fixing, status=status):
            out.write(piece)


def _pieces(
    options: argparse.Namespace, results: Sequence[Checked], *, palette: Palette, fixing: Fixing, status: int
) -> Iterator[str]:
    from torchlint.reports import render, statistics, summary

    form = output_format(options)
    quiet = options.quiet or options.silent
    if not options.statistics:
        yield from render(form, results, palette=palette, fixing=fixing, status=status, quiet=quiet)
        return
    yield from statistics.write(form, results, palette=palette, fixing=fixing)
    if form != "json" and not quiet and any(one.diagnostics or one.fixed for one in results):
        yield from summary(results, palette=palette, fixing=fixing)


def _put(filename: str, data: bytes) -> None:
    from torchlint.saving import put

    if os.path.exists(filename) and not os.path.isfile(filename):
        # A pipe or a device cannot be put in place of itself.
        with open(filename, "wb") as file:
            file.write(data)
    else:
        put(filename, data)


def _unwritable(filename: str, error: OSError) -> ConfigError:
    from torchlint.files import reason

    return ConfigError(f"the report cannot be written to '{filename}': {reason(error)}")


def _unheard(message: str) -> None:
    """Nothing is said."""
