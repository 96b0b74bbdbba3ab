"""What a function does to its arguments and returns: frozen, made once, read by every caller."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torchlint.flow.domain import Grad, GradMode, Mode, Sensitivity
from torchlint.flow.events import Origin
from torchlint.flow.state import ModuleFacts
from torchlint.flow.things import Plain

# A place seen from inside a function: a parameter, then attributes and elements: ("self", ".model").
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """The function runs a module of its caller, under the caller's grad mode."""

    path: Path
    facts: ModuleFacts
    surely: bool = True  # False: it calls something that may be a module


@dataclass(frozen=True, slots=True)
class SamePlace:
    """It returns what stands at a place of the caller."""

    path: Path


@dataclass(frozen=True, slots=True)
class ModuleShape:
    """It returns a module that it built, in a known mode."""

    cls: str | None
    sensitivity: Sensitivity
    parameters: bool | None
    facts: ModuleFacts


@dataclass(frozen=True, slots=True)
class TensorShape:
    """It returns a tensor; where `grad` is unknown, the tensors at `sources` decide.

    `inference` where it made an inference tensor, in a region of its own or in whatever its callers are;
    `freed` where backward has run from it, None where it may have.
    """

    grad: Grad
    sources: frozenset[Path]
    modules: frozenset[Path]
    inference: frozenset[Origin] = frozenset()
    freed: bool | None = False


@dataclass(frozen=True, slots=True)
class PlainShape:
    """It returns a value without graph."""

    kind: Plain


@dataclass(frozen=True, slots=True)
class InstanceShape:
    """It returns an object of a class of the source; what it holds by slot."""

    cls: str
    slots: tuple[tuple[str, tuple[Shape, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerShape:
    """It returns a tuple, list or dict; elements by slot."""

    kind: str
    slots: tuple[tuple[str, tuple[Shape, ...]], ...]


@dataclass(frozen=True, slots=True)
class UnknownShape:
    """It returns something unknown."""


Shape = SamePlace | ModuleShape | TensorShape | PlainShape | InstanceShape | ContainerShape | UnknownShape


@dataclass(frozen=True, slots=True)
class Summary:
    """What a caller needs to know of a function of the same source."""

    returns: tuple[Shape, ...] = (UnknownShape(),)
    modes: tuple[tuple[Path, ModuleFacts], ...] = ()
    stored: tuple[tuple[Path, Shape], ...] = ()
    runs: tuple[Run, ...] = ()
    asks: frozenset[Path] = frozenset()
    writes: frozenset[Path] = frozenset()
    hidden_writes: frozenset[Path] = frozenset()
    tracked_writes: frozenset[Path] = frozenset()
    saves: frozenset[Path] = frozenset()
    backwards: frozenset[Path] = frozenset()
    logs: frozenset[Path] = frozenset()
    keeps: frozenset[Path] = frozenset()
    accumulates: frozenset[tuple[Path, Path]] = frozenset()  # what is added to what holds it from then on
    updates: bool = False  # tensors that live on are written
    leaves: bool = False  # what is made outlives the call elsewhere than in its result
    yielded: tuple[tuple[Path, ModuleFacts], ...] | None = None  # modes at the yield of a context manager
    enables: bool = False  # gradients are switched on inside
    steps: frozenset[Path] = frozenset()  # modules of the caller that backward runs through
    forwards: bool = False  # a module runs inside, whoever holds it
    trains: bool = False  # backward runs inside, or something that may run it
    builds_graphs: bool = False  # in evaluation mode, where the caller leaves gradients on
    # Attributes of `self` that hold an inference tensor at its end, or still what they held before.
    infers: tuple[tuple[str, frozenset[Origin]], ...] = ()


UNKNOWN_SUMMARY = Summary()


def abroad(summary: Summary) -> Summary:
    """What a caller in another file can use: nothing that goes by names of the function's module level."""
    return replace(
        summary,
        returns=tuple(_abroad(shape) for shape in summary.returns),
        modes=tuple(item for item in summary.modes if _travels(item[0])),
        stored=tuple((path, _abroad(shape)) for path, shape in summary.stored if _travels(path)),
        runs=tuple(run for run in summary.runs if _travels(run.path)),
        asks=_travelling(summary.asks),
        writes=_travelling(summary.writes),
        hidden_writes=_travelling(summary.hidden_writes),
        saves=_travelling(summary.saves),
        backwards=_travelling(summary.backwards),
        logs=_travelling(summary.logs),
        keeps=_travelling(summary.keeps),
        accumulates=frozenset(pair for pair in summary.accumulates if all(map(_travels, pair))),
        yielded=None
        if summary.yielded is None
        else tuple(item for item in summary.yielded if _travels(item[0])),
    )


def _abroad(shape: Shape) -> Shape:
    match shape:
        case SamePlace(path) if not _travels(path):
            return UnknownShape()
        case TensorShape():
            return replace(shape, sources=_travelling(shape.sources), modules=_travelling(shape.modules))
        case ContainerShape() | InstanceShape():
            slots = ((slot, tuple(_abroad(one) for one in shapes)) for slot, shapes in shape.slots)
            return replace(shape, slots=tuple(slots))
    return shape


def _travels(path: Path) -> bool:
    return not path[0].startswith("::")


def _travelling(paths: frozenset[Path]) -> frozenset[Path]:
    return frozenset(path for path in paths if _travels(path))


@dataclass(frozen=True, slots=True)
class Context:
    """What callers have set up when a function begins, joined over the calls that were seen."""

    modules: tuple[tuple[Path, ModuleFacts], ...]
    grad_mode: GradMode

    def join(self, other: Context) -> Context:
        """What either caller set up."""
        joined = dict(self.modules)
        for path, facts in other.modules:
            known = joined.get(path)
            joined[path] = facts if known is None else known.join(facts)
        return Context(tuple(joined.items()), self.grad_mode | other.grad_mode)


def settles(facts: ModuleFacts) -> bool:
    """Whether these facts say anything that the caller did not know before."""
    return facts.mode is not Mode.CALLER
