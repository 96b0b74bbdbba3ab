"""The column `overlap` of ops.tsv: each call of op_calls.txt that writes is given memory that overlaps."""

from __future__ import annotations

import pytest
import torch
from samples import TENSORS, tensors
from test_tables_run import CALLS, Call

from torchlint import tables
from torchlint.tables.rows import read

WRITING = [text for text in CALLS if Call(text).op.writes]
ELSEWHERE = {
    "x[0] = 1": "a row in which each element has its own place",
    "x[0] = v": "the same",
    "x[mask] = 0": "masked_fill_ writes it",
    "x[rows] = y": "index_put_ writes it",
}
"""Calls of `setitem` that are not what its row is about."""
PREPARED = (
    "x.apply_(abs)",
    "x.map_(y, max)",
    "x.map2_(y, y, max)",
    "x.resize_(2, 2)",
    "x.resize_as_(torch.zeros(2, 2))",
)
"""Calls that op_calls.txt cannot make: each refuses a tensor that requires grad."""
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def refused(call: Call, made: dict[str, torch.Tensor]) -> bool:
    """Whether torch refuses the memory of these tensors."""
    torch.manual_seed(0)
    try:
        with torch.no_grad():
            exec(call.text, {"torch": torch}, tensors(call.names) | made)
    except RuntimeError as error:
        if "to a single memory location" not in str(error):
            raise
        return True
    return False


def written_by(call: Call) -> tuple[str, torch.Tensor]:
    """The variable that the call writes, and its sample."""
    (name,) = set(call.tensors_of(call.op.writes or ""))
    return name, TENSORS[name]


def expanded(sample: torch.Tensor) -> torch.Tensor:
    """A tensor of the same shape, whose first dimension of several elements has one place in memory."""
    dimension = [size > 1 for size in sample.shape].index(True)
    strides = list(sample.stride())
    strides[dimension] = 0
    # No view, of which torch refuses more: `detach_`.
    return torch.empty(0, dtype=sample.dtype).set_(
        sample.clone().untyped_storage(), 0, tuple(sample.shape), tuple(strides)
    )


@pytest.mark.parametrize("text", [text for text in WRITING if text not in ELSEWHERE])
def test_expanded_memory_is_refused_where_the_row_says(text: str) -> None:
    call = Call(text)
    name, sample = written_by(call)
    assert refused(call, {name: expanded(sample)}) == call.op.refuses_overlap


@pytest.mark.parametrize("text", ELSEWHERE)
def test_expanded_memory_is_written_where_the_index_leads_elsewhere(text: str) -> None:
    call = Call(text)
    name, sample = written_by(call)
    assert call.op.refuses_overlap
    assert not refused(call, {name: expanded(sample)})


@pytest.mark.parametrize("text", PREPARED)
def test_a_prepared_call_refuses_no_expanded_memory(text: str) -> None:
    call = Call(text)
    assert not call.op.refuses_overlap
    assert not refused(call, {"x": expanded(TENSORS["x"])})


@pytest.mark.parametrize("text", [text for text in WRITING if Call(text).op.refuses_overlap])
def test_an_operand_that_overlaps_in_part_is_refused_where_the_row_says(text: str) -> None:
    call = Call(text)
    name, sample = written_by(call)
    size = sample.numel()
    for operand in set(call.names) - {name}:
        other = TENSORS[operand]
        if other.dtype == sample.dtype:
            memory = sample.flatten()[0].repeat(size + other.numel())
            part = memory[1 : 1 + other.numel()].view(other.shape)
            made = {name: memory[:size].view(sample.shape), operand: part}
            assert refused(call, made) == call.op.refuses_overlapping_operands


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("x.add_(x.t())", True),
        ("x += x.t()", True),
        ("x.mul_(x[0])", True),
        ("x.copy_(x.t())", True),
        ("x[1:] += x[:-1]", True),
        ("x[:] = x.t()", True),
        ("x.add_(x)", False),
        ("x[:2] += x[2:]", False),
        ("x.addmm_(x.t(), y)", False),
        ("x.masked_scatter_(mask, x.t())", False),
    ],
)
def test_a_part_of_the_written_tensor_is_refused_as_operand(text: str, refuses: bool) -> None:
    scope = tensors(["x", "y", "mask"])
    if refuses:
        with pytest.raises(RuntimeError, match="refer to a single memory location"):
            exec(text, scope)
    else:
        exec(text, scope)


def test_complex_numbers_may_be_refused_where_real_ones_are_not() -> None:
    spectrum = torch.zeros(3, dtype=torch.complex64).expand(3, 3)
    with pytest.raises(RuntimeError, match="refers to a single memory location"):
        spectrum.conj_physical_()


def test_every_cell_is_held_against_a_call() -> None:
    called = {row_of(Call(text)) for text in (*WRITING, *PREPARED)}
    rows = {(row[0].removesuffix("_"), row[1]) for row in read("ops.tsv") if row[9] != "-"}
    assert rows - called == {("polygamma", "-")}  # what writes is a method, which has a form of its own


def row_of(call: Call) -> tuple[str, str]:
    """The operation behind a call, without the underscore, and its form."""
    op = tables.op(call.op.name)
    assert op is not None
    form = next((condition for condition, found in op.forms if found is call.op), "-")
    return op.name.removesuffix("_"), form
