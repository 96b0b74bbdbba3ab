"""The public signatures of torch: read from its stubs, from `inspect` and from docstrings."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Literal, TypeAlias

import torch

from measuring.values import holds_tensor

STUBS = {
    "_C/_VariableFunctions.pyi": "torch",
    "_C/_nn.pyi": "torch.nn.functional",
    "nn/functional.pyi": "torch.nn.functional",
}
PYTHON: dict[str, ModuleType] = {
    "torch": torch,
    "torch.nn.functional": torch.nn.functional,
    "torch.nn.init": torch.nn.init,
    "torch.nn.utils": torch.nn.utils,
    "torch.nn.utils.rnn": torch.nn.utils.rnn,
    "torch.masked": torch.masked,
    "torch.signal.windows": torch.signal.windows,
    "torch.linalg": torch.linalg,
    "torch.fft": torch.fft,
    "torch.special": torch.special,
    "torch.sparse": torch.sparse,
}
METHODS = "torch.Tensor"


Source: TypeAlias = Literal["python", "stub", "docstring"]
"""Where a signature was read; `inspect` on a Python function is never wrong, a docstring often is."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One overload of one callable; the receiver of a method is its first argument, `input`."""

    namespace: str
    names: tuple[str, ...]
    keywords: tuple[str, ...]
    """Arguments that can only be given by name."""
    variadic: bool
    """The last of `names` takes all positional arguments that follow."""
    required: int
    """How many of `names` have no default."""
    types: tuple[tuple[str, str], ...] = ()
    """What the stub says of an argument; an argument without a type takes anything."""
    defaults: tuple[tuple[str, str], ...] = ()
    """Argument -> the text of its default."""
    deprecated: bool = False
    """A stub that calls a tensor `self` in a function is of an order kept for old code."""
    source: Source = "stub"

    def bind(self, positional: Sequence[object], keywords: Mapping[str, object]) -> dict[str, object] | None:
        """Argument name -> value, of a variadic argument a tuple; None where the call does not fit."""
        if not self.variadic and len(positional) > len(self.names):
            return None
        bound: dict[str, object] = dict(zip(self.names, positional, strict=False))
        if self.variadic and len(positional) >= len(self.names):
            bound[self.names[-1]] = tuple(positional[len(self.names) - 1 :])
        for name, value in keywords.items():
            if name in bound or name not in (*self.names, *self.keywords):
                return None
            bound[name] = value
        needed = self.names[: self.required]
        if any(name not in bound for name in needed):
            return None
        types = dict(self.types)
        if any(not _fits(value, types.get(name, "")) for name, value in bound.items()):
            return None
        return bound

    def agrees(self, other: Signature) -> bool:
        """Whether the same positions have the same names, as far as both go."""
        return all(a == b for a, b in zip(self.names, other.names, strict=False))

    def reorders(self, other: Signature) -> bool:
        """Whether it has a name of the other in another place, as `x.where(condition, y)` has."""
        places = {name: place for place, name in enumerate(other.names)}
        return any(places.get(name, place) != place for place, name in enumerate(self.names))

    def takes_tensor(self, name: str) -> bool:
        """Whether the argument may be a tensor, as far as is known."""
        return "Tensor" in dict(self.types).get(name, "Tensor")

    def is_default(self, name: str, literal: str) -> bool:
        """Whether the argument has this value where it is not given."""
        text = dict(self.defaults).get(name)
        if text is None:
            return False
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return False
        return literal == str(value) or (isinstance(value, float) and literal == str(int(value)))

    def says_whether(self, name: str) -> bool:
        """Whether it matters that the argument is given at all: without it there is none."""
        return dict(self.defaults).get(name, "None") == "None"

    def cell(self) -> str:
        """As in the tables: `input,*size,*,dtype`."""
        names = list(self.names)
        if self.variadic:
            names[-1] = f"*{names[-1]}"
        return ",".join([*names, *(["*", *self.keywords] if self.keywords else [])]) or "-"


def from_schema(overload: torch._ops.OpOverload) -> Signature:
    """What an operator of ATen says of itself, for those that have no public function."""
    args = overload._schema.arguments
    return _renamed(
        Signature(
            "torch",
            tuple(arg.name for arg in args if not arg.kwarg_only),
            tuple(arg.name for arg in args if arg.kwarg_only),
            False,
            sum(not arg.has_default_value() for arg in args if not arg.kwarg_only),
            tuple((arg.name, str(arg.type)) for arg in args),
        )
    )


