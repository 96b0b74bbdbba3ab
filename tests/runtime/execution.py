"""Runs one source under real torch, in this process, and puts everything back as it was.

A fresh interpreter for each of some hundred fixtures would spend minutes on `import torch`. So a source
runs here, as `__main__` of its own namespace, and what it leaves switched is part of the outcome.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy
import torch
from expectations import Runtime

from torchlint.prove import programs


@dataclass(frozen=True, slots=True)
class Outcome(programs.Outcome):
    """What one run printed, raised, left in its names and left switched."""

    left_over: tuple[str, ...]
    seconds: float


def run(text: str, name: str, *, seed: int = 0) -> Outcome:
    """Execute a source as a program; `seed` is what the generators hold where it sets none itself."""
    with restored() as left_over, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.process_time()
        done = programs.execute(text, name, seed=seed)
        seconds = time.process_time() - started
    return Outcome(done.printed, done.error, done.left, tuple(left_over), seconds)


def misbehaviour(outcome: Outcome, said: Runtime | None) -> str | None:
    """What is wrong with an outcome, given the `# runtime:` line; None where it is as said."""
    if outcome.left_over:
        return f"leaves behind: {', '.join(outcome.left_over)}"
    if said is None or said.error is None:
        return None if outcome.error is None else f"must run to its end, but raised {outcome.error_line}"
    if outcome.error is None:
        return f"must raise {said.error}, but ran to its end"
    names = {
        type(outcome.error).__name__,
        f"{type(outcome.error).__module__}.{type(outcome.error).__qualname__}",
    }
    if said.error not in names:
        return f"must raise {said.error}, but raised {outcome.error_line}"
    if said.text is not None and said.text not in str(outcome.error):
        return f"must say {said.text!r}, but said: {outcome.error}"
    return None


@contextlib.contextmanager
def restored() -> Iterator[list[str]]:
    """On leaving, put back what a program may have switched, and list what had changed."""
    left_over: list[str] = []
    generators = torch.get_rng_state(), random.getstate(), numpy.random.get_state()
    handlers, level = logging.root.handlers[:], logging.root.level
    before = _switches()
    try:
        yield left_over
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        after = _switches()
        left_over.extend(f"{key} = {after[key]}" for key in before if after[key] != before[key])
        torch.set_grad_enabled(bool(before["grad mode"]))
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.use_deterministic_algorithms(False)
        torch.set_anomaly_enabled(False)
        torch.set_num_threads(1)
        torch.set_rng_state(generators[0])
        random.setstate(generators[1])
        numpy.random.set_state(generators[2])


def _switches() -> dict[str, object]:
    return {
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "anomaly mode": torch.is_anomaly_enabled(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "threads": torch.get_num_threads(),
    }
