"""The flow of one source: which units are walked, in which order, and what they tell each other.

A unit is walked silently first: that gives evidence (what later use says of earlier things) and
its summary. Then it is played once, after its callers, so that what they set up is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from torchlint.flow.autograd import Autograd
from torchlint.flow.calls import Calls
from torchlint.flow.classes import Classes
from torchlint.flow.domain import Grad, GradMode, Sensitivity
from torchlint.flow.events import Event, LeaveRegion, LeaveUnit
from torchlint.flow.interpreter import Interpreter
from torchlint.flow.pauses import NO_PAUSE
from torchlint.flow.places import Places
from torchlint.flow.state import ModuleFacts, State, TensorFacts
from torchlint.flow.summary import (
    UNKNOWN_SUMMARY,
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
    UnknownShape,
    settles,
)
from torchlint.flow.things import Container, Instance, Module, Opaque, Plain, Scalar, Tensor, Thing, Value
from torchlint.flow.values import Values
from torchlint.flow.walk import Evidence, Records, Walk, path_of
from torchlint.names import ImportMap
from torchlint.skeleton import Definition, Skeleton, dotted
from torchlint.units import Unit, Units

if TYPE_CHECKING:
    import libcst as cst

Listener = Callable[[Event], None]
Probe = Callable[[Walk, Values, "cst.CSTNode"], None]

_MOST_WALKS = 3  # evidence that needs a third walk to show itself is rare, and its lack only silences
_DEEPEST = 12  # summaries of callees of callees; what lies deeper is unknown
_MOST_CALLERS = 24  # of one function: what a function with more is given, nobody can say shortly


class FileFlow:
    """All units of one source, their summaries, and what callers have set up."""

    def __init__(self, skeleton: Skeleton, units: Units) -> None:
        self.skeleton = skeleton
        self.imports = ImportMap(skeleton)
        self.classes = Classes(skeleton, self.imports)
        self._units = units
        self._evidence: dict[str, Evidence] = {}
        self._records: dict[str, Records] = {}
        self._summaries: dict[str, Summary] = {}
        self._contexts: dict[str, Context] = {}
        self._reading: list[str] = []
        self._playable: dict[str, bool] = {}

    def summary(self, qualname: str) -> Summary:
        """The summary of a function; of one that is being read just now, and so calls itself: unknown."""
        known = self._summaries.get(qualname)
        if known is None and len(self._reading) >= _DEEPEST:
            return UNKNOWN_SUMMARY
        if known is None:
            self._summaries[qualname] = UNKNOWN_SUMMARY
            self._reading.append(qualname)
            known = self._summaries[qualname] = self._summarize(qualname)
            self._reading.pop()
        return known

    def unit(self, qualname: str) -> Unit:
        """The parsed unit of a function."""
        return self._units.unit(qualname)

    def is_playable(self, definition: Definition) -> bool:
        """Whether the body of a function can be walked in the place of a call."""
        known = self._playable.get(definition.qualname)
        if known is None:
            known = self._playable[definition.qualname] = definition.is_playable
        return known

    def called(self, qualname: str, context: Context) -> None:
        """A caller was played up to a call of this function."""
        known = self._contexts.get(qualname)
        self._contexts[qualname] = context if known is None else known.join(context)

    def believe_module(self, qualname: str, path: Path, module: Module) -> None:
        """A caller hands a module to this function; where all hand over one class, its layers are known."""
        evidence, key = self._evidence[qualname], ("entry", path)
        evidence.modules.add(key)
        cls = module.cls if self.classes.outline(module.cls) is not None else None
        evidence.classes[key] = cls if evidence.classes.get(key, cls) == cls else None

    def mentions(self, owner: str, word: str) -> bool:
        """Whether a word stands in a method of a class of this source."""
        methods = [method for outline in self.classes.lineage(owner) for method in outline.methods.values()]
        return any(word in self._units.text(method.qualname) for method in methods)

    def trains(self, name: str) -> bool:
        """Whether any unit of this source runs backward through a module of this name."""
        for qualname in unit_names(self.skeleton):
            text = self._units.text(qualname)
            if name and "backward" in text and name in text:
                self.summary(qualname)
                if name in self._records[qualname].trained:
                    return True
        return False

    def order(self, wanted: Iterable[str], *, every: bool = False) -> list[str]:
        """The units to play for these: callers before what they call, where the callee asks.

        Unless `every` is wanted, those in which no rule could hear anything are left out.
        """
        ordered: list[str] = []
        seen: set[str] = set()
        asked: set[str] = set()

        def visit(qualname: str) -> None:
            if qualname in seen:
                return
            seen.add(qualname)
            for caller in self._callers(qualname):
                asked.add(caller)
                visit(caller)
            ordered.append(qualname)

        for qualname in wanted:
            visit(qualname)
        return [name for name in ordered if every or name in asked or self._records[name].eventful]

    def play(self, qualname: str, listener: Listener, probe: Probe | None = None) -> None:
        """Walk a unit aloud; `probe` is asked after each of its statements."""
        self.summary(qualname)
        definition = self.skeleton.definitions.get(qualname)
        context = self._contexts.get(qualname)
        grad_mode = context.grad_mode if context is not None else GradMode.CALLER
        if definition is None:
            grad_mode = GradMode.ENABLED
        walk = Walk(self, self._units.unit(qualname), self._evidence[qualname], grad_mode, listener)
        self._walk(walk, definition, self._entry_facts(qualname, definition, context), probe)
        walk.tell(LeaveUnit())

    def _callers(self, qualname: str) -> list[str]:
        summary = self.summary(qualname)
        records = self._records.get(qualname)
        asks = (
            summary.asks
            or summary.writes
            or summary.hidden_writes
            or (records is not None and records.asks_grad_mode)
        )
        if not qualname or not asks:
            return []
        name = qualname.rpartition(".")[2]
        callers = [caller for caller in self.skeleton.call_sites.get(name, ()) if caller != qualname]
        return callers if len(callers) <= _MOST_CALLERS else []

    def _summarize(self, qualname: str) -> Summary:
        unit = self._units.unit(qualname)
        definition = self.skeleton.definitions.get(qualname)
        evidence = self._evidence[qualname] = Evidence()
        for _ in range(_MOST_WALKS):
            before = evidence.size()
            walk = Walk(self, unit, evidence, GradMode.CALLER, None)
            self._walk(walk, definition, ())
            if evidence.size() == before:
                break
        self._records[qualname] = walk.records
        if definition is None or definition.is_abstract:
            return UNKNOWN_SUMMARY
        return _summary_of(definition, walk)

    def _walk(
        self,
        walk: Walk,
        definition: Definition | None,
        facts: Iterable[tuple[Path, ModuleFacts]],
        probe: Probe | None = None,
    ) -> None:
        autograd = Autograd(walk)
        places = Places(walk, autograd)
        values = Values(walk, autograd, places)
        calls = Calls(walk, autograd, places, values)
        interpreter = Interpreter(walk, values)
        values.calls = calls
        values.displays.interpreter = calls.closures.interpreter = interpreter
        if probe is not None:
            walk.probe = lambda node: probe(walk, values, node)
        if definition is not None:
            owner = definition.owner or ""
            begins = definition.name in ("forward", "__init__")
            walk.begins_graded = begins and self.classes.is_module(owner)
            self._begin(walk, places, definition)
        for path, known in facts:
            self._set_up(walk, places, path, known)
        unit = walk.unit
        region = calls.switches.decorated(unit.function) if unit.function is not None else None
        if region is not None:
            calls.switches.cover(region)
        end = interpreter.run(unit.body)
        calls.closures.tell_all(end)
        if region is not None:
            walk.tell(LeaveRegion(region))

    def _begin(self, walk: Walk, places: Places, definition: Definition) -> None:
        names = (*definition.parameters, *definition.keyword_parameters)
        for position, name in enumerate(names):
            thing = self._parameter(walk, places, definition, position, name)
            walk.state = walk.now().with_name(name, frozenset((thing,)))
            if thing.key in walk.evidence.graphs and not isinstance(thing, Module):
                walk.state = walk.now().with_tensor(thing, TensorFacts(Grad.YES, frozenset((thing,))))

    def _parameter(
        self, walk: Walk, places: Places, definition: Definition, position: int, name: str
    ) -> Thing:
        key = ("entry", (name,))
        owner = definition.owner
        if position == 0 and owner is not None and not definition.is_static and name in ("self", "model"):
            if self.classes.is_module(owner):
                sensitivity = self.classes.sensitivity(owner)
                return walk.things.make(
                    Module, key, name, cls=owner, sensitivity=sensitivity, owned=True, parameters=True
                )
            return walk.things.make(Instance, key, name, cls=owner)
        annotation = definition.annotation(name)
        if annotation is not None:
            if annotation in self.skeleton.classes and self.classes.is_module(annotation):
                sensitivity = self.classes.sensitivity(annotation)
                return walk.things.make(Module, key, name, cls=annotation, sensitivity=sensitivity)
            if (self.imports.resolve(annotation) or "").startswith("torch.nn."):
                return walk.things.make(Module, key, name, sensitivity=Sensitivity.UNKNOWN)
        return places.entry((name,), name)

    def _entry_facts(
        self, qualname: str, definition: Definition | None, context: Context | None
    ) -> list[tuple[Path, ModuleFacts]]:
        facts = list(context.modules) if context is not None else []
        known = {path for path, _ in facts}
        for path in sorted(self.summary(qualname).asks - known):
            if definition is not None and definition.owner is not None and path[0] == "self":
                rest = self._at_rest(definition.owner, path)
                if rest is not None:
                    facts.append((path, rest))
        return facts

    def _at_rest(self, owner: str, path: Path) -> ModuleFacts | None:
        """The mode in which the methods of a class leave a module that they hold."""
        rest: ModuleFacts | None = None
        for outline in self.classes.lineage(owner):
            for method in outline.methods.values():
                text = self._units.text(method.qualname)
                if method.name != "__init__" and ".train(" not in text and ".eval(" not in text:
                    continue
                summary = self.summary(method.qualname)
                left = dict(summary.modes).get(path)
                built = dict(summary.stored).get(path)
                for facts in (left, built.facts if isinstance(built, ModuleShape) else None):
                    if facts is not None and settles(facts):
                        rest = facts if rest is None else rest.join(facts)
        return replace(rest, pause=NO_PAUSE) if rest is not None else None  # in which order, nobody knows

    def _set_up(self, walk: Walk, places: Places, path: Path, facts: ModuleFacts) -> None:
        head, *slots = path
        known = walk.now().names.get(head) or frozenset()
        value = places.name(head[2:]) if head.startswith("::") else known
        for slot in slots:
            value = frozenset().union(*(places.slot(thing, slot) for thing in value))
        for thing in value:
            if isinstance(thing, Module):
                walk.state = walk.now().with_module(thing, facts)


def _summary_of(definition: Definition, walk: Walk) -> Summary:
    records, end = walk.records, walk.state
    if end is None:
        return Summary(asks=frozenset(records.asks), runs=records.all_runs())
    returns: tuple[Shape, ...] = (PlainShape(Plain.NONE),)
    if records.yields:
        returns = (UnknownShape(),)
    elif records.returned:
        returns = _shapes(records.returned, end, walk, depth=0)
    return Summary(
        returns,
        _modes(end),
        _stored(end),
        records.all_runs(),
        frozenset(records.asks),
        frozenset(records.writes),
        frozenset(records.hidden_writes),
        frozenset(records.tracked_writes),
        frozenset(records.saves),
        frozenset(records.backwards),
        frozenset(records.logs),
        frozenset(records.keeps),
        records.updates,
        _modes(records.yielded) if records.yielded is not None and _is_context(definition) else None,
        records.enables,
        frozenset(records.steps),
        records.builds_graphs,
    )


def _is_context(definition: Definition) -> bool:
    return any(
        (dotted(item) or "").rpartition(".")[2] == "contextmanager" for item in definition.node.decorator_list
    )


def _modes(state: State) -> tuple[tuple[Path, ModuleFacts], ...]:
    """The modes of the caller's modules, as far as they were set."""
    modes = [
        (path, facts)
        for thing, facts in state.modules.items()
        if (path := path_of(thing)) is not None and (settles(facts) or facts.frozen)
    ]
    return tuple(sorted((*modes, *_kept(state)), key=lambda item: item[0]))


