"""modules.tsv, held against real torch: every line of layer_calls.txt is built and run in both modes."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import pytest
import torch
from samples import backward_raises, choices, flatten, given, lines, moved_together, tensors, variables

from torchlint import tables
from torchlint.tables import Answer, Saved, Saves
from torchlint.tables.rows import read

CALLS = lines("layer_calls.txt")
MODES = (True, False)
# Nothing of their own to measure: bases, containers and what wraps another module.
NOT_CALLED = {"Container", "Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList"}
NOT_CALLED |= {"RNNBase", "RNNCellBase", "Sequential", "TransformerDecoder", "TransformerEncoder"}
NOT_CALLED |= {"DataParallel", "DistributedDataParallel"}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Built:
    """A line read: the row of its layer, the arguments of its construction and of its call."""

    def __init__(self, text: str) -> None:
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Call)
        self.text = text
        self.constructor = ast.unparse(call.func)
        self.positional = [given(node) for node in call.func.args]
        self.keywords = {keyword.arg or "": given(keyword.value) for keyword in call.func.keywords}
        row = tables.module(ast.unparse(call.func.func))
        assert row is not None, f"no row for {text}"
        self.row = row
        self.sizes = [len(variables(node)) if isinstance(node, ast.Tuple) else 0 for node in call.args]
        """How many tensors a tuple holds; 0 for what is no tuple."""
        self.inputs = [name for node in call.args for name in variables(node)]
        self.owners = [
            arg for arg, node in zip(row.forward, call.args, strict=False) for _ in variables(node)
        ]
        """The argument of the row that each of the inputs belongs to."""
        self.in_place = self.writes(training=True) and row.inplace != "training"

    def writes(self, *, training: bool) -> bool:
        """Whether the row says that a call writes its input."""
        return self.row.writes_input(self.positional, self.keywords, training=training) is Answer.YES

    def module(self, *, frozen: bool = False, training: bool = True) -> torch.nn.Module:
        """The layer, the same at every call."""
        torch.manual_seed(0)
        made = eval(self.constructor, {"torch": torch})
        assert isinstance(made, torch.nn.Module)
        if isinstance(made, torch.nn.modules.lazy.LazyModuleMixin):
            made(*self.shaped(self.arguments()))
        return made.train(training).requires_grad_(not frozen)

    def shaped(self, arguments: list[torch.Tensor]) -> list[object]:
        """The inputs as the call takes them: some stand together in a tuple."""
        rest = iter(arguments)
        return [tuple(islice(rest, size)) if size else next(rest) for size in self.sizes]

    def arguments(self, requiring: frozenset[str] = frozenset()) -> list[torch.Tensor]:
        """New inputs of a call; none is a leaf, so that each can be written in place."""
        scope = tensors(self.inputs)
        for name in requiring:
            scope[name].requires_grad_()
        copies = {name: scope[name].clone() for name in scope}
        return [copies[name] for name in self.inputs]

    def gradients(
        self,
        requiring: frozenset[str],
        learning: list[str],
        write: Callable[[torch.nn.Module], None],
        *,
        training: bool,
    ) -> list[torch.Tensor | None] | None:
        """What backward brings to inputs and parameters, with a write before it; None: it raises."""
        module, arguments = self.module(training=training), self.arguments(requiring)
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in learning)
        torch.manual_seed(1)
        # Of each result another part: what is the same everywhere cancels out in a norm.
        results = [result * torch.rand(result.shape) for result in flatten(module(*self.shaped(arguments)))]
        leaves = [leaf for leaf in (*arguments, *module.parameters()) if leaf.requires_grad]
        for leaf in leaves:
            leaf.retain_grad()
        write(module)
        if backward_raises(results):
            return None
        return [leaf.grad if leaf.grad is None else leaf.grad.to_dense() for leaf in leaves]

    def has_parameters(self) -> bool:
        return any(True for _ in self.module().parameters())


class Own(torch.nn.Module):
    """What people write: a module with another one in an attribute."""

    def __init__(self, child: torch.nn.Module) -> None:
        super().__init__()
        self.child = child


CONTAINERS: dict[str, Callable[..., torch.nn.Module]] = {
    "Container": lambda child: torch.nn.Container(child=child),
    "DataParallel": torch.nn.DataParallel,
    "Module": Own,
    "ModuleDict": lambda child: torch.nn.ModuleDict({"child": child}),
    "ModuleList": lambda child: torch.nn.ModuleList([child]),
    "Sequential": torch.nn.Sequential,
    "TransformerDecoder": lambda child: torch.nn.TransformerDecoder(child, 1),
    "TransformerEncoder": lambda child: torch.nn.TransformerEncoder(child, 1),
}
PARAMETERS: dict[str, Callable[..., torch.nn.Module]] = {
    "ParameterDict": torch.nn.ParameterDict,
    "ParameterList": lambda held: torch.nn.ParameterList(held.values()),
}
RECURRENT = ("LSTM", 3, 3, 2)


def test_every_layer_has_a_line() -> None:
    named = {Built(text).row.name.rpartition(".")[2] for text in CALLS}
    assert {row[0].rpartition(".")[2] for row in read("modules.tsv")} == named | NOT_CALLED


@pytest.mark.parametrize("text", CALLS)
def test_training_and_evaluation_differ_where_the_row_says(text: str) -> None:
    line = Built(text)
    outcomes = []
    for training in MODES:
        module = line.module(training=training)
        torch.manual_seed(1)
        with torch.inference_mode():
            results = flatten(module(*line.shaped(line.arguments())))
        outcomes.append([*results, *module.state_dict().values()])
    same = all(torch.allclose(*pair, atol=1e-5) for pair in zip(*outcomes, strict=True))
    assert line.row.differs(line.positional, line.keywords) is (Answer.NO if same else Answer.YES)


@pytest.mark.parametrize("text", CALLS)
def test_a_layer_has_parameters_where_the_row_says(text: str) -> None:
    line = Built(text)
    answer = line.row.has_parameters(line.positional, line.keywords)
    assert answer is (Answer.YES if line.has_parameters() else Answer.NO)


@pytest.mark.filterwarnings("ignore:.*nn.Container.*is deprecated:FutureWarning")
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_has_the_mode_and_the_parameters_of_its_children(name: str) -> None:
    x = torch.ones(3, 3)
    for child in (torch.nn.Dropout(), torch.nn.Linear(3, 3)):
        container = CONTAINERS[name](child)
        (held,) = (part for part in container.modules() if type(part) is type(child))
        outcomes = [container.train(training) and held(x) for training in MODES]
        assert torch.equal(*outcomes) == isinstance(child, torch.nn.Linear)
        assert any(True for _ in container.parameters()) == isinstance(child, torch.nn.Linear)
    row = tables.module(name)
    assert row is not None
    assert row.differs((), {}) is Answer.CHILDREN
    assert row.has_parameters((), {}) is Answer.CHILDREN


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_container_of_parameters_has_what_it_is_given(name: str) -> None:
    for held in ({}, {"one": torch.ones(3)}):
        assert len(list(PARAMETERS[name](held).parameters())) == len(held)
    row = tables.module(name)
    assert row is not None
    assert row.differs((), {}) is Answer.NO
    assert row.has_parameters((), {}) is Answer.CHILDREN


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_base_of_recurrent_layers_differs_as_they_do(dropout: float) -> None:
    layer = torch.nn.LSTM(*RECURRENT[1:], dropout=dropout)
    outcomes = [layer.train(training)(torch.ones(4, 3))[0] for training in MODES]
    row = tables.module("RNNBase")
    assert row is not None
    assert row.differs(RECURRENT, {"dropout": dropout}) is (
        Answer.NO if torch.allclose(*outcomes) else Answer.YES
    )
    assert any(True for _ in torch.nn.RNNBase(*RECURRENT).parameters())
    assert row.has_parameters(RECURRENT, {}) is Answer.YES


def test_the_base_of_recurrent_cells_has_parameters_and_one_mode() -> None:
    cell = torch.nn.RNNCell(3, 3)
    assert torch.equal(*(cell.train(training)(torch.ones(2, 3)) for training in MODES))
    assert any(True for _ in torch.nn.RNNCellBase(3, 3, bias=False, num_chunks=1).parameters())
    row = tables.module("RNNCellBase")
    assert row is not None
    assert row.differs((3, 3, False, 1), {}) is Answer.NO
    assert row.has_parameters((3, 3, False, 1), {}) is Answer.YES


@pytest.mark.parametrize("training", MODES, ids=("training", "evaluation"))
@pytest.mark.parametrize("text", CALLS)
def test_a_call_writes_its_input_where_the_row_says(text: str, training: bool) -> None:
    line = Built(text)
    arguments = line.arguments()
    with torch.inference_mode():
        line.module(training=training)(*line.shaped(arguments))
    assert (arguments[0]._version > 0) == line.writes(training=training)


@pytest.mark.parametrize("training", MODES, ids=("training", "evaluation"))
@pytest.mark.parametrize("text", CALLS)
def test_a_write_after_the_call_breaks_backward_where_the_row_says(text: str, training: bool) -> None:
    line = Built(text)
    row = line.row.built(line.positional, line.keywords)
    if line.writes(training=training):
        row = replace(row, saves=(), saves_result=row.saves_result_in_place)
    checked = 0
    first = flatten(line.module()(*line.shaped(line.arguments())))
    outputs = [f"output {number}" for number, _ in enumerate(first)]
    names = [*(f"{owner} {number}" for number, owner in enumerate(line.owners)), *outputs]
    for requiring in choices(list(dict.fromkeys(line.inputs))):
        for frozen in (False, True) if line.has_parameters() else (True,):
            if frozen and not requiring:
                continue
            where = f"{sorted(requiring)} requiring grad, {'frozen' if frozen else 'parameters too'}"
            surely: set[str] = set()
            perhaps: set[str] = set()
            for saved in row.saves:
                pairs = list(zip(line.owners, line.inputs, strict=True))
                needed = {name for owner, name in pairs if owner in saved.when}
                if not saved.when or needed & requiring or ("parameters" in saved.when and not frozen):
                    tensors_of = {name for name in names if name.startswith(f"{saved.arg} ")}
                    (perhaps if saved.sometimes else surely).update(tensors_of)
            kept = set(outputs) & {f"output {number}" for number in row.saved_outputs or range(len(outputs))}
            surely |= kept if row.saves_result is Saves.YES else set()
            perhaps |= kept if row.saves_result is Saves.SOMETIMES else set()
            for name in names:
                module, arguments = line.module(frozen=frozen, training=training), line.arguments(requiring)
                torch.manual_seed(1)
                results = flatten(module(*line.shaped(arguments)))
                everything = dict(zip(names, [*arguments, *results], strict=True))
                moved = moved_together(everything[name], everything)
                raises = backward_raises(results)
                checked += 1
                assert raises or not moved & surely, f"{sorted(moved)} written, {where}: not saved"
                assert not raises or moved & (surely | perhaps), f"{sorted(moved)} written, {where}: saved"
    assert checked


class Written:
    """A write to some parameters, as an optimizer makes it."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def __call__(self, module: torch.nn.Module) -> None:
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                if name in self.names:
                    parameter.add_(torch.rand(parameter.shape) + 1)


