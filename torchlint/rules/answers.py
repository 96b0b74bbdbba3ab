"""What users may answer where a rule asks them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleOption:
    """A question about one rule that users answer with yes or no, in `[tool.torchlint.rules.<code>]`."""

    name: str
    default: bool
    doc: str
