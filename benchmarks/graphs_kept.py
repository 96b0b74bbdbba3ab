"""What a sum of losses keeps in memory: `python benchmarks/graphs_kept.py [--steps N] [--batch N]`.

The loop is that of rules/TL202.md, with the fault and with its cure, after backward and without it. Each
combination runs in a process of its own, and prints the memory of that process: what it holds more after the
last step than after the first tenth of them, by step.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import torch
from torch import nn


def resident() -> int:
    """The bytes that this process holds."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def run(keep: str, *, backward: bool, steps: int, batch: int) -> float:
    """Bytes that one step adds to the memory of this process."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))
    rows = torch.ones(batch, 64)
    total, first, warm = torch.zeros(()), 0, steps // 10
    for step in range(steps):
        if step == warm:
            first = resident()
        loss = model(rows).square().mean()
        if backward:
            loss.backward()
        if keep == "loss":
            total = total + loss  # torchlint: ignore[TL202] it is what is measured
        elif keep == "loss.detach()":
            total = total + loss.detach()
        else:
            total = total + loss.detach().item()
    return (resident() - first) / (steps - warm)


def main() -> None:
    """Print one line for each combination."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--only", nargs=2, metavar=("KEEP", "WHEN"), help="run one in this process")
    asked = parser.parse_args()
    if asked.only:
        keep, when = asked.only
        print(run(keep, backward=when == "after", steps=asked.steps, batch=asked.batch))
        return
    print(f"torch {torch.__version__}, {asked.steps} steps, batch {asked.batch}")
    for when in ("after", "without"):
        for keep in ("loss", "loss.detach()", "loss.item()"):
            command = [sys.executable, __file__, "--only", keep, when]
            sizes = ["--steps", str(asked.steps), "--batch", str(asked.batch)]
            done = subprocess.run([*command, *sizes], capture_output=True, text=True, check=True)
            kib = float(done.stdout) / 1024
            print(f"total += {keep:15}{when:8}backward {kib:9.1f} KiB a step")


if __name__ == "__main__":
    main()
