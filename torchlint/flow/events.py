"""The vocabulary of the rules: one frozen value an event, told once, with what was known there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from torchlint.flow.conversion_events import Converted as Converted
from torchlint.flow.conversion_events import Freed as Freed
from torchlint.flow.conversion_events import Kept as Kept
from torchlint.flow.device_events import Awaited as Awaited
from torchlint.flow.domain import Creation, Fate, Grad, GradMode, Idle, Misuse, Mode, Sensitivity

if TYPE_CHECKING:
    import libcst as cst

    from torchlint.diagnostic import Span
    from torchlint.flow.things import Module
    from torchlint.units import Unit


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A node of a unit: a place in the source that gets a position when somebody asks.

    One that a call reached has the outermost call as `caller`, which stands for it in messages. A
    walk makes one site for each node and each way to it, through calls and rounds of loops, and
    counts them: `serial` is the hash too, so that sets of sites have the same order in every run.
    """

    unit: Unit
    node: cst.CSTNode
    caller: Site | None = None
    label: str = ""  # the part of a module that does it, where one call runs several
    # The calls that led to it, from that of `caller` on: each in the function that the one before calls.
    calls: tuple[cst.CSTNode, ...] = ()
    called: bool = False  # stands in a function that is called, and is told there
    serial: int = 0

    def __hash__(self) -> int:
        return self.serial

    @property
    def told(self) -> Site:
        """The site in the unit that is walked: itself, or the call that led to it."""
        return self.caller or self

    def is_beside(self, other: Site) -> bool:
        """Whether both stand in one function, reached by one call."""
        return self.caller is other.caller and self.unit is other.unit

    @property
    def text(self) -> str:
        """The source of the node on one line, or the part of a module that it runs, for messages."""
        if self.label and self.caller is None:
            return self.label
        told = self.told
        return " ".join(told.unit.text(told.node).split())

    @property
    def path(self) -> str:
        """The file that it stands in, from the root of the disk."""
        return self.told.unit.path

    @property
    def span(self) -> Span:
        """Where it stands in the source, in the unit that is walked."""
        told = self.told
        return told.unit.span(told.node)


@dataclass(frozen=True, slots=True)
class Region:
    """Code under a grad-mode switch; `switch` is its source text, `callee` the name to replace.

    `form` is "with", "decorator" or "statement"; `dotted` the resolved name of the switch, and
    `bare` the name it was imported under where it is no attribute.
    """

    site: Site
    callee: Site
    mode: GradMode
    switch: str
    dotted: str
    bare: str | None
    form: str


