"""The command as a user meets it: arguments, exit statuses, fixes, colours, interruptions."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from command import BROKEN, CURED, LOGS_A_GRAPH, command, environment, run, write

import torchlint


def lines(out: str) -> list[str]:
    return [line for line in out.splitlines() if ": TL" in line]


class TestExitStatus:
    def test_clean(self, tmp_path: Path) -> None:
        write(tmp_path, a="import torch\n", b="x = 1\n")
        done = run("check", cwd=tmp_path)
        assert (done.status, done.out, done.err) == (0, "All checks passed!\n", "")

    def test_findings(self, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH)
        done = run("check", ".", cwd=tmp_path)
        assert done.status == 1
        assert "TL201 [*] 'y.item()'" in done.out
        assert done.out.endswith("\nFound 1 error.\n[*] 1 fixable with `--fix`.\n")

    def test_a_file_that_does_not_parse_is_told_and_the_run_goes_on(self, tmp_path: Path) -> None:
        write(tmp_path, a=BROKEN, b=LOGS_A_GRAPH)
        done = run("check", "--output-format", "concise", cwd=tmp_path)
        assert done.status == 1
        assert [line.split(":")[0] for line in lines(done.out)] == ["a.py", "b.py"]
        assert ": TL001 " in lines(done.out)[0]

    def test_bytes_that_are_no_text_are_told_and_the_run_goes_on(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_bytes(b"import torch\nx = '\xff'\n")
        write(tmp_path, b=LOGS_A_GRAPH)
        done = run("check", "--output-format", "concise", cwd=tmp_path)
        assert done.status == 1
        assert lines(done.out)[0].startswith("a.py:2:1: TL001 cannot parse this file: not utf-8 text")
        assert lines(done.out)[1].startswith("b.py:4:7: TL201 ")

    def test_a_missing_path_is_told_and_the_run_goes_on(self, tmp_path: Path) -> None:
        write(tmp_path, b=LOGS_A_GRAPH)
        done = run("check", "nowhere.py", "b.py", "--output-format", "concise", cwd=tmp_path)
        assert done.status == 1
        assert lines(done.out)[1] == "nowhere.py:1:1: TL001 cannot read this file: no such file or directory"

    def test_no_files(self, tmp_path: Path) -> None:
        done = run("check", cwd=tmp_path)
        assert (done.status, done.out) == (0, "All checks passed!\n")
        assert done.err == "warning: no Python files found under the given path(s)\n"

    def test_a_defect_in_a_rule_is_told_and_the_run_goes_on(self, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH, b=BROKEN)
        program = (
            "import sys, torchlint.rules as rules\n"
            "rule = rules.rule('TL201')\n"
            "for name in [name for name in vars(rule) if name.startswith(('visit_', 'leave_'))]:\n"
            "    setattr(rule, name, lambda self, *event: [][1])\n"
            "from torchlint.cli import main\n"
            "sys.exit(main(['check', '--output-format', 'concise', '--select', 'TL201']))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, env=environment()
        )
        assert done.returncode == 2
        assert [line.split(": ")[1][:5] for line in lines(done.stdout)] == ["TL002", "TL001"]
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("chekc",),
            ("check", "--no-such-option"),
            ("check", "--jobs", "0"),
            ("check", "--jobs", "two"),
            ("check", "--output-format", "xml"),
            ("check", "--color", "blue"),
            ("check", "-", "a.py"),
            ("rule", "TL101", "TL201"),
        ],
    )
    def test_wrong_usage(self, arguments: tuple[str, ...], tmp_path: Path) -> None:
        done = run(*arguments, cwd=tmp_path)
        assert done.status == 2
        assert done.out == ""
        assert "error: " in done.err


class TestSelection:
    def codes(self, *arguments: str, cwd: Path) -> set[str]:
        done = run("check", "--output-format", "json", *arguments, cwd=cwd)
        return {found["code"] for found in json.loads(done.out)}

    @pytest.mark.parametrize(
        ("arguments", "shown"),
        [
            (("--select", "TL201"), True),
            (("--select", "TL2"), True),
            (("--select", "tl2"), True),
            (("--select", "TL1,TL2"), True),
            (("--select", "TL1", "--select", "TL2"), True),
            (("--select", "ALL"), True),
            (("--select", "item-without-detach"), True),
            (("--select", "TL1,TL3"), False),
            (("--select", ""), False),
            (("--ignore", "TL2"), False),
            (("--ignore", "TL"), False),
            (("--ignore", "TL1"), True),
            (("--ignore", "item-without-detach"), False),
            (("--select", "TL201", "--ignore", "TL2"), True),
            (("--select", "TL2", "--ignore", "TL201"), False),
        ],
    )
    def test_prefixes(self, arguments: tuple[str, ...], shown: bool, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH)
        assert self.codes(*arguments, cwd=tmp_path) == ({"TL201"} if shown else set())

    @pytest.mark.parametrize(
        ("word", "near"),
        [
            ("TL205", "did you mean 'TL204'?"),
            ("TL1O1", "did you mean 'TL101'?"),
            ("missing-evel", "did you mean 'missing-eval'?"),
            ("F401", "did you mean 'TL401'?"),
            ("nonsense", "`torchlint rule` lists them"),
        ],
    )
    @pytest.mark.parametrize("option", ["--select", "--ignore"])
    def test_an_unknown_code(self, option: str, word: str, near: str, tmp_path: Path) -> None:
        done = run("check", option, f"TL1,{word}", cwd=tmp_path)
        assert (done.status, done.out) == (2, "")
        assert done.err == f"error: unknown rule code '{word}' in {option}; {near}\n"

    def test_selecting_a_rule_does_not_hide_what_cannot_be_read(self, tmp_path: Path) -> None:
        write(tmp_path, a=BROKEN)
        assert self.codes("--select", "TL201", "--ignore", "TL", cwd=tmp_path) == {"TL001"}


class TestStandardInput:
    def test_its_name(self, tmp_path: Path) -> None:
        done = run("check", "--output-format", "concise", "-", cwd=tmp_path, stdin=LOGS_A_GRAPH)
        assert lines(done.out)[0].startswith("-:4:7: TL201 ")
        done = run(
            "check",
            "--output-format",
            "concise",
            "--stdin-filename",
            "src/a.py",
            "-",
            cwd=tmp_path,
            stdin=LOGS_A_GRAPH,
        )
        assert lines(done.out)[0].startswith("src/a.py:4:7: TL201 ")

    def test_its_fixed_text_takes_standard_output(self, tmp_path: Path) -> None:
        done = run("check", "--fix", "-", cwd=tmp_path, stdin=LOGS_A_GRAPH)
        assert (done.status, done.out) == (0, CURED)
        assert done.err == "Found 1 error (1 fixed, 0 remaining).\n"

    def test_text_without_a_fix_comes_back_unchanged(self, tmp_path: Path) -> None:
        for text in ("x = 1\r\n", "", BROKEN, "\ufeffimport torch\r\n"):
            done = run("check", "--fix", "-", cwd=tmp_path, stdin=text)
            assert done.out == text

    def test_its_name_can_be_excluded(self, tmp_path: Path) -> None:
        arguments = ("check", "--force-exclude", "--stdin-filename", "build/a.py", "-")
        assert run(*arguments, cwd=tmp_path, stdin=LOGS_A_GRAPH).out == "All checks passed!\n"
        assert run(*arguments, "--fix", cwd=tmp_path, stdin=LOGS_A_GRAPH).out == LOGS_A_GRAPH


NEVER_EVALUATED = """\
import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
with torch.no_grad():
    print(net(torch.ones(1, 2)).shape)
