"""What tutorials say of writes in place, each claim tried on real torch."""

from __future__ import annotations

import pytest
import torch
from test_claims import claim

WRITTEN = r"modified by an inplace operation.*is at version {found}; expected version {expected} instead"


@claim("C15", "confirmed")
def test_c15_backward_names_the_version_found_and_the_version_expected() -> None:
    for writes_before, writes_after in ((0, 1), (0, 3), (2, 1)):
        weight = torch.zeros(3, requires_grad=True)
        result = weight + 1
        for _ in range(writes_before):
            result.add_(1)
        saved = result**2
        for _ in range(writes_after):
            result.mul_(2)  # torchlint: ignore[TL301] it is to raise
        said = WRITTEN.format(found=writes_before + writes_after, expected=writes_before)
        with pytest.raises(RuntimeError, match=said):
            saved.sum().backward()
    # The same write is fine where nothing was saved.
    weight = torch.zeros(3, requires_grad=True)
    result = weight + 1
    result.mul_(2)
    result.sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [2.0, 2.0, 2.0]


@claim("C16", "confirmed")
def test_c16_a_write_without_grad_breaks_a_graph_that_saved_the_tensor() -> None:
    for context in (torch.no_grad, torch.inference_mode):
        weight = torch.zeros(3, requires_grad=True)
        saved, unsaved = weight.exp(), weight * 2
        with context():
            saved.add_(1)  # torchlint: ignore[TL301] it is to raise
            unsaved.add_(1)
            weight[0] = 5.0  # a leaf that requires grad: forbidden in grad mode
        assert saved.tolist() == [2.0, 2.0, 2.0]
        unsaved.sum().backward()
        assert weight.grad is not None
        assert weight.grad.tolist() == [2.0, 2.0, 2.0]
        with pytest.raises(RuntimeError, match=WRITTEN.format(found=1, expected=0)):
            saved.sum().backward()


@claim("C18", "partly")
def test_c18_an_update_under_no_grad_adds_no_node_but_ends_a_graph_that_saved_the_parameter() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place"):
        parameter.add_(1.0)  # torchlint: ignore[TL302] it is to raise
    before = parameter.data_ptr()
    not_saved, saved = (parameter * 3).sum(), (parameter**2).sum()
    with torch.no_grad():
        parameter.add_(1.0)  # torchlint: ignore[TL301] it is to raise
    assert parameter.tolist() == [2.0, 2.0]
    assert parameter.is_leaf
    assert parameter.requires_grad
    assert parameter.grad_fn is None
    assert parameter.data_ptr() == before
    not_saved.backward()
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [3.0, 3.0]
    # A graph from before the update, as between forward and backward, is another matter.
    assert parameter._version == 1
    with pytest.raises(RuntimeError, match=WRITTEN.format(found=1, expected=0)):
        saved.backward()
    (parameter**2).sum().backward()
    assert parameter.grad.tolist() == [7.0, 7.0]
