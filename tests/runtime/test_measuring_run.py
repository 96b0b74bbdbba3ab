"""The measurement behind ops.tsv: representative operations measured afresh, corrections, and `--check`."""

from __future__ import annotations

import sys
from pathlib import Path

import measure_torch
import pytest

from measuring import by_hand, tables
from measuring.by_hand import Correction
from measuring.operations import rows as ops
from measuring.operations.grouping import groups

FOLDER = Path(measure_torch.TABLES)
TABLE = tables.read(FOLDER / "ops.tsv")
CORRECTIONS = by_hand.read(FOLDER / "by_hand.tsv")
REPRESENTATIVE = (
    "mul",  # saves an argument if another requires grad; operator, method and function; in-place
    "exp",  # saves its result, as in-place variant too
    "hypot",
    "ldexp",  # an operand that it takes where it refuses its target
    "add",  # saves nothing
    "conv_tbc",
    "squeeze",  # a view
    "reshape",  # a view or a copy
    "unbind",  # several views at once
    "unsafe_chunk",  # memory shared without a version
    "detach",  # cuts the graph
    "detach_",
    "numpy",
    "item",
    "shape",
    "zeros",  # made without a graph
    "zero_",  # in-place without a plain twin
    "setitem",
    "getitem",  # forms by the kind of an argument
    "pow",
    "div",
    "max",  # forms by overload, `dim` and `other:tensor`
    "where",  # a form as method, and wrapped in the database
    "pad",  # forms by a literal
    "smooth_l1_loss",
    "unique",  # forms by a flag
    "embedding",  # wrapped in the database, with the arguments the other way round
    "chain_matmul",  # a list of tensors
    "sort",
    "eq",
    # The others that have a cell or a form corrected by hand, or nothing that can be measured:
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "cpu",
    "kron",
    "resize_as_",
    "resolve_conj",
    "resolve_neg",
    "sparse.mm",
    "sparse.sampled_addmm",
    "to_dense",
    "to_sparse",
)


@pytest.fixture(scope="module")
def measured() -> list[list[str]]:
    rows = ops.rows(only=REPRESENTATIVE)
    relevant = [correction for correction in CORRECTIONS if correction.row in REPRESENTATIVE]
    return by_hand.apply(relevant, "ops", TABLE.columns, rows)[0]


@pytest.mark.limit(60)
@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_an_operation_measured_afresh_has_the_rows_of_the_table(name: str, measured: list[list[str]]) -> None:
    assert [row for row in measured if row[0] == name] == [row for row in TABLE.rows if row[0] == name]


@pytest.mark.limit(60)
def test_an_operation_without_a_sample_has_its_row_by_hand() -> None:
    without = {row[0] for row in TABLE.rows} - set(groups())
    assert {"backward", "cuda", "values"} <= without
    assert without == {
        correction.row
        for correction in CORRECTIONS
        if correction.column == "row" and correction.row not in REPRESENTATIVE
    }


def test_every_correction_is_in_the_table() -> None:
    columns = TABLE.columns
    rows = {tuple(row[:2]): row for row in TABLE.rows}
    for correction in CORRECTIONS:
        if correction.table == "ops":
            row = rows.get((correction.row, correction.form))
            if correction.column == "row":
                assert (row[2:] if row else ["-"]) == correction.value.split(" ")
            else:
                assert row is not None
                assert row[columns.index(correction.column)] == correction.value


COLUMNS = ("op", "form", "aliases", "saves")
ROWS = [["exp", "-", "-", "result"], ["mul", "-", "-", "other"], ["mul", "other:plain", "-", "-"]]


def corrected(*corrections: Correction) -> tuple[list[list[str]], list[Correction]]:
    return by_hand.apply(corrections, "ops", COLUMNS, ROWS)


def test_a_correction_sets_one_cell() -> None:
    correction = Correction("ops", "mul", "-", "saves", "input", "why")
    assert corrected(correction) == ([ROWS[0], ["mul", "-", "-", "input"], ROWS[2]], [])
    assert ROWS[1][3] == "other"


