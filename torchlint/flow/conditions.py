"""Conditions and patterns: what they say of the path on which they hold, and the names they bind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.domain import Grad, Mode
from torchlint.flow.state import TensorFacts
from torchlint.flow.things import (
    NOTHING,
    Dotted,
    Module,
    Opaque,
    Plain,
    Remembered,
    Scalar,
    Tensor,
    Value,
    constant_of,
)
from torchlint.flow.tree import without_not

if TYPE_CHECKING:
    from torchlint.flow.places import Places
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk

_TENSORS = frozenset({"torch.Tensor"})
_NUMBERS = frozenset({f"builtins.{name}" for name in ("int", "float", "complex", "bool", "str")}) | {
    "numpy.ndarray",
    "numbers.Number",
    "numbers.Real",
}


class Conditions:
    """The conditions of one walk."""

    def __init__(self, walk: Walk, places: Places, values: Values) -> None:
        self._walk = walk
        self._places = places
        self._values = values

    def truth(self, node: cst.BaseExpression) -> bool | None:
        """Literals; and `isinstance(net, nn.Module)` holds for what is known to be one."""
        match node:
            case cst.Call(
                func=cst.Name("isinstance"), args=[cst.Arg(value=cst.Name(name)), cst.Arg(value=kind)]
            ):
                dotted = [thing.name for thing in self._values.evaluate(kind) if isinstance(thing, Dotted)]
                if dotted == ["torch.nn.Module"]:
                    held = self._places.name(name)
                    for thing in held:
                        self._walk.believe_module(thing)
                    if held and all(isinstance(thing, Module) for thing in held):
                        return True
        return constant_truth(node)

    def assumed(self, node: cst.BaseExpression) -> bool | None:
        """`if FLAG:` where FLAG holds a literal: both branches are read, and one is taken."""
        node, holds = without_not(node, holds=True)
        if isinstance(node, cst.Name) and self._walk.state is not None:
            constant = constant_of(self._places.name(node.value))
            truth = constant if isinstance(constant, bool) else None
        else:
            truth = constant_truth(node)
        return None if truth is None else truth is holds

    def narrow(self, node: cst.BaseExpression, *, holds: bool) -> None:
        """Take in what a condition says on the path on which it holds, or does not.

        Where `net is None` holds, there is no module whose mode could matter; where `isinstance(x, float)`
        does, no tensor.
        """
        walk = self._walk
        node, holds = without_not(node, holds=holds)
        excluded = self._is_no_tensor(node, holds=holds)
        if excluded is not None and walk.state is not None:
            value = self._places.name(excluded)
            rest = frozenset(thing for thing in value if not isinstance(thing, Tensor | Opaque))
            sure = [thing for thing in value if isinstance(thing, Tensor) and not thing.several]
            guessed = any(walk.now().tensor(thing).guessed for thing in sure)
            if value and len(sure) == len(value) and not guessed:
                walk.state = None
            elif any(Grad.UNKNOWN in walk.now().tensor(thing).grad for thing in value - rest):
                other = walk.things.make(Opaque, (node, "no tensor"), excluded)
                plain = TensorFacts(Grad.UNKNOWN, frozenset((other,)))  # a list of tensors, perhaps
                walk.state = walk.now().with_tensor(other, plain).with_name(excluded, rest | {other})
            return
        match node:
            case cst.Comparison(
                left=subject, comparisons=[cst.ComparisonTarget(operator, cst.Name("None"))]
            ) if isinstance(operator, cst.Is | cst.IsNot):
                absent = holds is isinstance(operator, cst.Is)
            case cst.Name() | cst.Attribute():
                subject, absent = node, not holds
            case _:
                return
        if walk.state is None or not absent or not isinstance(subject, cst.Name | cst.Attribute):
            return
        for thing in self._values.evaluate(subject):
            if isinstance(thing, Scalar) and isinstance(thing.constant, Remembered):
                # `if was_training: net.train()`: where it does not hold, the mode is the one that was found.
                module, facts = thing.constant
                if walk.now().module(module) != facts:
                    self._values.calls.running.restore(module, facts, node)
            if isinstance(thing, Module):
                for part in walk.parts(thing):
                    facts = walk.now().module(part)
                    walk.state = walk.now().with_module(part, replace(facts, mode=Mode(0)))

    def but_tensors(
        self, test: cst.BaseExpression, branch: cst.BaseExpression, value: Value, *, holds: bool
    ) -> Value:
        """The value of a branch of `loss if isinstance(loss, float) else loss.item()`."""
        test, holds = without_not(test, holds=holds)
        if not isinstance(branch, cst.Name) or self._is_no_tensor(test, holds=holds) != branch.value:
            return value
        plain = frozenset(thing for thing in value if not isinstance(thing, Tensor | Opaque))
        return plain or self._walk.things.scalar(Plain.OTHER)

    def _is_no_tensor(self, node: cst.BaseExpression, *, holds: bool) -> str | None:
        """The name that holds no tensor where a condition does or does not hold; None where there is none."""
        match node:
            case cst.Call(
                args=[cst.Arg(value=cst.Name(name)), cst.Arg(value=kind)], func=cst.Name("isinstance")
            ):
                kinds = [one.value for one in kind.elements] if isinstance(kind, cst.Tuple) else [kind]
                things = [thing for one in kinds for thing in self._values.evaluate(one)]
                dotted = {thing.name if isinstance(thing, Dotted) else "" for thing in things}
                if dotted == _TENSORS and not holds:
                    return name
                return name if dotted and dotted <= _NUMBERS and holds else None
            case cst.Call(args=[cst.Arg(value=cst.Name(name))], func=func) if not holds:
                things = list(self._values.evaluate(func))
                asked = [thing.name for thing in things if isinstance(thing, Dotted)]
                return name if asked == ["torch.is_tensor"] else None
        return None

    def bind_pattern(self, pattern: cst.CSTNode, value: Value) -> None:
        """Bind the names of a match pattern to the parts of the subject that they stand for."""
        match pattern:
            case cst.MatchAs():
                if pattern.pattern is not None:
                    self.bind_pattern(pattern.pattern, value)
                if pattern.name is not None:
                    self._values.targets.assign(pattern.name, value, None)
            case cst.MatchOr():
                for choice in pattern.patterns:
                    self.bind_pattern(choice.pattern, value)
            case cst.MatchList() | cst.MatchTuple():
                for number, element in enumerate(pattern.patterns):
                    if isinstance(element, cst.MatchStar):
                        if element.name is not None:
                            self._values.targets.assign(element.name, self._part(value, "[*]"), None)
                    else:
                        self.bind_pattern(element.value, self._part(value, f"[{number}]"))
            case cst.MatchMapping():
                for entry in pattern.elements:
                    keys = [thing for thing in self._values.evaluate(entry.key) if isinstance(thing, Scalar)]
                    slot = f"[{keys[0].constant!r}]" if keys and keys[0].constant is not None else "[*]"
                    self.bind_pattern(entry.pattern, self._part(value, slot))
            case cst.MatchClass():
                for positional in pattern.patterns:
                    self.bind_pattern(
                        positional.value, value if len(pattern.patterns) == 1 else self._part(value, "[*]")
                    )
                for keyword in pattern.kwds:
                    self.bind_pattern(keyword.pattern, self._part(value, f".{keyword.key.value}"))

    def _part(self, value: Value, slot: str) -> Value:
        return NOTHING.union(*(self._places.slot(thing, slot) for thing in value))


def constant_truth(node: cst.BaseExpression) -> bool | None:
    """The truth of `True`, `False`, `1`, `0`; None for anything that has to be run."""
    if isinstance(node, cst.Name):
        return {"True": True, "False": False, "None": False}.get(node.value)
    if isinstance(node, cst.Integer):
        return node.evaluated_value != 0
    return None
