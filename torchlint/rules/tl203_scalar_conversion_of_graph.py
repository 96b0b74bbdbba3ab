"""A tensor that requires grad is converted by what is no method of it, which torch warns about or refuses."""

from __future__ import annotations

from torchlint.flow.events import Converted
from torchlint.rules.base import Fixes, Group, Rule
from torchlint.rules.detaching import came_from, detached


class ScalarConversionOfGraph(Rule):
    """Hears of conversions; each is one finding."""

    code = "TL203"
    name = "scalar-conversion-of-graph"
    group = Group.LOGGING
    fixes = Fixes.SAFE
    triggers = (
        r"\bfloat\(",
        r"\bcomplex\(",
        r"\bmath\.",
        r"\bnumpy\b",
        r"\bnp\.",
        r"[\"']\s*%",
        r"\]\s*=[^=]",
    )
    message = "'{place}' converts a tensor that {verb} grad, which torch {what}"

    def visit_Converted(self, event: Converted) -> None:
        """Report it."""
        self.report(
            event.site,
            notes=came_from(event.call),
            cure=detached(event.cut),
            place=event.place,
            verb="requires" if event.certain else "may require",
            what="refuses" if event.refused else "warns about",
        )