def _kept(end: State) -> Iterator[tuple[Path, ModuleFacts]]:
    """The modes of modules that were handed in and are now held by something else of the caller's."""
    for holder, slot, value in end.stored():
        path = path_of(holder)
        for thing in value if path is not None else ():
            if isinstance(thing, Module) and thing.built is None and settles(end.module(thing)):
                assert path is not None
                yield (*path, slot), end.module(thing)


def _stored(end: State) -> tuple[tuple[Path, Shape], ...]:
    """What the function leaves in attributes of its caller's things: modules it built, or its arguments."""
    stored: list[tuple[Path, Shape]] = []
    for holder, slot, value in end.stored():
        path = path_of(holder)
        if path is None or len(value) != 1:
            continue
        (thing,) = value
        if isinstance(thing, Module) and thing.built is not None:
            stored.append(((*path, slot), _module_shape(thing, end)))
        elif (source := path_of(thing)) is not None and source != (*path, slot):
            stored.append(((*path, slot), SamePlace(source)))
    return tuple(stored)


def _module_shape(thing: Module, end: State) -> ModuleShape:
    return ModuleShape(thing.cls, thing.sensitivity, thing.parameters, end.module(thing))


def _shapes(value: Value, end: State, walk: Walk, *, depth: int) -> tuple[Shape, ...]:
    shapes = {_shape(thing, end, walk, depth=depth) for thing in value}
    return tuple(sorted(shapes, key=repr))


def _shape(thing: Thing, end: State, walk: Walk, *, depth: int) -> Shape:
    path = path_of(thing)
    if path is not None:
        return SamePlace(path)
    match thing:
        case Module():
            return _module_shape(thing, end) if thing.built is not None else UnknownShape()
        case Tensor():
            facts = end.tensor(thing)
            sources = frozenset(source for item in facts.sources if (source := path_of(item)) is not None)
            modules = frozenset(source for item in facts.modules if (source := path_of(item)) is not None)
            return TensorShape(facts.grad, sources, modules)
        case Scalar():
            return PlainShape(thing.kind)
        case Instance(cls=str() as cls):
            return InstanceShape(cls)
        case Container() if depth < 2:
            slots = tuple(
                (slot, _shapes(held, end, walk, depth=depth + 1)) for slot, held in end.slots(thing).items()
            )
            return ContainerShape(thing.kind, tuple(sorted(slots)))
        case Opaque() if thing.key in walk.evidence.graphs:
            return TensorShape(Grad.YES, frozenset(), frozenset())
    return UnknownShape()


def unit_names(skeleton: Skeleton) -> list[str]:
    """Every unit of a source: the module level, then the definitions in order."""
    return ["", *skeleton.definitions]
