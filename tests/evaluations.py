"""Programs and what the unsafe fixes of TL101 and TL102 make of them: reads evaluations.txt."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fixture_files import REPOSITORY

import torchlint
from torchlint import engine, fixes
from torchlint.config import Config
from torchlint.fixes import Fixed
from torchlint.source import Source

CODES = ("TL101", "TL102")
_FILE = REPOSITORY / "tests" / "evaluations.txt"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One program, and what it is after the fixes: the same where none is offered."""

    title: str
    before: str
    after: str


def evaluations() -> list[Evaluation]:
    """Every program of the file."""
    head, *sections = re.split(r"^\[(.+)\]\n", _FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    head = re.sub(r"^#.*\n", "", head, flags=re.MULTILINE)
    found = []
    for title, section in zip(sections[::2], sections[1::2], strict=True):
        before, _, after = section.rstrip("\n").partition("\n->\n")
        found.append(Evaluation(title, _program(head, before), _program(head, after or before)))
    return found


def fixed(text: str, name: str) -> Fixed:
    """The source after the fixes of these two rules alone."""
    config = Config(select=CODES)
    source = Source.from_text(text, name)
    return fixes.fix(source, lambda changed: engine.check(changed, config), unsafe=True)


def codes(text: str) -> list[str]:
    """What all rules say of a source."""
    return [one.code for one in torchlint.check(text, config=Config(select=("TL",)))]


def _program(head: str, text: str) -> str:
    return head + (text.removesuffix("$") if text.endswith("$") else f"{text}\n")
