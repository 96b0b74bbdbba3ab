"""The unsafe fixes of TL101 and TL102: which lines they put where, and where they are not offered."""

from __future__ import annotations

from collections import Counter

import pytest
from evaluations import CODES, Evaluation, codes, evaluations, fixed

EVALUATIONS = evaluations()


@pytest.mark.parametrize("one", EVALUATIONS, ids=lambda one: one.title)
def test_a_fix_puts_the_lines_where_they_belong(one: Evaluation) -> None:
    assert set(codes(one.before)) & set(CODES), "nothing is found, so nothing is tried"
    result = fixed(one.before, "x.py")
    assert not result.failures
    assert result.source.text == one.after


@pytest.mark.parametrize("one", EVALUATIONS, ids=lambda one: one.title)
def test_a_fix_cures_and_brings_nothing_new(one: Evaluation) -> None:
    before, after = Counter(codes(one.before)), Counter(codes(one.after))
    assert not after - before
    again = fixed(one.after, "x.py")
    assert (again.source.text, again.made) == (one.after, ())


def test_most_programs_are_fixed_wholly() -> None:
    whole = [one for one in EVALUATIONS if one.after != one.before and not set(codes(one.after)) & set(CODES)]
    assert len(whole) >= 50
    assert len({one.title for one in EVALUATIONS}) == len(EVALUATIONS)
