"""IPython's own lines, and the Python that stands for them where a cell is read.

A line keeps its number, and what stands before a magic keeps its column.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Collection
from keyword import kwlist

_CELL_MAGIC = re.compile(r"\s*%%(?P<name>[\w-]*)")
# What runs the rest of its cell as Python, in the notebook's own names.
_RUNS_PYTHON = frozenset(
    (
        *("time", "timeit", "capture", "prun", "debug", "ipytest", "wandb"),
        *("memit", "mprun", "lprun", "snakeviz", "scalene", "pyinstrument", "heat"),
    )
)

# `pip install x` needs no `%` in IPython, and is no Python.
_WORDS = r"(?:pip3?|conda|mamba)[ \t]+(?:install|uninstall|list|show|freeze|update)\b"
_WHOLE = re.compile(
    rf"""[ \t]*(?:
        [%!?,;/]                                # %magic  !shell  ?name, and marks that call without brackets
        | {_WORDS}
        | [^#'"\n]*[\w\])*]\?\??[ \t]*;?[ \t]*$ # name?
    )""",
    re.VERBOSE,
)
_ASSIGNED = re.compile(
    r"""(?P<kept>(?:[^#'"=()\n]|'[^'\n]*'|"[^"\n]*")+=[ \t]*)[%!](?!=)""",
)
# Magics that are given a statement to run.
_RUNS_STATEMENT = re.compile(r"[ \t]*%(?:time|timeit|prun|memit|mprun|lprun|debug|snakeviz)\b(.*)")
_STATEMENT = "pass"
_VALUE = "..."

_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")
_IMPORTED = re.compile(r"^[ \t]*(?:from\b.*?\b)?import\b(.*)", re.MULTILINE)
_KEPT_NAMES = frozenset((*kwlist, *dir(builtins)))
_STRANGER = "_unread_cell"

# What decides where a statement ends: strings, comments, brackets, line ends.
_TOKEN = re.compile(
    r"""
    (?P<quotes>\"{3}|'{3})(?:\\.|(?!(?P=quotes)).)*(?:(?P=quotes)|\Z)
    | "(?:\\.|[^"\\\n])*"?
    | '(?:\\.|[^'\\\n])*'?
    | \#[^\n]*
    | [][(){}]
    | \\\n
    | \n
    """,
    re.VERBOSE | re.DOTALL,
)


def is_python(text: str) -> bool:
    """Whether a cell is Python to its end: no cell magic hands it to another program or language."""
    magic = _CELL_MAGIC.match(text)
    return magic is None or magic["name"] in _RUNS_PYTHON


def imported(text: str) -> set[str]:
    """The names in the import statements of a text that may be no Python."""
    return {name for line in _IMPORTED.findall(text) for name in _NAME.findall(line)}


def unknown(text: str, imports: Collection[str]) -> str:
    """A statement that stands for code which is not read: whatever that names, but imports, may be changed.

    Empty where it names nothing.
    """
    said = sorted(name for name in set(_NAME.findall(text)) - _KEPT_NAMES if name.isidentifier())
    targets = "".join(f"{name} = " for name in said if name not in imports)
    return f"{targets}{_STRANGER}({', '.join(said)})" if said else ""


def replacements(text: str, imports: Collection[str] = ()) -> dict[int, str]:
    """The lines of a cell that are IPython's, counted from 1, and what stands for each.

    A line alone becomes `pass`, what is assigned becomes `...`, and the lines that a backslash adds to a
    magic become empty. A statement that a magic runs becomes `unknown`. A `%` or `!` inside a string, a
    comment or brackets is Python's own.
    """
    found: dict[int, str] = {}
    at, number = 0, 1
    while at < len(text):
        line = _line(text, at)
        standing = _standing(line, imports)
        if standing is None:
            end = _end_of_statement(text, at)
            number += text.count("\n", at, end)
            at = end
            continue
        found[number] = standing
        while line.endswith("\\") and at + len(line) < len(text):
            at += len(line) + 1
            number += 1
            line = _line(text, at)
            found[number] = ""
        at += len(line) + 1
        number += 1
    return found


def _line(text: str, at: int) -> str:
    end = text.find("\n", at)
    return text[at : end if end >= 0 else len(text)]


def _standing(line: str, imports: Collection[str]) -> str | None:
    """What stands for a line that begins a statement; None where it is Python."""
    if _WHOLE.match(line):
        run = _RUNS_STATEMENT.match(line)
        indent = line[: len(line) - len(line.lstrip())]
        return indent + ((unknown(run[1], imports) if run else "") or _STATEMENT)
    assigned = _ASSIGNED.match(line)
    return assigned["kept"] + _VALUE if assigned else None


def _end_of_statement(text: str, at: int) -> int:
    depth = 0
    for token in _TOKEN.finditer(text, at):
        match token[0]:
            case "\n" if depth <= 0:
                return token.end()
            case "(" | "[" | "{":
                depth += 1
            case ")" | "]" | "}":
                depth -= 1
    return len(text)
