"""The tree of a unit, downwards and upwards."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import libcst as cst


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
