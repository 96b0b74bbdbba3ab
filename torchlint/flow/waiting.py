"""Reads that wait for a device, told at the end of a unit: those of each iteration of a training loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.devices import Devices
from torchlint.flow.domain import Device
from torchlint.flow.events import Awaited, Backward, Event, Site
from torchlint.flow.loops import (
    Around,
    Branch,
    Loop,
    branches_above,
    head,
    is_for_logs,
    is_needed,
    logging_interval,
    loops_around,
    statement_around,
)
from torchlint.flow.things import Dotted, Opaque, Optimizer, Tensor, Thing, Value
from torchlint.tables import op
from torchlint.tables.effects import effect, says

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlint.flow.arguments import Arguments
    from torchlint.flow.walk import Walk
    from torchlint.units import Unit

_READING = frozenset({"item", "tolist", "cpu", "numpy"})


@dataclass(frozen=True, slots=True)
class _Read:
    """A read of a tensor that may lie on a device."""

    site: Site
    place: str
    certain: bool
    inside: Site | None
    graded: bool  # gradients may be on there


class Waiting:
    """The reads of one walk, and the loops that train in it."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self.devices = Devices(walk)
        self._reads: dict[cst.CSTNode, list[_Read]] = {}  # by statement
        self._trained: dict[Loop, list[tuple[Site, frozenset[Branch]]]] = {}

    def called(self, target: Value, name: str, arguments: Arguments, node: cst.Call, value: Value) -> None:
        """A call has given a value: it may read a tensor, step, or move something."""
        if self._walk.state is None:
            return
        if name == "step" and not arguments.positional and self._steps(target, node):
            self._trains(self._walk.site(node))
        operation = op(name)
        if operation is not None and operation.name in (*_READING, "to") and not _stays(arguments):
            moved = operation.name != "to" or self._goes_back(arguments)
            if moved:
                self.read(target, node)
        for thing in target:
            if isinstance(thing, Dotted) and _converts(f"{thing.name}.{name}" if name else thing.name):
                for given in arguments.positional:
                    self.read(self._walk.tensors_within(given), node, sure=True)
        self.devices.called(target, name, arguments, node, value)

    def read(self, value: Iterable[Thing], node: cst.CSTNode, *, sure: bool = False) -> None:
        """Something is read of tensors; only of `sure` ones where it costs nothing of a number."""
        walk = self._walk
        if walk.state is None:
            return
        found = [
            self.devices.of(thing)
            for thing in value
            if isinstance(thing, Tensor) or (isinstance(thing, Opaque) and not sure)
        ]
        apart = [device for device in found if device.is_apart]
        if not apart:
            return
        walk.records.eventful = True
        if walk.rehearsing or self._is_now_and_then(node):
            return
        site = walk.site(node)
        statement = statement_around(site.told.unit, site.told.node)
        certain = all(device is Device.ACCELERATOR for device in found)
        inside = walk.own(site) if site.caller is not None else None
        graded = not walk.now().grad_mode.surely_off
        read = _Read(site, site.text, certain, inside, graded)
        self._reads.setdefault(statement, []).append(read)

    def hear(self, event: Event) -> None:
        """Backward trains in the loop around it."""
        if isinstance(event, Backward):
            self._trains(event.site)

    def tell(self) -> None:
        """Tell of each read that every iteration of a training loop makes, for a log alone."""
        for reads in self._reads.values() if self._trained else ():
            any(map(self._tell, reads))

    def _tell(self, read: _Read) -> bool:
        told = read.site.told
        if is_needed(told.unit, told.node):
            return False
        for depth, around in enumerate(loops_around(told.unit, told.node)):
            steps = self._trained.get(around.loop)
            if steps is not None and (depth == 0 or read.graded):
                return self._tell_of(read, around, steps)
        return False

    def _tell_of(self, read: _Read, around: Around, steps: list[tuple[Site, frozenset[Branch]]]) -> bool:
        if any(branch.counts for branch in around.branches):
            return False
        for trained, branches in steps:
            if around.branches <= branches:
                loop, interval = around.loop, logging_interval(around.loop)
                self._walk.tell(
                    Awaited(
                        read.site,
                        read.place,
                        read.certain,
                        self._walk.read(head(loop)),
                        trained,
                        self._walk.read(interval) if interval is not None else None,
                        read.inside,
                    )
                )
                return True
        return False

    def _trains(self, site: Site) -> None:
        told = site.told
        if not self._walk.rehearsing and not self._loops_inside(site.node):
            for around in loops_around(told.unit, told.node)[:1]:
                self._trained.setdefault(around.loop, []).append((site, around.branches))

    def _is_now_and_then(self, node: cst.CSTNode) -> bool:
        """Whether a function that is called reads for more than a log, or not each time that it is called."""
        calls = self._walk.calls
        if not calls:
            return False
        if not any(is_for_logs(call.node) for call in calls) or self._loops_inside(node):
            return True
        return any(branches_above(unit, one) for unit, one in self._inside(node))

    def _loops_inside(self, node: cst.CSTNode) -> bool:
        """Whether a node is reached in a loop of a function that is called."""
        return any(loops_around(unit, one) for unit, one in self._inside(node))

    def _inside(self, node: cst.CSTNode) -> list[tuple[Unit, cst.CSTNode]]:
        """The way to a node through the functions that are called."""
        calls = self._walk.calls
        return [
            (call.unit, inner.node if inner is not None else node)
            for call, inner in zip(calls, [*calls[1:], None], strict=False)
        ]

    def _steps(self, target: Value, node: cst.Call) -> bool:
        """Whether it is the step of an optimizer; schedulers and environments step as well."""
        if any(isinstance(thing, Optimizer) for thing in target):
            return True
        assert isinstance(node.func, cst.Attribute)
        return "optimizer" in says("place", self._walk.text(node.func.value))

    def _goes_back(self, arguments: Arguments) -> bool:
        given = arguments.get("device", 0) or frozenset()
        return any(getattr(thing, "constant", None) == "cpu" for thing in given)


def _converts(name: str) -> bool:
    """Whether a function makes numbers or text of the tensors that it is given."""
    known = effect(name)
    return known is not None and known.detail in ("reads", "warns")


def _stays(arguments: Arguments) -> bool:
    """Whether a copy to the CPU does not wait."""
    return arguments.constant("non_blocking") is True
