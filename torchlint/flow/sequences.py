"""What runs over elements gives: ranges, lists, pairs, the values of a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.arguments import Arguments
from torchlint.flow.rounds import MOST_ROUNDS
from torchlint.flow.things import NOTHING, Container, Plain, Tensor, Thing, Value, constant_of

if TYPE_CHECKING:
    from torchlint.flow.calls import Calls
    from torchlint.flow.places import Places
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk


class Sequences:
    """What the iterations of one walk run over."""

    def __init__(self, walk: Walk, places: Places, values: Values, calls: Calls) -> None:
        self._walk = walk
        self._places = places
        self._values = values
        self._calls = calls

    def each(self, detail: str, arguments: Arguments, node: cst.Call) -> Value:
        """What range, list, map, filter, enumerate, zip and their like give, as effects.tsv names it."""
        walk = self._walk
        exact = self._exactly(detail, arguments, node)
        if exact is not None:
            return exact
        if detail == "numbers":
            listed = walk.things.make(Container, (node, "numbers"), "", kind="list")
            walk.state = walk.now().with_slot(listed, "[*]", walk.things.scalar(Plain.NUMBER))
            return frozenset((listed,))
        if detail == "same":
            return arguments.positional[0] if arguments.positional else walk.unknown(node)
        listed = walk.things.make(Container, (node, "each"), "", kind="list")
        walk.state = walk.now().with_slots(listed, {})  # another one each time
        if detail == "list":
            if not arguments.positional:
                return frozenset((listed,))
            element = self._values.element(arguments.positional[0], node)
        elif detail in ("map", "filter"):
            inner = (
                self._values.element(arguments.positional[1], node)
                if len(arguments.positional) > 1
                else NOTHING
            )
            self._calls.invoke(arguments.positional[0], Arguments((inner,)), node)
            element = inner if detail == "filter" else walk.unknown(node, role="mapped")
        else:
            values = [self._values.element(value, node) for value in arguments.positional]
            if detail == "enumerate":
                values = [walk.things.scalar(Plain.NUMBER), *values[:1]]
            row = walk.things.make(Container, (node, "row"), "", kind="tuple")
            for number, value in enumerate(values):
                walk.state = walk.now().with_slot(row, f"[{number}]", value)
            element = frozenset((row,))
        if walk.state is not None:
            known = any("[0]" in walk.now().slots(thing) for value in arguments.positional for thing in value)
            walk.state = walk.now().with_slot(listed, "[0]" if known else "[*]", element)
        return frozenset((listed,))

    def _exactly(self, detail: str, arguments: Arguments, node: cst.Call) -> Value | None:
        """range, list, enumerate and zip of what is known element by element."""
        walk = self._walk
        rows: list[Value] = []
        if detail == "numbers":
            bounds = [constant_of(value) for value in arguments.positional]
            given = [bound for bound in bounds if isinstance(bound, int)]
            if not given or len(given) < len(bounds) or 0 in given[2:]:
                return None
            numbers = range(*given)
            if len(numbers) > MOST_ROUNDS:
                return None
            rows = [walk.things.scalar(Plain.NUMBER, constant=number) for number in numbers]
        elif detail in ("list", "enumerate", "zip"):
            columns: list[list[Value]] = []
            for value in arguments.positional:
                held = [thing for thing in value if isinstance(thing, Container)]
                length = self._places.length(held[0]) if len(held) == len(value) == 1 else None
                if length is None:
                    return None
                columns.append([self._places.element(held[0], f"[{number}]") for number in range(length)])
            if detail == "list" and columns:
                rows = columns[0]
            elif columns:
                if detail == "enumerate":
                    numbers = range(len(columns[0]))
                    columns = [
                        [walk.things.scalar(Plain.NUMBER, constant=number) for number in numbers],
                        columns[0],
                    ]
                for number, parts in enumerate(zip(*columns, strict=False)):
                    row = walk.things.make(Container, (node, "row", number), "", kind="tuple")
                    for place, part in enumerate(parts):
                        walk.state = walk.now().with_slot(row, f"[{place}]", part)
                    rows.append(frozenset((row,)))
        else:
            return None
        return self._values.displays.list_of(rows, node)

    def each_of(self, detail: str, thing: Thing, node: cst.Call) -> Value:
        """What the keys, values or items of a mapping or module are."""
        walk = self._walk
        if detail == "numbers":
            return walk.things.scalar(Plain.TEXT)
        slots = {slot: value for slot, value in walk.now().slots(thing).items() if slot.startswith("[")}
        if isinstance(thing, Container) and slots and "[*]" not in slots:
            rows: list[Value] = []
            for slot, value in slots.items():
                row = walk.things.make(Container, (node, "item", slot), "", kind="tuple")
                if detail == "items":
                    state = walk.now().with_slot(row, "[0]", walk.things.scalar(Plain.TEXT))
                    walk.state = state.with_slot(row, "[1]", value)
                rows.append(frozenset((row,)) if detail == "items" else value)
            return self._values.displays.list_of(rows, node)
        if isinstance(thing, Tensor) and not thing.several:
            element = walk.unknown(node)  # no tensor has such a method, so it is none where this line is met
        else:
            element = self._values.element(frozenset((thing,)), node)
        known = any(slot[0] == "[" and slot != "[*]" for slot in walk.now().slots(thing))
        return self.listed(element, node, named=detail == "items", some=known)

    def listed(self, element: Value, node: cst.CSTNode, *, named: bool, some: bool = False) -> Value:
        """A list of one kind of element, with `some` not empty; with `named`, of pairs with a name."""
        walk = self._walk
        listed = walk.things.make(Container, (node, "listed"), "", kind="list")
        if named:
            pair = walk.things.make(Container, (node, "pair"), "", kind="tuple")
            state = walk.now().with_slot(pair, "[0]", walk.things.scalar(Plain.TEXT))
            walk.state = state.with_slot(pair, "[1]", element)
            element = frozenset((pair,))
        walk.state = walk.now().with_slot(listed, "[0]" if some else "[*]", element)
        return frozenset((listed,))
