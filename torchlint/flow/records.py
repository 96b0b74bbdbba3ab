"""What a walk writes down: for its next round, for callers, for who follows a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchlint.flow.events import Region, Site
from torchlint.flow.state import UNSET, ModuleFacts, State
from torchlint.flow.summary import Path, Run
from torchlint.flow.things import Value

if TYPE_CHECKING:
    import libcst as cst

    from torchlint.definitions import Definition
    from torchlint.flow.file import FileFlow
    from torchlint.units import Unit


@dataclass(slots=True, eq=False)
class Loop:
    """A loop that is being walked: what held before it and at its head, which turn began the round there."""

    entry: State
    head: State
    turn: int
    depth: int  # the calls that it is walked in

    def begin(self, head: State, turn: int) -> None:
        """Another round begins."""
        self.head, self.turn = head, turn


class Evidence:
    """What later use tells of earlier things, by their keys: gathered in one walk, used in the next."""

    def __init__(self) -> None:
        self.modules: set[object] = set()
        self.graphs: set[object] = set()
        self.factories: set[object] = set()  # what makes modules when it is called, so it is none
        self.classes: dict[object, str | None] = {}  # what every caller hands over; None: several
        self.trains = False  # backward is run here on what is made here, so callers leave gradients on

    def size(self) -> int:
        """How much there is; it only grows."""
        return len(self.modules) + len(self.graphs) + len(self.factories) + self.trains


class Records:
    """What a walk saw of the places that belong to the caller; becomes the summary."""

    def __init__(self) -> None:
        self.runs: dict[Path, ModuleFacts] = {}
        self.calls: set[Path] = set()
        self.asks: set[Path] = set()
        self.writes: set[Path] = set()
        self.hidden_writes: set[Path] = set()  # those that torch does not see
        self.tracked_writes: set[Path] = set()  # those that autograd sees, if the caller leaves gradients on
        self.saves: set[Path] = set()
        self.backwards: set[Path] = set()
        self.logs: set[Path] = set()
        self.keeps: set[Path] = set()
        self.accumulates: set[tuple[Path, Path]] = set()  # what is added to what something else holds
        self.freed: set[Site] = set()  # operations that backward has run through
        self.returned: Value = frozenset()
        self.yields = False
        self.eventful = False  # there was something for a rule to hear, or a write
        self.yielded: State | None = None
        self.enables = False
        self.updates = False  # tensors that live on are written
        self.leaves = False  # what is made outlives the call elsewhere than in its result
        self.steps: set[Path] = set()  # modules that backward runs through
        self.trained: set[str] = set()  # last names of the modules that backward runs through
        self.forwards = False  # a module runs inside, whoever holds it
        self.trains = False  # backward runs inside, or something that may run it
        self.builds_graphs = False  # in evaluation mode, if the caller leaves gradients on
        self.asks_grad_mode = False  # something would be said if the caller leaves gradients on

    def run(self, path: Path, facts: ModuleFacts) -> None:
        """A module of the caller ran under the caller's grad mode."""
        known = self.runs.get(path)
        self.runs[path] = facts if known is None else known.join(facts)

    def all_runs(self) -> tuple[Run, ...]:
        """Every run, in the order of the walk."""
        called = sorted(self.calls - self.runs.keys())
        sure = [Run(path, facts) for path, facts in self.runs.items()]
        return (*sure, *(Run(path, UNSET, surely=False) for path in called))


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the source that is being played where it is called."""

    definition: Definition | None  # None for a nested function
    unit: Unit  # the function's
    site: Site
    node: cst.Call
    bound: dict[str, Value]


@dataclass(slots=True)
class Followed:
    """A function whose results are watched in a caller: they count as born in a region."""

    callee: tuple[FileFlow, str]
    region: Region
    met: bool = False  # whether it was called
