"""Readers beside this file can be imported by tests in subfolders; a test that never ends fails."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

LONGEST = 60  # seconds, unless a test is marked with another `limit`


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "limit(seconds): how long a test may take")


@pytest.fixture(autouse=True)
def _ends(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where there are alarms: an endless loop of the engine is one failure, not the end of the run."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    marker = request.node.get_closest_marker("limit")
    seconds = marker.args[0] if marker else LONGEST

    def stop(_number: int, _frame: FrameType | None) -> None:
        pytest.fail(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
