"""What may end a process, held back while it must not end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_back(*names: str) -> Iterator[None]:
    """Hold back signals, by names as `SIGINT`; processes that start meanwhile begin life so.

    Windows has no such thing: nothing is held back there.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.Signals[name] for name in names})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
