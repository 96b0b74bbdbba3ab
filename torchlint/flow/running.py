"""Modules: building them, setting their mode, running them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow import factories, resuming
from torchlint.flow.arguments import bind_parameters, described
from torchlint.flow.callers import may_evaluate
from torchlint.flow.choices import puts_back
from torchlint.flow.domain import Grad, GradMode, Mode, Sensitivity
from torchlint.flow.doubts import is_in_doubt
from torchlint.flow.events import BESIDES, HOOKED, Computed, Escaped, Forward
from torchlint.flow.hooks import keeps_outputs
from torchlint.flow.layers import Layers
from torchlint.flow.leaving import says_evaluation
from torchlint.flow.made import Made, make
from torchlint.flow.regions import leave_regions
from torchlint.flow.state import ModuleFacts
from torchlint.flow.things import (
    NOTHING,
    Container,
    Module,
    Opaque,
    Thing,
    Value,
    sorted_things,
)
from torchlint.flow.walk import path_of
from torchlint.tables import Layer
from torchlint.tables.effects import says

if TYPE_CHECKING:
    from torchlint.flow.arguments import Arguments
    from torchlint.flow.autograd import Autograd
    from torchlint.flow.closures import Closures
    from torchlint.flow.places import Places
    from torchlint.flow.playing import Playing
    from torchlint.flow.walk import Walk


class Running:
    """What is done to the modules of one walk."""

    def __init__(
        self, walk: Walk, autograd: Autograd, places: Places, closures: Closures, playing: Playing
    ) -> None:
        self._walk = walk
        self._playing = playing
        self._autograd = autograd
        self._closures = closures
        self.layers = Layers(walk, autograd, places, self)
        self._unsettled: bool | None = None  # whether nobody who calls the function may evaluate anything

    def build(self, layer: Layer, arguments: Arguments, node: cst.CSTNode) -> Value:
        """A layer of torch.nn is constructed."""
        children = [thing for value in arguments.all() for thing in self._modules_within(value)]
        unknown = any(isinstance(thing, Opaque) for value in arguments.all() for thing in value)
        parts = [child.sensitivity for child in children]
        if unknown or (arguments.starred and not children):
            parts.append(Sensitivity.UNKNOWN)
        made = make(layer, *described(arguments), parts)
        learning = {child.parameters for child in children}
        if made.parameters is None and learning and not unknown:
            made = replace(made, parameters=True if True in learning else None if None in learning else False)
        thing = self.fresh(
            node, made.cls, made.sensitivity, parameters=made.parameters, mode=Mode.TRAIN, made=made
        )
        exact = not arguments.starred and len(children) == len(arguments.positional)
        for number, child in enumerate(children):
            slot = f"[{number}]" if exact else "[*]"
            held = self._walk.now().slots(thing).get(slot, NOTHING) if not exact else NOTHING
            self._walk.state = self._walk.now().with_slot(thing, slot, held | {child})
        return frozenset((thing,))

    def fresh(
        self,
        node: cst.CSTNode,
        cls: str | None,
        sensitivity: Sensitivity,
        *,
        parameters: bool | None,
        mode: Mode,
        made: Made | None = None,
        facts: ModuleFacts | None = None,
        role: str = "",
        bare: bool | None = None,
    ) -> Module:
        """A module that exists from here on. A `bare` one holds no tensors, as one without parameters."""
        walk = self._walk
        site = walk.site(node)
        thing = walk.things.make(
            Module,
            (node, "module", role),
            "",
            (cls, sensitivity),
            cls=cls,
            sensitivity=sensitivity,
            built=site,
            parameters=parameters,
            layer=made.layer if made is not None else None,
            inplace=made is not None and made.inplace,
            statistics=made is not None and made.statistics,
        )
        if facts is None:
            facts = ModuleFacts(mode, site if Mode.TRAIN in mode else None)
        walk.state = walk.now().with_module(thing, facts)
        if not (parameters is False if bare is None else bare):
            walk.records.leaves = True
            if walk.now().regions:
                walk.tell(Escaped(walk.now().born, site, "a module is built inside"))
        return thing

    def of_class(self, cls: str, node: cst.CSTNode) -> Module:
        """A new module of a class in sight."""
        classes = self._walk.file.classes
        sensitivity, learns, bare = classes.sensitivity(cls), classes.learns(cls), classes.is_bare(cls)
        return self.fresh(node, cls, sensitivity, parameters=learns, mode=Mode.TRAIN, bare=bare)

    def copy(self, original: Module, node: cst.CSTNode) -> Module:
        """A deep copy: its own parameters, the mode of the original."""
        facts = self._walk.now().module(original)
        if original.owned:
            facts = replace(facts, mode=Mode.CALLER)
        copied = self.fresh(
            node,
            original.cls,
            original.sensitivity,
            parameters=original.parameters,
            mode=facts.mode,
            facts=facts,
        )
        return copied

    def switch(self, thing: Module, mode: Mode, node: cst.CSTNode) -> None:
        """eval(), train(), train(flag)."""
        self._walk.set_mode(thing, mode, self._walk.site(node))

    def restore(self, thing: Module, facts: ModuleFacts, node: cst.CSTNode) -> None:
        """train(was_training): the mode that was read earlier."""
        walk = self._walk
        # Where an earlier eval() is what is put back, the module has run under that one as well.
        used = walk.now().module(thing).pause.used if facts.pause.evaled else frozenset()
        walk.set_mode(thing, facts.mode, walk.site(node))
        now = walk.now().module(thing)
        walk.state = walk.now().with_module(thing, replace(facts, frozen=now.frozen, stepped=now.stepped))
        resuming.spread(walk, thing, replace(facts.pause, used=facts.pause.used | used))

    def freeze(self, thing: Module, *, frozen: bool) -> None:
        """requires_grad_(False) on a module, and so on all that it holds."""
        walk = self._walk
        for part in walk.parts(thing):
            walk.state = walk.now().with_module(part, replace(walk.now().module(part), frozen=frozen))

    def forward(
        self,
        thing: Module,
        arguments: Arguments,
        node: cst.Call,
        place: str,
        *,
        certain: bool = True,
        discarded: bool = False,
        grades: bool = True,
    ) -> Value:
        """A module runs; not `certain` when it is one of several that may stand there.

        It `grades` unless it is known to switch gradients off by itself.
        """
        walk = self._walk
        state = walk.now()
        facts = state.module(thing)
        self.ran(thing, facts, node, place, certain=certain)
        operands = [item for value in arguments.all() for item in walk.tensors_within(value)]
        learns = thing.parameters is not False and not self.is_frozen(thing)
        leave_regions(self._walk, [*operands, *([thing] if learns else [])], node, recorded=True)
        if discarded:
            self.besides(node)
        walk.records.forwards = True
        if state.regions:
            walk.tell(Computed(state.born, walk.site(node), infers=True))
            if thing.cls is not None and walk.file.classes.fills_itself(thing.cls):
                walk.tell(Escaped(state.born, walk.site(node), "is stored by the module"))
        value = self.outcome(thing, arguments, node)
        factories.gave(walk, thing, value)
        if learns:
            self.graphed(thing, facts, value, node, place, operands if grades else None)
        return value

    def graphed(
        self,
        thing: Module,
        facts: ModuleFacts,
        value: Value,
        node: cst.Call,
        place: str,
        operands: list[Thing] | None = None,
    ) -> None:
        """A module has given a value that may carry its graph; `operands` of a plain forward."""
        walk = self._walk
        if walk.state is None or not resuming.mark(walk, thing, walk.tensors_within(value), node):
            return
        if Mode.EVAL in facts.mode:
            walk.tell(resuming.graphed(walk, thing, facts, node, place, operands))
        elif walk.evidence.trains and "eval" in walk.file.skeleton.call_sites:
            # Whether it goes on in evaluation mode, the next round of a loop shows, or the callers know.
            walk.records.eventful = True
            walk.records.asks_grad_mode |= Mode.CALLER in facts.mode

    def hand_over(self, arguments: Arguments) -> None:
        """Functions that are handed to another one: who calls them sees what they return."""
        for value in arguments.all():
            self._closures.handed |= value

    def besides(self, node: cst.CSTNode) -> None:
        """A module runs and nobody takes its result: it fills something else."""
        walk = self._walk
        walk.records.leaves = True
        if walk.now().regions:
            how = HOOKED if keeps_outputs(walk.unit.tree) else BESIDES
            walk.tell(Escaped(walk.now().born, walk.site(node), how))

    def outcome(self, thing: Module, arguments: Arguments, node: cst.CSTNode) -> Value:
        """What a module returns, with what it saves and writes."""
        walk = self._walk
        grad = self._grad(thing, arguments)
        if thing.layer is not None:
            return self.layers.run(thing.layer, thing, grad, arguments, node)
        played = self._play(thing, grad, arguments, node) if isinstance(node, cst.Call) else None
        if played is not None:
            return played
        operands = [item for value in arguments.all() for item in walk.tensors_within(value)]
        modules = frozenset((thing,)) if grad is not Grad.NO else frozenset()
        inference = self._autograd.inference.here(node)
        value = self._autograd.result(
            node, grad, operands, modules=modules, several=True, inference=inference
        )
        return value

    def _play(self, thing: Module, grad: Grad, arguments: Arguments, node: cst.Call) -> Value | None:
        """Walk the forward of a class of the source; None where that gives no tensor."""
        walk = self._walk
        found = walk.file.classes.method(thing.cls, "forward") if thing.cls is not None else None
        if found is None:
            return None
        arguments = arguments.behind(frozenset((thing,)))
        if not self._playing.can_play(found, arguments, node):
            return None
        bound = bind_parameters(found.definition, arguments)
        value = self._playing.play(found.definition, bound, arguments, node)
        made = walk.tensors_within(value or NOTHING)
        if not made:
            return None
        for item in made:
            facts = walk.now().tensor(item)
            if path_of(item) is not None or facts.grad is Grad.NO:
                continue
            if facts.grad is Grad.UNKNOWN and isinstance(item, Opaque):
                facts = replace(facts, grad=grad)
            walk.state = walk.now().with_tensor(item, replace(facts, modules=facts.modules | {thing}))
        return value

    def ran(
        self, thing: Module, facts: ModuleFacts, node: cst.CSTNode, place: str, *, certain: bool = True
    ) -> None:
        """Tell of a forward without gradients; note one that the caller decides about."""
        walk = self._walk
        state = walk.now()
        by_flag = bool(state.regions) and state.regions[-1].mode is state.grad_mode
        resuming.use(walk, thing, node)
        path = path_of(thing)
        if path is not None:
            if not (state.grad_mode.surely_off or by_flag):
                walk.records.run(path, facts)
            elif Mode.CALLER in facts.mode:
                walk.records.asks.add(path)
        if not (state.grad_mode.surely_off or (by_flag and state.grad_mode & GradMode.OFF)):
            return
        walk.tell(
            Forward(
                walk.site(node),
                thing,
                place,
                Mode.UNKNOWN if is_in_doubt(walk, thing, facts, node, place) else facts.mode,
                facts.trained_at,
                facts.explicit,
                certain,
                _sensitivity(thing, facts, place),
                state.regions[-1] if state.regions else None,
                self.evaluates() or (facts.mode is Mode.CALLER and puts_back(walk.unit.tree, place)),
                facts.mode is Mode.CALLER and self._is_handed(thing),
                self._is_argument(thing),
                lambda: walk.file.trains(place.rpartition(".")[2]),
            )
        )

    def evaluates(self) -> bool:
        """Whether the function being walked says evaluation by its name."""
        return says_evaluation(self._walk, self._closures.names)

    def _infers(self) -> bool:
        """Whether the function being walked says by its name that it evaluates, predicts or decodes."""
        names = self._closures.names
        words = says("function", names[-1] if names else self._walk.unit.name.rpartition(".")[2])
        return bool(words & {"evaluation", "decoding"}) and "training" not in words

    def _is_argument(self, thing: Module) -> bool:
        definition, path = self._walk.unit.definition, path_of(thing)
        if definition is None or path is None or path[0] == "self":
            return False
        return path[0] in definition.parameters

    def _is_handed(self, thing: Module) -> bool:
        """Whether the module, or what holds it, is an argument of a function that others are to call.

        What trains, or says so by the name of its file, is called while training mode is wanted.
        """
        walk = self._walk
        definition, path = walk.unit.definition, path_of(thing)
        if definition is None or path is None or walk.file.says_training:
            return False
        holder: Thing | None = thing
        while isinstance(holder, Module) and holder.parent is not None:
            holder = holder.parent
        if not isinstance(holder, Module) or path[0] == "self" or path[0].startswith("::"):
            return False
        if definition.is_private or "training" in says("function", definition.name):
            return False
        owner, classes = definition.owner, walk.file.classes
        if owner is not None and (owner.startswith("_") or classes.is_opaque(classes.own(owner))):
            return False
        if self._unsettled is None:
            self._unsettled = not may_evaluate(walk.file, definition)
        return self._unsettled

    def _grad(self, thing: Module, arguments: Arguments) -> Grad:
        mode = self._walk.now().grad_mode
        if mode.surely_off:
            return Grad.NO
        if thing.parameters is False or self.is_frozen(thing):
            return self._autograd.joint_grad(arguments.all())
        if mode is GradMode.CALLER and self._infers():
            return Grad.UNKNOWN  # an evaluation is mostly called without gradients
        return Grad.YES if mode.surely_on else Grad.EITHER

    def is_frozen(self, thing: Module) -> bool:
        """Whether no parameter requires grad: a new head of a frozen network still does."""
        walk = self._walk
        frozen = [walk.now().module(part).frozen for part in walk.parts(thing)]
        return frozen[0] and all(frozen)

    def _modules_within(self, value: Value) -> list[Module]:
        found: list[Module] = []
        seen: set[Thing] = set()
        waiting = sorted_things(value)
        while waiting:
            thing = waiting.pop(0)
            if thing in seen:
                continue
            seen.add(thing)
            if isinstance(thing, Module):
                found.append(thing)
            elif isinstance(thing, Container):
                waiting.extend(
                    item for inner in self._walk.now().slots(thing).values() for item in sorted_things(inner)
                )
        return found


def _sensitivity(thing: Module, facts: ModuleFacts, place: str) -> Sensitivity:
    """Whether a module computes differently in training mode; nobody's loss or policy is taken not to."""
    known = facts.sensitivity if thing.sensitivity is Sensitivity.UNKNOWN else thing.sensitivity
    harmless = {"loss", "rollout"} & says("place", place)
    return Sensitivity.NO if known is Sensitivity.UNKNOWN and harmless else known


def is_module_like(thing: Thing) -> bool:
    """Whether an unknown thing, called, is taken for a module by its name or its holder."""
    if not isinstance(thing, Opaque):
        return False
    return isinstance(thing.parent, Module) or "module" in says("place", thing.place)


def is_called_module(walk: Walk, thing: Opaque, func: cst.BaseExpression) -> bool:
    """Whether an unknown thing that is called is taken for a module; one of several by what it is bound to.

    The next walk knows an element of what the caller has at once, so that its mode is asked for.
    """
    if is_module_like(thing):
        return thing.key not in walk.evidence.factories
    named = isinstance(func, cst.Name) and "module" in says("place", func.value)
    if not named or not thing.place.endswith("]") or path_of(thing) is None:
        return False
    walk.believe_module(thing)
    return True
