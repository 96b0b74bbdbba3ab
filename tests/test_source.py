"""Bytes to text and back, lines, and the kinds of columns."""

from __future__ import annotations

import ast
import codecs
import io
import tokenize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchlint.diagnostic import Span
from torchlint.errors import UnreadableSource
from torchlint.source import Source

ENCODED = {
    "plain": b"x = 1\n",
    "empty": b"",
    "no last line end": b"x = 1",
    "a mark": codecs.BOM_UTF8 + b"x = 1\n",
    "a mark and a cookie": codecs.BOM_UTF8 + b"# coding: utf-8\nx = 1\n",
    "windows line ends": b"x = 1\r\ny = 2\r\n",
    "old line ends": b"x = 1\ry = 2\r",
    "utf-8": "x = 'é日🔥'\n".encode(),
    "latin-1": "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"),
    "latin-1 on the second line": "#!/usr/bin/env python\n# vim: fileencoding=latin-1\nx = 'é'\n".encode(
        "latin-1"
    ),
    "latin-1 after a blank line": "\n# coding: latin-1\nx = 'é'\n".encode("latin-1"),
    "windows line ends and latin-1": "# coding: cp1252\r\nx = '€'\r\n".encode("cp1252"),
    "japanese": "# coding: shift_jis\nx = '日本'\n".encode("shift_jis"),
    "a cookie too late": b"x = 1\ny = 2\n# coding: latin-1\n",
    "a cookie after code": b"x = 1\n# coding: latin-1\n",
}


@pytest.mark.parametrize("data", ENCODED.values(), ids=ENCODED)
def test_bytes_come_back(data: bytes) -> None:
    assert Source.from_bytes(data, "a.py").to_bytes() == data


@pytest.mark.parametrize("data", ENCODED.values(), ids=ENCODED)
def test_the_text_is_what_python_reads(data: bytes) -> None:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    expected = io.TextIOWrapper(io.BytesIO(data), encoding).read()
    assert Source.from_bytes(data, "a.py").text == expected


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"x = 1\ny = '\xff'\n", 2, "not utf-8 text"),
        (b"\r\n\r\n\xe9", 3, "not utf-8 text"),
        (b"# coding: ascii\nx = '\xe9'\n", 2, "not ascii text"),
        (b"# coding: nonsense\n", 1, "unknown encoding 'nonsense'"),
        (b"# coding: hex\n", 1, "unknown encoding 'hex'"),
    ],
)
def test_what_cannot_be_decoded(data: bytes, line: int, reason: str) -> None:
    with pytest.raises(UnreadableSource, match=reason) as caught:
        Source.from_bytes(data, "a.py")
    assert (caught.value.line, caught.value.column) == (line, 0)


def test_another_text_keeps_the_rest() -> None:
    before = Source.from_bytes(codecs.BOM_UTF8 + b"a\r\n", "a.py")
    assert before.with_text("b\nc\n").to_bytes() == codecs.BOM_UTF8 + b"b\r\nc\r\n"
    assert before.with_text("b\n").filename == "a.py"


def test_only_line_ends_end_lines() -> None:
    source = Source.from_text("a\fb\vc\x1cd\x85e\u2028f\ng\r\nh", "a.py")
    assert source.line_count == 3
    assert [source.line(number) for number in (1, 2, 3)] == ["a\fb\vc\x1cd\x85e\u2028f", "g", "h"]
    assert source.lines(1, 3) == source.text
    assert source.lines(2, 2) == "g\n"


def test_a_span() -> None:
    source = Source.from_text("one\ntwo 日🔥\nthree\n", "a.py")
    assert source.slice(Span(2, 4, 2, 6)) == "日🔥"
    assert source.slice(Span(1, 2, 3, 2)) == "e\ntwo 日🔥\nth"
    assert source.slice(Span.at(2, 0)) == ""


TEXTS = st.text(st.sampled_from("ab \t\f\ré日🔥e\u0301\u2028\n"), max_size=40)


@given(TEXTS)
def test_lines_are_the_text(text: str) -> None:
    source = Source.from_text(text, "a.py")
    lines = [source.line(number) for number in range(1, source.line_count + 1)]
    assert "\n".join(lines) == source.text
    assert source.lines(1, source.line_count) == source.text


@given(TEXTS)
def test_positions_and_offsets_are_each_others_inverse(text: str) -> None:
    source = Source.from_text(text, "a.py")
    for offset in range(len(source.text) + 1):
        line, column = source.position(offset)
        assert source.offset(line, column) == offset
        assert source.line(line)[:column] == source.text[source.offset(line, 0) : offset]


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20))
def test_columns_of_bytes(line: str) -> None:
    source = Source.from_text(f"x\n{line}\n", "a.py")
    for column in range(len(line) + 1):
        assert source.column_of_byte(2, len(line[:column].encode())) == column


def test_columns_of_the_syntax_tree() -> None:
    source = Source.from_text("f('日🔥é'); name\n", "a.py")
    name = ast.parse(source.text).body[1]
    assert source.line(1)[source.column_of_byte(1, name.col_offset) :] == "name"
