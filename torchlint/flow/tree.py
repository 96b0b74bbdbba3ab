"""The tree of a unit, downwards and upwards, and the text that stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import lru_cache

import libcst as cst

from torchlint.units import Unit

SCOPES = (cst.FunctionDef, cst.Lambda, cst.ClassDef)
"""What has names of its own."""

_PRIMARY = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)


def within(*nodes: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Some nodes and all that stands in them, in no order."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.children)


@lru_cache(maxsize=16)
def parents(tree: cst.Module) -> dict[cst.CSTNode, cst.CSTNode]:
    """What each node of a tree stands in."""
    return {child: node for node in within(tree) for child in node.children}


def dotted(node: cst.CSTNode) -> str:
    """`a.b.c` for a chain of names, else nothing."""
    if isinstance(node, cst.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr.value}" if inner else ""
    return node.value if isinstance(node, cst.Name) else ""


def without_not(node: cst.BaseExpression, *, holds: bool) -> tuple[cst.BaseExpression, bool]:
    """What a condition negates, and whether that holds where the condition does or does not hold."""
    while isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        node, holds = node.expression, not holds
    return node, holds


def spells(node: cst.CSTNode, names: AbstractSet[str]) -> bool:
    """Whether a name or attribute in a node is spelled like one of these."""
    return any(isinstance(one, cst.Name) and one.value in names for one in within(node))


def primary(unit: Unit, node: cst.BaseExpression) -> str | None:
    """The text of an expression, such that a method of it can be called, to put it elsewhere.

    None where there may be a comment in it, or the end of a line, which do not go with every place.
    """
    text = unit.text(node)
    if "#" in text or "\n" in text:
        return None
    return text if isinstance(node, _PRIMARY) else f"({text})"
