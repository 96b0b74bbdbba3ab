"""Where in the program we are: the innermost frame that belongs to it, as a site.

Python 3.11 and newer tell the lines of the running expression, Python 3.10 only the line of its statement's
part.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice
from types import CodeType, FrameType

from torchlint.prove.observations import Site


class Program:
    """The files whose lines are told; anything else, such as torch, counts for the line that called it."""

    def __init__(self, owns: Callable[[str], bool]) -> None:
        self._owns = owns
        self._known: dict[CodeType, bool] = {}
        self._sites: dict[tuple[CodeType, int], Site] = {}

    def owns(self, code: CodeType) -> bool:
        """Whether this code stands in one of the program's files."""
        known = self._known.get(code)
        if known is None:
            known = self._known[code] = self._owns(code.co_filename)
        return known

    def frame(self) -> FrameType | None:
        """The innermost frame of the program; None where nothing of it is running."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not self.owns(frame.f_code):
            frame = frame.f_back
        return frame

    def here(self) -> Site | None:
        """The site that is running; None where nothing of the program is."""
        frame = self.frame()
        return None if frame is None else self.site(frame)

    def callers(self) -> tuple[Site, ...]:
        """The sites that wait for the innermost one to return, the nearest first."""
        frame = self.frame()
        found: list[Site] = []
        while frame is not None and (frame := frame.f_back) is not None:
            if self.owns(frame.f_code):
                found.append(self.site(frame))
        return tuple(dict.fromkeys(found))

    def caller(self, depth: int) -> Site | None:
        """The site `depth` frames above whoever asks; None where that is not the program's."""
        frame = sys._getframe(depth + 1)
        return self.site(frame) if self.owns(frame.f_code) else None

    def site(self, frame: FrameType) -> Site:
        """The site that is running in this frame."""
        key = frame.f_code, frame.f_lasti
        site = self._sites.get(key)
        if site is None:
            site = self._sites[key] = _site(frame)
        return site


def _site(frame: FrameType) -> Site:
    code = frame.f_code
    line = end_line = frame.f_lineno
    if sys.version_info >= (3, 11):
        first, last, _, _ = next(islice(code.co_positions(), frame.f_lasti // 2, None), (None,) * 4)
        line, end_line = first or line, last or end_line
    return Site(code.co_filename, line, max(line, end_line))
