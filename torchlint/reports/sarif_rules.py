"""What a SARIF report says of each rule: its name, its page, how grave its findings are."""

from __future__ import annotations

from torchlint.rulebook import page, summary
from torchlint.rules import rule

_OF_READING = {
    "TL001": "A file cannot be read as Python.",
    "TL002": "torchlint failed on a file; please report it.",
}


def descriptor(code: str, name: str, level: str) -> dict[str, object]:
    """A reportingDescriptor; the help of a rule is its page in the rule book."""
    found = rule(code)
    if found is None:
        text = _OF_READING.get(code, f"{name}.")
        markdown, tags, enabled = text, ["torchlint"], True
    else:
        markdown = page(code)
        text, tags, enabled = summary(markdown), ["pytorch", found.group.value], found.on_by_default()
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "help": {
            "text": text if found is None else f"{text} More: torchlint rule {code}",
            "markdown": markdown,
        },
        "defaultConfiguration": {"enabled": enabled, "level": level},
        "properties": {"tags": tags, "problem.severity": _problem(level)},
    }


def _problem(level: str) -> str:
    # GitHub knows error, warning and recommendation.
    return "recommendation" if level == "note" else level
