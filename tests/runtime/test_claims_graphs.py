"""What tutorials say of detach, backward, leaves and custom Functions, each claim tried on real torch."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from test_claims import Saving, claim, nodes, perceptron
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Dispatched(TorchDispatchMode):
    """A block in which the operations that reach a kernel are listed."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(function.overloadpacket))
        return function(*args, **(kwargs or {}))


def gradient(tensor: Tensor) -> float:
    """The gradient of a number, where one has arrived."""
    assert tensor.grad is not None
    return tensor.grad.item()


@claim("C10", "confirmed")
def test_c10_detach_shares_memory_and_cuts_the_graph() -> None:
    source = torch.ones(3, requires_grad=True)
    target = source * 2
    cut = target.detach()
    assert cut.data_ptr() == target.data_ptr()
    assert not cut.requires_grad
    assert cut.grad_fn is None
    prediction = torch.zeros(3, requires_grad=True)
    F.mse_loss(prediction, cut).backward()
    assert prediction.grad is not None
    assert source.grad is None
    F.mse_loss(prediction, target).backward()
    assert source.grad is not None
    # Shared memory means a shared version counter too.
    cut.add_(1)
    assert target.tolist() == [3.0, 3.0, 3.0]
    assert target._version == 1


@claim("C11", "partly")
def test_c11_item_alone_drags_nothing_along_either() -> None:
    def reading(read: Callable[[Tensor], object]) -> tuple[object, int, int, list[str]]:
        """What a log keeps, how many saved tensors and nodes live on, and the operations of the reading."""
        with Saving() as saving:
            loss = perceptron()(torch.ones(8, 16)).square().mean()
        before = nodes(loss), sys.getrefcount(loss), loss._use_count(), saving.bytes, saving.alive
        with Dispatched() as dispatched:
            kept = read(loss)
        if kept is not loss:
            after = nodes(loss), sys.getrefcount(loss), loss._use_count(), saving.bytes, saving.alive
            assert after == before
        assert before[-1] > 0
        del loss
        return kept, saving.alive, nodes(kept) if isinstance(kept, Tensor) else 0, dispatched.names

    bare, *left_by_bare, bare_operations = reading(lambda loss: loss.item())
    detached, *left_by_detached, detached_operations = reading(lambda loss: loss.detach().item())
    assert type(bare) is type(detached) is float
    assert bare == detached
    assert left_by_bare == left_by_detached == [0, 0]
    assert bare_operations == ["aten._local_scalar_dense"]
    assert detached_operations == ["aten.detach", "aten._local_scalar_dense"]
    # What does drag the graph along is the tensor itself.
    _, alive, hanging, _ = reading(lambda loss: loss)
    assert alive > 0
    assert hanging > 0


@claim("C21", "partly")
def test_c21_a_second_backward_raises_where_something_was_saved() -> None:
    x = torch.tensor(5.0, requires_grad=True)
    z = torch.log(x**3)
    z.backward()
    assert gradient(x) == pytest.approx(0.6)
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        z.backward()
    x.grad = None
    z = torch.log(x**3)
    z.backward(retain_graph=True)
    assert gradient(x) == pytest.approx(0.6)
    z.backward()
    assert gradient(x) == pytest.approx(1.2)
    # Nothing was saved, so nothing is missed: gradients add up without a word.
    for make in (
        lambda x: x + 1,
        lambda x: x.view(1).sum(),
        lambda x: torch.cat([x.view(1), x.view(1)]).sum() - x,
    ):
        x.grad = None
        with Saving() as saving:
            z = make(x)
        z.backward()
        z.backward()
        assert saving.bytes == 0
        assert gradient(x) == 2.0  # twice 1


@claim("C22", "confirmed")
def test_c22_gradients_add_up_until_they_are_zeroed() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    seen = []
    for _ in range(3):
        (x**2).backward()
        seen.append(gradient(x))
    for _ in range(2):
        assert x.grad is not None
        x.grad.zero_()
        (x**2).backward()
        seen.append(gradient(x))
    x.grad = None
    (x**2).backward()
    seen.append(gradient(x))
    assert seen == [4.0, 8.0, 12.0, 4.0, 4.0, 4.0]


@claim("C23", "confirmed")
def test_c23_gradients_of_a_chain_at_five() -> None:
    x = torch.tensor(5.0, requires_grad=True)
    cube, square = x**3, x**2
    z = torch.log(cube) + torch.sqrt(square)
    for inner in (cube, square, z):
        inner.retain_grad()
    z.backward()
    assert gradient(x) == pytest.approx(3 / 5 + 1)
    assert gradient(cube) == pytest.approx(1 / 125)
    assert gradient(square) == pytest.approx(1 / (2 * math.sqrt(25)))
    assert gradient(z) == 1.0


@claim("C24", "confirmed")
@pytest.mark.filterwarnings("error::UserWarning")
def test_c24_only_the_tensor_made_by_hand_is_a_leaf() -> None:
    x = torch.tensor(5.0, requires_grad=True)
    cube = x**3
    z = torch.log(cube)
    assert [tensor.is_leaf for tensor in (x, cube, z)] == [True, False, False]
    assert [tensor.retains_grad for tensor in (x, cube, z)] == [False, False, False]
    cube.retain_grad()
    z.backward()
    assert cube.retains_grad
    assert gradient(cube) == pytest.approx(1 / 125)
    with pytest.raises(UserWarning, match="that is not a leaf Tensor is being accessed"):
        _ = z.grad
    # By torch's convention a result without a graph is a leaf as well.
    with torch.no_grad():  # torchlint: ignore[TL401] the aside is about no_grad
        assert (x**3).is_leaf


@claim("C25", "confirmed")
def test_c25_an_exponent_gets_its_gradient_too() -> None:
    x = torch.tensor(5.0, requires_grad=True)
    q = torch.tensor(3.0, requires_grad=True)
    torch.log(x**q).backward()
    assert gradient(q) == pytest.approx(math.log(5))  # 1.6094…
    assert gradient(x) == pytest.approx(3 / 5)


class Product(torch.autograd.Function):
    """x * y with as many gradients as its last argument says."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, extra: tuple[Tensor | None, ...]) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.extra = extra
        return x * y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return (grads[0] * y, grads[0] * x, None, *ctx.extra)


class OneGradient(Product):
    """The same, with one gradient for three arguments."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return grads[0]


@claim("C26", "partly")
def test_c26_a_function_gives_a_gradient_for_each_argument_and_may_add_none() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    y = torch.tensor(7.0, requires_grad=True)
    with Saving() as saving:
        product = Product.apply(x, y, ())
    assert saving.alive == 2
    product.backward()
    assert (product.item(), gradient(x), gradient(y)) == (14.0, 7.0, 2.0)
    wrong_number = "returned an incorrect number of gradients"
    with pytest.raises(RuntimeError, match=rf"{wrong_number} \(expected 3, got 1\)"):
        OneGradient.apply(x, y, ()).backward()
    with pytest.raises(RuntimeError, match=rf"{wrong_number} \(expected 3, got 4\)"):
        Product.apply(x, y, (torch.ones(()),)).backward()
    x.grad = y.grad = None
    Product.apply(x, y, (None, None)).backward()
    assert (gradient(x), gradient(y)) == (7.0, 2.0)
