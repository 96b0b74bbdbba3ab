"""The flow of one source: which units are walked, in which order, and what they tell each other.

A unit is walked silently first: that gives evidence (what later use says of earlier things) and
its summary. Then it is played once, after its callers, so that what they set up is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from torchlint.definitions import Definition
from torchlint.flow.audience import Deaf
from torchlint.flow.autograd import Autograd
from torchlint.flow.calls import Calls
from torchlint.flow.classes import Classes
from torchlint.flow.domain import GradMode
from torchlint.flow.entering import at_entry, begin, set_up
from torchlint.flow.events import Asked, Event, LeaveRegion, LeaveUnit, Region
from torchlint.flow.interpreter import Interpreter
from torchlint.flow.neighbours import Alone, Callee, Neighbours
from torchlint.flow.places import Places
from torchlint.flow.records import Evidence, Followed, Records
from torchlint.flow.state import ModuleFacts
from torchlint.flow.summarizing import summary_of
from torchlint.flow.summary import (
    UNKNOWN_SUMMARY,
    Context,
    Path,
    PlainShape,
    Summary,
    abroad,
)
from torchlint.flow.things import Module, Plain
from torchlint.flow.values import Values
from torchlint.flow.walk import Walk
from torchlint.names import ImportMap
from torchlint.skeleton import Skeleton
from torchlint.tables.effects import says
from torchlint.units import Units

if TYPE_CHECKING:
    import libcst as cst

Listener = Callable[[Event], None]
Probe = Callable[[Walk, Values, "cst.CSTNode"], None]

_INFERENCE = "inference_mode"
_SAYS_EVAL = (".eval()", ".train(False)", ".train(mode=False)")
_MOST_WALKS = 3  # evidence that needs a third walk to show itself is rare, and its lack only silences
_FARTHEST = 3  # files that one summary leads through
_DEEPEST = 12  # summaries of callees of callees; what lies deeper is unknown
_HIGHEST = 4  # callers of callers in other files that are asked
_MOST_CALLERS = 24  # of one function: what a function with more is given, nobody can say shortly


class FileFlow:
    """All units of one source, their summaries, and what callers have set up.

    `path` tells the files of a project apart; `package` is the dotted name of its folder, where it has one.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        units: Units,
        *,
        path: str = "",
        package: str | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        self.skeleton = skeleton
        self.path = path
        self.package = package
        self.neighbours = neighbours or Alone()
        self.imports = ImportMap(skeleton, package)
        self.classes = Classes(self)
        self.units = units
        self._evidence: dict[str, Evidence] = {}
        self._records: dict[str, Records] = {}
        self._summaries: dict[str, Summary] = {}
        self._contexts: dict[str, Context] = {}
        self._playable: dict[str, bool] = {}
        self._visited: set[str] = set()
        self._heard: set[str] = set()

    @cached_property
    def says_training(self) -> bool:
        """Whether the name of the file says that what it holds is there for training."""
        stem = self.path.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
        return "training" in says("function", stem)

    @cached_property
    def says_measures(self) -> bool:
        """Whether the file, or a folder of its package, says by its name that it holds measures."""
        stem = self.path.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
        return any("measure" in says("function", one) for one in (stem, *(self.package or "").split(".")))

    def is_open(self, definition: Definition) -> bool:
        """Whether others may call a function: one without an underscore, in a package."""
        return self.is_packaged and not definition.is_private

    @cached_property
    def inferring(self) -> frozenset[str]:
        """The functions that say inference_mode, and those that use one by its name."""
        return self._infers()

    def _infers(self) -> frozenset[str]:
        if _INFERENCE not in self.units.source.text:
            return frozenset()
        says = [one for name, one in self.skeleton.definitions.items() if _INFERENCE in self.units.text(name)]
        users = (user for one in says for user in self.skeleton.call_sites.get(one.name, ()))
        return frozenset(one.qualname for one in says).union(users)

    def is_hook(self, definition: Definition | None) -> bool:
        """Whether a trainer out of sight calls a method in its evaluations, and takes metrics from it."""
        return definition is not None and self._is_a_trainers(definition, "hook")

    def is_step(self, definition: Definition) -> bool:
        """Whether a trainer out of sight calls a method to train, and so with gradients on."""
        return self._is_a_trainers(definition, "step")

    def _is_a_trainers(self, definition: Definition, word: str) -> bool:
        """Whether the name of a method says this word, and a base out of sight may call it."""
        if definition.owner is None or word not in says("function", definition.name):
            return False
        return self.classes.is_opaque(self.classes.own(definition.owner))

    @property
    def is_packaged(self) -> bool:
        """Whether the file belongs to a package that others may import; False for scripts."""
        return bool(self.package) or not self.path

    def summary(self, qualname: str) -> Summary:
        """The summary of a function; of one that is being read just now, and so calls itself: unknown."""
        known = self._summaries.get(qualname)
        reading = self.neighbours.reading
        if known is None and (len(reading) >= _DEEPEST or len(set(reading) | {self.path}) > _FARTHEST):
            return UNKNOWN_SUMMARY
        if known is None:
            self._summaries[qualname] = UNKNOWN_SUMMARY
            reading.append(self.path)
            known = self._summaries[qualname] = self._summarize(qualname)
            reading.pop()
        return known

    def summary_of(self, callee: Callee) -> Summary:
        """The summary of a function in sight, without what only its own file can name."""
        summary = callee.home.summary(callee.definition.qualname)
        return summary if callee.home is self else abroad(summary)

    def is_playable(self, definition: Definition) -> bool:
        """Whether the body of a function can be walked in the place of a call."""
        known = self._playable.get(definition.qualname)
        if known is None:
            known = self._playable[definition.qualname] = definition.is_playable
        return known

    def proceed(self) -> None:
        """Asked before each statement that is walked; raises where nobody wants the walk any more."""

    def length(self, definition: Definition) -> int:
        """How many lines a function has below its first."""
        return definition.length

    def called(self, qualname: str, context: Context) -> None:
        """A caller was played up to a call of this function."""
        known = self._contexts.get(qualname)
        self._contexts[qualname] = context if known is None else known.join(context)

    def believe_module(self, qualname: str, path: Path, module: Module) -> None:
        """A caller hands a module to this function; where all hand over one class, its layers are known."""
        evidence, key = self._evidence[qualname], ("entry", path)
        evidence.modules.add(key)
        cls = module.cls if self.classes.is_in_sight(module.cls) else None
        evidence.classes[key] = cls if evidence.classes.get(key, cls) == cls else None

    def mentions(self, owner: str, word: str) -> bool:
        """Whether a word stands in a method of a class of this source."""
        return any(
            word in kin.classes.home.units.text(method.qualname)
            for kin in self.classes.lineage(self.classes.own(owner))
            for method in kin.outline.methods.values()
        )

    def evaluates_held(self, attribute: str) -> bool:
        """Whether the source puts in evaluation mode what an object other than `self` holds by this name."""
        return re.search(rf"(?<!\bself)\.{attribute}\.eval\(\)", self.units.source.text) is not None

    def says_eval(self, qualname: str | None) -> bool:
        """Whether a unit, or any of the source, says that it puts something in evaluation mode."""
        text = self.units.source.text if qualname is None else self.units.text(qualname)
        return any(word in text for word in _SAYS_EVAL)

    def trains(self, name: str) -> bool:
        """Whether any unit of this source runs backward through a module of this name."""
        for qualname in unit_names(self.skeleton):
            text = self.units.text(qualname)
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
            self.summary(qualname)
            for caller in self._callers(qualname):
                asked.add(caller)
                visit(caller)
            ordered.append(qualname)

        for qualname in wanted:
            visit(qualname)
        return [name for name in ordered if every or name in asked or self._records[name].eventful]

    def play(
        self,
        qualname: str,
        listener: Listener,
        probe: Probe | None = None,
        *,
        followed: Followed | None = None,
    ) -> None:
        """Walk a unit aloud; `probe` is asked after each statement, results of `followed` are marked."""
        self.summary(qualname)
        self._hear_from_others(qualname)
        definition = self.skeleton.definitions.get(qualname)
        context = self._contexts.get(qualname)
        grad_mode = context.grad_mode if context is not None else GradMode.CALLER
        if definition is None or self.is_step(definition):
            grad_mode = GradMode.ENABLED
        elif grad_mode.surely_off and (self.is_open(definition) or self.is_hook(definition)):
            grad_mode |= GradMode.CALLER
        facts = at_entry(self, qualname, context)
        self._play(qualname, grad_mode, facts, listener, probe, followed)

    def _play(
        self,
        qualname: str,
        grad_mode: GradMode,
        facts: list[tuple[Path, ModuleFacts]],
        listener: Listener,
        probe: Probe | None,
        followed: Followed | None,
    ) -> None:
        walk = Walk(self, self.units.unit(qualname), self._evidence[qualname], grad_mode, listener)
        walk.followed = followed
        self._walk(walk, self.skeleton.definitions.get(qualname), facts, probe)
        walk.waiting.tell()
        walk.tell(LeaveUnit())

    def follow(self, qualname: str, listener: Listener, callee: tuple[FileFlow, str], region: Region) -> bool:
        """Walk a unit as if what a function gives it were born in a region; whether it calls the function."""
        followed = Followed(callee, region)
        self.play(qualname, listener, followed=followed)
        return followed.met

    def visit(self, qualname: str, depth: int) -> None:
        """Play a unit for what it sets up for those that it calls, after its own callers."""
        if qualname in self._visited or depth > _HIGHEST:
            return
        self._visited.add(qualname)
        for caller in self._callers(qualname):
            self.visit(caller, depth + 1)
        self._hear_from_others(qualname, depth + 1)
        self.play(qualname, Deaf())

    def _hear_from_others(self, qualname: str, depth: int = 0) -> None:
        """Let the callers in other files set up what they hand over, once."""
        definition = self.skeleton.definitions.get(qualname)
        if definition is None or qualname in self._heard:
            return
        if not any(path[0][:2] != "::" for path in self.summary(qualname).asks):
            return
        self._heard.add(qualname)
        name = definition.name
        callers = [
            (flow, caller)
            for flow in self.neighbours.users(name, definition.owner or name)
            for caller in flow.skeleton.call_sites.get(name, ())
        ]
        if len(callers) <= _MOST_CALLERS:
            for flow, caller in callers:
                flow.visit(caller, depth)

    def _asks(self, qualname: str) -> bool:
        """Whether what happens in a function depends on what its callers set up."""
        summary = self.summary(qualname)
        records = self._records.get(qualname)
        return bool(
            summary.asks
            or summary.writes
            or summary.hidden_writes
            or (records is not None and records.asks_grad_mode)
        )

    def _callers(self, qualname: str) -> list[str]:
        if not qualname or not self._asks(qualname):
            return []
        name = qualname.rpartition(".")[2]
        callers = [caller for caller in self.skeleton.call_sites.get(name, ()) if caller != qualname]
        return callers if len(callers) <= _MOST_CALLERS else []

    def _summarize(self, qualname: str) -> Summary:
        unit = self.units.unit(qualname)
        definition = self.skeleton.definitions.get(qualname)
        evidence = self._evidence[qualname] = Evidence()
        for _ in range(_MOST_WALKS):
            before = evidence.size()
            walk = Walk(self, unit, evidence, GradMode.CALLER, None)
            if definition is not None:
                around = replace(walk.now().around, inferring=frozenset((Asked.CALLERS,)))
                walk.state = walk.now().with_around(around)
            self._walk(walk, definition, ())
            if evidence.size() == before:
                break
        self._records[qualname] = walk.records
        if definition is None or definition.is_abstract:
            says_plain = definition is not None and definition.says_plain
            return Summary((PlainShape(Plain.OTHER),), trains=True) if says_plain else UNKNOWN_SUMMARY
        return summary_of(definition, walk)

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
            walk.begins_graded = begins and self.classes.is_module(self.classes.own(owner))
            begin(walk, places, definition)
        for path, known in facts:
            set_up(walk, places, path, known)
        unit = walk.unit
        region = calls.switches.decorated(unit.function) if unit.function is not None else None
        if region is not None:
            calls.switches.cover(region)
        end = interpreter.run(unit.body)
        calls.closures.tell_all(end)
        if region is not None:
            walk.tell(LeaveRegion(region))


def unit_names(skeleton: Skeleton) -> list[str]:
    """Every unit of a source: the module level, then the definitions in order."""
    return ["", *skeleton.definitions]
