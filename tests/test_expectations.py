"""The comment forms of fixtures: what each one says, and that a misspelt one never passes unseen."""

from __future__ import annotations

import pytest
from expectations import (
    Belief,
    Expectations,
    Gap,
    MalformedExpectation,
    Runtime,
    Want,
    claim,
    expectations,
)


def test_a_source_without_comments_expects_nothing() -> None:
    assert expectations("x = 1\n") == Expectations()


def test_want_names_code_and_part_of_the_message() -> None:
    found = expectations("x = 1\ny = 2  # want TL101 \"'model' runs\"\n")
    assert found.wants == (Want(2, "TL101", "'model' runs"),)


def test_want_may_leave_the_message_out() -> None:
    assert expectations("x = 1  # want TL101\n").wants == (Want(1, "TL101"),)


def test_several_wants_stand_on_one_line() -> None:
    found = expectations('x = 1  # want TL101 "a" TL401 TL401 "b"\n')
    assert found.wants == (Want(1, "TL101", "a"), Want(1, "TL401"), Want(1, "TL401", "b"))
    assert found.wanted("TL401") == (Want(1, "TL401"), Want(1, "TL401", "b"))


def test_want_of_the_next_line() -> None:
    found = expectations('# want @+1 TL101 "a" TL401\nx = 1\n')
    assert found.wants == (Want(2, "TL101", "a"), Want(2, "TL401"))


def test_want_of_an_earlier_line() -> None:
    assert expectations("x = (\n    1\n)  # want @-2 TL301\n").wants == (Want(1, "TL301"),)


def test_quotes_inside_the_message_are_escaped() -> None:
    found = expectations(r'x = 1  # want TL201 "\'logs[\"loss\"].item()\' reads"' + "\n")
    assert found.wants == (Want(1, "TL201", "'logs[\"loss\"].item()' reads"),)


def test_a_hash_inside_the_message_ends_nothing() -> None:
    assert expectations('x = 1  # want TL101 "a # b"\n').wants == (Want(1, "TL101", "a # b"),)


def test_words_inside_strings_mean_nothing() -> None:
    text = 'x = "# want TL101"\ny = """\n# want TL101\n# nonsense TL101 "x"\n"""\n'
    assert expectations(text) == Expectations()


def test_known_gaps_keep_their_reason() -> None:
    found = expectations(
        "x = 1  # missed TL101 the caller is in another file\ny = 2  # false TL401 a subclass\n"
    )
    assert found.missed == (Gap(1, "TL101", "the caller is in another file"),)
    assert found.false == (Gap(2, "TL401", "a subclass"),)


def test_forms_share_a_line_each_after_its_own_hash() -> None:
    text = 'x = 1  # want TL101 "a"  # missed TL301 alias through a list  # state x: mode=eval\n'
    found = expectations(text)
    assert found.wants == (Want(1, "TL101", "a"),)
    assert found.missed == (Gap(1, "TL301", "alias through a list"),)
    assert found.beliefs == (Belief(1, "x", (("mode", "eval"),)),)


def test_a_form_may_follow_another_comment() -> None:
    found = expectations('x = 1  # noqa: UP031  # want TL201 "a"\ny = 2  # why not  # false TL101 because\n')
    assert found.wants == (Want(1, "TL201", "a"),)
    assert found.false == (Gap(2, "TL101", "because"),)


def test_a_misspelt_form_after_another_comment_is_refused() -> None:
    with pytest.raises(MalformedExpectation):
        expectations("x = 1  # noqa: UP031  # wants TL201\n")


def test_state_names_a_place_and_words() -> None:
    found = expectations("m = f()  # state self.nets[0]: mode=train grad=yes\n")
    assert found.beliefs == (Belief(1, "self.nets[0]", (("mode", "train"), ("grad", "yes"))),)


