"""What tutorials say of train and eval, of evaluation loops and of memory, each claim tried on real torch."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from test_claims import Saving, claim, nodes
from torch import Tensor, nn

CONTEXTS = (torch.enable_grad, torch.no_grad, torch.inference_mode)


def classifier() -> nn.Sequential:
    """A model whose forward differs between the modes in both ways: BatchNorm and Dropout."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))


def batches() -> list[tuple[Tensor, Tensor]]:
    """Three batches of rows and labels, the last one smaller."""
    torch.manual_seed(1)
    return [(torch.randn(size, 4), torch.randint(0, 3, (size,))) for size in (8, 8, 5)]


def buffers(model: nn.Module) -> dict[str, Tensor]:
    """What BatchNorm has counted so far."""
    return {name: buffer.clone() for name, buffer in model.named_buffers()}


def moved(model: nn.Module, before: dict[str, Tensor]) -> set[str]:
    """The buffers that are no longer what they were."""
    return {name for name, buffer in model.named_buffers() if not torch.equal(buffer, before[name])}


@claim("C06", "confirmed")
def test_c06_eval_changes_layers_and_leaves_autograd_alone() -> None:
    model, (rows, labels) = classifier(), batches()[0]
    assert not torch.equal(model(rows), model(rows))
    model.eval()
    before = buffers(model)
    assert torch.is_grad_enabled()
    output = model(rows)
    assert torch.equal(output, model(rows))
    assert not moved(model, before)
    assert nodes(output) > 0
    F.cross_entropy(output, labels).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@claim("C07", "confirmed")
def test_c07_no_grad_leaves_dropout_and_batchnorm_alone() -> None:
    rows = batches()[0][0]
    for context in (torch.no_grad, torch.inference_mode):
        model = classifier()
        before = buffers(model)
        with context():  # torchlint: ignore[TL401] the claim is about both
            dropped = F.dropout(torch.ones(100), 0.5)
            first = model(rows)  # torchlint: ignore[TL101] the claim is about training mode
            assert not torch.equal(first, model(rows))
        assert 0 < (dropped == 0).sum() < 100
        assert moved(model, before) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
        assert model.get_buffer("1.num_batches_tracked") == 2
        assert not model.get_buffer("1.running_mean").is_inference()


@claim("C08", "confirmed")
def test_c08_dropout_scales_what_it_keeps_and_is_the_identity_in_eval() -> None:
    torch.manual_seed(0)
    for p in (0.2, 0.5, 0.75):
        layer, given = nn.Dropout(p), torch.arange(1.0, 1001.0, dtype=torch.float64)
        result = layer(given)
        kept = result != 0
        assert abs(kept.double().mean() - (1 - p)) < 0.1
        torch.testing.assert_close(result[kept], given[kept] / (1 - p))
        assert layer.eval()(given) is given  # the same object, so a write to the result writes the input
        assert torch.equal(F.dropout(given, p, training=False), given)


@claim("C09", "confirmed")
def test_c09_batchnorm_normalises_with_one_variance_and_stores_the_other() -> None:
    torch.manual_seed(0)
    rows = torch.randn(5, 3, dtype=torch.float64) * 2 + 1
    layer = nn.BatchNorm1d(3, momentum=0.25).double()
    mean, biased, unbiased = rows.mean(0), rows.var(0, correction=0), rows.var(0, correction=1)
    assert not torch.allclose(biased, unbiased, rtol=0.1)
    torch.testing.assert_close(layer(rows), (rows - mean) / (biased + layer.eps).sqrt())
    running = layer.get_buffer("running_mean"), layer.get_buffer("running_var")
    torch.testing.assert_close(running[0], 0.25 * mean)  # they start as 0 and 1
    torch.testing.assert_close(running[1], 0.75 + 0.25 * unbiased)
    before = [one.clone() for one in running]
    torch.testing.assert_close(layer.eval()(rows), (rows - before[0]) / (before[1] + layer.eps).sqrt())
    assert all(torch.equal(one, was) for one, was in zip(running, before, strict=True))