NOTHING = Written([])


@pytest.mark.parametrize("training", MODES, ids=("training", "evaluation"))
@pytest.mark.parametrize("text", [text for text in CALLS if Built(text).has_parameters()])
def test_a_parameter_written_after_the_call_is_stale_where_the_row_says(text: str, training: bool) -> None:
    line = Built(text)
    names = [name for name, _ in line.module().named_parameters()]
    together = [saved.arg for saved in line.row.saves_state] == ["parameters"]
    alone = [] if together else [[name] for name in names]
    checked = 0
    for requiring in choices(list(dict.fromkeys(line.inputs))):
        for learning in [[], names, *alone]:
            if not requiring and not learning:
                continue
            clean = line.gradients(requiring, learning, NOTHING, training=training)
            assert clean is not None
            for written in alone or [names]:
                where = f"{written} written, {sorted(requiring)} and {learning} requiring grad"
                saved = _saved(line, written, requiring)
                after = line.gradients(requiring, learning, Written(written), training=training)
                checked += 1
                if saved is not None and saved.sometimes:
                    continue
                if saved is not None and not saved.unnoticed:
                    assert after is None, f"{where}: not saved"
                    continue
                assert after is not None, f"{where}: saved"
                assert _same(clean, after) == (saved is None), f"{where}: gradients"
    assert checked


