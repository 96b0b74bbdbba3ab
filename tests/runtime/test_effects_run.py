"""effects.tsv, held against linter and real torch: every program of effect_programs.txt is linted and run.

Libraries that torch does not bring are stood in for by the objects below, so that what is observed is
torch's part alone.
"""

from __future__ import annotations

import copy
import pkgutil
import re
import sys
import types
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from execution import misbehaviour, run
from expectations import Belief, expectations
from matching import Found, differences, report
from test_voices_run import EVERY_RULE, voices
from torch import nn

import torchlint
from torchlint import engine
from torchlint.names import canonical
from torchlint.source import Source
from torchlint.tables.rows import read

OPEN = {"unknown", "either", "caller"}
"""Words by which the engine leaves open what torch does."""


@dataclass(frozen=True, slots=True)
class Program:
    """One section of effect_programs.txt, behind the lines that all have in common."""

    title: str
    text: str

    def __str__(self) -> str:
        return self.title


def programs() -> list[Program]:
    """The programs, in the order of the file."""
    text = Path(__file__).with_name("effect_programs.txt").read_text("utf-8")
    beginning, *sections = re.split(r"^\[(.+)\]\n", text, flags=re.MULTILINE)
    return [
        Program(title, beginning + body) for title, body in zip(sections[::2], sections[1::2], strict=True)
    ]


class Thing:
    """An object whose methods give back what they are given first; but for a few."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        return first

    def manual_backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def batch_decode(self, ids: torch.Tensor) -> list[str]:
        return [str(row) for row in ids.tolist()]

    def push(self, given: torch.Tensor) -> None:
        self.kept = given

    send = push

    def pop(self) -> torch.Tensor:
        return self.kept


class Loaded(nn.Sequential):
    """A model as libraries load it."""

    @classmethod
    def from_pretrained(cls, name: str) -> Loaded:
        return cls.fresh(name).eval()

    @classmethod
    def fresh(cls, name: str = "") -> Loaded:
        return cls(nn.Linear(3, 3), nn.Dropout())

    def generate(self, x: torch.Tensor) -> torch.Tensor:
        return self(x)

    sample = generate
    load_from_checkpoint = fresh


def first(*given: object, **named: object) -> object:
    """What is given first."""
    return next(iter((*given, *named.values())), None)


def stand_in(name: str, answer: Callable[..., object] = first, **special: object) -> types.ModuleType:
    """A module that answers every name with the same function, but for the special ones."""
    made = types.ModuleType(name)
    made.__dict__.update(special, __path__=[], __getattr__=lambda wanted: answer)
    return made


class Prepared:
    """accelerate.Accelerator, as far as programs use it."""

    def prepare(self, *given: object) -> object:
        return given if len(given) > 1 else given[0]

    def prepare_model(self, model: nn.Module, device_placement: bool) -> nn.Module:
        return model

    unwrap_model = prepare_model


class Held:
    """An object that holds a copy of a model in evaluation mode, and is none."""

    def __init__(self, given: object) -> None:
        self.model = Loaded.fresh().eval()
        self.ema = self.model


class Averaged(nn.Module):
    """A module that runs a copy of another one in evaluation mode."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(model).eval()


MODULES = [
    stand_in("accelerate", Accelerator=Prepared),
    stand_in("matplotlib"),
    stand_in("matplotlib.pyplot"),
    stand_in("mlflow"),
    stand_in("neptune"),
    stand_in("pandas"),
    stand_in("peft"),
    stand_in("rich"),
    stand_in("rich.progress"),
    stand_in("scipy"),
    stand_in("scipy.stats"),
    stand_in("sklearn"),
    stand_in("sklearn.metrics"),
    stand_in("sentence_transformers", Loaded.fresh),
    stand_in("swanlab"),
    stand_in("timm", Loaded.fresh),
    stand_in("timm.utils", Averaged, ModelEma=Held),
    stand_in("torchvision"),
    stand_in("torchvision.models", Loaded.fresh),
    stand_in("torchvision.utils", make_grid=torch.no_grad()(torch.stack)),
    *(stand_in(f"tqdm{part}", trange=range) for part in ("", ".auto", ".autonotebook", ".notebook", ".rich")),
    stand_in("transformers", Held),
    stand_in("wandb"),
]


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, dict[str, str]]]:
    """What a program told at `elsewhere.ask`; and the libraries that it may import, in place."""
    asked: list[tuple[int, dict[str, str]]] = []
    elsewhere = stand_in(
        "elsewhere",
        ask=lambda number, value: asked.append((number, truth(value))),
        call=lambda function, *given: function(*given),
        thing=Thing,
        Model=Loaded,
        Held=Held,
        LightningModule=nn.Module,
        Callback=type("Callback", (), {}),
        criterion=nn.functional.mse_loss,
        criterium=nn.functional.mse_loss,
        learn=lambda loss: loss.backward(),
        place=torch.device,
        often=lambda step: True,
        move_to_device=lambda given: given.to(torch.device("cpu")),
        move_to_devise=lambda given: given.to(torch.device("cpu")),
    )
    for module in (*MODULES, elsewhere):
        monkeypatch.setitem(sys.modules, module.__name__, module)
        package, _, last = module.__name__.rpartition(".")
        if package:
            monkeypatch.setitem(sys.modules[package].__dict__, last, module)
    return asked