def evaluate(model: nn.Module) -> tuple[float, float]:
    """The idiom of C12, but for the modes: mean loss and accuracy."""
    loss, correct, seen = 0.0, 0, 0
    for rows, labels in batches():
        logits = model(rows)
        mean = F.cross_entropy(logits, labels)
        loss += mean.item() * len(rows)  # torchlint: ignore[TL201] the idiom as it is claimed
        correct += (logits.argmax(1) == labels).sum().item()
        seen += len(rows)
    return loss / seen, correct / seen


@claim("C12", "confirmed")
def test_c12_the_evaluation_idiom_leaves_nothing_behind() -> None:
    model = classifier()
    outputs: list[Tensor] = []
    model.register_forward_hook(lambda _model, _given, output: outputs.append(output))
    in_training = copy.deepcopy(model)
    before, generator = buffers(model), torch.get_rng_state()
    model.eval()
    with torch.inference_mode(), Saving() as saving:
        loss, accuracy = evaluate(model)
    assert saving.bytes == 0
    assert [nodes(output) for output in outputs] == [0, 0, 0]
    assert not moved(model, before)
    assert all(parameter.grad is None for parameter in model.parameters())
    torch.set_rng_state(generator)
    # The sums give what one batch of all rows gives.
    rows, labels = (torch.cat(parts) for parts in zip(*batches(), strict=True))
    with torch.inference_mode():
        logits = model(rows)
        assert abs(loss - F.cross_entropy(logits, labels).item()) < 1e-6
        assert accuracy == (logits.argmax(1) == labels).double().mean().item()
    # Without eval() buffers move, and without inference_mode there is a graph.
    with torch.inference_mode():
        evaluate(in_training)  # torchlint: ignore[TL101] what comes of it is shown
    assert moved(in_training, before)
    outputs.clear()
    with Saving() as saving:
        evaluate(model)
    assert saving.bytes > 0
    assert all(nodes(output) > 0 for output in outputs)


@claim("C14", "confirmed")
def test_c14_activations_stay_while_a_graph_holds_them() -> None:
    model = classifier().eval()
    alive = {}
    for context in CONTEXTS:
        losses = []
        counts = []
        with context(), Saving() as saving:
            for rows, labels in batches():
                losses.append(F.cross_entropy(model(rows), labels))
                counts.append(saving.alive)
        alive[context] = counts
    one = alive[torch.enable_grad][0]
    assert one > 0
    assert alive == {
        torch.enable_grad: [one, 2 * one, 3 * one],
        torch.no_grad: [0, 0, 0],
        torch.inference_mode: [0, 0, 0],
    }
    # A loop that keeps no tensor pays for one batch at a time, in grad mode too.
    with Saving() as saving:
        for rows, labels in batches():
            loss = F.cross_entropy(model(rows), labels)
            assert saving.alive == one
            del loss
            assert saving.alive == 0


@claim("C28", "partly")
def test_c28_saved_results_outweigh_the_parameters_in_large_batches_only() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(layer for _ in range(4) for layer in (nn.Linear(64, 64), nn.Tanh())))
    parameters = {parameter.data_ptr(): parameter.nbytes for parameter in model.parameters()}
    # Gradients, and the two averages of Adam, are each as large as the parameters.
    standing = 4 * sum(parameters.values())

    def saved(batch: int) -> int:
        """Bytes that a forward saves besides the parameters, each storage once."""
        storages: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            output = model(torch.ones(batch, 64))
        assert output.requires_grad == torch.is_grad_enabled()
        return sum(size for storage, size in storages.items() if storage not in parameters)

    # The batch and the result of each Tanh; not the results of the Linear layers.
    assert [saved(batch) for batch in (1, 16, 1024)] == [5 * 64 * 4 * batch for batch in (1, 16, 1024)]
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 64)).sum().backward()
    optimizer.step()
    held = [parameter.grad for parameter in model.parameters()]
    held += [state[name] for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    assert sum(tensor.nbytes for tensor in held if tensor is not None) == standing * 3 / 4
    assert saved(1) < saved(16) < standing < saved(1024)
    with torch.no_grad():
        assert saved(1024) == 0