def test_a_correction_adds_and_leaves_out_a_row() -> None:
    added = Correction("ops", "cuda", "-", "row", "xpu input", "why")
    left_out = Correction("ops", "mul", "other:plain", "row", "-", "why")
    assert corrected(added, left_out) == ([["cuda", "-", "xpu", "input"], *ROWS[:2]], [])


def test_a_correction_of_another_table_is_not_looked_at() -> None:
    assert corrected(Correction("modules", "mul", "-", "saves", "input", "why")) == (ROWS, [])


@pytest.mark.parametrize(
    "correction",
    [
        Correction("ops", "mul", "-", "saves", "other", "it is so already"),
        Correction("ops", "kron", "-", "saves", "input", "there is no such row"),
        Correction("ops", "kron", "-", "row", "-", "there is no such row"),
        Correction("ops", "exp", "-", "row", "- result", "it is so already"),
    ],
)
def test_a_correction_that_changes_nothing_is_out_of_date(correction: Correction) -> None:
    assert corrected(correction) == (ROWS, [correction])


def test_a_correction_needs_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "by_hand.tsv"
    file.write_text("table\trow\tform\tcolumn\tvalue\treason\nops\tmul\t-\tsaves\tinput\t \n", "utf-8")
    with pytest.raises(ValueError, match="a reason"):
        by_hand.read(file)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the rows of two operations, to which the measurement is restricted."""
    rows = [row for row in TABLE.rows if row[0] in ("exp", "kron")]
    folder = tmp_path / "tables"
    folder.mkdir()
    tables.write(folder / "ops.tsv", tables.Table(TABLE.comments, TABLE.columns, tuple(rows)))
    lines = (FOLDER / "by_hand.tsv").read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("ops\t", "modules\t")) or "\tkron\t" in line]
    (folder / "by_hand.tsv").write_text("".join(kept), "utf-8")
    measure = ops.rows
    monkeypatch.setattr(ops, "rows", lambda jobs, count: measure(1, 6, only=["exp", "kron"]))
    return folder


def run(*arguments: str | Path) -> int:
    return measure_torch.main([str(argument) for argument in arguments])


def test_check_finds_nothing_in_a_true_table(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (small / "ops.tsv").read_bytes()
    assert run("--check", "--only", "ops", "--tables", small) == 0
    assert "ops.tsv is what torch" in capsys.readouterr().out
    assert (small / "ops.tsv").read_bytes() == before


def test_check_names_each_cell_that_differs(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = small / "ops.tsv"
    old = file.read_text("utf-8").replace(
        "\tyes\tgraph\t-\tresult\traises\n", "\tno\tgraph\tview\tresult\tpasses\n"
    )
    old = old.replace("kron\t-", "krom\t-").replace("torch 2.", "torch 1.", 1)
    file.write_text(old, "utf-8")
    assert run("--check", "--only", "ops", "--tables", small) == 1
    out = capsys.readouterr().out
    assert "ops.tsv header: " in out
    assert "ops.tsv exp -: saves_result: no -> yes\n" in out
    assert "ops.tsv exp -: view: view -> -\n" in out
    assert "ops.tsv exp -: overlap: passes -> raises\n" in out
    assert "ops.tsv krom -: in the table, not measured\n" in out
    assert "ops.tsv kron -: measured, not in the table: " in out
    assert file.read_text("utf-8") == old
    assert run("--only", "ops", "--tables", small) == 0
    assert run("--check", "--only", "ops", "--tables", small) == 0


def test_check_names_a_correction_that_is_out_of_date(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (small / "by_hand.tsv").open("a", encoding="utf-8") as file:
        file.write("ops\texp\t-\tview\t-\tit is none anyway\n")
    assert run("--check", "--only", "ops", "--tables", small) == 1
    assert "by_hand.tsv out of date: ops exp - view=-" in capsys.readouterr().out


def test_wrong_use_and_a_missing_torch_give_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("--only", "layers")
    assert stopped.value.code == 2
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("--check") == 2
    assert "torch is not installed" in capsys.readouterr().err
