"""The text of one file, and the only place that converts between kinds of columns."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from torchlint.diagnostic import Span
from torchlint.errors import UnreadableSource

_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_BLANK = re.compile(rb"^[ \t\f]*(?:#|\r?$|\n)")


class Replacement(NamedTuple):
    """A text for what stands between two indices of another; those at one place sort by end, so an insertion
    goes before what replaces."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file with `\\n` line ends, and what is needed to write it back as it was.

    Lines are split at `\\n` alone: LibCST and `ast` do the same, `str.splitlines` does not.
    """

    filename: str
    text: str
    encoding: str = "utf-8"
    bom: bool = False
    newline: str = "\n"
    mixed: tuple[str, ...] = ()  # each line's own end, where they are not all alike
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = [0]
        find = self.text.find
        at = find("\n")
        while at != -1:
            starts.append(at + 1)
            at = find("\n", at + 1)
        object.__setattr__(self, "_starts", tuple(starts))

    @classmethod
    def from_bytes(cls, data: bytes, filename: str) -> Source:
        """Decode as Python does: BOM, PEP 263 cookie, else UTF-8. Raises UnreadableSource."""
        bom = data.startswith(codecs.BOM_UTF8)
        if bom:
            data = data[len(codecs.BOM_UTF8) :]
        encoding = _declared_encoding(data) or "utf-8"
        try:
            text = data.decode(encoding)
        except LookupError:
            raise UnreadableSource(f"unknown encoding {encoding!r}") from None
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise UnreadableSource(f"not {encoding} text: {error.reason}", line=line) from None
        except UnicodeError as error:
            raise UnreadableSource(f"not {encoding} text: {error}") from None
        if encoding.lower().replace("_", "-") == "utf-8-sig":
            bom, encoding = True, "utf-8"
        return cls.from_text(text, filename, encoding=encoding, bom=bom)

    @classmethod
    def from_text(cls, text: str, filename: str, *, encoding: str = "utf-8", bom: bool = False) -> Source:
        """Take decoded text; `\\r\\n` and lone `\\r` become `\\n` and are put back by `to_bytes`."""
        newline, mixed = "\n", ()
        if "\r" in text:
            ends = tuple(re.findall(r"\r\n|\r|\n", text))
            newline = max(set(ends), key=ends.count)
            mixed = ends if len(set(ends)) > 1 else ()
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return cls(filename, text, encoding, bom, newline, mixed)

    def with_text(self, text: str) -> Source:
        """The same file with another text (in `\\n` line ends)."""
        return Source(self.filename, text, self.encoding, self.bom, self.newline, self.mixed)

    def replaced(self, replacements: Iterable[Replacement]) -> Source:
        """The same file with replacements made, none of which overlap; other lines keep their own ends."""
        text, mixed = self.text, list(self.mixed)
        for one in sorted(replacements, reverse=True):
            gone, come = text.count("\n", one.start, one.end), one.text.count("\n")
            if mixed and gone != come:
                line = text.count("\n", 0, one.start)
                mixed[line : line + gone] = [self.newline] * come
            text = text[: one.start] + one.text + text[one.end :]
        return Source(self.filename, text, self.encoding, self.bom, self.newline, tuple(mixed))

    def to_bytes(self) -> bytes:
        """The bytes to write back: BOM, encoding and newline style as they were read."""
        text = self.text
        lines = text.split("\n")
        if self.mixed and len(lines) == len(self.mixed) + 1:
            text = "".join(line + end for line, end in zip(lines, (*self.mixed, ""), strict=True))
        elif self.newline != "\n":
            text = self.newline.join(lines)
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)

    @property
    def line_count(self) -> int:
        """How many lines, counting a last one without line end."""
        return len(self._starts)

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its line end."""
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[start:end]

    def lines(self, first: int, last: int) -> str:
        """The text of the lines first..last (from 1, both included) with their line ends."""
        end = self._starts[last] if last < len(self._starts) else len(self.text)
        return self.text[self._starts[first - 1] : end]

    def offset(self, line: int, column: int) -> int:
        """The index into `text` of a line (from 1) and a column (from 0, code points)."""
        return self._starts[line - 1] + column

    def position(self, offset: int) -> tuple[int, int]:
        """The line (from 1) and column (from 0, code points) of an index into `text`."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1]

    def column_of_byte(self, line: int, byte_column: int) -> int:
        """A column as `ast` counts (UTF-8 bytes) in code points."""
        text = self.line(line)
        if text.isascii():
            return byte_column
        return len(text.encode()[:byte_column].decode(errors="ignore"))

    def slice(self, span: Span) -> str:
        """The text that a span covers."""
        start = self.offset(span.start_line, span.start_column)
        return self.text[start : self.offset(span.end_line, span.end_column)]


def split_lines(text: str) -> list[str]:
    """The lines of a text with their ends, as editors count them: cut at `\\n`, `\\r\\n` and `\\r` alone.

    The last one has no end, so that there is always one line, and a text that ends a line has one more.
    """
    lines = _LINE.findall(text)
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return lines


def column_of_units(line: str, units: int, encoding: str) -> int:
    """A column as a client counts, in units of its encoding, in code points.

    What lies in the middle of a character is before it, what lies behind the line is at its end.
    """
    if units <= 0:
        return 0
    text = line.rstrip("\r\n")
    if encoding == "utf-32" or text.isascii():
        return min(units, len(text))
    for column, character in enumerate(text):
        units -= _units(character, encoding)
        if units < 0:
            return column
    return len(text)


def units_of_column(line: str, column: int, encoding: str) -> int:
    """A column in code points as a client counts: in `utf-8` or `utf-16` units, or in code points."""
    text = line[:column]
    if encoding == "utf-32" or text.isascii():
        return len(text)
    return sum(_units(character, encoding) for character in text)


def _units(character: str, encoding: str) -> int:
    number = ord(character)
    if encoding == "utf-16":
        return 1 + (number > 0xFFFF)
    return 1 + (number > 0x7F) + (number > 0x7FF) + (number > 0xFFFF)


def _declared_encoding(data: bytes) -> str | None:
    first, _, rest = data.partition(b"\n")
    match = _COOKIE.match(first)
    if match is None and _BLANK.match(first):
        match = _COOKIE.match(rest.partition(b"\n")[0])
    return match.group(1).decode("ascii", "replace") if match else None
