"""What the outline keeps of expressions: literals, names, and calls with their arguments."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Construct:
    """A call in the outline: `nn.Dropout(0.1)`; arguments are literals, constructs or UNREADABLE."""

    callee: str
    arguments: tuple[object, ...]
    keywords: tuple[tuple[str, object], ...]

    @property
    def names_class(self) -> bool:
        """Whether the callee is spelled as classes are."""
        return self.callee.rpartition(".")[2][:1].isupper()


@dataclass(frozen=True, slots=True)
class Named:
    """A name in the outline: `F.softmax`, or a parameter."""

    name: str


class Listed(tuple[object, ...]):
    """The elements of a list, tuple or dict that is written out; other tuples are what may stand there."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Listed{super().__repr__()}"


UNREADABLE = object()

FILLING = frozenset({"append", "extend", "insert", "add_module", "update"})
"""Methods that put something into a list or dict of modules."""


@cache
def literal(text: str) -> object:
    """The value of a literal's text; None where it has none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError):
        return None


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` for a chain of names, else None; a call counts as its callee."""
    parts: list[str] = []
    if isinstance(node, ast.Call):
        node = node.func
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    parts.append(node.id)
    return ".".join(reversed(parts))


def self_attribute(node: ast.AST) -> str | None:
    """`x` for the expression `self.x`, else None."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return node.attr
    return None


def gist(value: object, *, outermost: bool = True) -> object:
    """What of a value that an attribute holds decides what a class is, to be compared.

    Which names stand among the arguments of a call is nothing to anybody but a defaultdict, and a function,
    which may call them.
    """
    if isinstance(value, Construct):
        makes = not value.names_class
        return (
            value.callee,
            tuple(gist(item, outermost=makes) for item in value.arguments),
            tuple((name, gist(item, outermost=makes)) for name, item in value.keywords),
        )
    if isinstance(value, tuple):
        return tuple(gist(item, outermost=False) for item in value)
    if value is UNREADABLE or (isinstance(value, Named) and not outermost):
        return None
    return repr(value)  # 1, True and 1.0 are equal and not the same


def construct(node: ast.expr | None) -> object:
    """A literal, a Construct, a Named, a tuple of them, or UNREADABLE."""
    match node:
        case ast.Constant():
            return node.value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List() | ast.Tuple():
            return Listed(construct(item) for item in node.elts)
        case ast.Dict():
            return Listed(construct(item) for item in node.values)
        case ast.Starred() | ast.NamedExpr():
            return construct(node.value)
        case ast.ListComp() | ast.GeneratorExp():
            return (construct(node.elt),)
        case ast.IfExp():
            return (construct(node.body), construct(node.orelse))
        case ast.BoolOp():
            return tuple(construct(item) for item in node.values)
        case ast.Call():
            callee = dotted(node.func)
            if callee is None:
                return UNREADABLE
            keywords = tuple((item.arg or "**", construct(item.value)) for item in node.keywords)
            return Construct(callee, tuple(construct(item) for item in node.args), keywords)
        case ast.Name() | ast.Attribute():
            name = dotted(node)
            return Named(name) if name is not None else UNREADABLE
    return UNREADABLE
