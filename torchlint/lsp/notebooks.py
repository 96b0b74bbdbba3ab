"""Notebooks: the code cells as one source, and the way back from its lines to cells."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torchlint.diagnostic import Span
from torchlint.source import Source

# `%time x`, `!ls`, `?f`, `f?`: words to the notebook and no Python.
_MAGIC = re.compile(r"^([ \t]*)(?:[%!?].*|[\w.]+\?\??[ \t]*)$")


@dataclass(frozen=True, slots=True)
class Joined:
    """The cells of a notebook in one source; `starts` are the lines, from 1, at which they begin."""

    source: Source
    starts: tuple[int, ...]

    def cell(self, line: int) -> int:
        """The cell, from 0, that a line of the source belongs to."""
        return bisect_right(self.starts, line) - 1

    def within(self, span: Span) -> tuple[int, Span] | None:
        """The cell of a span, and the span as that cell counts lines; None where it leaves the cell."""
        cell = self.cell(span.start_line)
        above = self.starts[cell] - 1
        if self.cell(span.end_line) != cell:
            return None
        return cell, replace(span, start_line=span.start_line - above, end_line=span.end_line - above)


def joined(cells: Sequence[str], filename: str) -> Joined:
    """The source that code cells are, one after the other; magics are blanked, lines keep their numbers."""
    starts: list[int] = []
    lines: list[str] = []
    for cell in cells:
        starts.append(len(lines) + 1)
        lines.extend(_python(cell.replace("\r\n", "\n").replace("\r", "\n").split("\n")))
    return Joined(Source.from_text("\n".join(lines), filename), tuple(starts))


def _python(lines: list[str]) -> list[str]:
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%"):
        return [""] * len(lines)  # the whole cell is for somebody else
    return [_MAGIC.sub(r"\1pass", line) for line in lines]
