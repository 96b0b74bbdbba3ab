"""The tables as files and as answers; what they say of torch is held against it in runtime/."""

from __future__ import annotations

import re
import time

import pytest

from torchlint import tables
from torchlint.tables import Answer, Given, Op, Result, Saved, Saves, View
from torchlint.tables.modules import _index as layers
from torchlint.tables.modules import _module
from torchlint.tables.ops import _index as operations
from torchlint.tables.ops import _op
from torchlint.tables.rows import parts, read, signature

OPS = read("ops.tsv")
MODULES = read("modules.tsv")
SAVED = re.compile(r"(\w+)(\?\w+(\|\w+)*)?[~!]?")
SAVES = re.compile(r"no|sometimes|yes(:\d(,\d)*)?")
LEGAL_OP = (
    re.compile(r"[\w.]+"),
    re.compile(r"-|method|\w+(:tensor|:plain|=.+)?"),
    None,
    None,
    None,
    SAVES,
    re.compile(r"graph|plain|fresh|cut|array|number|nothing|mixed:(\*|\d(,\d)*)"),
    re.compile(r"-|view|maybe|multi|self|untracked"),
    None,
    re.compile(r"-|raises|target|passes"),
)
SPARSE = {"resize_as_sparse_", "sparse_resize_"}
"""What writes tensors that have no storage, so that it refuses no memory."""
CONDITION = r"\w+(>\d|!=\w+)?(( and | or )\w+(>\d|!=\w+)?)*"
LEGAL_MODULE = (
    re.compile(r"torch\.nn\.[\w.]+"),
    None,
    re.compile(rf"no|yes|children|{CONDITION}"),
    re.compile(rf"no|yes|children|{CONDITION}"),
    None,
    None,
    SAVES,
    None,
    re.compile(rf"-|children|({CONDITION})!?"),
    None,
    re.compile(r"-|none|result|training|ignored"),
)


def name_of(row: list[str]) -> str:
    return " ".join(row[:2]) if len(row) == len(LEGAL_OP) and "torch.nn" not in row[0] else row[0]


@pytest.mark.parametrize("filename", ["ops.tsv", "modules.tsv"])
def test_rows_are_sorted_and_unique(filename: str) -> None:
    keys = [tuple(row[:2]) if filename == "ops.tsv" else (row[0],) for row in read(filename)]
    assert keys == sorted(set(keys))


