"""torchlint inside a real flake8: options, comments, columns, standard input, processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command import BROKEN, LOGS_A_GRAPH, environment, write
from flake8_cases import AT_THE_BORDER, CASES, TOLD, Case


def flake8(*arguments: str, cwd: Path, stdin: str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "flake8", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
    )
    assert not done.stderr, done.stderr
    assert done.returncode == (1 if done.stdout else 0)
    return [line.removeprefix("./") for line in done.stdout.splitlines()]


def test_it_is_on_by_itself(tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH)
    assert flake8("a.py", cwd=tmp_path) == [f"a.py:{TOLD}"]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--select", "TL"), True),
        (("--select", "TL201"), True),
        (("--select", "TL1,TL3"), False),
        (("--ignore", "E501"), True),
        (("--ignore", "TL2"), False),
        (("--ignore", "TL"), False),
        (("--extend-ignore", "TL201"), False),
        (("--ignore", "TL", "--extend-select", "TL201"), True),
        (("--per-file-ignores", "a.py:TL201"), False),
        (("--per-file-ignores", "b.py:TL201"), True),
    ],
)
def test_selection(arguments: tuple[str, ...], shown: bool, tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH)
    assert flake8(*arguments, "a.py", cwd=tmp_path) == ([f"a.py:{TOLD}"] if shown else [])


DEFAULTS = """
import sys
import torchlint.rules as rules
from torchlint.rules.base import Group
rules.rule("TL201").group = Group.NURSERY
from flake8.main.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ((), False),
        (("--ignore", "E501"), False),
        (("--extend-ignore", "E501"), False),
        (("--select", "TL"), True),
        (("--select", "E,TL2", "--ignore", "E501"), True),
        (("--extend-select", "TL201"), True),
        (("--extend-select", "TL201", "--ignore", "E501"), True),
        (("--extend-select", "TL101"), False),
    ],
)
def test_a_rule_that_is_off_stays_off(arguments: tuple[str, ...], shown: bool, tmp_path: Path) -> None:
    """flake8 forgets which codes are off as soon as the user sets `ignore`."""
    write(tmp_path, a=LOGS_A_GRAPH)
    done = subprocess.run(
        [sys.executable, "-c", DEFAULTS, "--isolated", "-j", "1", *arguments, "a.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ([f"a.py:{TOLD}"] if shown else [])


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ((), False),
        (("--select", "TL4"), True),
    ],
)
def test_the_pedantic_rule_waits_to_be_selected(
    arguments: tuple[str, ...], shown: bool, tmp_path: Path
) -> None:
    write(tmp_path, a=AT_THE_BORDER)
    told = [line.split(" ")[1] for line in flake8(*arguments, "a.py", cwd=tmp_path)]
    assert told == (["TL404"] if shown else [])


@pytest.mark.parametrize("case", [one for one in CASES if not one.plugins], ids=lambda one: one.name)
def test_what_users_do(case: Case, tmp_path: Path) -> None:
    """`clients/flake8_versions.py` asks the same of other versions, and of other plugins beside."""
    assert case.run(sys.executable, tmp_path) == case.shown


def test_a_configuration_file_with_ignore(tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH)
    (tmp_path / ".flake8").write_text("[flake8]\nignore = E501\nextend-select = TL\n")
    assert flake8("a.py", cwd=tmp_path) == [f"a.py:{TOLD}"]
    (tmp_path / ".flake8").write_text("[flake8]\nextend-ignore = TL201\n")
    assert flake8("a.py", cwd=tmp_path) == []


def test_columns_are_code_points(tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH.replace("print(", "print('日🔥é', "))
    (line,) = flake8("--select", "TL", "a.py", cwd=tmp_path)
    column = len("print('日🔥é', ") + 1
    assert line.startswith(f"a.py:4:{column}: TL201 ")


def test_bytes_as_they_come(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xef\xbb\xbf" + LOGS_A_GRAPH.replace("\n", "\r\n").encode())
    text = "# coding: latin-1\n" + LOGS_A_GRAPH.replace("print(", "print('é', ")
    (tmp_path / "b.py").write_bytes(text.encode("latin-1"))
    (tmp_path / "c.py").write_text(LOGS_A_GRAPH.replace("\nx", "\n\f\nx"))
    shown = [line.split(" ")[0] for line in flake8("--select", "TL", ".", cwd=tmp_path)]
    assert shown == ["a.py:4:7:", "b.py:5:12:", "c.py:5:7:"]


def test_standard_input(tmp_path: Path) -> None:
    assert flake8("-", cwd=tmp_path, stdin=LOGS_A_GRAPH) == [f"stdin:{TOLD}"]
    shown = flake8("--stdin-display-name", "src/a.py", "-", cwd=tmp_path, stdin=LOGS_A_GRAPH)
    assert shown == [f"src/a.py:{TOLD}"]


def test_a_file_that_does_not_parse_is_left_to_flake8(tmp_path: Path) -> None:
    write(tmp_path, a=BROKEN)
    assert [line.split()[1] for line in flake8("a.py", cwd=tmp_path)] == ["E999"]


def test_libcst_is_imported_for_files_that_need_it_only(tmp_path: Path) -> None:
    write(tmp_path, a="x = 1\n", b=LOGS_A_GRAPH)

    def imports_libcst(*arguments: str) -> bool:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "flake8", "--isolated", "-j", "1", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=environment(),
        )
        assert "torchlint.rules" in done.stderr
        return "libcst" in done.stderr

    assert not imports_libcst("a.py")
    assert not imports_libcst("--select", "E", "b.py")
    assert imports_libcst("b.py")
