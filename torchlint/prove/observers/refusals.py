"""Writes in place that torch refuses: of leaves, of views of leaves, and of some other views."""

from __future__ import annotations

from collections.abc import Iterable

from torchlint.prove.observations import Kind, Observation, Site
from torchlint.prove.observers.calls import Call, Observer
from torchlint.prove.observers.frames import Program

_WORDS = {
    "a leaf Variable that requires grad is being used in an in-place operation": Kind.LEAF_WRITTEN,
    "a view of a leaf Variable that requires grad is being used in an in-place operation": Kind.LEAF_WRITTEN,
    "is a view and is being modified inplace": Kind.VIEW_WRITTEN,
    "A view was created in no_grad mode and is being modified inplace": Kind.VIEW_WRITTEN,
    "A view was created in inference mode and is being modified inplace": Kind.VIEW_WRITTEN,
    "some elements of the input tensor and the written-to tensor refer to a single memory": Kind.VIEW_WRITTEN,
    "more than one element of the written-to tensor refers to a single memory location": Kind.VIEW_WRITTEN,
}
"""What torch says at the write, and what it means."""


def refusal(error: Exception) -> Kind | None:
    """Which write torch refuses by this error; None for any other error."""
    said = str(error)
    return next((kind for words, kind in _WORDS.items() if words in said), None)


class Refusals(Observer):
    """Remembers the writes that torch refused, by line."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._seen: dict[tuple[Kind, Site], Observation] = {}

    def failed(self, call: Call, error: Exception) -> None:
        kind = refusal(error)
        if kind is not None:
            what = (
                "a leaf that requires grad"
                if kind is Kind.LEAF_WRITTEN
                else "a view that must not be written"
            )
            text = f"torch refuses to write {what}"
            seen = Observation(kind, call.site, text, callers=self.program.callers())
            self._seen.setdefault((kind, call.site), seen)

    def observations(self) -> Iterable[Observation]:
        return self._seen.values()
