"""Configuration met by whoever runs torchlint: the command, flake8, and walks through what git ignores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import LOGS_A_GRAPH, environment, write

from torchlint.cli import main
from torchlint.files import find_files
from torchlint.settings import forget, settings_of

Out = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    forget()
    return write(tmp_path, a=LOGS_A_GRAPH, sub__b=LOGS_A_GRAPH)


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    forget()
    return path


def shown(out: Out, *arguments: str) -> list[str]:
    """The files in which `torchlint check` finds something."""
    assert main(["check", "--output-format", "concise", *arguments]) in (0, 1)
    return [line.split(":")[0] for line in out.readouterr().out.splitlines() if ": TL" in line]


def failed(out: Out, *arguments: str) -> str:
    """The error of a run that has none but that."""
    assert main(["check", *arguments]) == 2
    said = out.readouterr()
    assert said.out == ""
    return said.err.removeprefix("error: ").rstrip("\n")


def fixes(out: Out, *arguments: str) -> dict[str, bool | None]:
    """Whether the fix of each finding in a.py is safe; None where it has none."""
    out.readouterr()
    main(["check", "--output-format", "json", *arguments, "a.py"])
    found = json.loads(out.readouterr().out)
    return {one["code"]: one["fix"] and one["fix"]["applicability"] == "safe" for one in found}


RUNS_IN_TRAINING_MODE = """\
import torch
from torch import nn

net = nn.Dropout()
with torch.inference_mode():
    print(net(torch.ones(1, 2)).shape)
