"""All calls of one operation: functions, methods, operators, aliases and in-place variants under one name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from measuring.operations import calls
from measuring.operations.binding import signatures
from measuring.operations.names import APART, deprecated_spellings, documented_aliases, table_name

OWN = {"detach_"}
"""In-place names that are no twin of the plain name: `detach_` cuts the graph of its argument."""


@dataclass(slots=True)
class Group:
    """All calls of one operation."""

    entries: list[Any]
    lines: list[str]


@cache
def groups() -> dict[str, Group]:
    """Table name -> where its calls are found; in-place variants are with the plain operation."""
    found = {name: Group(entries, []) for name, entries in calls.database().items()}
    apart: dict[str, list[str]] = {}
    for line in calls.lines():
        name = canonical(table_name(calls.from_line(line).dotted))
        apart.setdefault(name, []).append(line)
    for name in sorted(apart, key=lambda name: name.endswith("_")):
        twin = plain_twin(name) if name.endswith("_") and not name.endswith("__") else None
        if twin is None or twin not in found:
            twin = name
        found.setdefault(twin, Group([], [])).lines += apart[name]
    return found


@cache
def aliases() -> dict[str, str]:
    """Alias -> operation: as torch's operator database says, then as its docstrings say."""
    database = calls.database()
    found: dict[str, str] = {}
    for name, entries in database.items():
        for entry in entries:
            for alias in entry.aliases:
                short = table_name(f"torch.{alias.name}")
                if short not in database:
                    found.setdefault(short, name)
    for alias, target in {**documented_aliases(), **deprecated_spellings()}.items():
        target = found.get(target, target)
        if alias not in database and alias != target:
            found.setdefault(alias, target)
    return found


def canonical(name: str) -> str:
    """The operation behind an alias; `clip_` is `clamp_`."""
    if name in aliases():
        return aliases()[name]
    plain = name.removesuffix("_")
    if plain == name or plain not in aliases():
        return name
    return f"{aliases()[plain].removesuffix('_')}_"


def plain_twin(name: str) -> str | None:
    """The operation that does the same without writing: `exp` for `exp_`; None for `zero_`."""
    plain = name.removesuffix("_")
    if name in OWN or name in APART.values():
        return None
    orders = {signature.names for signature in signatures(name)}
    twins = {tuple(part for part in found.names if part != "inplace") for found in signatures(plain)}
    return plain if orders & twins else None
