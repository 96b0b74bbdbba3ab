"""One walk over one unit: the state as it moves, what was heard, and what is written down for callers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from torchlint.flow import gathered
from torchlint.flow.between import made_key, older
from torchlint.flow.domain import Grad, GradMode, Mode, Sensitivity
from torchlint.flow.events import (
    DEPENDING_ON_CALLERS,
    OF_WRITES,
    EnterRegion,
    Event,
    Forward,
    Graphed,
    Read,
    Region,
    Site,
)
from torchlint.flow.records import Call, Evidence, Followed, Loop, Records
from torchlint.flow.state import State, TensorFacts
from torchlint.flow.summary import Path
from torchlint.flow.things import (
    NOTHING,
    WIDEST,
    Container,
    Instance,
    Module,
    Opaque,
    Tensor,
    Thing,
    Things,
    Value,
    sorted_things,
)
from torchlint.flow.waiting import Waiting

if TYPE_CHECKING:
    import libcst as cst

    from torchlint.definitions import Definition
    from torchlint.flow.file import FileFlow
    from torchlint.units import Unit


class Walk:
    """What every part of the engine shares while one unit is walked."""

    def __init__(
        self,
        file: FileFlow,
        unit: Unit,
        evidence: Evidence,
        grad_mode: GradMode,
        listener: Callable[[Event], None] | None,
    ) -> None:
        self.file = file
        self.unit = unit
        self.played = unit  # the unit of the nodes that are being walked: this one, or one that is called
        self.evidence = evidence
        self.things = Things()
        self.records = Records()
        self.state: State | None = State.empty(grad_mode)
        self.rehearsing = 0 if listener else 1
        self.joining = 0  # loops around that are walked with joined rounds
        self.questions: set[str] = set()  # conditions that have chosen the mode of a module
        self.loops: list[Loop] = []  # these loops, the innermost last
        self.round_depth = 0  # loops around that are played round by round
        # Of loops that are played round by round: only writes are told, or all but writes.
        self.hears_writes: bool | None = None
        self.outer_names: set[str] = set()  # declared global or nonlocal in what is being walked
        self.makers: dict[Thing, Module] = {}  # which module of unknown class gave a result
        self.called_names: dict[Thing, set[str]] = {}  # the local names that a module was bound to
        self.turn = 0  # counts evaluations of expressions
        self.made: dict[Thing, int] = {}  # the turn in which a tensor was made last
        self.known_regions: list[Region] = []
        self.bound: dict[cst.CSTNode, str] = {}  # the name that a value is bound to; "" for a statement alone
        self.guessed: set[Site] = set()  # operations of which nobody knows whether they carry a graph
        self.refused: set[Site] = set()  # writes that torch refuses
        # A module's forward or constructor: its callers decide about gradients, and have them on somewhere.
        self.begins_graded = False
        self._listener = listener
        self.probe: Callable[[cst.CSTNode], None] | None = None  # asked after each statement that is told
        self.calls: list[Call] = []  # functions of the source that are being played where they are called
        self.label = ""  # what messages say for the part of a module that is running
        self.waiting = Waiting(self)
        self.followed: Followed | None = None
        self._sites: dict[object, Site] = {}
        self.reached: dict[object, Site] = {}  # eval() calls of functions that are not played
        self.ran_at: dict[Site, set[Module]] = {}  # modules that ran with gradients
        self._texts: dict[cst.CSTNode, str] = {}

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Nothing is told while this lasts."""
        self.rehearsing += 1
        yield
        self.rehearsing -= 1

    @contextmanager
    def within(self, step: object, call: Call | None = None, *, label: str = "") -> Iterator[None]:
        """What is made while this lasts is made in a round of a loop, in a call, or by a part of a module.

        `label` is what messages say for that part.
        """
        outside, labelled, played = self.things.context, self.label, self.played
        self.things.context = (*outside, step)
        self.label = label
        if call is not None:
            self.calls.append(call)
            self.played = call.unit
        yield
        if call is not None:
            self.calls.pop()
        self.things.context, self.label, self.played = outside, labelled, played

    @contextmanager
    def hearing(self, *, writes: bool) -> Iterator[None]:
        """Either only writes in place are told while this lasts, or all but these."""
        outside = self.hears_writes
        nothing = outside is not None and outside is not writes
        self.hears_writes = writes
        self.rehearsing += nothing
        yield
        self.rehearsing -= nothing
        self.hears_writes = outside

    def tell(self, event: Event) -> None:
        """Let the rules hear an event, unless this is a rehearsal.

        Of what happens in a function that is called, a caller tells only what depends on it.
        """
        if self.calls and not isinstance(event, DEPENDING_ON_CALLERS):
            return
        self.records.eventful |= isinstance(event, EnterRegion | Forward | Graphed | Read)
        if self.hears_writes is not None and self.hears_writes is not isinstance(event, OF_WRITES):
            return
        if not self.rehearsing and self._listener is not None:
            self.waiting.hear(event)
            self._listener(event)

    @property
    def knows_regions(self) -> bool:
        """Whether the regions here are those of the unit, its nested functions included.

        What becomes of the results of other functions, those ask who hold the region (`fates`).
        """
        return all(call.definition is None for call in self.calls)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """The rounds of a loop are walked as one while this lasts."""
        self.joining += 1
        self.loops.append(Loop(self.now(), self.now(), self.turn, len(self.calls)))
        yield
        self.loops.pop()
        self.joining -= 1

    def begin_round(self, head: State) -> None:
        """Another round of the innermost loop begins with this state."""
        self.state = head
        self.turn += 1
        self.loops[-1].begin(head, self.turn)

    def now(self) -> State:
        """The state, where the walk has made sure that a path arrives."""
        assert self.state is not None
        return self.state

    def join_with(self, state: State | None) -> None:
        """Another path comes together with this one."""
        if self.state is None:
            self.state = state
        elif state is not None:
            self.state = self.state.join(state)

    def site(self, node: cst.CSTNode) -> Site:
        """The site of a node of this unit, or of one that is called, as it is reached now."""
        key = (node, self.things.context) if self.things.context else node
        site = self._sites.get(key)
        if site is None:
            caller = self.calls[0].site if self.calls else None
            calls = tuple(call.node for call in self.calls)
            site = Site(self.played, node, caller, self.label, calls, serial=len(self._sites))
            self._sites[key] = site
        return site

    def read(self, node: cst.CSTNode) -> Site:
        """The site of a node, in whatever round of a loop and by whatever call it is reached."""
        site = self._sites.get(node)
        if site is None:
            site = self._sites[node] = Site(self.played, node, serial=len(self._sites))
        return site

    def own(self, site: Site) -> Site:
        """The site in its own unit, whatever call led to it."""
        if site.caller is None:
            return site
        key = (site.node, "own", site.label)
        if key not in self._sites:
            own = Site(site.unit, site.node, None, site.label, called=True, serial=len(self._sites))
            self._sites[key] = own
        return self._sites[key]

    def text(self, node: cst.CSTNode) -> str:
        """The source text of a node, for messages."""
        text = self._texts.get(node)
        if text is None:
            text = self._texts[node] = " ".join(self.played.text(node).split())
        return text

    def place(self, thing: Thing, place: str) -> str:
        """How the unit spells what a function writes that it calls: the argument that is or holds it."""
        if not self.calls or self.rehearsing:
            return place
        call = self.calls[0]
        facts = self.now().tensor(thing)
        wanted = {thing} | facts.storages | facts.behind
        for name, value in call.bound.items():
            held = {part for item in value for part in (item, *self.now().tensor(item).storages)}
            if not wanted.isdisjoint(held):
                argument = spelled(call.definition, name, call.node) if call.definition is not None else None
                if argument is not None:
                    return " ".join(call.site.unit.text(argument).split())
        return place

    def named(self, thing: Thing) -> str:
        """How messages name a module, or a parameter of one."""
        holder = thing.holder if isinstance(thing, Tensor) else None
        if holder is not None:
            last = "parameters()" if isinstance(thing, Tensor) and thing.every else thing.place
            return f"{self.named(holder)}.{last.rpartition('.')[2]}"
        if thing.place:
            return thing.place
        names = self.called_names.get(thing)
        if names:
            return min(names)
        for holder, slot, value in self.now().stored():
            if thing in value and isinstance(holder, Module):
                return f"{self.named(holder)}{slot}"
        return thing.built.text if isinstance(thing, Module) and thing.built is not None else "module"

    def opaque(self, key: object, place: str = "", parent: Thing | None = None) -> Thing:
        """An unknown thing, or the module that its later use showed it to be."""
        key = self.things.named(key)
        if key in self.evidence.modules and key not in self.evidence.factories:
            return self.module(key, place, parent=parent)
        return self.things.make(Opaque, key, place, parent=parent)

    def unknown(self, node: cst.CSTNode, place: str = "", role: str = "") -> Value:
        """A fresh unknown thing, named by the node that made it, born in the regions around."""
        thing = self.opaque((node, role), place)
        if not isinstance(thing, Module):
            grad = Grad.UNKNOWN
            if thing.key in self.evidence.graphs and not self.now().grad_mode.surely_off:
                grad = Grad.YES
            elif self.now().grad_mode.surely_off:
                grad = Grad.NO
            sources = frozenset((thing,)) if grad is Grad.UNKNOWN else frozenset()
            nodes = frozenset((self.site(node),)) if grad is Grad.YES else frozenset()
            facts = TensorFacts(grad, frozenset((thing,)), nodes, born=self.now().born, sources=sources)
            self.made[thing] = self.turn
            state = self.now()
            if state.graph.savers.get(thing) and type(thing) is Opaque:  # that of the round before
                state = state.with_graph(state.graph.retire(thing, older(self, thing)))
            self.state = state.with_tensor(thing, facts)
        return frozenset((thing,))

    def widen(self, values: Iterable[Value], node: cst.CSTNode, role: str = "wide") -> Value:
        """The union of values; where it would grow too wide one unknown thing, born where any of them was."""
        union: Value = NOTHING.union(*values)
        if len(union) <= WIDEST:
            return union
        thing = self.opaque((node, role))
        if self.state is not None and not isinstance(thing, Module):
            self.mark_born(thing, self.regions_of(tensors(union)))
        return frozenset((thing,))

    def regions_of(self, made: Iterable[Thing]) -> frozenset[Region]:
        """The regions in which any of these was born."""
        return frozenset().union(*(self.now().tensor(thing).born for thing in made))

    def mark_born(self, thing: Thing, regions: frozenset[Region]) -> None:
        """A tensor counts as born in these regions, too."""
        facts = self.now().tensor(thing)
        facts = replace(facts, born=facts.born | regions, derived=facts.derived - regions)
        self.state = self.now().with_tensor(thing, facts)

    def module(self, key: object, place: str, *, parent: Thing | None = None, owned: bool = False) -> Module:
        """A module of unknown class that nobody built here."""
        if isinstance(parent, Module):
            owned = owned or parent.owned
        cls = self.evidence.classes.get(key)
        sensitivity = self.file.classes.sensitivity(cls) if cls is not None else Sensitivity.UNKNOWN
        return self.things.make(
            Module, key, place, cls, cls=cls, sensitivity=sensitivity, parent=parent, owned=owned
        )

    def believe_module(self, thing: Thing) -> None:
        """Its use shows what was loaded, or is unknown, to be a module; the next walk knows it at once."""
        if isinstance(thing, Opaque | Tensor):
            self.evidence.modules.add(made_key(thing))

    def believe_graph(self, thing: Thing) -> None:
        """backward was called on it, so it carries a graph; the next walk knows it from the start."""
        seen: set[Thing] = set()
        stack = [thing]
        while stack:
            part = stack.pop()
            if part in seen:
                continue
            seen.add(part)
            facts = self.now().tensor(part)
            if isinstance(part, Opaque | Tensor) and facts.grad is not Grad.NO:
                self.evidence.graphs.add(made_key(part))
            stack.extend(facts.parts)

    def grads_are_on(self) -> bool:
        """Whether gradients are on for sure: switched on here, or shown by what the unit does."""
        mode = self.now().grad_mode
        shown = self.evidence.trains or self.begins_graded
        return mode is GradMode.ENABLED or (mode.surely_on and shown)

    def set_mode(self, module: Module, mode: Mode, site: Site | None) -> None:
        """A module, and with it everything that it holds, goes into a mode."""
        for part in self.parts(module):
            self.state = self.now().with_module(part, self.now().module(part).switched(mode, site))
        for other in gathered.others(self, module):
            self.state = self.now().with_module(other, self.now().module(other).switched(Mode.UNKNOWN, None))

    def holds(self, module: Module, other: Thing) -> bool:
        """Whether a module is another one, or holds it."""
        return other is module or _held_by(other, module) or other in self.parts(module)

    def tensors_within(self, value: Value, *, but: Value = frozenset()) -> list[Thing]:
        """What is or may be a tensor of a value, and of the containers in it to any depth, `but` for some."""
        found: list[Thing] = []
        seen: set[Thing] = set(but)
        stack = list(value)
        while stack:
            thing = stack.pop()
            if thing in seen:
                continue
            seen.add(thing)
            if isinstance(thing, Tensor | Opaque):
                found.append(thing)
            elif isinstance(thing, Container | Instance):
                stack.extend(inner for held in self.now().slots(thing).values() for inner in held)
        return found

    def parts(self, module: Module) -> list[Thing]:
        """A module and the modules in it: its attributes, and what was handed to its constructor."""
        found: list[Thing] = [module]
        state = self.now()
        for thing in found:
            for value in state.slots(thing).values():
                found.extend(
                    part for part in sorted_things(value) if isinstance(part, Module) and part not in found
                )
        found.extend(
            other for other, _ in state.modules.items() if other not in found and _held_by(other, module)
        )
        return found


def path_of(thing: Thing) -> Path | None:
    """Where the caller sees a thing; None for what was made here."""
    key = thing.key
    return key[1] if isinstance(key, tuple) and len(key) == 2 and key[0] == "entry" else None


def tensors(value: Value) -> list[Thing]:
    """The things of a value that are or may be tensors."""
    return [thing for thing in value if isinstance(thing, Tensor | Opaque)]


def spelled(definition: Definition, name: str, node: cst.Call) -> cst.BaseExpression | None:
    """The expression that a call hands over for a parameter."""
    for argument in node.args:
        if argument.keyword is not None and argument.keyword.value == name:
            return argument.value
    names = definition.parameters
    if definition.owner is not None and not definition.is_static:
        names = names[1:]
    if name in names and names.index(name) < len(node.args):
        return node.args[names.index(name)].value
    return None


def _held_by(thing: Thing, holder: Module) -> bool:
    while isinstance(thing, Module | Opaque) and thing.parent is not None:
        thing = thing.parent
        if thing is holder:
            return True
    return False
