"""What a place can hold: things, named by the node that made them, so that there are finitely many.

A thing never changes; what is true of it at one point stands in the state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from torchlint.flow.domain import GradMode, Sensitivity

if TYPE_CHECKING:
    import libcst as cst

    from torchlint.flow.events import Region, Site
    from torchlint.flow.neighbours import Callee
    from torchlint.flow.state import ModuleFacts
    from torchlint.tables import Layer
    from torchlint.units import Unit


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """Something a place holds; `key` names it, `place` is how the source spells it.

    `serial` counts the things of a walk. It is the hash too, so that sets of things are gone
    through in the same order in every run, whatever the addresses.
    """

    key: object
    place: str
    serial: int

    def __hash__(self) -> int:
        return self.serial


@dataclass(frozen=True, slots=True, eq=False)
class Opaque(Thing):
    """Something unknown: a parameter, or what a stranger returned. It may be a tensor."""

    parent: Thing | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Optimizer(Opaque):
    """An optimizer of torch.optim; its parameters stand in the heap. A fused one writes behind autograd."""

    fused: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Tensor(Thing):
    """A tensor; `leaf` when it is a parameter, which requires grad until something says otherwise.

    `holder` is the module whose parameter it is.
    """

    leaf: bool = False
    holder: Thing | None = None
    several: bool = False  # what a module of unknown make returned: maybe a tuple or dict of tensors
    every: bool = False  # stands for each parameter of its holder


@dataclass(frozen=True, slots=True, eq=False)
class Module(Thing):
    """An nn.Module.

    `parent` is the module or object that holds it; `owned` when its mode is the business of
    whoever uses the class that is being read; `parameters` is None where nobody can say.
    """

    cls: str | None = None
    sensitivity: Sensitivity = Sensitivity.UNKNOWN
    parent: Thing | None = None
    built: Site | None = None
    owned: bool = False
    parameters: bool | None = None
    layer: Layer | None = None  # its row, where it is a layer of torch.nn
    inplace: bool = False  # built with inplace=True
    statistics: bool = False  # keeps statistics that evaluation uses and training writes


@dataclass(frozen=True, slots=True, eq=False)
class Instance(Thing):
    """An object of a class in sight that is no module; its attributes stand in the heap."""

    cls: str | None = None


class Plain(Enum):
    """Kinds of values that are no tensor and keep no graph."""

    NUMBER = "number"
    TEXT = "text"
    NONE = "none"
    ARRAY = "array"
    OTHER = "other"


@dataclass(frozen=True, slots=True, eq=False)
class Scalar(Thing):
    """A number, text, array or None; `reads` are the `.item()` calls that it comes from."""

    kind: Plain = Plain.OTHER
    memory: frozenset[Thing] = frozenset()  # the storages that an array lies in
    reads: frozenset[Site] = frozenset()
    constant: object = None


@dataclass(frozen=True, slots=True, eq=False)
class Container(Thing):
    """A list, tuple, dict or set made in this unit; its elements stand in the heap."""

    kind: str = "list"


@dataclass(frozen=True, slots=True, eq=False)
class Function(Thing):
    """A function in sight."""

    callee: Callee | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Closure(Thing):
    """A nested function or lambda of the unit that is being walked."""

    node: cst.FunctionDef | cst.Lambda | None = None
    unit: Unit | None = None  # in which it stands


@dataclass(frozen=True, slots=True, eq=False)
class ClassThing(Thing):
    """A class in sight, by its key."""

    cls: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Dotted(Thing):
    """Something imported, by its dotted name."""

    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Bound(Thing):
    """An attribute of a thing, read in order to be called."""

    receiver: Thing | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Restorer(Thing):
    """A context manager of this source, entered: the modes that modules have after it."""

    after: tuple[tuple[Thing, ModuleFacts], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Switch(Thing):
    """A grad-mode context manager, not entered yet."""

    mode: GradMode = GradMode.CALLER
    region: Region | None = None


Value = frozenset[Thing]
NOTHING: Value = frozenset()
WIDEST = 6  # more alternatives than this are one unknown thing

_T = TypeVar("_T", bound=Thing)


class Things:
    """Makes each thing once per walk: equal key and class give the same object.

    `context` are the calls and rounds of loops that are being played: a node makes another thing
    in each of them.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[Callable[..., Thing], object, object], Thing] = {}
        self.context: tuple[object, ...] = ()

    def named(self, key: object) -> object:
        """The key of what a node makes here and now; other keys as they are."""
        if self.context and isinstance(key, tuple) and not isinstance(key[0], str | tuple):
            return key, self.context
        return key  # of a place of the caller, or of what another thing holds

    def make(
        self, make: Callable[..., _T], key: object, place: str, variant: object = None, /, **facts: Any
    ) -> _T:
        """The thing of this class and key; `variant` tells apart what `facts` make different."""
        key = self.named(key)
        full = (make, key, variant)
        thing = self._made.get(full)
        if thing is None:
            thing = self._made[full] = make(key, place, len(self._made), **facts)
        return thing  # type: ignore[return-value]

    def scalar(
        self,
        kind: Plain,
        *,
        reads: frozenset[Site] = frozenset(),
        constant: object = None,
        memory: frozenset[Thing] = frozenset(),
    ) -> Value:
        """A plain value; equal ones are one thing."""
        marker = (kind, reads, type(constant), constant, memory)
        facts = {"kind": kind, "reads": reads, "constant": constant, "memory": memory}
        return frozenset((self.make(Scalar, "plain", kind.value, marker, **facts),))


class Remembered(NamedTuple):
    """What `net.training` gives: the module, and what was known of it then."""

    module: Module
    facts: ModuleFacts


def constant_of(value: Value) -> object:
    """The literal that a value is; None where it is none, or several things."""
    if len(value) == 1:
        (thing,) = value
        if isinstance(thing, Scalar):
            return thing.constant
    return None


def reads_of(value: Value) -> frozenset[Site]:
    """The `.item()` calls that a value comes from."""
    return frozenset().union(*(thing.reads for thing in value if isinstance(thing, Scalar)))


def sorted_things(value: Value) -> list[Thing]:
    """A value's things in the order of their kinds and places."""
    if len(value) < 2:
        return list(value)
    return sorted(value, key=lambda thing: (type(thing).__name__, thing.place))
