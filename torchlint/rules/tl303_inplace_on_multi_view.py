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
    message = "'{place}' is {what}, so this write raises"
    help = "write to the tensor that it is a view of, or to a clone"

    def visit_ViewWritten(self, event: ViewWritten) -> None:
        """Report it, and where the view was made."""
        several = event.creation is Creation.PIECE
        what = (
            f"one of several views that '{event.made.text}' made"
            if several
            else "a view made without gradients"
        )
        self.report(event.site, notes=(("the view is made here", event.made),), place=event.place, what=what)
