"""Rows of effects.tsv: names that the engine gives a meaning, and words that names say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache

from torchlint.tables.rows import read


@dataclass(frozen=True, slots=True)
class Effect:
    """What a call of a name does; `detail` is None where the effect needs none."""

    kind: str
    detail: str | None


@dataclass(frozen=True, slots=True)
class OwnNames:
    """The rows of one user, beside the table: functions that log what they are given, that put the modules
    they are given in evaluation mode, and that return a module in evaluation mode.

    Spelled as in the table; a name without a dot is a function of that name, wherever it comes from.
    """

    logs: tuple[str, ...] = ()
    evaluates: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()

    @contextmanager
    def known(self) -> Iterator[None]:
        """While it lasts, and in this thread alone, the table is asked with these rows beside it."""
        before = _own.set(_own_rows(self) if self.logs or self.evaluates or self.loads else None)
        try:
            yield
        finally:
            _own.reset(before)


NO_NAMES = OwnNames()
# The table is asked from everywhere in a walk, also where nobody knows of which run it is part.
_own: ContextVar[dict[str, Effect] | None] = ContextVar("own names", default=None)


def effect(name: str) -> Effect | None:
    """The effect of a dotted name or of a method (`.eval`); a package's row covers what is in it."""
    own = _own.get()
    return _known(name) if own is None else _found(own, name) or _known(name)


def own_effect(*names: str) -> Effect | None:
    """What the user says of the first of these names that has a row; `*.name` is any with this last part."""
    own = _own.get()
    if own is None:
        return None
    return next((found for name in names if (found := _found(own, name)) is not None), None)


def has_own_names() -> bool:
    """Whether the user has said anything of any name."""
    return _own.get() is not None


@cache
def _known(name: str) -> Effect | None:
    return _found(_rows(), name)


def _found(rows: dict[str, Effect], name: str) -> Effect | None:
    found = rows.get(name)
    package = name
    while found is None and "." in package[1:]:
        package = package.rpartition(".")[0]
        found = rows.get(f"{package}.*")
    if found is None and not name.startswith("."):
        found = rows.get(name.rpartition(".")[2])  # only users write names without a dot
    return found


@lru_cache(maxsize=16)
def _own_rows(names: OwnNames) -> dict[str, Effect]:
    rows = {
        **dict.fromkeys(names.logs, Effect("log", None)),
        **dict.fromkeys(names.evaluates, Effect("evaluates", None)),
        **dict.fromkeys(names.loads, Effect("loader", "eval")),
    }
    # For who sees a call and not what its name stands for: the last part alone, behind a star.
    return {f"*.{name.rpartition('.')[2]}": row for name, row in rows.items() if name[-1] != "*"} | rows


@cache
def says(what: str, name: str) -> frozenset[str]:
    """What the name of a `function`, `place`, `callee`, `base` or `dtype` says of itself: {"evaluation"}."""
    words = _snake(name)
    return frozenset(kind for kind, pattern in _patterns(what) if pattern.search(words))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower() if name != name.lower() else name


@cache
def _rows() -> dict[str, Effect]:
    return {
        name: Effect(kind, None if detail == "-" else detail)
        for name, kind, detail, _ in read("effects.tsv")
        if name[0] != "?"
    }


@cache
def _patterns(what: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (kind, re.compile(pattern)) for name, kind, pattern, _ in read("effects.tsv") if name == f"?{what}"
    )
