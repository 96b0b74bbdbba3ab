"""Stretches of statements: what stands in them, and on which ways they are left.

A fix that is to hold for some code puts lines before and after a stretch, and before the statements that
leave it in between. Which stretch that may be only the shape of the function says, so no state is asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from torchlint.flow.tree import SCOPES, dotted, parents, spells, within
from torchlint.units import Unit

_SWALLOWS = frozenset({"suppress", "raises", "assertRaises"})
_LAZY = frozenset({"map", "filter", "zip", "enumerate", "iter"})


@dataclass(frozen=True, slots=True)
class Stretch:
    """Statements of one block, from the first to the last; each begins a line."""

    unit: Unit
    block: cst.IndentedBlock | cst.Module
    first: int
    last: int

    @property
    def statements(self) -> Sequence[cst.CSTNode]:
        """What stands in it."""
        return self.block.body[self.first : self.last + 1]

    @property
    def before(self) -> Iterator[cst.CSTNode]:
        """The statements that have run when it begins: those above it, here and in the blocks around."""
        yield from self.block.body[: self.first]
        for block, statement in _blocks(self.unit, self.block):
            yield from block.body[: block.body.index(statement)]

    @property
    def after(self) -> Iterator[cst.CSTNode]:
        """The statements below it, here and in the blocks around."""
        yield from self.block.body[self.last + 1 :]
        for block, statement in _blocks(self.unit, self.block):
            yield from block.body[block.body.index(statement) + 1 :]


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways out of a stretch: to the statement behind it, and by statements that leave it.

    A line may stand before each of `leaving`. What `returns` give is computed by what the stretch is about.
    """

    falls_through: bool
    leaving: tuple[cst.CSTNode, ...]
    returns: tuple[cst.Return, ...]


def stretches(unit: Unit, nodes: Sequence[cst.CSTNode], holder: cst.CSTNode) -> list[Stretch]:
    """The stretches of one function that hold all nodes, the widest first.

    The widest is the statement `holder` alone; where that is the function, what of its body holds them.
    """
    scope = holder if isinstance(holder, cst.FunctionDef) else _scope(unit, holder)
    common: list[Stretch] | None = None
    for node in nodes:
        if _scope(unit, node) is not scope or isinstance(scope, cst.ClassDef):
            return []  # in a function of its own, which may run at any time
        found: list[Stretch] = []
        for block, statement in _blocks(unit, node):
            found.append(_alone(unit, block, statement))
            if statement is holder:
                break
        common = found if common is None else [_joined(one, two) for one in common for two in found]
        common = [one for one in common if one.last >= 0]
    return list(reversed(common or []))


def stretch_at(unit: Unit, line: cst.CSTNode) -> Stretch:
    """A line alone."""
    block, statement = next(_blocks(unit, line))
    return _alone(unit, block, statement)


def _alone(unit: Unit, block: cst.IndentedBlock | cst.Module, statement: cst.CSTNode) -> Stretch:
    index = [one is statement for one in block.body].index(True)
    return Stretch(unit, block, index, index)


def _joined(one: Stretch, two: Stretch) -> Stretch:
    if one.block is not two.block:
        return Stretch(one.unit, one.block, 0, -1)
    return Stretch(one.unit, one.block, min(one.first, two.first), max(one.last, two.last))


def ways_out(stretch: Stretch, place: str) -> Ways | None:
    """How a stretch is left; None where a line cannot stand on each of the ways.

    What leaves by an exception is left to whoever catches it, unless that is this function.
    """
    unit = stretch.unit
    if _is_tried(unit, stretch.block):
        return None
    tail = tails(stretch.block.body[stretch.last])
    leaving: list[cst.CSTNode] = []
    returns: list[cst.Return] = []
    for node in _leaving(stretch.statements):
        line = parents(unit.tree)[node]
        alone = isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1
        if isinstance(node, cst.Return) and not _is_quiet(node.value, place):
            if node not in tail:
                return None
            returns.append(node)
        elif isinstance(node, cst.Return | cst.Break | cst.Continue) and alone:
            leaving.append(line)
        else:
            return None
    falls = _falls_through(stretch.block.body[stretch.last])
    if returns and falls:
        return None  # behind the stretch there may be nothing to return yet
    return Ways(falls, tuple(leaving), tuple(returns))