@pytest.mark.parametrize("program", programs(), ids=str)
def test_the_linter_says_what_is_announced(program: Program) -> None:
    said = expectations(program.text, program.title)
    found = torchlint.check(program.text, filename=program.title, config=EVERY_RULE)
    told = differences(said, [Found(one.line, one.code, one.message) for one in found])
    assert not told, report(program.title, program.text, told)
    asked: dict[int, list[str]] = defaultdict(list)
    for belief in said.beliefs:
        asked[belief.line].append(belief.place)
    held = engine.beliefs(Source.from_bytes(program.text.encode(), program.title), asked) if asked else {}
    for belief in said.beliefs:
        known = held[belief.line, belief.place]
        for key, word in belief.words:
            assert (known.get(key, "none") == word) != belief.gap, f"{belief.place}: {known}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", programs(), ids=str)
def test_torch_does_what_is_announced(program: Program, answers: list[tuple[int, dict[str, str]]]) -> None:
    voices(program.text, program.title)
    answers.clear()
    announced = expectations(program.text, program.title)
    said = announced.beliefs
    outcome = run(asking(program.text, said), program.title)
    assert misbehaviour(outcome, announced.runtime) is None
    assert outcome.error or {number for number, _ in answers} == set(range(len(said)))
    gaps = {(belief.line, belief.place) for belief in said if belief.gap}
    for number, true in answers:
        belief = said[number]
        if belief.gap or (belief.line, belief.place) not in gaps:
            for key, word in belief.words:
                assert word in (*OPEN, true[key]), f"{belief.place}: {true}"


def asking(text: str, beliefs: tuple[Belief, ...]) -> str:
    """The program with a question behind every line that states a belief."""
    lines = text.split("\n")
    for number, belief in reversed(list(enumerate(beliefs))):
        line = lines[belief.line - 1]
        indentation = line[: len(line) - len(line.lstrip())]
        lines.insert(belief.line, f"{indentation}elsewhere.ask({number}, {belief.place})")
    return "\n".join(lines)


def truth(value: object) -> dict[str, str]:
    """What can be believed of a value, and is true now; `none` for what is no module, or no tensor."""
    learns = value.requires_grad if isinstance(value, torch.Tensor) else None
    trains = value.training if isinstance(value, nn.Module) else None
    inference = torch.is_inference_mode_enabled()
    return {
        "mode": {True: "train", False: "eval", None: "none"}[trains],
        "grad": {True: "yes", False: "no", None: "none"}[learns],
        "grad_mode": "inference" if inference else "enabled" if torch.is_grad_enabled() else "no_grad",
    }


@pytest.mark.parametrize(
    "name", [row[0] for row in read("effects.tsv") if row[0].startswith(("torch.", "builtins."))]
)
def test_a_name_of_torch_or_python_is_there(name: str) -> None:
    assert canonical(name) == name
    assert pkgutil.resolve_name(name.removesuffix(".*")) is not None


def test_every_row_has_a_program_and_every_kind_a_near_miss() -> None:
    rows = read("effects.tsv")
    titles = {f"{row[0]} {row[1]}" if row[0][0] == "?" else row[0] for row in rows}
    kinds = {f"{row[0]} {row[1]}" if row[0][0] == "?" else row[1] for row in rows}
    assert {program.title for program in programs()} == titles | {f"near {kind}" for kind in kinds}
