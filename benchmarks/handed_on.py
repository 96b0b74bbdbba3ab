"""Regions of `mode_mutants.py` whose tensors go to code out of sight, as far as plain syntax shows.

Under inference_mode they are inference tensors, and whoever gets them may want to train with them: nothing
but the author's word tells that inference_mode is right there, so silence of TL401 is right as well. Asked
without torchlint, so that what it believes does not decide what it is measured by.
"""

from __future__ import annotations

import ast
import copy
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
With = ast.With | ast.AsyncWith

_READS = frozenset({"item", "tolist", "numpy", "size", "dim", "numel", "keys", "decode", "batch_decode"})
_FACTS = frozenset({"shape", "ndim", "dtype", "device", "training"})
_NUMBERS = frozenset(
    {"float", "int", "bool", "str", "len", "round", "isinstance", "range", "print", "repr", "format", "open"}
)
_LIBRARIES = frozenset(
    {"np", "numpy", "pd", "pandas", "math", "json", "os", "time", "random", "sklearn", "scipy", "sp_sparse"}
    | {"logging", "logger", "plt", "warnings", "xr", "sparse"}
)
_PLAIN = frozenset(
    {"int", "float", "bool", "str", "bytes", "None", "ndarray", "NDArray", "DataFrame", "Series", "DataArray"}
    | {"spmatrix", "csr_matrix", "AnnData"}
)
_HOLDERS = frozenset({"list", "tuple", "dict", "set", "optional", "union", "iterable", "sequence", "mapping"})


def reason(tree: ast.Module, region: Function | With, package: Path) -> str:
    """Why TL401 may stay silent about a region; empty where nothing says so."""
    function = region if isinstance(region, Function) else _around(tree, region)
    flow = _Flow(function if function is not None else tree, set(_own(region)), numbers(package))
    if flow.updates():
        return "it updates tensors that live on"
    if flow.trains():
        return "what it makes is trained on"
    if flow.stores():
        return "what it makes is stored for others"
    if function is None or not flow.gives():
        return ""
    return "its callers get tensors" if _is_installed(package) and _leaves(tree, function, package) else ""


def _leaves(tree: ast.Module, function: Function, package: Path, depth: int = 3) -> bool:
    """Whether what a function gives goes out of sight: who calls one with an underscore is in the file."""
    name = function.name
    if not name.startswith("_") or name.endswith("__"):
        return True
    for caller in ast.walk(tree) if depth else ():
        if isinstance(caller, Function) and caller is not function:
            calls = {
                node
                for node in _own(caller)
                if isinstance(node, ast.Call)
                and name == getattr(node.func, "attr", getattr(node.func, "id", ""))
            }
            flow = _Flow(caller, calls, numbers(package)) if calls else None
            if flow and (flow.stores() or (flow.gives() and _leaves(tree, caller, package, depth - 1))):
                return True
    return False


@cache
def numbers(package: Path) -> frozenset[str]:
    """The names of functions of a package that give back numbers, texts and arrays, wherever they are."""
    found: dict[str, bool] = {}
    for file in sorted(package.rglob("*.py")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, Function):
                plain = not _Flow(node, set(_own(node)), frozenset()).gives()
                found[node.name] = found.get(node.name, True) and plain
    return frozenset(name for name, plain in found.items() if plain)


