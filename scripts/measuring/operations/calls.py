"""Calls to be measured: from torch's operator database, and from lines of text."""

from __future__ import annotations

import ast
import builtins
import copy
import operator
import runpy
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, resolve_name

from measuring.operations.names import SIGNS, function, public, table_name
from measuring.operations.signatures import METHODS
from measuring.values import flatten

TESTS = Path(__file__).resolve().parents[3] / "tests" / "runtime"
DTYPES = (torch.float64, torch.float32, torch.complex128, torch.int64, torch.bool)
"""The first of these that an operation takes is measured."""
GLANCES = 2
"""So many samples of each other dtype are looked at: whether `x.float()` is a view depends on it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a public function, method, operator or property, in the order of its public signature."""

    dotted: str
    """`torch.exp`, `torch.Tensor.exp_`, `torch.nn.functional.relu`."""
    function: Callable[..., Any]
    args: tuple[Any, ...]
    keywords: Mapping[str, Any]
    in_place: bool = False
    """It writes its first argument."""
    glance: bool = False
    """Only what it returns and shares is looked at."""

    @property
    def method(self) -> bool:
        """Whether the first argument is a receiver."""
        return self.dotted.startswith(METHODS)


class _Recorder(TorchFunctionMode):
    """Writes down the public functions that a wrapper of the database calls, with their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        keywords = dict(kwargs or {})
        dotted = (resolve_name(func) or "").removesuffix(".__get__").replace("torch.functional.", "torch.")
        with suppress(RuntimeError):  # a tensor that cannot be copied is none of the sample's
            self.calls.append(Call(dotted, func, copy.deepcopy(tuple(args)), copy.deepcopy(keywords)))
        return func(*args, **keywords)


def database() -> dict[str, list[Any]]:
    """Table name -> the entries of torch's operator database that test the operation."""
    from torch.testing._internal.common_methods_invocations import op_db

    found: dict[str, list[Any]] = {}
    for info in op_db:
        if not info.name.startswith("jiterator"):  # made for CUDA
            found.setdefault(entry_name(info), []).append(info)
    return found


def entry_name(info: Any) -> str:
    """The table name of an entry; `cauchy` tests `cauchy_`."""
    name = table_name(_dotted(info))
    spelled = table_name(public().get(id(info.op), ""))
    if spelled and spelled == name.removeprefix("_"):  # `_segment_reduce` is a function without underscore
        return spelled
    in_place = f"{name}_"
    if info.variant_test_name == "in_place" or (not hasattr(torch, name) and hasattr(torch.Tensor, in_place)):
        return in_place if not hasattr(torch.Tensor, name) or info.variant_test_name else name
    return name


def _dotted(info: Any) -> str:
    name: str = info.name
    return f"torch.{name.removeprefix('ops.aten.').removeprefix('torch.').removesuffix('.default')}"


def from_database(info: Any, count: int) -> Iterator[Call]:
    """The public calls behind the first `count` samples of an entry."""
    dtypes = sorted(info.supported_dtypes("cpu"), key=str)
    main = next((dtype for dtype in DTYPES if dtype in dtypes), None)
    if main is None:
        return
    name = entry_name(info)
    for dtype in [main, *(other for other in dtypes if other != main)]:
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for sample in _samples(info, dtype, count if dtype == main else GLANCES):
                call = _public_call(info, name, (sample.input, *sample.args), sample.kwargs)
                if call is not None:
                    empty = any(tensor.numel() == 0 for tensor in flatten([call.args, dict(call.keywords)]))
                    yield replace(call, glance=dtype != main or empty)  # of nothing nothing is saved


def _samples(info: Any, dtype: torch.dtype, count: int) -> Iterator[Any]:
    try:
        yield from islice(info.sample_inputs("cpu", dtype), count)
    except (RuntimeError, NotImplementedError):  # a sample that this dtype cannot make
        return


