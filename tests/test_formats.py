"""The formats for machines: kept character by character in `tests/formats/`, and read as their readers do.

After a change that is meant, `python tests/golden_reports.py` writes the files anew.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import junitparser
import pytest
from golden_reports import FILES, GOLDEN, TRAIN, golden, lay, rendered, results

from torchlint.diagnostic import Diagnostic, Edit, Fix, Span
from torchlint.fixes import apply
from torchlint.reports import FORMATS, NOTHING_FIXED, Palette, render, statistics
from torchlint.reports.severity import Severity, severity
from torchlint.rules import RULES
from torchlint.runner import Checked
from torchlint.source import Source

PLAIN = Palette(colour=False)
JSON = dict[str, object]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the findings, where the run takes place."""
    lay(tmp_path)
    monkeypatch.chdir(tmp_path)
    for variable in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path.resolve()


def shown(form: str, found: list[Checked], **options: bool) -> str:
    return "".join(render(form, found, palette=PLAIN, **options))


def everything(here: Path) -> list[tuple[Checked, Diagnostic]]:
    return [(result, found) for result in results(here) for found in result.diagnostics]


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_is_as_it_was(form: str, here: Path) -> None:
    assert rendered(form, here) == golden(form).read_bytes().decode("utf-8"), f"see {__doc__}"
    assert rendered(form, here).endswith("\n")


def test_there_are_no_other_golden_files() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {
        "README.md",
        "sarif-2.1.0.json",
        *(golden(form).name for form in FORMATS),
    }


def test_nothing_found_and_no_colours(here: Path) -> None:
    clean = [Checked("clean.py")]
    for form in ("json-lines", "github", "pylint", "azure", "lintrunner"):
        assert shown(form, clean) == ""
    for form in ("json", "gitlab"):
        assert json.loads(shown(form, clean)) == []
    for form in ("full", "concise", "grouped"):
        assert shown(form, clean) == "All checks passed!\n"
        assert shown(form, clean, quiet=True) == ""
    assert json.loads(shown("rdjson", clean))["diagnostics"] == []
    painted = {
        form
        for form in FORMATS
        if "\x1b[" in "".join(render(form, results(here), palette=Palette(colour=True)))
    }
    assert painted == {"full", "concise", "grouped"}
    (run,) = json.loads(shown("sarif", clean))["runs"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


class TestRuff:
    """Findings of ruff 0.17.5, written in our formats, look as in its own."""

    SOURCE = "import os\nimport sys\n" + "\n" * 8 + 'def f():\n    assert ("%", "é")\n    return x == None\n'

    def run(self, form: str, *options: str) -> str:
        command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "F,E711"]
        more = ["--output-format", form, "--quiet", *options, "a.py"]
        return subprocess.run([*command, *more], capture_output=True, text=True, encoding="utf-8").stdout

    def findings(self) -> list[Checked]:
        def span(of: dict[str, dict[str, int]]) -> Span:
            start, end = of["location"], of["end_location"]
            return Span(start["row"], start["column"] - 1, end["row"], end["column"] - 1)

        found = [
            Diagnostic(
                "a.py",
                span(one),
                one["code"],
                one["name"],
                one["message"],
                fix=one["fix"]
                and Fix(
                    one["fix"]["message"],
                    tuple(Edit(span(edit), edit["content"]) for edit in one["fix"]["edits"]),
                    safe=one["fix"]["applicability"] == "safe",
                ),
            )
            for one in json.loads(self.run("json"))
        ]
        assert {one.code for one in found} == {"F401", "F631", "F821", "E711"}
        return [Checked("a.py", tuple(found), Source.from_text(self.SOURCE, "a.py"))]

    def test_what_both_have_looks_alike(self, here: Path) -> None:
        (here / "a.py").write_text(self.SOURCE, encoding="utf-8")
        found = self.findings()
        for form in ("concise", "grouped", "pylint"):
            assert shown(form, found, quiet=True) == self.run(form)
        for form in ("full", "concise"):
            counted = statistics.write(form, found, palette=PLAIN, fixing=NOTHING_FIXED)
            assert "".join(counted) == self.run(form, "--statistics")
        counted = statistics.write("json", found, palette=PLAIN, fixing=NOTHING_FIXED)
        assert json.loads("".join(counted)) == json.loads(self.run("json", "--statistics"))
        theirs = self.run("github").replace("ruff (", "torchlint (").replace(f"file={here}/", "file=")
        # Codes that are not ours are warnings here.
        assert shown("github", found).replace("::warning ", "::error ") == theirs


