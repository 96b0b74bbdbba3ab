"""Nested functions and lambdas: walked silently where they are called, told once at the end of the unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.domain import Fate, GradMode
from torchlint.flow.events import RETURNED, Escaped, Logged, Region, UsedOutside
from torchlint.flow.fates import meets
from torchlint.flow.leaving import leave, says_evaluation
from torchlint.flow.records import Call
from torchlint.flow.state import State
from torchlint.flow.things import NOTHING, Closure, Container, Plain, Thing, Value
from torchlint.flow.walk import path_of
from torchlint.tables.effects import says

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.arguments import Arguments
    from torchlint.flow.autograd import Autograd
    from torchlint.flow.interpreter import Interpreter
    from torchlint.flow.places import Places
    from torchlint.flow.switches import Switches
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk

_DEEPEST = 3  # calls of nested functions by nested functions that are followed


class Closures:
    """The nested functions of one walk, and what its functions return."""

    def __init__(
        self, walk: Walk, autograd: Autograd, places: Places, values: Values, switches: Switches
    ) -> None:
        self._walk = walk
        self._autograd = autograd
        self._places = places
        self._values = values
        self._switches = switches
        self.interpreter: Interpreter
        self._defined: dict[Closure, State] = {}
        self._called: dict[Closure, State] = {}
        self._active: list[Closure] = []
        self._results: list[list[Value]] = []
        self._told: set[Closure] = set()
        self.names: list[str] = []
        self.handed: set[Thing] = set()  # closures given to strangers, who see what they return

    @property
    def function(self) -> cst.CSTNode | None:
        """The function that is being walked: a nested one, or that of the unit."""
        return self._active[-1].node if self._active else self._walk.unit.function

    def defined(self, closure: Closure) -> None:
        """A nested function exists from here on."""
        if self._walk.calls:
            return  # that of a function that is called is told where its unit is walked
        self._defined.setdefault(closure, self._walk.now())

    def call(self, closure: Closure, arguments: Arguments, node: cst.Call) -> Value:
        """A nested function is called: its effects happen here, and its value is this."""
        walk = self._walk
        if walk.state is None:
            return NOTHING
        if closure in self._active or len(self._active) >= _DEEPEST:
            return walk.unknown(node)
        outside = walk.now()
        names = outside.names
        self._bind(closure, arguments)
        if not walk.rehearsing and not walk.calls:
            known = self._called.get(closure)
            self._called[closure] = walk.now() if known is None else known.join(walk.now())
        told = Call(None, closure.unit or walk.played, walk.site(node), node, {})
        with walk.within(node, told):
            value = self._run(closure)
        if walk.state is not None:
            for name in walk.outer_names:
                rebound = walk.now().names.get(name)
                if rebound is not None:
                    names = names.set(name, rebound)
            walk.state = walk.now().with_names(names).under(outside)
        return walk.widen((value,), node)

    def play(self, function: cst.FunctionDef) -> Value:
        """Walk the body of a function of the source where it is called; gives what it returns."""
        results: list[Value] = []
        self._results.append(results)
        outside = self._walk.now()
        region = self._switches.decorated(function)
        if region is not None:
            self._switches.cover(region)
        end = self.interpreter.run(function.body.body)
        if region is not None and end is not None:
            self._walk.state = end.under(outside)
        self._results.pop()
        return NOTHING.union(*results) or self._walk.things.scalar(Plain.NONE)

    def tell_all(self, end: State | None) -> None:
        """Walk each nested function once more, aloud, with what was known at its calls."""
        walk = self._walk
        while waiting := [closure for closure in self._defined if closure not in self._told]:
            for closure in waiting:
                self._told.add(closure)
                state = self._called.get(closure)
                if state is None:
                    base = end or self._defined[closure]
                    defined = self._defined[closure]
                    names = defined.names.join(base.names, lambda mine, theirs: mine | theirs)
                    walk.state = base.with_names(names).under(State.empty(GradMode.CALLER))
                    self._bind(closure, None)
                else:
                    walk.state = state
                self._run(closure)
        walk.state = end

    def returned(self, value: Value, node: cst.CSTNode) -> None:
        """A value leaves a function by return or yield."""
        walk = self._walk
        if walk.state is None:
            return
        if walk.calls:
            self._results[-1].append(value)
            return
        if self._results:
            self._results[-1].append(value)
            running = self._active[-1] if self._active else None
            if running in self._called and running not in self.handed:
                return  # its callers are in sight, and see what becomes of the value
        reads = self._places.reads_within(value)
        if reads and "settings" not in says("function", walk.unit.name.rpartition(".")[2]):
            walk.tell(Logged(walk.site(node), reads))
        leave(walk, walk.tensors_within(value), node, evaluates=says_evaluation(walk, self.names))
        told = walk.tensors_within(value, but=self._reports())
        for thing in walk.tensors_within(value):
            born = walk.now().tensor(thing).born
            if born and thing not in told:
                walk.tell(UsedOutside(born, "a report"))
            elif born and not self._gives_plain(walk.unit.definition):
                # What a nested function returns goes to callers that are not followed.
                asked = None if self._results else self._meets
                walk.tell(Escaped(born, walk.site(node), RETURNED, asked))
            self._autograd.reach(thing, certain=False)
        if not self._results:
            walk.records.returned |= value

    def _reports(self) -> Value:
        """The dicts that say by their name that they are for a report, whoever gets them."""
        names = self._walk.now().names.items()
        named = NOTHING.union(*(value for name, value in names if "report" in says("place", name)))
        return frozenset(one for one in named if isinstance(one, Container) and one.kind == "dict")

    def _gives_plain(self, definition: Definition | None) -> bool:
        """Whether callers take what the unit returns for numbers, by its name or by its annotation."""
        if definition is None:
            return False
        return self._walk.file.is_hook(definition) or (definition.says_plain and not self._results)

    def _meets(self, region: Region, fate: Fate) -> bool:
        """Whether this is the fate of what the unit returns in the hands of its callers."""
        return meets(self._walk.file, self._walk.unit.name, region, fate)

    def _run(self, closure: Closure) -> Value:
        walk = self._walk
        node = closure.node
        results: list[Value] = []
        self._active.append(closure)
        self._results.append(results)
        self.names.append(closure.place)
        if isinstance(node, cst.Lambda):
            value = self._values.evaluate(node.body)
            self.returned(value, node)
        elif isinstance(node, cst.FunctionDef):
            region = self._switches.decorated(node)
            if region is not None:
                self._switches.cover(region)
            self.interpreter.run(node.body.body)
        self.names.pop()
        self._results.pop()
        self._active.pop()
        return NOTHING.union(*results) or walk.things.scalar(Plain.NONE)

    def _bind(self, closure: Closure, arguments: Arguments | None) -> None:
        walk = self._walk
        assert closure.node is not None
        parameters = closure.node.params
        for position, parameter in enumerate(
            (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
        ):
            name = parameter.name.value
            value = arguments.get(name, position) if arguments is not None else None
            if value is None:
                value = frozenset((self._parameter(closure, name),))
            walk.state = walk.now().with_name(name, value)

    def _parameter(self, closure: Closure, name: str) -> Thing:
        thing = self._walk.opaque((closure.key, name), name)
        assert path_of(thing) is None
        return thing
