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


SOURCES = [
    (title, text, after)
    for title, text in sources()
    if (after := fixed(text, title).source.text) != text and not set(CODES) & set(codes(after))
]


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


@pytest.mark.parametrize(("title", "text", "after"), SOURCES, ids=[title for title, _, _ in SOURCES])
def test_a_fixed_program_evaluates_in_evaluation_mode_and_restores_it(
    title: str, text: str, after: str
) -> None:
    resumes = "TL102" in codes(text)
    with watched(evaluating=True, training=resumes) as wanted:
        before = run(text, title, seed=1)
    with watched(evaluating=False, training=False) as done:
        outcome = run(after, title, seed=1)
    assert (outcome.printed, outcome.error_line) == (before.printed, before.error_line)
    left = {key: value for key, value in outcome.left.items() if key in before.left}
    assert left == before.left
    assert done.learning == wanted.learning
    if not resumes:
        assert done.at_the_end() == wanted.at_the_end()


def test_there_are_programs_of_both_rules() -> None:
    assert {code for code in CODES if sum(code in codes(text) for _, text, _ in SOURCES) >= 20} == set(CODES)
