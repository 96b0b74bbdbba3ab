"""What the README shows is what the commands print."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from command import command, environment, run
from fixture_files import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SCRIPT = next(text for language, text in BLOCKS if language == "python")


def shown(first_word: str) -> str:
    [text] = [text for language, text in BLOCKS if language == "text" and text.startswith(first_word)]
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


def test_check_prints_what_is_shown(folder: Path) -> None:
    assert run("check", "train.py", cwd=folder).out == shown("TL401")


def proved(folder: Path) -> str:
    done = subprocess.run(
        command("prove", "train.py"),
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
    )
    return done.stdout


def measured(text: str) -> str:
    """Without what differs between machines: the seconds, and how torch was built."""
    return re.sub(r"in [\d.]+ s;", "in 0 s;", re.sub(r"(torch \d+\.\d+\.\d+)\+\w+", r"\1", text)).strip()


def test_prove_prints_what_is_shown(folder: Path) -> None:
    assert measured(proved(folder)) == measured(shown("train.py on torch"))


def test_without_the_write_the_other_findings_are_confirmed(folder: Path) -> None:
    script = folder / "train.py"
    script.write_text(SCRIPT.replace("    scores *= 0.9\n", ""), encoding="utf-8")
    out = proved(folder)
    assert "accuracy" in out
    assert "3 findings: 3 confirmed, 0 refuted, 0 not reached" in out