def test_runtime_raises() -> None:
    found = expectations('# runtime: raises RuntimeError "modified by an inplace"\nx = 1\n')
    assert found.runtime == Runtime(1, "RuntimeError", "modified by an inplace")


def test_runtime_observed_runs_to_the_end() -> None:
    assert expectations("# runtime: observed\nx = 1\n").runtime == Runtime(1)


@pytest.mark.parametrize(
    "prose",
    [
        "# the model is in training mode here",
        "# TL101 is silent here: every branch calls eval",
        "# no finding of TL301, relu saves its result",
        "# statement order matters",
        "# wanted by the caller",
        "# falsehood",
        "x = 1  # noqa: TL101",
        "x = 1  # torchlint: ignore[TL101]",
        "# type: ignore",
        "#!/usr/bin/env python",
    ],
)
def test_prose_is_left_alone(prose: str) -> None:
    assert expectations(f"{prose}\nx = 1\n") == Expectations()


@pytest.mark.parametrize(
    "comment",
    [
        "# want",
        "# want that",
        "# want: TL101",
        "# want tl101",
        "# want TL1",
        "# want TL101 'single quotes'",
        '# want TL101 "open',
        '# want TL101 "a" and more',
        '# want "a" TL101',
        "# want @1 TL101",
        "# want @+1",
        "# want TL101, TL401",
        "# Want TL101",
        "# wants TL101",
        '# expect TL101 "a"',
        '# TL101 "a"',
        "# TL101",
        "# misses TL101 why",
        "# missed TL101",
        "# missed why",
        "# false TL401",
        "# false positive",
        "# state model",
        "# state model: train",
        "# state model: mode=",
        "# state : mode=train",
        "# state model mode=train",
    ],
)
def test_a_misspelt_form_is_refused(comment: str) -> None:
    with pytest.raises(MalformedExpectation, match=r"^here\.py:2: "):
        expectations(f"x = 1\ny = 2  {comment}\n", "here.py")


@pytest.mark.parametrize(
    "comment",
    [
        "# runtime: fails",
        "# runtime observed",
        "# runtime:raises RuntimeError",
        "# runtime: raises",
        "# runtime: raises RuntimeError 'single quotes'",
        "x = 1  # runtime: observed",
        "# runtime: observed\n# runtime: observed",
    ],
)
def test_a_misspelt_runtime_line_is_refused(comment: str) -> None:
    if comment == "# runtime:raises RuntimeError":
        assert expectations(f"{comment}\nx = 1\n").runtime == Runtime(1, "RuntimeError")
        return
    with pytest.raises(MalformedExpectation):
        expectations(f"{comment}\nx = 1\n")


@pytest.mark.parametrize(
    "text", ["# want TL101\nx = 1\n", "x = 1  # want @+5 TL101\n", "x = 1\n\n# state x: a=b\n"]
)
def test_a_form_must_point_at_a_line_with_code(text: str) -> None:
    with pytest.raises(MalformedExpectation, match="has no code"):
        expectations(text)


def test_text_that_is_not_python_is_refused() -> None:
    with pytest.raises(MalformedExpectation, match="not Python"):
        expectations("x = (\n")


def test_the_claim_is_the_first_line() -> None:
    assert claim('"""A model that was never switched."""\n\nx = 1\n') == "A model that was never switched."
    assert claim('"""A claim.\n\nAnd more.\n"""\n') == "A claim."


@pytest.mark.parametrize(
    "text", ["x = 1\n", '\n"""Late."""\n', '""""""\n', '"""\nBelow."""\n', "# a comment\n"]
)
def test_a_source_without_a_claim_is_refused(text: str) -> None:
    with pytest.raises(MalformedExpectation, match="the first line must be the claim"):
        claim(text)


def test_a_gap_is_a_belief_that_is_not_held() -> None:
    found = expectations("x = 1  # gap x: mode=eval\n", "a.py")
    assert found.beliefs == (Belief(1, "x", (("mode", "eval"),), gap=True),)
