"""Graphs kept: nodes of the autograd graph that outlive the step that made them.

A node has a dict of its own, `metadata`, that lives and dies with it; a token in there tells when the node
is gone, which nothing else does.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import cast
from weakref import WeakSet

import torch

from torchlint.prove.observations import Kind, Observation, Remark, Site
from torchlint.prove.observers.calls import Call, Observer, tensors_in
from torchlint.prove.observers.frames import Program

_MOST_LOOKS = 2_000
"""Behind so many lines it is looked what containers have got; in long runs that would take the time."""
_DEEPEST = 4
"""How deep containers in containers are looked into."""
_STEPS = 3
"""So many steps with nodes alive at once count as kept: two are a state carried over, or a comparison."""


_BACKWARD = {"backward", "grad"}


@dataclass(eq=False)
class _Token:
    step: int
    run: int
    """How often its line had begun; its own number where lines are not followed."""


@dataclass(slots=True)
class _Line:
    """The nodes that one operation in one line made."""

    alive: WeakSet[_Token]
    executions: int = 0
    steps: int = 0
    """The most steps of which nodes were alive at once."""
    unused: int = 0
    """The most nodes of one step alive at once that no backward has come to."""
    holder: str | None = None
    is_sum: bool = False
    """Whether what is made here hangs on what was made here before."""

    @property
    def grows(self) -> bool:
        return self.steps >= _STEPS or self.unused >= _STEPS


@dataclass(slots=True)
class _Held:
    """A container that holds tensors with graphs."""

    count: int = 0
    steps: int = 0
    unused: int = 0
    keepers: dict[tuple[Site, tuple[Site, ...]], int] = field(default_factory=dict)
    """Where it got more of them, called from where, and how often."""

    @property
    def grows(self) -> bool:
        return self.steps >= _STEPS or self.unused >= _STEPS


class GraphsKept(Observer):
    """Counts, line by line, from how many steps nodes are alive at once; each backward ends a step."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._lines: defaultdict[tuple[Site, str], _Line] = defaultdict(lambda: _Line(WeakSet()))
        self._step = 0
        self._held: dict[int, _Held] = {}
        self._running: dict[FrameType, Site] = {}
        self._runs: dict[tuple[str, int], int] = {}
        self._looks = 0

    def before(self, call: Call) -> None:
        if call.name in _BACKWARD:
            for line in self._lines.values():
                if line.alive:  # an unrolled loop: backward is what its graph was kept for
                    line.unused = 0
            for held in self._held.values():
                held.unused = 0

    def after(self, call: Call) -> None:
        if call.name in _BACKWARD:
            self._step += 1
            return
        for tensor in tensors_in(call.result):
            node = _node(tensor)
            if node is None or "torchlint" in (notes := _notes(node)):
                continue
            line = self._lines[call.site, call.name]
            line.executions += 1
            run = self._runs.get((call.site.file, call.site.line), 0) or -line.executions
            token = notes["torchlint"] = _Token(self._step, run)
            line.alive.add(token)
            # Counting goes through all that is alive: at each power of two it costs little in long runs.
            if line.executions <= 8 or line.executions & (line.executions - 1) == 0:
                self._count(line)
                line.is_sum = line.is_sum or (line.grows and _reaches(tensor, line.alive))

    def moved(self, frame: FrameType, event: str) -> None:
        """The program comes to a line of a frame, or out of it: what the line before has put where."""
        ran = self._running.pop(frame, None)
        if event == "line":
            self._running[frame] = Site(frame.f_code.co_filename, frame.f_lineno, frame.f_lineno)
            begun = frame.f_code.co_filename, frame.f_lineno
            self._runs[begun] = self._runs.get(begun, 0) + 1
        if ran is None or not self._lines or self._looks > _MOST_LOOKS:
            return
        self._looks += 1
        for container, steps in _containers(frame):
            held = self._held.setdefault(id(container), _Held())
            if len(steps) > held.count:
                key = ran, self.program.callers()
                held.keepers[key] = held.keepers.get(key, 0) + 1
            held.count = len(steps)
            held.steps = max(held.steps, len(set(steps)))
            held.unused = max(held.unused, steps.count(self._step))

    def observations(self) -> Iterable[Observation]:
        """Where what is kept is put, or added to a sum; where that was not seen, where it is made."""
        kept = False
        for held in self._held.values():
            for (site, callers), times in held.keepers.items() if held.grows else ():
                if times == 1:
                    continue  # a list of all of them, made at once
                kept = True
                text = f"a container grows here by tensors with their graphs: {held.count} at once"
                yield Observation(Kind.GRAPH_KEPT, site, text, (), times, callers)
        kept = kept or any(line.is_sum and line.grows for line in self._lines.values())
        for (site, _), line in self._lines.items():
            if not line.is_sum and (kept or (self._looks and line.steps < _STEPS + 2)):
                continue  # nothing was seen to grow: a few places hold one each
            if line.steps >= _STEPS:
                text = f"the graph made here stays alive: {line.steps} steps at once"
            elif line.unused >= _STEPS:
                text = (
                    f"the graph made here stays alive, and no backward uses it: {line.unused} nodes at once"
                )
            else:
                continue
            remarks = (Remark(site, f"held by '{line.holder}'"),) if line.holder else ()
            yield Observation(Kind.GRAPH_KEPT, site, text, remarks, line.executions)

    def _count(self, line: _Line) -> None:
        steps = [token.step for token in line.alive]
        line.steps = max(line.steps, len(set(steps)))
        line.unused = max(line.unused, steps.count(self._step))
        if len(line.alive) >= _STEPS and line.holder is None:
            line.holder = self._holder(line)

    def _holder(self, line: _Line) -> str | None:
        """The name of a container with several tensors that carry graphs, or of a tensor with a grown one."""
        frame = self.program.frame()
        places = {} if frame is None else {**frame.f_globals, **frame.f_locals}
        for name, value in places.items():
            if isinstance(value, (list, tuple, dict)) or type(value).__name__ == "deque":
                held = value.values() if isinstance(value, dict) else value
                graphs = [one for one in held if isinstance(one, torch.Tensor) and _node(one) is not None]
                if len(graphs) >= _STEPS - 1:
                    return name
        for name, value in places.items():
            if isinstance(value, torch.Tensor) and _reaches(value, line.alive):
                return name
        return None


