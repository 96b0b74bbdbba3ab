"""Which fixes are made together, what they make of a text, and what is taken back."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from command import BROKEN, CURED, LOGS_A_GRAPH
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic, Edit, Fix, Span
from torchlint.engine import check
from torchlint.fixes import apply, fix
from torchlint.source import Source


def source(text: str) -> Source:
    return Source.from_text(text, "a.py")


def edit(start: int, end: int, text: str, line: int = 1) -> Edit:
    return Edit(Span(line, start, line, end), text)


def finding(*edits: Edit, safe: bool = True, code: str = "TL201", message: str = "a message") -> Diagnostic:
    """A diagnostic where its first edit is, so that the order of diagnostics is that of the edits."""
    span = edits[0].span if edits else Span.at(1, 0)
    proposal = Fix("change it", edits, safe) if edits else None
    return Diagnostic("a.py", span, code, "a-name", message, fix=proposal)


def applied(text: str, *found: Diagnostic, unsafe: bool = False) -> str:
    return apply(source(text), found, unsafe=unsafe).text


class TestApply:
    def test_a_replacement_an_insertion_and_a_deletion(self) -> None:
        found = finding(edit(0, 1, "A"), edit(2, 2, "-"), edit(3, 5, ""))
        assert applied("abcdef", found) == "Ab-cf"

    def test_nothing_to_do_gives_the_same_object(self) -> None:
        same = source("x = 1\n")
        assert apply(same, []) is same
        assert apply(same, [finding()]) is same

    def test_unsafe_fixes_only_when_asked(self) -> None:
        found = finding(edit(0, 1, "A"), safe=False)
        assert applied("abc", found) == "abc"
        assert applied("abc", found, unsafe=True) == "Abc"

    def test_of_two_that_overlap_the_earlier_is_made(self) -> None:
        early, late = finding(edit(0, 3, "X")), finding(edit(2, 5, "Y"))
        assert applied("abcdef", late, early) == "Xdef"

    def test_a_fix_is_made_whole_or_not_at_all(self) -> None:
        first = finding(edit(3, 4, "D"))
        second = finding(edit(2, 3, "C"), edit(3, 4, "E"))
        assert applied("abcdef", first, second) == "abCEef"
        second = finding(edit(4, 5, "E"), edit(3, 4, "X"), edit(0, 1, "A"))
        assert applied("abcdef", first, second) == "abcDef"

    def test_touching_ends_do_not_overlap(self) -> None:
        assert applied("abcd", finding(edit(0, 2, "X")), finding(edit(2, 4, "Y"))) == "XY"

    @pytest.mark.parametrize(
        ("replaced", "inserted", "result"),
        [
            ((1, 3), 1, "a+Xd"),
            ((1, 3), 3, "aX+d"),
            ((1, 3), 2, "aXd"),
            ((1, 3), 0, "+aXd"),
            ((0, 4), 0, "+X"),
            ((0, 4), 4, "X+"),
        ],
    )
    def test_an_insertion_beside_a_replacement(
        self, replaced: tuple[int, int], inserted: int, result: str
    ) -> None:
        """Inside it the insertion is left for the next round, whichever of the two comes first here."""
        found = (finding(edit(*replaced, "X")), finding(edit(inserted, inserted, "+")))
        assert applied("abcd", *found) == result
        assert applied("abcd", *reversed(found)) == result

    def test_an_insertion_that_two_fixes_share_is_made_once(self) -> None:
        shared = edit(0, 0, "import z\n")
        found = (finding(shared, edit(0, 1, "A")), finding(shared, edit(2, 3, "C")), finding(shared))
        assert applied("abc", *found) == "import z\nAbC"

    def test_two_insertions_at_one_point_keep_their_order_within_a_fix(self) -> None:
        assert applied("ab", finding(edit(1, 1, "1"), edit(1, 1, "2"))) == "a12b"

    def test_different_insertions_of_two_fixes_at_one_point_are_not_mixed(self) -> None:
        assert applied("ab", finding(edit(1, 1, "1")), finding(edit(1, 1, "2"))) == "a1b"

    def test_of_two_whose_code_overlaps_one_waits(self) -> None:
        """Both put a line before their code and one behind it, and count on what stands in between."""

        def around(first: int, last: int) -> Diagnostic:
            edits = (edit(first, first, "("), edit(last, last, ")"))
            fix_of_it = Fix("change it", edits, safe=True, covers=Span(1, first, 1, last))
            return Diagnostic("a.py", edits[0].span, "TL101", "a-name", "a message", fix=fix_of_it)

        assert applied("abcdef", around(0, 4), around(1, 3)) == "(abcd)ef"
        assert applied("abcdef", around(0, 3), around(1, 4)) == "(abc)def"
        assert applied("abcdef", around(0, 2), around(3, 5)) == "(ab)c(de)f"
        assert applied("abcdef", around(0, 4), finding(edit(1, 2, "B"))) == "(aBcd)ef"

    def test_columns_are_code_points(self) -> None:
        assert applied("'日🔥'; x\nyé; z\n", finding(edit(6, 7, "w")), finding(edit(4, 5, "v", 2))) == (
            "'日🔥'; w\nyé; v\n"
        )

    def test_an_edit_over_lines(self) -> None:
        found = finding(Edit(Span(1, 2, 3, 1), "-"))
        assert applied("abc\ndef\nghi\n", found) == "ab-hi\n"

    def test_the_end_of_the_text(self) -> None:
        assert applied("ab", finding(edit(2, 2, "!"))) == "ab!"
        assert applied("ab\n", finding(edit(0, 0, "!", 2))) == "ab\n!"

    def test_the_rest_of_the_file_stays_as_it_was(self) -> None:
        before = Source.from_bytes(b"\xef\xbb\xbfa\r\nb\r\n", "a.py")
        assert apply(before, [finding(edit(0, 1, "B", 2))]).to_bytes() == b"\xef\xbb\xbfa\r\nB\r\n"


TEXT = "0123456789"


@st.composite
def proposals(draw: st.DrawFn) -> list[Diagnostic]:
    """Fixes of one to three edits that do not overlap each other, each edit with a text of its own."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        cuts = sorted(draw(st.lists(st.integers(0, len(TEXT)), min_size=2, max_size=6)))
        edits = {
            (start, end): f"<{number}.{start}>" for start, end in zip(cuts[::2], cuts[1::2], strict=False)
        }
        changes = [edit(start, end, text) for (start, end), text in edits.items()]
        found.append(finding(*changes, message=f"number {number}"))
    return found


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of the strategy
@given(proposals())
def test_each_fix_is_whole_or_absent_and_order_does_not_matter(found: list[Diagnostic]) -> None:
    result = applied(TEXT, *found)
    assert applied(TEXT, *reversed(found)) == result
    made = 0
    gone: set[str] = set()
    for one in found:
        assert one.fix is not None
        present = {change.text in result for change in one.fix.edits}
        assert len(present) == 1
        if present == {True}:
            made += 1
            for change in one.fix.edits:
                gone |= set(TEXT[change.span.start_column : change.span.end_column])
    assert made
    outside = "".join(part.partition(">")[2] for part in ("<>" + result).split("<"))
    assert outside == "".join(digit for digit in TEXT if digit not in gone)


