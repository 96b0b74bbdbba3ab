"""What is analysed as one: a document, or the code cells of a notebook; and what an analysis gave."""

from __future__ import annotations

from dataclasses import dataclass, field

from lsprotocol import types

from torchlint.diagnostic import Note
from torchlint.lsp.documents import Document
from torchlint.lsp.texts import Found, Text
from torchlint.lsp.values import Abilities, diagnostic_of, range_of
from torchlint.source import Source


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What was found in one state of a subject, under one state of the settings."""

    number: int
    revision: int
    generation: int
    text: Text
    found: tuple[Found, ...]

    @property
    def is_readable(self) -> bool:
        """Whether the text was Python; of a notebook, what is left without the cells that are none."""
        return not any(one.there.code == "TL001" and one.there.cell is None for one in self.found)

    @property
    def result_id(self) -> str:
        """The name by which a client asks whether anything is new."""
        return str(self.number)

    def in_part(self, part: int) -> list[Found]:
        """What is shown in one part."""
        return [one for one in self.found if one.part == part]


@dataclass(slots=True, eq=False)
class Subject:
    """A document, or a notebook with its code cells; `parts` are the documents that make it up."""

    uri: str
    filename: str
    is_file: bool
    is_notebook: bool
    parts: list[Document]
    cells: list[str] = field(default_factory=list)  # of a notebook: the uris of all its cells
    revision: int = 0
    known: Analysis | None = field(default=None, repr=False)
    """The newest analysis of a text that could be read; of one that could not, if there never was another."""

    def read(self) -> Text:
        """What the parts say now."""
        if self.is_notebook:
            return Text.of_cells([part.text for part in self.parts], self.filename)
        return Text.of_document(self.parts[0].text, self.filename)

    def part(self, uri: str) -> int | None:
        """The number of a part by its uri."""
        return next((number for number, one in enumerate(self.parts) if one.uri == uri), None)

    def take(self, analysis: Analysis) -> None:
        """Keep what was found, unless the text cannot be read just now and something is known of it."""
        if analysis.is_readable or self.known is None or not self.known.is_readable:
            self.known = analysis

    def shown(
        self, analysis: Analysis, part: int, abilities: Abilities, uri_of: dict[str, str]
    ) -> list[types.Diagnostic]:
        """The diagnostics of one part; `uri_of` gives the uri of an open file by its name."""
        line = analysis.text.parts[part].line
        return [
            diagnostic_of(
                one.here,
                line,
                abilities,
                [
                    known
                    for note in one.here.notes
                    if (known := self._related(analysis.text, note, abilities, uri_of))
                ],
            )
            for one in analysis.in_part(part)
        ]

    def _related(
        self, text: Text, note: Note, abilities: Abilities, uri_of: dict[str, str]
    ) -> types.DiagnosticRelatedInformation | None:
        if note.filename is not None:
            return _elsewhere(note, abilities, uri_of)
        part = (note.cell or 1) - 1
        shown = range_of(note.span, text.parts[part].line, abilities.encoding)
        return types.DiagnosticRelatedInformation(types.Location(self.parts[part].uri, shown), note.message)


def _elsewhere(
    note: Note, abilities: Abilities, uri_of: dict[str, str]
) -> types.DiagnosticRelatedInformation | None:
    """A note that points into another file, as the disk has it."""
    from pygls import uris

    assert note.filename is not None
    uri = uri_of.get(note.filename) or uris.from_fs_path(note.filename)
    try:
        with open(note.filename, "rb") as file:
            source = Source.from_bytes(file.read(), note.filename)
        shown = range_of(note.span, source.line, abilities.encoding)
    except (OSError, IndexError):
        start = types.Position(note.span.start_line - 1, note.span.start_column)
        shown = types.Range(start, start)
    return types.DiagnosticRelatedInformation(types.Location(uri, shown), note.message) if uri else None
