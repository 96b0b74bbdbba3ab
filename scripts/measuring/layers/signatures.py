"""The signatures of a class of torch.nn: of its constructor and of its call."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from inspect import Parameter, Signature

from torch import nn


def constructor(cls: type[nn.Module]) -> Signature:
    """What builds the class, without `self`; of an overloaded one, the first overload.

    The recurrent layers take `*args, **kwargs` and say in an overload what these are.
    """
    if cls.__init__ is nn.Module.__init__:
        return Signature()  # written as (*args, **kwargs), but it refuses both
    found = _without_self(inspect.signature(cls.__init__))
    if [parameter.kind for parameter in found.parameters.values()] != [
        Parameter.VAR_POSITIONAL,
        Parameter.VAR_KEYWORD,
    ]:
        return found
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(cls)))):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            if any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list):
                return _without_self(_evaluated(node.args, vars(sys.modules[cls.__module__])))
            break
    return found


def call(cls: type[nn.Module]) -> Signature | None:
    """What calls a module of the class; None for a class that leaves `forward` to its subclasses."""
    if cls.forward is nn.Module.forward:
        return None
    return _without_self(inspect.signature(cls.forward))


def cell(found: Signature | None, *, defaults: bool) -> str:
    """The signature as modules.tsv writes it."""
    if found is None or not found.parameters:
        return "-"
    words: list[str] = []
    may_be_positional = True
    for name, parameter in found.parameters.items():
        if parameter.kind is Parameter.VAR_POSITIONAL:
            may_be_positional = False
            words.append(f"*{name}")
            continue
        if parameter.kind is Parameter.VAR_KEYWORD:
            words.append(f"**{name}")
            continue
        if parameter.kind is Parameter.KEYWORD_ONLY and may_be_positional:
            may_be_positional = False
            words.append("*" if defaults else "")
        has_default = defaults and parameter.default is not Parameter.empty
        words.append(f"{name}={_text(parameter.default)}" if has_default else name)
    assert not any("," in word for word in words), words
    return ",".join(word for word in words if word)


def _text(default: object) -> str:
    return default.__name__ if inspect.isroutine(default) else repr(default)


def _evaluated(args: ast.arguments, scope: dict[str, object]) -> Signature:
    for arg in [*args.posonlyargs, *args.args, *args.kwonlyargs]:
        arg.annotation = None
    return inspect.signature(eval(f"lambda {ast.unparse(args)}: None", scope))


def _without_self(found: Signature) -> Signature:
    return found.replace(parameters=list(found.parameters.values())[1:])
