"""Which line of an .ipynb file holds a line of a cell: what shows files by lines shows the JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]|[^\s\[\]{},:"]+|\n', re.DOTALL)
_Path = tuple[str | int | None, ...]


def row_of(filename: str, cell: int, line: int) -> int:
    """The line of the file, from 1, where a line of a cell stands; the first where the file does not tell."""
    rows = _rows_of(filename).get(cell, [])
    return rows[line - 1] if line <= len(rows) else 1


def rows(text: str) -> dict[int, list[int]]:
    """For each cell of a notebook, counted from 1, the lines of the JSON text where its lines stand."""
    found: dict[int, list[int]] = {}
    begins: set[int] = set()  # cells whose last piece ended a line
    for path, piece, row in _strings(text):
        match path:
            case ("cells", int(index), "source") | ("cells", int(index), "source", int()):
                cell = index + 1
            case _:
                continue
        if cell not in found:
            found[cell] = []
            begins.add(cell)
        lines = piece.split("\n")
        for number, line in enumerate(lines):
            if number:
                begins.add(cell)
            if cell in begins and (line or number < len(lines) - 1):
                found[cell].append(row)
                begins.discard(cell)
    for cell in begins:
        # What ends in a line end has an empty line behind it.
        found[cell].append(found[cell][-1] if found[cell] else 1)
    return found


@lru_cache(maxsize=1)
def _rows_of(filename: str) -> dict[int, list[int]]:
    try:
        with open(filename, encoding="utf-8-sig", newline="") as file:
            return rows(file.read())
    except (OSError, ValueError):
        return {}


def _strings(text: str) -> Iterator[tuple[_Path, str, int]]:
    """The strings of a JSON text that are values, with the way that leads to them and their lines."""
    # Of each list that is open the index, of each object the key, or None where one comes next.
    path: list[str | int | None] = []
    row = 1
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "\n":
            row += 1
        elif token in "{[":
            path.append(None if token == "{" else 0)
        elif token in "}]":
            path = path[:-1]
        elif token == "," and path:
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else None
        elif token[0] == '"':
            words = json.loads(token, strict=False)
            if path and path[-1] is None:
                path[-1] = words
            else:
                yield tuple(path), words, row
