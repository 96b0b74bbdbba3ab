"""`kill -9` amid fixing leaves every file whole."""

from __future__ import annotations

import importlib.util
import signal
import sys

import pytest
from fixture_files import REPOSITORY


@pytest.mark.limit(120)
def test_no_kill_tears_a_file() -> None:
    path = REPOSITORY / "benchmarks" / "torn_files.py"
    spec = importlib.util.spec_from_file_location("torn_files", path)
    assert spec is not None
    assert spec.loader is not None
    torn_files = importlib.util.module_from_spec(spec)
    sys.modules["torn_files"] = torn_files  # its dataclass looks itself up there
    spec.loader.exec_module(torn_files)
    tally = torn_files.run(60, 5, jobs=1, number=signal.SIGKILL, seed=1, seconds=0.5)
    assert (tally.kills, tally.torn) == (5, 0)
    assert tally.fixed + tally.untouched == 5 * 60
    assert tally.fixed >= 5, "it was killed before there was anything to tear"