def everything(text: Source) -> list[Diagnostic]:
    return check(text, Config(select=("TL",)))


class TestUntilStable:
    def test_a_real_finding(self) -> None:
        result = fix(source(LOGS_A_GRAPH), everything)
        assert (result.source.text, result.diagnostics, result.failures) == (CURED, (), ())
        assert [(one.code, one.line) for one in result.made] == [("TL201", 4)]

    def test_what_cannot_be_read_stays_as_it_was(self) -> None:
        result = fix(source(BROKEN), everything)
        assert [found.code for found in result.diagnostics] == ["TL001"]
        assert (result.source.text, result.made, result.failures) == (BROKEN, (), ())

    def test_fixes_that_wait_for_each_other(self) -> None:
        """Both want to insert at the same point, so the second is made in the second round."""

        def check_words(text: Source) -> Iterable[Diagnostic]:
            return [finding(edit(0, 0, f"{word}; ")) for word in ("a", "b") if f"{word};" not in text.text]

        result = fix(source("x\n"), check_words)
        assert (result.source.text, len(result.made)) == ("b; a; x\n", 2)

    def test_fixes_that_never_come_to_an_end_leave_the_file_alone(self) -> None:
        result = fix(source("x\n"), lambda text: [finding(edit(0, 0, "x; "))])
        assert (result.source.text, result.made, len(result.diagnostics)) == ("x\n", (), 1)
        assert result.failures == ("the fixes do not settle, so it is left as it was; please report it",)

    def test_two_rules_that_take_back_each_other_leave_the_file_alone(self) -> None:
        def check_switch(text: Source) -> Iterable[Diagnostic]:
            return [finding(edit(0, 1, "b" if text.text[0] == "a" else "a"), code=f"TL{ord(text.text[0])}")]

        result = fix(source("a\n"), check_switch)
        assert (result.source.text, len(result.failures)) == ("a\n", 1)

    def test_a_text_that_does_not_parse_leaves_the_file_alone(self) -> None:
        def check_names(text: Source) -> Iterable[Diagnostic]:
            if text.text.startswith("x"):
                return [finding(edit(0, 1, "y"))]
            return [finding(edit(0, 1, "("))]

        result = fix(source("x\n"), check_names)
        assert (result.source.text, result.made, len(result.diagnostics)) == ("x\n", (), 1)
        assert result.failures == (
            "the fixes do not give valid Python, so it is left as it was; please report it",
        )

    def test_a_text_that_torchlint_no_longer_reads_leaves_the_file_alone(self) -> None:
        """Syntax that this Python does not know cannot be judged by it, but a new TL001 can."""

        def check_names(text: Source) -> Iterable[Diagnostic]:
            return [finding(edit(0, 1, "y"))] if text.text[0] == "x" else [finding(code="TL001")]

        result = fix(source("x = $newer$\n"), check_names)
        assert (result.source.text, result.made) == ("x = $newer$\n", ())
        assert result.failures == ("the fixes give TL001, so it is left as it was; please report it",)

    def test_a_fix_that_does_not_cure_is_left_out_and_the_others_are_made(self) -> None:
        """It is found again where it was, also after lines that another fix puts in front of it."""

        def check_names(text: Source) -> Iterable[Diagnostic]:
            last = text.line_count - 1
            other = [finding(edit(0, 0, "import a\n"))] if "import a" not in text.text else []
            cures = (edit(4, 5, "2", last),) if text.line(last).endswith("1") else ()
            stays = Diagnostic(
                "a.py",
                Span(last, 0, last, 5),
                "TL401",
                "n",
                "m",
                fix=Fix("t", cures, True) if cures else None,
            )
            return [*other, stays]

        result = fix(source("x = 1\n"), check_names)
        assert result.source.text == "import a\nx = 1\n"
        assert [one.code for one in result.made] == ["TL201"]
        assert result.failures == ("the fix of TL401 in line 1 is not made: it does not cure it there",)

    def test_findings_that_share_a_place_are_fixed_one_after_the_other(self) -> None:
        text = LOGS_A_GRAPH.replace("print(y.item())", 'print("%f %f" % (y, x * 2))\ny.backward()')
        result = fix(source(text), everything)
        assert (result.failures, result.diagnostics) == ((), ())
        assert '"%f %f" % (y.detach().item(), (x * 2).detach().item())' in result.source.text


