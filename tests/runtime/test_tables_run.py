"""ops.tsv, held against real torch: every line of op_calls.txt is run in all its choices of requires_grad."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from samples import backward_raises, choices, flatten, given, lines, moved_together, tensors, variables

from torchlint import tables
from torchlint.tables import Op, Result, Saves, View

CALLS = lines("op_calls.txt")
SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.USub: "-",
    ast.UAdd: "+",
    ast.Invert: "~",
}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Call:
    """One line as the engine would see it: the row behind it, in the right form, and its arguments."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.positional: list[ast.expr] = []
        self.keywords: dict[str, ast.expr] = {}
        self.method = False
        op = self._read(ast.parse(text).body[0])
        assert op is not None, f"no row for {text}"
        keywords = {name: given(node) for name, node in self.keywords.items()}
        if keywords.get("inplace") is True:
            op = tables.op(f"{op.name}_")
            assert op is not None, f"no in-place row for {text}"
        self.op = op.form([given(node) for node in self.positional], keywords, method=self.method)

    def _read(self, statement: ast.stmt) -> Op | None:
        match statement:
            case ast.AugAssign(target=target, op=sign, value=value):
                self.positional = [target, value]
                return tables.augmented(f"{SIGNS[type(sign)]}=")
            case ast.Assign(targets=[ast.Subscript(value=target, slice=index)], value=value):
                self.positional = [target, index, value]
                return tables.op("setitem")
            case ast.Expr(value=expression):
                return self._read_expression(expression)
        raise AssertionError(f"cannot read {self.text}")

    def _read_expression(self, expression: ast.expr) -> Op | None:
        match expression:
            case ast.BinOp(left=left, op=sign, right=right):
                self.positional = [left, right]
                return tables.binary(SIGNS[type(sign)])
            case ast.Compare(left=left, ops=[sign], comparators=[right]):
                self.positional = [left, right]
                return tables.binary(SIGNS[type(sign)])
            case ast.UnaryOp(op=sign, operand=operand):
                self.positional = [operand]
                return tables.unary(SIGNS[type(sign)])
            case ast.Subscript(value=target, slice=index):
                self.positional = [target, index]
                return tables.op("getitem")
            case ast.Attribute(value=target, attr=name):
                self.positional, self.method = [target], True
                return tables.op(name)
            case ast.Call(func=function, args=args, keywords=keywords):
                self.positional = args
                self.keywords = {keyword.arg or "": keyword.value for keyword in keywords}
                match function:
                    case ast.Name(id=name):
                        return tables.op(f"__{name}__")
                    case ast.Attribute(value=ast.Name(id=name) as target, attr=method) if name != "torch":
                        self.positional, self.method = [target, *args], True
                        return tables.op(method)
                return tables.op(ast.unparse(function))
        raise AssertionError(f"cannot read {self.text}")

    def tensors_of(self, arg: str) -> list[str]:
        """The variables that an argument of the row holds."""
        nodes = [node for name, node in self.keywords.items() if name == arg]
        last = len(self.op.args) - 1
        nodes += [
            node for number, node in enumerate(self.positional) if self.op.args[min(number, last)] == arg
        ]
        return [name for node in nodes for name in variables(node)]

    @property
    def names(self) -> list[str]:
        """Every variable of the call."""
        nodes = [*self.positional, *self.keywords.values()]
        return list(dict.fromkeys(name for node in nodes for name in variables(node)))


class Run:
    """One forward of a call in which the named tensors require grad."""

    def __init__(self, call: Call, requiring: frozenset[str]) -> None:
        self.scope = tensors(call.names)
        for name in requiring:
            self.scope[name].requires_grad_()
        self.written = call.tensors_of(call.op.writes or "")
        for name in self.written:  # a leaf must not be written in place
            self.scope[name] = self.scope[name].clone()
        self.before = {name: tensor._version for name, tensor in self.scope.items()}
        torch.manual_seed(0)
        if isinstance(ast.parse(call.text).body[0], ast.Expr):
            self.value = eval(call.text, {"torch": torch}, self.scope)
        else:
            exec(call.text, {"torch": torch}, self.scope)
            self.value = self.scope[self.written[0]]
        self.outputs = flatten(self.value)


def runs(call: Call) -> Iterator[tuple[frozenset[str], Run]]:
    """A run for each choice of tensors that require grad, where torch allows it."""
    for requiring in choices(call.names):
        try:
            yield requiring, Run(call, requiring)
        except RuntimeError as error:
            if "not differentiable with respect to" not in str(error):
                raise


