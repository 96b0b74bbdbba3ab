"""What the rules about in-place writes cost: `python benchmarks/inplace_cost.py [--runs N] [--seed N]`.

Lines a second of TL301 to TL304 over the `nn` and `optim` folders of the installed torch, which is not
imported, and over made-up functions of 1,500 and 3,000 lines, where anything that grows faster than the text
shows; beside it what LibCST takes to parse the same. Times are of the processor, medians over the runs, each
of which reads everything once. No test quotes them, because times differ between machines.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from textwrap import indent

import libcst

import torchlint
from torchlint.config import Config

CONFIG = Config(select=("TL3",))
LENGTHS = (1_500, 3_000)
DEEPEST = 2
"""How many blocks stand in one another."""

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


def mixed(left, right):
    return left.tanh() * right + left


def scale_(values, factor=0.5):
    values.mul_(factor)
    return values


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(16, 16)
        self.act = nn.ReLU(inplace=True)

    def forward(self, values):
        out = self.act(self.inner(values))
        out += values
        return out


layer, block, norm = nn.Linear(16, 16), Block(), nn.LayerNorm(16)


def step(batch, flag):
    weight = torch.rand(16, 16, requires_grad=True)
    state = torch.zeros(16, 16)
    kept = []
"""
NAMES = [
    f"{word}{number}" for word in ("hidden", "gate", "query", "scores", "out") for number in ("", "_1", "_2")
]
"""What holds tensors; a long function takes the same names again and again."""
TAIL = (
    f"    loss = {' + '.join(f'{name}.mean()' for name in NAMES)}\n    (loss + sum(kept).sum()).backward()\n"
)
BLOCKS = ("for _ in range(4):", "if flag:", "if batch.sum() > 0:", "with torch.no_grad():", "try:")
STATEMENTS = (
    # Computed from others; `new` hides what had the name before, `a` and `b` are there already.
    "{new} = {a} * {b}",
    "{new} = {a} + 0.1 * {b}",
    "{new} = ({a} @ {b}).tanh()",
    "{new} = F.relu({a} - {b})",
    "{new} = {a}.softmax(-1) @ {b}",
    "{new} = torch.cat([{a}[:8], {b}[8:]])",
    "{new} = norm({a} + {b})",
    "{new} = layer({a})",
    "{new} = block({a})",
    "{new} = mixed({a}, {b})",
    "{new} = torch.where({a} > 0, {a}, {b})",
    # Views, and writes through them.
    "{new} = {a}.t()",
    "{new} = {a}.view(4, 4, 16).transpose(0, 1).reshape(16, 16)",
    "row = {a}[0]\n{new} = {b} * row",
    "left, right = ({a} + {b}).chunk(2)\n{new} = torch.cat([right, left])",
    "{new} = {a}.clone()\n{new}[1:4] = {b}[0]",
    "{new} = torch.zeros(16, 16)\n{new}[0] = {a}[1]\n{new}[:, 2] += {b}[0]",
    "{new} = {a} + {b}\n{new}.select(0, 1).mul_(2)",
    # Writes that take nothing away, as most are.
    "{new} = {a} + {b}\n{new} += {a}",
    "{new} = {a} - {b}\n{new}.mul_(0.5).clamp_(min=0)",
    "{new} = {a} @ {b}\n{new}.relu_()",
    "{new} = F.dropout({a} * {b}, 0.1)\n{new} /= 2",
    "{new} = scale_({a} + {b})",
    "{new} = torch.empty_like({a}).copy_({b})",
    "state.mul_(0.9).add_({a}.detach(), alpha=0.1)",
    "with torch.no_grad():\n    weight -= 0.01 * {a}",
    # Those that might.
    "{a} += 1",
    "{a}[0] = 0",
    "{a}.mul_({b})",
    "kept.append({a})",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """One row of the table: seconds of each run."""

    title: str
    lines: int
    torchlint: Sequence[float]
    libcst: Sequence[float]

    def __str__(self) -> str:
        ours, theirs = statistics.median(self.torchlint), statistics.median(self.libcst)
        return (
            f"{self.title:24}{self.lines:9,}{ours:12.2f}{theirs:12.2f}"
            f"{self.lines / ours:14,.0f}{self.lines / theirs:14,.0f}{ours / theirs:10.2f}"
        )


def folder(name: str) -> list[str]:
    """The sources in a folder of the installed torch."""
    spec = find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    return [path.read_text("utf-8") for path in sorted(Path(spec.origin).with_name(name).rglob("*.py"))]


def function(lines: int, chance: random.Random) -> str:
    """A source with one function whose body has so many lines."""
    body = [f"{name} = torch.tanh(batch @ weight)" for name in NAMES]
    while len(body) < lines:
        statement = _statement(chance, 0).splitlines()
        if len(body) + len(statement) <= lines:
            body += statement
    return f"{HEAD}{indent(chr(10).join(body), '    ')}\n{TAIL}"


def _statement(chance: random.Random, depth: int) -> str:
    if depth < DEEPEST and chance.random() < 0.1:
        head = chance.choice(BLOCKS)
        body = "\n".join(_statement(chance, depth + 1) for _ in range(chance.randint(2, 6)))
        tail = "\nexcept RuntimeError:\n    pass" if head == "try:" else ""
        return f"{head}\n{indent(body, '    ')}{tail}"
    new, a, b = chance.choices(NAMES, k=3)
    return chance.choice(STATEMENTS).format(new=new, a=a, b=b)


def timed(read: Callable[[str], object], sources: Iterable[str]) -> float:
    """Seconds of reading all of them."""
    started = time.process_time()
    for source in sources:
        read(source)
    return time.process_time() - started


def check(source: str) -> object:
    """The in-place rules on one source."""
    return torchlint.check(source, config=CONFIG)


def cost(title: str, sources: Sequence[str], runs: int) -> Cost:
    """Read the sources in turns, so that a busy machine slows both alike."""
    times = [(timed(check, sources), timed(libcst.parse_module, sources)) for _ in range(runs)]
    lines = sum(source.count("\n") for source in sources)
    return Cost(title, lines, *zip(*times, strict=True))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--runs", type=int, default=3, help="over everything (3)")
    parser.add_argument("--seed", type=int, default=0, help="of the made-up functions (0)")
    options = parser.parse_args()
    check(function(50, random.Random(0)))  # what is imported and read only once
    print(f"{'':24}{'':9}{'seconds':>24}{'lines a second':>28}")
    print(f"{'':24}{'lines':>9}{'torchlint':>12}{'LibCST':>12}{'torchlint':>14}{'LibCST':>14}{'ratio':>10}")
    for name in ("nn", "optim"):
        print(cost(f"torch/{name}", folder(name), options.runs), flush=True)
    made = [
        cost(f"a function of {lines:,}", [function(lines, random.Random(options.seed))], options.runs)
        for lines in LENGTHS
    ]
    print(*made, sep="\n")
    growth = statistics.median(made[1].torchlint) / statistics.median(made[0].torchlint)
    print(f"{LENGTHS[1] // LENGTHS[0]} times the lines take {growth:.2f} times as long")
    return 0


if __name__ == "__main__":
    sys.exit(main())
