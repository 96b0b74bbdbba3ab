"""A view that torch does not allow to be written is written by an operation that is recorded."""

from __future__ import annotations

from torchlint.flow.domain import Creation
from torchlint.flow.events import ViewWritten
from torchlint.rules.base import WRITES, Group, Rule


class InplaceOnMultiView(Rule):
    """Hears of writes to views; each is one finding, with the operation that made the view."""

    code = "TL303"
    name = "inplace-on-multi-view"
    group = Group.CORRECTNESS
    triggers = WRITES
    message = "'{place}' is {what}, so {consequence}"
    help = "write to the tensor that it is a view of, or to a clone"

    def visit_ViewWritten(self, event: ViewWritten) -> None:
        """Report it, and where the view was made."""
        what = {
            Creation.PIECE: f"one of several views that '{event.made.text}' made",
            Creation.UNGRADED: "a view made without gradients",
            Creation.SPREAD: f"memory in which '{event.made.text}' laid elements on each other",
            Creation.OVERLAP: "written from memory that it overlaps",
        }[event.creation]
        notes = [("the view is made here", event.made)]
        consequence = "this write raises"
        if event.used is not None:
            what = f"written under {what}"
            notes.append(("and used here", event.used))
            consequence = "using that view raises"
        self.report(event.site, notes=tuple(notes), place=event.place, what=what, consequence=consequence)
