"""Loops around a node, and the branches on the way to it: whether an iteration passes by each time.

Only the shape of the function says that, so no state is asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import libcst as cst

from torchlint.flow.tree import SCOPES, parents, spells, within
from torchlint.tables import Result, op
from torchlint.tables.effects import effect, own_effect, says
from torchlint.units import Unit

Loop = cst.For | cst.While

_LEAVING = (cst.Break, cst.Continue, cst.Return, cst.Raise)
_OF_STRUCTURE = frozenset({"isinstance", "hasattr", "issubclass", "callable", "is_tensor"})


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
        if isinstance(above, SCOPES):
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
    while node in above_of and not isinstance(node, SCOPES):
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
    """Whether more than a log needs the value of a node in each iteration.

    It goes back into a computation here, or decides, here or by its name, how the program goes on.
    """
    above_of = parents(unit.tree)
    statement = statement_around(unit, node)
    if isinstance(statement, cst.If):
        return _decides(statement)
    if isinstance(statement, cst.While | cst.Assert | cst.Raise | cst.Return):
        return True
    while node is not statement and node in above_of:
        above = above_of[node]
        if isinstance(above, cst.SubscriptElement) or (
            isinstance(above, cst.Call) and _computes(above, node)
        ):
            return True
        node = above
    if not isinstance(statement, cst.Assign | cst.AnnAssign | cst.AugAssign):
        return False
    loop: cst.CSTNode = statement
    while loop in above_of and not isinstance(loop, (*SCOPES, cst.For, cst.While)):
        loop = above_of[loop]
    names = _names(statement, list(within(loop)))
    return any(_needs(one, names) for one in within(loop))


def is_for_logs(call: cst.Call) -> bool:
    """Whether a function that is called there logs, gathers or measures, as far as its name says."""
    match call.func:
        case cst.Attribute(attr=cst.Name(name)):
            known = effect(f".{name}") or own_effect(f"*.{name}")
            by_table = known is not None and known.kind in ("log", "meter", "append", "text")
            return by_table or _says_log(name)
        case cst.Name(name):
            known = effect(f"builtins.{name}") or own_effect(f"*.{name}")
            return (known is not None and known.kind in ("log", "number", "text", "each")) or _says_log(name)
    return False


def logging_interval(loop: Loop) -> cst.BaseExpression | None:
    """The first condition in a loop by which a counter decides that something is logged."""
    found = [
        one
        for one in within(loop.body)
        if isinstance(one, cst.If)
        and _is_interval(one.test)
        and any(isinstance(call, cst.Call) and is_for_logs(call) for call in within(one.body))
    ]
    return found[-1].test if found else None


def head(loop: Loop) -> cst.BaseExpression:
    """The expression that stands for a loop in messages."""
    return loop.iter if isinstance(loop, cst.For) else loop.test


def _branches(above: cst.CSTNode, node: cst.CSTNode) -> Iterator[Branch]:
    """What decides, at one node, whether the part of it that is `node` runs."""
    match above:
        case cst.If() | cst.IfExp() if node is not above.test:
            if not _is_about_structure(above.test, holds=node is above.body):
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


def _names(statement: cst.CSTNode, around: Sequence[cst.CSTNode]) -> set[str]:
    """The names that an assignment binds, and those that others bind to what is computed of them."""
    names: set[str] = set()
    waiting = [statement]
    while waiting:
        one = waiting.pop()
        new = {target.value for target in _targets(one) if isinstance(target, cst.Name)} - names
        names |= new
        for other in around if new else ():
            if isinstance(other, cst.Assign | cst.AnnAssign) and other.value and spells(other.value, new):
                waiting.append(other)
    return names


def _needs(node: cst.CSTNode, names: set[str]) -> bool:
    """Whether something that is no log asks for what stands under these names."""
    match node:
        case cst.If() | cst.While() | cst.Assert():
            return spells(node.test, names) and (not isinstance(node, cst.If) or _decides(node))
        case cst.Call():
            return not is_for_logs(node) and any(spells(argument.value, names) for argument in node.args)
        case cst.SubscriptElement():
            return spells(node, names)
    return False


def _computes(call: cst.Call, argument: cst.CSTNode) -> bool:
    """Whether a call makes a tensor of an argument."""
    if argument is call.func:
        return False
    name = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
    made = op(name.value) if isinstance(name, cst.Name) else None
    return made is not None and made.result is Result.FRESH


def _decides(statement: cst.If) -> bool:
    """Whether a condition does more than to choose what is logged and counted."""
    parts = [statement.body, *([statement.orelse] if statement.orelse is not None else [])]
    return not all(_is_for_logs(one) for part in parts for one in within(part) if _is_small(one))


def _is_small(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.BaseSmallStatement)


def _is_for_logs(statement: cst.CSTNode) -> bool:
    match statement:
        case cst.Expr(value=cst.Call() as call):
            return is_for_logs(call)
        case cst.AugAssign() | cst.Pass():
            return True
    return False


def _leaves(statement: cst.If) -> bool:
    return any(isinstance(one, _LEAVING) for one in within(statement.body))


def _targets(statement: cst.CSTNode) -> list[cst.BaseExpression]:
    match statement:
        case cst.Assign():
            return [target.target for target in statement.targets]
        case cst.AnnAssign() | cst.AugAssign():
            return [statement.target]
    return []


def _is_interval(test: cst.CSTNode) -> bool:
    """Whether a condition counts: a remainder, or a name that says how often."""
    return any(
        isinstance(one, cst.Modulo) or (isinstance(one, cst.Name) and "interval" in says("place", one.value))
        for one in within(test)
    )


def _is_about_structure(test: cst.BaseExpression, *, holds: bool) -> bool:
    """Whether a condition asks what a thing is, and not when: it is answered alike in each iteration.

    What is None may be set in the first one; only what is not None stays so.
    """
    match test:
        case cst.UnaryOperation(operator=cst.Not()):
            return _is_about_structure(test.expression, holds=not holds)
        case cst.BooleanOperation():
            return all(_is_about_structure(one, holds=holds) for one in (test.left, test.right))
        case cst.Call(func=cst.Name(name)) | cst.Call(func=cst.Attribute(attr=cst.Name(name))):
            return name in _OF_STRUCTURE
        case cst.Comparison(comparisons=[cst.ComparisonTarget(cst.Is(), cst.Name("None"))]):
            return not holds
        case cst.Comparison(comparisons=[cst.ComparisonTarget(cst.IsNot(), cst.Name("None"))]):
            return holds
    return False


def _says_log(name: str) -> bool:
    return "log" in says("callee", name) or "measure" in says("function", name)
