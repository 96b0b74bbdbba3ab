"""TOML as users write it: what it says, and on which line.

Python's own parser gives no positions, so the line of a key is looked up in the text when there is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, cast

from torchlint.errors import ConfigError
from torchlint.files import reason

_PART = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_PARTS = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_PARTS})\s*\]")
_KEY = re.compile(rf"\s*({_PARTS})\s*=")
_TABLE = re.compile(r"""^\s*\[\s*["']?tool["']?\s*\.\s*["']?torchlint\b""", re.MULTILINE)


def read(path: str) -> tuple[dict[str, Any], str]:
    """What a file says, and its text. Raises ConfigError where it cannot be read, or is no TOML."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise ConfigError(f"{shown(path)} cannot be read: {reason(error)}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{shown(path)} is not UTF-8 text, as TOML must be") from None
    return parse(text, shown(path)), text


def parse(text: str, name: str) -> dict[str, Any]:
    """What a text says. Raises ConfigError that begins with the name of the file, or of the option."""
    parser = _parser()
    if parser is None:
        raise ConfigError(f"{name} can be read from Python 3.11 on, or after `pip install tomli`")
    try:
        return cast("dict[str, Any]", parser.loads(text))
    except ValueError as error:
        at = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = at[1] if at is not None else text.count("\n") + 1
        said = str(error).partition(" (at ")[0]
        place = f"{name}:{line}" if not name.startswith("--") else name
        raise ConfigError(f"{place}: not valid TOML: {said[:1].lower()}{said[1:]}") from None


def has_parser() -> bool:
    """Whether this Python can read TOML."""
    return _parser() is not None


def names_our_table(data: bytes) -> bool:
    """Whether a file holds the header of our table, as far as one can see without a parser."""
    return _TABLE.search(data.decode("utf-8", "replace")) is not None


def line_of(text: str, keys: Sequence[str], word: str = "") -> int:
    """The line, from 1, on which a key of nested tables is given; with a word, the one that says it."""
    lines = text.split("\n")
    table: list[str] = []
    best, found = 0, 0
    for number, line in enumerate(lines):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header is not None and key is None:
            table = path = _split(header[1])
        elif key is not None:
            path = [*table, *_split(key[1])]
        else:
            continue
        shared = min(len(path), len(keys))
        if shared > best and path[:shared] == list(keys[:shared]):
            best, found = shared, number
    if word:
        for number in range(found, len(lines)):
            if word in lines[number]:
                return number + 1
            if number > found and (_KEY.match(lines[number]) or _HEADER.match(lines[number])):
                break
    return found + 1


def shown(path: str) -> str:
    """A path as an error names it: from the working folder where it lies under it."""
    here = os.path.join(os.getcwd(), "")
    full = os.path.abspath(path)
    return full[len(here) :] if full.startswith(here) else full


def _parser() -> Any:
    for name in ("tomllib", "tomli"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


def _split(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, dotted)]