def test_a_row_names_only_parameters_that_its_layer_has() -> None:
    held: dict[str, set[str]] = {}
    for line in map(Built, CALLS):
        names = held.setdefault(line.row.name, {"parameters"} if line.has_parameters() else set())
        names.update(name for name, _ in line.module().named_parameters())
    for name, names in held.items():
        row = tables.module(name)
        assert row is not None
        assert {saved.arg for saved in row.saves_state} <= names, name


def _saved(line: Built, written: list[str], requiring: frozenset[str]) -> Saved | None:
    """What the row says of one parameter, or of all together, when these inputs require grad."""
    for saved in line.row.saves_state:
        pairs = zip(line.owners, line.inputs, strict=True)
        needed = {name for owner, name in pairs if owner in saved.when}
        if saved.arg in (*written, "parameters") and (not saved.when or needed & requiring):
            return saved
    return None


def _same(one: list[torch.Tensor | None], other: list[torch.Tensor | None]) -> bool:
    return all(
        a is b if a is None or b is None else torch.allclose(a, b, atol=1e-5)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("text", CALLS)
def test_training_writes_statistics_that_evaluation_saved_where_the_row_says(text: str) -> None:
    line = Built(text)
    answer = line.row.keeps_statistics(line.positional, line.keywords)
    *_, requiring = choices(list(dict.fromkeys(line.inputs)))
    learning = [name for name, _ in line.module().named_parameters()]
    changed: list[bool] = []

    def train(module: torch.nn.Module) -> None:
        before = [buffer.clone() for buffer in module.buffers() if buffer.is_floating_point()]
        with torch.no_grad():
            module.train()(*line.shaped(line.arguments()))
        after = [buffer for buffer in module.buffers() if buffer.is_floating_point()]
        changed.extend(not torch.equal(*pair) for pair in zip(before, after, strict=True))

    clean = line.gradients(requiring, learning, NOTHING, training=False)
    after = line.gradients(requiring, learning, train, training=False)
    assert clean is not None
    if answer is Answer.YES and any(changed):
        assert (after is None) != line.row.statistics_unnoticed
        assert after is None or not _same(clean, after)
    else:  # a module that was handed over decides; momentum=0 writes what was there
        assert answer is Answer.NO or "custom" in text or (changed and "momentum=0" in text)
        assert after is not None
        assert _same(clean, after)


@pytest.mark.filterwarnings("ignore:.*nn.Container.*is deprecated:FutureWarning")
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_keeps_the_statistics_of_its_children(name: str) -> None:
    for child in (torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 3)):
        container = CONTAINERS[name](child)
        (held,) = (part for part in container.modules() if type(part) is type(child))
        gradients = []
        for between in (False, True):
            x = torch.eye(3).requires_grad_()
            container.eval()
            result = held(x)
            if between:
                container.train()
                held(x * 5)
            gradients += torch.autograd.grad(result.sum(), x)
        assert torch.equal(*gradients) == isinstance(child, torch.nn.Linear)
    row = tables.module(name)
    assert row is not None
    assert row.keeps_statistics((), {}) is Answer.CHILDREN


@pytest.mark.parametrize("layers", [1, 2])
def test_a_container_saves_its_parameters_only_sometimes(layers: int) -> None:
    model = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(layers)))
    result = model(torch.ones(3, 3))
    Written([name for name, _ in model.named_parameters()])(model)
    assert backward_raises([result]) == (layers > 1)
    row = tables.module("Sequential")
    assert row is not None
    assert row.saves_state == (Saved("parameters", sometimes=True),)