class _Flow:
    """The names of a function that may hold tensors which a region made."""

    def __init__(self, scope: Function | ast.Module, inside: set[ast.AST], plain: frozenset[str]) -> None:
        self._scope = scope
        self._plain = plain
        self._nodes = list(_own(scope))
        self._inside = inside
        self._alone = {node.value for node in self._nodes if isinstance(node, ast.Expr)}
        self._held: set[str] = set()
        before = -1
        while before < len(self._held):
            before = len(self._held)
            for name, value in self._bindings():
                if self._carries(value):
                    self._held.add(name)

    def gives(self) -> bool:
        """Whether the function returns or yields such tensors."""
        if isinstance(self._scope, Function) and _is_plain(self._scope.returns):
            return False
        return any(
            node.value is not None and self._carries(node.value)
            for node in self._nodes
            if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom)
        )

    def stores(self) -> bool:
        """Whether it stores them in an attribute or what that holds, or hands them to a callback."""
        given = set(_parameters(self._scope))
        for node in self._nodes:
            if not isinstance(node, ast.Call):
                continue
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            kept = isinstance(node.func, ast.Attribute) and (
                node.func.attr == "register_buffer"
                or (node.func.attr in ("append", "extend") and isinstance(node.func.value, ast.Attribute))
            )
            given_on = isinstance(node.func, ast.Name) and node.func.id in given and node in self._alone
            if (kept or given_on) and any(map(self._carries, values)):
                return True
        return any(
            isinstance(target, ast.Attribute) and self._carries(node.value)
            for node in self._nodes
            if isinstance(node, ast.Assign)
            for target in node.targets
        )

    def trains(self) -> bool:
        """Whether it runs backward from them."""
        return any(
            isinstance(node.func, ast.Attribute) and node.func.attr == "backward"
            and (self._carries(node.func.value) or any(map(self._carries, node.args)))
            for node in self._nodes
            if isinstance(node, ast.Call)
        )  # fmt: skip

    def updates(self) -> bool:
        """Whether the region writes in place what it has not bound: by a call alone, or to a slice."""
        bound = {name for name, value in self._bindings() if value in self._inside}
        for node in self._inside:
            for target in node.targets if isinstance(node, ast.Assign) else ():
                sliced = isinstance(target, ast.Subscript) and any(map(_is_slice, ast.walk(target.slice)))
                if sliced and _root(target) in _parameters(self._scope):
                    return True
            call = node.value if isinstance(node, ast.Expr) else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                name = call.func.attr
                root = _root(call.func.value)
                if name.endswith("_") and not name.startswith("_") and root not in bound:
                    return True
        return False

    def _bindings(self) -> Iterator[tuple[str, ast.expr]]:
        for node in self._nodes:
            match node:
                case ast.Assign(targets=targets, value=value):
                    yield from ((name, value) for target in targets for name in _names(target))
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    yield from ((name, value) for name in _names(target))
                case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                    yield from ((name, value) for name in _names(target))
                case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                    yield from ((name, value) for name in _names(target))
                case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                    yield from ((name, value) for name in _names(target))
                case ast.Call(
                    func=ast.Attribute(value=holder, attr="append" | "extend" | "update"), args=args
                ):
                    yield from ((name, value) for name in _names(holder) for value in args)

    def _carries(self, node: ast.AST) -> bool:
        match node:
            case ast.Name(id=name):
                return name in self._held
            case ast.Attribute(value=value, attr=attr):
                return attr not in _FACTS and self._carries(value)
            case ast.Call():
                return self._gives_tensors(node)
            case ast.Constant() | ast.JoinedStr() | ast.Lambda():
                return False
            case ast.IfExp(body=body, orelse=orelse):
                return self._carries(body) or self._carries(orelse)
            case ast.Subscript(value=value):
                return self._carries(value)
            case ast.DictComp(value=value) | ast.ListComp(elt=value) | ast.SetComp(elt=value):
                return self._carries(value)
            case ast.GeneratorExp(elt=value):
                return self._carries(value)
        return any(self._carries(child) for child in ast.iter_child_nodes(node))

    def _gives_tensors(self, call: ast.Call) -> bool:
        function = call.func
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(function, ast.Name):
            if function.id in _NUMBERS or function.id in self._plain:
                return False
            if function.id == "cast" and len(given) == 2:
                return not _is_plain(given[0]) and self._carries(given[1])
            if function.id in ("list", "tuple", "dict", "zip", "sorted", "sum", "max", "min", "enumerate"):
                return any(map(self._carries, given))
        elif isinstance(function, ast.Attribute):
            root = _root(function)
            if function.attr in _READS or root in _LIBRARIES:
                return False
            if function.attr in self._plain and root not in ("torch", "F", "nn"):
                return False
            if not self._carries(function.value) and _is_known(function.value, self._nodes):
                return any(map(self._carries, given))  # a method of an array
        return call in self._inside or any(map(self._carries, [function, *given]))


def _is_known(node: ast.expr, nodes: list[ast.AST]) -> bool:
    """Whether what a method is called on is bound in the function, and so known not to hold tensors."""
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READS:
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and any(
        isinstance(one, ast.Assign) and node.id in {name for target in one.targets for name in _names(target)}
        for one in nodes
    )


def _is_plain(annotation: ast.expr | None) -> bool:
    """Whether an annotation names nothing but numbers, texts, arrays and containers of such."""
    if annotation is None:
        return False
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return False
    annotation = _Values().visit(copy.deepcopy(annotation))
    words = [node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "None")
             for node in ast.walk(annotation)
             if isinstance(node, ast.Name | ast.Attribute | ast.Constant)
             and not (isinstance(node, ast.Name) and node.id in _LIBRARIES)]  # fmt: skip
    held = [word for word in words if word.lower() not in _HOLDERS]
    return bool(held) and all(word in _PLAIN for word in held)


class _Values(ast.NodeTransformer):
    """A dict without its keys: they are no tensors, whatever they are called."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Keep of `dict[K, V]` the `V`."""
        if ast.unparse(node.value).lower().rpartition(".")[2] == "dict" and isinstance(node.slice, ast.Tuple):
            return self.visit(node.slice.elts[-1])
        return self.generic_visit(node)


def _is_installed(package: Path) -> bool:
    """Whether a folder is what a registry gave out, whose public functions anybody may call."""
    return any(package.glob("*/__init__.py")) or any(package.glob("*.dist-info"))


def _parameters(scope: Function | ast.Module) -> list[str]:
    if isinstance(scope, ast.Module):
        return []
    return [one.arg for one in (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs)]


def _around(tree: ast.Module, region: With) -> Function | None:
    holders = [node for node in ast.walk(tree) if isinstance(node, Function) and region in _own(node)]
    return holders[0] if holders else None


def _names(target: ast.expr) -> list[str]:
    """The names that hold a value once it is bound; what is set in slices of a tensor is copied."""
    while isinstance(target, ast.Subscript | ast.Starred):
        if isinstance(target, ast.Subscript) and any(map(_is_slice, ast.walk(target.slice))):
            return []
        target = target.value
    if isinstance(target, ast.Tuple | ast.List):
        return [name for element in target.elts for name in _names(element)]
    return [target.id] if isinstance(target, ast.Name) else []


def _is_slice(node: ast.AST) -> bool:
    return isinstance(node, ast.Slice)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _own(top: ast.AST) -> Iterator[ast.AST]:
    """What stands in the body of a statement and in no function or class inside."""
    waiting: list[ast.AST] = list(getattr(top, "body", ()))
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.ClassDef | ast.Lambda):
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))
