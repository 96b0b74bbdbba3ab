"""Loops with few rounds that are known one by one: what each round binds, and where that may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.things import Container, Value

if TYPE_CHECKING:
    from torchlint.flow.places import Places
    from torchlint.flow.walk import Walk

MOST_ROUNDS = 4  # more are walked until nothing changes
_DEEPEST = 2  # loops in one another that are played round by round
_LEAVING = (cst.Break, cst.Continue, cst.Return, cst.Raise)


class Rounds:
    """The rounds of the loops of one walk."""

    def __init__(self, walk: Walk, places: Places) -> None:
        self._walk = walk
        self._places = places
        self._straight: dict[cst.CSTNode, bool] = {}

    def of(self, iterable: Value) -> list[Value] | None:
        """What each round of an iteration binds; None where that is not known, or too much."""
        walk = self._walk
        if walk.state is None or walk.round_depth >= _DEEPEST or len(iterable) != 1:
            return None
        (thing,) = iterable
        if not isinstance(thing, Container):
            return None
        length = self._places.length(thing)
        if length is None or not 0 < length <= MOST_ROUNDS:
            return None
        return [self._places.element(thing, f"[{number}]") for number in range(length)]

    def is_straight(self, body: cst.BaseSuite) -> bool:
        """Whether every round of a loop comes to the end of its body."""
        known = self._straight.get(body)
        if known is None:
            finder = _Finder()
            body.visit(finder)
            known = self._straight[body] = not finder.found
        return known


class _Finder(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.found |= isinstance(node, _LEAVING)
        return not self.found and not isinstance(node, cst.BaseExpression)
