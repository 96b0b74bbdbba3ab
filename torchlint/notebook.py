"""A notebook as one source: its Python cells one after the other, and what is found put back into its cells.

A comment line, the mark, stands in front of each cell and behind the last, and a comment at the end of each
line that stands for one of IPython's. Fixes keep both, so a fixed source still says where each cell begins.
"""

from __future__ import annotations

import re
import warnings
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from torchlint.diagnostic import Diagnostic, Edit, Fix, Note, Span
from torchlint.errors import InternalError, UnreadableSource
from torchlint.ipynb import Document
from torchlint.magics import imported, is_python, replacements, unknown
from torchlint.source import Source

PYTHON = "python"

_ONLY_PARSE = 0x0400  # ast.PyCF_ONLY_AST, without importing ast
_MARK = "#:cell"
_INDENTED = "if 1:  "  # IPython takes a cell whose lines are all indented


@dataclass(frozen=True, slots=True)
class Notebook:
    """The cells of one notebook.

    `cells` are the texts of the Python cells by their number, which counts all cells from 1. `source` holds
    those that can be read, with Python in place of IPython's own lines; `unreadable` says why others cannot.
    """

    filename: str
    cells: Mapping[int, Source]
    source: Source
    unreadable: Mapping[int, UnreadableSource]
    _mark: str
    _document: Document | None = None
    _places: tuple[tuple[int, int], ...] = field(init=False, repr=False)  # line of each mark, cell behind it

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", tuple(_places(self.source, self._mark)))

    @classmethod
    def from_bytes(cls, data: bytes, filename: str) -> Notebook:
        """Read a .ipynb file; one of another language has no cells. Raises UnreadableSource."""
        document = Document.from_bytes(data)
        ours = document.language is None or _is_python(document.language)
        cells = [
            (cell.text, (cell.language or PYTHON) if ours and cell.kind == "code" else cell.kind)
            for cell in document.cells
        ]
        return replace(cls.from_cells(cells, filename), _document=document)

    @classmethod
    def from_cells(cls, cells: Iterable[tuple[str, str]], filename: str) -> Notebook:
        """The notebook of texts, each with its language or kind; what is not `python` is only counted."""
        ours = {
            number: Source.from_text(text, filename)
            for number, (text, language) in enumerate(cells, 1)
            if _is_python(language)
        }
        said = "\n".join(cell.text for cell in ours.values())
        mark = _MARK
        while mark in said:
            mark += ":"
        imports = imported(said)
        lines: list[str] = []
        unreadable: dict[int, UnreadableSource] = {}
        for number, cell in ours.items():
            if not is_python(cell.text):
                continue
            text, error = _section(cell, number, mark, imports)
            if error is not None:
                unreadable[number] = error
                text = f"{unknown(cell.text, imports)}  {mark} {number}".lstrip()
            lines.append(text)
        if lines:
            lines.append(f"{mark} 0")
        return cls(filename, ours, Source.from_text("\n".join(lines), filename), unreadable, mark)

    def problems(self) -> list[Diagnostic]:
        """One TL001 for each cell that is not readable Python."""
        return [
            Diagnostic(
                self.filename,
                Span.at(error.line, error.column),
                "TL001",
                "cannot-parse",
                f"cannot parse this cell: {error.reason}",
                cell=number,
            )
            for number, error in self.unreadable.items()
        ]

    def kept(self, found: Iterable[Diagnostic]) -> list[Diagnostic]:
        """What is found in the source and stands in a cell; a fix that leaves its cell is taken away.

        So is one that touches a line of IPython's own.
        """
        shown = [one for one in found if one.about_file or self._shows(one.span)]
        return [
            replace(
                one,
                fix=one.fix if self._holds(one.fix, one) else None,
                alternatives=tuple(other for other in one.alternatives if self._holds(other, one)),
            )
            for one in shown
        ]

    def placed(self, found: Diagnostic) -> Diagnostic:
        """A diagnostic of the source as one of its cell, the edits of its fix included."""
        number, _ = self._cell(found.span.start_line)
        if not number:
            return found
        fix = self._fix(found.fix) if found.fix is not None and self._holds(found.fix, found) else None
        others = tuple(self._fix(other) for other in found.alternatives if self._holds(other, found))
        notes = tuple(note for one in found.notes if (note := self._note(one)) is not None)
        span = self._span(found.span)
        return replace(found, span=span, notes=notes, fix=fix, cell=number, alternatives=others)

    def with_source(self, source: Source) -> Notebook:
        """The same notebook after fixes of its source. Raises InternalError where they broke its marks."""
        texts = self._texts(source)
        cells = {
            number: cell.with_text(texts[number]) if number in texts else cell
            for number, cell in self.cells.items()
        }
        return replace(self, cells=cells, source=source)

    def changed(self, after: Notebook) -> dict[int, str]:
        """The texts of the cells that are others afterwards, with the line ends of the notebook."""
        return {
            number: after.cells[number].to_bytes().decode()
            for number, cell in self.cells.items()
            if after.cells[number].text != cell.text
        }

    def to_bytes(self, after: Notebook) -> bytes:
        """The file with what is changed afterwards; of a notebook that was read from bytes."""
        assert self._document is not None
        return self._document.with_texts(self.changed(after))

    def _cell(self, line: int) -> tuple[int, int]:
        """The cell that a line of the source belongs to, and the line in front of its first; 0 for none."""
        at = bisect_right(self._places, (line - 1, len(self.cells) << 32)) - 1
        if at < 0 or not self._places[at][1]:
            return 0, 0
        return self._places[at][1], self._places[at][0]

    def _end(self, first: int) -> int:
        """The line of the mark behind the cell whose mark is in this line."""
        return self._places[bisect_right(self._places, (first, len(self.cells) << 32))][0]

    def _shows(self, span: Span) -> bool:
        number, _ = self._cell(span.start_line)
        return number != 0 and not self._is_ours(span.start_line)

    def _is_ours(self, line: int) -> bool:
        """Whether a line of the source stands in no cell as it is there."""
        return self._mark in self.source.line(line)

    def _holds(self, fix: Fix | None, found: Diagnostic) -> bool:
        """Whether a fix stays in the cell of its diagnostic and off IPython's own lines."""
        _, first = self._cell(found.span.start_line)
        return fix is None or all(self._is_within(edit, first) for edit in fix.edits)

    def _is_within(self, edit: Edit, first: int) -> bool:
        span = edit.span
        end = self._end(first)
        if span.start_line <= first or (span.end_line, span.end_column) > (end, 0):
            return False
        if span.end_line == end and edit.text and not edit.text.endswith("\n"):
            return False
        last = span.end_line if span.end_column else span.end_line - 1
        return not any(self._is_ours(number) for number in range(span.start_line, last + 1))

    def _fix(self, fix: Fix) -> Fix:
        edits = tuple(self._edit(edit) for edit in fix.edits)
        return Fix(fix.title, edits, fix.safe, fix.covers and self._span(fix.covers))

    def _edit(self, edit: Edit) -> Edit:
        """An edit within its cell, whose last line has no end: what goes behind it begins with one."""
        span = edit.span
        number, first = self._cell(span.start_line)
        end = self._end(first)
        if span.end_line < end:
            return Edit(self._span(span), edit.text)
        own = self.cells[number]
        start = (span.start_line - first, span.start_column)
        stop = (own.line_count, len(own.line(own.line_count)))
        text = edit.text.removesuffix("\n")
        if span.start_line == end:
            return Edit(Span(*stop, *stop), f"\n{text}")
        if not edit.text and start[0] > 1 and start[1] == 0:
            start = (start[0] - 1, len(own.line(start[0] - 1)))
        return Edit(Span(*start, *stop), text)

    def _span(self, span: Span) -> Span:
        """A span of the source within the cell that it begins in; it ends there too."""
        number, first = self._cell(span.start_line)
        own = self.cells[number]
        stop = (span.end_line - first, span.end_column)
        if span.end_line >= self._end(first):
            stop = (own.line_count, len(own.line(own.line_count)))
        return Span(span.start_line - first, span.start_column, *stop)

    def _note(self, note: Note) -> Note | None:
        """None for a note about a line that stands in no cell."""
        if note.filename is not None:
            return note
        number, _ = self._cell(note.span.start_line)
        if not number or self._is_ours(note.span.start_line):
            return None
        return replace(note, span=self._span(note.span), cell=number)

    def _texts(self, source: Source) -> dict[int, str]:
        """The texts of the cells that a source holds, IPython's lines put back."""
        places = _places(source, self._mark)
        if [number for _, number in places] != [number for _, number in self._places]:
            raise InternalError("a fix took the mark of a cell away")
        texts: dict[int, str] = {}
        for (line, number), (end, _) in pairwise(places):
            if number in self.unreadable:
                continue
            own = self.cells[number]
            lines = [source.line(at) for at in range(line + 1, end)]
            kept = [_restored(one, own, self._mark) for one in lines]
            if sum(self._mark in one for one in lines) != len(replacements(own.text)):
                raise InternalError("a fix took a line of IPython's away")
            texts[number] = "\n".join(kept)
        return texts


