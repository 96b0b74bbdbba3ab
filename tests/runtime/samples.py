"""The tensors that op_calls.txt and layer_calls.txt name, and how a line of them is read."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

import torch

from torchlint.tables import Argument, Given


def lines(filename: str) -> list[str]:
    """The lines of a file beside this one, without comments."""
    text = Path(__file__).with_name(filename).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def tensors(names: Iterable[str]) -> dict[str, torch.Tensor]:
    """Copies, so that no run sees what another wrote."""
    return {name: TENSORS[name].clone() for name in names}


def _made() -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(0)

    def floats(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=made) * 0.6 + 0.2

    square = floats(3, 3)
    return {
        "x": floats(3, 3),
        "y": floats(3, 3),
        "z": floats(3, 3),
        "v": floats(3),
        "w": floats(3),
        "number": floats(1)[0],
        "single": floats(1),
        "large": floats(3, 3) + 2,
        "signed": floats(3, 3) - 0.5,
        "spd": square @ square.T + torch.eye(3),
        "batch": floats(2, 3, 3),
        "batch2": floats(2, 3, 3),
        "other_batch": floats(2, 3, 3),
        "cube": floats(3, 3, 3),
        "cube2": floats(2, 9, 4),
        "image": floats(2, 4, 6, 6),
        "sequence": floats(2, 4, 6),
        "volume": floats(1, 2, 4, 4, 4),
        "words": floats(5, 2, 8),
        "memory": floats(4, 2, 8),
        "kernel1": floats(4, 4, 3),
        "kernel2": floats(4, 4, 3, 3),
        "kernel3": floats(2, 2, 3, 3, 3),
        "scale": floats(4),
        "shift": floats(4),
        "theta": floats(2, 2, 3),
        "grid": floats(2, 3, 3, 2),
        "pair": floats(3, 2),
        "signal": floats(16),
        "wide": floats(24, 8),
        "eight": floats(8, 8),
        "kernel_tbc": floats(3, 8, 2),
        "bias_tbc": floats(2),
        "scores": floats(6, 2, 4).log_softmax(-1),
        "mean": floats(4),
        "variance": floats(4),
        "gates": floats(9, 3),
        "gates2": floats(9, 3),
        "turned": floats(4, 3).T,
        "twelve": floats(12),
        "halves": floats(3, 3).half(),
        "doubles": floats(3, 3).double(),
        "cube5": floats(1, 1, 3, 3, 3),
        "even1": floats(4, 4, 2),
        "even2": floats(4, 4, 2, 2),
        "even3": floats(2, 2, 2, 2, 2),
        "spectrum": torch.complex(floats(3, 5), floats(3, 5)),
        "half_window": floats(2),
        "wide2": floats(24, 8),
        "memory2": floats(4, 2, 8),
        "eight2": floats(8, 8),
        "eight3": floats(8, 8),
        "eight4": floats(8, 8),
        "step": floats(1, 2, 6),
        "sign": torch.tensor([1, -1, 1]),
        "rows": torch.tensor([0, 2, 1]),
        "labels": torch.tensor([0, 2, 1]),
        "firsts": torch.tensor([0, 0, 0]),
        "targets": torch.tensor([[1, 2], [3, 1]]),
        "lengths": torch.tensor([6, 6]),
        "target_lengths": torch.tensor([2, 2]),
        "planes": torch.zeros(2, 6, 6, dtype=torch.long),
        "pairs1": torch.arange(0, 12, 2).expand(2, 4, 6),
        "pairs2": torch.arange(0, 72, 2).reshape(6, 6).expand(2, 4, 6, 6),
        "pairs3": torch.arange(0, 128, 2).reshape(4, 4, 4).expand(1, 2, 4, 4, 4),
        "one": torch.tensor([3]),
        "pairs": torch.tensor([[0, 1, 2], [1, 2, 0]]),
        "pivots": torch.tensor([1, 2, 3], dtype=torch.int32),
        "index": torch.tensor([[0, 2, 1], [1, 0, 2], [2, 1, 0]]),
        "mask": torch.tensor([[True, False, True], [False, True, True], [True, True, False]]),
        "other_mask": torch.tensor([[False, True, True], [True, True, False], [True, False, True]]),
    }


TENSORS = _made()
STATISTICS = {"mean", "variance"}  # batch_norm takes no gradient of these
REAL = {name for name, tensor in TENSORS.items() if tensor.is_floating_point()}
COMPLEX = {name for name, tensor in TENSORS.items() if tensor.is_complex()}
DIFFERENTIABLE = (REAL | COMPLEX) - STATISTICS


def variables(node: ast.expr) -> list[str]:
    """The tensors that an expression holds."""
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in TENSORS]


def given(node: ast.expr) -> Argument:
    """An argument as the engine knows it."""
    if variables(node):
        return Given.TENSOR
    try:
        value: Argument = ast.literal_eval(node)
    except ValueError:
        has_name = any(isinstance(part, ast.Name) for part in ast.walk(node))
        return Given.ANYTHING if has_name else Given.PLAIN
    return Given.PLAIN if value is ... else value


def choices(names: list[str]) -> Iterator[frozenset[str]]:
    """Every choice of the tensors that may require grad, none and all of them included."""
    able = [name for name in names if name in DIFFERENTIABLE]
    for count in range(len(able) + 1):
        yield from map(frozenset, combinations(able, count))


OTHER_REASONS = (
    "derivative for",  # the backward is missing
    "returns multiple views",  # a piece of a chunk is stale, whatever was saved
)


def backward_raises(outputs: list[torch.Tensor]) -> bool:
    """Whether backward finds a tensor changed that it needs."""
    graphs = [output for output in outputs if output.requires_grad]
    try:
        torch.autograd.backward(graphs, [torch.ones_like(output) for output in graphs])
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            return True
        if not any(reason in str(error) for reason in OTHER_REASONS):
            raise
    return False


def moved_together(tensor: torch.Tensor, others: dict[str, torch.Tensor]) -> set[str]:
    """Mark `tensor` as written and name the others whose version went up with it."""
    before = {name: other._version for name, other in others.items()}
    torch.autograd.graph.increment_version(tensor)
    return {name for name, other in others.items() if other._version != before[name]}


def flatten(value: object) -> list[torch.Tensor]:
    """The tensors in nested tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [tensor for part in value for tensor in flatten(part)] if isinstance(value, (list, tuple)) else []
