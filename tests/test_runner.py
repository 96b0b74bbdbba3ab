"""Which files are found under which names, and what happens where one cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command import CURED, LOGS_A_GRAPH, run, write

from torchlint.config import Config
from torchlint.files import EXCLUDED, find_files
from torchlint.runner import check_file, check_files
from torchlint.settings import Overrides, settings_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*paths: str, force_exclude: bool = False, **options: object) -> list[str]:
    warned: list[str] = []
    above = Overrides.of(options, "the test", isolated=True)
    names = find_files(
        paths, sieve_of=lambda at: settings_of(at, above), force_exclude=force_exclude, warn=warned.append
    )
    assert not warned
    return names


class TestFinding:
    def test_python_files_of_folders(self, folder: Path) -> None:
        write(folder, b="", a__c="", a__b__d="")
        for name in ("e.pyi", "f.txt", "g.pyc", "h", "i.ipynb", ".j.py"):
            (folder / name).touch()
        assert found(".") == [".j.py", "a/b/d.py", "a/c.py", "b.py", "e.pyi", "i.ipynb"]
        assert found("a") == found("./a/") == found(str(folder / "a")) == ["a/b/d.py", "a/c.py"]

    def test_what_is_named_is_taken_as_it_is(self, folder: Path) -> None:
        (folder / "script").touch()
        assert found("script", "missing.py", "build/missing.py") == [
            "build/missing.py",
            "missing.py",
            "script",
        ]

    def test_each_file_once(self, folder: Path) -> None:
        write(folder, a__b="")
        assert found("a", "a/b.py", ".", str(folder / "a" / "b.py"), "a/../a/b.py") == ["a/b.py"]

    def test_outside_the_working_folder(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(folder, a__b="", ab__c="")
        monkeypatch.chdir(folder / "a")
        assert found("..") == sorted([str(folder / "ab" / "c.py"), str(folder / "a" / "b.py")])
        assert found(".") == ["b.py"]

    def test_the_usual_folders_are_left_out(self, folder: Path) -> None:
        for name in (*EXCLUDED, "src", "builds"):
            write(folder / name, a="")
            write(folder / "deep" / name, a="")
        assert found(".") == ["builds/a.py", "deep/builds/a.py", "deep/src/a.py", "src/a.py"]

    def test_a_folder_that_is_named_is_walked_even_so(self, folder: Path) -> None:
        write(folder, build__a="", build__build__b="", venv__lib__c="")
        assert found("build", "venv/lib") == ["build/a.py", "venv/lib/c.py"]
        assert found("build/a.py") == ["build/a.py"]

    @pytest.mark.parametrize("path", ["build", "build/a.py", "./build/a.py", "venv/lib", "venv/lib/c.py"])
    def test_unless_exclusion_is_forced(self, path: str, folder: Path) -> None:
        write(folder, build__a="", venv__lib__c="", src__d="")
        assert found(path, force_exclude=True) == []
        assert found(str(folder / path), force_exclude=True) == []
        assert found("src", path, force_exclude=True) == ["src/d.py"]

    def test_a_working_folder_of_an_excluded_name(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(folder, build__src__a="")
        monkeypatch.chdir(folder / "build")
        assert found(".", force_exclude=True) == ["src/a.py"]

    @pytest.mark.parametrize(
        ("pattern", "left"),
        [
            ("b.py", ["a/c.py", "d_test.py"]),
            ("a", ["b.py", "d_test.py"]),
            ("a/", ["b.py", "d_test.py"]),
            ("./a", ["b.py", "d_test.py"]),
            ("a/b.py", ["a/c.py", "b.py", "d_test.py"]),
            ("a/*", ["b.py", "d_test.py"]),
            ("*_test.py", ["a/b.py", "a/c.py", "b.py"]),
            ("[bc].py", ["d_test.py"]),
            ("A", ["a/b.py", "a/c.py", "b.py", "d_test.py"]),
        ],
    )
    def test_patterns(self, pattern: str, left: list[str], folder: Path) -> None:
        write(folder, a__b="", a__c="", b="", d_test="")
        assert found(".", exclude=[pattern]) == left
        assert found(str(folder), exclude=[pattern]) == left

    def test_links_to_folders_are_not_followed(self, folder: Path) -> None:
        write(folder, a__b="")
        (folder / "a" / "loop").symlink_to(folder)
        (folder / "link.py").symlink_to(folder / "a" / "b.py")
        assert found(".") == ["a/b.py", "link.py"]

    def test_notebooks_are_found_and_taken_by_name(self, folder: Path) -> None:
        (folder / "a.ipynb").touch()
        assert found(".") == found("a.ipynb") == ["a.ipynb"]


class TestOptions:
    def shown(self, folder: Path, *options: str) -> list[str]:
        done = run("check", "--output-format", "concise", *options, cwd=folder)
        return [line.split(":")[0] for line in done.out.splitlines() if ": TL" in line]

    def test_of_the_command(self, folder: Path) -> None:
        write(folder, src__a=LOGS_A_GRAPH, tests__b=LOGS_A_GRAPH, build__c=LOGS_A_GRAPH)
        assert self.shown(folder) == ["src/a.py", "tests/b.py"]
        assert self.shown(folder, "--extend-exclude", "tests") == ["src/a.py"]
        assert self.shown(folder, "--exclude", "tests") == ["build/c.py", "src/a.py"]
        assert self.shown(folder, "--exclude", "tests, src") == ["build/c.py"]
        assert self.shown(folder, "--exclude", "tests", "--extend-exclude", "build") == ["src/a.py"]
        assert self.shown(folder, "build/c.py") == ["build/c.py"]
        assert self.shown(folder, "--force-exclude", "build/c.py") == []


class TestChecking:
    def test_a_file_without_torch_is_not_parsed(self, folder: Path) -> None:
        write(folder, a="x = (\n")
        result = check_file("a.py", Config(), fix=True)
        assert (result.diagnostics, result.source) == ((), None)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_file_that_may_not_be_read(self, folder: Path) -> None:
        write(folder, a=LOGS_A_GRAPH)
        (folder / "a.py").chmod(0)
        (told,) = check_file("a.py", Config(), fix=False).diagnostics
        assert (told.code, told.message) == ("TL001", "cannot read this file: permission denied")

    def test_results_come_in_the_order_of_the_names(self, folder: Path) -> None:
        names = [f"m{number}" for number in range(50)]
        write(folder, **dict.fromkeys(names, LOGS_A_GRAPH))
        files = [f"{name}.py" for name in reversed(names)]
        serial = list(check_files(files, Config(), jobs=1))
        assert [result.filename for result in serial] == files
        assert list(check_files(files, Config(), jobs=3)) == serial
        assert all(result.diagnostics[0].filename == result.filename for result in serial)

    def test_processes_fix_too(self, folder: Path) -> None:
        names = [f"m{number}" for number in range(10)]
        write(folder, **dict.fromkeys(names, LOGS_A_GRAPH))
        results = check_files([f"{name}.py" for name in names], Config(), fix=True, jobs=2)
        assert sum(result.fixed for result in results) == 10
        assert {(folder / f"{name}.py").read_text() for name in names} == {CURED}
