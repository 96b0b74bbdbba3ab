"""Displays and comprehensions: the containers that a unit makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.things import NOTHING, Container, Scalar, Value

if TYPE_CHECKING:
    from torchlint.flow.interpreter import Interpreter
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk


class Displays:
    """The containers of one walk."""

    def __init__(self, walk: Walk, values: Values) -> None:
        self._walk = walk
        self._values = values
        self.interpreter: Interpreter

    def comprehension(self, node: cst.ListComp | cst.SetComp | cst.GeneratorExp | cst.DictComp) -> Value:
        """Its loop, rehearsed and played; a container of what its rounds give."""
        walk = self._walk
        made = walk.things.make(Container, (node, "made"), "", kind="list")
        walk.state = walk.now().with_slots(made, {})
        clause = node.for_in
        if not isinstance(node, cst.DictComp) and not clause.ifs and clause.inner_for_in is None:
            exact = self._exactly(node, node.elt, clause)
            if exact is not None:
                return exact

        def body() -> None:
            if isinstance(node, cst.DictComp):
                self._values.evaluate(node.key)
                value = self._values.evaluate(node.value)
            else:
                value = self._values.evaluate(node.elt)
            if walk.state is not None:
                known = walk.now().slots(made).get("[*]", NOTHING)
                joined = walk.widen((known, value), node)
                walk.state = walk.now().with_slot(made, "[*]", joined)

        self._generate(node.for_in, body)
        return frozenset((made,))

    def _exactly(
        self, node: cst.BaseExpression, element: cst.BaseExpression, clause: cst.CompFor
    ) -> Value | None:
        """A list made in few rounds: one slot a round."""
        walk = self._walk
        before = walk.state
        iterable = self._values.evaluate(clause.iter)
        rounds = self._values.rounds(iterable, None) if walk.state is not None else None
        if rounds is None:
            walk.state = before
            return None
        values: list[Value] = []

        def bind(value: Value) -> None:
            self._values.targets.assign(clause.target, value, None)

        def body() -> None:
            values.append(self._values.evaluate(element))

        def iterate() -> None:
            self.interpreter.iterate(
                lambda: bind(self._values.element(iterable, clause.iter)), body, at_least_once=True
            )

        self.interpreter.play_rounds(node, rounds, bind, body, iterate)
        return self.list_of(values[: len(rounds)], node)

    def list_of(self, values: Sequence[Value], node: cst.CSTNode) -> Value:
        """A list that holds these values, one slot each."""
        walk = self._walk
        made = walk.things.make(Container, (node, "exactly"), "", kind="list")
        if walk.state is not None:
            slots = {f"[{number}]": value for number, value in enumerate(values)}
            walk.state = walk.now().with_slots(made, slots)
        return frozenset((made,))

    def _generate(self, clause: cst.CompFor, body: Callable[[], None]) -> None:
        iterable = self._values.evaluate(clause.iter)

        def bind() -> None:
            self._values.targets.assign(clause.target, self._values.element(iterable, clause.iter), None)
            for condition in clause.ifs:
                self._values.evaluate(condition.test)

        def inner() -> None:
            if clause.inner_for_in is not None:
                self._generate(clause.inner_for_in, body)
            else:
                body()

        sure = not clause.ifs and self._values.runs_at_least_once(clause.iter, iterable)
        self.interpreter.iterate(bind, inner, at_least_once=sure)

    def sequence(self, node: cst.Tuple | cst.List | cst.Set) -> Value:
        """A tuple, list or set: one slot an element."""
        made = self._walk.things.make(Container, (node, "made"), "", kind="list")
        self._walk.state = self._walk.now().with_slots(made, {})
        for number, element in enumerate(node.elements):
            value = self._values.evaluate(element.value)
            slot = f"[{number}]"
            if isinstance(element, cst.StarredElement):
                value, slot = self._values.element(value, element), "[*]"
            if self._walk.state is not None:
                held = self._walk.now().slots(made).get(slot, NOTHING)
                self._walk.state = self._walk.now().with_slot(made, slot, held | value)
        return frozenset((made,))

    def dict(self, node: cst.Dict) -> Value:
        """A dict: one slot a constant key, one for all others."""
        made = self._walk.things.make(Container, (node, "made"), "", kind="dict")
        self._walk.state = self._walk.now().with_slots(made, {})
        for element in node.elements:
            value = self._values.evaluate(element.value)
            slot = "[*]"
            if isinstance(element, cst.DictElement):
                for thing in self._values.evaluate(element.key):
                    if isinstance(thing, Scalar) and thing.constant is not None:
                        slot = f"[{thing.constant!r}]"
            else:
                value = self._values.element(value, element)
            if self._walk.state is not None:
                known = self._walk.now().slots(made).get(slot, NOTHING) if slot == "[*]" else NOTHING
                self._walk.state = self._walk.now().with_slot(made, slot, known | value)
        return frozenset((made,))
