"""TL003: a comment silences a rule where that rule finds nothing."""

from __future__ import annotations

from torchlint.rules.base import Group, Rule


class UnusedSuppression(Rule):
    """Hears no event: what comments silence is known when all other rules are done."""

    code = "TL003"
    name = "unused-suppression"
    group = Group.PEDANTIC
    triggers = ()
    message = "{what} {verb} nothing here"
