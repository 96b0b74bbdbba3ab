"""What torch does with one sample of a class: in both modes, and for each choice of what requires grad."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from measuring.layers.children import differ, have_parameters, keep_statistics
from measuring.layers.forwards import Inputs, called
from measuring.layers.sample import Sample
from measuring.layers.signatures import call
from measuring.layers.state import Stale, state_trials, statistics
from measuring.layers.trials import Trial, trials
from measuring.values import alike
from torchlint.tables import Argument

REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, AttributeError)


@dataclass(frozen=True, slots=True)
class Observation:
    """All that was seen of one sample."""

    given: dict[str, Argument]
    deviations: dict[str, Argument]
    differs: bool
    parameters: bool
    statistics: Stale
    children_differ: bool | None
    children_have_parameters: bool | None
    children_keep_statistics: bool | None
    moves_input: tuple[bool, bool]
    """Whether a call writes its first argument: in training, in evaluation."""
    trials: tuple[Trial, ...]
    state_trials: tuple[Trial, ...]
    """The same with writes to the layer's own parameters."""

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
    is_called = call(sample.cls) is not None
    return Observation(
        given=sample.given(),
        deviations=sample.deviations(),
        differs=not all(alike(*pair) for pair in zip(*outcomes, strict=True)),
        parameters=any(True for _ in sample.module().parameters()),
        statistics=statistics(sample),
        children_differ=None if children is None else differ(children),
        children_have_parameters=None if children is None else have_parameters(children),
        children_keep_statistics=None if children is None else keep_statistics(children),
        moves_input=(_moves_input(sample, training=True), _moves_input(sample, training=False)),
        trials=tuple(trials(sample)) if is_called else (),
        state_trials=tuple(state_trials(sample)) if is_called else (),
    )


def _outcome(sample: Sample, *, training: bool) -> list[torch.Tensor]:
    """The results of two calls, and then the state."""
    module = sample.module().train(training)
    torch.manual_seed(1)
    with torch.inference_mode():
        results = [*called(module, Inputs(sample)), *called(module, Inputs(sample))]
    return [*results, *module.parameters(), *module.buffers()]


def _moves_input(sample: Sample, *, training: bool) -> bool:
    module, inputs = sample.module().train(training), Inputs(sample)
    with torch.inference_mode():
        called(module, inputs)
    return any(tensor._version for _, tensor in inputs.tensors)
