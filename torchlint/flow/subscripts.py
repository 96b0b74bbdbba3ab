"""Indices and slices: which element they name, and what they make of tensors, lists and unknown things."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.arguments import Arguments
from torchlint.flow.memory import slice_of
from torchlint.flow.things import (
    NOTHING,
    Container,
    Instance,
    Module,
    Opaque,
    Plain,
    Scalar,
    Tensor,
    Value,
)
from torchlint.flow.walk import tensors
from torchlint.tables import op

if TYPE_CHECKING:
    from torchlint.flow.autograd import Autograd
    from torchlint.flow.places import Places
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk


class Subscripts:
    """The subscripts of one walk."""

    def __init__(self, walk: Walk, autograd: Autograd, places: Places, values: Values) -> None:
        self._walk = walk
        self._autograd = autograd
        self._places = places
        self._values = values

    def evaluate(self, node: cst.Subscript) -> Value:
        """The value of an index or slice; the state moves on."""
        walk = self._walk
        base = self._values.evaluate(node.value)
        slot, index = self.index(node)
        found: list[Value] = []
        for thing in base:
            match thing:
                case Container() if isinstance(node.slice[0].slice, cst.Slice):
                    found.append(self._sliced(thing, node))
                case Container():
                    found.append(self._places.element(thing, slot))
                case Tensor(several=True):
                    found.append(self._places.part(thing, slot[2:-2], node, several=True))
                case Tensor():
                    getitem = op("getitem")
                    assert getitem is not None
                    arguments = Arguments.of(frozenset((thing,)), index)
                    found.append(self._autograd.apply(getitem, arguments, node, method=True))
                case Opaque() | Module() | Instance():
                    held = self._places.slot(thing, self._key(node) if slot == "[*]" else slot)
                    self._carry_on(held, index)
                    found.append(held)
                case Scalar():
                    found.append(walk.things.scalar(thing.kind, reads=thing.reads))
        return walk.widen(found, node) or walk.unknown(node)

    def _carry_on(self, held: Value, index: Value) -> None:
        """What is chosen by a tensor of a region that is over: its graph would have to save that one."""
        walk = self._walk
        regions = walk.regions_of(tensors(index)) - walk.now().born
        for thing in tensors(held) if regions else ():
            walk.mark_born(thing, regions)

    def _sliced(self, thing: Container, node: cst.Subscript) -> Value:
        """A slice of a list: a list of its own, with the same elements."""
        walk = self._walk
        made = walk.things.make(Container, (node, "slice", thing.serial), "", kind=thing.kind)
        length = self._places.length(thing)
        bounds = slice_of(node)
        slots: dict[str, Value] = {"[*]": self._places.element(thing, "[*]")}
        if length is not None and bounds is not None:
            taken = range(length)[bounds]
            slots = {
                f"[{place}]": self._places.element(thing, f"[{number}]") for place, number in enumerate(taken)
            }
        walk.state = walk.now().with_slots(made, slots)
        return frozenset((made,))

    def _key(self, node: cst.Subscript) -> str:
        """The slot of an index that is a name: another name is mostly another element."""
        element = node.slice[0].slice
        if (
            len(node.slice) == 1
            and isinstance(element, cst.Index)
            and isinstance(element.value, cst.Name | cst.Attribute)
        ):
            return f"[{self._walk.text(element.value)}]"
        return "[*]"

    def index(self, node: cst.Subscript) -> tuple[str, Value]:
        """The slot of a constant index, and the index as a value: plain where it takes a view."""
        slot, values, basic = "[*]", [], True
        for element in node.slice:
            part = element.slice
            if isinstance(part, cst.Slice):
                for bound in (part.lower, part.upper, part.step):
                    if bound is not None:
                        self._values.evaluate(bound)
                continue
            if not isinstance(part, cst.Index):
                continue
            value = self._values.evaluate(part.value)
            values.append(value)
            basic = basic and not any(isinstance(thing, Tensor | Opaque | Container) for thing in value)
            if len(node.slice) == 1:
                constant = next((thing.constant for thing in value if isinstance(thing, Scalar)), None)
                if constant is not None and len(value) == 1:
                    slot = f"[{constant!r}]"
        index = NOTHING.union(*values)
        return slot, self._walk.things.scalar(Plain.OTHER) if basic else index