def saved_by(call: Call, run: Run, requiring: frozenset[str]) -> tuple[set[str], set[str]]:
    """What the row says is saved: surely, and perhaps. Outputs are called `output 0` and so on."""
    surely: set[str] = set()
    perhaps: set[str] = set()
    for saved in call.op.saves:
        if not saved.when or requiring.intersection(*[set().union(*map(call.tensors_of, saved.when))]):
            (perhaps if saved.sometimes or saved.unnoticed else surely).update(call.tensors_of(saved.arg))
    numbers = call.op.saved_outputs or range(len(run.outputs))
    if call.op.saves_result is not Saves.NO:
        sure = call.op.saves_result is Saves.YES
        (surely if sure else perhaps).update(f"output {number}" for number in numbers)
    return surely, perhaps


@pytest.mark.parametrize("text", CALLS)
def test_a_write_after_the_call_breaks_backward_where_the_row_says(text: str) -> None:
    call = Call(text)
    checked = 0
    for requiring, first in runs(call):
        if not any(output.requires_grad for output in first.outputs):
            continue
        surely, perhaps = saved_by(call, first, requiring)
        for name in [*call.names, *(f"output {number}" for number in range(len(first.outputs)))]:
            run = Run(call, requiring)
            everything = {key: run.scope[key] for key in call.names}
            everything |= {f"output {number}": output for number, output in enumerate(run.outputs)}
            moved = moved_together(everything[name], everything)
            raises = backward_raises(run.outputs)
            checked += 1
            where = f"{name} written, {sorted(requiring)} requiring grad"
            assert raises or not moved & surely, f"{where}: the row says it is saved"
            assert not raises or moved & (surely | perhaps), f"{where}: the row says it is not saved"
    needs_check = call.op.result is Result.GRAPH and len(list(choices(call.names))) > 1
    assert checked or not needs_check, "no run requires grad"


@pytest.mark.parametrize("text", CALLS)
def test_a_result_carries_a_graph_where_the_row_says(text: str) -> None:
    call = Call(text)
    *_, (requiring, last) = runs(call)
    carrying = set(call.op.graph_outputs or range(len(last.outputs)))
    for _, run in runs(call):
        assert (type(run.value).__name__ == "ndarray") == (call.op.result is Result.ARRAY)
        graphs = {number for number, output in enumerate(run.outputs) if output.requires_grad}
        match call.op.result:
            case Result.NUMBER | Result.NOTHING | Result.ARRAY:
                assert not run.outputs or call.op.name == "setitem"
            case Result.PLAIN | Result.FRESH | Result.CUT:
                assert not graphs
                assert run.outputs
            case Result.GRAPH:
                assert isinstance(run.value, torch.Tensor)
            case Result.MIXED:
                assert isinstance(run.value, (tuple, list))
                assert graphs <= carrying
    if requiring and call.op.result in (Result.GRAPH, Result.MIXED):
        assert {number for number, output in enumerate(last.outputs) if output.requires_grad} == carrying


@pytest.mark.parametrize("text", [text for text in CALLS if Call(text).names and Call(text).op.args])
def test_a_result_shares_memory_where_the_row_says(text: str) -> None:
    call = Call(text)
    _, run = next(runs(call))
    outputs = [output for output in run.outputs if call.op.name != "setitem"]
    args = {name: run.scope[name] for name in call.tensors_of(call.op.args[0])}
    storages = {tensor.untyped_storage().data_ptr() for tensor in args.values()}
    shared = [output.untyped_storage().data_ptr() in storages for output in outputs]
    moved = [bool(moved_together(output, args)) for output in outputs]
    match call.op.view:
        case View.NEVER:
            assert not any(shared)
        case View.MAYBE:
            assert shared == moved
        case View.VIEW | View.MULTI:
            assert all(shared)
            assert all(moved)
        case View.SELF:
            assert all(output is tensor for output in outputs for tensor in args.values())
        case View.UNTRACKED:
            assert all(shared)
            assert not any(moved)
    if any(moved):
        assert forbids_writing_one(call) == (call.op.view is View.MULTI)


def forbids_writing_one(call: Call) -> bool:
    """Whether torch refuses to write an output because it is one of several views made at once."""
    for _, run in runs(call):
        try:
            run.outputs[0].fill_(0)
        except RuntimeError as error:
            if "returns multiple views" in str(error):
                return True
    return False


@pytest.mark.parametrize("text", CALLS)
def test_a_call_writes_what_the_row_says(text: str) -> None:
    call = Call(text)
    *_, (_, run) = runs(call)
    changed = {name for name in call.names if run.scope[name]._version != run.before[name]}
    if call.op.result is Result.CUT:  # detach_ moves no version, yet backward through what saved it raises
        changed |= set(run.written)
    assert changed == set(run.written)


@pytest.mark.parametrize("text", [text for text in CALLS if Call(text).keywords])
def test_the_keywords_of_a_call_are_arguments_of_its_row(text: str) -> None:
    call = Call(text)
    assert call.keywords.keys() <= {*call.op.args, *call.op.keywords, "inplace"}


