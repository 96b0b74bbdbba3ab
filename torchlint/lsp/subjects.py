"""What is analysed as one: a document, or the code cells of a notebook; and what an analysis gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from lsprotocol import types

from torchlint.diagnostic import Diagnostic, Edit, Note
from torchlint.lsp.documents import Document
from torchlint.lsp.notebooks import Joined, joined
from torchlint.lsp.values import Abilities, diagnostic_of, range_of
from torchlint.source import Source


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What was found in one state of a subject, under one state of the settings."""

    number: int
    revision: int
    generation: int
    text: Joined
    found: tuple[Diagnostic, ...]

    @property
    def is_readable(self) -> bool:
        """Whether the text was Python."""
        return not any(one.code == "TL001" for one in self.found)

    @property
    def result_id(self) -> str:
        """The name by which a client asks whether anything is new."""
        return str(self.number)

    def in_part(self, part: int) -> Iterator[tuple[Diagnostic, Diagnostic]]:
        """What was found in one part, as found and with the positions of the part."""
        for one in self.found:
            place = self.text.within(one.span)
            if place is not None and place[0] == part:
                moved = Diagnostic(one.filename, place[1], one.code, one.name, one.message, one.help)
                yield one, moved


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

    def read(self) -> Joined:
        """The source that the parts are now."""
        if self.is_notebook:
            return joined([part.text for part in self.parts], self.filename)
        return Joined(Source.from_text(self.parts[0].text.removeprefix("\ufeff"), self.filename), (1,))

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
        return [
            self._shown(analysis, one, moved, part, abilities, uri_of)
            for one, moved in analysis.in_part(part)
        ]

    def _shown(
        self,
        analysis: Analysis,
        found: Diagnostic,
        moved: Diagnostic,
        part: int,
        abilities: Abilities,
        uri_of: dict[str, str],
    ) -> types.Diagnostic:
        text = analysis.text
        edits = self.edits(analysis, part, found)
        fix = replace(found.fix, edits=tuple(edits)) if found.fix is not None and edits else None
        related = [known for note in found.notes if (known := self._related(text, note, abilities, uri_of))]
        above = text.starts[part] - 1
        return diagnostic_of(
            replace(moved, fix=fix), lambda line: text.source.line(line + above), abilities, related
        )

    def edits(self, analysis: Analysis, part: int, found: Diagnostic) -> list[Edit]:
        """The edits of its fix with the positions of its part; none where one leaves the part."""
        places = [(analysis.text.within(edit.span), edit) for edit in found.fix.edits] if found.fix else []
        kept = [Edit(place[1], edit.text) for place, edit in places if place and place[0] == part]
        return kept if len(kept) == len(places) else []

    def _related(
        self, text: Joined, note: Note, abilities: Abilities, uri_of: dict[str, str]
    ) -> types.DiagnosticRelatedInformation | None:
        if note.filename is not None:
            return _elsewhere(note, abilities, uri_of)
        place = text.within(note.span)
        if place is None:
            return None
        part, span = place
        above = text.starts[part] - 1
        shown = range_of(span, lambda line: text.source.line(line + above), abilities.encoding)
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
