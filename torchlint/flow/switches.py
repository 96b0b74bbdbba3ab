"""Grad-mode switches: what no_grad, inference_mode and their like do where they are entered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.domain import GradMode, Idle
from torchlint.flow.events import Asked, EnterRegion, Escaped, IdleSwitch, LeaveRegion, Region, Site
from torchlint.flow.things import Dotted, Restorer, Switch, Value
from torchlint.tables.effects import effect

if TYPE_CHECKING:
    from torchlint.flow.arguments import Arguments
    from torchlint.flow.state import State
    from torchlint.flow.walk import Walk

# Decorators that leave a generator function what it is; many others make a context manager of it.
_PLAIN = frozenset({"staticmethod", "classmethod", "property", "override", "abstractmethod"})

_MODES = {"no_grad": GradMode.NO_GRAD, "inference": GradMode.INFERENCE, "enabled": GradMode.ENABLED}
_Inferring = frozenset[Region | Asked | None]


class Switches:
    """The switches of one walk."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._regions: dict[cst.CSTNode, Region] = {}
        self._entered: dict[cst.With, list[Region]] = {}
        self._restorers: dict[cst.With, list[Restorer]] = {}
        self._yields: dict[Region, tuple[Site, bool]] = {}

    def made(
        self, detail: str, dotted: str, arguments: Arguments, node: cst.Call, *, discarded: bool
    ) -> Value:
        """A switch is constructed; set_grad_enabled takes effect at once."""
        walk = self._walk
        # Bound to `_` so that a cell of a notebook does not print it.
        discarded = discarded or (detail == "flag" and walk.bound.get(node) == "_")
        flag = arguments.constant("mode", 0)
        given = bool(arguments.positional or arguments.keywords)
        mode = _mode(detail, flag, given=given)
        region = self._region(node, node.func, mode, dotted, "with")
        if discarded and detail != "flag":
            self._tell_idle(node, Idle.ALONE, walk.text(node), dotted)
        elif discarded:
            if mode.surely_off and not walk.calls:
                statement = self._region(node, node.func, mode, dotted, "statement")
                walk.state = walk.now().with_switch(mode, (statement,))
                walk.tell(EnterRegion(statement))
            else:
                kept = tuple(item for item in walk.now().regions if item.form != "statement")
                walk.state = walk.now().with_switch(mode, kept)
        key = ("switch", node)
        return frozenset((walk.things.make(Switch, key, "", mode=mode, region=region),))

    def enter(self, value: Value, item: cst.BaseExpression, node: cst.With) -> Value:
        """A with item is entered; gives what `as` binds."""
        walk = self._walk
        if walk.state is None:
            return value
        restorers = [thing for thing in value if isinstance(thing, Restorer)]
        self._restorers.setdefault(node, []).extend(restorers)
        value = value.difference(restorers) or value
        if isinstance(item, cst.Call):
            called, around = walk.text(item.func).rpartition(".")[2], walk.now().around
            casting = around.casting or "autocast" in called
            expecting = around.expecting or called.startswith(("raises", "assertRaises"))
            walk.state = walk.now().with_around(replace(around, casting=casting, expecting=expecting))
        switches = [thing for thing in value if isinstance(thing, Switch)]
        bare = [thing for thing in value if isinstance(thing, Dotted)]
        details = [_detail(thing.name) for thing in bare]
        if bare and details[0] is not None and None not in details and len(bare) == len(value):
            self._tell_idle(item, Idle.UNCALLED, walk.text(item).strip("() "), bare[0].name)
            # It raises; the block is read as it was meant, so that nothing else is said of it.
            meant = _mode(details[0], None, given=False)
            walk.state = walk.now().with_switch(meant, walk.now().regions)
        if not switches or bare:
            return value
        mode = GradMode(0)
        for thing in switches:
            mode |= thing.mode
        if len(switches) < len(value):
            mode |= walk.now().grad_mode
        regions = walk.now().regions
        region = switches[0].region if walk.knows_regions else None
        if GradMode.ENABLED in mode and regions:
            walk.tell(Escaped(frozenset(regions), walk.site(item), "gradients are enabled inside"))
        if mode & GradMode.OFF and len(value) == 1 and region is not None:
            regions = (*regions, region)
            self._begin(region)
            self._entered.setdefault(node, []).append(region)
        inferring = frozenset().union(*(_inferring(thing, walk.now().around.inferring) for thing in switches))
        if len(switches) < len(value):
            inferring |= walk.now().around.inferring
        around = replace(walk.now().around, inferring=inferring)
        walk.state = walk.now().with_switch(mode, regions).with_around(around)
        return value

    def on_exit(self, node: cst.With) -> Callable[[State], State]:
        """What the context managers of this source do to modes when the block is left, on any path."""
        after = [pair for restorer in self._restorers.pop(node, []) for pair in restorer.after]

        def left(state: State) -> State:
            for module, facts in after:
                state = state.with_module(module, facts)
            return state

        return left

    def leave(self, node: cst.With) -> None:
        """A with statement is over."""
        for region in reversed(self._entered.pop(node, [])):
            first = self._yields.pop(region, None)
            if first is not None:
                yielded, asynchronous = first
                self._tell_idle(
                    region.site.node,
                    Idle.YIELDS,
                    region.switch,
                    region.dotted,
                    waits=asynchronous,
                    yielded=yielded,
                )
            self._walk.tell(LeaveRegion(region))

    def yielded(self, node: cst.Yield, function: cst.CSTNode | None) -> None:
        """A generator hands over to its caller, which then runs under what is entered here.

        One that yields once, outside of all loops, may be made a context manager by somebody.
        """
        walk = self._walk
        if walk.calls or not isinstance(function, cst.FunctionDef) or not walk.now().grad_mode.surely_off:
            return
        if not walk.joining and not isinstance(node.value, cst.From):
            return
        names = {_spelled(_callee(decorator)) or "?" for decorator in function.decorators}
        if {name.rpartition(".")[2] for name in names} <= _PLAIN:
            entered = [region for regions in self._entered.values() for region in regions]
            for region in entered[-1:]:
                self._yields.setdefault(region, (walk.read(node), function.asynchronous is not None))

    def decorated(self, function: cst.FunctionDef) -> Region | None:
        """The region that a decorator makes of a whole function; an async def is not covered."""
        if function.asynchronous is not None:
            self._idle_decorators(function)
            return None
        for decorator in function.decorators:
            node, callee = decorator.decorator, _callee(decorator)
            dotted = self._resolve(callee)
            known = effect(dotted) if dotted else None
            if dotted is None or known is None or known.kind != "switch":
                continue
            flag, given = None, False
            if isinstance(node, cst.Call) and node.args:
                given = True
                argument = node.args[0].value
                flag = (
                    {"True": True, "False": False}.get(argument.value)
                    if isinstance(argument, cst.Name)
                    else None
                )
            mode = _mode(known.detail or "", flag, given=given)
            if mode.surely_off or mode is GradMode.ENABLED:
                return self._region(node, callee, mode, dotted, "decorator")
        return None

    def cover(self, region: Region) -> None:
        """The whole walk, from here on, lies in a region."""
        walk = self._walk
        if _is_inference(region):
            innermost = region if region.mode is GradMode.INFERENCE else None
            around = replace(walk.now().around, inferring=frozenset((innermost,)))
            walk.state = walk.now().with_around(around)
        if not walk.knows_regions:
            walk.state = walk.now().with_switch(region.mode, walk.now().regions)
            return
        if region.mode is GradMode.ENABLED:
            walk.records.enables = True
            walk.state = walk.now().with_switch(region.mode, walk.now().regions)
            return
        self._begin(region)
        walk.state = walk.now().with_switch(region.mode, (*walk.now().regions, region))

    def _idle_decorators(self, function: cst.FunctionDef) -> None:
        """Tell of switches around an async def; what another decorator makes of it before, nobody knows."""
        for decorator in reversed(function.decorators):
            node = decorator.decorator
            dotted = self._resolve(_callee(decorator))
            detail = _detail(dotted) if dotted is not None else None
            if dotted is None or detail is None or (detail == "flag" and not isinstance(node, cst.Call)):
                return
            self._tell_idle(node, Idle.COROUTINE, self._walk.text(node), dotted, waits=True)

    def _tell_idle(
        self,
        node: cst.CSTNode,
        why: Idle,
        switch: str,
        dotted: str,
        *,
        waits: bool = False,
        yielded: Site | None = None,
    ) -> None:
        walk = self._walk
        if not walk.calls:
            walk.records.eventful = True
            walk.tell(IdleSwitch(walk.read(node), why, switch, dotted, waits, yielded))

    def _begin(self, region: Region) -> None:
        if region not in self._walk.known_regions:
            self._walk.known_regions.append(region)
        self._walk.tell(EnterRegion(region))

    def _region(
        self, node: cst.CSTNode, callee: cst.CSTNode, mode: GradMode, dotted: str, form: str
    ) -> Region:
        region = self._regions.get(node)
        if region is None or region.form != form:
            walk = self._walk
            text = walk.text(node)
            bare = callee.value if isinstance(callee, cst.Name) else None
            region = Region(walk.read(node), walk.read(callee), mode, text, dotted, bare, form)
            self._regions[node] = region
        return region

    def _resolve(self, callee: cst.CSTNode) -> str | None:
        spelled = _spelled(callee)
        if spelled is None:
            return None
        imports = self._walk.file.imports
        dotted = imports.resolve(spelled)
        if dotted is None:
            starred = [name for name in imports.starred(spelled) if effect(name)]
            dotted = starred[0] if starred else None
        return dotted


