"""`torchlint prove CODE`: the programs of a rule's page, flagged and cured, run side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from textwrap import wrap

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.engine import check
from torchlint.fixes import fix
from torchlint.prove.observations import CLAIMED
from torchlint.prove.programs import execute
from torchlint.prove.proof import Watch, observe
from torchlint.prove.recording import record
from torchlint.prove.records import Record
from torchlint.prove.verdicts import Answer, Verdict, verdicts
from torchlint.prove.versions import torch_version
from torchlint.rulebook import Example, examples, page
from torchlint.rules import RULES
from torchlint.source import Source

_LABEL, _COLUMN = 9, 52  # widths of the table: of what stands before each row, and of its left cell


@dataclass(frozen=True, slots=True)
class _Run:
    """One program of a page, linted and run."""

    title: str
    text: str
    record: Record
    found: list[Verdict]


def prove_page(code: str) -> bool:
    """Print what torch did in the programs of a rule's page; gives whether that differs from the page."""
    name = next(rule.name for rule in RULES if rule.code == code)
    programs = examples(page(code))
    cures = [one for one in programs if one.section == "Instead"]
    flagged = [one for one in programs if one.section == "Flagged"]
    print(f"{code} {name} on {torch_version()}\n")
    strange = 0
    for example in flagged:
        shown = _run(code, f"flagged, rules/{code}.md:{example.line}", example.text)
        cured = _run(code, *_cure(code, example, cures))
        for line in _beside(shown, cured):
            print(line)
        differs = _wrong(code, shown, cured)
        strange += bool(differs)
        print(f"{'':<{_LABEL}}{differs or 'as the page says'}\n")
    agree = len(flagged) - strange
    print(f"{code}: {agree} of {len(flagged)} programs do on this torch what the page says\n")
    return bool(strange)


def _cure(code: str, example: Example, cures: list[Example]) -> tuple[str, str]:
    """What fixes make of a program, or the page's own better program; its title first."""
    for unsafe, title in ((False, "after --fix"), (True, "after its unsafe fix")):
        fixed = fix(Source("<page>", example.text), lambda source: _lint(code, source), unsafe=unsafe)
        if fixed.made:
            return title, fixed.source.text
    return f"instead, rules/{code}.md:{cures[0].line}", cures[0].text


def _lint(code: str, source: Source) -> list[Diagnostic]:
    return check(source, Config(select=(code,)))


def _run(code: str, title: str, text: str) -> _Run:
    name = f"<{title}>"

    def run(watch: Watch, *, carry_on: bool = True) -> Record:
        return record(lambda: execute(text, name), lambda file: file == name, watch, carry_on=carry_on)

    # Torch stops at the first stale tensor: how it ended is one run, all that there is to see is another.
    seen = replace(run(Watch(), carry_on=False), observations=observe(run).record.observations)
    findings = _lint(code, Source(name, text))
    return _Run(title, text, seen, verdicts(findings, seen.observations, ()))


def _wrong(code: str, flagged: _Run, cured: _Run) -> str | None:
    """What is not as the page says; None where all is."""
    if not flagged.found or any(one.answer is not Answer.CONFIRMED for one in flagged.found):
        return "NOT as the page says: the fault was not seen"
    if any(one.kind is CLAIMED[code] for one in cured.record.observations) or cured.record.error:
        return "NOT as the page says: the cure does not help"
    return None


def _beside(left: _Run, right: _Run) -> Iterator[str]:
    yield from _row("", left.title, right.title)
    yield from _row("", "-" * (_COLUMN - 3), "-" * (_COLUMN - 3))
    yield from _row("ended", left.record.error or "normally", right.record.error or "normally")
    for verdict in left.found:
        line = verdict.finding.line
        yield from _row(f"line {line}", left.text.split("\n")[line - 1].split("  # ")[0].strip(), "")
        yield from _row("  torch", _told(verdict), "nothing of the kind")
    yield from _row(
        "printed", left.record.printed.strip() or "nothing", right.record.printed.strip() or "nothing"
    )
    yield from _row("saved", *(f"{run.record.saved_bytes:,} bytes at most" for run in (left, right)))


def _told(verdict: Verdict) -> str:
    remarks = verdict.observation.remarks if verdict.observation is not None else ()
    return "; ".join([verdict.why, *(f"line {one.site.line}: {one.text}" for one in remarks)])


def _row(label: str, left: str, right: str) -> Iterator[str]:
    """One row of the table, each cell in lines of its own width."""
    cells = [_wrapped(left), _wrapped(right)]
    for number in range(max(map(len, cells))):
        texts = [cell[number] if number < len(cell) else "" for cell in cells]
        yield f"{label if not number else '':<{_LABEL}}{texts[0]:<{_COLUMN}}{texts[1]}".rstrip()


def _wrapped(text: str) -> list[str]:
    return [piece for line in text.split("\n") for piece in wrap(line, _COLUMN - 3)] or [""]
