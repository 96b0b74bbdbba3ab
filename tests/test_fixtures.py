"""Each fixture against the linter: the findings it announces, the fix it promises, the beliefs it states."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from expectations import claim, expectations
from fixture_files import all_files, is_twin, name, original, situations, twin, twins
from matching import Difference, Found, differences, report

import torchlint
from torchlint import engine, fixes
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.source import Source

EVERY_RULE = Config(select=("TL",), project=False)  # a fixture is a program by itself


def lint(path: Path) -> list[Diagnostic]:
    return torchlint.check(path.read_bytes(), filename=str(path), config=EVERY_RULE)


def reduced(diagnostics: list[Diagnostic]) -> list[Found]:
    return [Found(one.line, one.code, one.message) for one in diagnostics]


def safely_fixable(diagnostics: list[Diagnostic]) -> set[str]:
    return {one.code for one in diagnostics if one.fix is not None and one.fix.safe}


def text_of(path: Path) -> str:
    return Source.from_bytes(path.read_bytes(), str(path)).text


@pytest.mark.parametrize("path", situations(), ids=name)
def test_findings_are_those_announced(path: Path) -> None:
    text = text_of(path)
    told = differences(expectations(text, name(path)), reduced(lint(path)))
    assert not told, report(name(path), text, told)


@pytest.mark.parametrize("path", situations(), ids=name)
def test_safe_fixes_give_the_twin(path: Path) -> None:
    source = Source.from_bytes(path.read_bytes(), str(path))
    diagnostics = lint(path)
    fixable = safely_fixable(diagnostics)
    if not twin(path).exists():
        assert not fixable, f"{name(path)} has a safe fix ({', '.join(sorted(fixable))}) and no twin"
        return
    assert fixable, f"{name(path)} has a twin and no safe fix"
    fixed = fixes.fix(source, lambda changed: engine.check(changed, EVERY_RULE))
    assert not fixed.failures
    assert fixed.source.text == text_of(twin(path))


@pytest.mark.parametrize("path", list(twins()), ids=name)
def test_a_twin_is_cured_of_what_was_fixed(path: Path) -> None:
    assert original(path).exists(), f"{name(path)} is the twin of no fixture"
    before, after = lint(original(path)), lint(path)
    fixable = safely_fixable(before)
    text = text_of(path)
    told = differences(expectations(text, name(path)), reduced(after), may_be_gone=fixable)
    assert not told, report(name(path), text, told)
    wholly_fixed = fixable - {one.code for one in before if one.fix is None or not one.fix.safe}
    left = [one for one in reduced(after) if one.code in wholly_fixed]
    assert not left, f"{name(path)} still has {left}"


@pytest.mark.parametrize("path", [path for path in situations() if "# state " in text_of(path)], ids=name)
def test_the_engine_believes_what_is_stated(path: Path) -> None:
    source = Source.from_bytes(path.read_bytes(), str(path))
    stated = expectations(source.text, name(path)).beliefs
    asked: dict[int, list[str]] = defaultdict(list)
    for belief in stated:
        asked[belief.line].append(belief.place)
    held = engine.beliefs(source, asked)
    told = []
    for belief in stated:
        known = held.get((belief.line, belief.place), {})
        for key, word in belief.words:
            if belief.gap:
                if known.get(key) == word:
                    closed = f"{belief.place}: a gap at {key}={word}"
                    told.append(Difference(belief.line, closed, "the truth: write `# state`"))
            elif known.get(key) != word:
                got = f"{key}={known[key]}" if key in known else f"nothing of {key}; known: {known}"
                told.append(Difference(belief.line, f"{belief.place}: {key}={word}", got))
    assert not told, report(name(path), source.text, told)


def test_each_situation_has_a_claim_of_its_own() -> None:
    said: dict[str, str] = {}
    for path in situations():
        sentence = claim(text_of(path), name(path))
        assert sentence not in said, f"{name(path)} claims what {said[sentence]} claims: {sentence}"
        said[sentence] = name(path)


def test_every_fixture_is_where_the_runners_look() -> None:
    assert situations(), "there are no fixtures"
    stray = [
        name(path)
        for path in all_files()
        if path.parent.parent.name != "fixtures" or ("." in name(path) and not is_twin(path))
    ]
    assert not stray, f"fixtures stand in tests/fixtures/<code or flow>/: {stray}"
