"""Modules that an object keeps in a list or dict beside their own names: which are in it, nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.constructs import Construct, Listed
from torchlint.flow.things import Instance, Module, Thing
from torchlint.tables.effects import effect

if TYPE_CHECKING:
    from torchlint.flow.classes import Classes
    from torchlint.flow.walk import Walk

_EMPTY = frozenset(("dict", "list"))


def others(walk: Walk, thing: Module) -> list[Thing]:
    """Where a module is an element of such a list or dict, the other modules of the object that holds it.

    What `self.models[name]` means may have a name as well: `self.net`.
    """
    path = _path(thing)
    if len(path) < 3 or path[2][:1] != "[" or path[1][:1] != ".":
        return []
    (owner,) = walk.now().names.get(path[0]) or (None,)
    if not isinstance(owner, Instance | Module) or owner.cls is None:
        return []
    values = walk.file.classes.attribute(owner.cls, path[1][1:])
    if not values or not all(_begins_empty(home, value) for home, value in values):
        return []
    held = (other for other, _ in walk.now().modules.items())
    return [other for other in held if _path(other)[:1] == path[:1] and _path(other)[1:2] != path[1:2]]


def _begins_empty(home: Classes, value: object) -> bool:
    """Whether an attribute is set to a list or dict that is filled later."""
    if not isinstance(value, Construct):
        return value == Listed()
    known = effect(home.imports.resolve(value.callee) or "")
    return value.callee in _EMPTY or (known is not None and known.kind == "dict")


def _path(thing: Thing) -> tuple[str, ...]:
    key = thing.key
    return key[1] if isinstance(key, tuple) and len(key) == 2 and key[0] == "entry" else ()