def binds(stretch: Stretch, place: str) -> bool:
    """Whether a name or attribute that a place is made of may be bound anew within a stretch."""
    root = place.partition(".")[0]
    for node in within(*stretch.statements):
        if isinstance(node, cst.Param) and node.name.value == root:
            return True
        if isinstance(node, cst.Name | cst.Attribute) and stretch.unit.binds(node):
            name = dotted(node)
            if name and f"{place}.".startswith(f"{name}."):
                return True
    return False


def surely_used(stretch: Stretch, place: str, nodes: Sequence[cst.CSTNode]) -> bool:
    """Whether a place is called or read on every path to or through a stretch, so that it holds something.

    One of `nodes` is such a use, too.
    """
    return _any_uses(list(stretch.statements), place, nodes) or any(
        _uses(node, place, nodes) for node in stretch.before
    )


def mentions(node: cst.CSTNode, place: str, attributes: frozenset[str]) -> bool:
    """Whether one of these attributes is read of a place, of what holds it or of a part of it."""
    for one in within(node):
        if isinstance(one, cst.Attribute) and one.attr.value in attributes:
            name = dotted(one.value)
            if name and (f"{name}.".startswith(f"{place}.") or f"{place}.".startswith(f"{name}.")):
                return True
    return False


def switched(stretch: Stretch, method: str) -> set[str]:
    """The places of which a method is called within a stretch."""
    names = [dotted(node.func) for node in within(*stretch.statements) if isinstance(node, cst.Call)]
    return {name.removesuffix(f".{method}") for name in names if name.endswith(f".{method}")}


def holds(node: cst.CSTNode, nodes: Sequence[cst.CSTNode]) -> bool:
    """Whether one of these stands in a node."""
    return any(one in nodes for one in within(node))


def runs(node: cst.CSTNode, place: str) -> bool:
    """Whether a place is called in a node, or handed to what is called; of `self` any method may do it."""
    root = place.partition(".")[0]
    for one in within(node):
        if isinstance(one, cst.Call):
            called = dotted(one.func)
            given = [dotted(argument.value) for argument in one.args]
            if called == place or called.startswith(f"{place}.") or place in given or root in given:
                return True
            if root == "self" and called.startswith("self."):
                return True
    return False


def statement_of(unit: Unit, call: cst.CSTNode) -> cst.CSTNode | None:
    """The line on which a call is the only statement; None where it shares one or is part of something."""
    above_of = parents(unit.tree)
    statement = above_of[call]
    line = above_of[statement]
    if isinstance(statement, cst.Expr) and isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
        return line
    return None


def holder_of(unit: Unit, switch: cst.CSTNode) -> cst.CSTNode | None:
    """The with statement that has a switch among its items, or the function that it decorates."""
    above_of = parents(unit.tree)
    item = above_of.get(switch)
    if not isinstance(item, cst.WithItem | cst.Decorator):
        return None
    return above_of[item]


def tails(node: cst.CSTNode) -> list[cst.Return]:
    """The returns with which a statement ends, where all its ways end with one."""
    match node:
        case cst.SimpleStatementLine() | cst.SimpleStatementSuite():
            last = node.body[-1]
            return [last] if isinstance(last, cst.Return) and last.value is not None else []
        case cst.IndentedBlock():
            return tails(node.body[-1])
        case cst.With() if not spells(node, _SWALLOWS):
            return tails(node.body)
        case cst.Else():
            return tails(node.body)
        case cst.If(orelse=orelse) if orelse is not None:
            first, second = tails(node.body), tails(orelse)
            return [*first, *second] if first and second else []
    return []


def _falls_through(node: cst.CSTNode) -> bool:
    match node:
        case cst.SimpleStatementLine() | cst.SimpleStatementSuite():
            return not isinstance(node.body[-1], cst.Return | cst.Raise | cst.Break | cst.Continue)
        case cst.IndentedBlock():
            return _falls_through(node.body[-1])
        case cst.With() | cst.Else():
            return _falls_through(node.body)
        case cst.If(orelse=orelse) if orelse is not None:
            return _falls_through(node.body) or _falls_through(orelse)
    return True