@cache
def known() -> dict[str, list[Signature]]:
    """Last name -> every signature under it, in the order in which torch tries its overloads."""
    found: dict[str, list[Signature]] = defaultdict(list)
    package = Path(torch.__file__).parent
    for stub, namespace in STUBS.items():
        for node in ast.parse((package / stub).read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                found[node.name].append(_from_stub(node.args, namespace))
    for statement in ast.parse((package / "_C/__init__.pyi").read_text("utf-8")).body:
        if isinstance(statement, ast.ClassDef) and statement.name == "TensorBase":
            for node in statement.body:
                if isinstance(node, ast.FunctionDef):
                    found[node.name].append(_from_stub(node.args, METHODS))
    for namespace, owner in [*PYTHON.items(), (METHODS, torch.Tensor)]:
        for name in dir(owner):
            found[name] += _documented(getattr(owner, name), name, namespace)
    return {name: list(dict.fromkeys(signatures)) for name, signatures in found.items()}


def _documented(value: object, name: str, namespace: str) -> Iterable[Signature]:
    if inspect.isfunction(value):
        with suppress(ValueError):  # a Python wrapper of a builtin
            signature = _from_python(inspect.signature(value), namespace)
            if signature.names != ("args",):  # a wrapper that hides its arguments
                yield signature
    if callable(value) and isinstance(value.__doc__, str):
        text = " ".join(value.__doc__[:400].split()).replace("\\*", "*")
        called = rf"\b{re.escape(name)}\((.*?)\)"
        for arguments in re.findall(f"{called} ?->", text) or re.findall(rf"^(?:\w+\.)*{called}", text):
            signature = _from_text(arguments, namespace)
            if all(part.isidentifier() for part in (*signature.names, *signature.keywords)):
                yield signature


def _from_stub(args: ast.arguments, namespace: str) -> Signature:
    every = args.posonlyargs + args.args
    names = [arg.arg for arg in every] + ([args.vararg.arg] if args.vararg else [])
    optional: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(every[len(every) - len(args.defaults) :], args.defaults, strict=True)
    ]
    optional += zip(args.kwonlyargs, args.kw_defaults, strict=True)
    types = [(arg.arg, ast.unparse(arg.annotation)) for arg in every + args.kwonlyargs if arg.annotation]
    return _renamed(
        Signature(
            namespace,
            tuple(names),
            tuple(arg.arg for arg in args.kwonlyargs),
            args.vararg is not None,
            len(every) - len(args.defaults),
            tuple(types),
            tuple((arg.arg, ast.unparse(default)) for arg, default in optional if default is not None),
            namespace != METHODS and "self" in names,
        )
    )


def _from_python(found: inspect.Signature, namespace: str) -> Signature:
    names, keywords, required, variadic = [], [], 0, False
    for parameter in found.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            keywords.append(parameter.name)
        elif parameter.kind is not parameter.VAR_KEYWORD:
            names.append(parameter.name)
            variadic |= parameter.kind is parameter.VAR_POSITIONAL
            required += parameter.default is parameter.empty and not variadic
    defaults = tuple(
        (name, repr(parameter.default))
        for name, parameter in found.parameters.items()
        if parameter.default is not parameter.empty
    )
    return _renamed(
        Signature(
            namespace, tuple(names), tuple(keywords), variadic, required, defaults=defaults, source="python"
        )
    )


def _from_text(arguments: str, namespace: str) -> Signature:
    plain = re.sub(r"\[.*?\]|\([^()]*\)", "", arguments)
    words = [(re.split(r"[=:]", part)[0].split(), "=" in part) for part in plain.split(",")]
    names = [(word[-1], optional) for word, optional in words if word]
    if namespace == METHODS and names[:1] != [("input", False)]:
        names.insert(0, ("input", False))
    at = next((i for i, (name, _) in enumerate(names) if name == "*"), len(names))
    positional = names[:at]
    variadic = bool(positional) and positional[-1][0].startswith("*")
    return _renamed(
        Signature(
            namespace,
            tuple(name.removeprefix("*") for name, _ in positional),
            tuple(name for name, _ in names[at + 1 :]),
            variadic,
            sum(not optional for _, optional in positional) - variadic,
            source="docstring",
        )
    )


def _renamed(signature: Signature) -> Signature:
    def rename(name: str) -> str:
        return "input" if name == "self" else name

    types = tuple((rename(name), text) for name, text in signature.types)
    return replace(signature, names=tuple(map(rename, signature.names)), types=types)


def _fits(value: object, text: str) -> bool:
    """Whether an overload with this annotation takes the value; only what tells overloads apart is asked."""
    if not text or "Any" in text:
        return True
    tensor = "Tensor" in text
    if isinstance(value, torch.Tensor):
        return (tensor and not text.startswith(("tuple", "list", "Sequence"))) or "Number" in text
    if value is None:
        return "None" in text or "Optional" in text
    if isinstance(value, (list, tuple)) and value:
        if holds_tensor(value):
            return tensor
        return any(word in text for word in ("Sequence", "list", "List", "tuple", "Size", "size", "None"))
    if isinstance(value, (bool, int, float, complex)):
        return (text != "Tensor" and not text.startswith("Tensor |")) or "Number" in text
    if isinstance(value, str):
        return "str" in text or "Device" in text
    return True
