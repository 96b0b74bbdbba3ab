"""Reads: tensors that require grad, turned into Python numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch

from torchlint.prove.observations import Kind, Observation, Site
from torchlint.prove.observers.calls import Call, Observer
from torchlint.prove.observers.frames import Program

_CONVERSIONS = {
    "__float__": "float() converts",
    "__complex__": "complex() converts",
    "__array__": "numpy converts",
}
"""What torch warns about, or refuses, with gradients on; `int()`, `format()` and `tolist()` it lets pass."""


@dataclass(slots=True)
class _Seen:
    times: int = 0
    callers: dict[Site, None] = field(default_factory=dict)


class Reads(Observer):
    """Counts the reads of tensors that require grad, by line."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._seen: dict[tuple[Kind, Site, str], _Seen] = {}

    def before(self, call: Call) -> None:
        if not any(tensor.requires_grad for tensor in call.tensors[:1]):
            return
        if call.name == "item":
            self._note(Kind.GRAD_READ, call.site, ".item() reads a tensor that requires grad")
        elif call.name in _CONVERSIONS and torch.is_grad_enabled():
            text = f"{_CONVERSIONS[call.name]} a tensor that requires grad"
            self._note(Kind.GRAD_CONVERSION, call.site, text)

    def observations(self) -> Iterable[Observation]:
        for (kind, site, text), seen in self._seen.items():
            yield Observation(kind, site, text, times=seen.times, callers=tuple(seen.callers))

    def _note(self, kind: Kind, site: Site, text: str) -> None:
        seen = self._seen.setdefault((kind, site, text), _Seen())
        seen.times += 1
        seen.callers.update(dict.fromkeys(self.program.callers()))