def _is_python(language: str) -> bool:
    return language.lower().removeprefix("i").startswith(PYTHON)


def _section(
    cell: Source, number: int, mark: str, imports: Collection[str]
) -> tuple[str, UnreadableSource | None]:
    """A mark and the lines of its cell, with Python for what is IPython's; and why that is no Python."""
    lines = cell.text.split("\n")
    for line, text in replacements(cell.text, imports).items():
        lines[line - 1] = f"{text}  {mark} {number}:{line}"
    section = "\n".join((f"{mark} {number}", *lines))
    error = _error(section)
    if error is not None and _error(f"{_INDENTED}{section}") is None:
        return f"{_INDENTED}{section}", None
    return section, error


def _restored(line: str, own: Source, mark: str) -> str:
    code, found, place = line.partition(f"  {mark} ")
    return own.line(int(place.partition(":")[2])) if found else code


def _places(source: Source, mark: str) -> list[tuple[int, int]]:
    """The line of each mark and the number of the cell behind it, 0 for none."""
    pattern = re.compile(rf"^.*{re.escape(mark)} (\d+)$", re.MULTILINE)
    return [(source.position(match.start())[0], int(match[1])) for match in pattern.finditer(source.text)]


def _error(text: str) -> UnreadableSource | None:
    """Why the text of a cell behind its mark is not Python; None where it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<cell>", "exec", _ONLY_PARSE, dont_inherit=True)
    except SyntaxError as error:
        lines = text.count("\n")
        line = min(max((error.lineno or 2) - 1, 1), lines)
        return UnreadableSource(error.msg, line=line, column=max((error.offset or 1) - 1, 0))
    except (ValueError, RecursionError, MemoryError) as error:
        return UnreadableSource(str(error) or type(error).__name__)
    return None
