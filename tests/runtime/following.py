"""A run of a generated program, followed line by line: what operations saved, and which lines wrote that.

torch itself names the operation that saved, and neither of the lines.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch.autograd.graph import saved_tensors_hooks

FILE = "<generated>"

Place = tuple[int, ...]
"""A line of the program, and those that called it: any of them may stand for it."""


@dataclass(eq=False, slots=True)
class Save:
    """A tensor that an operation saved; `tensor` shares its memory and version counter."""

    tensor: torch.Tensor
    number: int
    version: int
    seen: int
    values: bytes | None = None
    written: list[Place] = field(default_factory=list)
    changed: list[Place] = field(default_factory=list)
    """Writes that did not move the version."""
    met: bool = False
    stale: bool = False
    """Whether backward met it with another version than it was saved with."""


class Watch:
    """Follows a run line by line, and notes which lines wrote what was saved."""

    def __init__(self, *, names: bool = False) -> None:
        """With `names` the writes of all tensors that have a name are noted too."""
        self.saves: list[Save] = []
        self._packed = 0
        self.ran: set[int] = set()
        self.written: dict[torch.Tensor, set[int]] = {}
        """The lines that wrote the tensors that had a name."""
        self.first: list[Save] | None = None
        """What the first backward that torch refuses met; None before it."""
        self._frame: FrameType | None = None
        self._line = 0
        self._raised = False
        self._names = names
        self._versions: dict[torch.Tensor, int] = {}

    @contextmanager
    def following(self) -> Iterator[None]:
        """Watch what is saved and written in here."""
        before = sys.gettrace()
        with saved_tensors_hooks(self._pack, self._unpack):
            sys.settrace(self._trace)
            try:
                yield
            finally:
                sys.settrace(before)
                self._settle()

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename != FILE:
            return None
        if event == "exception":
            self._raised = True
            self.ran.discard(frame.f_lineno)  # of a call, which has not come to its end
        elif event == "line":
            self._settle()
            self._frame, self._line = frame, frame.f_lineno
        elif event == "return":
            self._settle()
            caller = ours(frame.f_back)
            if caller is not None:
                self._frame, self._line = caller, caller.f_lineno
        return self._trace

    def _settle(self) -> None:
        """Lay what was written since the last event at the door of the line that ran."""
        place: Place = ()
        for save in self.saves:
            version, values = save.tensor._version, save.tensor.numpy().tobytes()
            if save.values is None:  # batch_norm saves its statistics, and then writes them itself
                save.values = values
            if version != save.seen or values != save.values:
                place = place or self._place()
                (save.written if version != save.seen else save.changed).append(place)
                save.seen, save.values = version, values
        for tensor in named(self._frame) if self._names and self._frame else ():
            if tensor._version != self._versions.setdefault(tensor, tensor._version):
                self.written.setdefault(tensor, set()).update(place or self._place())
                self._versions[tensor] = tensor._version
        if self.first is None:
            if not self._raised:
                self.ran.add(self._line)
            self.first = [save for save in self.saves if save.stale] or None

    def _place(self) -> Place:
        lines = [self._line]
        frame = self._frame and ours(self._frame.f_back)
        while frame is not None:
            lines.append(frame.f_lineno)
            frame = ours(frame.f_back)
        return tuple(lines)

    def _pack(self, tensor: torch.Tensor) -> Save | torch.Tensor:
        self._packed += 1
        try:
            alias = tensor.detach()
        except RuntimeError:  # a piece whose base was written: torch itself will refuse it
            return tensor
        save = Save(alias, self._packed, alias._version, alias._version)
        self.saves.append(save)
        return save

    def _unpack(self, save: Save | torch.Tensor) -> torch.Tensor:
        if isinstance(save, torch.Tensor):
            return save
        save.met = True
        save.stale = save.tensor._version != save.version
        return save.tensor


def named(frame: FrameType, words: Collection[str] | None = None) -> list[torch.Tensor]:
    """The tensors that have a name there, or one of these names."""
    names = frame.f_globals | frame.f_locals
    return [
        one
        for name, one in names.items()
        if isinstance(one, torch.Tensor) and (words is None or name in words)
    ]


def ours(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the program, from this one outwards."""
    while frame is not None and frame.f_code.co_filename != FILE:
        frame = frame.f_back
    return frame
