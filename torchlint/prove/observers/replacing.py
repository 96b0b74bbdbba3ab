"""Standing in for a method of torch for a while."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from torch.autograd import grad_mode
from torch.utils import _contextlib

from torchlint.prove.observers.frames import Program

_OURS = str(Path(__file__).parent)
_SWITCHES = {grad_mode.__file__, _contextlib.__file__}


@contextmanager
def replaced(owner: type, name: str, around: Callable[..., object]) -> Iterator[None]:
    """A method of a class, called through `around(original, self, ...)` for a while."""
    original = getattr(owner, name)
    own = name in owner.__dict__

    def method(self: object, *args: object, **kwargs: object) -> object:
        return around(original, self, *args, **kwargs)

    setattr(owner, name, method)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)


def user(program: Program) -> FrameType | None:
    """The frame of the program that uses a grad-mode switch by itself; None where torch or a library does."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (
        frame.f_code.co_filename in _SWITCHES or frame.f_code.co_filename.startswith(_OURS)
    ):
        frame = frame.f_back
    return frame if frame is not None and program.owns(frame.f_code) else None
