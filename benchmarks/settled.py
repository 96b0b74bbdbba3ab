"""Sites of `mode_mutants.py` where taking `X.eval()` away makes no mistake, as far as plain syntax shows.

Asked without torchlint, so that what it believes does not decide what it is measured by.
"""

from __future__ import annotations

import ast
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Package:
    """What the functions of a package do to modes, by their bare names."""

    leaving_eval: set[str] = field(default_factory=set)
    """Functions whose last call of a mode is eval()."""
    behind_eval: set[str] = field(default_factory=set)
    """What functions call after an eval(), with no train() in between."""


@cache
def package(root: Path) -> Package:
    """What the files under a folder say; those that cannot be read say nothing."""
    found = Package()
    for file in sorted(root.rglob("*.py")):
        text = file.read_bytes()
        tree = _parsed(text) if b".eval()" in text else None
        for function in ast.walk(tree) if tree is not None else ():
            if isinstance(function, Function):
                mode = ""
                for name in _called(function):
                    if name in ("eval", "train"):
                        mode = name
                    elif mode == "eval":
                        found.behind_eval.add(name)
                if mode == "eval":
                    found.leaving_eval.add(function.name)
    return found


def reason(tree: ast.Module, function: Function, thing: str, region: int, root: Path) -> str:
    """Why taking `thing.eval()` out of a function is no mistake; empty where nothing says so.

    `region` is the line of the first call of the thing without gradients.
    """
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    owner = next((node for node in classes if function in node.body), None)
    modes = _modes(owner, function, thing) if owner is not None else {}
    if owner is not None and _is_module(owner) and thing.partition(".")[0] == "self" and "train" not in modes:
        return "whoever uses the module sets its mode"
    if "eval" in modes and "train" not in modes and "__init__" in modes["eval"]:
        return "the constructor calls eval()"
    known = package(root)
    if known.leaving_eval & set(_called(function, before=region)) - {"eval", function.name}:
        return "something that it calls before calls eval()"
    if function.name in known.behind_eval:
        return "a caller calls eval()"
    return ""


def _modes(owner: ast.ClassDef, function: Function, thing: str) -> dict[str, set[str]]:
    """The other methods of a class that call `eval` and `train` on a thing, or what it is a part of."""
    found: dict[str, set[str]] = defaultdict(set)
    for method in owner.body:
        for node in ast.walk(method) if isinstance(method, Function) and method is not function else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                mode, of = node.func.attr, ast.unparse(node.func.value)
                if mode in ("eval", "train") and f"{thing}.".startswith(f"{of}."):
                    found[mode].add(method.name)
    return found


def _is_module(owner: ast.ClassDef) -> bool:
    bases = {ast.unparse(base).rpartition(".")[2] for base in owner.bases}
    return any(isinstance(node, Function) and node.name == "forward" for node in owner.body) or any(
        base.endswith("Module") for base in bases
    )


def _name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _called(function: Function, before: int | None = None) -> list[str]:
    """The names that a function calls, in the order of the text."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    calls.sort(key=lambda node: (node.lineno, node.col_offset))
    return [_name(node) for node in calls if before is None or node.lineno < before]


def _parsed(text: bytes) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return None
