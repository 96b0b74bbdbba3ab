"""The texts of the server, held against a plain model; columns in all encodings."""

from __future__ import annotations

import random
import re

import pytest

from torchlint.lsp.documents import Document, Place
from torchlint.source import column_of_units, split_lines, units_of_column

ENCODINGS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
PIECES = ["x", "é", "漢", "😀", "\n", "\r", "\r\n", "\f", "\u2028", "\x85", "\t", " = 1", "", "a\nb", "\n\r"]


def test_a_document_stays_in_step_with_a_plain_text_through_2000_edits() -> None:
    chance = random.Random(8)
    for encoding in ENCODINGS:
        document, text = Document.opened("file:///x.py", "python", 1, ""), ""
        for step in range(2_000 // len(ENCODINGS) + 1):
            start, end = _anywhere(chance), _anywhere(chance)
            new = "".join(chance.choices(PIECES, k=chance.randrange(4)))
            if chance.random() < 0.02:
                text = new * 5
                document.replace(text)
            else:
                first, last = sorted((_offset(text, start, encoding), _offset(text, end, encoding)))
                text = text[:first] + new + text[last:]
                document.edit(start, end, new, encoding)
            assert document.text == text
            assert document.lines == split_lines(text), (encoding, step)
            assert document.revision == step + 1


def _anywhere(chance: random.Random) -> Place:
    """Mostly a place that exists, sometimes one far out or before the beginning."""
    if chance.random() < 0.05:
        return Place(chance.choice((-3, 0, 10_000)), chance.choice((-1, 0, 10_000)))
    return Place(chance.randrange(8), chance.randrange(9))


def _offset(text: str, place: Place, encoding: str) -> int:
    """Where a place is in a text, by encoding its line."""
    ends = [match.end() for match in re.finditer(r"\r\n|\r|\n", text)]
    starts = [0, *ends]
    if place.line < 0:
        return 0
    if place.line >= len(starts):
        return len(text)
    start = starts[place.line]
    line = re.match(r"[^\r\n]*", text[start:])
    assert line is not None
    codec, width = ENCODINGS[encoding]
    kept = line[0].encode(codec)[: max(place.character, 0) * width]
    return start + len(kept.decode(codec, errors="ignore"))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_columns_there_and_back(encoding: str) -> None:
    line = "a é漢😀 = 'z'\r\n"
    codec, width = ENCODINGS[encoding]
    for column in range(len(line) - 1):
        units = units_of_column(line, column, encoding)
        assert units == len(line[:column].encode(codec)) // width
        assert column_of_units(line, units, encoding) == column
    assert column_of_units(line, 10_000, encoding) == len(line) - 2
    assert column_of_units(line, -1, encoding) == 0


def test_lines_are_those_of_an_editor() -> None:
    assert split_lines("") == [""]
    assert split_lines("a\fb\u2028c\n") == ["a\fb\u2028c\n", ""]
    assert split_lines("a\r\n\rb\n\n") == ["a\r\n", "\r", "b\n", "\n", ""]
