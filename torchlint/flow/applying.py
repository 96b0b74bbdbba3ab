"""Calls of functions in sight: their summary becomes effects at the call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow import resuming
from torchlint.flow.arguments import bind_parameters, left_out
from torchlint.flow.domain import Grad, GradMode, Mode, Sensitivity
from torchlint.flow.events import UPDATES, Computed, Escaped
from torchlint.flow.keeping import free
from torchlint.flow.regions import leave_regions
from torchlint.flow.state import ModuleFacts
from torchlint.flow.summary import (
    ContainerShape,
    Context,
    InstanceShape,
    ModuleShape,
    Path,
    PlainShape,
    SamePlace,
    Shape,
    Summary,
    TensorShape,
    settles,
)
from torchlint.flow.things import NOTHING, Container, Instance, Module, Opaque, Restorer, Tensor, Thing, Value
from torchlint.flow.walk import path_of, spelled, tensors

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.arguments import Arguments
    from torchlint.flow.autograd import Autograd
    from torchlint.flow.neighbours import Callee
    from torchlint.flow.places import Places
    from torchlint.flow.playing import Playing
    from torchlint.flow.records import Followed
    from torchlint.flow.running import Running
    from torchlint.flow.walk import Walk


@dataclass(frozen=True, slots=True)
class _Made:
    """One call, while what it returns is made."""

    bound: dict[str, Value]
    node: cst.Call
    saved: frozenset[Thing] = frozenset()
    enables: bool = False


class Applying:
    """The calls of project functions in one walk."""

    def __init__(
        self, walk: Walk, autograd: Autograd, places: Places, running: Running, playing: Playing
    ) -> None:
        self._walk = walk
        self._autograd = autograd
        self._places = places
        self._running = running
        self._playing = playing

    def sets_modes(self, callee: Callee) -> bool:
        """Whether a function switches the mode of anything of its caller."""
        summary = self._walk.file.summary_of(callee)
        built = [shape.facts.mode for _, shape in summary.stored if isinstance(shape, ModuleShape)]
        return bool(summary.modes) or any(mode is not Mode.TRAIN for mode in built)

    def call(self, callee: Callee, arguments: Arguments, node: cst.Call, *, discarded: bool) -> Value:
        """A function in sight is called."""
        value = self._call(callee, arguments, node, discarded=discarded)
        followed = self._walk.followed
        if followed is not None and followed.callee == (callee.home, callee.definition.qualname):
            self._mark(followed, value)
        return value

    def _mark(self, followed: Followed, value: Value) -> None:
        """What a followed function returns counts as born in the region."""
        walk = self._walk
        followed.met = True
        if followed.region not in walk.known_regions:
            walk.known_regions.append(followed.region)
        for thing in walk.tensors_within(value) if walk.state is not None else ():
            if walk.now().tensor(thing).grad is not Grad.YES:  # what has a graph was made elsewhere
                walk.mark_born(thing, frozenset((followed.region,)))

    def _call(self, callee: Callee, arguments: Arguments, node: cst.Call, *, discarded: bool) -> Value:
        walk, definition = self._walk, callee.definition
        summary = walk.file.summary_of(callee)
        bound = bind_parameters(definition, arguments)
        if not walk.rehearsing and not walk.calls:
            self._tell_callee(callee, summary, bound)
        handed = [thing for value in arguments.all() for thing in walk.tensors_within(value)]
        plays = self._playing.can_play(callee, arguments, node)
        if not plays:  # else each operation of the callee tells what it takes
            leave_regions(self._walk, handed, node, recorded=not _only_reads(definition, summary))
        self._running.hand_over(arguments)
        if summary.builds_graphs and GradMode.CALLER in walk.now().grad_mode:
            walk.records.builds_graphs = walk.records.asks_grad_mode = True
        self._run(summary, bound, node)
        after = self._after(summary, bound)
        self._tell(summary, bound, node)
        infers = summary.forwards or any(run.surely for run in summary.runs)
        walk.records.forwards |= infers
        if walk.now().regions and (
            summary.runs or summary.forwards or (not discarded and _gives_tensor(summary.returns))
        ):
            walk.tell(Computed(walk.now().born, walk.site(node), infers))
        if discarded and (summary.runs or summary.forwards) and _gives_tensor(summary.returns):
            self._running.besides(node)
        if plays:
            returned = self._playing.play(definition, bound, arguments, node)
            return returned or walk.unknown(node)
        bound = left_out(definition, arguments, walk.things) | bound
        self._affect(definition, summary, bound, node)
        for thing in bound.get("self", NOTHING) if walk.state is not None else ():
            self._autograd.inference.doubt(thing)
        if walk.state is None:
            return NOTHING
        if summary.yielded is not None:
            return frozenset((walk.things.make(Restorer, (node, "restorer"), "", after, after=after),))
        state = walk.now()
        saved = frozenset(
            storage
            for path in sorted(summary.saves)
            for thing in tensors(self._resolve(path, bound))
            for storage in state.tensor(thing).storages
        )
        made = _Made(bound, node, saved, summary.enables)
        found = [self._shape(shape, made, str(number)) for number, shape in enumerate(summary.returns)]
        return walk.widen(found, node) or walk.unknown(node)

    def _tell_callee(self, callee: Callee, summary: Summary, bound: dict[str, Value]) -> None:
        """Write down what this caller has set up, for when the callee is walked."""
        walk = self._walk
        modules: list[tuple[Path, ModuleFacts]] = []
        for path in sorted(summary.asks | {run.path for run in summary.runs}):
            for thing in self._resolve(path, bound):
                if isinstance(thing, Module):
                    facts = walk.now().module(thing)
                    if thing.sensitivity is not Sensitivity.UNKNOWN:
                        facts = replace(facts, sensitivity=thing.sensitivity)
                    if settles(facts):
                        modules.append((path, facts))
                    callee.home.believe_module(callee.definition.qualname, path, thing)
                elif isinstance(thing, Tensor):  # which nobody can run: torch.load gave it
                    modules.append((path, ModuleFacts(Mode.UNKNOWN)))
        grad_mode = GradMode.ENABLED if walk.grads_are_on() else walk.now().grad_mode
        callee.home.called(callee.definition.qualname, Context(tuple(modules), grad_mode))

    def _run(self, summary: Summary, bound: dict[str, Value], node: cst.Call) -> None:
        """The callee runs modules of ours under our grad mode."""
        walk = self._walk
        for run in summary.runs:
            for thing in self._resolve(run.path, bound):
                if isinstance(thing, Opaque):
                    if run.surely and not run.path[0].startswith("self"):
                        walk.believe_module(thing)
                    continue
                if not isinstance(thing, Module) or (thing.owned and run.facts.explicit):
                    continue  # a method that calls train() itself and runs the module means it
                if self._is_set_elsewhere(thing, run.path, summary, bound):
                    continue
                facts = self._combine(run.facts, walk.now().module(thing))
                is_named = bool(thing.place or walk.called_names.get(thing))
                place = walk.named(thing) if is_named else walk.text(node.func)
                self._running.ran(thing, facts, node, place)
        for path in sorted(summary.asks):
            for thing in self._resolve(path, bound):
                resuming.use(walk, thing, node)
                self._pass_on(thing)

    def _is_set_elsewhere(self, thing: Module, path: Path, summary: Summary, bound: dict[str, Value]) -> bool:
        """Whether the callee sets the mode of a module that it runs, by another name that means it here."""
        others = [other for other, _ in summary.modes if other[0] != path[0]]
        return any(
            isinstance(one, Module) and self._walk.holds(one, thing)
            for other in others
            for one in self._resolve(other, bound)
        )

    def _pass_on(self, thing: Thing) -> None:
        """What our callee runs without gradients, and we were given: our callers decide about its mode."""
        walk, own = self._walk, path_of(thing)
        undecided = isinstance(thing, Opaque) or (
            isinstance(thing, Module) and Mode.CALLER in walk.now().module(thing).mode
        )
        if own is not None and undecided:
            walk.records.asks.add(own)

    def _after(self, summary: Summary, bound: dict[str, Value]) -> tuple[tuple[Thing, ModuleFacts], ...]:
        """The modes that a context manager leaves behind: what it sets, else those of before."""
        if summary.yielded is None:
            return ()
        final = dict(summary.modes)
        after: list[tuple[Thing, ModuleFacts]] = []
        for path, _ in summary.yielded:
            for thing in self._resolve(path, bound):
                if isinstance(thing, Module):
                    ours = self._walk.now().module(thing)
                    after.append((thing, self._combine(final[path], ours) if path in final else ours))
        return tuple(after)

    def restorer(self, enter: Callee, leave: Callee, thing: Thing, node: cst.Call) -> Restorer:
        """What the `__exit__` of an object puts right of what its `__enter__` is about to do to modes."""
        walk = self._walk
        bound = {"self": frozenset((thing,))}
        final = dict(walk.file.summary_of(leave).modes)
        after: list[tuple[Thing, ModuleFacts]] = []
        for path, _ in walk.file.summary_of(enter).modes:
            for module in self._resolve(path, bound) if path in final else ():
                if isinstance(module, Module):
                    ours, left = walk.now().module(module), final[path]
                    # A flag that was read on entry: train(self.was_training).
                    restores = Mode.UNKNOWN in left.mode
                    after.append((module, ours if restores else self._combine(left, ours)))
        return walk.things.make(Restorer, (node, "restorer"), "", tuple(after), after=tuple(after))

    def _affect(
        self, definition: Definition, summary: Summary, bound: dict[str, Value], node: cst.Call
    ) -> None:
        walk = self._walk
        for path, facts in summary.modes if summary.yielded is None else summary.yielded:
            for thing in self._resolve(path, bound):
                walk.believe_module(thing)
                if isinstance(thing, Module):
                    new = self._combine(resuming.reached(walk, facts, node), walk.now().module(thing))
                    walk.set_mode(thing, new.mode, new.trained_at)
                    kept = replace(new, frozen=facts.frozen or walk.now().module(thing).frozen)
                    walk.state = walk.now().with_module(thing, kept)
                    resuming.spread(walk, thing, new.pause)
        for path in sorted(summary.steps):
            for thing in self._resolve(path, bound):
                if isinstance(thing, Module):
                    resuming.train(walk, thing)
        for path, shape in summary.stored:
            for holder in self._resolve(path[:-1], bound):
                value = self._shape(shape, _Made(bound, node), ".".join(path))
                walk.state = walk.now().with_slot(holder, path[-1], value)
        for path in sorted(summary.writes):
            value = self._resolve(path, bound)
            place = next((thing.place for thing in value if thing.place), path[0])
            place = self._spelled(definition, path, node) or place
            self._autograd.writing.write(value, node, place, tracked=path in summary.tracked_writes)
        for path in sorted(summary.hidden_writes):
            value = self._resolve(path, bound)
            place = self._spelled(definition, path, node) or path[0]
            self._autograd.writing.write(value, node, place, noticed=False)
        for path in sorted(summary.backwards):
            self._autograd.backward(self._resolve(path, bound), node)
        for path, where in sorted(summary.accumulates):
            argument = spelled(definition, path[0], node) if len(path) == 1 else None
            value, holders = self._resolve(path, bound), self._resolve(where[:1], bound)
            self._places.keeping.handed(value, holders, node, argument)

    def _tell(self, summary: Summary, bound: dict[str, Value], node: cst.Call) -> None:
        """What the callee does that no state keeps: it logs, stores, updates what lives on."""
        walk = self._walk
        for path in sorted(summary.logs):
            self._places.log(self._resolve(path, bound), node)
        if summary.enables and walk.now().regions:
            walk.tell(Escaped(walk.now().born, walk.site(node), "gradients are enabled inside"))
        walk.records.trains |= summary.trains
        if not walk.now().regions:
            walk.records.updates |= summary.updates
            # What a method of a new object stores in it is in its slots.
            walk.records.leaves |= summary.leaves and not (walk.unit.is_constructor and "self" in bound)
        for told, how in ((summary.updates, UPDATES), (summary.leaves, "is kept by what is called")):
            if told and walk.now().regions:
                walk.tell(Escaped(walk.now().born, walk.site(node), how))
        for path in sorted(summary.keeps):
            self._places.keep(NOTHING, self._resolve(path, bound), node, anyway=True)

    def _spelled(self, definition: Definition, path: Path, node: cst.Call) -> str:
        """How this call spells the argument at a path, for messages."""
        argument = spelled(definition, path[0], node) if len(path) == 1 else None
        return self._walk.text(argument) if argument is not None else ""

    def _resolve(self, path: Path, bound: dict[str, Value]) -> Value:
        head, *slots = path
        value = self._places.name(head[2:]) if head.startswith("::") else bound.get(head, NOTHING)
        for slot in slots:
            value = NOTHING.union(*(self._places.slot(thing, slot) for thing in value))
        return value

    def _combine(self, callee: ModuleFacts, ours: ModuleFacts) -> ModuleFacts:
        """What the callee knows, with our knowledge where it depends on the caller."""
        pause = callee.pause.resumed() if ours.stepped else callee.pause
        if Mode.CALLER not in callee.mode:
            return replace(callee, pause=pause, stepped=callee.stepped or ours.stepped)
        mode = (callee.mode & ~Mode.CALLER) | ours.mode
        site, explicit = callee.trained_at or ours.trained_at, callee.explicit or ours.explicit
        pause = pause.join(ours.pause)
        return replace(ours, mode=mode, trained_at=site, explicit=explicit, pause=pause, chosen=None)

    def _shape(self, shape: Shape, made: _Made, role: str) -> Value:
        walk, bound, node = self._walk, made.bound, made.node
        match shape:
            case SamePlace():
                return self._resolve(shape.path, bound) or walk.unknown(node, role=role)
            case ModuleShape():
                return frozenset(
                    (
                        self._running.fresh(
                            node,
                            shape.cls,
                            shape.sensitivity,
                            parameters=shape.parameters,
                            mode=shape.facts.mode,
                            facts=shape.facts,
                            role=role,
                        ),
                    )
                )
            case TensorShape():
                operands = [
                    thing for path in sorted(shape.sources) for thing in tensors(self._resolve(path, bound))
                ]
                modules = [
                    thing
                    for path in sorted(shape.modules)
                    for thing in self._resolve(path, bound)
                    if isinstance(thing, Module)
                ]
                grad = shape.grad
                if walk.now().grad_mode.surely_off and not made.enables:
                    grad = Grad.NO
                elif grad is Grad.UNKNOWN and operands:
                    grad = self._autograd.joint_grad([frozenset((thing,)) for thing in operands])
                value = self._autograd.result(
                    node,
                    grad,
                    operands,
                    role=role,
                    saved=made.saved,
                    parts=operands if len(operands) == 1 else (),  # of several one may be data
                    several=bool(modules),
                    modules=frozenset(modules),
                    inference=self._autograd.inference.of_call(shape.inference, node),
                )
                for thing in value if shape.freed is not False else ():
                    free(walk, thing, node, retained=shape.freed is None)
                for module in modules:
                    self._running.graphed(module, walk.now().module(module), value, node, module.place)
                return value
            case PlainShape():
                return walk.things.scalar(shape.kind)
            case InstanceShape():
                key = (node, f"returned{role}")
                return self._filled(
                    walk.things.make(Instance, key, "", shape.cls, cls=shape.cls), shape, made, role
                )
            case ContainerShape():
                key = (node, f"returned{role}")
                return self._filled(walk.things.make(Container, key, "", kind=shape.kind), shape, made, role)
        return self._something(made, role)

    def _filled(self, held: Thing, shape: InstanceShape | ContainerShape, made: _Made, role: str) -> Value:
        walk = self._walk
        for slot, shapes in shape.slots:
            parts = [self._shape(one, made, f"{role}{slot}{number}") for number, one in enumerate(shapes)]
            walk.state = walk.now().with_slot(held, slot, NOTHING.union(*parts))
        return frozenset((held,))

    def _something(self, made: _Made, role: str) -> Value:
        """Something unknown: maybe what the function was given."""
        walk = self._walk
        value = walk.unknown(made.node, role=role)
        given = [thing for held in made.bound.values() for thing in walk.tensors_within(held)]
        born = walk.regions_of(given)
        for thing in tensors(value) if born else ():
            walk.mark_born(thing, born)
        return value


def _only_reads(definition: Definition, summary: Summary) -> bool:
    """Whether a function trains nothing and gives back numbers: what it computes is for them alone.

    A constructor gives an object, which may hold what it was given.
    """
    trains = summary.trains or summary.enables
    return definition.name != "__init__" and not trains and all(map(_is_plain, summary.returns))


def _is_plain(shape: Shape) -> bool:
    if isinstance(shape, ContainerShape):
        return all(_is_plain(part) for _, parts in shape.slots for part in parts)
    return isinstance(shape, PlainShape)


def _gives_tensor(shapes: tuple[Shape, ...]) -> bool:
    return any(not isinstance(shape, PlainShape) for shape in shapes)
