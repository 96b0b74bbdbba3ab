"""A file whose walks are remembered from check to check: all that a walk may ask of it is traced.

See `tracing` for what that means. Here is what can be asked, by the names of who answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torchlint.flow.audience import Audience
from torchlint.flow.classes import Classes
from torchlint.flow.file import FileFlow, Listener, Probe
from torchlint.flow.records import Evidence, Followed, Records
from torchlint.flow.tracing import Memories, Question, Told, Tracer
from torchlint.names import ImportMap
from torchlint.units import Unit, Units

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.domain import GradMode
    from torchlint.flow.events import Region
    from torchlint.flow.neighbours import Found, Neighbours
    from torchlint.flow.state import ModuleFacts
    from torchlint.flow.summary import Context, Path, Summary
    from torchlint.flow.things import Module
    from torchlint.skeleton import Skeleton
    from torchlint.source import Source

_KEPT = 8  # checks in which nobody asks for a step before it is forgotten
_OF_CLASSES = (
    *("find", "is_in_sight", "outline", "lineage", "fields", "is_module", "is_opaque", "method", "attribute"),
    *("uses", "is_snapshot", "loaded", "fills_itself", "sensitivity", "is_buffer", "learns", "is_bare"),
    "leads_to",
)
_OF_IMPORTS = ("resolve", "starred", "__contains__")


class TracedFlow(FileFlow):
    """The flow of a file that changes: its steps are kept, and what only one check knows is not."""

    def __init__(
        self,
        tracer: Tracer,
        skeleton: Skeleton,
        source: Source,
        *,
        path: str,
        package: str | None,
        neighbours: Callable[[], Neighbours],
    ) -> None:
        self.tracer = tracer
        self.facts = 0  # counts the states of what this file declares
        self._imported = -1  # the one in which its imports are known
        self.memories: Memories = {}
        self._make_neighbours = neighbours
        self._inferring: frozenset[str] | None = None
        units = _Units(self, source, skeleton)
        super().__init__(
            _Skeleton(self, skeleton),  # type: ignore[arg-type]
            units,
            path=path,
            package=package,
            neighbours=_Neighbours(self, neighbours()),
        )
        self.declare()

    def change(self, source: Source, skeleton: Skeleton) -> None:
        """Go on with another text."""
        self.units.change(source, skeleton)
        self.skeleton = _Skeleton(self, skeleton)  # type: ignore[assignment]

    def declare(self) -> None:
        """Some file declares something else now: what was known of classes and imports may not hold."""
        if self._imported != self.facts:
            self.imports, self._imported = _Imports(self), self.facts
        self.neighbours = _Neighbours(self, self._make_neighbours())
        self.classes = _Classes(self)

    def begin(self, *, declared: bool) -> None:
        """Another check begins; `declared` where some text, but nothing that files declare has changed."""
        self._evidence, self._records, self._summaries, self._contexts = {}, {}, {}, {}
        self._playable, self._visited, self._heard = {}, set(), set()
        self._inferring = None
        if declared:
            # The outlines in them may be those of an older text.
            self.classes.look_again()  # type: ignore[attr-defined]
        else:
            self.declare()
        last = self.tracer.checks - _KEPT
        for key, known in list(self.memories.items()):
            used = tuple(memory for memory in known if memory.used >= last)
            if not used:
                del self.memories[key]
            elif len(used) < len(known):
                self.memories[key] = used

    def answer(self, kind: str, words: tuple[Any, ...]) -> Any:
        """Answer a question once more."""
        if kind == "follow":
            qualname, callee, region, make = words
            audience = make(region)
            return self.follow(qualname, audience, callee, region), audience.said()
        if kind == "inferring":
            return self.inferring
        asked: Any = self
        for name in kind.split("."):
            asked = getattr(asked, name)
        return asked(*words)

    def hear_again(self, kind: str, words: tuple[Any, ...]) -> None:
        """Be told once more what a walk had told."""
        getattr(super(), kind)(*words)

    @property
    def inferring(self) -> frozenset[str]:
        """As in any file."""

        def answer() -> frozenset[str]:
            if self._inferring is None:
                self._inferring = self._infers()
            return self._inferring

        found: frozenset[str] = self.tracer.asked(Question(self, "inferring", ()), answer)
        return found

    def summary(self, qualname: str) -> Summary:
        """As in any file."""
        plain = super().summary
        found: Summary = self.tracer.asked(Question(self, "summary", (qualname,)), lambda: plain(qualname))
        return found

    def mentions(self, owner: str, word: str) -> bool:
        """As in any file."""
        plain = super().mentions
        question = Question(self, "mentions", (owner, word))
        return bool(self.tracer.asked(question, lambda: plain(owner, word)))

    def evaluates_held(self, attribute: str) -> bool:
        """As in any file."""
        plain = super().evaluates_held
        question = Question(self, "evaluates_held", (attribute,))
        return bool(self.tracer.asked(question, lambda: plain(attribute)))

    def proceed(self) -> None:
        """As in any file."""
        self.tracer.stop()

    def length(self, definition: Definition) -> int:
        """As in any file."""
        question = Question(self, "length_of", (definition.qualname,))
        return int(self.tracer.asked(question, lambda: definition.length))

    def length_of(self, qualname: str) -> int | None:
        """The same of what a function has become; None where there is none of this name."""
        definition = self.skeleton.definitions.get(qualname)
        return definition.length if definition is not None else None

    def says_eval(self, qualname: str | None) -> bool:
        """As in any file."""
        plain = super().says_eval
        question = Question(self, "says_eval", (qualname,))
        return bool(self.tracer.asked(question, lambda: plain(qualname)))

    def trains(self, name: str) -> bool:
        """As in any file."""
        plain = super().trains
        return bool(self.tracer.asked(Question(self, "trains", (name,)), lambda: plain(name)))

    def follow(self, qualname: str, listener: Listener, callee: tuple[FileFlow, str], region: Region) -> bool:
        """As in any file."""
        plain = super().follow
        if not isinstance(listener, Audience):
            return plain(qualname, listener, callee, region)

        def answer() -> tuple[bool, object]:
            return plain(qualname, listener, callee, region), listener.said()

        words: Any = (qualname, callee, region, type(listener))
        question = Question(self, "follow", words)
        return bool(self.tracer.asked(question, answer)[0])

    def called(self, qualname: str, context: Context) -> None:
        """As in any file."""
        self.tracer.told(Told(self, "called", (qualname, context)))
        super().called(qualname, context)

    def believe_module(self, qualname: str, path: Path, module: Module) -> None:
        """As in any file."""
        self.tracer.told(Told(self, "believe_module", (qualname, path, module)))
        super().believe_module(qualname, path, module)

    def _summarize(self, qualname: str) -> Summary:
        plain = super()._summarize

        def make() -> tuple[Summary, Records, _Taken]:
            summary = plain(qualname)
            records = self._records[qualname]
            records.returned, records.yielded = frozenset(), None  # the summary has them
            return summary, records, _taken(self._evidence[qualname])

        inputs = (self.units.unit(qualname),)
        summary, records, evidence = self.tracer.step(self.memories, ("summary", qualname), inputs, make)
        self._records[qualname] = records
        self._evidence[qualname] = _given(Evidence(), evidence)
        found: Summary = summary
        return found

    def _play(
        self,
        qualname: str,
        grad_mode: GradMode,
        facts: list[tuple[Path, ModuleFacts]],
        listener: Listener,
        probe: Probe | None,
        followed: Followed | None,
    ) -> None:
        plain = super()._play
        if not isinstance(listener, Audience) or probe is not None:
            plain(qualname, grad_mode, facts, listener, probe, followed)
            return
        evidence = self._evidence[qualname]

        def make() -> tuple[object, _Taken, bool]:
            plain(qualname, grad_mode, facts, listener, probe, followed)
            return listener.said(), _taken(evidence), followed is not None and followed.met

        inputs = (self.units.unit(qualname), _taken(evidence), grad_mode, tuple(facts))
        watched = (followed.callee, followed.region) if followed is not None else None
        key = ("play", qualname, listener.kind, watched)
        said, after, met = self.tracer.step(self.memories, key, inputs, make)
        listener.recall(said)
        _given(evidence, after)
        if followed is not None:
            followed.met = met


_Taken = tuple[
    frozenset[object], frozenset[object], frozenset[object], tuple[tuple[object, str | None], ...], bool
]


def _taken(evidence: Evidence) -> _Taken:
    classes = tuple(evidence.classes.items())
    modules, graphs = frozenset(evidence.modules), frozenset(evidence.graphs)
    return modules, graphs, frozenset(evidence.factories), classes, evidence.trains


def _given(evidence: Evidence, taken: _Taken) -> Evidence:
    modules, graphs, factories, classes, evidence.trains = taken
    evidence.modules, evidence.graphs, evidence.classes = set(modules), set(graphs), dict(classes)
    evidence.factories = set(factories)
    return evidence


class _Units(Units):
    def __init__(self, flow: TracedFlow, source: Source, skeleton: Skeleton) -> None:
        super().__init__(source, skeleton)
        self._flow = flow

    def text(self, qualname: str) -> str:
        plain = super().text
        question = Question(self._flow, "units.text", (qualname,))
        return str(self._flow.tracer.asked(question, lambda: plain(qualname)))

    def unit(self, qualname: str) -> Unit:
        plain = super().unit
        question = Question(self._flow, "units.unit", (qualname,))
        found: Unit = self._flow.tracer.asked(question, lambda: plain(qualname))
        return found


class _Classes(Classes):
    home: TracedFlow

    def look_again(self) -> None:
        """Some outlines are others now, and say the same."""
        self._outlines = self.home.skeleton.classes
        self._lineages.clear()


class _Imports(ImportMap):
    def __init__(self, flow: TracedFlow) -> None:
        super().__init__(flow.skeleton.plain, flow.package)  # type: ignore[attr-defined]
        self.home = flow


def _declared(plain: Callable[..., Any], kind: str) -> Callable[..., Any]:
    def ask(self: Any, *words: Any) -> Any:
        return self.home.tracer.declared(self.home, kind, words, lambda: plain(self, *words))

    return ask


for _name in _OF_CLASSES:
    setattr(_Classes, _name, _declared(getattr(Classes, _name), f"classes.{_name}"))
for _name in _OF_IMPORTS:
    setattr(_Imports, _name, _declared(getattr(ImportMap, _name), f"imports.{_name}"))


def _inference(self: _Classes, key: str, attribute: str) -> Any:
    question = Question(self.home, "classes.inference", (key, attribute))
    return self.home.tracer.asked(question, lambda: Classes.inference(self, key, attribute))


setattr(_Classes, "inference", _inference)  # noqa: B010


class _Neighbours:
    """The neighbours of a file, as they are asked."""

    def __init__(self, flow: TracedFlow, plain: Neighbours) -> None:
        self._flow = flow
        self._plain = plain
        self.reading = plain.reading

    def at(self, path: str) -> FileFlow | None:
        flow = self._flow
        found: FileFlow | None = flow.tracer.declared(
            flow, "neighbours.at", (path,), lambda: self._plain.at(path)
        )
        return found

    def find(self, dotted: str) -> Found | None:
        flow = self._flow
        found: Found | None = flow.tracer.declared(
            flow, "neighbours.find", (dotted,), lambda: self._plain.find(dotted)
        )
        return found

    def users(self, name: str, beside: str) -> list[FileFlow]:
        question = Question(self._flow, "neighbours.users", (name, beside))
        found: list[FileFlow] = self._flow.tracer.asked(question, lambda: self._plain.users(name, beside))
        return found


class _Skeleton:
    """The outline of a file, as it is asked; `plain` is the outline itself."""

    def __init__(self, flow: TracedFlow, plain: Skeleton) -> None:
        self.plain = plain
        self.definitions = _Names(flow, "definitions", plain.definitions)
        self.classes = _Names(flow, "classes", plain.classes)
        self.call_sites = _Names(flow, "call_sites", plain.call_sites)
        self._flow = flow

    @property
    def constants(self) -> _Names:
        return _Names(self._flow, "constants", self.plain.constants)

    @property
    def itself(self) -> _Names:
        return _Names(self._flow, "itself", dict.fromkeys(self.plain.itself, True))

    def __getattr__(self, name: str) -> Any:
        # Whatever else an outline says: only those ask for it who are no walks.
        return getattr(self.plain, name)


class _Names(Mapping[str, Any]):
    """Some names and what they mean; a walk asks for one at a time."""

    def __init__(self, flow: TracedFlow, kind: str, plain: Mapping[str, Any]) -> None:
        self._flow = flow
        self._plain = plain
        self._kind = f"skeleton.{kind}.get"
        self._is_declared = kind != "call_sites"

    def get(self, name: str, default: Any = None) -> Any:
        found = self._asked(name, self._kind, lambda: self._plain.get(name))
        return default if found is None else found

    def _asked(self, name: str, kind: str, answer: Callable[[], Any]) -> Any:
        flow = self._flow
        if self._is_declared:
            return flow.tracer.declared(flow, kind, (name,), answer)
        return flow.tracer.asked(Question(flow, kind, (name,)), answer)

    def __getitem__(self, name: str) -> Any:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        kind = self._kind.removesuffix("get") + "__contains__"
        return bool(self._asked(str(name), kind, lambda: self._plain.get(str(name)) is not None))

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain)

    def __len__(self) -> int:
        return len(self._plain)
