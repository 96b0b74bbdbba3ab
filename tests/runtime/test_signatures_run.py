"""The `args` of both tables, held against the signatures that torch ships: stubs, docstrings, `inspect`."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import torch

from torchlint.tables.rows import parts, read, signature

Signature = tuple[tuple[str, ...], tuple[str, ...]]
"""Positional names, the variadic one with its star, and the names of keyword-only arguments."""

PYTHON = (
    torch,
    torch.nn.functional,
    torch.nn.init,
    torch.nn.utils,
    torch.nn.utils.rnn,
    torch.masked,
    torch.signal.windows,
)
STUBS = ("_C/_VariableFunctions.pyi", "_C/_nn.pyi", "_C/__init__.pyi", "nn/functional.pyi")
DOCUMENTED = (torch, torch.nn.functional, torch.Tensor, torch.linalg, torch.fft, torch.special, torch.sparse)


@cache
def known() -> dict[str, set[Signature]]:
    """Every signature under its last name; the receiver of a method is called `input`."""
    found: dict[str, set[Signature]] = defaultdict(set)
    package = Path(torch.__file__).parent
    for stub in STUBS:
        tree = ast.parse((package / stub).read_text("utf-8"))
        tensor = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "TensorBase"]
        for node in [*tree.body, *(tensor[0].body if tensor else [])]:
            if isinstance(node, ast.FunctionDef):
                found[node.name].add(_from_stub(node.args))
    for namespace in (*PYTHON, torch.Tensor):
        for name in dir(namespace):
            value = getattr(namespace, name)
            if inspect.isfunction(value):
                with suppress(ValueError):  # a Python wrapper of a builtin
                    found[name].add(_from_python(inspect.signature(value)))
    for namespace in DOCUMENTED:
        for name in dir(namespace):
            value = getattr(namespace, name)
            if callable(value) and isinstance(value.__doc__, str):
                text = " ".join(value.__doc__[:400].split())
                for arguments in re.findall(rf"\b{re.escape(name)}\((.*?)\) ?->", text):
                    found[name].add(_from_text(arguments, is_method=namespace is torch.Tensor))
    return found


def _from_stub(args: ast.arguments) -> Signature:
    names = [arg.arg for arg in args.posonlyargs + args.args]
    star = [f"*{args.vararg.arg}"] if args.vararg else []
    return _named(names + star), tuple(arg.arg for arg in args.kwonlyargs)


def _from_python(found: inspect.Signature) -> Signature:
    names, keywords = [], []
    for parameter in found.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            keywords.append(parameter.name)
        elif parameter.kind is not parameter.VAR_KEYWORD:
            names.append(("*" if parameter.kind is parameter.VAR_POSITIONAL else "") + parameter.name)
    return _named(names), tuple(keywords)


def _from_text(arguments: str, *, is_method: bool) -> Signature:
    plain = re.sub(r"\[.*?\]|\([^()]*\)", "", arguments)
    words = [re.split(r"[=:]", part)[0].split() for part in plain.split(",")]
    names = [word[-1] for word in words if word]
    names = ["input", *names] if is_method else names
    at = names.index("*") if "*" in names else len(names)
    return _named(names[:at]), tuple(names[at + 1 :])


def _named(names: list[str]) -> tuple[str, ...]:
    return tuple("input" if name == "self" else name for name in names)


# Properties, operators written with brackets, and what torch hides behind `*args`: nothing to read.
UNREADABLE = {
    "H",
    "T",
    "data",
    "device",
    "dtype",
    "grad",
    "grad_fn",
    "is_leaf",
    "layout",
    "mT",
    "ndim",
    "shape",
}
UNREADABLE |= {"requires_grad", "getitem", "setitem", "slice", "to", "lu", "linalg.multi_dot"}
UNREADABLE |= {"_batch_norm_with_update", "native_dropout_backward"}
OPERATIONS = [row for row in read("ops.tsv") if row[0] not in UNREADABLE]
ALIASES = {row[0]: parts(row[2]) for row in read("ops.tsv") if row[1] == "-"}


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: f"{row[0]} {row[1]}")
def test_an_operation_has_the_arguments_of_one_of_its_spellings(row: list[str]) -> None:
    names = [name.rpartition(".")[2] for name in [row[0], *ALIASES[row[0]]]]
    signatures = set().union(*(known()[name] | known()[f"{name}_"] for name in names))
    found = signature(row[3])
    args = [*found.args[:-1], f"*{found.args[-1]}"] if found.variadic else found.args
    assert tuple(args) in {args for args, _ in signatures}
    assert set(found.keywords) <= {name for args, keywords in signatures for name in args + keywords}


def test_the_unreadable_are_in_the_table() -> None:
    assert set(ALIASES) >= UNREADABLE


LAYERS = [row for row in read("modules.tsv") if row[1] != "-"]


@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row[0])
def test_a_layer_has_the_arguments_and_defaults_of_its_class(row: list[str]) -> None:
    found = signature(row[1])
    layer = _class(row[0])
    real = dict(list(inspect.signature(layer.__init__).parameters.items())[1:])
    if layer in (torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU):  # *args in torch: ask what becomes of each
        given = (5, 4, 2, *(["relu"] if layer is torch.nn.RNN else []), False, True, 0.5, True)
        built = layer(*given)
        assert [getattr(built, name) for name in found.args[: len(given)]] == list(given)
        return
    real.pop("kwargs", None)
    names = [name for name, parameter in real.items() if parameter.kind is not parameter.KEYWORD_ONLY]
    assert list(found.args) == names
    assert list(found.keywords) == [name for name in real if name not in names]
    assert dict(found.defaults) == {
        name: getattr(parameter.default, "__name__", repr(parameter.default))
        for name, parameter in real.items()
        if parameter.default is not parameter.empty
    }


def test_every_class_of_torch_nn_has_a_row() -> None:
    rows = {row[0] for row in read("modules.tsv")}
    public = {name: getattr(torch.nn, name) for name in dir(torch.nn)}
    classes = {name for name, value in public.items() if inspect.isclass(value)}
    assert rows - {"torch.nn.parallel.DistributedDataParallel"} == {
        f"torch.nn.{name}" for name in classes if issubclass(public[name], torch.nn.Module)
    }


def _class(dotted: str) -> type[torch.nn.Module]:
    value: object = torch
    for name in dotted.split(".")[1:]:
        value = getattr(value, name)
    assert isinstance(value, type)
    return value
