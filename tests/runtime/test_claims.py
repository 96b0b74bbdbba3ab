"""What tutorials say of grad modes, each claim tried on real torch; and how any claim is tried.

The claims are the rows of docs/claims.md. The other topics are in test_claims_modules.py,
test_claims_graphs.py and test_claims_writes.py; test_claims_page.py holds the page and these tests together.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Literal, TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import Node, saved_tensors_hooks

Verdict = Literal["confirmed", "partly", "refuted"]
Trial = TypeVar("Trial", bound=Callable[[], None])


def claim(number: str, verdict: Verdict) -> Callable[[Trial], Trial]:
    """Say for which row of docs/claims.md, such as `C04`, a test stands, and what it shows of the claim.

    The test is left as it is: test_claims_page.py reads these words from the source, without torch.
    """
    return lambda trial: trial


class Kept:
    """One tensor that an operation saved; it lives as long as the graph keeps it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class Saving:
    """A block in which everything is counted that operations save for backward."""

    def __init__(self) -> None:
        self.bytes = 0  # ever saved in the block
        self._alive: weakref.WeakSet[Kept] = weakref.WeakSet()
        self._hooks = saved_tensors_hooks(self._keep, lambda kept: kept.tensor)

    def __enter__(self) -> Saving:
        self._hooks.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        self._hooks.__exit__()

    def _keep(self, tensor: Tensor) -> Kept:
        kept = Kept(tensor.detach())  # a result with its history would keep the graph that keeps it
        self.bytes += tensor.nbytes
        self._alive.add(kept)
        return kept

    @property
    def alive(self) -> int:
        """How many saved tensors some graph still keeps."""
        return len(self._alive)


def nodes(tensor: Tensor) -> int:
    """How many autograd nodes hang on a tensor."""
    found: set[Node] = set()
    reached = [tensor.grad_fn]
    while reached:
        node = reached.pop()
        if node is not None and node not in found:
            found.add(node)
            reached += [before for before, _ in node.next_functions]
    return len(found)


