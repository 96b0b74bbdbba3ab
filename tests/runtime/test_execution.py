"""The runner of fixtures itself: it sees errors, leftovers and words, and puts torch back."""

from __future__ import annotations

import pytest
import torch
from execution import misbehaviour, run
from expectations import Runtime


def test_a_program_prints_as_main() -> None:
    outcome = run("import torch\nif __name__ == '__main__':\n    print(torch.ones(2).sum().item())\n", "<a>")
    assert (outcome.printed, outcome.error, misbehaviour(outcome, None)) == ("2.0\n", None, None)


def test_grad_mode_left_off_is_told_and_put_back() -> None:
    outcome = run("import torch\ntorch.set_grad_enabled(False)\n", "<a>")
    assert outcome.left_over == ("grad mode = False",)
    assert misbehaviour(outcome, None) == "leaves behind: grad mode = False"
    assert torch.is_grad_enabled()


def test_a_default_dtype_left_behind_is_told_and_put_back() -> None:
    outcome = run("import torch\ntorch.set_default_dtype(torch.float64)\n", "<a>")
    assert outcome.left_over == ("default dtype = torch.float64",)
    assert torch.get_default_dtype() is torch.float32


def test_the_generators_are_seeded_and_put_back() -> None:
    before = torch.get_rng_state()
    draw = "import torch, random\nprint(torch.rand(1).item(), random.random())\n"
    assert run(draw, "<a>").printed == run(draw, "<a>").printed != run(draw, "<a>", seed=1).printed
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("code", "said", "wrong"),
    [
        ("raise RuntimeError('a b')", Runtime(1, "RuntimeError", "a b"), None),
        ("raise RuntimeError('a b')", Runtime(1, "RuntimeError"), None),
        ("raise RuntimeError('a b')", Runtime(1, "RuntimeError", "c"), "must say 'c', but said: a b"),
        (
            "raise ValueError('a')",
            Runtime(1, "RuntimeError"),
            "must raise RuntimeError, but raised ValueError: a",
        ),
        ("x = 1", Runtime(1, "RuntimeError"), "must raise RuntimeError, but ran to its end"),
        ("raise ValueError('a')", Runtime(1), "must run to its end, but raised ValueError: a"),
        ("raise ValueError('a')", None, "must run to its end, but raised ValueError: a"),
        ("import sys; sys.exit(0)", None, None),
        ("import sys; sys.exit(3)", None, "must run to its end, but raised SystemExit: 3"),
    ],
)
def test_an_outcome_is_held_against_the_runtime_line(
    code: str, said: Runtime | None, wrong: str | None
) -> None:
    assert misbehaviour(run(code, "<a>"), said) == wrong


def test_dataclasses_of_a_program_resolve_their_own_module() -> None:
    code = (
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\n"
        "@dataclass\nclass Meter:\n    seen: list[int] = field(default_factory=list)\nprint(Meter())\n"
    )
    assert run(code, "<a>").printed == "Meter(seen=[])\n"
