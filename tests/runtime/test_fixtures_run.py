"""Every fixture is a program: it runs under torch and behaves as its `# runtime:` line says."""

from __future__ import annotations

from pathlib import Path

import pytest
from execution import misbehaviour, run
from expectations import expectations
from fixture_files import all_files, is_twin, name, original, twins

import torchlint

LONGEST = 1.0  # seconds of one processor


@pytest.mark.parametrize("path", all_files(), ids=name)
def test_a_fixture_behaves_as_it_says(path: Path, empty_folder: Path) -> None:
    text = path.read_text(encoding="utf-8")
    outcome = run(text, str(path))
    said = None if is_cured(path) else expectations(text, name(path)).runtime
    wrong = misbehaviour(outcome, said)
    assert wrong is None, f"{name(path)}: {wrong}"
    again = run(text, str(path), seed=1)
    assert again.printed == outcome.printed, f"{name(path)}: set a seed, it prints something else each time"
    assert not list(empty_folder.iterdir()), f"{name(path)} writes files"
    assert outcome.seconds < LONGEST, f"{name(path)} takes {outcome.seconds:.1f} s"


@pytest.mark.parametrize("path", list(twins()), ids=name)
def test_a_twin_prints_what_its_original_prints(path: Path) -> None:
    before = run(original(path).read_text(encoding="utf-8"), str(original(path)), seed=1)
    after = run(path.read_text(encoding="utf-8"), str(path), seed=2)
    if is_cured(path):
        assert (after.printed.startswith(before.printed), after.error_line) == (True, None)
    else:
        assert (after.printed, after.error_line) == (before.printed, before.error_line)


def is_cured(path: Path) -> bool:
    """Whether it is the twin of a program that raises, and the fixes left nothing that raises."""
    if not is_twin(path):
        return False
    found = torchlint.check(path.read_text(encoding="utf-8"))
    raising = [one for one in found if one.code.startswith(("TL3", "TL402"))]
    said = expectations(path.read_text(encoding="utf-8"), name(path)).runtime
    return said is not None and said.error is not None and not raising
