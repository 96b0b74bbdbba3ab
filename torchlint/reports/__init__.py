"""The output formats, and what those for people share: colours and the last lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from torchlint.diagnostic import Diagnostic
    from torchlint.runner import Checked

FORMATS = (
    "full",
    "concise",
    "grouped",
    "json",
    "json-lines",
    "github",
    "gitlab",
    "junit",
    "sarif",
    "rdjson",
    "pylint",
    "azure",
    "lintrunner",
)
"""Each is a module of this package, with an underscore for a hyphen."""

_FOR_PEOPLE = ("full", "concise", "grouped")

_STYLES = {
    "bold": "1",
    "code": "1;91",
    "mark": "1;91",
    "gutter": "1;94",
    "cause": "1;94",
    "help": "1;96",
    "colon": "36",
    "star": "36",
    "hunk": "36",
    "removed": "31",
    "added": "32",
}


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a terminal, or none."""

    colour: bool

    def paint(self, style: str, text: str) -> str:
        """The text in one of the styles; an empty text stays empty, `plain` adds nothing."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour and text and style != "plain" else text


@dataclass(frozen=True, slots=True)
class Fixing:
    """Whether fixes were made, whether unsafe ones are wanted, and whether those made are `listed`."""

    made: bool = False
    unsafe: bool = False
    listed: bool = False

    def cures(self, found: Diagnostic) -> bool:
        """Whether `--fix`, with the options as they are, cures a diagnostic."""
        return found.fix is not None and (found.fix.safe or self.unsafe)


NOTHING_FIXED = Fixing()


@dataclass(frozen=True, slots=True)
class Run:
    """How a run went and how it is to be shown; `status` is its exit status, `None` where nobody said."""

    palette: Palette
    fixing: Fixing = NOTHING_FIXED
    status: int | None = None


def render(
    form: str,
    results: Sequence[Checked],
    *,
    palette: Palette,
    fixing: Fixing = NOTHING_FIXED,
    status: int | None = None,
    quiet: bool = False,
) -> Iterator[str]:
    """The report on some files, in pieces that end in a line end; with `quiet` no summary ends it."""
    module = import_module(f"torchlint.reports.{form.replace('-', '_')}")
    write = cast("Callable[[Sequence[Checked], Run], Iterator[str]]", module.write)
    yield from write(results, Run(palette, fixing, status))
    if form in _FOR_PEOPLE and not quiet:
        yield from summary(results, palette=palette, fixing=fixing)


def headline(found: Diagnostic, run: Run, *, style: str = "plain") -> str:
    """The code, a mark where `--fix` cures it, and the message in a style."""
    palette = run.palette
    star = f"[{palette.paint('star', '*')}] " if run.fixing.cures(found) else ""
    return f"{palette.paint('code', found.code)} {star}{palette.paint(style, found.message)}"


def summary(results: Sequence[Checked], *, palette: Palette, fixing: Fixing) -> Iterator[str]:
    """How many were found, fixed and can be fixed, as ruff says it."""
    if fixing.listed:
        from torchlint.reports.fixes import listed

        yield from listed(results, made=True)
    remaining = fixed = curable = hidden = 0
    for result in results:
        remaining += len(result.diagnostics)
        fixed += result.fixed
        for found in result.diagnostics:
            curable += fixing.cures(found)
            hidden += found.fix is not None and not fixing.cures(found)
    total = remaining + fixed
    if not total:
        yield "All checks passed!\n"
        return
    after = f" ({fixed} fixed, {remaining} remaining)" if fixed else ""
    yield f"Found {total} error{'' if total == 1 else 's'}{after}.\n"
    if fixing.made:
        return
    fixes = "fix" if hidden == 1 else "fixes"
    more = f" ({hidden} hidden {fixes} can be enabled with `--unsafe-fixes`)" if hidden else ""
    if curable:
        yield f"[{palette.paint('star', '*')}] {curable} fixable with `--fix`{more}.\n"
    elif hidden:
        yield f"No fixes available{more}.\n"