"""


class TestTheCommand:
    def test_each_file_has_its_own_configuration(self, folder: Path, capsys: Out) -> None:
        put(folder / "pyproject.toml", '[tool.torchlint]\nignore = ["TL201"]\n')
        assert shown(capsys) == []
        put(folder / "sub" / "torchlint.toml", "")
        assert shown(capsys) == shown(capsys, "--jobs", "2") == ["sub/b.py"]
        assert shown(capsys, "--isolated") == ["a.py", "sub/b.py"]
        mine = str(put(folder / "mine.toml", 'per-file-ignores = { "sub/*" = ["TL2"] }'))
        assert shown(capsys, "--config", mine) == ["a.py"]

    def test_whose_fixes_are_wanted(self, folder: Path, capsys: Out) -> None:
        """Of two prefixes the longer one decides, and options stand above the file."""
        assert fixes(capsys) == {"TL201": True}
        put(folder / "torchlint.toml", 'unfixable = ["TL2"]\n')
        assert fixes(capsys) == {"TL201": None}
        assert fixes(capsys, "--fixable", "TL201") == {"TL201": True}
        put(folder / "torchlint.toml", 'unfixable = ["TL2"]\nextend-fixable = ["item-without-detach"]\n')
        assert fixes(capsys) == {"TL201": True}
        assert fixes(capsys, "--unfixable", "TL201") == {"TL201": None}
        put(folder / "torchlint.toml", 'fixable = ["TL401"]\n')
        assert fixes(capsys) == {"TL201": None}
        assert fixes(capsys, "--extend-fixable", "TL201") == {"TL201": True}
        main(["check", "--fix", "a.py"])
        assert (folder / "a.py").read_text() == LOGS_A_GRAPH

    def test_what_counts_as_safe(self, folder: Path, capsys: Out) -> None:
        put(folder / "torchlint.toml", 'extend-unsafe-fixes = ["TL2"]\n')
        assert fixes(capsys) == {"TL201": False}
        put(folder / "torchlint.toml", 'extend-unsafe-fixes = ["TL2"]\nextend-safe-fixes = ["TL201"]\n')
        assert fixes(capsys) == {"TL201": True}
        put(folder / "torchlint.toml", 'extend-safe-fixes = ["TL101"]\n')
        (folder / "a.py").write_text(RUNS_IN_TRAINING_MODE)
        main(["check", "--fix", "a.py"])
        assert "net.eval()\n" in (folder / "a.py").read_text()

    def test_a_baseline_of_the_configuration(self, folder: Path, capsys: Out) -> None:
        put(folder / "torchlint.toml", 'baseline = "known/base.json"\n')
        assert failed(capsys) == (
            "there is no baseline known/base.json; `torchlint baseline known/base.json` writes one"
        )
        (folder / "known").mkdir()
        for _ in range(2):  # the second one holds as much as the first
            assert main(["baseline", "known/base.json"]) == 0
            assert capsys.readouterr().out == "Wrote 2 findings of 2 files to known/base.json.\n"
        assert shown(capsys) == []
        assert shown(capsys, "--no-baseline") == ["a.py", "sub/b.py"]
        os.chdir(folder / "sub")
        assert shown(capsys) == [], "it is named from the folder of the configuration"
        put(folder / "sub" / "torchlint.toml", 'extend = "../torchlint.toml"\nbaseline = ""\n')
        assert shown(capsys) == ["b.py"]

    def test_a_list_of_paths_that_is_empty(self, folder: Path, capsys: Out) -> None:
        (folder / "none").write_text("")
        assert main(["check", "@none"]) == 0
        said = capsys.readouterr()
        assert (said.out, said.err) == (
            "All checks passed!\n",
            "warning: no Python files found under the given path(s)\n",
        )
        assert shown(capsys, "@none", "sub") == ["sub/b.py"]
        assert shown(capsys, "@none", ".") == ["a.py", "sub/b.py"]

    def test_the_command_stands_above_it(self, folder: Path, capsys: Out) -> None:
        put(folder / "torchlint.toml", 'select = ["TL1"]\nexclude = ["sub"]\n')
        assert shown(capsys, "--extend-select", "TL201") == ["a.py"]
        assert shown(capsys, "--select", "TL2", "--exclude", "a.py") == ["sub/b.py"]
        assert shown(capsys, "--select", "TL2", "--extend-ignore", "item-without-detach") == []
        assert shown(capsys, "--config", "select = ['TL2']", "--config", "exclude=[]") == ["a.py", "sub/b.py"]
        assert shown(capsys, "--config", "select = ['TL2']", "--select", "TL3") == []
        assert shown(capsys, "--isolated", "--per-file-ignores", "sub/*:TL1, sub/*:TL201") == ["a.py"]
        assert shown(capsys, "--isolated", "--extend-per-file-ignores", "!sub/**:TL") == ["sub/b.py"]

    def test_what_is_decided_for_the_whole_run(self, folder: Path, capsys: Out) -> None:
        put(folder / "torchlint.toml", 'output-format = "json"\nforce-exclude = true\nexclude = ["sub"]')
        put(folder / "sub" / "torchlint.toml", "fix = true")
        assert main(["check", "--exit-zero", "a.py", "sub/b.py"]) == 0
        assert [found["code"] for found in json.loads(capsys.readouterr().out)] == ["TL201"]
        assert shown(capsys, "sub/b.py") == []
        assert shown(capsys, "--no-force-exclude", "sub/b.py") == ["sub/b.py"]
        put(folder / "torchlint.toml", "fix = true")
        assert shown(capsys, "--no-fix") == ["a.py", "sub/b.py"]
        assert main(["check", "a.py"]) == 0
        assert ".detach()" in (folder / "a.py").read_text(encoding="utf-8")

    def test_what_is_wrong(self, folder: Path, capsys: Out) -> None:
        assert failed(capsys, "--config", "nowhere.toml") == (
            "--config 'nowhere.toml' is neither a file nor KEY = VALUE"
        )
        assert failed(capsys, "--config", "select = TL1").startswith(
            "--config 'select = TL1': not valid TOML: invalid value"
        )
        assert failed(capsys, "--config", "fix = 1") == "'fix' of --config wants true or false, not 1"
        assert failed(capsys, "--config", "fxi = true").endswith("unknown key 'fxi'; did you mean 'fix'?")
        assert (
            failed(capsys, "--per-file-ignores", "a.py")
            == "--per-file-ignores wants PATTERN:CODE, not 'a.py'"
        )
        assert failed(capsys, "--target-torch", "new") == (
            "--target-torch wants a release such as '1.13', not 'new'"
        )
        put(folder / "sub" / "torchlint.toml", "\nfix = 3")
        assert failed(capsys) == "sub/torchlint.toml:2: 'fix' wants true or false, not 3"
        two = [str(put(folder / name, "")) for name in ("c.toml", "d.toml")]
        assert "names two files" in failed(capsys, "--config", two[0], "--config", two[1])

    def test_it_shows_what_holds(self, folder: Path, capsys: Out) -> None:
        import tomllib

        path = put(
            folder / "pyproject.toml",
            '[tool.torchlint]\nignore = ["TL3"]\ntarget-torch = "1.13"\nrules.TL202.graph-nodes = false\n'
            'per-file-ignores = { "a/*" = ["TL1"] }\n',
        )
        assert main(["check", "--show-settings", "--extend-select", "TL204", "sub/b.py"]) == 0
        text = capsys.readouterr().out
        assert text.startswith(f"# {folder / 'sub' / 'b.py'}\n# configuration: {path}\n")
        assert 'ignore = ["TL3"]  # pyproject.toml:2\n' in text
        assert 'extend-select = ["TL204"]  # --extend-select\n' in text
        assert "force-exclude = false  # default\n" in text
        assert "# jobs is not set\n" in text
        put(folder / "again.toml", text)
        assert tomllib.loads(text)["rules"] == {"TL202": {"graph-nodes": False}}
        assert main(["check", "--show-settings", "--config", "again.toml"]) == 0
        again = [line.partition("  #")[0] for line in capsys.readouterr().out.splitlines()[2:]]
        assert again == [line.partition("  #")[0] for line in text.splitlines()[2:]]
        assert main(["check", "--show-files"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            str(folder / "a.py"),
            str(folder / "sub" / "b.py"),
        ]

    def test_it_tells_of_its_options(self, folder: Path, capsys: Out) -> None:
        assert main(["config"]) == 0
        assert "per-file-ignores\n" in capsys.readouterr().out
        assert main(["config", "Exclude"]) == 0
        assert capsys.readouterr().out.startswith("Files and folders that a walk leaves out")
        assert main(["config", "fix", "--output-format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["type"] == "true or false"
        assert main(["config", "exlude"]) == 2
        assert "did you mean 'exclude'?" in capsys.readouterr().err


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@x", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


class TestWhatGitIgnores:
    def found(self, *paths: str, respect: bool = True) -> list[str]:
        return find_files(
            paths or (".",), sieve_of=settings_of, respect_gitignore=respect, warn=lambda message: None
        )

    def test_a_walk_leaves_it_out(self, folder: Path) -> None:
        put(folder / ".gitignore", "*.tmp.py\nout/\ndeep/**/x.py\n")
        write(folder, c="", out__d="", out__e__f="", deep__a__x="", deep__y="", kept="", sub__g="")
        (folder / "c.tmp.py").touch()
        everything = self.found(respect=False)
        assert self.found() == everything  # no repository yet
        git(folder, "init", "-q")
        (folder / ".git" / "info" / "exclude").write_text("kept.py\n")
        put(folder / "sub" / ".gitignore", "*\n!b.py\n")
        assert self.found() == ["a.py", "c.py", "deep/y.py", "sub/b.py"]
        assert self.found("sub", "c.tmp.py", "out") == ["c.tmp.py", "out/d.py", "out/e/f.py", "sub/b.py"]
        git(folder, "add", "-f", "kept.py")
        assert "kept.py" in self.found()
        assert self.found(respect=False) == everything

    def test_a_repository_in_another(self, folder: Path) -> None:
        put(folder / ".gitignore", "x.py\n")
        write(folder, x="", inner__x="", inner__y="", **{f"many__m{number}": "" for number in range(50)})
        put(folder / "inner" / ".gitignore", "y.py\n")
        git(folder, "init", "-q")
        git(folder / "inner", "init", "-q")
        assert [name for name in self.found() if "many" not in name] == ["a.py", "inner/x.py", "sub/b.py"]
        assert len(self.found("many")) == 50

    def test_without_git_nothing_is_ignored(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        git(folder, "init", "-q")
        put(folder / ".gitignore", "*\n")
        assert self.found() == []
        monkeypatch.setenv("PATH", "")
        assert self.found() == ["a.py", "sub/b.py"]
        monkeypatch.undo()
        os.chdir(folder)
        (folder / ".git" / "config").write_text("[broken")
        assert self.found() == ["a.py", "sub/b.py"]

    def test_one_file_starts_no_git(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        git(folder, "init", "-q")
        log = folder / "log"
        put(folder / "bin" / "git", f'#!/bin/sh\necho called >> "{log}"\n').chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        assert self.found("a.py") == ["a.py"]
        assert not log.exists()
        assert self.found(".") == ["a.py", "sub/b.py"]
        assert log.read_text() == "called\n"


WAITS = """\
import torch
from torch import nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
model = nn.Linear(3, 1).to(device)
for x in torch.randn(4, 5, 3):
    loss = model(x.to(device)).mean()
    loss.backward()
    print(loss.detach().item())
"""


def test_flake8_reads_it(folder: Path) -> None:
    def flake8(*arguments: str) -> str:
        command = [sys.executable, "-m", "flake8", "-j1", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment())
        lines = sorted(done.stdout.splitlines())
        assert not done.stderr
        return "".join(f"{line}\n" if "error" in line else f"{line[:14]}\n" for line in lines if "TL" in line)

    write(folder, c=WAITS)
    put(
        folder / "pyproject.toml",
        "[tool.torchlint]\nextend-select = ['TL204']\nper-file-ignores = { 'sub/*' = ['TL201'] }",
    )
    assert flake8() == "./a.py:4:7: TL\n./c.py:9:11: T\n"
    assert flake8("--torchlint-isolated") == "./a.py:4:7: TL\n./sub/b.py:4:7\n"
    put(folder / "sub" / "torchlint.toml", 'select = ["TL999"]')
    assert "torchlint: sub" in flake8("sub")
