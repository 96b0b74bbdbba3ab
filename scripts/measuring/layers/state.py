"""What backward needs of a layer's own state: its parameters, and the statistics that training writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from typing import TypeAlias

import torch
from torch import nn

from measuring.layers.forwards import PARAMETERS, Inputs, able, backward_raises, called, choices, run
from measuring.layers.sample import Sample
from measuring.layers.trials import Trial, Write
from measuring.values import alike


class Stale(Enum):
    """What becomes of backward when state that the forward may have saved is written before it."""

    HARMLESS = "harmless"
    NOTICED = "noticed"  # it raises
    UNNOTICED = "unnoticed"  # it gives other gradients
    UNSEEN = "unseen"  # all that was saved was written with the values that it had


Gradients: TypeAlias = tuple[torch.Tensor | None, ...]
"""Of the inputs of a call, then of the layer's parameters."""
Forward: TypeAlias = Callable[[], tuple[nn.Module, Inputs, list[torch.Tensor]] | None]
"""The same run at every call."""


def state_trials(sample: Sample) -> Iterator[Trial]:
    """Both modes and every choice of what requires grad, with a write to each parameter."""
    names = able(sample)
    tuples = any(isinstance(value, tuple) for value in sample.inputs)
    for training, requiring in choices(names) if PARAMETERS in names else ():
        for partly in (False, True) if tuples else (False,):
            run_with = partial(run, sample, requiring, training=training, partly=partly)
            if writes := tuple(_writes(_targets(sample.module()), run_with)):
                yield Trial(training, requiring, frozenset(names), writes)


def statistics(sample: Sample) -> Stale:
    """What a forward in training mode does to backward through an earlier one in evaluation mode."""
    everything = frozenset(able(sample))
    buffers = [name for name, _ in sample.module().named_buffers()]
    changed: set[str] = set()

    def train(module: nn.Module) -> None:
        before = {name: module.get_buffer(name).clone() for name in buffers}
        with torch.no_grad():
            called(module.train(), Inputs(sample))
        changed.update(name for name in buffers if not alike(module.get_buffer(name), before[name]))

    evaluated = partial(run, sample, everything, training=False)
    found = _stale(evaluated, train) if buffers else None
    if found in (Stale.NOTICED, Stale.UNNOTICED):
        return found
    bumped = {name: _stale(evaluated, partial(_bump, name=name)) for name in buffers}
    saved = {name for name in buffers if bumped[name] is Stale.NOTICED}
    return Stale.UNSEEN if saved and not saved & changed else Stale.HARMLESS


def _writes(targets: list[str], forward: Forward) -> Iterator[Write]:
    """A run for each parameter; none if nothing carries a graph, or torch has no derivative."""
    for target in targets:
        stale = _stale(forward, partial(_step, target=target))
        if stale is None:
            return
        yield Write(target, frozenset((target,)), stale is Stale.NOTICED, unnoticed=stale is Stale.UNNOTICED)


def _targets(module: nn.Module) -> list[str]:
    """Its parameters; all together, as an optimizer writes them, where a name is numbered or a child's."""
    names = [name for name, _ in module.named_parameters()]
    return names if all(re.fullmatch("[a-z_]+", name) for name in names) else [PARAMETERS]


def _step(module: nn.Module, target: str) -> None:
    for name, parameter in module.named_parameters():
        if target in (name, PARAMETERS):
            with torch.no_grad():
                parameter.add_(torch.rand_like(parameter) + 0.5)


def _bump(module: nn.Module, name: str) -> None:
    torch.autograd.graph.increment_version(module.get_buffer(name))


def _leave(module: nn.Module) -> None:
    """Write nothing."""


def _stale(forward: Forward, write: Callable[[nn.Module], None]) -> Stale | None:
    """What the write does; None if nothing carries a graph, or torch has no derivative."""
    after = _backward(forward, write)
    if after is None or isinstance(after, Stale):
        return after
    clean = _backward(forward, lambda module: None)
    assert isinstance(clean, tuple)
    return Stale.HARMLESS if all(map(alike, after, clean)) else Stale.UNNOTICED


def _backward(forward: Forward, write: Callable[[nn.Module], None]) -> Gradients | Stale | None:
    """A forward, the write, and backward: NOTICED if it raises, None if there is none."""
    ran = forward()
    if ran is None:
        return None
    module, inputs, outputs = ran
    write(module)
    # A layer that cuts its weight into pieces saves those: a stale one is refused as one of several views.
    raised = backward_raises(outputs, stale_view=True)
    if raised is None:
        return None
    if raised:
        return Stale.NOTICED
    gradients = (leaf.grad for leaf in (*inputs.leaves, *module.parameters()))
    return tuple(one if one is None else one.to_dense() for one in gradients)
