"""The JSON of a notebook: what is refused and where, and that nothing but a source changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchlint.errors import UnreadableSource
from torchlint.ipynb import Document

TEXTS = st.text(st.sampled_from("ab\n\r\"\\/<é🦊\u2028\x00 ='"), max_size=30)


def cell(source: object, **more: object) -> dict[str, object]:
    return {"cell_type": "code", "metadata": {}, "outputs": [], "source": source, **more}


def notebook(*cells: object, **more: object) -> dict[str, object]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


def bytes_of(value: object, **style: Any) -> bytes:
    return json.dumps(value, **style).encode()


def read_back(data: bytes) -> list[str]:
    cells = json.loads(data.decode("utf-8-sig"))["cells"]
    return ["".join(one["source"]) for one in cells]


@pytest.mark.parametrize(
    ("data", "line", "column", "why"),
    [
        (b"", 1, 0, "not JSON: expecting value"),
        (b'{\n "cells": [,]}', 2, 11, "not JSON: expecting value"),
        (b'{\n "cells": [\n  {"source": "a\nb"}]}', 3, 15, "not JSON: invalid control character at"),
        (b'{"cells": []\n "a": 1}', 2, 1, "not JSON: expecting ',' delimiter"),
        (b'{"cells" []}', 1, 9, "not JSON: expecting ':' delimiter"),
        (b"{cells: []}", 1, 1, "not JSON: expecting property name enclosed in double quotes"),
        (bytes_of(notebook()) + b"\n]", 2, 0, "not JSON: extra data"),
        (b'{"cells": [\xff]}', 1, 0, "not utf-8 text: invalid start byte"),
        (b"\n []", 2, 1, "not a notebook: its JSON is no object"),
        (b'{"cells": []}', 1, 0, "not a notebook: it has no 'nbformat'"),
        (b'{\n"nbformat": "4"}', 2, 12, "not a notebook: 'nbformat' is no whole number"),
        (b'{"nbformat": 4}', 1, 0, "not a notebook: it has no 'cells'"),
        (
            b'{"worksheets": [],\n "nbformat": 3}',
            2,
            13,
            "not a notebook: its nbformat is 3, and only 4 is read; Jupyter saves it as 4",
        ),
        (b'{"cells": [], "nbformat": 5}', 1, 26, "not a notebook: its nbformat is 5, and only 4 is read"),
        (b'{"cells": {},\n"nbformat": 4}', 1, 10, "not a notebook: 'cells' is no list"),
        (bytes_of(notebook(metadata=[])), 1, 26, "not a notebook: 'metadata' is no object"),
        (bytes_of(notebook(cell(""), 3)), 1, 79, "not a notebook: cell 2 is no object"),
        (bytes_of(notebook({"source": ""})), 1, 11, "not a notebook: cell 1 has no 'cell_type'"),
        (bytes_of(notebook({"cell_type": "code"})), 1, 11, "not a notebook: cell 1 has no 'source'"),
        (bytes_of(notebook(cell(["a", 1]))), 1, 74, "not a notebook: the 'source' of cell 1 is no text"),
        (b"[" * 100_000, 1, 0, "not a notebook: its JSON is nested too deeply"),
    ],
)
def test_what_is_refused(data: bytes, line: int, column: int, why: str) -> None:
    with pytest.raises(UnreadableSource) as caught:
        Document.from_bytes(data)
    assert (caught.value.reason, caught.value.line, caught.value.column) == (why, line, column)


@pytest.mark.parametrize("minor", range(6))
def test_every_minor_version_is_read(minor: int) -> None:
    kinds = ("code", "markdown", "raw", "heading")
    cells = [cell("a", cell_type=kind, id="x", prompt_number=3) for kind in kinds]
    document = Document.from_bytes(bytes_of(notebook(*cells, nbformat_minor=minor)))
    assert [one.kind for one in document.cells] == list(kinds)


def test_where_the_language_stands() -> None:
    def language(**metadata: object) -> str | None:
        return Document.from_bytes(bytes_of(notebook(metadata=metadata))).language

    assert language() is None
    assert language(kernelspec={"name": "conda", "language": "R"}) == "R"
    assert language(kernelspec={"language": "R"}, language_info={"name": "python"}) == "python"
    assert language(kernelspec=[], language_info={"name": 3}) is None


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    data = b'{"cells": [], "nbformat": 4, "cells": [{"source": 1, "cell_type": "code", "source": "a"}]}'
    document = Document.from_bytes(data)
    assert document.with_texts({1: "b"}) == data.replace(b'"a"', b'"b"')


@pytest.mark.parametrize(
    ("value", "text", "after"),
    [
        (r'"a\nb"', "a\nc", r'"a\nc"'),
        (r'"\u003Ca>\/ \n\u00E9 b"', "<a>/ \né <c/>\n", r'"\u003Ca>\/ \n\u00E9 \u003Cc\/>\n"'),
        (r'"\ud83e\udd8a x"', "🦊 y🦊", r'"\ud83e\udd8a y\ud83e\udd8a"'),
        ('["a\\n",\n   "b"]', "a\nc\nd", '["a\\n",\n   "c\\n",\n   "d"]'),
        ('[\r\n\t"a"\r\n]', "x\na", '[\r\n\t"x\\n",\r\n\t"a"\r\n]'),
        ('["a\\n" , "b\\n" ,  "c"]', "a\nc", '["a\\n" ,  "c"]'),
        ('["a\\n","b\\n","c"]', "b\nc", '["b\\n","c"]'),
        ('["a", "b\\n", "c"]', "ab\nd", '["ab\\n", "d"]'),
        ('["a"]', "a\nb", '["a\\n", "b"]'),
        ('["a"]', "", "[]"),
        ("[]", "a\nb", '["a\\n", "b"]'),
        ('""', "é", r'"\u00e9"'),
    ],
)
def test_the_spelling_of_a_source_is_kept(value: str, text: str, after: str) -> None:
    frame = '{"nbformat": 4, "cells": [{"cell_type":"code" ,"source" : %s }]}\r\n'
    document = Document.from_bytes((frame % value).encode())
    assert document.with_texts({1: text}).decode() == frame % after


def test_text_beyond_ascii_stays_as_the_file_has_it() -> None:
    data = bytes_of(notebook(cell("a"), cell("é")), ensure_ascii=False)
    assert "ü".encode() in Document.from_bytes(data).with_texts({1: "ü"})


@settings(max_examples=60, deadline=None)
@given(
    old=st.lists(st.one_of(TEXTS, TEXTS.map(lambda text: text.splitlines(keepends=True))), max_size=4),
    new=st.lists(TEXTS, min_size=4, max_size=4),
    which=st.sets(st.integers(1, 4)),
    indent=st.sampled_from((None, 0, 1, 4)),
    ascii_only=st.booleans(),
    bom=st.booleans(),
    end=st.sampled_from(("", "\n", "\r\n")),
)
def test_only_the_sources_change(
    *,
    old: list[str | list[str]],
    new: list[str],
    which: set[int],
    indent: int | None,
    ascii_only: bool,
    bom: bool,
    end: str,
) -> None:
    cells = [cell(source, id=str(at)) for at, source in enumerate(old)]
    text = (
        json.dumps(notebook(*cells), indent=indent, ensure_ascii=ascii_only).replace("\n", end or "\n") + end
    )
    data = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    document = Document.from_bytes(data)
    texts = ["".join(one) for one in old]
    assert [one.text for one in document.cells] == texts
    assert document.with_texts({}) == data
    assert document.with_texts(dict(enumerate(texts, 1))) == data
    changed = {number: new[number - 1] for number in which if number <= len(old)}
    after = document.with_texts(changed)
    assert read_back(after) == [changed.get(number, text) for number, text in enumerate(texts, 1)]
    again = Document.from_bytes(after)
    assert outside(again) == outside(document)
    assert ascii_only <= again.text.isascii()
    kinds = [[one[0] for one in values(each)] for each in (document, again)]
    assert kinds[0] == kinds[1], "a string became a list, or a list a string"


def outside(document: Document) -> list[str]:
    ends = [0, *(one.end for one in document.cells)]
    starts = [*(one.start for one in document.cells), len(document.text)]
    return [document.text[end:start] for end, start in zip(ends, starts, strict=True)]


def values(document: Document) -> list[str]:
    return [document.text[one.start : one.end] for one in document.cells]
