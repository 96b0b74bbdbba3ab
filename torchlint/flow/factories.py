"""What makes modules when it is called: classes that are handed over, though their names say module.

`net = encoder(**options).eval()` shows that `encoder` is no module, wherever it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.flow.things import Module, Thing, Value

if TYPE_CHECKING:
    from torchlint.flow.walk import Walk


def gave(walk: Walk, module: Module, value: Value) -> None:
    """What is taken for a module has given a value; where its class is known, it is one."""
    if module.cls is None and module.built is None:
        walk.makers.update(dict.fromkeys(value, module))


def moved(walk: Walk, thing: Thing, value: Value) -> None:
    """A value is the same as a thing, moved or cast."""
    if thing in walk.makers:
        walk.makers.update(dict.fromkeys(value, walk.makers[thing]))


def believe(walk: Walk, thing: Thing) -> None:
    """A thing has a method that only modules have: what gave it is a class, as the next walk knows."""
    if thing in walk.makers:
        walk.evidence.factories.add(walk.makers[thing].key)
