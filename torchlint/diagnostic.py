"""What torchlint answers: frozen values that every frontend reads and none changes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A piece of a source: lines count from 1, columns from 0 in code points, the end is exclusive."""

    start_line: int
    start_column: int
    end_line: int
    end_column: int

    @classmethod
    def at(cls, line: int, column: int) -> Span:
        """The empty span at one position: where an insertion goes."""
        return cls(line, column, line, column)


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the text of one span; an empty span inserts, an empty text deletes."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A titled set of edits; safe when it changes nothing but the fault and keeps every comment.

    Lines put around some code count on what stands in it: `covers` is that code, and of two fixes whose
    code overlaps one has to wait until the source was read again.
    """

    title: str
    edits: tuple[Edit, ...]
    safe: bool
    covers: Span | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A place that explains a diagnostic: where the region starts, which operation saved.

    `filename`, from the root of the disk, where it stands in another file than the diagnostic; `cell` as in
    a diagnostic.
    """

    message: str
    span: Span
    filename: str | None = None
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding with a position, in one file.

    Of a notebook `cell` counts all cells from 1, and positions, those of edits too, are within that cell.
    `alternatives` are other fixes, for somebody who chooses: `--fix` makes none of them.
    """

    filename: str
    span: Span
    code: str
    name: str
    message: str
    help: str | None = None
    notes: tuple[Note, ...] = ()
    fix: Fix | None = None
    cell: int | None = None
    alternatives: tuple[Fix, ...] = ()

    @property
    def line(self) -> int:
        """The line it starts at, from 1."""
        return self.span.start_line

    @property
    def column(self) -> int:
        """The column it starts at, from 0, in code points."""
        return self.span.start_column

    @property
    def about_file(self) -> bool:
        """Whether it is about torchlint's reading of the file, TL001 or TL002, not about a place in it."""
        return self.code in ("TL001", "TL002")

    def sort_key(self) -> tuple[str, int, Span, str, str]:
        """The order in which diagnostics are shown: file, cell, place, code."""
        return (self.filename, self.cell or 0, self.span, self.code, self.message)