class Asked(Enum):
    """In the place of a region: whether one is around, only the callers know."""

    CALLERS = "callers"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an inference tensor was made, and in which region of inference_mode.

    One that is `apart` shares its memory by `detach` outside, and may be written itself.
    """

    site: Site = field(repr=False)
    region: Region | Asked = field(repr=False)
    apart: bool = False


@dataclass(frozen=True, slots=True)
class EnterRegion:
    """A region begins."""

    region: Region


@dataclass(frozen=True, slots=True)
class LeaveRegion:
    """A region ends on every path."""

    region: Region


@dataclass(frozen=True, slots=True)
class IdleSwitch:
    """A grad-mode switch switches nothing, or more than the code under it.

    `switch` is its source text, `dotted` its resolved name; `waits` where the function is an async def;
    `yielded` is where a generator hands over to its caller first.
    """

    site: Site
    why: Idle
    switch: str
    dotted: str
    waits: bool = False
    yielded: Site | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """A module ran without gradients.

    `mode` is joined over the paths here; `trained_at` is where training mode was set (`explicit`)
    or the module built; `region` is the innermost one, None where only the callers have one;
    `evaluates` where the function says evaluation by its name, `handed` where anybody may call it and
    hands the module over, `argument` where it came as one; `trained_elsewhere` tells, when asked, whether
    any unit of the source runs backward through a module of the same name.
    """

    site: Site
    module: Module
    place: str
    mode: Mode
    trained_at: Site | None
    explicit: bool
    certain: bool
    sensitivity: Sensitivity
    region: Region | None
    evaluates: bool
    handed: bool
    argument: bool
    trained_elsewhere: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Evaled:
    """A call of eval(), in its own unit; `call` is the call in sight that led to it, None if none did.

    It is `chosen` where the same condition chooses between it and a call of train().
    """

    site: Site
    call: Site | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class Graphed:
    """A module ran in evaluation mode, on some path at least, and its result may carry a graph.

    `evaled` are the eval() calls that may have set the mode; `resumes` where backward had run through the
    module before them, in training mode; `used` are the places where it ran since; `alone` where it is
    plain that its parameters alone make the graph, in a forward that is no try with made-up input, and
    `wants` where an operand was made to require grad.
    """

    site: Site
    module: Module
    place: str
    mode: Mode
    evaled: tuple[Evaled, ...]
    resumes: bool
    used: frozenset[Site]
    sensitivity: Sensitivity
    grad_mode: GradMode
    alone: bool
    wants: bool


@dataclass(frozen=True, slots=True)
class GraphLeft:
    """What came out of these `forwards` leaves the function with its graph, or goes to who may need that.

    It is only `lent` to what may be a meter, or may be anything else.
    """

    site: Site
    forwards: frozenset[Site]
    lent: bool = False


@dataclass(frozen=True, slots=True)
class Trained:
    """A module, or a result of it, takes part in training in this unit."""

    module: Module
    site: Site


@dataclass(frozen=True, slots=True)
class Read:
    """A tensor was turned into a Python number by `.item()`; `method` is the word `item`."""

    site: Site
    method: Site
    place: str
    grad: Grad


@dataclass(frozen=True, slots=True)
class Logged:
    """Numbers that come from these `.item()` calls reached a log, a history or a running sum."""

    site: Site
    reads: frozenset[Site]


@dataclass(frozen=True, slots=True)
class StaleSave:
    """Backward reaches an operation whose saved tensor was written: saved here, written there.

    Where it is not `noticed`, torch does not see the write, and the gradients are wrong. `instead` is
    a site and what may stand there to compute a new tensor, where nobody else sees the write.
    """

    written: Site
    place: str
    saved: Site
    certain: bool
    noticed: bool
    instead: tuple[Site, str] | None = None


@dataclass(frozen=True, slots=True)
class LeafWritten:
    """A leaf that requires grad is written in place where gradients are on; `view`: through a view of it."""

    site: Site
    place: str
    view: bool


@dataclass(frozen=True, slots=True)
class ViewWritten:
    """A recorded operation writes a view that torch does not allow to be written; `made` is what made it.

    With `used`, what it is a view of is written, and the view is used there afterwards.
    """

    site: Site
    place: str
    creation: Creation
    made: Site
    used: Site | None = None


@dataclass(frozen=True, slots=True)
class InferenceTensorUsed:
    """Where inference_mode is over, a tensor that was made in such a region is used as torch refuses.

    The region is the `sole` one in which it may have been made.
    """

    site: Site
    place: str
    misuse: Misuse
    made: Site
    region: Region
    sole: bool


@dataclass(frozen=True, slots=True)
class Computed:
    """New tensors were computed in these regions; `infers` where a module runs for them."""

    regions: frozenset[Region]
    site: Site
    infers: bool = False


@dataclass(frozen=True, slots=True)
class Touched:
    """A tensor was written, a view of one made, or a stranger called, who may do either, in these regions."""

    regions: frozenset[Region]


REACHES_AUTOGRAD = "reaches autograd"
WRITTEN_OUTSIDE = "is written in place outside"
STORED = "is stored"
BESIDES = "is run for what it does besides"
HOOKED = "is run for what its hooks keep"
GIVEN_AWAY = "is handed to a stranger"
UPDATES = "is an update of tensors that live on"
LEARNED = "is an update of parameters"
MAY_REACH_AUTOGRAD = "may reach autograd"
"""It meets something unknown: autograd records that, if it requires grad."""
RETURNED = "is returned"


@dataclass(frozen=True, slots=True)
class Escaped:
    """A tensor born in these regions went where inference tensors may not go, or out of sight.

    Of one that is returned, `meets` tells, when asked, whether this is its fate with the callers.
    """

    regions: frozenset[Region]
    site: Site
    how: str
    meets: Callable[[Region, Fate], bool] | None = None


@dataclass(frozen=True, slots=True)
class UsedOutside:
    """A tensor born in these regions is mentioned after them, under this name."""

    regions: frozenset[Region]
    name: str


@dataclass(frozen=True, slots=True)
class Backward:
    """Gradients were computed of what came out of these `forwards`, as far as that is known."""

    site: Site
    forwards: frozenset[Site]


@dataclass(frozen=True, slots=True)
class LeaveUnit:
    """The unit was walked to its end."""


Event = (
    EnterRegion
    | LeaveRegion
    | IdleSwitch
    | Forward
    | Graphed
    | GraphLeft
    | Trained
    | Read
    | Logged
    | StaleSave
    | LeafWritten
    | ViewWritten
    | InferenceTensorUsed
    | Computed
    | Touched
    | Escaped
    | UsedOutside
    | Backward
    | Freed
    | Kept
    | Converted
    | Awaited
    | LeaveUnit
)

OF_WRITES = (StaleSave, LeafWritten, ViewWritten)
"""Told by the exact rounds of a loop."""
DEPENDING_ON_CALLERS = (
    *OF_WRITES,
    Graphed,
    GraphLeft,
    InferenceTensorUsed,
    Trained,
    Backward,
    Escaped,
    Freed,
    Kept,
    Converted,
)
"""Told of a function that is played where it is called."""
