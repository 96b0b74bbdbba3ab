"""Findings held against what was seen: confirmed, refuted, not reached; and faults without a finding."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from torchlint.diagnostic import Diagnostic
from torchlint.prove.observations import CLAIMED, Kind, Observation


class Answer(Enum):
    """What a run says of one finding."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NOT_REACHED = "not reached"


NOT_RUN = "the line did not run"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One finding, what the run says of it, and why."""

    finding: Diagnostic
    answer: Answer
    why: str
    observation: Observation | None = None


_NEGATIONS = {"TL401": Kind.INFERENCE_UNSAFE, "TL404": Kind.INFERENCE_UNSAFE}
"""What is seen where a finding of the rule is wrong."""

_HARMLESS = {
    Kind.INFERENCE_UNSAFE,
    Kind.INFERENCE_SAFE,
    Kind.GRAPH_UNUSED,
    Kind.GRAD_READ,
    Kind.GRAD_CONVERSION,
    Kind.DEVICE_WAIT,
    Kind.UNREACHED_SAVE,
}
"""Nothing to report where no rule claims it."""


def verdicts(
    findings: Iterable[Diagnostic],
    observations: Sequence[Observation],
    lines: Collection[tuple[str, int]],
) -> list[Verdict]:
    """A verdict for each finding; `lines` are those that ran."""
    return [_verdict(one, observations, lines) for one in findings]


def unannounced(found: Sequence[Verdict], observations: Iterable[Observation]) -> list[Observation]:
    """The faults that were seen where no finding of their rule stands."""
    return [
        one
        for one in observations
        if one.kind not in _HARMLESS
        and not any(CLAIMED.get(two.finding.code) is one.kind and _is_at(one, two.finding) for two in found)
    ]


def _verdict(
    finding: Diagnostic, observations: Sequence[Observation], lines: Collection[tuple[str, int]]
) -> Verdict:
    here = {one.kind: one for one in reversed(observations) if _is_at(one, finding)}
    claimed = here.get(CLAIMED[finding.code])
    if claimed is not None:
        return Verdict(finding, Answer.CONFIRMED, claimed.text, claimed)
    negation = _NEGATIONS.get(finding.code)
    against = here.get(negation) if negation is not None else None
    if against is not None:
        return Verdict(finding, Answer.REFUTED, against.text, against)
    unreached = here.get(Kind.UNREACHED_SAVE)
    if unreached is not None:
        return Verdict(finding, Answer.NOT_REACHED, unreached.text, unreached)
    span = range(finding.line, finding.span.end_line + 1)
    if any((finding.filename, line) in lines for line in span):
        return Verdict(finding, Answer.REFUTED, "the line ran, and torch did nothing of the kind")
    return Verdict(finding, Answer.NOT_REACHED, NOT_RUN)


def _is_at(observation: Observation, finding: Diagnostic) -> bool:
    return observation.is_at(finding.filename, finding.line, finding.span.end_line)
