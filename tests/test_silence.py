"""`--add-noqa` and `--add-ignore`: where the comments go, and that nothing but comments changes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from command import BROKEN, LOGS_A_GRAPH, run, write

from torchlint.cli import main
from torchlint.comments import Spelling
from torchlint.config import Config
from torchlint.runner import judge
from torchlint.silence import silence
from torchlint.source import Source

HEAD = "import torch\nx = torch.ones(1, requires_grad=True)\ny = (x * 2).sum()\n"
EVERY_RULE = Config(select=("TL",))

# What stands below HEAD, and the same with comments for flake8, and with torchlint's own and a reason.
PLACES = {
    "print(y.item())": ("print(y.item())  # noqa: TL201", "print(y.item())  # torchlint: ignore[TL201] old"),
    "print(y.item())  # why ": (
        "print(y.item())  # why  # noqa: TL201",
        "print(y.item())  # why  # torchlint: ignore[TL201] old",
    ),
    "print(y.item()) \t": (
        "print(y.item())  # noqa: TL201",
        "print(y.item())  # torchlint: ignore[TL201] old",
    ),
    "print(y.item(), y.item()); float(y)": (
        "print(y.item(), y.item()); float(y)  # noqa: TL201, TL203",
        "print(y.item(), y.item()); float(y)  # torchlint: ignore[TL201, TL203] old",
    ),
    "print(y.item())  # noqa:E501 F401 why": (
        "print(y.item())  # noqa:E501 F401, TL201 why",
        "print(y.item())  # noqa:E501 F401 why  # torchlint: ignore[TL201] old",
    ),
    "print(y.item())  # noqa: E501": (
        "print(y.item())  # noqa: E501, TL201",
        "print(y.item())  # noqa: E501  # torchlint: ignore[TL201] old",
    ),
    "print(y.item())  # torchlint: ignore[ TL3 ]": (
        "print(y.item())  # torchlint: ignore[ TL3 ]  # noqa: TL201",
        "print(y.item())  # torchlint: ignore[ TL3, TL201 ] old",
    ),
    "print(y.item())  # torchlint: ignore[TL3] mine # more": (
        "print(y.item())  # torchlint: ignore[TL3] mine # more  # noqa: TL201",
        "print(y.item())  # torchlint: ignore[TL3, TL201] mine # more",
    ),
    "print(y.item())  # torchlint: ignore[]": (
        "print(y.item())  # torchlint: ignore[]  # noqa: TL201",
        "print(y.item())  # torchlint: ignore[]  # torchlint: ignore[TL201] old",
    ),
    "print(y.item(), '''\n # no comment ''')": (
        "print(y.item(), '''\n # no comment ''')  # noqa: TL201",
        "print(y.item(), '''\n # no comment ''')  # torchlint: ignore[TL201] old",
    ),
    "print('''%s\n''' % y.item(), f'''\n{y.item()}''')": (
        "print('''%s\n''' % y.item(), f'''\n{y.item()}''')  # noqa: TL201",
        "print('''%s\n''' % y.item(), f'''\n{y.item()}''')  # torchlint: ignore[TL201] old",
    ),
    "print(y.item(), \\\n    '#', 1)": (
        "print(y.item(), \\\n    '#', 1)  # noqa: TL201",
        "print(y.item(), \\\n    '#', 1)  # torchlint: ignore[TL201] old",
    ),
    "print(\n    y.item(),\n    # why\n    y.item())": (
        "print(\n    y.item(),  # noqa: TL201\n    # why\n    y.item())  # noqa: TL201",
        "print(\n    y.item(),  # torchlint: ignore[TL201] old\n"
        "    # why\n    y.item())  # torchlint: ignore[TL201] old",
    ),
    "print(1)  # noqa: TL201": (
        "print(1)  # noqa: TL201, TL003",
        "print(1)  # noqa: TL201  # torchlint: ignore[TL003] old",
    ),
    "# torchlint: ignore[TL201] no\nprint(1)": (
        "# torchlint: ignore[TL201] no  # noqa: TL003\nprint(1)",
        "# torchlint: ignore[TL201, TL003] no\nprint(1)",
    ),
}


@pytest.mark.parametrize("text", PLACES)
def test_the_comment_stands_where_it_works(text: str) -> None:
    wanted = dict(zip((Spelling.NOQA, Spelling.IGNORE), PLACES[text], strict=True))
    for end in ("\n", ""):
        source = Source.from_text(HEAD + text + end, "a.py")
        config = EVERY_RULE if "print(1)" in text else Config()
        found = judge(source, config).diagnostics
        for spelling, after in wanted.items():
            reason = "old" if spelling is Spelling.IGNORE else ""
            done = silence(source, found, spelling, reason=reason)
            assert done.source.text == HEAD + after + end
            assert done.left == ()
            changed = zip((text + end).split("\n"), (after + end).split("\n"), strict=True)
            assert done.count == sum(before != now for before, now in changed)
            assert ast.dump(ast.parse(done.source.text)) == ast.dump(ast.parse(source.text))
            assert judge(done.source, config).diagnostics == ()


def test_only_the_lines_with_findings_change() -> None:
    source = Source.from_bytes((HEAD + "print(y.item())\nz = 1 \n").replace("\n", "\r\n").encode(), "a.py")
    done = silence(source, judge(source, Config()).diagnostics, Spelling.NOQA)
    assert done.source.to_bytes() == source.to_bytes().replace(b".item())", b".item())  # noqa: TL201")


def test_a_finding_that_a_comment_cannot_silence_is_left() -> None:
    # The line ends inside a string where this Python cannot read the whole.
    source = Source.from_text(HEAD + "print(y.item(), '\n", "a.py")
    found = judge(Source.from_text(HEAD + "print(y.item())\n", "a.py"), Config()).diagnostics
    done = silence(source, found, Spelling.NOQA)
    assert (done.source, done.count, done.left) == (source, 0, found)


def test_the_command_adds_and_then_is_clean(tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH, b__c=LOGS_A_GRAPH * 2, d=BROKEN, e="import torch\n")
    (tmp_path / "a.py").chmod(0o640)
    done = run("check", "--add-ignore=legacy code", ".", cwd=tmp_path)
    assert (done.status, done.out) == (0, "")
    unread, told = done.err.splitlines()
    assert unread.startswith("warning: d.py:2: TL001 cannot parse this file")
    assert told == "Added 3 ignore comments."
    after = {path.name: path.read_text() for path in tmp_path.rglob("*.py")}
    silenced = LOGS_A_GRAPH.replace(".item())", ".item())  # torchlint: ignore[TL201] legacy code")
    assert after == {"a.py": silenced, "c.py": silenced * 2, "d.py": BROKEN, "e.py": "import torch\n"}
    assert (tmp_path / "a.py").stat().st_mode & 0o777 == 0o640

    (tmp_path / "d.py").unlink()
    assert run("check", cwd=tmp_path).status == 0
    again = run("check", "--add-ignore", ".", cwd=tmp_path)
    assert (again.status, again.err) == (0, "Added 0 ignore comments.\n")
    assert {path.name: path.read_text() for path in tmp_path.rglob("*.py")}.items() <= after.items()


def test_a_bare_option_does_not_take_the_path(tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH, b=LOGS_A_GRAPH)
    done = run("check", "--add-noqa", "a.py", cwd=tmp_path)
    assert (done.status, done.err) == (0, "Added 1 noqa comment.\n")
    assert (tmp_path / "a.py").read_text() == LOGS_A_GRAPH.replace("())\n", "())  # noqa: TL201\n")
    assert (tmp_path / "b.py").read_text() == LOGS_A_GRAPH
    # What a comment silences is told on demand, and left in peace where nothing demands it.
    assert run("check", "--ignore-noqa", "a.py", cwd=tmp_path).status == 1


def test_standard_input_goes_to_standard_output(tmp_path: Path) -> None:
    done = run("check", "--add-noqa=why", "-", cwd=tmp_path, stdin=LOGS_A_GRAPH)
    assert done.out == LOGS_A_GRAPH.replace("())\n", "())  # noqa: TL201 why\n")
    assert (done.status, done.err) == (0, "Added 1 noqa comment.\n")
    same = run("check", "--add-noqa", "-", cwd=tmp_path, stdin="x = 1\n")
    assert (same.status, same.out, same.err) == (0, "x = 1\n", "Added 0 noqa comments.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--add-noqa", "--fix"), "--add-noqa does not go with --fix"),
        (("--add-noqa", "--add-ignore=x"), "--add-noqa does not go with --add-ignore"),
        (("--add-ignore", "--ignore-noqa"), "--add-ignore does not go with --ignore-noqa"),
        (("--add-ignore=a\nb",), "the reason of --add-ignore is one line"),
    ],
)
def test_options_that_do_not_agree(
    arguments: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments, "nowhere"]) == 2
    assert capfd.readouterr().err == f"error: {said}\n"


def test_an_encoding_that_lacks_the_reason(tmp_path: Path) -> None:
    data = b"# coding: latin-1\n" + LOGS_A_GRAPH.encode() + b"# \xe9\n"
    (tmp_path / "a.py").write_bytes(data)
    done = run("check", "--add-ignore=\u03b1", ".", cwd=tmp_path)
    assert done.status == 0
    assert "a.py is left as it was: its encoding, latin-1, lacks '\u03b1'" in done.err
    assert (tmp_path / "a.py").read_bytes() == data
