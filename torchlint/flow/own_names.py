"""Calls of what the user has named: functions that log, that evaluate, that load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.domain import Mode
from torchlint.flow.things import NOTHING, Function, Module, Plain, Restorer, Thing, Value
from torchlint.tables.effects import has_own_names, own_effect

if TYPE_CHECKING:
    from torchlint.flow.arguments import Arguments
    from torchlint.flow.effects import Effects
    from torchlint.flow.places import Places
    from torchlint.flow.running import Running
    from torchlint.flow.state import ModuleFacts
    from torchlint.flow.walk import Walk


class NamedCalls:
    """The calls of one walk whose meaning the user has told; it counts more than what the source shows."""

    def __init__(self, walk: Walk, places: Places, running: Running, effects: Effects) -> None:
        self._walk = walk
        self._places = places
        self._running = running
        self._effects = effects
        self._before: dict[cst.Call, tuple[tuple[Thing, ModuleFacts], ...]] = {}

    def call(self, target: Value, name: str, arguments: Arguments, node: cst.Call) -> Value | None:
        """What a call of the target, or of its method `name`, gives; None where the user has not named it."""
        if not has_own_names():
            return None
        known = own_effect(*self._names(target, name, node))
        if known is None:
            return None
        match known.kind:
            case "log":
                self._effects.log(arguments, node)
                return self._walk.things.scalar(Plain.NONE)
            case "loader":
                return self._effects.loader(known, node)
        return self._evaluate(target if name else NOTHING, arguments, node)

    def restorer(self, node: cst.CSTNode) -> Value:
        """What puts the modes back where the call is left that a with statement has entered."""
        before = self._before.get(node) if isinstance(node, cst.Call) else None
        if before is None:
            return NOTHING
        return frozenset((self._walk.things.make(Restorer, (node, "restorer"), "", before, after=before),))

    def _names(self, target: Value, name: str, node: cst.Call) -> list[str]:
        """How the user may have spelled it: as a method, as it is imported, or as it is defined."""
        walk = self._walk
        spelled = walk.text(node.func)
        found = [f".{name}"] if name else []
        dotted = walk.file.imports.resolve(spelled)
        if dotted is not None:
            found.append(dotted)
        elif not name:
            found.append(spelled)
        defined = [self._places.found(dotted)] if dotted is not None else target if not name else ()
        for thing in defined:
            if isinstance(thing, Function) and thing.callee is not None:
                home = thing.callee.home
                stem = home.path.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
                parts = (home.package, stem if stem != "__init__" else "", thing.callee.definition.qualname)
                found.append(".".join(part for part in parts if part))
        return found

    def _evaluate(self, receiver: Value, arguments: Arguments, node: cst.Call) -> Value:
        """Modules go into evaluation mode: the receiver's, or those among the arguments."""
        walk = self._walk
        given = NOTHING.union(*arguments.all())
        modules = [thing for thing in (*receiver, *given) if isinstance(thing, Module)]
        first = arguments.positional[0] if arguments.positional else given or receiver
        if not modules:
            for thing in first:
                walk.believe_module(thing)
        parts = {part: None for module in modules for part in walk.parts(module)}
        self._before[node] = tuple((part, walk.now().module(part)) for part in parts)
        for module in modules:
            self._running.switch(module, Mode.EVAL, node)
        return first or walk.unknown(node)