def _is_inference(region: Region) -> bool:
    return region.dotted == "torch.inference_mode"


def _inferring(switch: Switch, before: _Inferring) -> _Inferring:
    """The regions of inference_mode that may be the innermost one behind a switch."""
    region = switch.region
    if region is None or not _is_inference(region):
        return before
    on: _Inferring = frozenset((region,)) if GradMode.INFERENCE in switch.mode else frozenset()
    return on | frozenset((None,)) if GradMode.ENABLED in switch.mode else on


def _mode(detail: str, flag: object, *, given: bool) -> GradMode:
    if detail == "flag":
        return {True: GradMode.ENABLED, False: GradMode.NO_GRAD}.get(
            flag if isinstance(flag, bool) else None,  # type: ignore[arg-type]
            GradMode.ENABLED | GradMode.NO_GRAD,
        )
    if detail == "inference" and given:
        if flag is False:
            return GradMode.ENABLED
        if flag is not True:
            return GradMode.ENABLED | GradMode.INFERENCE
    return _MODES[detail]


def _detail(dotted: str) -> str | None:
    """Which switch a dotted name is; None where it is none."""
    known = effect(dotted)
    return known.detail if known is not None and known.kind == "switch" else None


def _callee(decorator: cst.Decorator) -> cst.BaseExpression:
    node = decorator.decorator
    return node.func if isinstance(node, cst.Call) else node


def _spelled(node: cst.CSTNode) -> str | None:
    """`a.b.c` for a chain of names, else None."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    return ".".join([node.value, *reversed(parts)]) if isinstance(node, cst.Name) else None
