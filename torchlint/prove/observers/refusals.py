"""Writes in place that torch refuses: of leaves, of views of leaves, and of some other views.

A view may also be refused where it is used, because its base was written before: then the write is told,
and where the view was used.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from torchlint.prove.observations import Kind, Observation, Remark, Site
from torchlint.prove.observers.calls import Call, Observer
from torchlint.prove.observers.frames import Program
from torchlint.prove.observers.shared import memory_of, version_of

_BASE_WRITTEN = "its base or another view of its base has been modified inplace"

_WORDS = {
    "a leaf Variable that requires grad is being used in an in-place operation": Kind.LEAF_WRITTEN,
    "a view of a leaf Variable that requires grad is being used in an in-place operation": Kind.LEAF_WRITTEN,
    "is a view and is being modified inplace": Kind.VIEW_WRITTEN,
    "A view was created in no_grad mode and is being modified inplace": Kind.VIEW_WRITTEN,
    "A view was created in inference mode and is being modified inplace": Kind.VIEW_WRITTEN,
    _BASE_WRITTEN: Kind.VIEW_WRITTEN,
    "some elements of the input tensor and the written-to tensor refer to a single memory": Kind.VIEW_WRITTEN,
    "more than one element of the written-to tensor refers to a single memory location": Kind.VIEW_WRITTEN,
}
"""What torch says at the write, or at the use, and what it means."""

_TEXTS = {
    Kind.LEAF_WRITTEN: "torch refuses to write a leaf that requires grad",
    Kind.VIEW_WRITTEN: "torch refuses to write a view that must not be written",
}


def refusal(error: Exception) -> Kind | None:
    """Which write torch refuses by this error; None for any other error."""
    said = str(error)
    return next((kind for words, kind in _WORDS.items() if words in said), None)


class Refusals(Observer):
    """Remembers the writes that torch refused, by line."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._seen: dict[tuple[Kind, Site], Observation] = {}
        self._before: list[list[int | None]] = []
        self._written: dict[int | None, tuple[Site, tuple[Site, ...]]] = {}
        """The last write to each memory, and the lines that had called what made it."""

    def before(self, call: Call) -> None:
        self._before.append([version_of(tensor) for tensor in call.tensors])

    def after(self, call: Call) -> None:
        for tensor, version in zip(call.tensors, self._before.pop(), strict=True):
            if version_of(tensor) != version:
                self._written[memory_of(tensor)] = call.site, self.program.callers()

    def failed(self, call: Call, error: Exception) -> None:
        self._before.pop()
        kind = refusal(error)
        if kind is None:
            return
        site, callers, text = call.site, self.program.callers(), _TEXTS[kind]
        remarks: tuple[Remark, ...] = ()
        if _BASE_WRITTEN in str(error):
            refused = next((tensor for tensor in call.tensors if _is_refused(tensor)), None)
            known = None if refused is None else self._written.get(memory_of(refused))
            if known is not None:
                site, callers = known
                text = "a tensor is written, and torch refuses to use a view of it afterwards"
                remarks = (Remark(call.site, "the view was used here"),)
        self._seen.setdefault((kind, site), Observation(kind, site, text, remarks, callers=callers))

    def observations(self) -> Iterable[Observation]:
        return self._seen.values()


def _is_refused(tensor: torch.Tensor) -> bool:
    """Whether torch refuses to say what made it, as it refuses to use it."""
    try:
        with torch._C.DisableTorchFunction():
            _ = tensor.grad_fn
    except RuntimeError:
        return True
    return False
