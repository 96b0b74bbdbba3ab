"""How far a long run has come, in one line of the terminal that is gone when the run is over."""

from __future__ import annotations

import os
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TextIO

_QUIET = 1.0  # seconds; a run that is over by then shows nothing
_PAUSE = 0.1
_BAR = 20


class Progress:
    """The line of one run; `with` it the run begins and the line goes at the end, however that comes.

    `filenames` are in the order in which `advance` counts them, `clock` gives seconds. Without `shown`
    nothing is drawn.
    """

    def __init__(
        self,
        filenames: Sequence[str],
        stream: TextIO,
        *,
        shown: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.done = 0
        self._filenames = filenames
        self._stream = stream
        self._shown = shown
        self._clock = clock
        self._began = clock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._drawn = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._replace("")

    def begin(self) -> None:
        """Draw from now on. Processes that are to be forked have been: no thread runs before that."""
        if self._shown and self._thread is None:
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()

    def advance(self) -> None:
        """One more file is done."""
        self.done += 1

    def line(self, columns: int) -> str:
        """What is to be seen in a terminal that is so wide; never wider, and never more than one line."""
        everything = len(self._filenames)
        filled = _BAR * self.done // everything if everything else _BAR
        text = f"[{'=' * filled}{' ' * (_BAR - filled)}] {self.done}/{everything}"
        if 0 < self.done < everything:
            left = (self._clock() - self._began) / self.done * (everything - self.done)
            text += f" {int(left) // 60}:{int(left) % 60:02} left"
        if self.done < everything:
            text += f" {self._filenames[self.done]}"
        return _fitting(text, columns - 1)  # a full line makes some terminals go to the next

    def _draw(self) -> None:
        self._over.wait(_QUIET)
        while not self._over.wait(_PAUSE):
            text = self.line(self._columns())
            if text != self._drawn:
                self._replace(text)

    def _replace(self, text: str) -> None:
        # A terminal that became narrower has broken the old line, so that it fills several.
        above = max(_width(self._drawn) - 1, 0) // self._columns()
        up = f"\x1b[{above}A" if above else ""
        encoding = self._stream.encoding or "utf-8"
        shown = text.encode(encoding, "replace").decode(encoding)
        try:
            self._stream.write(f"\r{up}\x1b[J{shown}")
            self._stream.flush()
        except OSError:
            self._over.set()  # the terminal has gone, and the run goes on
        self._drawn = text

    def _columns(self) -> int:
        try:
            return max(os.get_terminal_size(self._stream.fileno()).columns, 1)
        except (OSError, ValueError):
            return 80


def _fitting(text: str, columns: int) -> str:
    kept, used = [], 0
    for character in text:
        shown = character if character.isprintable() else "?"
        used += _width(shown)
        if used > columns:
            break
        kept.append(shown)
    return "".join(kept)


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return wide + sum(not unicodedata.combining(character) for character in text)
