"""What backward needs of a call: its tensors are written after the forward, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from measuring.layers.forwards import able, backward_raises, choices, run
from measuring.layers.sample import Sample


@dataclass(frozen=True, slots=True)
class Write:
    """A tensor written after the forward."""

    target: str
    """An argument, `output 0`, or a parameter of the layer."""
    moved: frozenset[str]
    """The target and whatever else shares its version counter."""
    raised: bool
    """Whether backward found it changed."""
    unnoticed: bool = False
    """Whether backward gave other gradients instead; asked of parameters alone."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One forward in one mode, and a write to each of its tensors in turn."""

    training: bool
    requiring: frozenset[str]
    able: frozenset[str]
    """What could have required grad."""
    writes: tuple[Write, ...]


def trials(sample: Sample) -> Iterator[Trial]:
    """Both modes and every choice of what requires grad, with writes to the arguments and to the results."""
    names = able(sample)
    for training, requiring in choices(names):
        if writes := tuple(_writes(sample, requiring, training=training)):
            yield Trial(training, requiring, frozenset(names), writes)


def _writes(sample: Sample, requiring: frozenset[str], *, training: bool) -> Iterator[Write]:
    """A run for each tensor of the call."""
    number, count = 0, 1
    while number < count:
        ran = run(sample, requiring, training=training)
        if ran is None:
            return
        _, inputs, outputs = ran
        everything = [*inputs.tensors, *((f"output {place}", one) for place, one in enumerate(outputs))]
        count = len(everything)
        target, tensor = everything[number]
        before = [one._version for _, one in everything]
        torch.autograd.graph.increment_version(tensor)
        moved = {
            name for (name, one), version in zip(everything, before, strict=True) if one._version != version
        }
        raised = backward_raises(outputs)  # a piece of an argument may be refused whatever was saved
        if raised is not None:
            yield Write(target, frozenset(moved), raised)
        number += 1
