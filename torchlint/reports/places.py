"""Where a finding lies: as people read it, and as viewers that show the lines of files need it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from torchlint.diagnostic import Diagnostic, Note, Span
from torchlint.files import named_from
from torchlint.reports.cells import row_of


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a file, lines and columns from 1, the end exclusive.

    A finding in a cell of a notebook gets the lines of the .ipynb file where the lines of the cell stand.
    No column of the cell is a column there: the columns are `None`, and `within` tells the place in the cell.
    """

    line: int
    end_line: int
    column: int | None
    end_column: int | None
    within: str = ""


def place(filename: str, span: Span, cell: int | None) -> Place:
    """Where a span is shown by a viewer that knows files and lines only."""
    if cell is None:
        return Place(span.start_line, span.end_line, span.start_column + 1, span.end_column + 1)
    first, last = (row_of(filename, cell, line) for line in (span.start_line, span.end_line))
    within = f"cell {cell}, line {span.start_line}, column {span.start_column + 1}: "
    return Place(first, max(first, last), None, None, within)


def place_of(found: Diagnostic) -> Place:
    """The same of a diagnostic."""
    return place(found.filename, found.span, found.cell)


def spelled(filename: str, span: Span, cell: int | None) -> tuple[str, ...]:
    """The parts of `file:line:column`, or of `file:cell 4:line:column`."""
    within = () if cell is None else (f"cell {cell}",)
    return (filename, *within, str(span.start_line), str(span.start_column + 1))


def spelled_note(found: Diagnostic, note: Note) -> tuple[str, ...]:
    """The same of a note; another file is named from the working folder."""
    filename = found.filename if note.filename is None else named_from(note.filename, os.curdir)
    return spelled(filename, note.span, note.cell)


def explained(found: Diagnostic) -> Iterator[str]:
    """A line for each note, and one with what to do, for formats that have no better place for them."""
    for note in found.notes:
        yield f"note: {note.message} ({':'.join(spelled_note(found, note))})"
    if found.help is not None:
        yield f"help: {found.help}"
    elif found.fix is not None:
        yield f"help: {found.fix.title}"


def under(variable: str, filename: str) -> str:
    """A path as a CI service wants it: named from the folder that its variable holds, where it lies under it.

    Elsewhere, and outside of that service, it is named from the working folder.
    """
    if filename == "-":
        return filename
    top = os.environ.get(variable)
    named = named_from(filename, top) if top else ""
    return named if named and not os.path.isabs(named) else named_from(filename, os.curdir)
