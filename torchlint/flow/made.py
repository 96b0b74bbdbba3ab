"""Modules as their constructor calls tell them: the rows of torch.nn, with the arguments that are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torchlint.constructs import FILLING, UNREADABLE, Construct
from torchlint.flow.domain import Sensitivity
from torchlint.tables import Answer, Argument, Given, Layer

LISTS = frozenset({"torch.nn.ModuleList", "torch.nn.ModuleDict", "torch.nn.Sequential"})
"""What holds modules, and may be filled later."""


@dataclass(frozen=True, slots=True)
class Made:
    """A module as its constructor call tells: its class, whether its mode matters, whether it learns."""

    cls: str | None
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


def is_filled(calls: Iterable[Construct], attribute: str, built: Sequence[Made]) -> bool:
    """Whether a list of modules gets some that nobody in sight has built; `calls` are those of its class."""
    given = [
        item
        for call in calls
        if call.callee.startswith(f"self.{attribute}.") and call.callee.rpartition(".")[2] in FILLING
        for item in call.arguments
    ]
    return UNREADABLE in given or (bool(given) and all(made.cls in LISTS for made in built))


def argument(item: object) -> Argument:
    """An argument as the outline of a file tells it."""
    if isinstance(item, str | int | float | bool | None):
        return item
    return Given.ANYTHING
