"""What a user says of functions by their names, and that nobody else's findings know of it."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest
from command import write

import torchlint
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.runner import check_files
from torchlint.tables.effects import OwnNames, effect, own_effect

HEAD = """\
import torch
from torch import nn
import far
from far.away import send as out, calm, Sink

model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
x = torch.ones(1, 2)
loss = model(x).sum()
loss.backward()


def ours(value):
    far.keep(value)


"""
LOGS = {
    "far.send(loss.item())": "far.send",
    "far.deep.send(loss.item())": "far.*",
    "out(loss.item())": "far.away.send",
    "Sink().emit(loss.item())": ".emit",
    "ours(loss.item())": "ours",
}
RUN = "with torch.no_grad():\n    y = model(x)\n    shape = y.shape\n"
SWITCHES = {
    f"calm(model)\n{RUN}": "far.away.calm",
    f"far.Trainer().calm(model)\n{RUN}": ".calm",
    RUN.replace("y = model", "with calm(model):\n        y = model"): "calm",
}
LOADS = {
    f"model = far.load()\n{RUN}": "far.load",
    f"model = Sink.load()\n{RUN}": ".load",
}


def found(source: str, **options: object) -> list[Diagnostic]:
    config = Config(select=("TL101", "TL2"), ignore=("TL202",), **options)  # type: ignore[arg-type]
    return torchlint.check(HEAD + source, config=config)


@pytest.mark.parametrize(("source", "name"), LOGS.items())
def test_functions_that_log(source: str, name: str) -> None:
    assert found(source, log_functions=("far.other", "send2")) == []
    assert [one.code for one in found(source, log_functions=(name,))] == ["TL201"]


@pytest.mark.parametrize(("source", "name"), SWITCHES.items())
def test_functions_that_evaluate(source: str, name: str) -> None:
    assert [one.code for one in found(source)] == ["TL101"]
    assert found(source, eval_functions=(name,)) == []


def test_what_they_give_is_what_they_are_given() -> None:
    for begin in ("again = calm(model)\n", "with calm(model) as again:\n    pass\n"):
        source = begin + "model.train()\n" + RUN.replace("model", "again")
        assert found(source) == []
        assert [one.code for one in found(source, eval_functions=("calm",))] == ["TL101"]


def test_a_mode_is_put_back_behind_a_block() -> None:
    source = f"with calm(model):\n    {RUN.replace(chr(10), chr(10) + '    ')}\n{RUN}"
    assert [one.line for one in found(source)] != [
        one.line for one in found(source, eval_functions=("calm",))
    ]
    assert [one.line for one in found(source, eval_functions=("calm",))] == [HEAD.count("\n") + 7]


@pytest.mark.parametrize(("source", "name"), LOADS.items())
def test_functions_that_load(source: str, name: str) -> None:
    dropped = source.replace("model = ", "model = nn.Dropout() if x.any() else ", 1)
    assert [one.code for one in found(dropped, model_loaders=(name,))] == ["TL101"]
    assert found(source, model_loaders=(name,)) == []


def test_a_function_of_another_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        pack__inner="import torch\nimport far\n\n\ndef tell(value):\n    far.keep(value)\n",
        a="import torch\nfrom pack import tell\n\nx = torch.ones(1, requires_grad=True)\ntell(x.item())\n",
    )
    (tmp_path / "pack" / "__init__.py").write_text("from pack.inner import tell\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").touch()
    path = str(tmp_path / "a.py")
    plain, own = Config(select=("TL201",)), Config(select=("TL201",), log_functions=("pack.inner.tell",))
    # In one process and in either order: what one configuration made of the files is not the other's.
    for configs in ((plain, own, plain, own), (own, plain, own, plain)):
        results = list(check_files([path] * 4, configs, jobs=1))
        assert [len(one.diagnostics) for one in results] == [1 if config is own else 0 for config in configs]
    results = list(check_files([path] * 4, configs, jobs=2))
    assert [len(one.diagnostics) for one in results] == [1, 0, 1, 0]


def test_names_are_known_only_while_they_are_asked_for() -> None:
    own = OwnNames(logs=("a.b", "c", "d.*"), evaluates=(".e",))
    seen: list[object] = []
    with own.known():
        assert [effect(name) is not None for name in ("a.b", "x.c", "c", "d.y.z", ".e", "b", "e", "q.e")] == [
            *(True, True, True, True, True),
            *(False, False, False),
        ]
        assert own_effect("*.b") is not None
        other = Thread(target=lambda: seen.append(effect("a.b")))
        other.start()
        other.join()
        with OwnNames(loads=("a.b",)).known():
            assert getattr(effect("a.b"), "kind", None) == "loader"
        assert getattr(effect("a.b"), "kind", None) == "log"
        assert getattr(effect("torch.no_grad"), "kind", None) == "switch"
    assert seen == [None]
    assert effect("a.b") is None
    assert own_effect("a.b") is None
