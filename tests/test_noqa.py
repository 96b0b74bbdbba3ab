"""Which comments silence which lines; where flake8 has the same comment, it must agree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command import environment

import torchlint
from torchlint.diagnostic import Diagnostic, Span
from torchlint.noqa import unsuppressed
from torchlint.source import Source

HEAD = "import torch\nx = torch.ones(1, requires_grad=True)\ny = (x * 2).sum()\n"


def codes(text: str) -> list[str]:
    return [found.code for found in torchlint.check(HEAD + text)]


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
