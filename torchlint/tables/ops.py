"""Rows of ops.tsv: what a torch operation saves for backward, writes, aliases and returns.

The header of ops.tsv explains every column. A row becomes an `Op` only when it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

from torchlint.tables.rows import (
    Argument,
    Given,
    Saved,
    Saves,
    numbers,
    parts,
    read,
    saved,
    signature,
    verdict,
)


class Result(Enum):
    """What a call returns, as autograd sees it."""

    GRAPH = "graph"  # a tensor that carries a graph once a float tensor argument requires grad
    MIXED = "mixed"  # a tuple or list; only `graph_outputs` carry a graph
    PLAIN = "plain"  # tensors that never carry a graph
    FRESH = "fresh"  # a new tensor; it requires grad only when built with requires_grad=True
    CUT = "cut"  # the same values without the graph
    ARRAY = "array"  # a numpy array
    NUMBER = "number"  # a number, bool, string, size or list of numbers
    NOTHING = "nothing"  # None, or an object that is no tensor


class View(Enum):
    """Whether a result shares memory with the first argument, or with the members of that list."""

    NEVER = "-"
    VIEW = "view"
    MAYBE = "maybe"  # a view, the very same object or a copy
    MULTI = "multi"  # several views made at once: torch forbids writing one of them in grad mode
    SELF = "self"  # the very same object
    UNTRACKED = "untracked"  # it shares memory but no version: backward never notices a write


@dataclass(frozen=True, slots=True)
class Op:
    """One operation, in one of its forms; a tensor method has its receiver as first argument."""

    name: str
    args: tuple[str, ...]
    keywords: tuple[str, ...]
    """Arguments that can only be given by name."""
    variadic: bool
    """The last of `args` takes all positional arguments that follow."""
    saves: tuple[Saved, ...]
    saves_result: Saves
    saved_outputs: tuple[int, ...]
    """Which outputs of a tuple `saves_result` means; empty: all."""
    result: Result
    graph_outputs: tuple[int, ...]
    """Which outputs of a MIXED result carry a graph; empty: all."""
    view: View
    writes: str | None
    """The argument that the call writes in place."""
    refuses_overlap: bool
    """It raises where that is memory in which several elements lie in one place, as `expand` makes it."""
    refuses_overlapping_operands: bool
    """It raises as well where the memory of another argument overlaps in part what it writes."""
    forms: tuple[tuple[str, Op], ...] = ()

    def form(
        self, positional: Sequence[Argument], keywords: Mapping[str, Argument], *, method: bool = False
    ) -> Op:
        """The form that a call with these arguments takes; the operation itself when none fits.

        With `method` the first of `positional` is the receiver.
        """
        for condition, op in self.forms:
            if _holds(condition, op.args, positional, keywords, method=method):
                return op
        return self


_CONSTRUCTOR = re.compile(
    r"torch\.(cuda\.)?(Float|Double|Half|BFloat16|Bool|Byte|Char|Short|Int|Long)?Tensor"
)


def op(name: str) -> Op | None:
    """The operation with this name, alias or in-place name (`relu_`); None for a stranger.

    A dotted name means the row with its longest tail: `torch.linalg.norm` is `linalg.norm`,
    `torch.mul` and `torch.Tensor.mul` are `mul`. `torch.FloatTensor` and its like make what `tensor` makes.
    """
    if _CONSTRUCTOR.fullmatch(name):
        name = "tensor"
    while (found := _op(name)) is None and "." in name:
        name = name.partition(".")[2]
    return found


_OPERATORS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "//": "floor_divide",
    "%": "remainder",
    "**": "pow",
    "@": "matmul",
    "&": "bitwise_and",
    "|": "bitwise_or",
    "^": "bitwise_xor",
    "<<": "bitwise_left_shift",
    ">>": "bitwise_right_shift",
    "==": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
}
_UNARY = {"-": "neg", "+": "positive", "~": "bitwise_not"}


def binary(operator: str) -> Op | None:
    """The operation behind `a <operator> b`; None for `and`, `or`, `is`, `in`."""
    return op(_OPERATORS.get(operator, ""))


def unary(operator: str) -> Op | None:
    """The operation behind `<operator>a`; None for `not`."""
    return op(_UNARY.get(operator, ""))


def augmented(operator: str) -> Op | None:
    """The operation behind `a += b` and its like, given as `+=`; `@=` rebinds and writes nothing."""
    name = _OPERATORS.get(operator.removesuffix("="), "")
    return op(name if name == "matmul" else f"{name}_")


@cache
def _index() -> dict[str, list[list[str]]]:
    """Name or alias -> the rows of the operation, its plain form first."""
    index: dict[str, list[list[str]]] = {}
    for row in read("ops.tsv"):
        if row[1] == "-":
            index[row[0]] = rows = [row]
            for alias in parts(row[2]):
                index[alias] = rows
        else:
            index[row[0]].append(row)
    return index


@cache
def _op(name: str) -> Op | None:
    index = _index()
    if name in index:
        return _build(index[name], in_place=False)
    base = f"__{name[3:]}" if re.fullmatch(r"__i\w+__", name) else name.removesuffix("_")
    if base == name or base not in index or index[base][0][8] == "-":
        return None
    return _build(index[base], in_place=True)


def _build(rows: list[list[str]], *, in_place: bool) -> Op:
    narrow_first = sorted(rows[1:], key=lambda row: ":" not in row[1] and "=" not in row[1])
    forms = tuple((row[1], _parse(row, in_place=in_place)) for row in narrow_first)
    return _parse(rows[0], forms, in_place=in_place)


def _parse(row: list[str], forms: tuple[tuple[str, Op], ...] = (), *, in_place: bool) -> Op:
    name, _, _, arguments, saves, saves_result, result, view, written, overlap = row
    if in_place:
        name, result, view = f"{name}_", "graph", "self"
    writes = written != "-" and view == "self"
    if writes:
        cells = [cell for cell in parts(written) if cell != "none"]
        saves = ",".join(cell for cell in cells if not cell.startswith("result")) or "-"
        saves_result = "yes" if "result" in cells else "sometimes" if "result~" in cells else "no"
    args = signature(arguments)
    kind, _, outputs = result.partition(":")
    saved_result, saved_outputs = verdict(saves_result)
    return Op(
        name=name,
        args=args.args,
        keywords=tuple(name for name in args.keywords if name != "out" or not in_place),
        variadic=args.variadic,
        saves=saved(saves),
        saves_result=saved_result,
        saved_outputs=saved_outputs,
        result=Result(kind),
        graph_outputs=numbers(outputs),
        view=View(view),
        writes=args.args[0] if writes else None,
        refuses_overlap=writes and overlap in ("raises", "target"),
        refuses_overlapping_operands=writes and overlap == "raises",
        forms=forms,
    )


_CONDITION = re.compile(r"(\w+)(?:(:tensor|:plain)|=(.*))?")


def _holds(
    condition: str,
    args: tuple[str, ...],
    positional: Sequence[Argument],
    keywords: Mapping[str, Argument],
    *,
    method: bool,
) -> bool:
    if condition == "method":
        return method
    match = _CONDITION.fullmatch(condition)
    assert match is not None, condition
    name, kind, value = match.groups()
    given: Argument = None
    if name in keywords:
        given = keywords[name]
    elif name in args and args.index(name) < len(positional):
        given = positional[args.index(name)]
    if kind == ":tensor":
        return given is Given.TENSOR
    if kind == ":plain":
        return given is not None and given not in (Given.TENSOR, Given.ANYTHING)
    if value is not None:
        return given is not None and not isinstance(given, Given) and str(given) == value
    return given is not None