def _leaving(statements: Sequence[cst.CSTNode], depth: int = 0) -> Iterator[cst.CSTNode]:
    """What leaves the statements, or hands over to others in the midst of them; not exceptions."""
    for node in statements:
        match node:
            case cst.FunctionDef() | cst.Lambda() | cst.ClassDef():
                continue
            case cst.Return() | cst.Yield() | cst.Await() | cst.Asynchronous():
                yield node
            case cst.Break() | cst.Continue() if depth == 0:
                yield node
            case cst.For() | cst.While():
                yield from _leaving([one for one in node.children if one is not node.orelse], depth + 1)
                yield from _leaving([node.orelse] if node.orelse is not None else [], depth)
                continue
        yield from _leaving(node.children, depth)


def _is_quiet(value: cst.BaseExpression | None, place: str) -> bool:
    """Whether an expression surely runs nothing that a place holds: no call in it is given its first name."""
    root = place.partition(".")[0]
    return value is None or not any(
        isinstance(one, cst.Call) and spells(one, frozenset({root})) for one in within(value)
    )


def _is_tried(unit: Unit, node: cst.CSTNode) -> bool:
    """Whether an exception of a block is caught in the same function."""
    above_of = parents(unit.tree)
    while node in above_of and not isinstance(node, SCOPES):
        above = above_of[node]
        if isinstance(above, cst.Try | cst.TryStar) and node is above.body and above.handlers:
            return True
        node = above
    return False


def _any_uses(statements: Sequence[cst.CSTNode], place: str, nodes: Sequence[cst.CSTNode]) -> bool:
    for node in statements:
        if _uses(node, place, nodes):
            return True
        if any(_leaving([node])):
            return False  # it may be over before the next one
    return False


def _uses(node: cst.CSTNode, place: str, nodes: Sequence[cst.CSTNode]) -> bool:
    """Whether a place is called or read whenever a node is evaluated; a loop is taken to have a round."""
    if node in nodes or (isinstance(node, cst.Call) and dotted(node.func) == place):
        return True
    match node:
        case cst.Attribute() if dotted(node.value) == place:
            return True
        case cst.FunctionDef() | cst.Lambda() | cst.ClassDef() | cst.Match() | cst.ExceptHandler():
            return False
        case cst.IndentedBlock():
            return _any_uses(node.body, place, nodes)
        case cst.If() | cst.IfExp():
            parts = [node.body, *([node.orelse] if node.orelse is not None else [])]
            return _uses(node.test, place, nodes) or (
                len(parts) == 2 and all(_uses(part, place, nodes) for part in parts)
            )
        case cst.BooleanOperation():
            return _uses(node.left, place, nodes)
    return any(_uses(child, place, nodes) for child in node.children)


def _blocks(
    unit: Unit, node: cst.CSTNode
) -> Iterator[tuple[cst.IndentedBlock | cst.Module, cst.BaseStatement]]:
    """The blocks around a node in its function, the innermost first, each with its statement around it."""
    above_of = parents(unit.tree)
    while node in above_of:
        above = above_of[node]
        if isinstance(above, cst.IndentedBlock | cst.Module):
            assert isinstance(node, cst.BaseStatement)
            yield above, node
        node = above
        if isinstance(node, SCOPES):
            return


def _scope(unit: Unit, node: cst.CSTNode) -> cst.CSTNode | None:
    """The function around a node; what a generator computes is computed whenever somebody asks for it."""
    above_of = parents(unit.tree)
    while node in above_of:
        node = above_of[node]
        if isinstance(node, cst.GeneratorExp):
            call = above_of[above_of[node]]
            is_argument = isinstance(above_of[node], cst.Arg)
            if not is_argument or not isinstance(call, cst.Call) or spells(call.func, _LAZY):
                return node
        if isinstance(node, SCOPES):
            return node
    return None
