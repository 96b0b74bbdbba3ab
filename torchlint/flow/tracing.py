"""Walks that need not be walked again: what they asked for is asked again, and is answered as before.

Each walk is a step. While it is walked, what it asks of anything outside of its own unit is written down with
the answers, and so is what it tells others. When the same step comes up again, later, in a changed file, the
questions are asked in the same order: where all answers are the same, so is what comes of it. As soon as one
is another, the step is walked; what was asked until then is what the walk asks first. So the order in which
summaries are made, which decides what those know that call each other, is that of a run without memory.

`facts` counts the states of what files declare. Questions about that alone are asked again only when it
changed, each of them once for all walks that asked it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlint.flow.marks import marked, marked_values

if TYPE_CHECKING:
    from torchlint.flow.tracedfile import TracedFlow


_MOST_DECLARED = 30_000  # questions about declarations that are kept
_KEPT = frozenset(
    f"classes.{name}"
    for name in (
        *("find", "is_in_sight", "fields", "is_module", "is_opaque", "uses", "is_snapshot", "loaded"),
        *("fills_itself", "sensitivity", "is_buffer", "learns"),
    )
)
"""Who is asked often and answers by something that is no part of an outline."""
_MOST_MEMORIES = 3  # of one step: what is typed is often taken back


class Question(NamedTuple):
    """Something that was asked of one file; `kind` names who answers."""

    flow: TracedFlow
    kind: str
    words: tuple[Hashable, ...]


class Told(NamedTuple):
    """Something that a walk told a file about one of its units; to tell it twice is to tell it once."""

    flow: TracedFlow
    kind: str
    words: tuple[Any, ...]


class Declared:
    """A question about what files declare, and its answer in one state of these."""

    __slots__ = ("_answer", "_is_kept", "_kind", "_mark", "_marked", "_state", "_words", "flow", "is_own")

    def __init__(self, flow: TracedFlow, kind: str, words: tuple[Hashable, ...]) -> None:
        self.flow, self._kind, self._words = flow, kind, words
        # Whether the outline of this one file answers it.
        self.is_own = kind.startswith(("skeleton.", "imports."))
        self._is_kept = kind in _KEPT
        self._state = self._marked = -1  # the states in which the answer and its mark are known
        self._mark: object = None
        self._answer: Any = None

    def mark(self, facts: int, *given: Any) -> object:
        """The mark of the answer in a state of what all files declare, or its own where `is_own`."""
        if self._marked != facts:
            answer = given[0] if given else self.flow.answer(self._kind, self._words)
            self._mark = (marked_values if self._kind == "classes.attribute" else marked)(answer)
            self._marked = facts
        return self._mark

    def answer(self, facts: int, answer: Callable[[], Any]) -> Any:
        """The answer in this state; what an outline is part of is asked for anew, as its place may change."""
        if not self._is_kept:
            return answer()
        if self._state != facts:
            self._answer, self._state = answer(), facts
        return self._answer


@dataclass(slots=True)
class Trace:
    """What one step asked and told: of declarations in any order, of all else one after the other.

    What one file declares is `own`, by that file.
    """

    declared: dict[Declared, object] = field(default_factory=dict)
    own: dict[TracedFlow, dict[Declared, object]] = field(default_factory=dict)
    asked: dict[Question, object] = field(default_factory=dict)
    order: list[Question | Told] = field(default_factory=list)
    is_steady: bool = True  # no question was answered in two ways


@dataclass(slots=True)
class Memory:
    """A step that was made: out of what, what it asked, what came of it, and in which state of `facts`."""

    inputs: tuple[object, ...]
    trace: Trace
    result: Any
    facts: int
    used: int  # the check in which it was asked for last
    own_facts: dict[TracedFlow, int]  # the same states of each file


Memories = dict[Hashable, tuple[Memory, ...]]
"""The steps of one file, of each the last few times that it came to something else, the latest first."""


class Tracer:
    """Writes down what steps ask, for all files of one project."""

    def __init__(self) -> None:
        self.facts = 0
        # Asked before each step and each statement; raises where the check is given up.
        self.stop: Callable[[], None] = _go_on
        self.made = 0  # steps that were walked
        self.checks = 0
        self._current: Trace | None = None
        self._declared: dict[tuple[TracedFlow, str, tuple[Hashable, ...]], Declared] = {}

    def begin(self) -> None:
        """A check begins; what an earlier one was doing when it was given up is forgotten."""
        self.checks += 1
        self._current = None
        if len(self._declared) > _MOST_DECLARED:
            self.forget()

    def forget(self) -> None:
        """Let go of questions that perhaps nobody asks any more; walks that asked them still have them."""
        self._declared.clear()

    def declared(
        self, flow: TracedFlow, kind: str, words: tuple[Hashable, ...], answer: Callable[[], Any]
    ) -> Any:
        """An answer that depends on nothing but what files declare."""
        trace = self._current
        if trace is None and kind not in _KEPT:
            return answer()
        key = (flow, kind, words)
        question = self._declared.get(key)
        if question is None:
            question = self._declared[key] = Declared(*key)
        facts = flow.facts if question.is_own else self.facts
        if trace is None:
            return question.answer(facts, answer)
        self._current = None
        try:
            given = question.answer(facts, answer)
        finally:
            self._current = trace
        seen = trace.own.setdefault(flow, {}) if question.is_own else trace.declared
        if question not in seen:
            seen[question] = question.mark(facts, given)
        return given

    def asked(self, question: Question, answer: Callable[[], Any]) -> Any:
        """An answer that depends on texts or on other walks."""
        trace = self._current
        if trace is None:
            return answer()
        given = self._alone(answer)
        seen = marked(given)
        if question not in trace.asked:
            trace.asked[question] = seen
            trace.order.append(question)
        elif not _same(trace.asked[question], seen):
            trace.is_steady = False
        return given

    def told(self, told: Told) -> None:
        """A walk tells another file, or its own, about a unit."""
        if self._current is not None:
            self._current.order.append(told)

    def step(self, memories: Memories, key: Hashable, inputs: tuple[object, ...], make: Any) -> Any:
        """What `make` gives, or gave when all was the same."""
        self.stop()
        known = memories.get(key, ())
        for number, memory in enumerate(known):
            if memory.inputs == inputs and self._holds(memory):
                memory.used = self.checks
                if number:
                    memories[key] = (memory, *known[:number], *known[number + 1 :])
                return memory.result
        outer, trace = self._current, Trace()
        self._current = trace
        try:
            result = make()
        finally:
            self._current = outer
        self.made += 1
        if trace.is_steady:
            own_facts = {flow: flow.facts for flow in trace.own}
            made = Memory(inputs, trace, result, self.facts, self.checks, own_facts)
            memories[key] = (made, *known[: _MOST_MEMORIES - 1])
        else:
            memories.pop(key, None)
        return result

    def _alone(self, answer: Callable[[], Any]) -> Any:
        """An answer; what is asked for its sake is not asked by the walk."""
        trace, self._current = self._current, None
        try:
            return answer()
        finally:
            self._current = trace

    def _holds(self, memory: Memory) -> bool:
        return bool(self._alone(lambda: self._is_answered_alike(memory)))

    def _is_answered_alike(self, memory: Memory) -> bool:
        trace = memory.trace
        for flow, questions in trace.own.items():
            facts = flow.facts
            if memory.own_facts[flow] != facts:
                if not all(_same(known, one.mark(facts)) for one, known in questions.items()):
                    return False
                memory.own_facts[flow] = facts
        facts = self.facts
        if memory.facts != facts:
            if not all(_same(known, one.mark(facts)) for one, known in trace.declared.items()):
                return False
            memory.facts = facts
        for entry in trace.order:
            if isinstance(entry, Told):
                entry.flow.hear_again(entry.kind, entry.words)
            elif not _same(trace.asked[entry], marked(entry.flow.answer(entry.kind, entry.words))):
                return False
        return True


def _go_on() -> None:
    """Nobody gives anything up."""


def _same(one: object, other: object) -> bool:
    return one is other or one == other
