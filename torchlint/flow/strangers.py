"""The policy for calls of strangers, which decides most false alarms.

A stranger changes no mode unless its name says so, keeps nothing that it is given unless it
stands alone as a statement, calls what it is handed, and returns something unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow import resuming
from torchlint.flow.arguments import Arguments
from torchlint.flow.domain import Grad, Mode
from torchlint.flow.events import GIVEN_AWAY, Computed, Escaped, Logged, Region, Touched
from torchlint.flow.leaving import leave
from torchlint.flow.running import is_module_like
from torchlint.flow.state import TensorFacts
from torchlint.flow.things import NOTHING, Closure, Module, Opaque, Thing, Value
from torchlint.flow.walk import path_of, tensors
from torchlint.tables.effects import says

if TYPE_CHECKING:
    from torchlint.flow.calls import Calls
    from torchlint.flow.places import Places
    from torchlint.flow.walk import Walk


def _is_module(thing: Thing) -> bool:
    return isinstance(thing, Module) or is_module_like(thing)


def _is_of_module(thing: Thing) -> bool:
    """Whether a thing is a module, or a part of one."""
    part: Thing | None = thing
    while isinstance(part, Opaque) and not _is_module(part):
        part = part.parent
    return part is not None and _is_module(part)


class Strangers:
    """The calls of strangers in one walk."""

    def __init__(self, walk: Walk, places: Places, calls: Calls) -> None:
        self._walk = walk
        self._places = places
        self._calls = calls

    def call(
        self,
        name: str,
        arguments: Arguments,
        node: cst.Call,
        *,
        discarded: bool,
        receiver: Value = NOTHING,
    ) -> Value:
        """A call of something that neither the tables nor the source know."""
        walk = self._walk
        last = name.rpartition(".")[2]
        words = says("callee", last)
        reads = frozenset().union(*(self._places.reads_within(value) for value in arguments.all()))
        if reads and "log" in words:
            walk.tell(Logged(walk.site(node), reads))
        if "mode" in words:
            for value in (receiver, *arguments.all()):
                for thing in value:
                    if isinstance(thing, Module):
                        walk.set_mode(thing, Mode.UNKNOWN, None)
        if walk.now().regions and "log" not in words:
            walk.tell(Touched(walk.now().born))
        handed = [thing for value in arguments.all() for thing in walk.tensors_within(value)]
        operands = [*handed, *tensors(receiver)]
        if "gradient" in words:
            walk.records.trains = True
            leave(walk, operands, node)
        elif "log" not in words:
            leave(walk, operands, node, lent=True)
        carried: frozenset[Region] = frozenset()
        if "log" not in words:
            carried = self._hand_over(name, receiver, arguments, handed, node, discarded=discarded)
        if discarded and "run" in words and any(map(_is_of_module, receiver)):
            self._calls.running.besides(node)
        for thing in (*receiver, *(thing for value in arguments.all() for thing in value)):
            resuming.use(walk, thing, node)
        given_modules = any(isinstance(thing, Module) for value in arguments.all() for thing in value)
        infers = given_modules or any(map(_is_module, receiver))
        walk.records.forwards |= infers and not discarded
        if walk.now().regions and not discarded and (handed or given_modules):
            # Whoever made the criterion: a loss that is computed without gradients is one to look at.
            evaluates = infers or "loss" in says("place", name)
            walk.tell(Computed(walk.now().born, walk.site(node), evaluates))
        for value in arguments.all():
            self._calls.closures.handed |= value
            self._calls.invoke(
                frozenset(thing for thing in value if isinstance(thing, Closure)), Arguments(), node
            )
        if walk.state is None:
            return NOTHING
        return self._returned_by_stranger(name, operands, receiver, node, carried)

    def _hand_over(
        self,
        name: str,
        receiver: Value,
        arguments: Arguments,
        handed: list[Thing],
        node: cst.Call,
        *,
        discarded: bool,
    ) -> frozenset[Region]:
        """Tell what gets away with the arguments; gives the regions whose tensors the result is made of.

        `handed` are the tensors in them.
        """
        walk = self._walk
        outside = walk.regions_of(handed) - walk.now().born
        if discarded:
            self._places.keep(NOTHING, NOTHING.union(*arguments.all()), node, anyway=True, lent=True)
        elif self._is_loss(name, receiver, handed):
            return outside
        if outside:
            walk.tell(Escaped(outside, walk.site(node), GIVEN_AWAY))
        return frozenset()

    def _is_loss(self, name: str, receiver: Value, handed: list[Thing]) -> bool:
        """Whether a call computes a loss of what it is given, none of which is known to carry a graph.

        What is trained here is believed to; so is what a module computes that holds the loss.
        """
        walk = self._walk
        holds = any(_is_module(thing) and path_of(thing) != ("self",) for thing in receiver)
        graphed = any(Grad.YES in walk.now().tensor(thing).grad for thing in handed)
        return "loss" in says("place", name) and not (holds or graphed or walk.evidence.trains)

    def _returned_by_stranger(
        self,
        name: str,
        operands: list[Thing],
        receiver: Value,
        node: cst.Call,
        carried: frozenset[Region],
    ) -> Value:
        walk = self._walk
        state = walk.now()
        facts = [state.tensor(thing) for thing in operands]
        value = walk.unknown(node, role="stranger")
        (thing,) = value
        if isinstance(thing, Module):
            return value
        known = walk.now().tensor(thing)
        modules = frozenset(item for item in receiver if isinstance(item, Module))
        # A loss, or a method of a module, carries on the graph of what it is given.
        carries = bool(modules) or "loss" in says("place", name)
        sure = carries and any(item.grad is Grad.YES for item in facts)
        graded = sure and not state.grad_mode.surely_off
        new = TensorFacts(
            Grad.YES if graded else known.grad,
            known.storages,
            known.nodes | frozenset((walk.site(node),)) if graded else known.nodes,
            born=known.born.union(carried, *(state.tensor(item).born for item in tensors(receiver))),
            sources=known.sources,
            modules=modules.union(*(item.modules for item in facts)),
            forwards=frozenset().union(*(item.forwards for item in facts)),
        )
        walk.state = walk.now().with_tensor(thing, new)
        for item in receiver:
            if isinstance(item, Module) and item.parameters is not False:
                self._calls.running.graphed(item, state.module(item), value, node, item.place)
        return value
