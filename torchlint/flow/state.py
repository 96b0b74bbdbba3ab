"""What is known at one point of one unit: places -> things -> facts. Never changed, only joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from torchlint.flow.domain import Creation, Grad, GradMode, Mode, Sensitivity
from torchlint.flow.events import Asked, Origin, Region, Site
from torchlint.flow.graph import Graph, Sites, Write
from torchlint.flow.memory import WHOLE, Window
from torchlint.flow.pauses import NO_PAUSE, Pause
from torchlint.flow.persistent import PersistentMap
from torchlint.flow.things import Module, Opaque, Tensor, Thing, Value


class Chosen(NamedTuple):
    """The modes that a condition has chosen for a module: a question about a value."""

    question: str
    value: Value
    holds: Mode
    fails: Mode


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """The mode of a module; `explicit` when train() was called, not only a fresh module built.

    `sensitivity` is what the caller knows of a module whose class is out of sight here; `stepped`
    when backward has run through it outside evaluation mode; `pause` what set evaluation mode;
    `chosen` what has chosen the mode.
    """

    mode: Mode
    trained_at: Site | None = None
    explicit: bool = False
    frozen: bool = False
    sensitivity: Sensitivity = Sensitivity.UNKNOWN
    stepped: bool = False
    pause: Pause = NO_PAUSE
    chosen: Chosen | None = None

    def switched(self, mode: Mode, site: Site | None) -> ModuleFacts:
        """The same module after it was put into a mode at a site; None where a stranger may have done it."""
        trains = Mode.TRAIN in mode
        pause = NO_PAUSE
        if mode is Mode.EVAL and site is not None:
            before = self.pause if self.mode is Mode.EVAL else NO_PAUSE
            pause = before.begun(site, resumes=self.stepped)
        return replace(
            self, mode=mode, trained_at=site if trains else None, explicit=trains, pause=pause, chosen=None
        )

    def join(self, other: ModuleFacts) -> ModuleFacts:
        """What either may be."""
        return ModuleFacts(
            self.mode | other.mode,
            self.trained_at or other.trained_at,
            self.explicit or other.explicit,
            self.frozen or other.frozen,
            self.sensitivity if self.sensitivity is other.sensitivity else Sensitivity.UNKNOWN,
            self.stepped or other.stepped,
            self.pause.join(other.pause),
            self.chosen if self.chosen == other.chosen else None,
        )


@dataclass(frozen=True, slots=True)
class Made:
    """How a view was made that must not be written, where, and what had been written last by then.

    Once its base is written, autograd refuses to use it as well.
    """

    creation: Creation
    site: Site
    after: frozenset[Write]
    cut: bool = False  # made without gradients, so it has no part in the graph of its base

    def join(self, other: Made | None) -> Made | None:
        """What both say; where only the time differs, the later one."""
        if other is None or (self.creation, self.site) != (other.creation, other.site):
            return None
        return replace(self, after=self.after | other.after)


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """What a tensor carries.

    `storages` it may lie in, `nodes` that made it, `born` the regions it was created in,
    `sources` the unknown things whose grad decides where `grad` is unknown, `parts` the
    tensors that a loss was summed from, `modules` whose results are in it, `leaf` when it was
    made to require grad, not by an operation, `made` how a view was made that must not be
    written, `behind` the storages whose memory it shares without their version, `family` the
    tensors that it is a view of; empty where it is none; `window` the part of its storage that
    it shows, `spread` the operation that repeated its elements without copying them, `sizes`
    where they are literals; `guessed` where it requires grad as a part of something that does;
    `inference` where it was made, if it is surely an inference tensor, or would surely be one where callers
    have the mode on; empty where it may be none.
    `forwards` where the modules ran whose results are in it; `derived` those of the regions in `born` that
    it was computed from where they were over: it is a tensor as any other then.
    """

    grad: Grad
    storages: frozenset[Thing]
    nodes: Sites = frozenset()
    born: frozenset[Region] = frozenset()
    sources: frozenset[Thing] = frozenset()
    parts: frozenset[Thing] = frozenset()
    modules: frozenset[Module] = frozenset()
    leaf: bool = False
    made: Made | None = None
    behind: frozenset[Thing] = frozenset()
    family: frozenset[Thing] = frozenset()
    window: Window | None = WHOLE
    spread: Site | None = None
    sizes: tuple[object, ...] | None = None
    guessed: bool = False
    inference: frozenset[Origin] = frozenset()
    forwards: Sites = frozenset()
    derived: frozenset[Region] = frozenset()

    @property
    def bases(self) -> frozenset[Thing]:
        """The tensors whose history is its own: what it is a view of, or its storages: itself."""
        return self.family or self.storages

    def join(self, other: TensorFacts) -> TensorFacts:
        """What either may be."""
        return TensorFacts(
            self.grad | other.grad,
            self.storages | other.storages,
            self.nodes | other.nodes,
            self.born | other.born,
            self.sources | other.sources,
            self.parts | other.parts,
            self.modules | other.modules,
            self.leaf and other.leaf,
            self.made.join(other.made) if self.made is not None else None,
            self.behind | other.behind,
            self.bases | other.bases if self.family or other.family else frozenset(),
            self.window if self.window == other.window else None,
            self.spread if self.spread is other.spread else None,
            self.sizes if self.sizes == other.sizes else None,
            self.guessed and other.guessed,
            self.inference | other.inference if self.inference and other.inference else frozenset(),
            self.forwards | other.forwards,
            (self.derived | other.derived) - (self.born - self.derived) - (other.born - other.derived),
        )


UNSET = ModuleFacts(Mode.CALLER)


@dataclass(frozen=True, slots=True)
class Around:
    """What else holds at one point because of the `with` statements and decorators around it.

    `inferring`: the regions of inference_mode that may be the innermost one; None where there is
    none, empty where callers have one; the callers are asked where nobody knows them yet. `casting`:
    autocast may be on, which hands many operations copies. `expecting`: what raises here is meant to,
    as under `pytest.raises`.
    """

    inferring: frozenset[Region | Asked | None] = frozenset((None,))
    casting: bool = False
    expecting: bool = False

    @property
    def surely_inferring(self) -> bool:
        """Whether inference_mode is on here, whoever calls."""
        return bool(self.inferring) and not self.inferring & {None, Asked.CALLERS}

    def join(self, other: Around) -> Around:
        """What either may be."""
        return Around(
            self.inferring | other.inferring,
            self.casting or other.casting,
            self.expecting or other.expecting,
        )


@dataclass(frozen=True, slots=True)
class State:
    """What is known at one point of one function; `with_…` gives a new one."""

    names: PersistentMap[str, Value]
    heap: PersistentMap[Thing, dict[str, Value]]  # attributes ".x" and elements "[0]" of each thing
    modules: PersistentMap[Thing, ModuleFacts]
    tensors: PersistentMap[Thing, TensorFacts]
    graph: Graph
    grad_mode: GradMode
    regions: tuple[Region, ...]
    around: Around = Around()

    @classmethod
    def empty(cls, grad_mode: GradMode) -> State:
        """Nothing known but the grad mode."""
        around = Around(frozenset()) if GradMode.INFERENCE in grad_mode else Around()
        return cls(
            PersistentMap(),
            PersistentMap(),
            PersistentMap(),
            PersistentMap(),
            Graph.empty(),
            grad_mode,
            (),
            around,
        )

    def with_name(self, name: str, value: Value) -> State:
        """A local name holds a value."""
        return self._with(names=self.names.set(name, value))

    def with_names(self, names: PersistentMap[str, Value]) -> State:
        """The local names hold this and nothing else."""
        return self._with(names=names)

    def with_slot(self, thing: Thing, slot: str, value: Value) -> State:
        """An attribute (".x") or element ("[0]", "[*]") of a thing holds a value."""
        return self._with(heap=self.heap.set(thing, {**self.slots(thing), slot: value}))

    def with_slots(self, thing: Thing, slots: dict[str, Value]) -> State:
        """A thing holds nothing but this."""
        return self._with(heap=self.heap.set(thing, slots))

    def with_module(self, module: Thing, facts: ModuleFacts) -> State:
        """A module is in this mode, whatever held before."""
        return self._with(modules=self.modules.set(module, facts))

    def with_tensor(self, tensor: Thing, facts: TensorFacts) -> State:
        """A tensor has these facts."""
        return self._with(tensors=self.tensors.set(tensor, facts))

    def with_graph(self, graph: Graph) -> State:
        """The graph has grown or was written."""
        return self if graph is self.graph else self._with(graph=graph)

    def with_switch(self, grad_mode: GradMode, regions: tuple[Region, ...]) -> State:
        """The grad mode and the regions around."""
        if self.grad_mode is grad_mode and self.regions == regions:
            return self
        return replace(self, grad_mode=grad_mode, regions=regions)

    def with_around(self, around: Around) -> State:
        """What else the statements around have switched."""
        return self if self.around == around else replace(self, around=around)

    def under(self, other: State) -> State:
        """The same under the switches of another point: a block is left, a function returns."""
        return self.with_switch(other.grad_mode, other.regions).with_around(other.around)

    def _with(
        self,
        *,
        names: PersistentMap[str, Value] | None = None,
        heap: PersistentMap[Thing, dict[str, Value]] | None = None,
        modules: PersistentMap[Thing, ModuleFacts] | None = None,
        tensors: PersistentMap[Thing, TensorFacts] | None = None,
        graph: Graph | None = None,
    ) -> State:
        """The same with other parts: what `dataclasses.replace` does, in a third of the time."""
        return State(
            self.names if names is None else names,
            self.heap if heap is None else heap,
            self.modules if modules is None else modules,
            self.tensors if tensors is None else tensors,
            self.graph if graph is None else graph,
            self.grad_mode,
            self.regions,
            self.around,
        )

    def slots(self, thing: Thing) -> dict[str, Value]:
        """What is stored in the attributes and elements of a thing; never changed."""
        return self.heap.get(thing) or {}

    def stored(self) -> Iterator[tuple[Thing, str, Value]]:
        """Everything that is stored: holder, slot, value."""
        for holder, slots in self.heap.items():
            for slot, value in slots.items():
                yield holder, slot, value

    def module(self, module: Thing) -> ModuleFacts:
        """The facts of a module: its own, else those of whatever holds it."""
        thing: Thing | None = module
        while thing is not None:
            facts = self.modules.get(thing)
            if facts is not None:
                return facts
            thing = thing.parent if isinstance(thing, Module | Opaque) else None
        return UNSET

    def tensor(self, thing: Thing) -> TensorFacts:
        """The facts of a tensor, or of an unknown thing taken for one."""
        facts = self.own(thing)
        if facts.grad is not Grad.YES and self.graph.histories:
            for base in facts.bases:
                history = self.graph.histories.get(base)
                if history is not None and history.grad:
                    sure = history.grad is Grad.YES or facts.grad is Grad.NO
                    facts = replace(facts, grad=history.grad if sure else facts.grad | history.grad)
        return facts

    def roots(self, facts: TensorFacts) -> Sites:
        """The operations that a tensor hangs on; not those of its base for a view made without gradients."""
        if facts.made is not None and facts.made.cut:
            return facts.nodes
        return self.graph.roots(facts.nodes, facts.bases)

    def own(self, thing: Thing) -> TensorFacts:
        """The facts of a tensor without what in-place operations on its base or other views did to it."""
        facts = self.tensors.get(thing)
        if facts is None:
            itself = frozenset((thing,))
            if isinstance(thing, Tensor) and thing.leaf:
                return TensorFacts(Grad.YES, itself)
            if isinstance(thing, Opaque) and isinstance(thing.parent, Opaque):
                held = self.own(thing.parent)
                return TensorFacts(
                    held.grad,
                    itself,
                    held.nodes,
                    held.born,
                    held.sources,
                    held.parts,
                    held.modules,
                    held.leaf,
                    forwards=held.forwards,
                )
            facts = TensorFacts(Grad.UNKNOWN, itself, sources=itself)
        return facts

    @property
    def born(self) -> frozenset[Region]:
        """The regions that a tensor made here is born in."""
        return frozenset(self.regions)

    def join(self, other: State) -> State:
        """What holds on either of two paths."""
        if self is other:
            return self
        shared = 0
        for mine, theirs in zip(self.regions, other.regions, strict=False):
            if mine != theirs:
                break
            shared += 1
        return State(
            self.names.join(other.names, _union),
            self.heap.join(other.heap, _merge),
            self._join_modules(other),
            self.tensors.join(other.tensors, TensorFacts.join),
            self.graph.join(other.graph),
            self.grad_mode | other.grad_mode,
            self.regions[:shared],
            self.around.join(other.around),
        )

    def _join_modules(self, other: State) -> PersistentMap[Thing, ModuleFacts]:
        def alone(thing: Thing, facts: ModuleFacts) -> ModuleFacts:
            # Built on one path only: there is nothing to join with. Else the other path has it
            # as its holder or its caller left it.
            if isinstance(thing, Module) and thing.built is not None and thing.parent is None:
                return facts
            lacking = other if self.modules.get(thing) is not None else self
            return facts.join(lacking.module(thing))

        return self.modules.join(other.modules, ModuleFacts.join, alone)


def join(states: list[State]) -> State | None:
    """The join of any number of paths; None when there is none: unreachable."""
    joined: State | None = None
    for state in states:
        joined = state if joined is None else joined.join(state)
    return joined


def _union(mine: Value, theirs: Value) -> Value:
    return mine | theirs


def _merge(mine: dict[str, Value], theirs: dict[str, Value]) -> dict[str, Value]:
    merged = dict(mine)
    for slot, value in theirs.items():
        merged[slot] = merged.get(slot, frozenset()) | value
    if len(merged) > len(mine) or len(merged) > len(theirs):
        # A list that has elements on one path only: how many there are is not known any more.
        for slot in merged.keys() - (mine.keys() & theirs.keys()):
            if slot[1:-1].isdigit():
                merged["[*]"] = merged.get("[*]", frozenset()) | merged.pop(slot)
    return merged
