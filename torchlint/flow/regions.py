"""Tensors that were made in a region without gradients and are used where it is over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torchlint.flow.domain import Grad
from torchlint.flow.events import REACHES_AUTOGRAD, Escaped
from torchlint.flow.things import Thing

if TYPE_CHECKING:
    import libcst as cst

    from torchlint.flow.walk import Walk


def leave_regions(walk: Walk, operands: Iterable[Thing], node: cst.CSTNode, *, recorded: bool) -> None:
    """Tensors born in regions that are over are used: harmlessly, or recorded by autograd."""
    state = walk.now()
    listed = list(operands) if recorded else []
    for thing in listed:
        outside = state.tensor(thing).born - state.born
        if not outside:
            continue
        others = [state.tensor(other) for other in listed if other is not thing]
        # What was born in the same region carries a graph on another path at most.
        reaching = frozenset(
            region
            for region in outside
            if any(other.grad is not Grad.NO and region not in other.born for other in others)
        )
        if reaching:
            walk.tell(Escaped(reaching, walk.site(node), REACHES_AUTOGRAD))