def test_no_name_means_two_operations() -> None:
    names = [name for row in OPS if row[1] == "-" for name in [row[0], *parts(row[2])]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", OPS, ids=name_of)
def test_the_cells_of_an_operation_are_legal(row: list[str]) -> None:
    assert len(row) == len(LEGAL_OP)
    assert all(legal is None or legal.fullmatch(cell) for legal, cell in zip(LEGAL_OP, row, strict=True))
    assert parts(row[2]) == sorted(parts(row[2]))
    found = signature(row[3])
    args = {*found.args, *found.keywords}
    for cell in [*parts(row[4]), *parts(row[8])]:
        assert SAVED.fullmatch(cell)
        assert set(re.findall(r"\w+", cell)) <= args | (
            {"result", "none"} if cell in parts(row[8]) else set()
        )
    assert (row[9] == "-") == (row[8] == "-" or row[0] in SPARSE)
    if row[1] != "-":
        assert re.split(r"[:=]", row[1])[0] in args | {"method"}
        assert row[2] == "-"
        assert any(other[:2] == [row[0], "-"] for other in OPS)


@pytest.mark.parametrize("row", MODULES, ids=name_of)
def test_the_cells_of_a_layer_are_legal(row: list[str]) -> None:
    assert len(row) == len(LEGAL_MODULE)
    assert all(legal is None or legal.fullmatch(cell) for legal, cell in zip(LEGAL_MODULE, row, strict=True))
    found = signature(row[1])
    args = {*found.args, *found.keywords}
    for cell in (*row[2:4], row[8]):
        if cell not in ("no", "yes", "children"):
            assert {word for word in re.findall(r"[a-z_]\w*", cell) if word not in ("and", "or")} <= args
    assert {name.partition("=")[0] for name in parts(row[9])} <= args
    assert ("inplace" in args) == (row[10] != "-")
    conditions = {*signature(row[4]).args, "parameters"}
    for cell in [*parts(row[5]), *parts(row[7])]:
        assert SAVED.fullmatch(cell)
        _, *words = re.findall(r"\w+", cell)
        assert set(words) <= conditions
    assert {cell.partition("?")[0].strip("~!") for cell in parts(row[5])} <= conditions
    assert row[3] != "no" or row[7] == "-"


def test_every_name_alias_and_in_place_name_is_answered() -> None:
    for name, rows in operations().items():
        op = tables.op(name)
        assert op is not None
        assert op.name == rows[0][0]
        in_place = tables.op(f"{name}_")
        if rows[0][8] != "-" and rows[0][7] != "self" and not name.startswith("__"):
            assert in_place is not None
            assert in_place.view is View.SELF
            assert in_place.writes == in_place.args[0]
    for name in layers():
        assert tables.module(name) is not None


def test_a_dotted_name_means_its_longest_tail() -> None:
    assert tables.op("torch.linalg.norm") is tables.op("linalg.norm")
    assert tables.op("torch.linalg.norm") is not tables.op("torch.norm")
    assert tables.op("torch.nn.functional.unfold") is tables.op("functional.unfold")
    assert named(tables.op("torch.Tensor.multiply")) == "mul"
    assert tables.op("torch.backends.unheard_of") is None
    assert tables.op("") is None


def named(op: Op | None) -> str:
    return op.name if op else "none"


@pytest.mark.parametrize(
    ("sign", "name"),
    [("+", "add"), ("@", "matmul"), ("**", "pow"), ("<", "lt"), ("and", "none"), ("is", "none")],
)
def test_a_binary_operator_is_an_operation(sign: str, name: str) -> None:
    assert named(tables.binary(sign)) == name


@pytest.mark.parametrize(("sign", "name"), [("-", "neg"), ("~", "bitwise_not"), ("not", "none")])
def test_a_unary_operator_is_an_operation(sign: str, name: str) -> None:
    assert named(tables.unary(sign)) == name


@pytest.mark.parametrize("sign", ["+=", "-=", "*=", "/=", "//=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>="])
def test_an_augmented_assignment_writes_its_target(sign: str) -> None:
    op = tables.augmented(sign)
    assert op is not None
    assert op.writes == "input"


def test_matmul_has_no_augmented_assignment() -> None:
    op = tables.augmented("@=")
    assert op is not None
    assert op.writes is None


def form(name: str, *positional: tables.Argument, method: bool = False, **keywords: tables.Argument) -> Op:
    op = tables.op(name)
    assert op is not None
    return op.form(positional, keywords, method=method)


def test_the_form_follows_the_arguments() -> None:
    tensor, plain, anything = Given.TENSOR, Given.PLAIN, Given.ANYTHING
    assert form("max", tensor).result is Result.GRAPH
    assert form("max", tensor, 1).result is Result.MIXED
    assert form("max", tensor, dim=anything).result is Result.MIXED
    assert form("max", tensor, tensor).args[1] == "other"
    assert form("max", tensor, dim=None).result is Result.GRAPH
    assert form("pow", tensor, 2).saves_result is Saves.NO
    assert form("pow", tensor, anything).saves_result is Saves.SOMETIMES
    assert form("pow", 2, tensor).saves_result is Saves.YES
    assert form("pow_", tensor, 2).saves_result is Saves.NO
    assert form("getitem", tensor, plain).view is View.VIEW
    assert form("getitem", tensor, tensor).view is View.NEVER
    assert form("getitem", tensor, anything).view is View.MAYBE
    assert form("where", tensor).result is Result.PLAIN
    assert form("where", tensor, tensor, 0.0).saves == (Saved("condition"),)
    assert form("where", tensor, tensor, tensor, method=True).args[0] == "input"
    assert form("pad", tensor, (1, 1), mode="reflect").saves == (Saved("input"),)
    assert form("pad", tensor, (1, 1), mode=anything).saves == ()


def test_in_place_operations_say_what_they_save() -> None:
    def op(name: str) -> Op:
        found = tables.op(name)
        assert found is not None
        return found

    assert op("relu_").saves_result is Saves.YES
    assert op("relu_").writes == "input"
    assert op("mul_").saves == (Saved("other", ("input",)),)
    assert op("__imul__") == op("mul_")
    assert op("zero_").writes == "input"
    assert op("setitem").writes == "input"
    assert op("requires_grad_").writes is None
    assert op("detach_").result is Result.CUT
    assert tables.op("matmul_") is None


@pytest.mark.parametrize(
    ("name", "target", "operands"),
    [
        ("add_", True, True),
        ("relu_", True, True),
        ("uniform_", True, True),
        ("setitem", True, True),
        ("addmm_", True, False),
        ("fill_", False, False),
        ("index_put_", False, False),
        ("t_", False, False),
        ("add", False, False),
        ("t", False, False),
        ("requires_grad_", False, False),
    ],
)
def test_what_memory_an_operation_refuses(name: str, *, target: bool, operands: bool) -> None:
    op = tables.op(name)
    assert op is not None
    assert op.refuses_overlap == target
    assert op.refuses_overlapping_operands == operands


def layer(name: str) -> tables.Layer:
    found = tables.module(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "positional", "keywords", "answer"),
    [
        ("torch.nn.Linear", (3, 4), {}, Answer.NO),
        ("Dropout", (), {}, Answer.YES),
        ("Dropout", (0,), {}, Answer.NO),
        ("nn.Dropout", (), {"p": 0.0}, Answer.NO),
        ("Dropout", (Given.ANYTHING,), {}, Answer.UNKNOWN),
        ("LSTM", (3, 4), {"dropout": 0.5}, Answer.NO),
        ("LSTM", (3, 4, 2), {"dropout": 0.5}, Answer.YES),
        ("LSTM", (3, 4, Given.PLAIN), {"dropout": 0.5}, Answer.UNKNOWN),
        ("LSTM", (3, 4, Given.PLAIN), {}, Answer.NO),
        ("LSTM", (3, 4, 1), {"dropout": Given.PLAIN}, Answer.NO),
        ("BatchNorm2d", (4,), {}, Answer.YES),
        ("BatchNorm2d", (4,), {"track_running_stats": False}, Answer.NO),
        ("InstanceNorm2d", (4,), {}, Answer.NO),
        ("LazyInstanceNorm2d", (), {}, Answer.YES),
        ("RReLU", (), {}, Answer.YES),
        ("RReLU", (0.2, 0.2), {}, Answer.NO),
        ("Transformer", (), {"dropout": 0}, Answer.NO),
        ("Transformer", (), {"dropout": 0, "custom_encoder": Given.ANYTHING}, Answer.UNKNOWN),
        ("Sequential", (Given.ANYTHING,), {}, Answer.CHILDREN),
        ("torch.nn.parallel.DistributedDataParallel", (), {}, Answer.CHILDREN),
    ],
)
def test_whether_training_and_evaluation_differ(
    name: str, positional: tuple[tables.Argument, ...], keywords: dict[str, tables.Argument], answer: Answer
) -> None:
    assert layer(name).differs(positional, keywords) is answer


