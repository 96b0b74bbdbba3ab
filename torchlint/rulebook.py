"""The rules' pages: in the wheel beside this file, in a checkout in its folder `rules`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from torchlint.errors import ConfigError

_HERE = Path(__file__).resolve().parent
_INDEX = """\
# The rule book

One page a rule. This one is written by `torchlint rule --all --output-format markdown > rules/README.md`.
A fix is offered where the source lets it: `--fix` makes the safe ones, `--fix --unsafe-fixes` all.

| code | name | group | default | fix | what it finds |
|---|---|---|---|---|---|
"""
_FOLDERS = (_HERE / "rulebook", _HERE.parent / "rules")


def page(code: str) -> str:
    """The Markdown page of the rule with this code. Raises ConfigError where there is none."""
    return path(code).read_text(encoding="utf-8")


def path(code: str) -> Path:
    """The file of that page. Raises ConfigError where there is none."""
    for folder in _FOLDERS:
        found = folder / f"{code}.md"
        if found.is_file():
            return found
    raise ConfigError(f"there is no page for {code!r}")


def summary(text: str) -> str:
    """What a page says in one line: the paragraph behind its title."""
    return " ".join(text.split("\n\n", 2)[1].split())


def index() -> str:
    """The first page of the rule book, `rules/README.md`: a table of all rules, from the registry."""
    from torchlint.rules import SELECTABLE

    rows = [
        f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.group.value} "
        f"| {'on' if rule.on_by_default() else 'off'} | {rule.fixes.value} | {summary(page(rule.code))} |\n"
        for rule in SELECTABLE
    ]
    return _INDEX + "".join(rows)


@dataclass(frozen=True, slots=True)
class Example:
    """One Python block of a page; `line` is the page's line of its first line."""

    section: str
    line: int
    text: str


_PART = re.compile(r"^## (?P<section>.+?)\s*$|^```python\n(?P<text>.*?)^```\s*$", re.MULTILINE | re.DOTALL)


def examples(text: str) -> list[Example]:
    """The Python blocks of a page, in order."""
    section, found = "", []
    for part in _PART.finditer(text):
        if part["text"] is None:
            section = part["section"]
        else:
            found.append(Example(section, text.count("\n", 0, part.start("text")) + 1, part["text"]))
    return found
