"""What makes the mode of a module doubtful, or a matter of no weight, though the walk believes to know it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.callers import is_settled
from torchlint.flow.domain import Mode
from torchlint.flow.tree import dotted, parents, within, without_not
from torchlint.tables.effects import says

if TYPE_CHECKING:
    from torchlint.flow.state import ModuleFacts
    from torchlint.flow.things import Module
    from torchlint.flow.walk import Walk

_MADE_UP = frozenset({"empty", "full", "ones", "rand", "randint", "randn", "zeros"})


def is_in_doubt(walk: Walk, thing: Module, facts: ModuleFacts, node: cst.CSTNode, place: str) -> bool:
    """Whether nothing should be said of the mode in which a module runs: at a node, standing at a place."""
    if walk.rehearsing:
        return False  # nobody hears of it, so neither the tree nor other files need be searched
    tree = walk.unit.tree
    return (
        _evaluates_in_part(walk, thing)
        or is_settled(walk, thing, facts)
        or _is_by_default(tree, place)
        or (_makes_up_input(tree) and _gives_a_size(tree, node))
        or _samples(walk, facts)
        or _is_called_by_torch(walk)
        or _is_evaluated_by_its_holders_user(walk, facts, place)
    )


def _evaluates_in_part(walk: Walk, thing: Module) -> bool:
    """Whether a class has put a part of itself in evaluation mode: maybe all that its forward() runs."""
    parts = walk.parts(thing) if thing.owned and thing.parent is None else ()
    return any(part is not thing and walk.now().module(part).mode is Mode.EVAL for part in parts)


@lru_cache(maxsize=64)
def _is_by_default(tree: cst.Module, place: str) -> bool:
    """Whether a function calls `place.eval()` unless it is told not to, by `eval_mode=False`."""
    defaults = {
        one.name.value: one.default.value
        for one in within(tree)
        if isinstance(one, cst.Param) and isinstance(one.default, cst.Name)
    }
    for node in within(tree):
        if isinstance(node, cst.If):
            flag, holds = without_not(node.test, holds=True)
            calls = (one for one in within(node.body) if isinstance(one, cst.Call) and not one.args)
            if defaults.get(dotted(flag)) == str(holds) and any(
                dotted(call.func) == f"{place}.eval" for call in calls
            ):
                return True
    return False


@lru_cache(maxsize=64)
def _makes_up_input(tree: cst.Module) -> bool:
    """Whether a function makes tensors of nothing but sizes, to try a module with them."""
    calls = (dotted(one.func).split(".") for one in within(tree) if isinstance(one, cst.Call))
    return any(len(names) == 2 and names[0] == "torch" and names[1] in _MADE_UP for names in calls)


@lru_cache(maxsize=64)
def _gives_a_size(tree: cst.Module, node: cst.CSTNode, *, bound: bool = False) -> bool:
    """Whether of what a call gives only how long it is in a dimension is read: the mode does not change that.

    `bound` where the node is a name that it is bound to.
    """
    around = parents(tree)
    while (outer := around.get(node)) is not None:
        match outer:
            case cst.Attribute(value=value, attr=cst.Name(value=name)) if value is node:
                user = around.get(outer)
                if name in ("shape", "size", "numel"):
                    whole = name == "size" and isinstance(user, cst.Call) and not user.args
                    return not whole and isinstance(user, cst.Call | cst.Subscript)
            case cst.Call(func=func) if func is node:
                pass
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name) as target)]) if not bound:
                uses = [one for one in _names(tree, name) if one is not target]
                return bool(uses) and all(_gives_a_size(tree, one, bound=True) for one in uses)
            case _:
                return False
        node = outer
    return False


@lru_cache(maxsize=64)
def _names(tree: cst.Module, name: str) -> list[cst.Name]:
    return [one for one in within(tree) if isinstance(one, cst.Name) and one.value == name]


def _samples(walk: Walk, facts: ModuleFacts) -> bool:
    """Whether a function that trains nothing calls train() and speaks of dropout: it wants samples."""
    here = facts.trained_at is not None and facts.trained_at.unit is walk.unit
    chosen = here and facts.explicit and not walk.evidence.trains
    return chosen and "dropout" in walk.file.units.text(walk.unit.name).lower()


def _is_called_by_torch(walk: Walk) -> bool:
    """Whether backward computes the forward once more, or a trainer that nobody shows runs the method."""
    definition = walk.unit.definition
    if definition is None or definition.owner is None:
        return False
    if definition.is_static and definition.parameters[:1] == ("ctx",):
        return True  # of a torch.autograd.Function
    name = definition.name
    return "hook" in says("function", name) and not walk.file.skeleton.call_sites.get(name)


def _is_evaluated_by_its_holders_user(walk: Walk, facts: ModuleFacts, place: str) -> bool:
    """Whether somebody else puts in evaluation mode what an object holds: `trainer.model.net.eval()`."""
    if Mode.TRAIN not in facts.mode:
        return False
    owner, _, attribute = place.partition(".")
    attribute = attribute.partition(".")[0].partition("[")[0]
    here = facts.trained_at is not None and facts.trained_at.unit is walk.unit
    if owner != "self" or not attribute.isidentifier() or here:
        return False
    users = walk.file.neighbours.users(f"{attribute}.eval", f".{attribute}.eval()")
    return any(file.evaluates_held(attribute) for file in (walk.file, *users))
