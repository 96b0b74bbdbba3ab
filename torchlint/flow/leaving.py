"""Graphs of evaluations: which forwards build one for nothing, and whose results leave with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.choices import is_handler
from torchlint.flow.domain import Grad, GradMode
from torchlint.flow.events import GraphLeft, Site
from torchlint.flow.things import Module, Opaque, Tensor, Thing
from torchlint.flow.walk import path_of
from torchlint.tables import Result, op
from torchlint.tables.effects import says

if TYPE_CHECKING:
    from torchlint.flow.walk import Walk


def leave(
    walk: Walk, made: Iterable[Thing], node: cst.CSTNode, *, evaluates: bool = False, lent: bool = False
) -> None:
    """Tensors leave the function, or go where somebody may ask for gradients.

    Of what a stranger made, a function that `evaluates` gives away a number rather than a graph.
    """
    forwards: set[Site] = set()
    for thing in made:
        facts = walk.now().tensor(thing)
        number = evaluates and isinstance(thing, Opaque) and Grad.YES not in facts.grad
        if facts.grad is not Grad.NO and not number:
            forwards |= facts.forwards
    if forwards:
        walk.tell(GraphLeft(walk.site(node), frozenset(forwards), lent))


def says_evaluation(walk: Walk, names: Sequence[str]) -> bool:
    """Whether a function says evaluation by its name; `names` are those of nested ones that are walked."""
    owner, _, name = walk.unit.name.rpartition(".")
    if owner and walk.file.classes.is_opaque(walk.file.classes.own(owner)):
        return False  # a base out of sight calls it, and knows the mode
    words = says("function", names[-1] if names else name)
    return "evaluation" in words and "training" not in words


def grad_mode(walk: Walk) -> GradMode:
    """The grad mode here; where the callers decide, a module level that switches gradients off may, too."""
    mode = walk.now().grad_mode
    if GradMode.CALLER in mode and "" in walk.file.skeleton.call_sites.get("set_grad_enabled", ()):
        mode |= GradMode.NO_GRAD
    return mode


def is_alone(walk: Walk, module: Module, operands: Iterable[Thing] | None, node: cst.CSTNode) -> bool:
    """Whether a forward is surely one of parameters that learn, on input that was given to the program."""
    if operands is None or _may_be_frozen(walk, module) or walk.begins_graded or _is_inherited(walk, module):
        return False
    if is_handler(walk.played.tree, node):
        return False  # what is tried first may have been without gradients, which some forwards need
    given = [thing for thing in operands if isinstance(thing, Tensor)]
    return not given or not all(map(_is_made_up, given))


def _is_inherited(walk: Walk, module: Module) -> bool:
    """Whether it may be no part of its holder, but a method that a base out of sight declares."""
    holder = module.parent.cls if isinstance(module.parent, Module) else None
    classes = walk.file.classes
    if holder is None or not classes.is_in_sight(holder) or module.place.endswith("]"):
        return False
    return not classes.attribute(holder, module.place.rpartition(".")[2])


def _may_be_frozen(walk: Walk, module: Module) -> bool:
    """What a class holds, another of its methods may have frozen."""
    path = path_of(module)
    definition = walk.unit.definition
    owner = definition.owner if definition is not None else None
    return (
        path is not None
        and path[0] == "self"
        and owner is not None
        and walk.file.mentions(owner, "requires_grad")
    )


def _is_made_up(tensor: Tensor) -> bool:
    """Whether a tensor comes from a factory such as torch.zeros, in one expression."""
    key = tensor.key
    while isinstance(key, tuple):
        key = key[0]
    while True:
        match key:
            case cst.BinaryOperation(left=inner):
                key = inner
            case cst.Call(func=cst.Attribute(value=inner, attr=cst.Name(name))):
                known = op(name)
                if known is not None and known.result is Result.FRESH:
                    return True
                key = inner
            case _:
                return False
