"""Modules as their constructor calls tell them: the rows of torch.nn, with the arguments that are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torchlint.flow.domain import Sensitivity
from torchlint.tables import Answer, Argument, Given, Layer


@dataclass(frozen=True, slots=True)
class Made:
    """A module as its constructor call tells: its class, whether its mode matters, whether it learns."""

    cls: str
    sensitivity: Sensitivity
    parameters: bool | None
    layer: Layer | None = None
    inplace: bool = False
    statistics: bool = False


def make(
    layer: Layer,
    positional: Sequence[Argument],
    keywords: Mapping[str, Argument],
    children: list[Sensitivity],
) -> Made:
    """The module that a row of the table makes with these arguments and children."""
    differs = layer.differs(positional, keywords)
    if differs is Answer.CHILDREN:
        sensitivity = Sensitivity.of_parts(children)
    else:
        sensitivity = {Answer.YES: Sensitivity.YES, Answer.NO: Sensitivity.NO}.get(
            differs, Sensitivity.UNKNOWN
        )
    parameters = {Answer.YES: True, Answer.NO: False}.get(layer.has_parameters(positional, keywords))
    inplace = layer.writes_input(positional, keywords) is Answer.YES
    statistics = layer.keeps_statistics(positional, keywords) is Answer.YES
    return Made(layer.name, sensitivity, parameters, layer.built(positional, keywords), inplace, statistics)


def argument(item: object) -> Argument:
    """An argument as the outline of a file tells it."""
    if isinstance(item, str | int | float | bool | None):
        return item
    return Given.ANYTHING
