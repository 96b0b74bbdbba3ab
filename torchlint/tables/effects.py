"""Rows of effects.tsv: names that the engine gives a meaning, and words that names say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from torchlint.tables.rows import read


@dataclass(frozen=True, slots=True)
class Effect:
    """What a call of a name does; `detail` is None where the effect needs none."""

    kind: str
    detail: str | None


@cache
def effect(name: str) -> Effect | None:
    """The effect of a dotted name or of a method (`.eval`); a package's row covers what is in it."""
    rows = _rows()
    found = rows.get(name)
    package = name
    while found is None and "." in package[1:]:
        package = package.rpartition(".")[0]
        found = rows.get(f"{package}.*")
    return found


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