def _public_call(info: Any, name: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Call | None:
    dotted = public().get(id(info.op))
    if dotted and table_name(dotted) == name:
        return Call(dotted, info.op, args, keywords)
    if isinstance(info.op, (torch._ops.OpOverload, torch._ops.OpOverloadPacket)):
        return Call(_dotted(info), info.op, args, keywords)
    recorder = _Recorder()
    try:
        with recorder, torch.no_grad():
            info.op(*copy.deepcopy(args), **copy.deepcopy(keywords))
    except (RuntimeError, NotImplementedError, TypeError):
        return None
    found = next((call for call in recorder.calls if table_name(call.dotted) == name), None)
    writes = name.endswith("_") and not name.endswith("__")
    return replace(found, in_place=writes) if found else None


@cache
def _tensors() -> dict[str, torch.Tensor]:
    made: dict[str, torch.Tensor] = runpy.run_path(str(TESTS / "samples.py"))["TENSORS"]
    return made


def lines() -> list[str]:
    """The calls that the tests of the tables make, as text."""
    text = (TESTS / "op_calls.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def from_line(line: str) -> Call:
    """A call such as `x.exp()`, `torch.add(x, y)`, `x + y`, `x *= 2`, `x[0] = 1` or `x.T`."""
    match ast.parse(line).body[0]:
        case ast.AugAssign(target=target, op=sign, value=value):
            name, applied = SIGNS[type(sign).__name__]
            written = getattr(operator, f"i{applied.__name__.removesuffix('_')}")
            return Call(f"torch.{name}", written, (_value(target), _value(value)), {}, in_place=True)
        case ast.Assign(targets=[ast.Subscript(value=target, slice=index)], value=value):
            return _setitem(_value(target), _index(index), _value(value))
        case ast.Expr(value=expression):
            return _expression(expression)
    raise ValueError(f"cannot read {line}")


def _setitem(*args: Any) -> Call:
    def write(target: torch.Tensor, index: Any, value: Any) -> torch.Tensor:
        target[index] = value
        return target

    return Call("torch.Tensor.__setitem__", write, args, {}, in_place=True)


def _expression(expression: ast.expr) -> Call:
    match expression:
        case (
            ast.BinOp(left=left, op=sign, right=right)
            | ast.Compare(left=left, ops=[sign], comparators=[right])
        ):
            return _operator(sign, left, right)
        case ast.UnaryOp(op=sign, operand=operand):
            return _operator(sign, operand)
        case ast.Subscript(value=target, slice=index):
            return Call("torch.Tensor.__getitem__", operator.getitem, (_value(target), _index(index)), {})
        case ast.Attribute(value=target, attr=name):
            return Call(f"{METHODS}.{name}", operator.attrgetter(name), (_value(target),), {})
        case ast.Call(func=called, args=args, keywords=keywords):
            given = tuple(_value(arg) for arg in args)
            named = {keyword.arg or "": _value(keyword.value) for keyword in keywords}
            match called:
                case ast.Name(id=name):
                    return Call(f"{METHODS}.__{name}__", getattr(builtins, name), given, named)
                case ast.Attribute(value=ast.Name(id=name) as target, attr=method) if name != "torch":
                    dotted = f"{METHODS}.{method}"
                    return Call(dotted, function(dotted), (_value(target), *given), named, method[-1] == "_")
            dotted = ast.unparse(called)
            in_place = dotted[-1] == "_" or named.get("inplace") is True
            return Call(dotted, function(dotted), given, named, in_place)
    raise ValueError(f"cannot read {ast.unparse(expression)}")


def _operator(sign: ast.AST, *operands: ast.expr) -> Call:
    name, applied = SIGNS[type(sign).__name__]
    return Call(f"torch.{name}", applied, tuple(map(_value, operands)), {})


class _Subscript:
    """Gives back what stands between brackets, slices included."""

    def __getitem__(self, index: Any) -> Any:
        return index


def _index(node: ast.expr) -> Any:
    text = ast.unparse(ast.Subscript(ast.Name("within"), node))
    return eval(text, {"within": _Subscript()}, dict(_tensors()))


def _value(node: ast.expr) -> Any:
    return eval(ast.unparse(node), {"torch": torch}, dict(_tensors()))


def shown(call: Call) -> str:
    """The call with the shapes of its tensors, for people."""
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in flatten([call.args, dict(call.keywords)]))
    return f"{call.dotted} of {shapes}"
