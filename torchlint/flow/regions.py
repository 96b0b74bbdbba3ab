"""Tensors that were made in a region without gradients and are used where it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from torchlint.flow.domain import Grad
from torchlint.flow.events import MAY_REACH_AUTOGRAD, REACHES_AUTOGRAD, Escaped
from torchlint.flow.things import Module, Thing, Value

if TYPE_CHECKING:
    import libcst as cst

    from torchlint.flow.walk import Walk


# Arguments of operations that choose elements: integers and truth values, which have no gradients.
_CHOOSING = ("index", "indices", "mask", "condition")


def leave_regions(
    walk: Walk,
    operands: Iterable[Thing],
    node: cst.CSTNode,
    *,
    recorded: bool,
    bound: Mapping[str, Value] | None = None,
) -> None:
    """Tensors born in regions that are over are used: harmlessly, or recorded by autograd.

    They are the arguments of a call, or those of an operation by which they are `bound`.
    """
    state = walk.now()
    choosing = frozenset().union(*((bound or {}).get(name, frozenset()) for name in _CHOOSING))
    # Nothing is recorded under inference_mode. Under no_grad it is not either, but who is seen to call a
    # function there may not be the only caller.
    listed = list(operands) if recorded and not state.around.surely_inferring else []
    for thing in listed:
        for region in state.tensor(thing).born - state.born:
            # What was born in the same region carries a graph on another path at most.
            met = [
                other
                for other in listed
                if other is not thing
                and other not in choosing
                and state.tensor(other).grad is not Grad.NO
                and region not in state.tensor(other).born
            ]
            if met:
                graphed = any(isinstance(one, Module) or Grad.YES in state.tensor(one).grad for one in met)
                how = REACHES_AUTOGRAD if graphed else MAY_REACH_AUTOGRAD
                walk.tell(Escaped(frozenset((region,)), walk.site(node), how))
