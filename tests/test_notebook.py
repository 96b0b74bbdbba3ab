"""Notebooks: read as one source, told by cell, fixed in the sources of their cells alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command import run

import torchlint
from torchlint import runner
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic, Edit, Fix, Span
from torchlint.notebook import Notebook
from torchlint.reports import Palette, render
from torchlint.runner import Checked, check_bytes

NOTEBOOKS = Path(__file__).parent / "notebooks"
UNSAFE = Config(unsafe_fixes=True)
MODEL = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
model(torch.ones(1, 3)).sum().backward()"""
LOOK = "with torch.no_grad():\n    scores = model(torch.ones(1, 3))"
READ = "y = torch.ones(1, requires_grad=True)\nprint(y.item())"


def checked(name: str, *, fix: bool = False, config: Config = UNSAFE) -> tuple[Checked, bytes]:
    return check_bytes((NOTEBOOKS / name).read_bytes(), name, config, fix=fix)


def told(*cells: str | tuple[str, str]) -> list[str]:
    """`cell:line:column code` of what is found in some cells, in the order of a report."""
    return [f"{one.cell}:{one.line}:{one.column} {one.code}" for one in found(*cells)]


def found(*cells: str | tuple[str, str]) -> list[Diagnostic]:
    notebook = Notebook.from_cells([(one, "python") if isinstance(one, str) else one for one in cells], "n")
    shown = notebook.kept(runner.check_source(notebook.source, UNSAFE))
    every = [*notebook.problems(), *map(notebook.placed, shown)]
    return sorted(every, key=Diagnostic.sort_key)


def ipynb(*cells: str) -> bytes:
    made = [{"cell_type": "code", "metadata": {}, "source": text.splitlines(True)} for text in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def sources(data: bytes) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(data)["cells"]]


class TestReports:
    def test_concise(self) -> None:
        result, _ = checked("training.ipynb")
        assert "".join(render("concise", [result], palette=Palette(False))) == (
            "training.ipynb:cell 5:9:20: TL201 [*] 'loss.item()' reads a tensor that still requires grad\n"
            "training.ipynb:cell 7:2:6: TL401 only inference happens under 'torch.no_grad()', "
            "so inference_mode can replace it\n"
            "training.ipynb:cell 7:3:14: TL101 'model' runs without gradients in training mode\n"
            "Found 3 errors.\n"
            "[*] 1 fixable with `--fix` (2 hidden fixes can be enabled with `--unsafe-fixes`).\n"
        )

    def test_full_shows_each_note_in_its_own_cell(self) -> None:
        result, _ = checked("training.ipynb", config=Config(select=("TL101",)))
        assert "".join(render("full", [result], palette=Palette(False))).startswith("""\
TL101 'model' runs without gradients in training mode
 --> training.ipynb:cell 7:3:14
  |
1 | %%time
2 | with torch.no_grad():
3 |     scores = model(torch.randn(4, 3))
  |              ^^^^^^^^^^^^^^^^^^^^^^^^
4 | scores.argmax(1)
  |
note: gradients are off from 'torch.no_grad()' on
 --> training.ipynb:cell 7:2:6
  |
2 | with torch.no_grad():
  |      ---------------
  |
note: built here, and a new module is in training mode
 --> training.ipynb:cell 5:1:9
  |
1 | model = Net()
  |         -----
  |
""")

    def test_json(self) -> None:
        result, _ = checked("one_line.ipynb")
        (first, second) = json.loads("".join(render("json", [result], palette=Palette(False))))
        assert (first["cell"], first["location"]) == (1, {"row": 4, "column": 30})
        assert (second["cell"], second["location"]) == (3, {"row": 1, "column": 7})
        assert second["fix"]["edits"][0]["location"] == {"row": 1, "column": 9}


