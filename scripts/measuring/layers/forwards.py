"""One forward of a sample with tensors of its own, and the backward through it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import nn

from measuring.layers.sample import Sample
from measuring.layers.signatures import call
from measuring.values import flatten

PARAMETERS = "parameters"
"""Stands among the arguments of a call for the layer's own parameters."""
MOST_CHOSEN = 3
"""So many arguments of a call are tried with and without requires_grad."""
NO_BACKWARD = ("derivative for", "not supported")


class Inputs:
    """Fresh inputs of one call. None is a leaf, so that each can be written in place.

    All are contiguous: of others many layers make a copy first, and save that. `partly`: of the tensors in a
    tuple only the last may require grad.
    """

    def __init__(
        self, sample: Sample, requiring: frozenset[str] = frozenset(), *, partly: bool = False
    ) -> None:
        signature = call(sample.cls)
        names = list(signature.parameters) if signature else ["input"]
        self._partly = partly
        self._copies: dict[int, torch.Tensor] = {}
        self.leaves: list[torch.Tensor] = []
        """What the tensors are copies of: here their gradients arrive."""
        self.tensors: list[tuple[str, torch.Tensor]] = []
        """Every tensor with the argument that it came in."""
        named = [(names[min(number, len(names) - 1)], value) for number, value in enumerate(sample.inputs)]
        self.positional = tuple(self._copy(name, value, requiring) for name, value in named)
        self.named = {name: self._copy(name, value, requiring) for name, value in sample.named_inputs.items()}

    def _copy(self, name: str, value: object, requiring: frozenset[str]) -> object:
        if isinstance(value, (tuple, list)):
            others = frozenset[str]() if self._partly else requiring
            copies = [self._copy(name, part, others) for part in value[:-1]]
            return type(value)([*copies, *(self._copy(name, part, requiring) for part in value[-1:])])
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) not in self._copies:
            leaf = value.detach().clone(memory_format=torch.contiguous_format)
            if name in requiring and leaf.is_floating_point():
                leaf.requires_grad_()
            self.leaves.append(leaf)
            self._copies[id(value)] = leaf.clone()
        self.tensors.append((name, self._copies[id(value)]))
        return self._copies[id(value)]

    def able(self) -> list[str]:
        """The arguments that may require grad; a mask never does."""
        floats = [name for name, tensor in self.tensors if tensor.is_floating_point() and "mask" not in name]
        return list(dict.fromkeys(floats))[:MOST_CHOSEN]


def able(sample: Sample) -> list[str]:
    """What may require grad in a call of the sample, its own parameters included."""
    own = [PARAMETERS] if any(True for _ in sample.module().parameters()) else []
    return [*Inputs(sample).able(), *own]


def choices(names: list[str]) -> Iterator[tuple[bool, frozenset[str]]]:
    """Both modes, each with every choice of what requires grad but the empty one."""
    for training in (True, False):
        for count in range(1, len(names) + 1):
            for requiring in map(frozenset, combinations(names, count)):
                yield training, requiring


def run(
    sample: Sample, requiring: frozenset[str], *, training: bool, partly: bool = False
) -> tuple[nn.Module, Inputs, list[torch.Tensor]] | None:
    """A new module, its inputs and outputs; None if nothing carries a graph, or torch has no derivative."""
    module = sample.module().train(training).requires_grad_(PARAMETERS in requiring)
    inputs = Inputs(sample, requiring, partly=partly)
    torch.manual_seed(1)
    try:
        outputs = called(module, inputs)
    except RuntimeError as error:
        if "derivative" in str(error) or "not differentiable" in str(error):
            return None
        raise
    return (module, inputs, outputs) if any(output.requires_grad for output in outputs) else None


def called(module: nn.Module, inputs: Inputs) -> list[torch.Tensor]:
    """The tensors that a call gives."""
    if call(type(module)) is None:  # its children are called by whoever wrote the subclass
        value: object = inputs.positional[0]
        for child in module.children():
            value = child(value)
        return flatten(value)
    return flatten(module(*inputs.positional, **inputs.named))


def backward_raises(outputs: list[torch.Tensor], *, stale_view: bool = False) -> bool | None:
    """Whether backward finds a changed tensor that it needs; None where torch has no backward.

    `stale_view` is the answer where it refuses one of several views, as a piece of a chunk.
    """
    graphs = [output for output in outputs if output.requires_grad]
    # Not ones: the same gradient everywhere cancels out in a norm or a softmax.
    made = torch.Generator().manual_seed(0)
    try:
        torch.autograd.backward(graphs, [torch.rand(output.shape, generator=made) for output in graphs])
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            return True
        if "returns multiple views" in str(error):
            return stale_view
        if any(reason in str(error) for reason in NO_BACKWARD):
            return None
        raise
    return False
