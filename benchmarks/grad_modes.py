"""What the switches of autograd cost in time: `python benchmarks/grad_modes.py [--rounds N]`.

Each table compares spellings of the same work. They run in turns, one short burst each a round, so that a
busy machine slows all of them alike: times are medians over the rounds, and ratios are medians of the ratios
within a round. docs/claims.md and the pages of the rules quote this script; no test does, because times
differ between machines.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

Work = Callable[[], object]
Switch = Callable[[], AbstractContextManager[object]]

BURST = 0.004  # seconds that one spelling runs in one round

MODES: dict[str, Switch] = {
    "grad mode": nullcontext,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


def perceptron() -> Work:
    """Linear 16-32-4 with ReLU, a batch of 8."""
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    return partial(model, torch.randn(8, 16))


def convolutions() -> Work:
    """Two 3x3 convolutions of 32 channels with ReLU, 8 images of 64x64."""
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU())
    return partial(model, torch.randn(8, 3, 64, 64))


def views_of_input() -> Work:
    """200 views of a 4x4 tensor from outside the region: those stay recorded even in inference_mode."""
    return partial(viewed, torch.randn(4, 4))


def views_of_result() -> Work:
    """200 views of a 4x4 tensor that is made in the region."""
    rows = torch.randn(4, 4)
    return lambda: viewed(rows.clone())


def viewed(view: Tensor) -> Tensor:
    """The last of 200 views, each of the one before."""
    for _ in range(50):
        view = view.unsqueeze(0).transpose(0, 1).squeeze(1).t()
    return view


def under(switch: Switch, work: Work) -> Work:
    """The work inside a region, as a loop of evaluation does it: one region a call."""

    def inside() -> None:
        with switch():
            work()

    return inside


def reading() -> dict[str, Work]:
    """Two ways to read a loss for a log."""
    loss = nn.Linear(8, 1)(torch.randn(4, 8)).square().mean()
    return {"loss.item()": loss.item, "loss.detach().item()": lambda: loss.detach().item()}


def training() -> dict[str, Work]:
    """A training step of a small MLP, without and with anomaly detection."""
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    rows = torch.randn(32, 64)

    def step() -> None:
        optimizer.zero_grad()
        model(rows).square().mean().backward()
        optimizer.step()

    return {
        "a training step": step,
        "with anomaly detection": under(partial(torch.autograd.set_detect_anomaly, True), step),
    }


@dataclass(frozen=True, slots=True)
class Rounds:
    """Seconds a call of each spelling, round by round."""

    times: Mapping[str, Sequence[float]]

    def median(self, name: str) -> float:
        """The median microseconds a call."""
        return statistics.median(self.times[name]) * 1e6

    def ratio(self, name: str, other: str) -> float:
        """How many times as long as the other one it took in the same round, as a median."""
        pairs = zip(self.times[name], self.times[other], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)


def measured(spellings: Mapping[str, Work], rounds: int) -> Rounds:
    """Run the spellings in turns, in another order each round."""
    calls = {
        name: max(1, int(BURST / min(timed(work, 1) for _ in range(5)))) for name, work in spellings.items()
    }
    times: dict[str, list[float]] = {name: [] for name in spellings}
    order, shuffled = list(spellings), random.Random(0)
    for _ in range(rounds):
        shuffled.shuffle(order)
        for name in order:
            times[name].append(timed(spellings[name], calls[name]))
    return Rounds(times)


def timed(work: Work, calls: int) -> float:
    """Seconds of one call, the mean over some in a row."""
    start = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - start) / calls


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=60, help="bursts of each spelling (60)")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, CPU, one thread, {rounds} interleaved rounds, medians in µs a call")
    print(f"\n{'':18}{''.join(f'{mode:>16}' for mode in MODES)}{'grad/no_grad':>16}{'no_grad/infer.':>16}")
    for case in (perceptron, convolutions, views_of_input, views_of_result):
        work = case()
        found = measured({mode: under(switch, work) for mode, switch in MODES.items()}, rounds)
        cells = [f"{found.median(mode):16.2f}" for mode in MODES]
        cells.append(f"{found.ratio('grad mode', 'no_grad'):16.2f}")
        cells.append(f"{found.ratio('no_grad', 'inference_mode'):16.2f}")
        print(f"{case.__name__:18}{''.join(cells)}")
    for spellings in (reading(), training()):
        found = measured(spellings, rounds)
        first = next(iter(spellings))
        print()
        for name in spellings:
            print(f"{name:34}{found.median(name):16.2f}{found.ratio(name, first):16.2f}")


if __name__ == "__main__":
    main()
