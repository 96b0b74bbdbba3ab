"""A view, or memory whose elements lie on each other, is written in place where torch does not allow it."""

from __future__ import annotations

from torchlint.flow.domain import Creation
from torchlint.flow.events import ViewWritten
from torchlint.rules.base import WRITES, Group, Rule


class InplaceOnMultiView(Rule):
    """Hears of writes to views, and under views that are used later; each is one finding."""

    code = "TL303"
    name = "inplace-on-multi-view"
    group = Group.CORRECTNESS
    triggers = WRITES
    message = "'{place}' {what}, so {verb} raises"
    help = "compute a new tensor instead, or write to a clone"

    def visit_ViewWritten(self, event: ViewWritten) -> None:
        """Report it, with what made the view, and where it is used."""
        op, verb = event.made.text, "writing it"
        notes = [("the view is made here", event.made)]
        match event.creation, event.used:
            case Creation.PIECE, None:
                what = f"is one of several views that '{op}' made"
            case Creation.UNGRADED, None:
                what = "is a view made without gradients"
            case Creation.SPREAD, None:
                what = "shows one element in several places"
                notes = [(f"'{op}' repeats elements here without copying them", event.made)]
            case Creation.PIECE, _:
                what, verb = f"is written after '{op}' made several views of it", "using those"
            case Creation.UNGRADED, _:
                what, verb = f"is written after '{op}' made a view of it without gradients", "using that"
            case _:
                what, notes = "overlaps an operand in memory", []
        if event.used is not None:
            notes.append(("the view is used here", event.used))
        self.report(event.site, notes=tuple(notes), place=event.place, what=what, verb=verb)
