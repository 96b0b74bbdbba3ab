"""Memory that TL202 speaks of: in each flagged fixture a graph grows with each step, in its twin none does.

Counted at the beginning of each step, which is a call of `linear`: the nodes of graphs that are alive, and
the bytes that they have saved.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from weakref import WeakSet

import pytest
import torch
from execution import run
from expectations import expectations
from fixture_files import name, situations, twin
from torch.overrides import TorchFunctionMode

FLAGGED = [path for path in situations("TL202") if expectations(path.read_text("utf-8"), "").wanted("TL202")]


class Saved:
    """A tensor that an operation has saved; it lives as long as the operation keeps it."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor.detach()


class Node:
    """Lives and dies with a node of the graph."""


class Growth(TorchFunctionMode):
    """Counts what is alive at the beginning of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: WeakSet[Node] = WeakSet()
        self.saved: WeakSet[Saved] = WeakSet()
        self.steps: list[tuple[int, int]] = []

    def pack(self, tensor: torch.Tensor) -> Saved:
        """Note a tensor that is saved."""
        saved = Saved(tensor)
        self.saved.add(saved)
        return saved

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        if getattr(func, "__name__", "") == "linear":
            held = {one.tensor.data_ptr(): one.tensor.nbytes for one in self.saved}
            self.steps.append((len(self.nodes), sum(held.values())))
        result = func(*args, **(kwargs or {}))
        node = result.grad_fn if isinstance(result, torch.Tensor) else None
        if node is not None and "counted" not in node.metadata:
            node.metadata["counted"] = token = Node()
            self.nodes.add(token)
        return result


def growth(path: Path) -> tuple[float, float]:
    """Nodes and bytes that a step adds, once two steps have gone by."""
    watch = Growth()
    with torch.autograd.graph.saved_tensors_hooks(watch.pack, lambda saved: saved.tensor), watch:
        run(path.read_text("utf-8"), str(path))
    first, last, count = watch.steps[2], watch.steps[-1], len(watch.steps) - 3
    assert count > 0, "five steps at least"
    return (last[0] - first[0]) / count, (last[1] - first[1]) / count


@pytest.mark.parametrize("path", FLAGGED, ids=name)
def test_the_graph_grows_and_does_not_when_fixed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes, size = growth(path)
    cured = growth(twin(path)) if twin(path).exists() else (0.0, 0.0)  # else no fix is offered
    with capsys.disabled():
        print(
            f"\n{path.stem:32}{nodes:5.1f} nodes {size:6.1f} bytes a step;"
            f" fixed {cured[0]:4.1f} nodes {cured[1]:4.1f} bytes",
            end="",
        )
    if path.stem not in ("reset_now_and_then", "one_of_two_phases"):  # what is reset shrinks in between
        assert nodes >= 1
        assert cured[0] <= 0
        assert cured[1] <= 0
    message = "all activations" in path.read_text("utf-8")
    assert (size > 0) is message, "bytes stay exactly where no backward frees them"
