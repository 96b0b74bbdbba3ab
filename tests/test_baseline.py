"""A baseline: what is in it is not told again, whatever moves; what is new is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command import BROKEN, LOGS_A_GRAPH, Done, write

from torchlint.baseline import gather, load, save
from torchlint.cli import main
from torchlint.config import Config
from torchlint.errors import ConfigError
from torchlint.runner import check_files, check_text

TWICE = LOGS_A_GRAPH + "print(y.item())\nif x:\n    float(y)\n"
NEW = "print(y.item(), 'new')\n"
FILE = "known.json"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, a=LOGS_A_GRAPH, pkg__b=TWICE, pkg__c="import torch\n", d=BROKEN)
    adopt()
    return tmp_path


def adopt(*paths: str) -> None:
    names = paths or tuple(sorted(str(path) for path in Path().rglob("*.py")))
    results = check_files(names, Config(), jobs=1)
    save(FILE, gather(FILE, ((result.filename, result.keys) for result in results)))


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command, in this process."""

    def run(*arguments: str) -> Done:
        status = main(arguments)
        return Done(status, *capfd.readouterr())

    return run


def told(config: Config | None = None, *, fix: bool = False) -> list[str]:
    names = sorted(str(path) for path in Path().rglob("*.py"))
    results = check_files(names, config or Config(baseline=FILE), fix=fix, jobs=1)
    return [f"{one.filename}:{one.line}:{one.code}" for result in results for one in result.diagnostics]


def test_the_file_can_be_read_in_a_diff(tree: Path) -> None:
    assert Path(FILE).read_text() == (
        "{\n"
        '  "version": 1,\n'
        '  "findings": {\n'
        '    "a.py": {\n'
        '      "TL201": {\n'
        '        "print(y.item())": 1\n'
        "      }\n"
        "    },\n"
        '    "pkg/b.py": {\n'
        '      "TL201": {\n'
        '        "print(y.item())": 2\n'
        "      },\n"
        '      "TL203": {\n'
        '        "float(y)": 1\n'
        "      }\n"
        "    }\n"
        "  }\n"
        "}\n"
    )


def test_what_is_known_stays_known_when_lines_move(tree: Path) -> None:
    assert told() == ["d.py:2:TL001"]
    for path in tree.rglob("*.py"):
        if path.name != "d.py":
            path.write_text("# one\n\n# three\n" + path.read_text().replace("    float", "        float"))
    assert told() == ["d.py:2:TL001"]


def test_one_new_fault_is_told_and_no_other(tree: Path) -> None:
    write(tree, pkg__b="# one\n" + LOGS_A_GRAPH + NEW + TWICE[len(LOGS_A_GRAPH) :])
    assert told() == ["d.py:2:TL001", "pkg/b.py:6:TL201"]
    # One more of a kind that is known: the last one is the new one.
    write(tree, pkg__b=TWICE + "print(y.item())\n")
    assert told() == ["d.py:2:TL001", "pkg/b.py:8:TL201"]
    # The same fault in another file.
    write(tree, pkg__b=TWICE, pkg__c=LOGS_A_GRAPH)
    assert told() == ["d.py:2:TL001", "pkg/c.py:4:TL201"]


def test_files_are_named_from_the_folder_of_the_baseline(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "pkg")
    assert told(Config(baseline=f"../{FILE}")) == []
    assert told(Config(baseline=str(tree / FILE))) == []
    (tree / "pkg" / FILE).write_bytes((tree / FILE).read_bytes())
    assert len(told()) == 3, "beside other files the names mean others"


def test_fixes_leave_what_is_known(tree: Path) -> None:
    write(tree, pkg__b=TWICE + NEW)
    assert told(fix=True) == ["d.py:2:TL001"]
    assert Path("pkg/b.py").read_text() == TWICE + NEW.replace("y.item()", "y.detach().item()")
    assert Path("a.py").read_text() == LOGS_A_GRAPH


def test_programs_may_have_one_too(tree: Path) -> None:
    assert check_text(LOGS_A_GRAPH, "a.py", Config(baseline=FILE)) == []
    assert len(check_text(LOGS_A_GRAPH, "other.py", Config(baseline=FILE))) == 1


