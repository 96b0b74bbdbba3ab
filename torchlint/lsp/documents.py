"""The texts that a client has open, kept in step with it by its edits."""

from __future__ import annotations

from dataclasses import dataclass, field

from torchlint.source import column_of_units, split_lines


@dataclass(frozen=True, slots=True)
class Place:
    """A position as the client counts: lines from 0, columns in units of its encoding."""

    line: int
    character: int


@dataclass(slots=True, eq=False)
class Document:
    """One open text; `version` is what the client calls its state, `revision` counts the states here.

    Versions are only handed back: whatever order a client gives them, edits hold in the order they come.
    """

    uri: str
    language: str
    version: int
    lines: list[str] = field(default_factory=lambda: [""])
    revision: int = 0

    @classmethod
    def opened(cls, uri: str, language: str, version: int, text: str) -> Document:
        """A text as it was opened."""
        return cls(uri, language, version, split_lines(text))

    @property
    def text(self) -> str:
        """All of it, with the line ends of the client."""
        return "".join(self.lines)

    def replace(self, text: str) -> None:
        """Take another text for all of it."""
        self.lines = split_lines(text)
        self.revision += 1

    def edit(self, start: Place, end: Place, text: str, encoding: str) -> None:
        """Replace what lies between two places; places that do not exist mean the nearest that do."""
        first, begin = self._place(start, encoding)
        last, stop = self._place(end, encoding)
        if (last, stop) < (first, begin):
            first, begin, last, stop = last, stop, first, begin
        text = self.lines[first][:begin] + text + self.lines[last][stop:]
        # A carriage return before an inserted line feed makes one line end of two; so does one that is
        # inserted before a line feed.
        if first and self.lines[first - 1].endswith("\r"):
            first -= 1
            text = self.lines[first] + text
        if text.endswith("\r") and last + 1 < len(self.lines):
            last += 1
            text += self.lines[last]
        new = split_lines(text)
        if last + 1 < len(self.lines) and not new[-1]:
            new.pop()  # the end of a line in the middle begins no further line
        self.lines[first : last + 1] = new
        self.revision += 1

    def _place(self, place: Place, encoding: str) -> tuple[int, int]:
        if place.line < 0:
            return 0, 0
        if place.line >= len(self.lines):
            return len(self.lines) - 1, len(self.lines[-1])
        return place.line, column_of_units(self.lines[place.line], place.character, encoding)
