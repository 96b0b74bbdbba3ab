"""The comparison behind every fixture: it must fail in both directions, and say where."""

from __future__ import annotations

import pytest
from expectations import expectations
from matching import Found, differences, frame, report

TRAINS = "'model' runs without gradients in training mode"


def told(text: str, *found: Found, may_be_gone: tuple[str, ...] = ()) -> list[tuple[int, str, str]]:
    expected = expectations(text)
    return [
        (one.line, one.expected, one.got) for one in differences(expected, found, may_be_gone=may_be_gone)
    ]


@pytest.mark.parametrize("comment", ["", " \"'model' runs\"", f' "{TRAINS}"'])
def test_an_announced_finding_passes(comment: str) -> None:
    assert told(f"x = 1  # want TL101{comment}\n", Found(1, "TL101", TRAINS)) == []


def test_a_missing_finding_fails() -> None:
    assert told('x = 1  # want TL101 "a"\n') == [(1, 'TL101 "a"', "nothing")]


def test_an_unannounced_finding_fails() -> None:
    assert told("x = 1\n", Found(1, "TL101", TRAINS)) == [(1, "nothing announced", f'TL101 "{TRAINS}"')]


def test_another_line_fails_twice() -> None:
    lines = [line for line, _, _ in told("x = 1  # want TL101\ny = 2\n", Found(2, "TL101", TRAINS))]
    assert lines == [1, 2]


def test_another_code_fails_twice() -> None:
    assert len(told("x = 1  # want TL101\n", Found(1, "TL401", "m"))) == 2


def test_another_message_fails() -> None:
    assert told('x = 1  # want TL101 "may run"\n', Found(1, "TL101", TRAINS))[0][2] == f'TL101 "{TRAINS}"'


def test_two_findings_of_one_code_need_two_wants() -> None:
    pair = (Found(1, "TL101", "'a' runs"), Found(1, "TL101", "'b' runs"))
    assert len(told("x = 1  # want TL101\n", *pair)) == 1
    assert told("x = 1  # want TL101 TL101 \"'a'\"\n", *pair) == []


def test_a_missed_alarm_must_stay_missed() -> None:
    text = "x = 1  # missed TL101 an alias\n"
    assert told(text) == []
    [(line, expected, _)] = told(text, Found(1, "TL101", TRAINS))
    assert (line, "the gap is closed" in expected) == (1, True)


def test_a_false_alarm_must_stay_false() -> None:
    text = "x = 1  # false TL101 a subclass\n"
    assert told(text, Found(1, "TL101", TRAINS)) == []
    [(line, expected, _)] = told(text)
    assert (line, "it is cured" in expected) == (1, True)


def test_a_fixed_code_may_be_gone_but_not_come_unannounced() -> None:
    text = "x = 1  # want TL401\ny = 2\n"
    assert told(text, may_be_gone=("TL401",)) == []
    assert told(text, Found(2, "TL401", "m"), may_be_gone=("TL401",)) == [
        (2, "nothing announced", 'TL401 "m"')
    ]


def test_the_report_shows_the_line_among_its_neighbours() -> None:
    text = 'a = 1\nb = 2\nc = 3  # want TL101 "m"\nd = 4\ne = 5\nf = 6\n'
    shown = report("x.py", text, differences(expectations(text), []))
    assert ">    3 | c = 3" in shown
    assert '  expected: TL101 "m"\n  got:      nothing' in shown
    assert "f = 6" not in shown
    assert frame("only", 1) == ">    1 | only"
