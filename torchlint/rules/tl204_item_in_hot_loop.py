"""Each iteration of a training loop reads a value back from its device."""

from __future__ import annotations

from torchlint.flow.events import Awaited
from torchlint.rules.answers import RuleOption
from torchlint.rules.base import Group, Rule


class ItemInHotLoop(Rule):
    """Hears of the reads that every iteration makes; each statement is one finding."""

    code = "TL204"
    name = "item-in-hot-loop"
    group = Group.PEDANTIC
    triggers = (r"\n[ \t]*(?:for|while)\b",)  # the head of a loop, not a comprehension
    requires = (r"backward|\.step\(|autograd\.grad",)
    options = (
        RuleOption(
            "uncertain-devices", True, "Tell also where the device may be the CPU, as far as one sees."
        ),
    )
    message = "'{place}' {verb} for the device in every iteration"
    help = "read it at an interval, or add up on the device and read once after the loop"

    def visit_Awaited(self, event: Awaited) -> None:
        """Report it."""
        if not (event.certain or self.option("uncertain-devices")):
            return
        notes = [("the loop is this one", event.loop), ("each of its iterations trains here", event.trained)]
        if event.inside is not None:
            notes.insert(0, ("it is read here", event.inside))
        if event.interval is not None:
            notes.append(("the loop has an interval for logs here", event.interval))
        self.report(
            event.site, notes=tuple(notes), place=event.place, verb="waits" if event.certain else "may wait"
        )
