"""The arguments of a call, evaluated, and how the tables of torch want them told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchlint.flow.things import NOTHING, Dotted, Plain, Scalar, Tensor, Value, constant_of
from torchlint.tables import Argument, Given, Op
from torchlint.tables.effects import says

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.things import Things


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a call, evaluated."""

    positional: tuple[Value, ...] = ()
    keywords: dict[str, Value] = field(default_factory=dict)
    starred: bool = False

    @classmethod
    def of(cls, *positional: Value) -> Arguments:
        """The arguments of a call that the engine makes up."""
        return cls(positional)

    def all(self) -> Iterable[Value]:
        """Every value handed over."""
        return (*self.positional, *self.keywords.values())

    def get(self, name: str, position: int | None = None) -> Value | None:
        """The argument with this name or at this position."""
        if name in self.keywords:
            return self.keywords[name]
        if position is not None and position < len(self.positional):
            return self.positional[position]
        return None

    def constant(self, name: str, position: int | None = None) -> object:
        """The literal given for an argument; None where there is none or it is no literal."""
        return constant_of(self.get(name, position) or NOTHING)

    def behind(self, receiver: Value) -> Arguments:
        """The same call with a receiver in front."""
        return Arguments((receiver, *self.positional), self.keywords, self.starred)


def described(arguments: Arguments) -> tuple[list[Argument], dict[str, Argument]]:
    """A call as the tables want it told: literals as they are, tensors as such."""
    keywords = {name: _describe(value) for name, value in arguments.keywords.items()}
    return [_describe(value) for value in arguments.positional], keywords


def _describe(value: Value) -> Argument:
    if len(value) == 1:
        (thing,) = value
        if isinstance(thing, Scalar):
            literal = thing.constant
            if isinstance(literal, str | int | float | bool):
                return literal
            return None if thing.kind is Plain.NONE else Given.PLAIN
        if isinstance(thing, Tensor):
            return Given.TENSOR
    return Given.ANYTHING


def is_true(value: Value | None) -> bool:
    """Whether an argument is literally True."""
    return bool(value) and all(isinstance(thing, Scalar) and thing.constant is True for thing in value or ())


def bind(op: Op, arguments: Arguments) -> dict[str, Value]:
    """The arguments of an operation by name."""
    bound = dict(zip(op.args, arguments.positional, strict=False))
    if op.variadic and len(arguments.positional) > len(op.args):
        rest = arguments.positional[len(op.args) - 1 :]
        bound[op.args[-1]] = NOTHING.union(*rest)
    bound.update(arguments.keywords)
    return bound


def bind_parameters(definition: Definition, arguments: Arguments) -> dict[str, Value]:
    """The arguments of a call of a function by the names of its parameters."""
    names = definition.parameters
    bound = dict(zip(names, arguments.positional, strict=False))
    for name, value in arguments.keywords.items():
        if name in names or name in definition.keyword_parameters:
            bound[name] = value
    return bound


def left_out(definition: Definition, arguments: Arguments, things: Things) -> dict[str, Value]:
    """What parameters hold that a call may leave to defaults, where these are literals."""
    if arguments.starred:
        return {}
    literals = definition.literal_defaults.items()
    return {name: things.scalar(Plain.NONE if one is None else Plain.OTHER) for name, one in literals}


def is_cast_to_integers(op: Op, arguments: Arguments) -> bool:
    """`.to(torch.long)`: integers and booleans carry no graph."""
    if op.name not in ("to", "type"):
        return False
    names = [thing.name for value in arguments.all() for thing in value if isinstance(thing, Dotted)]
    return any("integer" in says("dtype", name.rpartition(".")[2]) for name in names)