@pytest.mark.parametrize(
    ("backward", "offered"),
    [
        ("loss.backward()", True),
        ("loss.backward(retain_graph=True); loss.backward()", True),
        ("scaler.scale(loss).backward()", True),
        ("loss.backward(torch.ones_like(loss))", False),
        ("loss.backward(gradient=weights)", False),
        ("loss.sum().backward()", False),
    ],
)
def test_the_number_is_offered_where_backward_shows_that_there_is_one(backward: str, offered: bool) -> None:
    """It is for somebody who chooses: neither --fix nor --unsafe-fixes makes it."""
    text = (
        "import torch\nw = torch.ones(2, requires_grad=True)\nlosses = []\nfor _ in range(9):\n"
        f"    loss = (w * 2).sum()\n    {backward}\n    losses.append(loss)\n"
    )
    (found,) = (one for one in everything(source(text)) if one.code == "TL202")
    changes = [[edit.text for edit in other.edits] for other in found.alternatives]
    assert changes == ([["loss.detach().item()"]] if offered else [])
    assert not any(other.safe for other in found.alternatives)
    assert "losses.append(loss.detach())\n" in fix(source(text), everything, unsafe=True).source.text


def test_each_line_keeps_its_own_end() -> None:
    before = Source.from_bytes(b"a\r\nb\nc\r\nd\r\n", "a.py")
    found = finding(Edit(Span.at(2, 0), "new\n"), Edit(Span(3, 0, 4, 0), ""))
    assert apply(before, [found]).to_bytes() == b"a\r\nnew\r\nb\nd\r\n"
