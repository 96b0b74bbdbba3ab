"""What a finding says about torch is true of torch: the fixture it stands in is run to see."""

from __future__ import annotations

from pathlib import Path

import pytest
from execution import Outcome, run
from expectations import expectations
from fixture_files import name, situations

import torchlint
from torchlint import fixes
from torchlint.config import Config
from torchlint.engine import check
from torchlint.source import Source

# torch's words for a saved tensor that was written.
WRITTEN = "modified by an inplace operation"


def outcome_of(path: Path) -> Outcome:
    return run(path.read_text(encoding="utf-8"), str(path))


@pytest.mark.parametrize("path", situations("TL301"), ids=name)
def test_what_is_said_to_raise_raises(path: Path) -> None:
    found = torchlint.check(path.read_bytes(), config=Config(select=("TL301",)))
    certain = [one.message for one in found if one.message.endswith("will raise")]
    raised = outcome_of(path).error
    if certain:
        assert raised is not None, certain
        assert WRITTEN in str(raised), certain


@pytest.mark.parametrize("path", situations(), ids=name)
def test_what_raises_is_said_to_raise(path: Path) -> None:
    said = expectations(path.read_text(encoding="utf-8"), name(path))
    raised = outcome_of(path).error
    if raised is not None and WRITTEN in str(raised):
        missed = any(gap.code == "TL301" for gap in said.missed)
        assert said.wanted("TL301") or missed, f"{name(path)} raises: {raised}"


@pytest.mark.parametrize("path", situations(), ids=name)
def test_even_unsafe_fixes_keep_what_a_fixture_prints(path: Path) -> None:
    """Fixes of a mode or of what raises change results on purpose; those of logs and of regions never do."""
    config = Config(select=("TL2", "TL401"))
    source = Source.from_bytes(path.read_bytes(), str(path))
    fixed = fixes.fix(source, lambda changed: check(changed, config), unsafe=True)
    before = outcome_of(path) if fixed.made else None
    # What torch refuses to convert runs once it is fixed.
    if before is not None and not (before.error is not None and path.parent.name == "TL203"):
        after = run(fixed.source.text, f"{path} with all fixes")
        assert (after.printed, type(after.error)) == (before.printed, type(before.error)), after.error_line
