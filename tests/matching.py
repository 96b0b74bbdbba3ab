"""Holds what was found against what was announced, and tells each difference with its lines of source."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from expectations import Expectations


@dataclass(frozen=True, slots=True)
class Found:
    """One finding, reduced to what a fixture can announce."""

    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One line on which announcement and finding part."""

    line: int
    expected: str
    got: str


def differences(
    expected: Expectations, found: Iterable[Found], *, may_be_gone: Collection[str] = ()
) -> list[Difference]:
    """Every finding without an announcement, and every announcement that did not come true.

    Findings of a code in `may_be_gone` need not be there; where they are, they are announced all the same.
    """
    left = sorted(found, key=lambda finding: (finding.line, finding.code, finding.message))
    told: list[Difference] = []
    # The longest text chooses first: a want without text would take the finding that another one names.
    for want in sorted(expected.wants, key=lambda want: -len(want.text or "")):
        here = [finding for finding in left if (finding.line, finding.code) == (want.line, want.code)]
        fitting = [finding for finding in here if want.text is None or want.text in finding.message]
        if fitting:
            left.remove(fitting[0])
        elif want.code not in may_be_gone:
            told.append(Difference(want.line, _quoted(want.code, want.text), _all_quoted(here)))
    for gap in expected.false:
        here = [finding for finding in left if (finding.line, finding.code) == (gap.line, gap.code)]
        if here:
            left.remove(here[0])
        elif gap.code not in may_be_gone:
            cured = f"the false alarm {gap.code} ({gap.why}); it is cured, so take the '# false' away"
            told.append(Difference(gap.line, cured, "nothing"))
    for gap in expected.missed:
        here = [finding for finding in left if (finding.line, finding.code) == (gap.line, gap.code)]
        if here:
            left.remove(here[0])
            closed = f"nothing ({gap.why}); the gap is closed, so make '# missed' a '# want'"
            told.append(Difference(gap.line, closed, _all_quoted(here)))
    told.extend(
        Difference(finding.line, "nothing announced", _quoted(finding.code, finding.message))
        for finding in left
    )
    return sorted(told, key=lambda difference: difference.line)


def report(name: str, text: str, told: Iterable[Difference]) -> str:
    """The differences as text, each under the lines it is about."""
    parts = [f"{name}: findings and announcements differ"]
    for difference in told:
        parts.append(
            f"{frame(text, difference.line)}\n  expected: {difference.expected}\n  got:      {difference.got}"
        )
    return "\n\n".join(parts)


def frame(text: str, line: int, *, around: int = 2) -> str:
    """A few lines of source with an arrow at one of them."""
    lines = text.split("\n")
    shown = range(max(1, line - around), min(len(lines), line + around) + 1)
    return "\n".join(f"{'>' if number == line else ' '} {number:4} | {lines[number - 1]}" for number in shown)


def _quoted(code: str, text: str | None) -> str:
    return code if text is None else f'{code} "{text}"'


def _all_quoted(found: Collection[Found]) -> str:
    return ", ".join(_quoted(finding.code, finding.message) for finding in found) or "nothing"
