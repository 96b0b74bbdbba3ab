"""The commands in the README and in docs/ work as they are written.

Each ```sh or ```console block runs in a folder of its own, with a finding in train.py and in train.ipynb,
none in notebooks/, and what the page shows behind a comment `<!-- file: NAME -->`. A command ends with 0
unless its line says `# exit status N`. `<!-- not run: REASON -->` before a block leaves it out.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from command import CURED, LOGS_A_GRAPH
from fixture_files import REPOSITORY

from torchlint.cli import main
from torchlint.settings import forget

PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")])
BLOCK = re.compile(
    r"(?ms)^(?:<!-- (?P<mark>not run|file): (?P<said>.*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$"
)
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]+")
OF_OTHERS = {
    "--torchlint-isolated": "flake8's, of the plugin",
    "--torchlint-no-project": "flake8's, of the plugin",
    "--stdio": "hidden: clients add it",
}


def notebook(source: str) -> str:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


@dataclass(frozen=True)
class Block:
    """The lines of one block, and the files that its page shows."""

    page: Path
    line: int
    text: str
    files: tuple[tuple[str, str], ...]


def blocks(language: str) -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = list(BLOCK.finditer(text))
        files = tuple((one["said"], one["text"]) for one in found if one["mark"] == "file")
        for one in found:
            if one["mark"] != "not run" and one["language"] == language:
                yield Block(page, text.count("\n", 0, one.start("text")), one["text"], files)


def name(block: Block) -> str:
    return f"{block.page.name}:{block.line}"


RUN = [*blocks("sh"), *blocks("console")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("TORCHLINT_OUTPUT_FORMAT", "TORCHLINT_OUTPUT_FILE", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "train.py").write_text(LOGS_A_GRAPH, encoding="utf-8")
    (tmp_path / "train.ipynb").write_text(notebook(LOGS_A_GRAPH), encoding="utf-8")
    (tmp_path / "notebooks" / "clean.ipynb").write_text(notebook(CURED), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    forget()
    return tmp_path


@pytest.mark.parametrize("block", RUN, ids=name)
def test_a_block_works_as_written(
    block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for path, text in block.files:
        (folder / path).write_text(text, encoding="utf-8")
    for line in block.text.splitlines():
        said = re.search(r"#.*exit status (\d)", line)
        status = ended(line.removeprefix("$ "), folder, monkeypatch)
        told = capfdbinary.readouterr()
        assert status == int(said[1] if said else 0), (line, told)
        assert b"error: " not in told.err, line


def ended(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status of a line: torchlint runs in this process, all else in a shell."""
    words = shlex.split(line, comments=True)
    if not words or words[:2] == ["cd", "$(mktemp -d)"]:
        for path in folder.glob("*.*") if words else ():
            path.unlink()
        return 0
    if words[0] != "torchlint":
        # The tools that stand beside this Python, whether its environment is active or not.
        path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
        return subprocess.run(["bash", "-c", line], cwd=folder, env={**os.environ, "PATH": path}).returncode
    places = {word: folder / words[at + 1] for at, word in enumerate(words) if word in ("<", ">")}
    arguments = words[1 : next((at for at, word in enumerate(words) if word in places), None)]
    with monkeypatch.context() as patch:
        if "<" in places:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(places["<"].read_bytes())))
        if ">" in places:
            patch.setattr(sys, "stdout", places[">"].open("w", encoding="utf-8"))
        forget()
        status = main(arguments)
        if ">" in places:
            sys.stdout.close()
            assert places[">"].read_text(encoding="utf-8").strip(), line
    return status


def test_blocks_are_found_and_left_out_for_a_reason() -> None:
    assert {block.page.name for block in RUN} >= {
        "baseline.md",
        "fixes.md",
        "formats.md",
        "notebooks.md",
        "terminal.md",
    }
    for page in PAGES:
        for one in BLOCK.finditer(page.read_text(encoding="utf-8")):
            assert one["mark"] != "not run" or len(one["said"].split()) > 2, page


def test_every_option_that_is_named_exists(capsys: pytest.CaptureFixture[str]) -> None:
    """Also in prose and in the table of the README, of a line or a block that names torchlint."""
    known = set(OF_OTHERS)
    for command in ("check", "baseline", "rule", "config", "prove", "server", "generate-shell-completion"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        known |= set(OPTION.findall(capsys.readouterr().out))
    usage = next(block for block in blocks("text") if block.text.startswith("torchlint check [PATH ...]"))
    named = set(OPTION.findall(usage.text))
    for page in PAGES:
        for code in re.findall(r"`torchlint [^`\n]+`", page.read_text(encoding="utf-8")):
            named |= set(OPTION.findall(code))
    assert len(named) > 30
    assert named - known - {"--version"} == set()
