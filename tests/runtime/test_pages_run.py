"""What the rule book says of torch is true: its blocks run, behave as they say and show what is quoted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from execution import misbehaviour, run
from expectations import expectations
from pages import RULE_BOOK, Block, agrees, python_blocks, read_page, told
from torch import Tensor, nn

from torchlint import tables
from torchlint.tables import Saves

SHOWN = [block for block in python_blocks() if read_page(block.page).shown_by(block)]


@pytest.mark.parametrize("block", python_blocks(), ids=lambda block: block.name)
def test_a_block_behaves_as_it_says(block: Block, empty_folder: Path) -> None:
    outcome = run(block.text, block.name)
    wrong = misbehaviour(outcome, expectations(block.text, block.name).runtime)
    assert wrong is None, f"{block.name}: {wrong}"
    assert not list(empty_folder.iterdir()), f"{block.name} writes files"


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("block", SHOWN, ids=lambda block: block.name)
def test_a_run_shows_what_the_page_quotes(block: Block, seed: int) -> None:
    quoted = read_page(block.page).shown_by(block)
    assert quoted is not None
    outcome = run(block.text, block.name, seed=seed)
    lines = told(block, outcome.printed, outcome.error)
    shown = "\n".join(lines)
    assert agrees(quoted.text, lines, raised=outcome.error is not None), (
        f"{quoted.name} quotes something else than\n{shown}"
    )


Call = Callable[[Tensor, Tensor], Tensor]

# The table "saved | by" of TL301, with a call for each entry; x and y are 2x2, and y is the other operand.
SAVED: dict[str, dict[str, tuple[Call, ...]]] = {
    "the result": {
        "`exp`": (lambda x, y: x.exp(),),
        "`sqrt`": (lambda x, y: x.sqrt(),),
        "`rsqrt`": (lambda x, y: x.rsqrt(),),
        "`reciprocal`": (lambda x, y: x.reciprocal(),),
        "`sigmoid`": (lambda x, y: x.sigmoid(),),
        "`tanh`": (lambda x, y: x.tanh(),),
        "`relu`": (lambda x, y: x.relu(), lambda x, y: F.relu(x)),
        "`softmax`": (lambda x, y: x.softmax(0), lambda x, y: F.softmax(x, 0)),
        "`log_softmax`": (lambda x, y: x.log_softmax(0), lambda x, y: F.log_softmax(x, 0)),
        "`logsumexp`": (lambda x, y: x.logsumexp(0),),
        "`norm`": (lambda x, y: x.norm(), lambda x, y: x.norm(dim=0)),
        "`std`": (lambda x, y: x.std(), lambda x, y: x.std(0)),
        "`cumprod`": (lambda x, y: x.cumprod(0),),
    },
    "the input": {
        "`pow` and `**`": (lambda x, y: x.pow(2), lambda x, y: x**2, lambda x, y: x**y),
        "`sin`": (lambda x, y: x.sin(),),
        "`log`": (lambda x, y: x.log(),),
        "`abs`": (lambda x, y: x.abs(),),
        "`clamp`": (lambda x, y: x.clamp(0, 1),),
        "`gelu`": (lambda x, y: F.gelu(x),),
        "`silu`": (lambda x, y: F.silu(x),),
        "linear": (lambda x, y: nn.Linear(2, 2)(x),),
        "convolution": (lambda x, y: nn.Conv1d(2, 1, 1)(x), lambda x, y: nn.Conv1d(2, 1, 1)(x[None])),
        "batch and layer norm": (lambda x, y: nn.BatchNorm1d(2)(x), lambda x, y: nn.LayerNorm(2)(x)),
        "both arguments of `mse_loss`": (lambda x, y: F.mse_loss(x, y), lambda x, y: F.mse_loss(y, x)),
    },
    "a factor, when the other one requires grad": {
        "`*`": (lambda x, y: x * y, lambda x, y: y * x),
        "`@`": (lambda x, y: x @ y, lambda x, y: y @ x),
        "`matmul`": (lambda x, y: x.matmul(y), lambda x, y: y.matmul(x)),
        "`bmm`": (lambda x, y: x[None].bmm(y[None]), lambda x, y: y[None].bmm(x[None])),
    },
    "neither": {
        "`+`": (lambda x, y: x + y, lambda x, y: x + 1),
        "`-`": (lambda x, y: x - y, lambda x, y: 1 - x),
        "`*` with a number": (lambda x, y: x * 2,),
        "`sum`": (lambda x, y: x.sum(), lambda x, y: x.sum(0)),
        "`mean`": (lambda x, y: x.mean(), lambda x, y: x.mean(0)),
        "`cat`": (lambda x, y: torch.cat([x, y]),),
        "`stack`": (lambda x, y: torch.stack([x, y]),),
        "`view`": (lambda x, y: x.view(4),),
        "`clone`": (lambda x, y: x.clone(),),
        "indexing by number or slice": (lambda x, y: x[0], lambda x, y: x[:, 1], lambda x, y: x[0, 1:]),
        "`dropout`": (lambda x, y: F.dropout(x), lambda x, y: nn.Dropout(0.2)(x)),
    },
}
ENTRIES = [(saved, entry) for saved, entries in SAVED.items() for entry in entries]


def test_each_entry_of_the_table_of_saved_tensors_is_tried() -> None:
    prose = [text for _, text in read_page(RULE_BOOK / "TL301.md").prose]
    rows = prose[prose.index("| saved | by |") + 2 :]
    rows = rows[: rows.index("")]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    assert {saved: by.split(", ") for saved, by in cells} == {key: list(row) for key, row in SAVED.items()}


@pytest.mark.parametrize(("saved", "entry"), ENTRIES, ids=lambda word: str(word).strip("`"))
def test_a_write_breaks_backward_where_the_table_of_saved_tensors_says(saved: str, entry: str) -> None:
    for call in SAVED[saved][entry]:
        match saved:
            case "the result":
                assert breaks(call, "result")
            case "the input":
                assert breaks(call, "x")
            case "a factor, when the other one requires grad":
                assert breaks(call, "x")
                assert not breaks(call, "x", other_requires_grad=False)
                assert not breaks(call, "result")
            case "neither":
                # The result of a view is the input's memory: one write is a write to both.
                assert not breaks(call, "x")
                assert not breaks(call, "result")


@pytest.mark.parametrize(("saved", "entry"), ENTRIES, ids=lambda word: str(word).strip("`"))
def test_the_linter_knows_of_a_tensor_what_the_page_says(saved: str, entry: str) -> None:
    for name in re.findall(r"`([a-z_]+|[-+*@]|\*\*)`", entry):
        op = tables.op(name) if name.isidentifier() else tables.binary(name)
        assert op is not None, name
        first = [one for one in op.saves if one.arg == op.args[0]]
        match saved:
            case "the result":
                assert op.saves_result is Saves.YES
            case "the input":
                assert first
                assert not any(one.when for one in first)
            case "a factor, when the other one requires grad":
                assert [one.when for one in first] == [(op.args[1],)]
            case "neither":
                # A number requires no grad.
                assert all(one.when == (op.args[1],) for one in first)
                assert not first or entry.endswith("with a number")
                assert op.saves_result is Saves.NO


def breaks(call: Call, written: str, *, other_requires_grad: bool = True) -> bool:
    """Whether backward raises after a write to `x` or to the `result` of a call."""
    torch.manual_seed(0)
    x = torch.tensor([[0.25, 0.5], [0.75, 1.5]], requires_grad=True) * 1
    result = call(x, torch.tensor([[0.5, 1.0], [1.5, 2.0]], requires_grad=other_requires_grad))
    with torch.no_grad():
        {"x": x, "result": result}[written].add_(1)
    try:
        result.sum().backward()
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):
            raise
        return True
    return False
