"""The generator of programs that write in place, and torchlint against torch on some thousands of them.

benchmarks/inplace_agreement.py is the long run, and shrinks what disagrees.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from textwrap import dedent

import pytest
from agreement import Seen, Verdict, judge, observe, read
from generated import Form, forms, program

import torchlint
from torchlint.config import Config

PROGRAMS = 2_400
SEED = 4_000_000_000

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn
w = torch.rand(3, 3, requires_grad=True)
d = torch.rand(3, 3)
"""


@cache
def outcomes() -> tuple[tuple[int, Seen], ...]:
    """Each program of the test run, as torch judged it."""
    return tuple((number, observe(program(number).text)) for number in range(SEED, SEED + PROGRAMS))


def seen(text: str) -> Seen:
    """What torch does behind HEAD; the first line of the text is line 6."""
    return observe(HEAD + dedent(text))


def test_the_same_seed_gives_the_same_program() -> None:
    assert program(7) == program(7)
    assert len({program(number).text for number in range(200)}) == 200


def test_there_are_enough_forms_and_all_are_different() -> None:
    assert len(list(forms())) >= 120
    twice = [one.text for one, times in Counter(list(forms())).items() if times > 1]
    assert not twice


@pytest.mark.limit(120)
def test_every_form_runs_under_torch() -> None:
    used: Counter[Form] = Counter()
    for number, one in outcomes():
        if one.verdict is not Verdict.OTHER:
            used.update(program(number).forms)
    unused = [one.text for one in forms() if not used[one]]
    assert not unused


@pytest.mark.limit(120)
def test_no_program_fails_for_other_reasons() -> None:
    other = [f"{number}: {one.error}" for number, one in outcomes() if one.verdict is Verdict.OTHER]
    assert not other


@pytest.mark.limit(120)
def test_each_verdict_is_frequent_enough_and_has_its_lines() -> None:
    counted = Counter(one.verdict for _, one in outcomes())
    for verdict, share in (
        (Verdict.FINE, 0.4),
        (Verdict.INPLACE, 0.1),
        (Verdict.LEAF, 0.03),
        (Verdict.MULTI_VIEW, 0.03),
        (Verdict.SILENT, 0.005),
    ):
        assert counted[verdict] > share * PROGRAMS, counted
    assert not [number for number, one in outcomes() if (one.verdict is Verdict.FINE) == bool(one.guilty)]


@pytest.mark.limit(300)
def test_torchlint_agrees_with_torch_on_every_verdict_and_line() -> None:
    judged = ((number, judge(one, read(program(number).text))) for number, one in outcomes())
    wrong = {number: judgement for number, judgement in judged if not judgement.agrees_on_lines}
    assert not wrong


@pytest.mark.parametrize(
    ("verdict", "lines", "text"),
    [
        (Verdict.FINE, [], "y = w * 2\ny.mul_(2)\ny.sum().backward()"),
        (Verdict.INPLACE, [7], "y = w.exp()\ny.mul_(2)\ny.sum().backward()"),
        (Verdict.INPLACE, [8], "y = w.exp()\nwith torch.no_grad():\n    y[0] = 1\ny.sum().backward()"),
        (Verdict.INPLACE, [8, 9], "a = w.exp()\nb = w.tanh()\na.zero_()\nb[0] = 1\n(a + b).sum().backward()"),
        (Verdict.FINE, [], "y = w.exp()\ny.sum().backward()\ny.mul_(2)"),
        (Verdict.FINE, [], "y = w.exp()\ny.mul_(2)\nw.sum().backward()"),
        (Verdict.LEAF, [6], "w.add_(1)"),
        (Verdict.LEAF, [6], "w[0].zero_()"),
        (Verdict.FINE, [], "with torch.no_grad():\n    w.add_(1)\nw.sum().backward()"),
        (Verdict.MULTI_VIEW, [7], "a, b, c = (w * 2).unbind(0)\nb.mul_(2)"),
        (Verdict.MULTI_VIEW, [8], "with torch.no_grad():\n    v = d[0]\nv.mul_(w[0])"),
        (Verdict.MULTI_VIEW, [6], "d[0].expand(3, 3).add_(1)"),
        (Verdict.MULTI_VIEW, [6], "d[1:] += d[:-1]"),
        (Verdict.SILENT, [7], "y = w.exp()\ny.data.fill_(2)\ny.sum().backward()"),
        (Verdict.SILENT, [8], "y = w.exp()\nraw = y.detach().numpy()\nraw[0] = 2\ny.sum().backward()"),
        (Verdict.FINE, [], "y = w.exp()\ny.data.fill_(2)\nw.sum().backward()"),
        (Verdict.OTHER, [], "d.sum().backward()"),
    ],
)
def test_a_program_is_judged_by_what_torch_does(verdict: Verdict, lines: list[int], text: str) -> None:
    found = seen(text)
    assert (found.verdict, sorted(place[0] for place in found.guilty)) == (verdict, lines)


