"""Ways to build and to call each class of torch.nn: from the recipes, and from torch's own database."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import Parameter
from itertools import combinations

import torch
from torch import nn

from measuring.layers.children import HOLDERS, holders
from measuring.layers.inputs import inputs
from measuring.layers.recipes import VARIANTS, Recipe, recipes
from measuring.layers.sample import Sample, bound
from measuring.layers.signatures import constructor

PER_CLASS = 12
"""So many samples of the database are taken of one class, spread over all that it has."""


def samples(cls: type[nn.Module], *, database: bool) -> Iterator[Sample]:
    """Samples of one class; torch refuses some of them, where two arguments do not fit together."""
    yield from holders(cls)
    for recipe in recipes(cls.__name__):
        yield from _of_recipe(cls, recipe)
    if database:
        yield from _of_database(cls)


def _of_recipe(cls: type[nn.Module], recipe: Recipe) -> Iterator[Sample]:
    """The usual values, every single other value with each call, every two with the first call."""
    usual = {name: values[0] for name, values in recipe.given.items()}
    others = [(name, value) for name, values in recipe.given.items() for value in values[1:]]
    others += [
        (name, value)
        for name, parameter in constructor(cls).parameters.items()
        if name not in usual
        for value in _variants(parameter)
    ]
    alone = [(), *((one,) for one in others)]
    pairs = [(one, other) for one, other in combinations(others, 2) if one[0] != other[0]]
    plans = [*((one, recipe.calls) for one in alone), *((pair, recipe.calls[:1]) for pair in pairs)]
    for chosen, calls in plans:
        keywords = usual | dict(chosen)
        arguments = bound(cls, (), keywords)
        for call in calls:
            made = inputs(call, cls.__name__, arguments)
            yield Sample(cls, (), keywords, made, fixed=frozenset(usual))


def _variants(parameter: Parameter) -> tuple[object, ...]:
    if isinstance(parameter.default, bool):
        return (not parameter.default,)
    known = VARIANTS.get(parameter.name, ()) if parameter.default is not Parameter.empty else ()
    return tuple(value for value in known if value is not parameter.default)


def _of_database(cls: type[nn.Module]) -> Iterator[Sample]:
    # Importing it takes two seconds and freezes torch's flags for the process.
    from torch.testing._internal.common_modules import module_db

    fixed = frozenset({"device", "dtype"}.union(*(recipe.given for recipe in recipes(cls.__name__))))
    for info in module_db:
        if info.module_cls is not cls:
            continue
        torch.manual_seed(0)
        found = info.module_inputs_func(
            info, device="cpu", dtype=torch.float32, requires_grad=False, training=True
        )
        found = [one for one in found if not _is_empty(one.forward_input.args)]
        for one in found[:: -(-len(found) // PER_CLASS)]:
            handed = (*one.constructor_input.args, *one.constructor_input.kwargs.values())
            children = tuple(part for part in handed if isinstance(part, nn.Module))
            yield Sample(
                cls,
                tuple(one.constructor_input.args),
                dict(one.constructor_input.kwargs),
                tuple(one.forward_input.args),
                dict(one.forward_input.kwargs),
                children=children if cls in HOLDERS else None,
                fixed=fixed,
            )


def _is_empty(inputs: tuple[object, ...]) -> bool:
    """Whether one of the tensors has no elements; backward then needs nothing."""
    return any(isinstance(value, torch.Tensor) and value.numel() == 0 for value in inputs)