"""


class TestUnsafeFixes:
    def test_they_are_hidden_until_asked_for(self, tmp_path: Path) -> None:
        write(tmp_path, a=NEVER_EVALUATED)
        done = run("check", "--select", "TL101", "--fix", cwd=tmp_path)
        assert done.status == 1
        assert (tmp_path / "a.py").read_text(encoding="utf-8") == NEVER_EVALUATED
        done = run("check", "--select", "TL101", cwd=tmp_path)
        hidden = "No fixes available (1 hidden fix can be enabled with `--unsafe-fixes`).\n"
        assert done.out.endswith(hidden)
        done = run("check", "--select", "TL101", "--unsafe-fixes", cwd=tmp_path)
        assert done.out.endswith("[*] 1 fixable with `--fix`.\n")

    def test_they_are_made(self, tmp_path: Path) -> None:
        write(tmp_path, a=NEVER_EVALUATED)
        done = run("check", "--select", "TL101", "--fix", "--unsafe-fixes", cwd=tmp_path)
        assert (done.status, done.out) == (0, "Found 1 error (1 fixed, 0 remaining).\n")
        assert "net.eval()\n" in (tmp_path / "a.py").read_text(encoding="utf-8")


class TestFix:
    def test_a_file_is_fixed_and_then_clean(self, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH, b="import torch\n")
        before = (tmp_path / "b.py").stat()
        done = run("check", "--fix", cwd=tmp_path)
        assert (done.status, done.out) == (0, "Found 1 error (1 fixed, 0 remaining).\n")
        assert (tmp_path / "a.py").read_text() == CURED
        assert (tmp_path / "b.py").stat().st_mtime_ns == before.st_mtime_ns
        assert run("check", cwd=tmp_path).out == "All checks passed!\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.py", "b.py"]

    def test_without_it_nothing_is_written(self, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH)
        run("check", cwd=tmp_path)
        assert (tmp_path / "a.py").read_text() == LOGS_A_GRAPH

    def test_what_remains_decides_the_status(self, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH, b=BROKEN)
        done = run("check", "--fix", "--output-format", "concise", cwd=tmp_path)
        assert done.status == 1
        assert lines(done.out)[0].startswith("b.py:")
        assert done.out.endswith("Found 2 errors (1 fixed, 1 remaining).\n")

    def test_line_ends_mark_mode_and_link_stay(self, tmp_path: Path) -> None:
        target = tmp_path / "target.txt"
        target.write_bytes(b"\xef\xbb\xbf" + LOGS_A_GRAPH.replace("\n", "\r\n").encode())
        target.chmod(0o750)
        (tmp_path / "a.py").symlink_to(target)
        assert run("check", "--fix", cwd=tmp_path).status == 0
        assert target.read_bytes() == b"\xef\xbb\xbf" + CURED.replace("\n", "\r\n").encode()
        assert stat.S_IMODE(target.stat().st_mode) == 0o750
        assert (tmp_path / "a.py").is_symlink()

    def test_an_encoding_stays(self, tmp_path: Path) -> None:
        text = "# coding: latin-1\n" + LOGS_A_GRAPH.replace("print(", "print('é', ")
        (tmp_path / "a.py").write_bytes(text.encode("latin-1"))
        assert run("check", "--fix", cwd=tmp_path).status == 0
        cured = text.replace("y.item()", "y.detach().item()")
        assert (tmp_path / "a.py").read_bytes() == cured.encode("latin-1")

    @pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="a file that cannot be replaced")
    def test_what_cannot_be_written_is_told_and_remains(self, tmp_path: Path) -> None:
        done = run("check", "--fix", "/dev/stdin", cwd=tmp_path, stdin=LOGS_A_GRAPH)
        assert done.status == 1
        assert "TL201 [*]" in done.out
        assert done.out.endswith("\nFound 1 error.\n")
        assert done.err.startswith("warning: /dev/stdin could not be written, so its fixes are not made: ")

    def test_a_silenced_line_is_not_fixed(self, tmp_path: Path) -> None:
        text = LOGS_A_GRAPH.replace("y.item())", "y.item())  # noqa: TL201")
        write(tmp_path, a=text)
        assert run("check", "--fix", cwd=tmp_path).out == "All checks passed!\n"
        assert (tmp_path / "a.py").read_text() == text


class TestColour:
    @pytest.mark.parametrize(
        ("arguments", "changes", "coloured"),
        [
            ((), {}, False),
            (("--color", "always"), {}, True),
            (("--color", "always"), {"NO_COLOR": "1"}, True),
            (("--color", "never"), {"FORCE_COLOR": "1"}, False),
            ((), {"FORCE_COLOR": "1"}, True),
            ((), {"CLICOLOR_FORCE": "1"}, True),
            ((), {"FORCE_COLOR": "0"}, False),
            ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
            ((), {"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
            (("--output-format", "json", "--color", "always"), {}, False),
        ],
    )
    def test_away_from_a_terminal(
        self, arguments: tuple[str, ...], changes: dict[str, str], coloured: bool, tmp_path: Path
    ) -> None:
        write(tmp_path, a=LOGS_A_GRAPH)
        assert ("\x1b[" in run("check", *arguments, cwd=tmp_path, **changes).out) is coloured

    @pytest.mark.parametrize(
        ("changes", "coloured"),
        [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
    )
    def test_on_a_terminal(self, changes: dict[str, str], coloured: bool, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH)
        ours, theirs = pty.openpty()
        subprocess.run(
            command("check"), cwd=tmp_path, stdout=theirs, env=environment(**{"TERM": "xterm"} | changes)
        )
        os.close(theirs)
        assert (b"\x1b[" in os.read(ours, 100_000)) is coloured
        os.close(ours)

    def test_colours_change_no_text(self, tmp_path: Path) -> None:
        import re

        write(tmp_path, a=LOGS_A_GRAPH + "import os; print('日本', y.item(),\n\ty.item())\n")
        for form in ("full", "concise"):
            plain = run("check", "--output-format", form, cwd=tmp_path).out
            painted = run("check", "--output-format", form, "--color", "always", cwd=tmp_path).out
            stripped = re.sub(r"\x1b\[[\d;]*m", "", painted)
            assert [line.rstrip() for line in stripped.split("\n")] == plain.split("\n")


class TestOutput:
    def test_it_is_the_same_for_any_number_of_processes(self, tmp_path: Path) -> None:
        for number in range(40):
            text = LOGS_A_GRAPH if number % 3 else BROKEN
            write(tmp_path, **{f"d{number % 7}__m{number}": text})
        outputs = {run("check", "--jobs", jobs, cwd=tmp_path).out for jobs in ("1", "2", "5")}
        outputs.add(run("check", cwd=tmp_path).out)
        assert len(outputs) == 1

    def test_files_come_in_order_and_once(self, tmp_path: Path) -> None:
        write(tmp_path, b=LOGS_A_GRAPH, a__z=LOGS_A_GRAPH, a__b=LOGS_A_GRAPH)
        done = run("check", "b.py", ".", "a/../b.py", "--output-format", "concise", cwd=tmp_path)
        assert [line.split(":")[0] for line in lines(done.out)] == ["a/b.py", "a/z.py", "b.py"]

    def test_paths_are_relative_here_and_absolute_elsewhere(self, tmp_path: Path) -> None:
        write(tmp_path, here__a=LOGS_A_GRAPH, there__b=LOGS_A_GRAPH)
        arguments = ("check", str(tmp_path / "here"), "../there", "--output-format", "concise")
        done = run(*arguments, cwd=tmp_path / "here")
        assert sorted(line.split(":")[0] for line in lines(done.out)) == [
            str(tmp_path / "there/b.py"),
            "a.py",
        ]

    def test_a_narrow_encoding_is_no_hindrance(self, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH.replace("print(", "print('日本', "))
        for form in ("full", "concise", "json"):
            done = run(
                "check", "--output-format", form, cwd=tmp_path, PYTHONUTF8="0", PYTHONIOENCODING="ascii"
            )
            assert done.status == 1
            assert "TL201" in done.out

    def test_odd_file_names(self, tmp_path: Path) -> None:
        for name in (b"a b.py", "ü.py".encode(), b"\xff.py", b"-x.py"):
            with open(os.path.join(os.fsencode(tmp_path), name), "w") as file:
                file.write(LOGS_A_GRAPH)
        for form in ("full", "concise", "json"):
            done = run("check", "--output-format", form, cwd=tmp_path)
            assert done.status == 1
            assert done.out.count("TL201") >= 4
        assert run("check", "--output-format", "concise", "--", "-x.py", cwd=tmp_path).status == 1

    def test_warnings_about_the_source_are_not_shown(self, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH + "s = '\\d'\nassert (1, 'x')\nx is 1\n")
        for arguments in ((), ("--fix",)):
            assert run("check", *arguments, cwd=tmp_path, PYTHONWARNINGS="default").err == ""


class TestRule:
    def test_a_page(self, tmp_path: Path) -> None:
        for word in ("TL101", "tl101", "missing-eval", "Missing-Eval"):
            done = run("rule", word, cwd=tmp_path)
            assert done.status == 0
            assert done.out.startswith("# missing-eval (TL101)\n")

    def test_the_list(self, tmp_path: Path) -> None:
        done = run("rule", cwd=tmp_path)
        assert done.status == 0
        assert [line.split()[:2] for line in done.out.splitlines()][:4] == [
            ["TL003", "unused-suppression"],
            ["TL101", "missing-eval"],
            ["TL102", "eval-not-restored"],
            ["TL103", "graph-in-evaluation"],
        ]
        off = [line.split()[0] for line in done.out.splitlines() if line.endswith("off by default")]
        assert off == ["TL003", "TL204", "TL404"]

    def test_an_unknown_one(self, tmp_path: Path) -> None:
        done = run("rule", "TL104", cwd=tmp_path)
        assert (done.status, done.out) == (2, "")
        assert done.err == "error: unknown rule 'TL104'; did you mean 'TL404'?\n"


def test_version(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).out == f"torchlint {torchlint.__version__}\n"