class TestReading:
    @pytest.mark.parametrize("name", ["training.ipynb", "one_line.ipynb", "broken_cell.ipynb"])
    def test_the_text_of_a_place_is_what_the_message_names(self, name: str) -> None:
        result, data = checked(name)
        for one in result.diagnostics:
            assert one.cell is not None
            assert result.cells is not None
            assert result.cells[one.cell].text == sources(data)[one.cell - 1]
            said = result.cells[one.cell].slice(one.span)
            assert (
                one.code in ("TL001", "TL401") or said.split("(")[0].split(".")[0].strip("(") in one.message
            )

    def test_state_goes_from_cell_to_cell(self) -> None:
        assert told(MODEL, LOOK) == ["2:1:5 TL401", "2:2:13 TL101"]
        assert told(MODEL, "model.eval()", LOOK) == ["3:1:5 TL401"]
        assert told(MODEL, ("model.eval()", "markdown"), LOOK) == ["3:1:5 TL401", "3:2:13 TL101"]
        assert told(MODEL, "%%bash\nmodel.eval()", LOOK) == ["3:1:5 TL401", "3:2:13 TL101"]

    def test_a_cell_that_is_no_python_leaves_the_others_readable(self) -> None:
        assert told(MODEL, "for x in 3\n    model.eval()", LOOK, READ) == [
            "2:1:10 TL001",
            "3:1:5 TL401",
            "4:2:6 TL201",
        ]
        result, _ = checked("broken_cell.ipynb")
        first = result.diagnostics[0]
        assert (first.code, first.cell, first.span) == ("TL001", 2, Span.at(1, 21))
        assert first.message == "cannot parse this cell: expected ':'"

    @pytest.mark.parametrize(
        "text", ["x = (", "return x)", "'''", "if x:", "@y", "\ud800", "a\0b", "for x in 3"]
    )
    def test_no_broken_cell_reaches_into_the_next(self, text: str) -> None:
        assert [one.split()[1] for one in told(READ, text, READ)] == ["TL201", "TL001", "TL201"]

    @pytest.mark.parametrize(
        "text",
        [
            "await f()\nasync for x in y: pass",
            "x = 1;",
            "  x = 1\n  y = 2",
            "",
            "\n\n",
            "# a comment",
            "#:cell 7",
            "'''#:cell: 7\n'''",
            "x = 1\r\ny = 2",
            "def f():\n    !ls\n    y = %who",
            "%time y = 3",
        ],
    )
    def test_cells_that_ipython_takes(self, text: str) -> None:
        assert told(READ, text, f"\n{READ}\n") == ["1:2:6 TL201", "3:3:6 TL201"]

    def test_what_a_magic_runs_may_have_changed_what_it_names(self) -> None:
        assert told(MODEL, "%time model.eval()", LOOK) == ["3:1:5 TL401"]
        assert told(MODEL, "%time y = torch.ones(1)", LOOK) == ["3:1:5 TL401", "3:2:13 TL101"]

    def test_other_languages_are_left_out(self) -> None:
        result, data = checked("julia.ipynb")
        assert (result, data) == (Checked("julia.ipynb"), (NOTEBOOKS / "julia.ipynb").read_bytes())
        assert told((READ, "r"), (READ, "sql"), READ, (READ, "ipython3")) == ["3:2:6 TL201", "4:2:6 TL201"]

    def test_comments_silence(self) -> None:
        silent = READ.replace("print(y.item())", "print(y.item())  # noqa: TL201")
        assert told(silent, READ, "print(y.item())  # torchlint: ignore[TL201] on purpose") == ["2:2:6 TL201"]

    def test_what_is_no_notebook(self) -> None:
        result, _ = check_bytes(b'{"torch": [}', "n.ipynb", Config(), fix=True)
        (one,) = result.diagnostics
        assert (one.code, one.cell, one.span) == ("TL001", None, Span.at(1, 11))
        assert one.message == "cannot parse this file: not JSON: expecting value"
        assert check_bytes(b'{"pytest": [}', "n.ipynb", Config(), fix=True)[0].diagnostics == ()

    def test_the_function_for_programs(self) -> None:
        for data in (ipynb(READ), ipynb(READ).decode()):
            (one,) = torchlint.check(data, filename="n.ipynb")
            assert (one.code, one.cell) == ("TL201", 1)


