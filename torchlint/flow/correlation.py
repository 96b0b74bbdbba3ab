"""Conditions that come by twice: what was done where the first one held is known where the second does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from torchlint.flow.state import Chosen, State, join
from torchlint.flow.things import Value
from torchlint.flow.tree import dotted, without_not

if TYPE_CHECKING:
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk

_EQUALS = (cst.Equal, cst.Is)
_DIFFERS = (cst.NotEqual, cst.IsNot)


class Condition(NamedTuple):
    """A question about a value, and whether what is spelled is its denial."""

    question: str
    value: Value
    denied: bool


def condition_of(walk: Walk, values: Values, node: cst.BaseExpression) -> Condition | None:
    """`flag`, `args.distill`, `not flag`, `phase == "train"`; None where a second answer may be another."""
    node, holds = without_not(node, holds=True)
    question = "true"
    match node:
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator, right)]):
            if not isinstance(operator, (*_EQUALS, *_DIFFERS)) or not _is_literal(right):
                return None
            question, holds = walk.text(right), holds is isinstance(operator, _EQUALS)
            node = left
    if not dotted(node) or walk.state is None:
        return None
    value = values.evaluate(node)
    return Condition(f"{walk.text(node)} {question}", value, not holds) if value else None


def joined(walk: Walk, condition: Condition | None, holds: State | None, fails: State | None) -> State | None:
    """The state behind two branches; where they leave a module in different modes it keeps which is which."""
    state = join([one for one in (holds, fails) if one is not None])
    if state is None or condition is None or holds is None or fails is None:
        return state
    if condition.denied:
        holds, fails = fails, holds
    for thing, facts in list(state.modules.items()):
        modes = holds.module(thing).mode, fails.module(thing).mode
        if modes[0] is not modes[1]:
            walk.questions.add(condition.question)
            chosen = Chosen(condition.question, condition.value, *modes)
            state = state.with_module(thing, replace(facts, chosen=chosen))
    return state


def recall(walk: Walk, condition: Condition, *, holds: bool) -> None:
    """The modes that modules are in where a condition holds, or does not, if it has chosen them before."""
    if condition.question not in walk.questions:
        return
    for thing, facts in list(walk.now().modules.items()):
        chosen = facts.chosen
        if chosen is not None and (chosen.question, chosen.value) == condition[:2]:
            mode = chosen.holds if holds is not condition.denied else chosen.fails
            walk.state = walk.now().with_module(thing, replace(facts, mode=mode))


def _is_literal(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.SimpleString | cst.Integer) or (
        isinstance(node, cst.Name) and node.value in ("None", "True", "False")
    )
