"""A piece of a source with its line numbers and marks below a span, as a terminal's cells lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from torchlint.diagnostic import Span
from torchlint.reports import Palette
from torchlint.source import Source

_TAB = "    "
_WIDEST = 140
_LEAD = 60  # cells kept before the span where a line is cut
_LONGEST = 8  # lines of a span shown before its middle is left out
_HEAD = 4
_TAIL = 2
_FOLD = "..."
_JOINER = 0x200D
_EMOJI_STYLE = 0xFE0F
_SKIN = range(0x1F3FB, 0x1F400)
_TURNS_TEXT = frozenset((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F))


@dataclass(frozen=True, slots=True)
class Row:
    """A line as it is shown: no tabs, no characters that move the cursor or turn the text around.

    `cells` says for each code point of the line, and for its end, at which cell it stands.
    """

    number: int
    text: str
    cells: tuple[int, ...]

    @classmethod
    def of(cls, number: int, line: str) -> Row:
        """The row of one line of a source."""
        if line.isascii() and line.isprintable():
            return cls(number, line, tuple(range(len(line) + 1)))
        shown = [_visible(character) for character in line]
        widths = _widths(line)
        return cls(number, "".join(shown), (0, *accumulate(widths)))

    def cell(self, column: int) -> int:
        """The cell of a column; the end of the line for one behind it."""
        return self.cells[min(column, len(self.cells) - 1)]

    def window(self, first: int, last: int) -> str:
        """The text between two cells, with a mark where something is cut away."""
        if first == 0 and self.cells[-1] <= last:
            return self.text
        kept: list[tuple[str, int]] = []
        at = 0
        for character, width in zip(self.text, _widths(self.text), strict=True):
            if first <= at and at + width <= last:
                kept.append((character, width))
            elif at < first < at + width:
                kept.append((" ", at + width - first))
            at += width
        for position in ([0] if first else []) + ([-1] if at > last else []):
            if kept:
                kept[position] = ("…" + " " * (kept[position][1] - 1), kept[position][1])
        return "".join(character for character, _ in kept)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a frame: what stands in the gutter, the rail of a span over several lines, the text."""

    label: str
    rail: str
    text: str
    marks: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """The rows around one span, ready to be drawn."""

    rows: tuple[Row, ...]
    span: Span

    @classmethod
    def around(cls, source: Source, span: Span, *, context: int) -> Frame:
        """The lines of the span and some before and after; `context=0` keeps its first line alone."""
        span = _inside(source, span, one_line=not context)
        first = max(1, span.start_line - context)
        last = min(source.line_count, span.end_line + context)
        while first < span.start_line and not source.line(first).strip():
            first += 1
        while last > span.end_line and not source.line(last).strip():
            last -= 1
        return cls(tuple(Row.of(number, source.line(number)) for number in range(first, last + 1)), span)

    @property
    def digits(self) -> int:
        """How wide the line numbers are, or the dots that stand for some."""
        widest = len(str(self.rows[-1].number))
        return max(widest, len(_FOLD) - 1) if self._folded else widest

    def draw(self, mark: str, style: str, *, gutter: int, palette: Palette) -> Iterator[str]:
        """The lines to print, from the empty one above to the empty one below."""
        bar = palette.paint("gutter", "|")
        empty = f"{' ' * gutter} {bar}"
        yield empty
        for line in self._lines(mark):
            label = line.label.ljust(gutter + 1) if line.label == _FOLD else line.label.rjust(gutter) + " "
            rail = palette.paint(style, line.rail) if line.rail.strip() else line.rail
            text = palette.paint(style, line.text) if line.marks else line.text
            yield f"{palette.paint('gutter', label) if line.label else label}{bar} {rail}{text}"
        yield empty

    def _lines(self, mark: str) -> Iterator[Line]:
        one_line = self.span.start_line == self.span.end_line
        return self._one_line(mark) if one_line else self._several_lines(mark)

    @property
    def _folded(self) -> range:
        """The lines of the span that are not shown."""
        first, last = self.span.start_line, self.span.end_line
        return range(first + _HEAD, last - _TAIL + 1) if last - first >= _LONGEST else range(0)

    def _one_line(self, mark: str) -> Iterator[Line]:
        marked = next(row for row in self.rows if row.number == self.span.start_line)
        start = marked.cell(self.span.start_column)
        width = max(1, marked.cell(self.span.end_column) - start)
        cut = 0
        if max(row.cells[-1] for row in self.rows) > _WIDEST:
            cut = max(0, start - _LEAD)
        for row in self.rows:
            yield Line(str(row.number), "", row.window(cut, cut + _WIDEST))
            if row is marked:
                marks = mark * min(width, _WIDEST - (start - cut))
                yield Line("", "", " " * (start - cut) + marks, marks=True)

    def _several_lines(self, mark: str) -> Iterator[Line]:
        first, last, folded = self.span.start_line, self.span.end_line, self._folded
        for row in self.rows:
            text = row.window(0, _WIDEST)
            if row.number in folded:
                if row.number == folded.start:
                    yield Line(_FOLD, "| ", "")
            elif row.number == first:
                start = row.cell(self.span.start_column)
                opens = not row.text[:start].strip()
                yield Line(str(row.number), "/ " if opens else "  ", text)
                if not opens:
                    yield Line("", " _", "_" * min(start, _WIDEST) + mark, marks=True)
            else:
                inside = first < row.number <= last
                yield Line(str(row.number), "| " if inside else "  ", text)
                if row.number == last:
                    end = max(row.cell(self.span.end_column) - 1, 0)
                    yield Line("", "|_", "_" * min(end, _WIDEST) + mark, marks=True)


def _inside(source: Source, span: Span, *, one_line: bool) -> Span:
    """The span kept inside the source; one that ends before a line's first column ends a line earlier."""
    first = min(span.start_line, source.line_count)
    last = min(span.end_line, source.line_count)
    end = span.end_column
    if one_line and last > first:
        last, end = first, len(source.line(first).rstrip())
    elif last > first and end == 0:
        last -= 1
        end = len(source.line(last))
    return Span(first, span.start_column, last, end)


def _visible(character: str) -> str:
    if character == "\t":
        return _TAB
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0x80 <= code < 0xA0 or code in _TURNS_TEXT or code in (0x2028, 0x2029) or 0xD800 <= code < 0xE000:
        return "\ufffd"
    return character


def _widths(line: str) -> list[int]:
    """How many cells each code point takes; what joins the one before it takes none."""
    from unicodedata import category, east_asian_width

    widths: list[int] = []
    joined = False
    for character in line:
        code = ord(character)
        shown = _visible(character)
        if shown != character:
            width = len(shown)
        elif code == _EMOJI_STYLE and widths:
            # It asks for the picture of the character before, which takes two cells.
            widths[-1] = max(widths[-1], 2) if widths[-1] else 0
            width = 0
        elif joined or category(character) in ("Mn", "Me", "Cf") or (code in _SKIN and widths):
            width = 0
        else:
            width = 2 if east_asian_width(character) in "WF" else 1
        widths.append(width)
        joined = code == _JOINER
    return widths
