"""The options that say where a report goes and how much of it, and the rule book as data."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest
from command import LOGS_A_GRAPH, Done, run, write
from fixture_files import REPOSITORY

from torchlint.cli import main
from torchlint.reports import FORMATS
from torchlint.rulebook import index, page, summary
from torchlint.rules import SELECTABLE

FOUND = "a.py:4:7: TL201 [*] 'y.item()' reads a tensor that still requires grad\n"
SUMMED_UP = "Found 1 error.\n[*] 1 fixable with `--fix`.\n"


class Here:
    """The command in this process, which imports LibCST once for all tests."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.patch = patch
        self.captured = captured

    def run(self, *arguments: str, **variables: str) -> Done:
        """What the command gives; wrong usage is an exit, as for a user."""
        with self.patch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            try:
                status = main(arguments)
            except SystemExit as end:
                status = int(end.code or 0)
        told = self.captured.readouterr()
        return Done(status, told.out, told.err)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """A folder with one finding, where the command runs."""
    for variable in ("TORCHLINT_OUTPUT_FORMAT", "TORCHLINT_OUTPUT_FILE", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(write(tmp_path, a=LOGS_A_GRAPH))
    return Here(tmp_path, monkeypatch, capsys)


class TestOutputFile:
    def test_the_report_goes_there(self, here: Here) -> None:
        path = here.folder / "new" / "folder" / "report.txt"
        options = ("check", "a.py", "--output-format", "concise", "--color", "always", "-o")
        done = here.run(*options, "new/folder/report.txt")
        assert (done.status, done.out, done.err) == (1, "", "")
        assert path.read_text(encoding="utf-8") == FOUND + SUMMED_UP
        mask = stat.S_IMODE((here.folder / "a.py").stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == mask, "the mode of any new file"
        path.chmod(0o600)
        path.write_text("old")
        # A report is whole or not there, so nothing else is left in the folder.
        done = here.run(*options[:3], "json", "--fix", "-o", "new/folder/report.txt")
        assert (done.status, done.out, json.loads(path.read_text())) == (0, "", [])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [one.name for one in path.parent.iterdir()] == ["report.txt"]

    def test_a_device_is_written_and_not_replaced(self, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH)
        done = run("check", "a.py", "-q", cwd=tmp_path, TORCHLINT_OUTPUT_FILE="/dev/stdout")
        assert (done.status, done.err) == (1, "")
        assert done.out.startswith("TL201 ")

    def test_where_nothing_can_be_written(self, here: Here) -> None:
        for target, why in (("a.py/report", "not a directory"), (".", "it is a folder")):
            done = here.run("check", "a.py", "--fix", "--output-file", target)
            assert (done.status, done.out) == (2, "")
            assert done.err.startswith(f"error: the report cannot be written to '{target}': ")
            assert why in done.err or "file exists" in done.err
        assert (here.folder / "a.py").read_text() == LOGS_A_GRAPH, "told before anything was fixed"


def test_less_is_said(here: Here) -> None:
    (here.folder / "none").mkdir()
    options = ("check", "a.py", "--output-format", "concise")
    assert here.run(*options, "--quiet").out == FOUND
    done = here.run(*options, "--silent", "--output-file", "report")
    assert (done.status, done.out, done.err) == (1, "", "")
    assert (here.folder / "report").read_text() == FOUND
    for option in ("-q", "-s"):
        done = here.run("check", "none", option)
        assert (done.status, done.out, done.err) == (0, "", "")
    assert here.run("check", "-q", "-s").status == 2


def test_statistics(here: Here) -> None:
    write(here.folder, a=LOGS_A_GRAPH * 2, b="import torch\nprint(\n")
    done = here.run("check", "--statistics")
    assert (done.status, done.out) == (
        1,
        "2\tTL201\t[*] item-without-detach\n"
        "1\tTL001\t[ ] cannot-parse\n"
        "Found 3 errors.\n[*] 2 fixable with `--fix`.\n",
    )
    done = here.run("check", "--statistics", "-e", TORCHLINT_OUTPUT_FORMAT="json")
    assert done.status == 0
    assert json.loads(done.out)[0] == {
        "code": "TL201",
        "name": "item-without-detach",
        "count": 2,
        "fixable": True,
        "fixable_count": 2,
    }
    done = here.run("check", "--statistics", "--output-format", "sarif")
    assert (done.status, done.out) == (2, "")
    assert "not with 'sarif'" in done.err


def test_the_environment_names_a_format(here: Here) -> None:
    named = {"TORCHLINT_OUTPUT_FORMAT": "pylint"}
    assert here.run("check", **named).out == FOUND.replace("4:7: TL201 [*]", "4: [TL201]")
    assert here.run("check", "--output-format", "concise", **named).out == FOUND + SUMMED_UP
    done = here.run("check", TORCHLINT_OUTPUT_FORMAT="xml")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: $TORCHLINT_OUTPUT_FORMAT is 'xml', and is to be one of full, ")


def test_paths_may_stand_in_a_file(here: Here) -> None:
    write(here.folder, a=LOGS_A_GRAPH, b=LOGS_A_GRAPH)
    (here.folder / "paths").write_text("a.py\n")
    assert here.run("check", "@paths", "-q", "--output-format", "concise").out == FOUND
    done = here.run("check", "@gone")
    assert (done.status, done.out) == (2, "")
    assert "gone" in done.err


def test_the_page_about_formats() -> None:
    """It names every format; tests/test_documentation.py runs its commands."""
    text = (REPOSITORY / "docs" / "formats.md").read_text(encoding="utf-8")
    assert set(FORMATS) == set(re.findall(r"`([\w-]+)`", " ".join(re.findall(r"(?m)^\| (`.*?) \|", text))))


class TestRuleBook:
    def told(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
        assert main(["rule", *arguments]) == 0
        return capsys.readouterr().out

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        records = json.loads(self.told(capsys, "--all", "--output-format", "json"))
        assert [record["code"] for record in records] == [rule.code for rule in SELECTABLE]
        one = json.loads(self.told(capsys, "no-grad-at-the-border", "--output-format", "json"))
        assert one == records[-1]
        assert one == {
            "code": "TL404",
            "name": "no-grad-at-the-border",
            "group": "pedantic",
            "default": False,
            "summary": summary(page("TL404")),
            "fix_availability": "unsafe",
            "page": page("TL404"),
        }

    def test_pages(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.told(capsys, "TL101", "--output-format", "markdown") == page("TL101")
        assert self.told(capsys, "--all") == "\n".join(page(rule.code) for rule in SELECTABLE)

    def test_the_index_is_what_the_registry_says(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Else: `torchlint rule --all --output-format markdown > rules/README.md`."""
        text = self.told(capsys, "--all", "--output-format", "markdown")
        assert text == index() == (REPOSITORY / "rules" / "README.md").read_text(encoding="utf-8")
        for rule in SELECTABLE:
            assert f"\n| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.group.value} | " in text

    def test_a_summary_is_one_sentence(self) -> None:
        for rule in SELECTABLE:
            text = summary(page(rule.code))
            assert text.endswith(".")
            assert text.count(". ") == 0
            assert "|" not in text

    def test_all_goes_with_no_code(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["rule", "TL101", "--all"]) == 2
        assert "--all goes with no rule code" in capsys.readouterr().err