def test_what_a_layer_saves_follows_its_construction() -> None:
    assert layer("Conv2d").built((3, 4, 3), {"padding": 1}).saves == (Saved("input"),)
    assert layer("Conv2d").built((3, 4, 3), {"padding": "same"}).saves == (Saved("input", sometimes=True),)
    assert layer("LSTM").built((3, 4), {"batch_first": False}) is layer("LSTM")
    assert layer("LSTM").built((3, 4), {"batch_first": True}).saves_result is Saves.SOMETIMES
    assert layer("ReLU").writes_input((True,), {}) is Answer.YES
    assert layer("ReLU").saves_result_in_place is Saves.YES
    assert layer("ReLU").writes_input((), {}) is Answer.NO
    assert layer("Dropout").writes_input((0.5, True), {}, training=False) is Answer.NO
    assert layer("AlphaDropout").writes_input((0.5, True), {}) is Answer.NO
    assert layer("GroupNorm").has_parameters((2, 4), {"affine": False}) is Answer.NO


def test_what_a_layer_saves_of_its_state() -> None:
    assert layer("Linear").saves_state == (Saved("weight", ("input",)),)
    assert layer("LayerNorm").saves_state == (Saved("weight"), Saved("bias"))
    assert layer("Embedding").saves_state == ()
    assert layer("LSTM").saves_state == (Saved("parameters"),)
    assert layer("LSTM").built((3, 4), {"batch_first": True}).saves_state == (Saved("parameters"),)
    assert layer("Sequential").saves_state == (Saved("parameters", sometimes=True),)


@pytest.mark.parametrize(
    ("name", "keywords", "answer"),
    [
        ("BatchNorm2d", {}, Answer.YES),
        ("BatchNorm2d", {"track_running_stats": False}, Answer.NO),
        ("BatchNorm2d", {"track_running_stats": Given.ANYTHING}, Answer.UNKNOWN),
        ("InstanceNorm2d", {"track_running_stats": True}, Answer.NO),
        ("Linear", {}, Answer.NO),
        ("Sequential", {}, Answer.CHILDREN),
    ],
)
def test_whether_a_layer_keeps_statistics(
    name: str, keywords: dict[str, tables.Argument], answer: Answer
) -> None:
    found = layer(name)
    assert found.keeps_statistics((4,), keywords) is answer
    assert found.statistics_unnoticed == (name == "BatchNorm2d")


def test_loading_both_tables_takes_under_five_milliseconds() -> None:
    def once() -> float:
        for cached in (read, operations, layers, _op, _module):
            cached.cache_clear()
        start = time.process_time()
        tables.op("mul"), tables.module("Linear")
        return time.process_time() - start

    assert min(once() for _ in range(5)) < 0.005
