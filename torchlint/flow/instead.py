"""What may stand in the place of an in-place write: the same computation with a new tensor under the name.

Only where nothing else holds the memory: no view, second name or container sees the write then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.domain import GradMode
from torchlint.flow.operators import augmented_operator
from torchlint.flow.things import Opaque, Tensor, Thing
from torchlint.flow.walk import path_of
from torchlint.tables import op

if TYPE_CHECKING:
    from torchlint.flow.events import Site
    from torchlint.flow.walk import Walk

_TIGHT = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.Integer, cst.Float, cst.List, cst.Tuple)


def instead(walk: Walk, thing: Thing, node: cst.CSTNode) -> tuple[Site, str] | None:
    """The site to replace and the text for it; None where somebody else may be meant to see the write."""
    state = walk.now()
    if not any(state.graph.savers.get(storage) for storage in state.tensor(thing).storages):
        return None
    # Without gradients a new tensor would have no graph, and the one that is written keeps its own.
    if walk.rehearsing or walk.calls or state.grad_mode & GradMode.OFF:
        return None
    found = _rewritten(walk, node)
    if found is None:
        return None
    name, text = found
    return (walk.site(node), text) if _holds_alone(walk, name, thing) else None


def _holds_alone(walk: Walk, name: str, thing: Thing) -> bool:
    """Whether a name is all that holds a tensor that was made here, with all of its memory."""
    state = walk.now()
    facts = state.tensor(thing)
    if not isinstance(thing, Tensor) or path_of(thing) is not None or thing.holder is not None:
        return False
    if facts.storages != {thing} or facts.bases != {thing} or facts.behind:
        return False
    if state.names.get(name) != frozenset((thing,)):
        return False
    others = [value for other, value in state.names.items() if other != name]
    others.extend(value for _, _, value in state.stored())
    return not any(
        thing in state.tensor(one).storages | state.tensor(one).behind
        for value in others
        for one in value
        if isinstance(one, Tensor | Opaque)
    )


def _rewritten(walk: Walk, node: cst.CSTNode) -> tuple[str, str] | None:
    """The name that is written, and the text that binds a new tensor to it."""
    match node:
        case cst.AugAssign(target=cst.Name(name), value=value):
            sign = augmented_operator(node.operator).removesuffix("=")
            right = walk.text(value)
            if not isinstance(value, _TIGHT) and not value.lpar:
                right = f"({right})"
            return name, f"{name} = {name} {sign} {right}"
        case cst.Call(func=cst.Attribute(value=cst.Name(name), attr=cst.Name(method))) if (
            method.endswith("_") and not method.endswith("__") and op(method[:-1]) is not None
        ):
            assert isinstance(node.func, cst.Attribute)
            new: cst.Call = node.with_changes(func=node.func.with_changes(attr=cst.Name(method[:-1])))
        case cst.Call(args=[cst.Arg(value=cst.Name(name), keyword=None), *rest]) if rest:
            kept = [argument for argument in node.args if not _asks_for_writing(argument)]
            if len(kept) == len(node.args):
                return None
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
            new = node.with_changes(args=kept)
        case _:
            return None
    text = walk.played.tree.code_for_node(new).strip()
    bound = walk.bound.get(node)
    if "\n" in text or bound not in ("", name):
        return None
    return name, text if bound else f"{name} = {text}"


def _asks_for_writing(argument: cst.Arg) -> bool:
    return argument.keyword is not None and argument.keyword.value == "inplace"