def perceptron() -> nn.Sequential:
    """A small model without anything random in its forward."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))


@claim("C01", "confirmed")
def test_c01_nothing_is_recorded_under_no_grad() -> None:
    weight = torch.ones(3, requires_grad=True)

    @torch.no_grad()  # torchlint: ignore[TL401] the claim is about no_grad
    def decorated() -> Tensor:
        return weight * 2

    with torch.no_grad():  # torchlint: ignore[TL401] the same
        inside = weight * 2
    for result in (inside, decorated()):
        assert not result.requires_grad
        assert result.grad_fn is None
        assert not result.is_inference()
    recorded = weight * 2
    assert recorded.requires_grad
    assert recorded.grad_fn is not None


@claim("C02", "confirmed")
def test_c02_nothing_is_recorded_under_inference_mode_and_results_say_so() -> None:
    weight = torch.ones(3, requires_grad=True)

    @torch.inference_mode()
    def decorated() -> Tensor:
        return weight * 2

    with torch.inference_mode():
        inside = weight * 2
    for result in (inside, decorated()):
        assert not result.requires_grad
        assert result.grad_fn is None
        assert result.is_inference()
    assert not weight.is_inference()


@claim("C03", "confirmed")
def test_c03_inference_mode_tracks_neither_views_nor_versions() -> None:
    outside = torch.ones(4)
    with torch.inference_mode():
        made = torch.ones(4)
        view = made.view(2, 2)
        view.add_(1)
        of_outside = outside.view(2, 2)
        of_outside.add_(1)
    assert not view._is_view()
    assert made.tolist() == [2.0] * 4  # shared memory all the same
    for tensor in (made, view):
        with pytest.raises(RuntimeError, match="Inference tensors do not track version counter"):
            _ = tensor._version
    # A tensor from outside stays what it is, and so does its view.
    assert of_outside._is_view()
    assert not of_outside.is_inference()
    assert outside._version == 1


@claim("C04", "confirmed")
def test_c04_version_counting_stays_on_under_no_grad() -> None:
    with torch.no_grad():
        made = torch.ones(4)
        versions = [made._version]
        made.add_(1)
        versions.append(made._version)
        made.view(2, 2).mul_(2)
        versions.append(made._version)
        made[0] = 5.0
        versions.append(made._version)
    assert versions == [0, 1, 2, 3]


@claim("C05", "confirmed")
def test_c05_a_no_grad_result_joins_the_graph_again_outside() -> None:
    weight = torch.tensor(3.0, requires_grad=True)
    with torch.no_grad():
        constant = weight * 2
    product = constant * weight
    assert product.requires_grad
    product.backward()
    assert weight.grad is not None
    assert weight.grad.item() == 6.0  # 12 if the graph went on through the region
    with torch.inference_mode():
        constant = weight * 2
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        constant * weight


@claim("C13", "partly")
def test_c13_a_small_model_has_much_to_spare_without_grad_and_nearly_nothing_more_in_inference_mode() -> None:
    model, rows = perceptron(), torch.ones(8, 16)
    outputs: list[Tensor] = []
    for layer in model:
        layer.register_forward_hook(lambda _layer, _given, output: outputs.append(output))

    def cost() -> tuple[int, int, int]:
        """Autograd nodes, saved bytes, and outputs of layers that need a record of their base."""
        outputs.clear()
        with Saving() as saving:
            result = model(rows)
        return nodes(result), saving.bytes, sum(output._is_view() for output in outputs)

    recorded = cost()
    assert recorded[0] >= len(model)
    # The batch, the result of ReLU (it and the second Linear each save it), and that layer's weight.
    assert recorded[1] == 4 * (8 * 16 + 2 * 8 * 32 + 32 * 4)
    with torch.no_grad():
        assert cost() == (0, 0, 0)
        counted = [output._version for output in outputs]
    with torch.inference_mode():
        assert cost() == (0, 0, 0)
    # All that is left to save is one counter a tensor.
    assert counted == [0, 0, 0]
    assert all(output.is_inference() for output in outputs)


@claim("C17", "confirmed")
def test_c17_gradients_can_be_switched_on_again_inside_no_grad() -> None:
    weight = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        with torch.enable_grad():
            assert (weight * 2).requires_grad
        assert not (weight * 2).requires_grad
        with torch.set_grad_enabled(True):
            assert (weight * 2).requires_grad
    with torch.set_grad_enabled(False):  # torchlint: ignore[TL401] the claim is about this switch
        assert not (weight * 2).requires_grad
    torch.set_grad_enabled(False)
    try:
        assert not (weight * 2).requires_grad
    finally:
        torch.set_grad_enabled(True)
    assert (weight * 2).requires_grad
    with torch.inference_mode():
        for again in (torch.enable_grad(), torch.set_grad_enabled(True)):
            with again:
                assert torch.is_grad_enabled()
                assert not (weight * 2).requires_grad  # whatever is_grad_enabled() says


# What holds in a region: grad mode, inference mode, and whether results get a graph.
ALONE = {
    "no_grad": (False, False, False),
    "enable_grad": (True, False, True),
    "inference_mode": (False, True, False),
    "inference_mode(False)": (True, False, True),
}
NESTED = {
    ("no_grad", "no_grad"): (False, False, False),
    ("no_grad", "enable_grad"): (True, False, True),
    ("no_grad", "inference_mode"): (False, True, False),
    ("no_grad", "inference_mode(False)"): (True, False, True),
    ("enable_grad", "no_grad"): (False, False, False),
    ("enable_grad", "enable_grad"): (True, False, True),
    ("enable_grad", "inference_mode"): (False, True, False),
    ("enable_grad", "inference_mode(False)"): (True, False, True),
    ("inference_mode", "no_grad"): (False, True, False),
    ("inference_mode", "enable_grad"): (True, True, False),
    ("inference_mode", "inference_mode"): (False, True, False),
    ("inference_mode", "inference_mode(False)"): (True, False, True),
    ("inference_mode(False)", "no_grad"): (False, False, False),
    ("inference_mode(False)", "enable_grad"): (True, False, True),
    ("inference_mode(False)", "inference_mode"): (False, True, False),
    ("inference_mode(False)", "inference_mode(False)"): (True, False, True),
}


@claim("C19", "refuted")
def test_c19_every_nesting_is_allowed_and_restored() -> None:
    weight = torch.ones(3, requires_grad=True)
    regions: dict[str, Callable[[], torch.no_grad | torch.enable_grad | torch.inference_mode]] = {
        "no_grad": torch.no_grad,
        "enable_grad": torch.enable_grad,
        "inference_mode": torch.inference_mode,
        "inference_mode(False)": lambda: torch.inference_mode(False),
    }

    def holds() -> tuple[bool, bool, bool]:
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled(), (weight * 2).requires_grad

    seen = {}
    for outer in regions:
        for inner in regions:
            with regions[outer]():
                assert holds() == ALONE[outer], outer
                with regions[inner]():
                    seen[outer, inner] = holds()
                assert holds() == ALONE[outer], f"{inner} in {outer} is not undone"
            assert holds() == (True, False, True), f"{outer} is not undone"
    assert seen == NESTED


@claim("C20", "partly")
def test_c20_inference_mode_leaves_records_out_and_adds_checks() -> None:
    def views() -> list[Tensor]:
        """Two hundred views, each of the one before."""
        made = [torch.ones(4, 4)]
        for _ in range(100):
            made.append(made[-1].t())
            made.append(made[-1].unsqueeze(0).squeeze(0))
        return made[1:]

    with torch.no_grad():
        recorded = views()
    assert all(view._is_view() and view._base is recorded[0]._base for view in recorded)
    assert {view._version for view in recorded} == {0}
    recorded[-1].add_(1)
    assert {view._version for view in recorded} == {1}  # one counter for the storage
    with torch.inference_mode():
        bare = views()
    assert not any(view._is_view() for view in bare)
    # What is spared inside is asked for outside: a normal tensor passes here.
    with torch.no_grad(), pytest.raises(RuntimeError, match="Inplace update to inference tensor outside"):
        bare[-1].add_(1)
    weight = torch.ones(4, 4, requires_grad=True)
    assert (weight * recorded[0]).requires_grad
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        weight * bare[0]


@claim("C27", "refuted")
def test_c27_what_is_asked_to_require_grad_inside_no_grad_does() -> None:
    with torch.no_grad():
        asked = [
            torch.tensor(3.0, requires_grad=True),
            torch.zeros(3, requires_grad=True),
            torch.ones_like(torch.zeros(3), requires_grad=True),
            torch.full((3,), 2.0, requires_grad=True),
            torch.randn(3, requires_grad=True),
            torch.zeros(3).new_tensor([1.0], requires_grad=True),
            torch.zeros(3).requires_grad_(),
            nn.Parameter(torch.zeros(3)),
            *nn.Linear(3, 1).parameters(),
        ]
        plain = [torch.tensor(3.0), torch.zeros(3), asked[0] * 2, asked[0].clone()]
    assert all(tensor.requires_grad and tensor.is_leaf for tensor in asked)
    assert not any(tensor.requires_grad for tensor in plain)
    (asked[0] * 2).backward()
    assert asked[0].grad is not None
    assert asked[0].grad.item() == 2.0
