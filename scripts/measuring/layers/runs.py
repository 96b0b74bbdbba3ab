"""What torch does with one sample of a class: in both modes, and for each choice of what requires grad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import nn

from measuring.layers.children import differ, have_parameters
from measuring.layers.sample import Sample
from measuring.layers.signatures import call
from measuring.values import flatten
from torchlint.tables import Argument

PARAMETERS = "parameters"
"""Stands among the arguments of a call for the layer's own parameters."""
MOST_CHOSEN = 3
"""So many arguments of a call are tried with and without requires_grad."""
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, AttributeError)
NO_BACKWARD = ("derivative for", "not supported")


@dataclass(frozen=True, slots=True)
class Write:
    """A tensor written after the forward."""

    target: str
    """An argument, or `output 0`."""
    moved: frozenset[str]
    """The target and whatever else shares its version counter."""
    raised: bool
    """Whether backward found it changed."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One forward in one mode, and a write to each of its tensors in turn."""

    training: bool
    requiring: frozenset[str]
    able: frozenset[str]
    """What could have required grad."""
    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class Observation:
    """All that was seen of one sample."""

    given: dict[str, Argument]
    deviations: dict[str, Argument]
    differs: bool
    parameters: bool
    children_differ: bool | None
    children_have_parameters: bool | None
    moves_input: tuple[bool, bool]
    """Whether a call writes its first argument: in training, in evaluation."""
    trials: tuple[Trial, ...]

    @property
    def writes_in_place(self) -> bool:
        """Whether it was built to write its input."""
        return self.given.get("inplace") is True


def observe(sample: Sample) -> Observation | None:
    """What torch does with it; None if torch refuses it."""
    try:
        outcomes = [_outcome(sample, training=training) for training in (True, False)]
    except REFUSALS:
        return None
    children = sample.children
    return Observation(
        given=sample.given(),
        deviations=sample.deviations(),
        differs=not all(_same(*pair) for pair in zip(*outcomes, strict=True)),
        parameters=any(True for _ in sample.module().parameters()),
        children_differ=None if children is None else differ(children),
        children_have_parameters=None if children is None else have_parameters(children),
        moves_input=(_moves_input(sample, training=True), _moves_input(sample, training=False)),
        trials=tuple(_trials(sample)) if call(sample.cls) else (),
    )


def _outcome(sample: Sample, *, training: bool) -> list[torch.Tensor]:
    """The results of two calls, and then the state."""
    module = sample.module().train(training)
    torch.manual_seed(1)
    with torch.no_grad():
        results = [*_called(module, _Inputs(sample)), *_called(module, _Inputs(sample))]
    return [*results, *module.parameters(), *module.buffers()]


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, atol=1e-5, rtol=1e-4, equal_nan=True)


def _moves_input(sample: Sample, *, training: bool) -> bool:
    inputs = _Inputs(sample)
    with torch.inference_mode():
        _called(sample.module().train(training), inputs)
    return any(tensor._version for _, tensor in inputs.tensors)


def _called(module: nn.Module, inputs: _Inputs) -> list[torch.Tensor]:
    if call(type(module)) is None:  # its children are called by whoever wrote the subclass
        value: object = inputs.positional[0]
        for child in module.children():
            value = child(value)
        return flatten(value)
    return flatten(module(*inputs.positional, **inputs.named))


class _Inputs:
    """Fresh inputs of one call. None is a leaf, so that each can be written in place.

    All are contiguous: of others many layers make a copy first, and save that.
    """

    def __init__(self, sample: Sample, requiring: frozenset[str] = frozenset()) -> None:
        signature = call(sample.cls)
        names = list(signature.parameters) if signature else ["input"]
        self._copies: dict[int, torch.Tensor] = {}
        self.tensors: list[tuple[str, torch.Tensor]] = []
        """Every tensor with the argument that it came in."""
        named = [(names[min(number, len(names) - 1)], value) for number, value in enumerate(sample.inputs)]
        self.positional = tuple(self._copy(name, value, requiring) for name, value in named)
        self.named = {name: self._copy(name, value, requiring) for name, value in sample.named_inputs.items()}

    def _copy(self, name: str, value: object, requiring: frozenset[str]) -> object:
        if isinstance(value, (tuple, list)):
            return type(value)(self._copy(name, part, requiring) for part in value)
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) not in self._copies:
            leaf = value.detach().clone(memory_format=torch.contiguous_format)
            if name in requiring and leaf.is_floating_point():
                leaf.requires_grad_()
            self._copies[id(value)] = leaf.clone()
        self.tensors.append((name, self._copies[id(value)]))
        return self._copies[id(value)]

    def able(self) -> list[str]:
        """The arguments that may require grad; a mask never does."""
        floats = [name for name, tensor in self.tensors if tensor.is_floating_point() and "mask" not in name]
        return list(dict.fromkeys(floats))[:MOST_CHOSEN]


def _trials(sample: Sample) -> Iterator[Trial]:
    able = _Inputs(sample).able()
    own = [PARAMETERS] if any(True for _ in sample.module().parameters()) else []
    everything = [*able, *own]
    for training in (True, False):
        for count in range(1, len(everything) + 1):
            for requiring in map(frozenset, combinations(everything, count)):
                if writes := tuple(_writes(sample, requiring, training=training)):
                    yield Trial(training, requiring, frozenset(everything), writes)


def _writes(sample: Sample, requiring: frozenset[str], *, training: bool) -> Iterator[Write]:
    """A run for each tensor of the call; none if nothing carries a graph, or torch has no derivative."""
    number, count = 0, 1
    while number < count:
        module = sample.module().train(training).requires_grad_(PARAMETERS in requiring)
        inputs = _Inputs(sample, requiring)
        torch.manual_seed(1)
        try:
            outputs = _called(module, inputs)
        except RuntimeError as error:
            if "derivative" in str(error) or "not differentiable" in str(error):
                return
            raise
        if not any(output.requires_grad for output in outputs):
            return
        everything = [*inputs.tensors, *((f"output {place}", one) for place, one in enumerate(outputs))]
        count = len(everything)
        target, tensor = everything[number]
        before = [one._version for _, one in everything]
        torch.autograd.graph.increment_version(tensor)
        moved = {
            name for (name, one), version in zip(everything, before, strict=True) if one._version != version
        }
        raised = _backward_raises(outputs)
        if raised is not None:
            yield Write(target, frozenset(moved), raised)
        number += 1


def _backward_raises(outputs: list[torch.Tensor]) -> bool | None:
    """Whether backward finds a changed tensor that it needs; None where torch has no backward."""
    graphs = [output for output in outputs if output.requires_grad]
    try:
        torch.autograd.backward(graphs, [torch.ones_like(output) for output in graphs])
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            return True
        if "returns multiple views" in str(error):
            return False  # a piece of a chunk is stale, whatever was saved
        if any(reason in str(error) for reason in NO_BACKWARD):
            return None
        raise
    return False
