"""Some rows of modules.tsv, measured again, and the search for the condition of a cell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import distributed

from measuring.layers import rows as layers
from measuring.layers.conditions import Case, TooFewSamples, condition
from measuring.layers.runs import observe
from measuring.layers.sample import Sample
from measuring.layers.saves import saves_state
from measuring.layers.signatures import call, cell, constructor
from measuring.layers.state import Stale, statistics
from torchlint.tables import Argument
from torchlint.tables.rows import read

TABLE = {row[0]: row for row in read("modules.tsv")}
# One class of each kind; all that hold others are among them, for test_layers_run.py calls none of those.
MEASURED = (
    "AdaptiveAvgPool2d",
    "AlphaDropout",
    "BatchNorm1d",
    "CTCLoss",
    "Container",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "DataParallel",
    "Dropout1d",
    "EmbeddingBag",
    "GRUCell",
    "Hardswish",
    "InstanceNorm2d",
    "KLDivLoss",
    "LayerNorm",
    "LazyLinear",
    "LSTMCell",
    "LeakyReLU",
    "MaxPool1d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "ParameterDict",
    "ParameterList",
    "RReLU",
    "Sequential",
    "Threshold",
    "TransformerDecoder",
    "TransformerEncoder",
    "Upsample",
    "parallel.DistributedDataParallel",
)


ABSTRACT = ("torch.nn.RNNBase", "torch.nn.RNNCellBase")


@pytest.fixture
def _no_process_group() -> Iterator[None]:
    """Leaves none behind, where DistributedDataParallel was measured."""
    yield
    if distributed.is_initialized():
        distributed.destroy_process_group()


@pytest.mark.usefixtures("_no_process_group")
@pytest.mark.parametrize("name", MEASURED)
def test_a_row_is_what_torch_does(name: str) -> None:
    assert layers.row(f"torch.nn.{name}", database=False) == TABLE[f"torch.nn.{name}"]


@pytest.mark.parametrize("name", ABSTRACT)
def test_the_row_of_an_abstract_class_is_what_its_subclasses_do(name: str) -> None:
    (cls,) = (one for one in layers.classes() if layers.dotted(one) == name)
    assert layers.abstract(cls, TABLE) == TABLE[name]


@pytest.mark.parametrize("cls", layers.classes(), ids=lambda cls: cls.__name__)
def test_the_signatures_of_a_row_are_those_of_torch(cls: type[torch.nn.Module]) -> None:
    row = TABLE[layers.dotted(cls)]
    assert row[1] == cell(constructor(cls), defaults=True)
    if row[0] not in ABSTRACT:
        assert row[4] == cell(call(cls), defaults=False)


class Kron(torch.nn.Module):
    """It saves its weight without the version."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return torch.kron(input, self.weight)


class Centered(torch.nn.Module):
    """Its statistics are written as any tensor is."""

    mean: torch.Tensor

    def __init__(self, *, track: bool = True) -> None:
        super().__init__()
        self.track = track
        self.register_buffer("mean", torch.ones(4))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.training and self.track:
            self.mean.lerp_(input.mean(0), 0.1)
        return input * self.mean


def test_a_write_to_a_parameter_that_backward_never_notices_is_seen() -> None:
    seen = observe(Sample(Kron, (), {}, (torch.rand(3),)))
    assert seen is not None
    assert saves_state([seen], ["input"]) == "weight?input!"


@pytest.mark.parametrize(("track", "found"), [(True, Stale.NOTICED), (False, Stale.UNSEEN)])
def test_what_training_does_to_statistics_that_evaluation_saved(track: bool, found: Stale) -> None:
    assert statistics(Sample(Centered, (), {"track": track}, (torch.rand(3, 4),))) is found


def cases(seen: list[tuple[dict[str, Argument], bool]], children: bool | None = None) -> list[Case]:
    return [Case(given, one, children) for given, one in seen]


DROPOUT: dict[str, Argument] = {"num_layers": 1, "dropout": 0.0, "bias": True}
BUILT: list[tuple[dict[str, Argument], bool]] = [
    ({"num_layers": 1, "dropout": 0.0, "bias": True}, False),
    ({"num_layers": 1, "dropout": 0.5, "bias": True}, False),
    ({"num_layers": 2, "dropout": 0.0, "bias": True}, False),
    ({"num_layers": 2, "dropout": 0.5, "bias": True}, True),
    ({"num_layers": 2, "dropout": 0.5, "bias": False}, True),
    ({"num_layers": 1, "dropout": 0.0, "bias": False}, False),
]


def test_a_condition_on_two_arguments_is_found() -> None:
    assert condition(cases(BUILT), DROPOUT) == "dropout>0 and num_layers>1"


def test_a_condition_between_two_arguments_is_found() -> None:
    seen: list[tuple[dict[str, Argument], bool]] = [
        ({"lower": 0.1, "upper": 0.3}, True),
        ({"lower": 0.2, "upper": 0.2}, False),
        ({"lower": 0.0, "upper": 0.0}, False),
        ({"lower": 0.0, "upper": 0.2}, True),
        ({"lower": 0.1, "upper": 0.1}, False),
    ]
    assert condition(cases(seen), {"lower": 0.125, "upper": 0.3}) == "lower!=upper"


def test_the_shortest_condition_wins() -> None:
    assert condition(cases([({"affine": True}, True)]), {"affine": True}) == "yes"
    assert condition(cases([({"affine": True}, False)]), {"affine": True}) == "no"


def test_children_decide_only_where_there_are_some() -> None:
    held = [*cases([({}, True)], children=True), *cases([({}, False)], children=False)]
    assert condition(held, {}) == "children"
    with pytest.raises(TooFewSamples, match="no condition"):
        condition([*held, *cases([({}, True)], children=False)], {})


def test_no_condition_is_invented() -> None:
    with pytest.raises(TooFewSamples, match="no condition agrees with 7 cases"):
        condition([*cases(BUILT), *cases([({"num_layers": 1, "dropout": 0.5, "bias": True}, True)])], DROPOUT)


def test_two_arguments_that_explain_the_same_are_refused() -> None:
    with pytest.raises(TooFewSamples, match="all agree"):
        condition(cases([BUILT[0], BUILT[3]]), DROPOUT)
