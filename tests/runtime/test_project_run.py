"""A program of several files: what its comments announce, what the linter finds, what torch does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from expectations import expectations
from fixture_files import PROJECT, project_files

import torchlint
from torchlint.config import Config
from torchlint.prove.observations import CLAIMED
from torchlint.prove.proof import Proof, observe
from torchlint.prove.scripts import runner
from torchlint.prove.verdicts import Answer, unannounced, verdicts

EVERY_RULE = Config(select=("TL",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that Python's caches stay out of the fixtures."""
    top = tmp_path_factory.mktemp("project") / "copy"
    shutil.copytree(PROJECT, top, ignore=shutil.ignore_patterns("__pycache__"))
    return top


@pytest.fixture(scope="module")
def proof(folder: Path) -> Proof:
    return observe(runner(folder / "main.py", ()), lines=True)


@pytest.mark.limit(120)  # each watched run is a process that imports torch
def test_voices_agree_on_the_project(folder: Path, proof: Proof) -> None:
    assert proof.record.error is None
    assert not proof.record.troubles
    paths = [folder / path.relative_to(PROJECT) for path in project_files()]
    findings = [
        one
        for path in paths
        for one in torchlint.check(path.read_bytes(), filename=str(path), config=EVERY_RULE)
    ]
    wanted = {
        (str(path), want.line, want.code)
        for path in paths
        for want in expectations(path.read_text(encoding="utf-8"), path.name).wants
    }
    assert {(one.filename, one.line, one.code) for one in findings} == wanted
    assert {code for _, _, code in wanted} <= CLAIMED.keys()
    answers = verdicts(findings, proof.record.observations, proof.record.lines)
    doubted = [(one.finding, one.why) for one in answers if one.answer is not Answer.CONFIRMED]
    assert not doubted
    assert not unannounced(answers, proof.record.observations)


@pytest.mark.limit(120)  # the same
def test_every_file_of_the_project_runs(proof: Proof) -> None:
    ran = {Path(file).name for file, _ in proof.record.lines}
    assert ran >= {path.name for path in project_files()} - {"__init__.py"}


@pytest.mark.limit(120)  # the same
def test_it_prints_the_same_each_time(folder: Path, proof: Proof) -> None:
    done = subprocess.run([sys.executable, "main.py"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout == proof.record.printed
    assert done.stdout.count("\n") >= 10
