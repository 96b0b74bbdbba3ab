"""The nodes of an `ast` tree, faster than by `ast.walk`: a session reads outlines at each keystroke."""

from __future__ import annotations

import ast
from collections.abc import Iterator

# What these fields hold is no node, or one that says only how a name is used or which operator is written.
_NO_NODES = frozenset(
    ("arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "kind", "level", "module", "name", "op")
) | {"ops", "rest", "simple", "type_comment"}


def nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """A tree and all below it, level by level; contexts and operators are left out."""
    found = [tree]
    for node in found:
        found += children(node)
    return tuple(found)


def by_level(tree: ast.AST) -> Iterator[tuple[int, ast.AST]]:
    """The same with their depths, that of the tree being 0."""
    level = [tree]
    depth = 0
    while level:
        yield from ((depth, node) for node in level)
        level = [child for node in level for child in children(node)]
        depth += 1


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one; contexts and operators are left out."""
    found: list[ast.AST] = []
    kind = type(node)
    fields = _FIELDS.get(kind)
    for name in _fields(kind) if fields is None else fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def move(tree: ast.AST, lines: int) -> None:
    """Let a tree begin so many lines further down."""
    for node in nodes(tree) if lines else ():
        if isinstance(node, _Placed):
            node.lineno += lines
            if node.end_lineno is not None:
                node.end_lineno += lines


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    fields = _FIELDS[kind] = tuple(name for name in kind._fields if name not in _NO_NODES)
    return fields


_Placed = ast.stmt | ast.expr | ast.excepthandler | ast.arg | ast.keyword | ast.alias | ast.pattern
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
