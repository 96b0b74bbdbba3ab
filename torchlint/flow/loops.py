"""Loops around a node, and the branches on the way to it: whether an iteration passes by each time.

Only the shape of the function says that, so no state is asked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from torchlint.flow.tree import parents, within
from torchlint.tables.effects import effect, says
from torchlint.units import Unit

Loop = cst.For | cst.While

_SCOPES = (cst.FunctionDef, cst.Lambda, cst.ClassDef, cst.GeneratorExp)
_LEAVING = (cst.Break, cst.Continue, cst.Return, cst.Raise)
_OF_STRUCTURE = frozenset({"isinstance", "hasattr", "issubclass", "callable", "is_tensor"})
# What a step does; a condition that decides about it needs its value in each of them.
_OF_STEPS = frozenset({"backward", "step", "zero_grad", "grad", "clip_grad_norm_", "exit", "abort"})


class Branch(NamedTuple):
    """What runs only if something decides so; `test` is the condition, where there is one."""

    node: cst.CSTNode
    test: cst.BaseExpression | None

    @property
    def counts(self) -> bool:
        """Whether a counter decides."""
        return self.test is not None and _is_interval(self.test)


class Around(NamedTuple):
    """A loop around a node, and the branches that lie between them."""

    loop: Loop
    branches: frozenset[Branch]


def loops_around(unit: Unit, node: cst.CSTNode) -> list[Around]:
    """The loops whose body a node stands in, in its function, the innermost first."""
    above_of = parents(unit.tree)
    found: list[Around] = []
    branches: set[Branch] = set()
    while node in above_of:
        above = above_of[node]
        if isinstance(above, _SCOPES):
            break
        if isinstance(above, Loop) and node is above.body:
            found.append(Around(above, frozenset(branches)))
        branches.update(_branches(above, node))
        node = above
    return found


def branches_above(unit: Unit, node: cst.CSTNode) -> frozenset[Branch]:
    """The branches that lie between a node and the head of its function."""
    above_of = parents(unit.tree)
    branches: set[Branch] = set()
    while node in above_of and not isinstance(node, _SCOPES):
        branches.update(_branches(above_of[node], node))
        node = above_of[node]
    return frozenset(branches)


def statement_around(unit: Unit, node: cst.CSTNode) -> cst.CSTNode:
    """The statement that a node is a part of; for the head of a compound one that one."""
    above_of = parents(unit.tree)
    while node in above_of and not isinstance(node, cst.BaseStatement | cst.BaseSmallStatement):
        node = above_of[node]
    return node


def is_needed(unit: Unit, node: cst.CSTNode) -> bool:
    """Whether the value of a node decides here, or by its name, whether a step is made or a loop goes on."""
    above_of = parents(unit.tree)
    statement = statement_around(unit, node)
    if isinstance(statement, cst.If):
        return _decides(statement)
    if isinstance(statement, cst.While | cst.Assert | cst.Raise):
        return True
    if not isinstance(statement, cst.Assign | cst.AnnAssign):
        return False
    names = {one.value for one in _targets(statement) if isinstance(one, cst.Name)}
    scope: cst.CSTNode = statement
    while scope in above_of and not isinstance(scope, (*_SCOPES, cst.For, cst.While)):
        scope = above_of[scope]
    return any(
        isinstance(one, cst.If | cst.While | cst.Assert) and _says(one.test, names) and _decides(one)
        for one in within(scope)
    )


def logging_interval(loop: Loop) -> cst.BaseExpression | None:
    """The first condition in a loop by which a counter decides that something is logged."""
    found = [
        one
        for one in within(loop.body)
        if isinstance(one, cst.If)
        and _is_interval(one.test)
        and any(isinstance(call, cst.Call) and _logs(call) for call in within(one.body))
    ]
    return found[-1].test if found else None


def head(loop: Loop) -> cst.BaseExpression:
    """The expression that stands for a loop in messages."""
    return loop.iter if isinstance(loop, cst.For) else loop.test


def _branches(above: cst.CSTNode, node: cst.CSTNode) -> Iterator[Branch]:
    """What decides, at one node, whether the part of it that is `node` runs."""
    match above:
        case cst.If() | cst.IfExp() if node is not above.test:
            if not _is_about_structure(above.test):
                yield Branch(node, above.test)
        case cst.BooleanOperation() if node is above.right:
            yield Branch(node, above.left)
        case cst.ExceptHandler() | cst.MatchCase() | cst.Assert() | cst.CompIf():
            yield Branch(above, None)
        case cst.CompFor() if node is not above.iter and above.ifs:
            yield Branch(above, None)
        case cst.ListComp() | cst.SetComp() | cst.DictComp() if above.for_in.ifs and node is not above.for_in:
            yield Branch(above, None)
        case cst.For() | cst.While() if node is above.orelse:
            yield Branch(node, None)
        case cst.IndentedBlock():
            for earlier in above.body:
                if earlier is node:
                    break
                if isinstance(earlier, cst.If) and _is_interval(earlier.test) and _leaves(earlier):
                    yield Branch(earlier.body, earlier.test)


def _decides(statement: cst.If | cst.While | cst.Assert) -> bool:
    if not isinstance(statement, cst.If):
        return True
    parts = [statement.body, *([statement.orelse] if statement.orelse is not None else [])]
    return any(isinstance(one, _LEAVING) or _says(one, _OF_STEPS) for part in parts for one in within(part))


def _leaves(statement: cst.If) -> bool:
    return any(isinstance(one, _LEAVING) for one in within(statement.body))


def _targets(statement: cst.Assign | cst.AnnAssign) -> list[cst.BaseExpression]:
    if isinstance(statement, cst.AnnAssign):
        return [statement.target]
    return [target.target for target in statement.targets]


def _says(node: cst.CSTNode, names: frozenset[str] | set[str]) -> bool:
    return any(isinstance(one, cst.Name) and one.value in names for one in within(node))


def _is_interval(test: cst.CSTNode) -> bool:
    """Whether a condition counts: a remainder, or a name that says how often."""
    return any(
        isinstance(one, cst.Modulo) or (isinstance(one, cst.Name) and "interval" in says("place", one.value))
        for one in within(test)
    )


def _is_about_structure(test: cst.BaseExpression) -> bool:
    """Whether a condition asks what a thing is, and not when: it is answered alike in each iteration."""
    match test:
        case cst.UnaryOperation(operator=cst.Not()):
            return _is_about_structure(test.expression)
        case cst.BooleanOperation():
            return _is_about_structure(test.left) and _is_about_structure(test.right)
        case cst.Call(func=cst.Name(name)) | cst.Call(func=cst.Attribute(attr=cst.Name(name))):
            return name in _OF_STRUCTURE
        case cst.Comparison(comparisons=[cst.ComparisonTarget(cst.Is() | cst.IsNot(), cst.Name("None"))]):
            return True
    return False


def _logs(call: cst.Call) -> bool:
    match call.func:
        case cst.Attribute(attr=cst.Name(name)):
            known = effect(f".{name}")
            return (known is not None and known.kind == "log") or "log" in says("callee", name)
        case cst.Name(name):
            return "log" in says("callee", name)
    return False