class TestJson:
    def test_lines_are_the_objects_of_the_document(self, here: Path) -> None:
        lines = shown("json-lines", results(here)).splitlines()
        assert [json.loads(line) for line in lines] == json.loads(shown("json", results(here)))

    def test_a_cell_is_told(self, here: Path) -> None:
        (told,) = [one for one in json.loads(shown("json", results(here))) if one["cell"] is not None]
        assert (told["cell"], told["location"]) == (2, {"row": 3, "column": 5})


def parse_command(line: str) -> tuple[str, dict[str, str], str]:
    """As the runner of GitHub Actions reads a line."""
    match = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
    assert match is not None, line
    words = dict(word.split("=", 1) for word in match[2].split(","))
    for code, character in {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}.items():
        words = {name: value.replace(code, character) for name, value in words.items()}
    message = match[3].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    return match[1], words, message


class TestGithub:
    def test_a_runner_reads_it(self, here: Path) -> None:
        told = [parse_command(line) for line in shown("github", results(here)).splitlines()]
        levels = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
        for (level, words, message), (_, found) in zip(told, everything(here), strict=True):
            assert level == levels[severity(found.code)]
            assert words["file"] == found.filename
            assert words["title"] == f"torchlint ({found.code})"
            assert found.message in message.split("\n")[0]
        assert [("col" in words, words["line"] == words["endLine"]) for _, words, _ in told] == [
            (True, True),
            (True, True),
            (False, True),  # a cell
            (True, True),
            (False, False),  # over lines
            (True, True),
            (True, True),
        ]

    def test_a_path_is_named_from_the_repository(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = [Checked("train.py", (everything(here)[-1][1],))]
        found = [replace(found[0], diagnostics=(replace(found[0].diagnostics[0], filename="train.py"),))]
        monkeypatch.chdir(here / "src")
        assert "file=train.py," in shown("github", found)
        monkeypatch.setenv("GITHUB_WORKSPACE", str(here))
        assert "file=src/train.py," in shown("github", found)
        monkeypatch.setenv("GITHUB_WORKSPACE", str(here / "lab"))
        assert "file=train.py," in shown("github", found)
        monkeypatch.setenv("CI_PROJECT_DIR", str(here))
        (issue,) = json.loads(shown("gitlab", found))
        assert issue["location"]["path"] == "src/train.py"


class TestAzure:
    def test_an_agent_reads_it(self, here: Path) -> None:
        lines = shown("azure", results(here)).splitlines()
        for line, (_, found) in zip(lines, everything(here), strict=True):
            match = re.fullmatch(r"##vso\[task\.logissue ([^\]]*)\](.*)", line)
            assert match is not None
            words = dict(word.split("=", 1) for word in match[1].split(";")[:-1])
            for code, character in {"%3B": ";", "%5D": "]", "%AZP25": "%"}.items():
                words = {name: value.replace(code, character) for name, value in words.items()}
            assert words["sourcepath"] == str(here / found.filename)
            assert words["type"] in ("error", "warning")
            assert words["code"] == found.code
            assert match[2].replace("%AZP25", "%").endswith(found.message)


class TestGitlab:
    def test_its_schema(self, here: Path) -> None:
        issues = json.loads(shown("gitlab", results(here)))
        assert len(issues) == len(everything(here))
        for issue in issues:
            assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
            assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
            assert not os.path.isabs(issue["location"]["path"])
            assert issue["location"]["positions"]["begin"]["line"] >= 1
        assert len({issue["fingerprint"] for issue in issues}) == len(issues)


class TestJunit:
    def test_a_reader_finds_each_as_a_failure(self, here: Path) -> None:
        xml = junitparser.JUnitXml.fromstring(shown("junit", results(here)).encode())
        cases = [case for suite in xml for case in suite]
        assert (xml.tests, xml.failures, xml.errors) == (7, 7, 0)
        assert [suite.name for suite in xml] == [
            "a b,c;[1]%.py",
            "gone.py",
            "lab/notes.ipynb",
            "src/train.py",
        ]
        for case, (_, found) in zip(cases, everything(here), strict=True):
            (failure,) = case.result
            message = found.message.replace("\x1b", "\ufffd")
            assert failure.message == message
            assert message in failure.text
            assert case.name == f"org.torchlint.{found.code}"
        clean = junitparser.JUnitXml.fromstring(shown("junit", [Checked("a.py")]).encode())
        assert [(case.name, case.is_passed) for suite in clean for case in suite] == [
            ("No errors found", True)
        ]

    def test_no_encoding_of_a_pipe_can_break_it(self, here: Path) -> None:
        odd = replace(everything(here)[0][1], message="größe \ud800 \x00 <&> 🔥", filename="größe.py")
        text = shown("junit", [Checked("größe.py", (odd,))])
        assert text.isascii()
        (failure,) = ElementTree.fromstring(text).iter("failure")
        assert failure.get("message") == "größe \ufffd \ufffd <&> 🔥"


class TestSarif:
    def log(self, here: Path, **options: int) -> JSON:
        return json.loads("".join(render("sarif", results(here), palette=PLAIN, **options)))  # type: ignore[no-any-return]

    def test_the_schema_of_the_standard(self, here: Path) -> None:
        schema = json.loads((GOLDEN / "sarif-2.1.0.json").read_text(encoding="utf-8"))
        validator = jsonschema.Draft202012Validator(schema)
        log = self.log(here, status=1)
        assert not list(validator.iter_errors(log))
        log["runs"][0]["results"][0]["level"] = "grave"  # type: ignore[index]
        assert list(validator.iter_errors(log)), "the schema holds nothing"

    def test_what_it_says(self, here: Path) -> None:
        (run,) = self.log(here, status=1)["runs"]  # type: ignore[misc, attr-defined]
        told = run["results"]
        rules = run["tool"]["driver"]["rules"]
        assert run["invocations"] == [{"executionSuccessful": True, "exitCode": 1}]
        assert [rules[one["ruleIndex"]]["id"] for one in told] == [one["ruleId"] for one in told]
        assert all(rule["help"]["markdown"] for rule in rules)
        assert len({one["partialFingerprints"]["torchlint/v1"] for one in told}) == len(told)
        assert [one.get("suppressions") for one in told] == [None] * 7 + [[{"kind": "inSource"}]]
        for one, (_, found) in zip(told, everything(here), strict=False):
            artifact = one["locations"][0]["physicalLocation"]["artifactLocation"]
            assert (unquote(artifact["uri"]), artifact["uriBaseId"]) == (found.filename, "SRCROOT")
            assert len(one.get("relatedLocations", [])) == len(found.notes)
        in_cell = told[2]["locations"][0]
        assert in_cell["logicalLocations"][0]["fullyQualifiedName"] == "cell 2, line 3, column 5"
        row = in_cell["physicalLocation"]["region"]["startLine"]
        assert FILES["lab/notes.ipynb"].split("\n")[row - 1].strip() == r'"    net(x)\n"'

    def test_a_defect_is_a_run_that_failed(self) -> None:
        failed = Checked("a.py", (Diagnostic("a.py", Span.at(1, 0), "TL002", "internal-error", "m"),))
        (run,) = json.loads(shown("sarif", [failed]))["runs"]
        assert run["invocations"] == [{"executionSuccessful": False}]

    def test_a_file_elsewhere_has_its_whole_path(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(here / "lab")
        name = str(here / "a b.py")
        found = Checked(name, (replace(everything(here)[0][1], filename=name),))
        (run,) = json.loads(shown("sarif", [found]))["runs"]
        (location,) = run["results"][0]["locations"]
        assert location["physicalLocation"]["artifactLocation"] == {"uri": f"file://{here}/a%20b.py"}

    def test_its_fixes_make_what_ours_make(self, here: Path) -> None:
        (run,) = self.log(here)["runs"]  # type: ignore[misc, attr-defined]
        source = Source.from_text(TRAIN, "src/train.py")
        for one, (_, found) in list(zip(run["results"], everything(here), strict=False))[3:]:
            ((change,),) = [fix["artifactChanges"] for fix in one["fixes"]]
            edits = tuple(
                Edit(
                    Span(at["startLine"], at["startColumn"] - 1, at["endLine"], at["endColumn"] - 1),
                    item["insertedContent"]["text"],
                )
                for item in change["replacements"]
                for at in [item["deletedRegion"]]
            )
            assert found.fix is not None
            assert edits == found.fix.edits
            assert apply(source, [found], unsafe=True).text != TRAIN


def closed(**properties: JSON) -> JSON:
    """The schema of an object with these properties and no others."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def test_rdjson_has_what_every_version_of_its_reader_knows(here: Path) -> None:
    """One unknown key, and reviewdog refuses the report."""
    text: JSON = {"type": "string"}
    severities: JSON = {"enum": ["ERROR", "WARNING", "INFO"]}
    position = closed(line={"type": "integer", "minimum": 1}, column={"type": "integer", "minimum": 1})
    span = closed(start=position, end=position)
    suggestions: JSON = {"type": "array", "items": closed(range=span, text=text)}
    location = closed(path=text, range=span)
    one = closed(
        message=text, severity=severities, code=closed(value=text), location=location, suggestions=suggestions
    )
    document = closed(
        source=closed(name=text), severity=severities, diagnostics={"type": "array", "items": one}
    )
    jsonschema.Draft202012Validator(document).validate(json.loads(shown("rdjson", results(here))))


def test_columns_of_rdjson_are_bytes(here: Path) -> None:
    told = json.loads(shown("rdjson", results(here)))["diagnostics"]
    lines = [line.encode() for line in TRAIN.split("\n")]
    for one, (result, found) in list(zip(told, everything(here), strict=True))[3:]:
        assert result.source is not None
        at = one["location"]["range"]
        if at["start"]["line"] == at["end"]["line"]:
            line = lines[at["start"]["line"] - 1]
            piece = line[at["start"]["column"] - 1 : at["end"]["column"] - 1]
            assert piece.decode() == result.source.slice(found.span)
        assert found.fix is not None
        for suggestion, edit in zip(one["suggestions"], found.fix.edits, strict=True):
            start = suggestion["range"]["start"]
            before = result.source.line(edit.span.start_line)[: edit.span.start_column]
            assert lines[start["line"] - 1][: start["column"] - 1].decode() == before
    assert "suggestions" not in told[2], "a cell's columns are none of the file"


class TestLintrunner:
    KEYS = ("path", "line", "char", "code", "severity", "name", "original", "replacement", "description")

    def told(self, found: list[Checked]) -> list[dict[str, str]]:
        return [json.loads(line) for line in shown("lintrunner", found).splitlines()]

    def test_one_text_a_file(self, here: Path) -> None:
        told = self.told(results(here))
        assert all(tuple(one) == self.KEYS for one in told)
        assert {one["severity"] for one in told} <= {"error", "warning", "advice"}
        (patch,) = [one for one in told if one["replacement"] is not None]
        assert (patch["path"], patch["original"]) == ("src/train.py", TRAIN)
        source = Source.from_text(TRAIN, "src/train.py")
        assert patch["replacement"] == apply(source, results(here)[-1].diagnostics).text

    def test_line_ends_and_marks_are_kept_and_other_encodings_left(self, here: Path) -> None:
        (found,) = everything(here)[-1:]
        for data, given in (
            (b"\xef\xbb\xbf" + TRAIN.encode().replace(b"\n", b"\r\n"), True),
            (b"# coding: latin-1\n" + TRAIN.replace("ß", "x").replace("ö", "y").encode("latin-1"), False),
        ):
            source = Source.from_bytes(data, "src/train.py")
            patches = [
                one
                for one in self.told([Checked("src/train.py", (found[1],), source)])
                if one["replacement"] is not None
            ]
            assert [patch["original"].encode() for patch in patches] == ([data] if given else [])


def test_severities() -> None:
    assert {rule.code: severity(rule.code) for rule in RULES if rule.code[2] in "34"} == {
        "TL301": Severity.ERROR,
        "TL302": Severity.ERROR,
        "TL303": Severity.ERROR,
        "TL304": Severity.ERROR,
        "TL401": Severity.WARNING,
        "TL402": Severity.ERROR,
        "TL403": Severity.ERROR,
        "TL404": Severity.INFO,
    }
    assert severity("TL001") is severity("TL002") is Severity.ERROR
