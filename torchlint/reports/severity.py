"""How grave a finding is, for formats whose viewers tell errors from warnings; the exit status does not."""

from __future__ import annotations

from enum import Enum

from torchlint.rules import rule
from torchlint.rules.base import Group


class Severity(Enum):
    """From the gravest down."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


_OF_GROUPS = {
    Group.CORRECTNESS: Severity.ERROR,
    Group.SUSPICIOUS: Severity.WARNING,
    Group.PERFORMANCE: Severity.WARNING,
    Group.LOGGING: Severity.INFO,
    Group.PEDANTIC: Severity.INFO,
    Group.NURSERY: Severity.INFO,
}
_OF_READING = {"TL001": Severity.ERROR, "TL002": Severity.ERROR}


def severity(code: str) -> Severity:
    """What the group of a rule promises; a file that was not read is an error."""
    found = rule(code)
    return _OF_GROUPS[found.group] if found is not None else _OF_READING.get(code, Severity.WARNING)
