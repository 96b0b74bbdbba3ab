"""Reading a table, and the cells that the tables have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TypeAlias


class Given(Enum):
    """An argument of a call that is not written as a literal."""

    TENSOR = "tensor"
    PLAIN = "plain"  # it holds no tensor: a number, a slice, None in an index, a tuple of these
    ANYTHING = "anything"


Argument: TypeAlias = Given | str | int | float | bool | tuple["Argument", ...] | None
"""A literal stands for itself, `Given` for everything else."""


class Saves(Enum):
    """Whether backward needs the result itself."""

    NO = "no"
    SOMETIMES = "sometimes"
    YES = "yes"

    def made_uncertain(self) -> Saves:
        """The same, when something not in the table may change it."""
        return Saves.NO if self is Saves.NO else Saves.SOMETIMES


@dataclass(frozen=True, slots=True)
class Saved:
    """An argument that backward needs unchanged, once the result requires grad."""

    arg: str
    when: tuple[str, ...] = ()
    """Only if one of these arguments requires grad; empty: in any case."""
    sometimes: bool = False
    """It depends on shape, value or keywords too."""
    unnoticed: bool = False
    """It is saved without its version: backward never notices a write."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The arguments of a callable. The last of `args` takes all that follow when it is variadic."""

    args: tuple[str, ...]
    keywords: tuple[str, ...]
    variadic: bool
    defaults: tuple[tuple[str, str], ...]


@cache
def read(filename: str) -> tuple[list[str], ...]:
    """The cells of every row, without the comment lines and the line of column names."""
    text = Path(__file__).with_name(filename).read_text("utf-8")
    lines = [line for line in text.split("\n") if line and line[0] != "#"]
    return tuple(line.split("\t") for line in lines[1:])


def parts(cell: str) -> list[str]:
    """The members of a list cell; `-` is the empty list."""
    return [] if cell == "-" else cell.split(",")


def saved(cell: str) -> tuple[Saved, ...]:
    """`input?other|weight~,mask`: input if other or weight requires grad, and not always; mask."""
    return tuple(_saved(part) for part in parts(cell))


def verdict(cell: str) -> tuple[Saves, tuple[int, ...]]:
    """`yes`, `no`, `sometimes` or `yes:0,1`: only these outputs of a tuple."""
    word, _, outputs = cell.partition(":")
    return Saves(word), numbers(outputs)


def numbers(cell: str) -> tuple[int, ...]:
    """`0,1`; empty and `*` mean all and give the empty tuple."""
    return () if cell in ("", "*") else tuple(int(number) for number in cell.split(","))


def signature(cell: str) -> Signature:
    """Names as in Python: `input,*size,dtype`, `input,*,out`, `p=0.5,inplace=False`; `**` says nothing."""
    args: list[str] = []
    keywords: list[str] = []
    defaults: list[tuple[str, str]] = []
    into, variadic = args, False
    for part in parts(cell):
        name, equals, default = part.partition("=")
        if name.startswith("**"):
            continue
        if name.startswith("*"):
            if name != "*":
                args.append(name[1:])
                variadic = True
            into = keywords
            continue
        into.append(name)
        if equals:
            defaults.append((name, default))
    return Signature(tuple(args), tuple(keywords), variadic, tuple(defaults))


_SAVED = re.compile(r"(\w+)(?:\?([\w|]+))?([~!]?)")


def _saved(part: str) -> Saved:
    match = _SAVED.fullmatch(part)
    assert match is not None, part
    arg, when, mark = match.groups()
    return Saved(arg, tuple(when.split("|")) if when else (), mark == "~", mark == "!")