def _containers(frame: FrameType) -> Iterator[tuple[object, list[int]]]:
    """The lists, deques, sets and dicts within reach of a frame, with the steps of the graphs in each."""
    seen: set[int] = set()
    waiting = [({**frame.f_globals, **frame.f_locals}, 0)]
    first = True
    while waiting:
        holder, depth = waiting.pop()
        inner = list(holder.values()) if isinstance(holder, dict) else list(cast("Iterable[object]", holder))
        if not first:
            own = [part for part in inner if isinstance(part, (torch.Tensor, tuple))]
            tokens = [_token(one) for part in own for one in tensors_in(part)]
            steps = [token.step for token in tokens if token is not None]
            if steps:
                yield holder, steps
        first = False
        for one in inner if depth < _DEEPEST else ():
            if not isinstance(one, (list, tuple, set, deque, dict)):
                one = getattr(one, "__dict__", None) if type(one).__module__ == "__main__" else None
            if one is not None and id(one) not in seen:
                seen.add(id(one))
                waiting.append((cast("dict[str, object]", one), depth + 1))


def _token(tensor: torch.Tensor) -> _Token | None:
    node = _node(tensor)
    return cast("_Token | None", _notes(node).get("torchlint")) if node is not None else None


def _reaches(tensor: torch.Tensor, tokens: WeakSet[_Token]) -> bool:
    """Whether the graph of a tensor holds several of these nodes."""
    seen: set[object] = set()
    found: set[int] = set()
    nodes = [_node(tensor)]
    while nodes and len(seen) < 10_000:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        token = cast("_Token | None", _notes(node).get("torchlint"))
        if token in tokens and token is not None:
            found.add(token.run)
        nodes.extend(following for following, _ in node.next_functions)
    return len(found) >= _STEPS


def _node(tensor: torch.Tensor) -> torch.autograd.graph.Node | None:
    try:
        return tensor.grad_fn
    except RuntimeError:  # a view made in no_grad whose base was written: torch refuses to say
        return None


def _notes(node: torch.autograd.graph.Node) -> dict[str, object]:
    """What may be kept with a node; torch's own types call the attribute a method."""
    return cast("dict[str, object]", node.metadata)
