"""Which line of a notebook's file holds a line of a cell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from torchlint.reports.cells import row_of


def notebooks() -> Iterator[tuple[str, list[str]]]:
    """A notebook in the shapes that tools write, and the lines of its third cell."""
    lines = ['print("a\\"b")', "", "x = {'source': [1]}", "é \\", "last"]
    for source in ("\n".join(lines), [f"{line}\n" for line in lines[:-1]] + lines[-1:]):
        book = {
            "metadata": {"cells": [{"source": ["no\n"]}]},
            "cells": [
                {"cell_type": "markdown", "source": ["a\n", "b"]},
                {"cell_type": "code", "source": [], "outputs": [{"data": {"source": ["no\n"]}}]},
                {"outputs": [{"text": ["no"]}], "source": source, "attachments": {}},
            ],
        }
        for indent in (1, 4, None):
            yield json.dumps(book, indent=indent, ensure_ascii=False), lines


@pytest.mark.parametrize(("text", "lines"), list(notebooks()))
def test_a_line_of_a_cell_is_found_in_the_file(text: str, lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(text, encoding="utf-8")
    for number, line in enumerate(lines, start=1):
        row = row_of(str(path), 3, number)
        assert json.dumps(line, ensure_ascii=False)[1:-1] in text.split("\n")[row - 1]
    assert row_of(str(path), 3, len(lines) + 1) == 1
    assert row_of(str(path), 4, 1) == 1
    assert row_of(str(tmp_path / "gone.ipynb"), 1, 1) == 1
