"""Forward hooks that a function sets: where they keep what modules give, a call is made for its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import libcst as cst

from torchlint.flow.tree import parents, within

_STORING = frozenset({"append", "appendleft", "add", "extend", "insert", "put", "setdefault", "update"})
_SIZES = frozenset({"shape", "size", "dim", "ndim", "numel", "element_size", "dtype", "device", "nbytes"})

Hook = cst.FunctionDef | cst.Lambda


@lru_cache(maxsize=16)
def keeps_outputs(tree: cst.Module) -> bool:
    """Whether a forward hook that is defined and set in a tree stores outputs, not only what they measure."""
    functions = {node.name.value: node for node in within(tree) if isinstance(node, cst.FunctionDef)}
    for node in within(tree):
        match node:
            case cst.Call(func=cst.Attribute(attr=cst.Name("register_forward_hook")), args=[first, *_]):
                if any(_stores(tree, hook) for hook in _hooks(functions, first.value)):
                    return True
    return False


def _hooks(functions: Mapping[str, cst.FunctionDef], given: cst.BaseExpression) -> Iterator[Hook]:
    """The functions that an argument may stand for: a nested one, or those inside one that makes them."""
    match given:
        case cst.Lambda():
            yield given
        case cst.Name(value=name) if name in functions:
            yield functions[name]
        case cst.Call(func=cst.Name(value=name)) if name in functions:
            maker = functions[name]
            yield from (one for one in within(maker.body) if isinstance(one, Hook))


def _stores(tree: cst.Module, hook: Hook) -> bool:
    """Whether a hook puts its last argument, the output, somewhere where it stays."""
    given = [one.name.value for one in hook.params.params if one.default is None]
    names, waiting = set(given[-1:]), len(given) > 2
    while waiting:
        waiting = False
        for node in within(hook.body):
            if not (isinstance(node, cst.Name) and node.value in names):
                continue
            match _user(tree, node):
                case cst.Call(func=cst.Attribute(attr=cst.Name(value=method))) if method in _STORING:
                    return True
                case (
                    cst.Assign(targets=[cst.AssignTarget(target=cst.Name() | cst.Tuple() as target)])
                    | cst.For(target=target)
                ):
                    bound = {one.value for one in within(target) if isinstance(one, cst.Name)}
                    waiting |= not bound <= names
                    names |= bound
                case cst.Assign():
                    return True
    return False


def _user(tree: cst.Module, node: cst.CSTNode) -> cst.CSTNode | None:
    """The call that is given a value, what was read off it or made by its methods; what binds it."""
    around = parents(tree)
    while (outer := around.get(node)) is not None:
        match outer:
            case cst.Attribute(value=value, attr=cst.Name(value=name)) if value is node:
                if name in _SIZES:
                    return None
            case cst.Subscript(value=value) if value is node:
                pass
            case cst.Call(func=func) if func is node:
                pass
            case cst.IfExp(test=test) if test is not node:
                pass
            case cst.Arg():
                call = around.get(outer)
                return call if isinstance(call, cst.Call) else None
            case cst.Assign(value=value) | cst.For(iter=value) if value is node:
                return outer
            case _:
                return None
        node = outer
    return None
