"""Functions of the source, played where they are called: their bodies walked with what the call hands over.

A summary says what a function does to any caller. Short functions are played instead, so that what they
save, write and return is known as exactly as if their lines stood at the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.persistent import PersistentMap
from torchlint.flow.records import Call
from torchlint.flow.things import NOTHING, Container, Value

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.arguments import Arguments
    from torchlint.flow.closures import Closures
    from torchlint.flow.neighbours import Callee
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk

_DEEPEST = 4  # calls in one another that are played; what lies deeper is summarized
_LONGEST = 60  # lines of a function that is played
_SOME_LINES = 200  # of all functions that a unit plays; a longer unit plays as many lines as it has itself

_PLAIN = (cst.Integer, cst.Float, cst.Name, cst.SimpleString, cst.UnaryOperation)


class Playing:
    """The functions that one walk plays."""

    def __init__(self, walk: Walk, values: Values, closures: Closures) -> None:
        self._walk = walk
        self._values = values
        self._closures = closures
        self._lines = 0
        self._played: set[tuple[cst.CSTNode, ...]] = set()
        self._globals: PersistentMap[str, Value] = PersistentMap()

    def can_play(self, callee: Callee, arguments: Arguments, node: cst.CSTNode) -> bool:
        """Whether a call is played: of a short function of this file that neither calls itself nor yields."""
        walk, definition = self._walk, callee.definition
        if callee.home is not walk.file:
            return False
        length = walk.file.length(definition)
        if len(walk.calls) >= _DEEPEST or length > _LONGEST:
            return False
        if self._way(node) not in self._played and self._lines + length > self._most_lines():
            return False
        if arguments.starred or any(call.definition is definition for call in walk.calls):
            return False
        return definition is not walk.unit.definition and walk.file.is_playable(definition)

    def play(
        self, definition: Definition, bound: dict[str, Value], arguments: Arguments, node: cst.Call
    ) -> Value | None:
        """Walk the body; gives what it returns, None where no path comes out of it."""
        walk = self._walk
        before = walk.now()
        way = self._way(node)
        if way not in self._played:
            self._played.add(way)
            self._lines += walk.file.length(definition)
        if not walk.calls:
            is_module_level = walk.unit.definition is None
            self._globals = before.names if is_module_level else PersistentMap()
        unit = walk.file.units.unit(definition.qualname)
        assert unit.function is not None
        call = Call(definition, unit, walk.site(node), node, bound)
        outer, walk.outer_names = walk.outer_names, set()
        with walk.within(node, call):
            walk.state = before.with_names(self._globals)
            self._bind(definition, unit.function, bound, arguments)
            returned = self._closures.play(unit.function)
        rebound, walk.outer_names = walk.outer_names, outer
        if walk.state is None:
            walk.state = before
            return None
        names = before.names
        if not walk.calls and walk.unit.definition is None:
            for name in rebound:
                names = names.set(name, walk.state.names.get(name) or NOTHING)
        walk.state = walk.state.with_names(names).with_switch(walk.state.grad_mode, before.regions)
        return returned

    def _way(self, node: cst.CSTNode) -> tuple[cst.CSTNode, ...]:
        return (*(call.node for call in self._walk.calls), node)

    def _most_lines(self) -> int:
        definition = self._walk.unit.definition
        own = definition.length if definition is not None else 0
        return max(_SOME_LINES, own)

    def _bind(
        self,
        definition: Definition,
        function: cst.FunctionDef,
        bound: dict[str, Value],
        arguments: Arguments,
    ) -> None:
        walk, parameters = self._walk, function.params
        named = (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
        for parameter in named:
            name = parameter.name.value
            value = bound.get(name)
            if value is None:
                default = parameter.default
                value = (
                    self._values.evaluate(default)
                    if isinstance(default, _PLAIN)
                    else walk.unknown(parameter, name)
                )
            walk.state = walk.now().with_name(name, value)
        if isinstance(parameters.star_arg, cst.Param):
            rest = walk.things.make(Container, (parameters.star_arg, "rest"), "", kind="tuple")
            for number, value in enumerate(arguments.positional[len(definition.parameters) :]):
                walk.state = walk.now().with_slot(rest, f"[{number}]", value)
            walk.state = walk.now().with_name(parameters.star_arg.name.value, frozenset((rest,)))
        if parameters.star_kwarg is not None:
            rest = walk.things.make(Container, (parameters.star_kwarg, "rest"), "", kind="dict")
            known = {parameter.name.value for parameter in named}
            for name, value in arguments.keywords.items():
                if name not in known:
                    walk.state = walk.now().with_slot(rest, f"[{name!r}]", value)
            walk.state = walk.now().with_name(parameters.star_kwarg.name.value, frozenset((rest,)))
