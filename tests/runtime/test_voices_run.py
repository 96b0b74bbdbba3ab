"""Three voices agree, line by line: what a fixture announces, what the linter finds, what torch does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from execution import restored
from expectations import expectations
from fixture_files import all_files, name
from matching import frame
from pages import Block, python_blocks

import torchlint
from torchlint.config import Config
from torchlint.prove.observations import CLAIMED, Kind
from torchlint.prove.programs import execute
from torchlint.prove.proof import Watch, observe
from torchlint.prove.recording import record
from torchlint.prove.records import Record

CODES: dict[Kind, list[str]] = {}
for _code, _kind in CLAIMED.items():
    CODES.setdefault(_kind, []).append(_code)


def voices(text: str, name: str) -> None:
    """Run one source under the observers and hold them, the linter and the comments against each other.

    Backward goes on where torch would stop at the first stale tensor, so that every fault of a program is
    met.
    """

    def run(watch: Watch) -> Record:
        with restored():
            return record(lambda: execute(text, name), lambda file: file == name, watch, carry_on=True)

    said = expectations(text, name)
    # The page about comments that silence shows some that do.
    config = replace(EVERY_RULE, noqa=not name.startswith("TL003"))
    findings = torchlint.check(text, filename=name, config=config)
    found = {(one.code, one.line) for one in findings}
    seen: dict[tuple[str, int], str] = {}
    proof = observe(run, lines=True)
    assert not proof.record.troubles
    for one in proof.record.observations:
        codes = CODES.get(one.kind)
        if codes is None:
            continue
        places = [
            (finding.code, finding.line)
            for finding in findings
            if finding.code in codes and one.is_at(name, finding.line, finding.span.end_line)
        ]
        if not places:  # of rules that claim the same, the one that a comment names
            gaps = (*said.missed, *said.meant)
            named = [gap.code for gap in gaps if gap.code in codes and gap.line == one.site.line]
            places = [((named or codes)[0], one.site.line)]
        seen[places[0]] = one.text
    # What no observer claims yet is shown by the programs themselves.
    found = {(code, line) for code, line in found if code in CLAIMED}
    silent = {(gap.code, gap.line) for gap in (*said.missed, *said.meant) if gap.code in CLAIMED}
    alarms = {(gap.code, gap.line) for gap in said.false}
    torch_only = seen.keys() - found - silent
    linter_only = found - seen.keys() - alarms
    unseen = silent - seen.keys()
    true_alarms = alarms & seen.keys()
    told = [
        f"{frame(text, line)}\n  {code}: {why}"
        for places, why in (
            (torch_only, "torch does it, the linter is silent; write '# missed' or '# meant', and why"),
            (linter_only, "the linter finds it, torch does not do it; write '# false', and why"),
            (unseen, "'# missed' or '# meant' stands here, and torch does no such thing"),
            (true_alarms, "'# false' stands here, and torch does it"),
        )
        for code, line in sorted(places)
    ]
    assert not told, f"{name}\n" + "\n\n".join(told)


EVERY_RULE = Config(select=("TL",), project=False)  # a fixture is a program by itself


@pytest.mark.parametrize("path", all_files(), ids=name)
def test_voices_agree_on_a_fixture(path: Path, empty_folder: Path) -> None:
    voices(path.read_text(encoding="utf-8"), str(path))


@pytest.mark.limit(120)  # one block trains a classifier, and is run once more under inference_mode
@pytest.mark.parametrize("block", python_blocks(), ids=lambda block: block.name)
def test_voices_agree_on_a_block(block: Block, empty_folder: Path) -> None:
    voices(block.text, block.name)


def test_the_differences_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    fixtures = [path.read_text(encoding="utf-8") for path in all_files()]
    blocks = [block.text for block in python_blocks()]
    counts: Counter[str] = Counter()
    for said in map(expectations, fixtures + blocks):
        for form in ("wants", "missed", "false", "meant"):
            counts[form] += len(getattr(said, form))
    with capsys.disabled():
        print(
            f"\nthree voices over {len(fixtures)} fixtures and {len(blocks)} blocks: {counts['wants']} wants;"
            f" they part at {counts['missed']} missed, {counts['false']} false, {counts['meant']} meant"
        )
    # A ratchet: a new difference has to be worth it, and is then counted here.
    assert counts["missed"] <= 35
    assert counts["false"] <= 3