class TestFixes:
    def test_nothing_else_changes(self) -> None:
        for name, before, after in (
            ("training.ipynb", b"loss.item());", b"loss.detach().item());"),
            ("one_line.ipynb", b"y.item()", b"y.detach().item()"),
            ("broken_cell.ipynb", b".sum().item()", b".sum().detach().item()"),
        ):
            result, fixed = checked(name, fix=True, config=Config())
            original = (NOTEBOOKS / name).read_bytes()
            assert fixed == original.replace(before, after)
            assert result.fixed == original.count(before)

    @pytest.mark.parametrize("behind", ["", "\n", "\nprint(scores)", "\n\n!ls", "\n# end"])
    def test_an_edit_within_its_cell_does_what_a_fix_does(self, behind: str) -> None:
        look = LOOK + behind
        data = ipynb("%who", MODEL, look, "x = 1")
        config = Config(select=("TL101",), unsafe_fixes=True)
        (one,) = check_bytes(data, "n.ipynb", config, fix=False)[0].diagnostics
        assert one.fix is not None
        lines = look.split("\n")
        for edit in sorted(one.fix.edits, reverse=True):
            span = edit.span
            assert span.start_line == span.end_line
            assert span.start_column == span.end_column
            line = lines[span.start_line - 1]
            lines[span.start_line - 1] = line[: span.start_column] + edit.text + line[span.start_column :]
        _, fixed = check_bytes(data, "n.ipynb", config, fix=True)
        assert sources(fixed) == ["%who", MODEL, "\n".join(lines), "x = 1"]
        assert "model.eval()\nwith" in "\n".join(lines)

    def test_a_fix_that_needs_another_cell_is_not_made(self) -> None:
        cells = (MODEL.replace("import torch\n", "import torch\nfrom torch import no_grad\n"), "model.eval()")
        (one,) = found(*cells, LOOK.replace("torch.no_grad", "no_grad"))
        assert (one.code, one.cell, one.fix) == ("TL401", 3, None)
        (one,) = found("\n".join((*cells, LOOK.replace("torch.no_grad", "no_grad"))))
        assert one.fix is not None
        assert len(one.fix.edits) == 2

    def test_ipythons_lines_and_other_cells_are_left_alone(self) -> None:
        notebook = Notebook.from_cells([("x = 1\n!ls\ny = 2", "python"), ("z = 3", "python")], "n")
        assert notebook.source.line(3).startswith("pass ")
        finding = Diagnostic("n", Span(2, 0, 2, 1), "TL999", "a-name", "a message")

        def fixed(*edits: Edit) -> Fix | None:
            (kept,) = notebook.kept([replace(finding, fix=Fix("a title", edits, safe=True))])
            placed = notebook.placed(kept)
            assert (placed.cell, placed.span) == (1, Span(1, 0, 1, 1))
            return placed.fix

        assert fixed(Edit(Span(3, 0, 3, 4), "x")) is None
        assert fixed(Edit(Span(2, 0, 4, 0), "")) is None
        assert fixed(Edit(Span.at(1, 0), "x\n")) is None
        assert fixed(Edit(Span.at(2, 0), "a\n"), Edit(Span.at(6, 0), "a\n")) is None
        assert fixed(Edit(Span.at(5, 0), "no line end")) is None
        before = fixed(Edit(Span.at(3, 0), "a\n"))
        assert before is not None
        assert before.edits == (Edit(Span.at(2, 0), "a\n"),)
        behind = fixed(Edit(Span.at(5, 0), "a\n"))
        assert behind is not None
        assert behind.edits == (Edit(Span.at(3, 5), "\na"),)
        last = fixed(Edit(Span(4, 0, 5, 0), "a\n"))
        assert last is not None
        assert last.edits == (Edit(Span(3, 0, 3, 5), "a"),)
        gone = fixed(Edit(Span(4, 0, 5, 0), ""))
        assert gone is not None
        assert gone.edits == (Edit(Span(2, 3, 3, 5), ""),)

    def test_line_ends_within_a_source_are_kept(self) -> None:
        data = ipynb(READ.replace("\n", "\r\n") + "\r\nx = 1\n")
        _, fixed = check_bytes(data, "n.ipynb", Config(), fix=True)
        assert fixed == data.replace(b"y.item", b"y.detach().item")


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    for place in ("runs/a.ipynb", ".ipynb_checkpoints/a.ipynb"):
        (tmp_path / place).write_bytes(ipynb(READ))
    done = run("check", "--output-format", "concise", cwd=tmp_path)
    assert done.out.startswith("runs/a.ipynb:cell 1:2:7: TL201 [*] 'y.item()' reads")
    assert (done.out.count("TL201"), done.status) == (1, 1)
    done = run("check", "--fix", "--stdin-filename", "b.ipynb", "-", cwd=tmp_path, stdin=ipynb(READ))
    assert (done.out.encode(), done.status) == (ipynb(READ.replace(".item", ".detach().item")), 0)
    assert run("check", "--fix", "runs/a.ipynb", cwd=tmp_path).status == 0
    assert (tmp_path / "runs/a.ipynb").read_bytes() == ipynb(READ.replace(".item", ".detach().item"))
