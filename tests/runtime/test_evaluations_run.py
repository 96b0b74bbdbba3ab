"""What the unsafe fixes of TL101 and TL102 promise, held against torch.

A fixed program must do what the program does when each module evaluates in evaluation mode, and otherwise is
in the mode that it had: hooks of torch make the program do so without a change of its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest
import torch
from evaluations import CODES, codes, evaluations, fixed
from execution import run
from expectations import expectations
from fixture_files import name, situations
from pages import python_blocks
from torch import nn
from torch.nn.modules import module as hooks


def sources() -> Iterator[tuple[str, str]]:
    """Programs that have such a fix, with their names; not where a module is meant to evaluate untouched."""
    yield from ((one.title, one.before) for one in evaluations() if one.before != one.after)
    texts = [(name(path), path.read_text(encoding="utf-8")) for path in situations() if "TL10" in name(path)]
    texts += [(block.name, block.text) for block in python_blocks()]
    for title, text in texts:
        said = expectations(text, title)
        wanted = {want.code for want in said.wants} & set(CODES)
        if wanted and not any(gap.code in CODES for gap in (*said.missed, *said.meant)):
            yield title, text


@dataclass(frozen=True, slots=True)
class Case:
    """A program before and after its fixes, and which of the two rules spoke of it."""

    title: str
    before: str
    after: str
    codes: frozenset[str]


def cases() -> Iterator[Case]:
    """The programs that are cured by their fixes."""
    for title, text in sources():
        said = frozenset(codes(text)) & frozenset(CODES)
        after = fixed(text, title).source.text
        # Of a program that asks for the mode itself, no hook can say what it would do.
        asks = "TL102" in said and ".training" in text
        if after != text and not asks and not set(CODES) & set(codes(after)):
            yield Case(title, text, after, said)


# torch.compile does not bear the hooks that watch here.
CASES = [case for case in cases() if "torch.compile" not in case.before]


@dataclass(slots=True)
class Modes:
    """The modes of all modules at each forward that builds a graph, and of those that ran, at the end."""

    learning: list[tuple[bool, ...]] = field(default_factory=list)
    met: dict[nn.Module, None] = field(default_factory=dict)

    def at_the_end(self) -> list[tuple[bool, ...]]:
        """In the order in which they ran first."""
        return [modes(module) for module in self.met]


def modes(module: nn.Module) -> tuple[bool, ...]:
    return tuple(part.training for part in module.modules())


@contextmanager
def watched(*, evaluating: bool, training: bool) -> Iterator[Modes]:
    """Note the modes; put modules into evaluation mode without gradients, into training mode with them."""
    seen = Modes()
    kept: list[list[tuple[nn.Module, bool]]] = []

    def before(module: nn.Module, arguments: object) -> None:
        graded = torch.is_grad_enabled()
        parts = list(module.modules())
        kept.append([(part, part.training) for part in parts])
        if training if graded else evaluating:
            for part in parts:
                part.training = graded
        if graded:
            seen.learning.append(modes(module))
        seen.met.setdefault(module)

    def after(module: nn.Module, arguments: object, result: object) -> None:
        for part, mode in kept.pop():
            part.training = mode

    with ExitStack() as stack:
        handles = (
            hooks.register_module_forward_pre_hook(before),
            hooks.register_module_forward_hook(after, always_call=True),
        )
        for handle in handles:
            stack.callback(handle.remove)
        yield seen


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_fixed_program_evaluates_in_evaluation_mode_and_restores_it(case: Case) -> None:
    resumes = "TL102" in case.codes
    with watched(evaluating=True, training=resumes) as wanted:
        before = run(case.before, case.title, seed=1)
    with watched(evaluating=False, training=False) as done:
        after = run(case.after, case.title, seed=1)
    assert (after.printed, after.error_line) == (before.printed, before.error_line)
    assert {key: after.left.get(key) for key in before.left} == before.left
    assert done.learning == wanted.learning
    if not resumes and after.error is None:
        assert done.at_the_end() == wanted.at_the_end()


def test_there_are_programs_of_both_rules() -> None:
    assert sum("TL101" in case.codes for case in CASES) >= 50
    assert sum("TL102" in case.codes for case in CASES) >= 20