def test_the_command(tree: Path, run: Callable[..., Done]) -> None:
    done = run("baseline", FILE, "a.py", "pkg")
    assert (done.status, done.out) == (0, f"Wrote 4 findings of 2 files to {FILE}.\n")
    before = Path(FILE).read_bytes()
    done = run("baseline", FILE, ".")
    assert (done.status, Path(FILE).read_bytes()) == (0, before)
    assert done.err.startswith("warning: d.py:2: TL001 cannot parse this file")

    Path("d.py").unlink()
    done = run("check", "--baseline", FILE)
    assert (done.status, done.out, done.err) == (0, "All checks passed!\n", "")

    write(tree, pkg__b=LOGS_A_GRAPH + NEW)
    done = run("check", "--baseline", FILE, "--output-format", "concise")
    assert done.status == 1
    assert done.out.startswith("pkg/b.py:5:7: TL201 ")
    assert "Found 1 error." in done.out
    gone = f"of the baseline are gone; `torchlint baseline {FILE}` writes a new one\n"
    assert done.err == f"2 {gone}"
    # Of rules and files that were not asked nothing is known; a file that is no longer there has none.
    assert run("check", "--baseline", FILE, "pkg", "--select", "TL203").err.startswith("1 of the baseline is")
    assert run("check", "--baseline", FILE, "a.py").err == ""
    Path("pkg/b.py").unlink()
    assert run("check", "--baseline", FILE, "a.py").err == f"3 {gone}"


def test_the_command_writes_over_nothing_else(tree: Path, run: Callable[..., Done]) -> None:
    done = run("baseline", "a.py", "pkg")
    assert (done.status, done.err) == (2, "error: a.py is no baseline, so it is not written over\n")
    assert Path("a.py").read_text() == LOGS_A_GRAPH
    done = run("baseline", "nowhere/known.json")
    assert done.status == 2
    assert done.err.startswith(
        "error: the baseline nowhere/known.json cannot be written: there is no folder "
    )
    assert run("baseline", FILE, "-").status == 2


BROKEN_BASELINES = {
    "{\n  oops": f"{FILE}:2:3: Expecting property name",
    "": f"{FILE}:1:1: Expecting value",
    "[]": "it: an object is wanted, not []",
    "{}": "version: 1 is wanted, not None; `torchlint baseline known.json` writes a new one",
    '{"version": 2, "findings": {}}': "version: 1 is wanted, not 2",
    '{"version": 1}': "findings: an object is wanted, not None",
    '{"version": 1, "findings": {"a.py": 3}}': "findings of 'a.py': an object is wanted, not 3",
    '{"version": 1, "findings": {"a.py": {"TL201": {"x": true}}}}': (
        "TL201 of 'a.py', 'x': a number from 1 is wanted, not True"
    ),
}


@pytest.mark.parametrize("text", BROKEN_BASELINES)
def test_a_broken_baseline_says_where(text: str, tree: Path) -> None:
    Path(FILE).write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(FILE)
    assert str(raised.value).startswith(f"the baseline is broken: {FILE}:")
    assert BROKEN_BASELINES[text] in str(raised.value)


def test_a_baseline_that_cannot_be_read_ends_the_run(tree: Path, run: Callable[..., Done]) -> None:
    done = run("check", "--baseline", "nowhere.json")
    said = "error: there is no baseline nowhere.json; `torchlint baseline nowhere.json` writes one\n"
    assert (done.status, done.out, done.err) == (2, "", said)
    Path(FILE).write_bytes(b"{\n\xff")
    done = run("check", "--baseline", FILE, "a.py", "--fix")
    assert (done.status, done.err) == (2, f"error: the baseline is broken: {FILE}:2: not utf-8 text\n")
    assert Path("a.py").read_text() == LOGS_A_GRAPH


def test_odd_names_and_lines_come_back(tree: Path) -> None:
    name = "caf\udce9 \u00fc.py"
    Path(name).write_text(LOGS_A_GRAPH.replace("print(", "print('\u00fc \"', "))
    adopt(name)
    json.loads(Path(FILE).read_text(encoding="utf-8"))
    assert told(Config(baseline=FILE))[0].startswith("a.py")
    assert not [line for line in told() if line.startswith("caf")]
