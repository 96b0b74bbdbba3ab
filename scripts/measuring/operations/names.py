"""Which spellings of torch are one operation: functions, methods, operators and aliases under one name."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from measuring.operations.signatures import PYTHON

Function = Any
"""A builtin, method descriptor, property or Python function of torch."""

DOTTED = ("linalg.", "fft.", "masked.", "signal.windows.", "sparse.")
"""Namespaces whose names mean something else than the same name elsewhere."""

APART = {
    "torch.nn.functional.unfold": "functional.unfold",
    "torch.nn.init.normal_": "init.normal_",
    "torch.nn.init.uniform_": "init.uniform_",
}
"""Functions that share their last name with another operation."""

SIGNS: dict[str, tuple[str, Callable[..., Any]]] = {
    "Add": ("add", operator.add),
    "Sub": ("sub", operator.sub),
    "Mult": ("mul", operator.mul),
    "Div": ("div", operator.truediv),
    "FloorDiv": ("floor_divide", operator.floordiv),
    "Mod": ("remainder", operator.mod),
    "Pow": ("pow", operator.pow),
    "MatMult": ("matmul", operator.matmul),
    "BitAnd": ("bitwise_and", operator.and_),
    "BitOr": ("bitwise_or", operator.or_),
    "BitXor": ("bitwise_xor", operator.xor),
    "LShift": ("bitwise_left_shift", operator.lshift),
    "RShift": ("bitwise_right_shift", operator.rshift),
    "Eq": ("eq", operator.eq),
    "NotEq": ("ne", operator.ne),
    "Lt": ("lt", operator.lt),
    "LtE": ("le", operator.le),
    "Gt": ("gt", operator.gt),
    "GtE": ("ge", operator.ge),
    "USub": ("neg", operator.neg),
    "UAdd": ("positive", operator.pos),
    "Invert": ("bitwise_not", operator.invert),
}
"""Operator in `ast` -> the operation behind it, and how to apply it."""

SPELLINGS = {
    "add": ("__add__", "__radd__"),
    "sub": ("__sub__",),
    "mul": ("__mul__", "__rmul__"),
    "div": ("__div__", "__truediv__"),
    "__rdiv__": ("__rtruediv__",),
    "floor_divide": ("__floordiv__", "__rfloordiv__"),
    "remainder": ("__mod__",),
    "pow": ("__pow__",),
    "matmul": ("__matmul__",),
    "bitwise_and": ("__and__", "__rand__"),
    "bitwise_or": ("__or__", "__ror__"),
    "bitwise_xor": ("__xor__", "__rxor__"),
    "bitwise_left_shift": ("__lshift__",),
    "bitwise_right_shift": ("__rshift__",),
    "eq": ("__eq__",),
    "ne": ("__ne__",),
    "lt": ("__lt__",),
    "le": ("__le__",),
    "gt": ("__gt__",),
    "ge": ("__ge__",),
    "neg": ("__neg__",),
    "positive": ("__pos__",),
    "bitwise_not": ("__invert__",),
    "abs": ("__abs__",),
    "getitem": ("__getitem__",),
    "setitem": ("__setitem__",),
    "unbind": ("__iter__", "iter"),
    "contains": ("__contains__",),
    "len": ("__len__",),
    "is_leaf": (
        "is_cpu",
        "is_cuda",
        "is_meta",
        "is_mps",
        "is_nested",
        "is_quantized",
        "is_sparse",
        "is_xpu",
        "itemsize",
        "nbytes",
        "retains_grad",
    ),
    "numpy": ("__array__",),
    "segment_reduce": ("_segment_reduce",),
    "__float__": (
        "__bool__",
        "__complex__",
        "__format__",
        "__hash__",
        "__index__",
        "__int__",
        "__repr__",
        "__str__",
    ),
}
"""Operation -> the methods by which Python calls it, and attributes that say as little about gradients.

The reflected methods with a row of their own take their arguments swapped.
"""


def table_name(dotted: str) -> str:
    """The name in the table: `exp` for `torch.exp`, `torch.Tensor.exp` and `torch.special.exp`."""
    if dotted in APART:
        return APART[dotted]
    name = dotted.removeprefix("torch.")
    if name.startswith(DOTTED):
        return name
    last = name.rpartition(".")[2]
    return next((op for op, dunders in SPELLINGS.items() if last in dunders), last)


@cache
def public() -> dict[int, str]:
    """Identity of a function -> its dotted name; the first of PYTHON's namespaces wins, then methods."""
    found: dict[int, str] = {}
    for namespace, owner in [*PYTHON.items(), ("torch.Tensor", torch.Tensor)]:
        for name in sorted(dir(owner), key=lambda name: (name.startswith("_"), name)):
            value = getattr(owner, name)
            if callable(value) and not name.startswith("__"):
                found.setdefault(id(value), f"{namespace}.{name}")
    return found


def function(dotted: str) -> Function:
    """What the dotted name stands for; None when torch has no such thing."""
    value: Any = torch
    for name in dotted.removeprefix("torch.").split("."):
        value = getattr(value, name, None)
    return value


@cache
def documented_aliases() -> dict[str, str]:
    """Alias -> operation, as the docstrings say: "Alias for :func:`torch.special.expit`"."""
    found: dict[str, str] = {}
    for namespace, owner in [*PYTHON.items(), ("torch.Tensor", torch.Tensor)]:
        for name in dir(owner):
            text = getattr(getattr(owner, name), "__doc__", None)
            match = re.search(r"\bAlias (?:for|of) :(?:func|meth):`~?([\w.]+)`", str(text)[:600])
            if match and not name.endswith("_"):
                alias, target = table_name(f"{namespace}.{name}"), table_name(match[1])
                if alias != target and hasattr(owner, name):
                    found[alias] = target
    return found


@cache
def deprecated_spellings() -> dict[str, str]:
    """Names that torch.nn keeps for old code: `kaiming_normal` for `kaiming_normal_`."""
    found = {}
    for owner in (torch.nn.init, torch.nn.utils):
        for name in dir(owner):
            plain = name.removesuffix("_")
            apart = f"{owner.__name__}.{name}" in APART
            if plain != name and hasattr(owner, plain) and not hasattr(torch, plain) and not apart:
                found[plain] = name
    return found
