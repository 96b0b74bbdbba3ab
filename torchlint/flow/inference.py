"""Tensors that are made under inference_mode, and what torch refuses to do with them where it is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.domain import Grad, GradMode, Misuse
from torchlint.flow.events import Asked, InferenceTensorUsed, Origin, Region
from torchlint.flow.things import Container, Instance, Module, Opaque, Tensor, Thing, Value
from torchlint.flow.walk import tensors
from torchlint.tables import Op, Result, View
from torchlint.tables.effects import says

if TYPE_CHECKING:
    from torchlint.flow.walk import Walk

Origins = frozenset[Origin]
NORMAL: Origins = frozenset()


class Inference:
    """The inference tensors of one walk: where they come from, and where they must not go."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._tensors: set[Thing] = set()  # what is no number or array, whatever it was computed from

    def here(self, node: cst.CSTNode) -> Origins:
        """The origin of a tensor that is made at a node, where inference_mode is on or callers know."""
        (region, *others) = self._walk.now().around.inferring or (None,)
        if region is None or others:
            return NORMAL
        return frozenset((Origin(self._walk.site(node), region),))

    def of_call(self, callee: Origins, node: cst.CSTNode) -> Origins:
        """The origins here of what a function made that is not played: in a region of its own, or in ours."""
        here = self.here(node)
        if not here and not _are_sure(callee):
            return NORMAL
        own = (origin for origin in callee if origin.region is not Asked.CALLERS)
        found = frozenset(replace(origin, site=self._walk.site(node)) for origin in own)
        return found if _are_sure(callee) else found | here

    def of(self, things: Iterable[Thing]) -> Origins:
        """The origins of all of these, where each is an inference tensor."""
        found = [self._walk.now().tensor(thing).inference for thing in things]
        return NORMAL.union(*found) if all(found) else NORMAL

    def of_result(
        self, op: Op, first: Value, operands: list[Thing], node: cst.CSTNode, *, method: bool
    ) -> Origins:
        """The origins of what an operation returns: a view has those of its base, a new tensor this node."""
        inside, base = self.here(node), self.of(tensors(first))
        if op.result is Result.CUT:
            return (
                base
                if inside and _are_sure(inside)
                else frozenset(replace(origin, apart=True) for origin in base)
            )
        if op.view in (View.VIEW, View.MULTI):
            return base
        if op.result is Result.FRESH:
            return inside
        if op.view is View.NEVER:
            return inside if self._is_surely_made(operands, node, method=method) else NORMAL
        return inside if base else NORMAL  # it may be its operand itself, or a copy

    def known(self, value: Value, operands: list[Thing], node: cst.CSTNode, *, method: bool) -> Value:
        """Remember that a value is made of tensors, and not of numbers that only look like them."""
        if self._is_surely_made(operands, node, method=method):
            for thing in value:
                inner = self._walk.now().slots(thing).values() if isinstance(thing, Container) else ()
                self._tensors.update((thing, *(part for held in inner for part in held)))
        return value

    def saved(self, value: Value, node: cst.CSTNode) -> None:
        """An operation that is recorded surely saves this for backward."""
        walk = self._walk
        mode = walk.now().grad_mode
        for thing in self._certain(value):
            if not self.is_within((thing,)):
                continue
            walk.records.asks_grad_mode |= GradMode.CALLER in mode
            walk.records.eventful = True
            if self._grads_are_on() and not walk.now().around.casting:
                self._refuse(thing, node, "", Misuse.SAVED)

    def written(self, target: Value, node: cst.CSTNode, place: str) -> None:
        """Something is written in place, with gradients or without."""
        for thing in target if len(target) == 1 else ():
            if not any(origin.apart for origin in self._walk.now().tensor(thing).inference):
                self._refuse(thing, node, place, Misuse.WRITTEN)

    def given(self, value: Value, node: cst.CSTNode, misuse: Misuse) -> None:
        """Something shall require grad, or become a part of a module."""
        for thing in value if len(value) == 1 else ():
            self._refuse(thing, node, "", misuse)

    def is_within(self, things: Iterable[Thing]) -> bool:
        """Whether any of these is an inference tensor."""
        known = (self._walk.now().tensor(thing).inference for thing in things)
        return any(origins and _are_sure(origins) for origins in known)

    def requires(self, things: Iterable[Thing]) -> bool:
        """Whether one of these requires grad, and is not only a part of something that does."""
        facts = [self._walk.now().tensor(thing) for thing in things]
        return any(item.grad is Grad.YES and not item.guessed for item in facts)

    def doubt(self, holder: Thing) -> None:
        """A method of an object was called: what its attributes hold is sure only if methods agree."""
        walk = self._walk
        if not isinstance(holder, Module | Instance) or holder.cls is None:
            return
        for slot, value in walk.now().slots(holder).items():
            doubtful = [thing for thing in value if walk.now().tensor(thing).inference]
            if doubtful and not walk.file.classes.inference(holder.cls, slot[1:]):
                for thing in doubtful:
                    facts = replace(walk.now().tensor(thing), inference=NORMAL)
                    walk.state = walk.now().with_tensor(thing, facts)

    def _refuse(self, thing: Thing, node: cst.CSTNode, place: str, misuse: Misuse) -> None:
        walk = self._walk
        state = walk.now()
        origins = state.tensor(thing).inference
        regions = {origin.region for origin in origins}
        if not origins or not _are_sure(origins):
            return
        walk.records.eventful = walk.records.asks_grad_mode = True
        if state.around.inferring != {None} or state.around.expecting:
            return
        origin = min(origins, key=lambda one: one.site.serial)
        used, made = walk.site(node), origin.site
        held = thing.place if isinstance(thing, Tensor) and thing.holder is not None else ""
        place = place or self._name(thing) or held or " ".join(made.unit.text(made.node).split())
        depth = len(used.calls)
        if depth and made.calls[:depth] == used.calls:
            # One function does both, or calls what makes it: that is where it has to be mended.
            inner = made.calls[depth] if len(made.calls) > depth else made.node
            used, made = walk.own(used), walk.own(replace(used, node=inner, label=""))
        else:
            place = walk.place(thing, place)
        assert isinstance(origin.region, Region)
        walk.tell(InferenceTensorUsed(used, place, misuse, made, origin.region, sole=len(regions) == 1))

    def _grads_are_on(self) -> bool:
        walk = self._walk
        if walk.grads_are_on():
            return True
        name = walk.unit.name.rpartition(".")[2]
        return walk.now().grad_mode.surely_on and "training" in says("function", name)

    def _name(self, thing: Thing) -> str:
        """A name of the unit, or of the function that is called, that holds this and nothing else."""
        names = self._walk.now().names.items()
        return min((name for name, value in names if value == {thing}), default="")

    def _certain(self, value: Value) -> list[Thing]:
        """The tensors that are surely in a value: not those of several that may stand there."""
        found: list[Thing] = []
        for thing in value if len(value) == 1 else ():
            if isinstance(thing, Tensor | Opaque):
                found.append(thing)
            elif isinstance(thing, Container):
                slots = self._walk.now().slots(thing)
                found.extend(
                    part
                    for slot, held in slots.items()
                    if slot[1:-1].isdigit()
                    for part in self._certain(held)
                )
        return found

    def _is_surely_made(self, operands: list[Thing], node: cst.CSTNode, *, method: bool) -> bool:
        """Whether an operation gives tensors: a function of torch does, `a * b` where one of them is one.

        So does a method that is told a `dim`: those of arrays and tables call it axis.
        """
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            keywords = {arg.keyword.value for arg in node.args if arg.keyword is not None}
            return not method or "dim" in keywords or any(self._is_tensor(thing) for thing in operands)
        return any(self._is_tensor(thing) for thing in operands)

    def _is_tensor(self, thing: Thing) -> bool:
        if thing in self._tensors or self._walk.now().tensor(thing).inference:
            return True
        return isinstance(thing, Tensor) and (thing.leaf or thing.holder is not None)


def _are_sure(origins: Origins) -> bool:
    """Whether what has these is an inference tensor whoever calls."""
    return all(origin.region is not Asked.CALLERS for origin in origins)
