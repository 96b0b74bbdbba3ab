"""One way to build a class of torch.nn and to call what was built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from inspect import Parameter

import torch
from torch import nn

from measuring.layers.signatures import constructor
from torchlint.tables import Argument, Given


@dataclass(frozen=True, slots=True)
class Sample:
    """Arguments of a constructor and of a call."""

    cls: type[nn.Module]
    positional: tuple[object, ...]
    keywords: Mapping[str, object]
    inputs: tuple[object, ...]
    """Positional arguments of the call."""
    named_inputs: Mapping[str, object] = field(default_factory=dict)
    children: tuple[object, ...] | None = None
    """The modules and parameters that were handed over; None where the class takes none."""
    fixed: frozenset[str] = frozenset()
    """Optional arguments that every sample gives, because a call fails without one of them."""
    build: Callable[..., nn.Module] | None = None
    """What builds the module in place of the class."""

    def module(self) -> nn.Module:
        """A new module, the same each time; one that makes its parameters late has made them."""
        torch.manual_seed(0)
        positional, keywords = deepcopy((self.positional, dict(self.keywords)))
        made = (self.build or self.cls)(*positional, **keywords)
        if isinstance(made, nn.modules.lazy.LazyModuleMixin):
            made(*self.inputs, **self.named_inputs)
        return made

    def given(self) -> dict[str, Argument]:
        """Every named argument of the constructor, as a reader of the source knows it, defaults included."""
        arguments = bound(self.cls, self.positional, self.keywords)
        return {name: _literal(value) for name, value in arguments.items()}

    def deviations(self) -> dict[str, Argument]:
        """The optional arguments with another value than their default."""
        found = {}
        parameters = constructor(self.cls).parameters
        for name, value in bound(self.cls, self.positional, self.keywords).items():
            default = parameters[name].default
            if name in self.fixed or default is Parameter.empty or value is default:
                continue
            literal = _literal(value)
            if literal is Given.ANYTHING or literal != _literal(default):
                found[name] = literal
        return found


def bound(
    cls: type[nn.Module], positional: tuple[object, ...], keywords: Mapping[str, object]
) -> dict[str, object]:
    """The named arguments of a constructor with their values, defaults included."""
    signature = constructor(cls)
    given = signature.bind(*positional, **keywords)
    given.apply_defaults()
    variadic = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return {
        name: value
        for name, value in given.arguments.items()
        if signature.parameters[name].kind not in variadic
    }


def _literal(value: object) -> Argument:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, tuple):
        return tuple(_literal(part) for part in value)
    return Given.ANYTHING
