"""What the reports look like, character by character."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchlint.diagnostic import Diagnostic, Edit, Fix, Note, Span
from torchlint.reports import FORMATS, NOTHING_FIXED, Fixing, Palette, render
from torchlint.runner import Checked
from torchlint.source import Source

PLAIN = Palette(colour=False)
TRAINING = """\
import torch

def step(x):
    y = x * 2
    z = y ** 2

    y.mul_(2)

    z.sum().backward()
"""
WRITTEN = Diagnostic(
    "train.py",
    Span(7, 4, 7, 13),
    "TL301",
    "inplace-on-saved",
    "'y' is written in place after 'y ** 2' saved it, so backward will raise",
    notes=(Note("saved here", Span(5, 8, 5, 14)), Note("made here", Span(4, 8, 4, 13))),
)


def report(
    form: str,
    text: str | None,
    *found: Diagnostic,
    fixed: int = 0,
    palette: Palette = PLAIN,
    fixing: Fixing = NOTHING_FIXED,
) -> str:
    filename = found[0].filename if found else "a.py"
    source = None if text is None else Source.from_text(text, filename)
    results = [Checked(filename, found, source, fixed)]
    return "".join(render(form, results, palette=palette, fixing=fixing))


def frame(text: str, span: Span) -> list[str]:
    """The lines of the code frame alone."""
    shown = report("full", text, Diagnostic("a.py", span, "TL101", "missing-eval", "a message")).split("\n")
    return shown[2 : next(number for number, line in enumerate(shown) if " = help" in line)]


def test_full() -> None:
    assert report("full", TRAINING, WRITTEN) == (
        "TL301 'y' is written in place after 'y ** 2' saved it, so backward will raise\n"
        " --> train.py:7:5\n"
        "  |\n"
        "5 |     z = y ** 2\n"
        "6 |\n"
        "7 |     y.mul_(2)\n"
        "  |     ^^^^^^^^^\n"
        "8 |\n"
        "9 |     z.sum().backward()\n"
        "  |\n"
        "note: saved here\n"
        " --> train.py:5:9\n"
        "  |\n"
        "5 |     z = y ** 2\n"
        "  |         ------\n"
        "  |\n"
        "note: made here\n"
        " --> train.py:4:9\n"
        "  |\n"
        "4 |     y = x * 2\n"
        "  |         -----\n"
        "  |\n"
        "  = help: torchlint rule TL301\n"
        "\n"
        "Found 1 error.\n"
    )


def test_full_with_advice() -> None:
    change = Edit(Span.at(1, 0), "")
    for safe, help_text, lines in (
        (True, None, ["  = help: do this", "  = help: torchlint rule TL101"]),
        (True, "do that", ["  = help: do that", "  = help: do this", "  = help: torchlint rule TL101"]),
        (True, "do this", ["  = help: do this", "  = help: torchlint rule TL101"]),
        (
            False,
            None,
            [
                "  = help: do this",
                "  = note: this fix may change what the program does, so --fix leaves it",
                "  = help: torchlint rule TL101",
            ],
        ),
    ):
        found = Diagnostic(
            "a.py",
            Span(1, 0, 1, 1),
            "TL101",
            "missing-eval",
            "a message",
            help=help_text,
            fix=Fix("do this", (change,), safe),
        )
        shown = report("full", "x\n", found).split("\n")
        assert shown[0] == ("TL101 [*] a message" if safe else "TL101 a message")
        assert [line for line in shown if line.startswith("  =")] == lines


def test_full_without_a_source() -> None:
    found = Diagnostic("gone.py", Span.at(1, 0), "TL001", "cannot-parse", "no such file or directory")
    assert report("full", None, found) == (
        "TL001 no such file or directory\n--> gone.py:1:1\n\nFound 1 error.\n"
    )


def test_line_numbers_share_one_gutter() -> None:
    text = "".join(f"x{number}\n" for number in range(1, 1002))
    found = Diagnostic(
        "a.py", Span(1000, 0, 1000, 1), "TL101", "n", "m", notes=(Note("here", Span(9, 0, 9, 2)),)
    )
    shown = report("full", text, found).split("\n")
    assert shown[1:10] == [
        "    --> a.py:1000:1",
        "     |",
        " 998 | x998",
        " 999 | x999",
        "1000 | x1000",
        "     | ^",
        "1001 | x1001",
        "     |",
        "note: here",
    ]
    assert shown[10:15] == ["    --> a.py:9:1", "     |", "   9 | x9", "     | --", "     |"]


class TestFrame:
    def test_a_span_over_lines(self) -> None:
        text = "a\nwith f(\n    x,\n):\n    pass\nb\n"
        assert frame(text, Span(2, 0, 4, 1)) == [
            "  |",
            "1 |   a",
            "2 | / with f(",
            "3 | |     x,",
            "4 | | ):",
            "  | |_^",
            "5 |       pass",
            "6 |   b",
            "  |",
        ]

    def test_a_span_that_begins_within_a_line(self) -> None:
        assert frame("y = f(\n    x,\n)\n", Span(1, 4, 3, 1)) == [
            "  |",
            "1 |   y = f(",
            "  |  _____^",
            "2 | |     x,",
            "3 | | )",
            "  | |_^",
            "  |",
        ]

    def test_a_span_that_ends_with_a_line(self) -> None:
        assert frame("a\nbc\nd\n", Span(1, 0, 3, 0))[1:4] == ["1 | / a", "2 | | bc", "  | |__^"]
        assert frame("ab\nc\n", Span(1, 1, 2, 0)) == ["  |", "1 | ab", "  |  ^", "2 | c", "  |"]

    def test_a_long_span_loses_its_middle(self) -> None:
        text = "".join(f"line {number}\n" for number in range(1, 21))
        assert frame(text, Span(2, 0, 18, 4))[1:-3] == [
            " 1 |   line 1",
            " 2 | / line 2",
            " 3 | | line 3",
            " 4 | | line 4",
            " 5 | | line 5",
            "...| |",
            "17 | | line 17",
            "18 | | line 18",
            "   | |____^",
        ]
        assert {line.index("|") for line in frame("x\n" * 9, Span(1, 0, 9, 1))} == {3}  # the dots are wider

    def test_tabs(self) -> None:
        assert frame("if x:\n\ty\t= f(x)\n", Span(2, 5, 2, 9))[2:4] == [
            "2 |     y    = f(x)",
            "  |            ^^^^",
        ]

    @pytest.mark.parametrize(
        ("before", "cells"),
        [
            ("é", 1),
            ("e\u0301", 1),
            ("日本", 4),
            ("\uff21", 2),
            ("\uff71", 1),
            ("한", 2),
            ("🔥", 2),
            ("👩\u200d🔬", 2),
            ("👍🏽", 2),
            ("\u2764\ufe0f", 2),
            ("🇫🇷", 2),
            ("\U0001d6fc", 1),
            ("\u200b", 0),
        ],
    )
    def test_cells_of_characters(self, before: str, cells: int) -> None:
        text = f"f('{before}', x)\n"
        column = text.index("x)")
        assert frame(text, Span(1, column, 1, column + 1))[1:3] == [
            f"1 | {text.rstrip()}",
            "  | " + " " * (len("f('', ") + cells) + "^",
        ]

    def test_marks_are_as_wide_as_what_they_mark(self) -> None:
        assert frame("x = '日本🔥'\n", Span(1, 4, 1, 9))[2] == "  |     " + "^" * 8

    def test_an_empty_span(self) -> None:
        assert frame("ab\n", Span.at(1, 1))[1:3] == ["1 | ab", "  |  ^"]
        assert frame("ab", Span.at(1, 2))[1:3] == ["1 | ab", "  |   ^"]
        assert frame("", Span.at(1, 0))[1:3] == ["1 |", "  | ^"]

    def test_empty_lines_at_the_edges_are_left_out(self) -> None:
        assert frame("\n\nx\n\n  \ny\n", Span(3, 0, 3, 1)) == ["  |", "3 | x", "  | ^", "  |"]

    def test_a_span_behind_the_end(self) -> None:
        assert frame("x = (", Span.at(2, 0))[1] == "1 | x = ("
        assert frame("x = (\n", Span(1, 4, 1, 90))[2] == "  |     ^"

    def test_what_moves_a_terminal_is_shown_as_a_picture(self) -> None:
        text = "x = '\x1b[31m\x07\x9b\u202e\x00', y\n"
        shown = frame(text, Span(1, text.index("y"), 1, text.index("y") + 1))
        assert shown[1] == "1 | x = '\u241b[31m\u2407\ufffd\ufffd\u2400', y"
        assert shown[2].index("^") == shown[1].index("y")

    def test_a_long_line_is_cut(self) -> None:
        text = f"data = [{'1, ' * 5000}] + model(x)\nb\n"
        column = text.index("model")
        shown = frame(text, Span(1, column, 1, column + 8))
        assert max(map(len, shown)) <= 150
        assert shown[1].endswith("1, ] + model(x)")
        assert "| …" in shown[1]
        assert shown[1][shown[2].index("^") :][:8] == "model(x)"
        shown = frame(text, Span(1, 0, 1, 4))
        assert shown[1].startswith("1 | data = [1, ")
        assert shown[1].endswith("…")
        assert max(map(len, frame(text, Span(1, 0, 2, 1)))) <= 150

    def test_a_long_line_of_wide_characters_is_cut(self) -> None:
        text = f"f('{'日' * 500}', x)\n"
        column = text.index("x")
        shown = frame(text, Span(1, column, 1, column + 1))
        text_before = shown[1][: shown[1].index("x")]
        assert shown[2].index("^") == len(text_before) + text_before.count("日")


LINE = st.text(st.sampled_from("ab (\t日🔥e\u0301\u200d\ufe0f\x1b\f\u202e"), max_size=12)


@given(st.lists(LINE, min_size=1, max_size=14), st.data())
def test_any_span_of_any_text_is_drawn(lines: list[str], data: st.DataObject) -> None:
    text = "\n".join(lines)
    source = Source.from_text(text, "a.py")
    first, last = sorted(data.draw(st.integers(0, len(source.text))) for _ in range(2))
    shown = frame(text, Span(*source.position(first), *source.position(last)))
    bars = {line.index("|") for line in shown}
    assert len(bars) == 1
    assert any("^" in line for line in shown)
    assert all(character.isprintable() or character in "\u200d" for line in shown for character in line)


def test_concise() -> None:
    second = Diagnostic(
        "train.py", Span(1, 0, 1, 6), "TL201", "n", "'é'", fix=Fix("t", (Edit(Span.at(1, 0), "x"),), True)
    )
    assert report("concise", TRAINING, second, WRITTEN) == (
        "train.py:1:1: TL201 [*] 'é'\n"
        "train.py:7:5: TL301 'y' is written in place after 'y ** 2' saved it, so backward will raise\n"
        "Found 2 errors.\n"
        "[*] 1 fixable with `--fix`.\n"
    )


@pytest.mark.parametrize("form", ["full", "concise"])
def test_summaries(form: str) -> None:
    curable = Diagnostic(
        "a.py", Span(1, 0, 1, 1), "TL201", "n", "m", fix=Fix("t", (Edit(Span.at(1, 0), "x"),), True)
    )
    assert report(form, "x\n") == "All checks passed!\n"
    assert report(form, "x\n", fixed=1, fixing=Fixing(made=True)) == "Found 1 error (1 fixed, 0 remaining).\n"
    assert report(form, "x\n", WRITTEN, WRITTEN).endswith("\nFound 2 errors.\n")
    assert report(form, "x\n", curable).endswith("\nFound 1 error.\n[*] 1 fixable with `--fix`.\n")
    unsafe = replace(curable, fix=Fix("t", (Edit(Span.at(1, 0), "x"),), False))
    hidden = "(1 hidden fix can be enabled with `--unsafe-fixes`).\n"
    assert report(form, "x\n", unsafe).endswith(f"\nFound 1 error.\nNo fixes available {hidden}")
    assert report(form, "x\n", curable, unsafe, unsafe).endswith(
        "\n[*] 1 fixable with `--fix` (2 hidden fixes can be enabled with `--unsafe-fixes`).\n"
    )
    shown = report(form, "x\n", curable, unsafe, fixing=Fixing(unsafe=True))
    assert shown.count("TL201 [*] m") == 2
    assert "--fix leaves it" not in shown
    assert shown.endswith("\n[*] 2 fixable with `--fix`.\n")
    shown = report(form, "x\n", curable, fixed=2, fixing=Fixing(made=True))
    assert shown.endswith("\nFound 3 errors (2 fixed, 1 remaining).\n")


def test_json() -> None:
    found = Diagnostic(
        "train.py",
        Span(7, 4, 7, 13),
        "TL301",
        "inplace-on-saved",
        "a message",
        help="a help",
        notes=(Note("here", Span(1, 0, 1, 1)),),
        fix=Fix("a title", (Edit(Span.at(7, 5), ".x"), Edit(Span(7, 6, 7, 8), "")), False),
    )
    assert json.loads(report("json", TRAINING, found)) == [
        {
            "cell": None,
            "code": "TL301",
            "end_location": {"column": 14, "row": 7},
            "filename": os.path.abspath("train.py"),
            "fix": {
                "applicability": "unsafe",
                "edits": [
                    {
                        "content": ".x",
                        "end_location": {"column": 6, "row": 7},
                        "location": {"column": 6, "row": 7},
                    },
                    {
                        "content": "",
                        "end_location": {"column": 9, "row": 7},
                        "location": {"column": 7, "row": 7},
                    },
                ],
                "message": "a title",
            },
            "location": {"column": 5, "row": 7},
            "message": "a message",
            "name": "inplace-on-saved",
            "noqa_row": 7,
            "severity": "error",
            "url": None,
        }
    ]


def test_json_of_what_has_no_fix_and_no_line() -> None:
    found = Diagnostic("-", Span.at(1, 0), "TL001", "cannot-parse", "a message")
    (shown,) = json.loads(report("json", None, found))
    assert shown["fix"] is None
    assert shown["noqa_row"] is None
    assert shown["filename"] == "-"
    assert json.loads(report("json", None)) == []


def test_json_has_the_keys_of_ruff() -> None:
    """Those of ruff 0.17.5, asked itself, so that what reads its JSON reads ours."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--output-format", "json", "-"],
        input="import os\n",
        capture_output=True,
        text=True,
    )

    def shape(value: object) -> object:
        if isinstance(value, dict):
            return {key: shape(inner) for key, inner in value.items()}
        return [shape(value[0])] if isinstance(value, list) and value else None

    curable = Diagnostic(
        "-", Span(1, 0, 1, 1), "TL201", "n", "m", fix=Fix("t", (Edit(Span.at(1, 0), "x"),), True)
    )
    assert shape(json.loads(report("json", "x\n", curable))) == shape(json.loads(done.stdout))


def test_colours_stand_around_words_only() -> None:
    shown = report("full", TRAINING, WRITTEN, palette=Palette(colour=True))
    assert "\x1b[1;91mTL301\x1b[0m" in shown
    assert "\x1b[1;91m" + " " * 4 + "^^^^^^^^^\x1b[0m" in shown
    assert "\x1b[1;94mnote\x1b[0m: saved here" in shown


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_a_module_of_that_name(form: str) -> None:
    assert report(form, TRAINING, WRITTEN)