# Calls whose answer depends on an argument that is in sight, so that a form settles it.
SETTLED = (
    "torch.cdist(x, y, p=0.0)",
    "torch.cdist(x, y, p=1.0)",
    "torch.linalg.matrix_power(spd, -2)",
    "torch.linalg.matrix_power(x, 0)",
    "torch.pow(x, y)",
    "x ** 2",
    "x[0]",
    "x[rows]",
)


@pytest.mark.parametrize("text", SETTLED)
def test_a_form_leaves_nothing_open(text: str) -> None:
    op = Call(text).op
    assert not any(saved.sometimes for saved in op.saves)
    assert op.saves_result is not Saves.SOMETIMES
    assert op.view is not View.MAYBE


@pytest.mark.parametrize("text", ["torch.float_power(x, y)", "x.float_power(0.5)"])
def test_a_form_settles_whether_a_power_is_saved(text: str) -> None:
    assert Call(text).op.saves_result is not Saves.SOMETIMES


# Calls that no line can make: a tensor must require grad, or must not, or has another layout, or is none.
PREPARED = (
    "leaf.register_hook(print)",
    "leaf.register_post_accumulate_grad_hook(print)",
    "leaf.retain_grad()",
    "leaf.to_sparse()",
    "learned.grad",
    "loss.backward()",
    "plain.apply_(abs)",
    "plain.map2_(other, other.flip(0), max)",
    "plain.map_(other, max)",
    "plain.resize_(2, 2)",
    "plain.resize_as_(learned)",
    "plain_sparse.resize_as_sparse_(sparse)",
    "plain_sparse.sparse_resize_((4, 4), 2, 0)",
    "sparse.coalesce()",
    "sparse.is_coalesced()",
    "sparse.values()",
    "torch.from_numpy(array)",
    "torch.nn.utils.clip_grad_value_([learned], 0.1)",
    "torch.sparse.sampled_addmm(compressed, leaf, other)",
    "torch.sparse_compressed_tensor(starts, columns, weights, layout=torch.sparse_csr)",
    "torch.sparse_coo_tensor(ones, weights)",
    "torch.sparse_csc_tensor(starts, columns, weights)",
    "torch.sparse_csr_tensor(starts, columns, weights)",
    "torch.spmm(sparse, other)",
    "torch.utils.dlpack.to_dlpack(plain)",
)
UNVERSIONED = {"apply_", "map2_", "map_"}  # they write, but move no version: backward never notices


def prepared() -> dict[str, Any]:
    """New tensors for these calls, and an array of numpy."""
    eye, learned = torch.eye(3), torch.ones(2, requires_grad=True)
    learned.sum().backward()
    return {
        "plain": -torch.rand(3, 3),
        "other": torch.rand(3, 3),
        "leaf": torch.rand(3, 3, requires_grad=True),
        "learned": learned,
        "loss": torch.ones(2, requires_grad=True).sum(),
        "array": torch.rand(3).numpy(),
        "sparse": eye.to_sparse().requires_grad_(),
        "plain_sparse": eye.to_sparse(),
        "compressed": eye.to_sparse_csr(),
        "ones": torch.arange(3).repeat(2, 1),
        "starts": torch.arange(4),
        "columns": torch.arange(3),
        "weights": torch.rand(3, requires_grad=True),
    }


@pytest.mark.parametrize("text", PREPARED)
def test_a_prepared_call_does_what_the_row_says(text: str) -> None:
    op = Call(text).op
    scope = prepared()
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name) and node.id in scope]
    used = [node.id for node in sorted(nodes, key=lambda node: node.col_offset)]
    first = scope[used[0]]
    before = first.detach().clone() if isinstance(first, torch.Tensor) else None
    version = first._version if before is not None else 0
    value = eval(text, {"torch": torch}, scope)
    given = {name: scope[name] for name in used if isinstance(scope[name], torch.Tensor)}
    if op.name in UNVERSIONED:
        assert op.writes
        assert first._version == version
        assert not torch.equal(first, before)
    else:
        assert (before is not None and first._version != version) == (op.writes is not None)
    match op.result:
        case Result.GRAPH:
            assert value.requires_grad == any(tensor.requires_grad for tensor in given.values())
        case Result.PLAIN | Result.FRESH:
            assert not value.requires_grad
        case _:
            assert not flatten(value)
    match op.view:
        case View.SELF:
            assert value is first
        case View.VIEW | View.UNTRACKED:
            assert bool(moved_together(value, given)) == (op.view is View.VIEW)
        case View.NEVER:
            assert not any(moved_together(output, given) for output in flatten(value))
