"""The JSON of a notebook file: the cells in it, and the same bytes with the sources of some cells changed.

The document is never written anew. Where each source stands in it is found while it is read, so that all else
stays as it was, byte for byte.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from json.decoder import JSONDecodeError
from typing import NoReturn

from torchlint.errors import UnreadableSource

_SPACE = re.compile(r"[ \t\n\r]*")
# One code point of a JSON string as it is spelled; two escapes where it takes a pair of surrogates.
_SPELLING = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)
_DECODER = json.JSONDecoder()
_FORMAT = 4  # nbformat, of any minor version


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the document: its kind, its text, and between which characters its source stands."""

    kind: str
    text: str
    start: int
    end: int
    language: str | None  # what VS Code notes where a cell has a language of its own


@dataclass(frozen=True, slots=True)
class Document:
    """A notebook file as text. `language` is the one that its code cells are in, where it says so."""

    text: str
    bom: bool
    cells: tuple[Cell, ...]
    language: str | None

    @classmethod
    def from_bytes(cls, data: bytes) -> Document:
        """Read a notebook of format 4. Raises UnreadableSource, which points into the JSON."""
        bom = data.startswith(codecs.BOM_UTF8)
        try:
            text = data.removeprefix(codecs.BOM_UTF8).decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise UnreadableSource(f"not utf-8 text: {error.reason}", line=line) from None
        try:
            reader = _Reader(text)
        except JSONDecodeError as error:
            said = error.msg[:1].lower() + error.msg[1:]
            raise UnreadableSource(f"not JSON: {said}", line=error.lineno, column=error.colno - 1) from None
        except RecursionError:
            raise UnreadableSource("not a notebook: its JSON is nested too deeply") from None
        return cls(text, bom, tuple(reader.cells), reader.language())

    def with_texts(self, texts: Mapping[int, str]) -> bytes:
        """The bytes of the file with other texts in some cells, which are counted from 1."""
        pieces: list[str] = []
        at = 0
        for number, text in sorted(texts.items()):
            cell = self.cells[number - 1]
            if text == cell.text:
                continue
            pieces += (self.text[at : cell.start], _Value(self.text, cell).with_text(text))
            at = cell.end
        pieces.append(self.text[at:])
        return (codecs.BOM_UTF8 if self.bom else b"") + "".join(pieces).encode()