def test_statistics_that_batch_norm_writes_itself_are_not_silent() -> None:
    found = seen("norm = nn.BatchNorm1d(3)\ny = norm(w)\nz = norm(w)\n(y + z).square().sum().backward()")
    assert found.verdict is Verdict.FINE


def test_a_batch_norm_that_changes_between_its_modes_is_silent() -> None:
    found = seen(
        """\
        norm = nn.BatchNorm1d(3).eval()
        y = norm(w)
        norm.train()(d)
        y.square().sum().backward()
        """
    )
    assert found.verdict is Verdict.SILENT
    assert {place[0] for place in found.guilty} == {8}


def test_the_callers_of_a_guilty_line_may_stand_for_it() -> None:
    found = seen("def scale_(t):\n    t.mul_(2)\n\n\ny = w.exp()\nscale_(y)\ny.sum().backward()")
    assert found.guilty == {(7, 11)}
    for line, agrees in ((7, True), (11, True), (10, False)):
        assert judge(found, frozenset([(Verdict.INPLACE, line)])).agrees_on_lines is agrees


def test_the_write_of_a_base_and_the_use_of_its_piece_are_both_guilty() -> None:
    found = seen("a = w.exp()\nb, c, e = a.unbind(0)\na.mul_(2)\nc.sum().backward()")
    assert (found.verdict, found.guilty) == (Verdict.MULTI_VIEW, {(9, 8)})


def test_torch_stops_at_its_first_error() -> None:
    found = seen("y = w.exp()\ny.mul_(2)\nw.add_(1)\nw.mul_(2)\ny.sum().backward()")
    leaf, inplace = (Verdict.LEAF, 8), (Verdict.INPLACE, 7)
    claimed = frozenset(Verdict)
    assert judge(found, frozenset([leaf, inplace, (Verdict.LEAF, 9)]), claimed).agrees_on_lines
    early = judge(found, frozenset([leaf, (Verdict.MULTI_VIEW, 7)]), claimed)
    assert (early.agrees, early.said) == (False, Verdict.MULTI_VIEW)


def test_a_missed_and_a_false_line_are_told_apart() -> None:
    found = seen("y = w.exp()\ny.mul_(2)\nz = d.clone()\nz.mul_(2)\n(y + z).sum().backward()")
    assert judge(found, frozenset()).missed == {(7,)}
    both = judge(found, frozenset([(Verdict.INPLACE, 7), (Verdict.INPLACE, 9)]))
    assert (both.agrees, both.agrees_on_lines, both.false) == (True, False, {(Verdict.INPLACE, 9)})
    silent = seen("z = d.clone()\nz.mul_(2)\nw.sum().backward()")
    assert judge(silent, frozenset([(Verdict.INPLACE, 7)])).said is Verdict.INPLACE


def test_what_no_rule_speaks_of_asks_for_silence() -> None:
    found = seen("w.add_(1)")
    assert judge(found, frozenset(), frozenset([Verdict.INPLACE])).agrees
    assert not judge(found, frozenset(), frozenset([Verdict.INPLACE, Verdict.LEAF])).agrees


def test_programs_are_read_without_a_defect() -> None:
    codes = Config(select=("TL0",))
    assert not [
        found for number in range(100) for found in torchlint.check(program(number).text, config=codes)
    ]
