"""Which comments silence which lines; where flake8 has the same comment, it must agree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command import environment

import torchlint
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic, Span
from torchlint.fixes import fix
from torchlint.noqa import unsuppressed
from torchlint.runner import check_source, judge
from torchlint.source import Source

HEAD = "import torch\nx = torch.ones(1, requires_grad=True)\ny = (x * 2).sum()\n"


def codes(text: str) -> list[str]:
    return [found.code for found in torchlint.check(HEAD + text)]


def checked(text: str, *select: str, noqa: bool = True) -> tuple[list[tuple[int, str]], list[str]]:
    """Line and message of each TL003, and the remarks, of a source in which all rules are on."""
    source = Source.from_text(HEAD + text, "a.py")
    told = judge(source, Config(select=select or ("TL",), noqa=noqa))
    unused = [(one.line - 3, one.message) for one in told.diagnostics if one.code == "TL003"]
    return unused, [f"{line - 3}: {message}" for line, message in told.remarks]


def finding(line: int, code: str = "TL201", name: str = "item-without-detach") -> Diagnostic:
    return Diagnostic("a.py", Span.at(line, 0), code, name, "a message")


def kept(text: str, *found: Diagnostic, noqa: bool = True) -> list[int]:
    return [one.line for one in unsuppressed(Source.from_text(text, "a.py"), found, noqa=noqa)]


# What both torchlint and flake8 make of the line.
LINES = {
    "print(y.item())  # noqa": True,
    "print(y.item())  # NOQA": True,
    "print(y.item())  # noqa: TL201": True,
    "print(y.item())  # noqa:TL201": True,
    "print(y.item())  # NoQA: TL201 the number is wanted": True,
    "print(y.item())  # noqa: E501, TL2": True,
    "print(y.item())  # noqa: E501 TL201": True,
    "print(y.item())  # why not  # noqa: TL201": True,
    "print(y.item())  # noqa: E501  # noqa: TL201": False,
    "print(y.item())  # noqa:  E501": True,
    "print(y.item())  # noqa: because": True,
    "print(y.item())  # noqa : E501": True,
    "print(y.item())  # noqa: TL": True,
    "print(y.item())  # noqa: E501": False,
    "print(y.item())  # noqa: TL1, TL202": False,
    "print(y.item())  # na": False,
    "# noqa\nprint(y.item())": False,
    "print(y.item())\n# noqa": False,
    "print(\n    y.item())  # noqa": True,
    "print(\n    y.item()\n)  # noqa": False,
    "print(  # noqa\n    y.item()\n)": False,
    "print(y.item(), '''\n''')  # noqa": True,
    "print('''\n''', y.item())  # noqa: TL201": True,
    "print(y.item(), \\\n 1)  # noqa: TL201": True,
    "print(y.item(), \\\n 1)  # noqa: TL301": False,
    "if True:\n    print(y.item())  # noqa\nprint(1)": True,
    "print(y.item())  # torchlint: ignore[TL201]": True,
    "print(y.item())  # torchlint: ignore[TL1, TL2] the number is wanted": True,
    "print(y.item())  # Torchlint:IGNORE[tl201]": True,
    "print(y.item())  # torchlint: ignore[item-without-detach]": True,
    "print(y.item())  # noqa: E501  # torchlint: ignore[TL201]": True,
    "print(y.item())  # torchlint: ignore[TL101]": False,
    "print(y.item())  # torchlint: ignore[item]": False,
    "print(y.item())  # torchlint: ignore[]": False,
    "print(y.item())  # torchlint: ignore": False,
    "print(y.item())  # torchlint: ignored[TL201]": False,
    "# torchlint: ignore[TL201] a reason\nprint(y.item())": True,
    "# torchlint: ignore[TL201]\n\n# more\nprint(\n    1,\n    y.item(),\n)": True,
    "# torchlint: ignore[TL301]\nprint(y.item())": False,
    "# torchlint: ignore[TL201]\nprint(1)\nprint(y.item())": False,
    "print(y.item())\n# torchlint: ignore[TL201]": False,
    "print(\n    # torchlint: ignore[TL201]\n\n    y.item(),\n)": True,
    "print(\n    # torchlint: ignore[TL201]\n    1,\n    y.item(),\n)": False,
    "print(\n    y.item()\n)  # torchlint: ignore[TL201]": False,
    "# torchlint: ignore[TL201]\nif True:\n    print(y.item())": False,
    "print(y.item())\n# torchlint: ignore-file": True,
    "print(y.item())\n# torchlint: ignore-file[TL1, item-without-detach] a reason": True,
    "print(y.item())\n# torchlint: file-ignore[TL2]": True,
    "print(y.item())\n# torchlint: ignore-file[TL301]": False,
    "print(y.item())\n# torchlint: ignore-files": False,
    "print(y.item())  # torchlint: ignore-file": False,
    "print(y.item())\n# flake8: noqa": True,
    "print(y.item())\n    # Flake8: NOQA": True,
    "print(y.item())\n# flake8=noqa why": True,
    "print(y.item())\n# flake8: noqa: E501": True,
    "print(y.item())  # flake8: noqa": False,
    "print(y.item())\n# why # flake8: noqa": False,
    "print(y.item())\n# ruff: noqa": False,
    "print(y.item())\n# ruff: noqa: TL201": False,
}


@pytest.mark.parametrize("text", LINES)
def test_a_comment_silences_its_line(text: str) -> None:
    assert (codes(text + "\n") == []) is LINES[text]
    assert (codes(text) == []) is LINES[text], "without a last line end"


def test_flake8_agrees(tmp_path: Path) -> None:
    files = {f"m{number:02}.py": text for number, text in enumerate(LINES)}
    for name, text in files.items():
        (tmp_path / name).write_text(HEAD + text + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "flake8", "--isolated", "--select", "TL", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(),
    )
    shown = {Path(line.split(":")[0]).name for line in done.stdout.splitlines()}
    assert shown == {name for name, text in files.items() if not LINES[text]}, done.stderr


def test_words_in_a_string_are_no_comment() -> None:
    assert codes("print(y.item(), '# noqa')\n") == ["TL201"]
    assert codes("print(y.item(), '# torchlint: ignore[TL201]')\n") == ["TL201"]
    assert codes("print('''\n# noqa\n''', y.item())\n") == ["TL201"]


def test_small_letters_will_do() -> None:
    assert codes("print(y.item())  # noqa: tl201\n") == []


def test_a_comment_needs_no_space() -> None:
    assert codes("print(y.item())  #noqa:TL201\n") == []
    assert codes("print(y.item())  #torchlint:ignore[TL201]\n") == []


def test_a_word_that_only_begins_like_it() -> None:
    assert codes("print(y.item())  # noqable\n") == ["TL201"]


def test_only_its_own_comments() -> None:
    text = "a  # noqa\nb  # torchlint: ignore[TL2]\nc\n"
    found = (finding(1), finding(2), finding(3))
    assert kept(text, *found) == [3]
    assert kept(text, *found, noqa=False) == [1, 3]


def test_each_code_by_itself() -> None:
    text = "a  # noqa: TL2\n"
    assert kept(text, finding(1), finding(1, "TL301", "inplace-on-saved")) == [1]
    assert kept("a  # noqa\n", finding(1), finding(1, "TL301", "inplace-on-saved")) == []


@pytest.mark.parametrize("code", ["TL001", "TL002"])
def test_nothing_silences_what_is_about_the_file(code: str) -> None:
    assert kept("a  # noqa\n", finding(1, code)) == [1]
    assert kept(f"a  # torchlint: ignore[{code}]\n", finding(1, code)) == [1]


def test_a_source_that_tokenize_cannot_read() -> None:
    text = "a = (  # noqa\nb  # torchlint: ignore[TL201]\nc = '\n"
    assert kept(text, finding(1), finding(2), finding(3)) == [3]


def test_blank_lines_and_form_feeds() -> None:
    text = "\n\n\fa  # noqa\n\x0c\nb\n"
    assert kept(text, finding(3), finding(5)) == [5]


def test_what_is_silenced_is_kept_aside() -> None:
    source = Source.from_text(HEAD + "print(y.item())  # noqa\nprint(y.item())\n", "a.py")
    told = judge(source, Config())
    assert [one.line for one in told.diagnostics] == [5]
    assert [(one.line, one.code) for one in told.suppressed] == [(4, "TL201")]
    loud = judge(source, Config(noqa=False))
    assert [one.line for one in loud.diagnostics] == [4, 5]
    assert loud.suppressed == ()


REMARKS = {
    "print(1)  # noqa: E501": [],
    "print(1)  # noqa": [],
    "print(1)  # noqa: TL201, TL4": [],
    "print('# noqa: why, # torchlint: ignore')": [],
    "print(1)  # noqa because: it is so": [],
    "print(1)  # noqa:  E501": ["the codes of this '# noqa' cannot be read, so it silences everything"],
    "print(1)  # noqa : E501": ["the codes of this '# noqa' cannot be read"],
    "print(1)  # noqa: TL": ["the codes of this '# noqa' cannot be read"],
    "print(1)  # noqa: E501, TL999, TL203": ["'TL999' is no rule"],
    "print(1)  # torchlint: ignore[item-without-detch]": ["did you mean 'item-without-detach'?"],
    "print(1)  # torchlint: ignore[TL2, E501]": ["'E501' is no rule; `torchlint rule` lists them"],
    "print(1)  # torchlint: ignore[TL001]": ["nothing silences TL001"],
    "print(1)  # torchlint: ignore[]": ["this comment names no rule"],
    "print(1)  # torchlint: ignore": ["'torchlint: ignore' is not known; write ignore[TL101]"],
    "print(1)  # torchlint: ignore[TL201": ["'torchlint: ignore[TL201' is not known"],
    "print(1)  # torchlint: noqa": ["'torchlint: noqa' is not known"],
    "print(1)  # torchlint: ignore-file": ["stands on a line of its own; here it silences nothing"],
    "# torchlint: ignore-file": [],
    "# flake8: noqa": [],
    "# flake8: noqa: E501": ["takes no codes, so it silences the whole file"],
    "print(1)  # flake8: noqa": ["'# flake8: noqa' stands on a line of its own; here it silences nothing"],
}


@pytest.mark.parametrize("text", REMARKS)
def test_a_comment_that_does_not_do_what_it_looks_like(text: str) -> None:
    for select in ("TL", "TL201"):
        _, remarks = checked(text + "\n", select)
        assert len(remarks) == len(REMARKS[text])
        for remark, wanted in zip(remarks, REMARKS[text], strict=True):
            assert remark.startswith("1: ")
            assert wanted in remark


# Source, the TL003 in it, and the source after their fixes.
UNUSED = {
    "print(y.item())  # noqa: TL201\n": ([], None),
    "print(1)  # noqa: E501\n": ([], None),
    "print(1)  # noqa\n": ([], None),
    "print(1)  # noqa: TL\n": ([], None),
    "print(1)  # noqa: TL999\n": ([], None),
    "# torchlint: ignore-file\n": ([], None),
    "# flake8: noqa: TL201\n": ([], None),
    "print(1)  # noqa: TL201\n": ([(1, "'TL201' silences nothing here")], "print(1)\n"),
    "print(1)  # noqa:TL2": ([(1, "'TL2' silences nothing here")], "print(1)"),
    "print(1)  # noqa: tl201 the number is wanted\n": (
        [(1, "'tl201' silences nothing here")],
        "print(1)\n",
    ),
    "print(1)  # noqa: E501, TL201\n": (
        [(1, "'TL201' silences nothing here")],
        "print(1)  # noqa: E501\n",
    ),
    "print(1)  # noqa: TL201,E501 TL301, F401 why\n": (
        [(1, "'TL201' and 'TL301' silence nothing here")],
        "print(1)  # noqa: E501, F401 why\n",
    ),
    "print(y.item())  # noqa: TL201, TL301\n": (
        [(1, "'TL301' silences nothing here")],
        "print(y.item())  # noqa: TL201\n",
    ),
    "print(1)  # why  # noqa: TL201  # type: ignore\n": (
        [(1, "'TL201' silences nothing here")],
        "print(1)  # why  # type: ignore\n",
    ),
    "print(1)  # noqa: TL201  # type: ignore\n": (
        [(1, "'TL201' silences nothing here")],
        "print(1)  # type: ignore\n",
    ),
    "print(1)  # torchlint: ignore[TL201] see #12 of the list # more\n": (
        [(1, "'TL201' silences nothing here")],
        "print(1)  # more\n",
    ),
    "print(1)  # torchlint: ignore[item-without-detach, TL30] why\n": (
        [(1, "'item-without-detach' and 'TL30' silence nothing here")],
        "print(1)\n",
    ),
    "print(1)  # noqa: TL201  # torchlint: ignore[TL201] why\n": (
        [(1, "'TL201' silences nothing here"), (1, "'TL201' silences nothing here")],
        "print(1)\n",
    ),
    "if y:\n    # torchlint: ignore[TL201] why\n    print(1)\n": (
        [(2, "'TL201' silences nothing here")],
        "if y:\n    print(1)\n",
    ),
    "print(1)\n# torchlint: ignore-file[TL201]": ([(2, "'TL201' silences nothing here")], "print(1)\n"),
    "print(y.item())\n# torchlint: ignore-file[TL3, TL2]\n": (
        [(2, "'TL3' silences nothing here")],
        "print(y.item())\n# torchlint: ignore-file[TL2]\n",
    ),
    "print(1)  # noqa: TL201, TL003\n": ([], None),
    "print(1)  # noqa: TL201  # torchlint: ignore[unused-suppression]\n": ([], None),
}


@pytest.mark.parametrize("text", UNUSED)
def test_a_comment_that_silences_nothing(text: str) -> None:
    wanted, cured = UNUSED[text]
    assert checked(text)[0] == wanted
    config = Config(select=("TL",))
    fixed = fix(Source.from_text(HEAD + text, "a.py"), lambda source: check_source(source, config))
    assert fixed.source.text == HEAD + (text if cured is None else cured)
    assert not fixed.diagnostics


def test_only_rules_that_were_asked_count() -> None:
    text = "print(1)  # noqa: TL201, TL2, TL301\n"
    assert checked(text, "TL003", "TL201")[0] == [(1, "'TL201' silences nothing here")]
    assert checked(text, "TL003", "TL2")[0] == [(1, "'TL201' and 'TL2' silence nothing here")]
    assert checked(text, "TL003")[0] == checked(text, "TL2")[0] == []
    assert checked(text, "TL0", "TL3", noqa=False)[0] == [(1, "'TL301' silences nothing here")]


def test_a_file_that_cannot_be_read_has_no_unused_comment() -> None:
    source = Source.from_text("import torch\nprint(  # noqa: TL201\n", "a.py")
    assert [one.code for one in judge(source, Config(select=("TL",))).diagnostics] == ["TL001"]
