"""What rules about tensors that carry their graph too far share: where one comes from, and the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.rules.base import Change, Cure

if TYPE_CHECKING:
    from torchlint.flow.events import Site


def came_from(call: Site | None) -> tuple[tuple[str, Site], ...]:
    """The note on the call that hands the tensor to the function where the fault is, if one does."""
    return (("it comes with its graph from here", call),) if call is not None else ()


def detached(cut: tuple[Site, str] | None) -> Cure | None:
    """The fix that cuts the graph: `cut` is an expression and what is to stand there, if anything can."""
    return Cure("detach it", (Change(*cut),), safe=True) if cut is not None else None