class _Reader:
    """One way through the JSON that notes where the sources are."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.cells: list[Cell] = []
        self._values: dict[str, object] = {}
        self._places: dict[str, int] = {}
        start = self._space(0)
        if text[start : start + 1] != "{":
            _DECODER.raw_decode(text, start)  # what is no JSON at all is told so
            self._refuse(start, "its JSON is no object")
        end = self._space(self._object(start, self._member))
        if end < len(text):
            raise JSONDecodeError("Extra data", text, end)
        self._check(start)

    def language(self) -> str | None:
        """The language that the metadata names; the kernel's where no other is named."""
        metadata = self._values.get("metadata", {})
        for key, field in (("language_info", "name"), ("kernelspec", "language")):
            named = metadata.get(key) if isinstance(metadata, dict) else None
            language = named.get(field) if isinstance(named, dict) else None
            if isinstance(language, str):
                return language
        return None

    def _check(self, start: int) -> None:
        form = self._values.get("nbformat")
        place = self._places.get("nbformat", start)
        if "nbformat" not in self._values:
            self._refuse(start, "it has no 'nbformat'")
        if not isinstance(form, int) or isinstance(form, bool):
            self._refuse(place, "'nbformat' is no whole number")
        if form != _FORMAT:
            hint = "; Jupyter saves it as 4" if form < _FORMAT else ""
            self._refuse(place, f"its nbformat is {form}, and only {_FORMAT} is read{hint}")
        if not isinstance(self._values.get("metadata", {}), dict):
            self._refuse(self._places["metadata"], "'metadata' is no object")
        if "cells" not in self._places:
            self._refuse(start, "it has no 'cells'")

    def _member(self, key: str, at: int) -> int:
        self._places[key] = at
        if key != "cells":
            self._values[key], end = _DECODER.raw_decode(self._text, at)
            return end
        self.cells.clear()  # of a key that comes twice the last one counts
        if self._text[at : at + 1] != "[":
            _DECODER.raw_decode(self._text, at)
            self._refuse(at, "'cells' is no list")
        return self._array(at, self._cell)

    def _cell(self, at: int) -> int:
        number = len(self.cells) + 1
        values: dict[str, object] = {}
        places: dict[str, tuple[int, int]] = {}

        def member(key: str, start: int) -> int:
            values[key], end = _DECODER.raw_decode(self._text, start)
            places[key] = start, end
            return end

        if self._text[at : at + 1] != "{":
            _DECODER.raw_decode(self._text, at)
            self._refuse(at, f"cell {number} is no object")
        end = self._object(at, member)
        kind, source = values.get("cell_type"), values.get("source")
        if not isinstance(kind, str):
            self._refuse(at, f"cell {number} has no 'cell_type'")
        if "source" not in values:
            self._refuse(at, f"cell {number} has no 'source'")
        if isinstance(source, list) and all(isinstance(one, str) for one in source):
            source = "".join(source)
        if not isinstance(source, str):
            self._refuse(places["source"][0], f"the 'source' of cell {number} is no text")
        self.cells.append(Cell(kind, source, *places["source"], _own_language(values.get("metadata"))))
        return end

    def _object(self, at: int, take: Callable[[str, int], int]) -> int:
        """Go through an object; `take` gets each key and where its value starts, and gives where it ends."""

        def member(start: int) -> int:
            if self._text[start : start + 1] != '"':
                raise JSONDecodeError("Expecting property name enclosed in double quotes", self._text, start)
            key, end = _DECODER.raw_decode(self._text, start)
            colon = self._space(end)
            if self._text[colon : colon + 1] != ":":
                raise JSONDecodeError("Expecting ':' delimiter", self._text, colon)
            return take(key, self._space(colon + 1))

        return self._items(at, "}", member)

    def _array(self, at: int, take: Callable[[int], int]) -> int:
        return self._items(at, "]", take)

    def _items(self, at: int, close: str, take: Callable[[int], int]) -> int:
        text = self._text
        at = self._space(at + 1)
        if text[at : at + 1] == close:
            return at + 1
        while True:
            at = self._space(take(at))
            if text[at : at + 1] == close:
                return at + 1
            if text[at : at + 1] != ",":
                raise JSONDecodeError("Expecting ',' delimiter", text, at)
            at = self._space(at + 1)

    def _space(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def _refuse(self, at: int, why: str) -> NoReturn:
        line = self._text.count("\n", 0, at) + 1
        column = at - (self._text.rfind("\n", 0, at) + 1)
        raise UnreadableSource(f"not a notebook: {why}", line=line, column=column)


def _own_language(metadata: object) -> str | None:
    editor = metadata.get("vscode") if isinstance(metadata, dict) else None
    language = editor.get("languageId") if isinstance(editor, dict) else None
    return language if isinstance(language, str) else None


class _Value:
    """The source of a cell as the JSON spells it: one string, or a list of them."""

    def __init__(self, text: str, cell: Cell) -> None:
        self._raw = text[cell.start : cell.end]
        self._ascii = text.isascii()
        self._listed = self._raw.startswith("[")
        # Each string without its quotes, and what stands before it.
        self._strings: list[str] = []
        self._before: list[str] = []
        closed = 0
        at = self._raw.find('"')
        while at >= 0:
            self._before.append(self._raw[closed : at + 1])
            _, end = _DECODER.raw_decode(self._raw, at)
            closed = end - 1
            self._strings.append(self._raw[at + 1 : closed])
            at = self._raw.find('"', end)
        self._after = self._raw[closed:] if self._strings else '"]'
        self._spelled = {
            _decoded(piece): piece for piece in _SPELLING.findall("".join(self._strings)) if piece[0] == "\\"
        }

    def with_text(self, text: str) -> str:
        """The value with another text: lines that stay keep their spelling, and changed ones most of it."""
        old = self._strings if self._listed else _lines_of(self._strings[0])
        new = text.split("\n")
        lines = [f"{line}\n" for line in new[:-1]] + ([new[-1]] if new[-1] else [])
        matcher = SequenceMatcher(None, [_decoded(one) for one in old], lines, autojunk=False)
        found: list[tuple[int | None, str]] = []  # the string it comes from, and its spelling
        for kind, first, last, start, end in matcher.get_opcodes():
            for offset in range(end - start):
                origin = first + offset if first + offset < last else None
                if origin is None:
                    found.append((None, self._spell(lines[start + offset])))
                elif kind == "equal":
                    found.append((origin, old[origin]))
                else:
                    found.append((origin, self._changed(old[origin], lines[start + offset])))
        if not self._listed:
            return self._before[0] + "".join(spelling for _, spelling in found) + self._after
        pieces: list[str] = []
        for position, (origin, spelling) in enumerate(found):
            pieces += (self._lead(position, origin), spelling)
        return "".join(pieces) + self._after if found else "[]"

    def _lead(self, position: int, origin: int | None) -> str:
        """What stands before a string of a list, from the end of the one before to its own quote."""
        if not self._before:
            return '["' if position == 0 else '", "'
        if position == 0:
            return self._before[0]
        if origin:
            return self._before[origin]
        if len(self._before) > 1:
            return self._before[1]
        space = self._before[0][1:-1]
        return f'",{space or " "}"'

    def _changed(self, old: str, new: str) -> str:
        """A line spelled as the old one was, as far as both begin and end alike."""
        spelled = _SPELLING.findall(old)
        characters = [_decoded(piece) for piece in spelled]
        most = min(len(characters), len(new))
        head = next((at for at in range(most) if characters[at] != new[at]), most)
        rest = most - head
        tail = next((at for at in range(rest) if characters[-1 - at] != new[-1 - at]), rest)
        middle = self._spell(new[head : len(new) - tail])
        return "".join(spelled[:head]) + middle + "".join(spelled[len(spelled) - tail :])

    def _spell(self, text: str) -> str:
        if self._spelled.keys().isdisjoint(text):
            return json.dumps(text, ensure_ascii=self._ascii)[1:-1]
        return "".join(
            self._spelled.get(one) or json.dumps(one, ensure_ascii=self._ascii)[1:-1] for one in text
        )


def _decoded(spelling: str) -> str:
    return str(json.loads(f'"{spelling}"'))


def _lines_of(spelling: str) -> list[str]:
    """The spelling of a string cut behind each line end."""
    lines = [""]
    for piece in _SPELLING.findall(spelling):
        lines[-1] += piece
        if piece[0] == "\\" and _decoded(piece) == "\n":
            lines.append("")
    return lines if lines[-1] else lines[:-1]
