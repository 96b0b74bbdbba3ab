"""A view that torch does not allow to be written is written by an operation that is recorded."""

from __future__ import annotations

from torchlint.flow.domain import Creation
from torchlint.flow.events import ViewWritten
from torchlint.rules.base import Group, Rule


class InplaceOnMultiView(Rule):
    """Hears of writes to views; each is one finding, with the operation that made the view."""

    code = "TL303"
    name = "inplace-on-multi-view"
    group = Group.CORRECTNESS
    triggers = (r"\w_\(", r"[-+*/%&|^]=", r"\]\s*=[^=]", r"inplace\s*=")
    message = "'{place}' is {what}, so this write raises"
    help = "write to the tensor that it is a view of, or to a clone"

    def visit_ViewWritten(self, event: ViewWritten) -> None:
        """Report it, and where the view was made."""
        made = " ".join(event.made.unit.text(event.made.node).split())
        several = event.creation is Creation.PIECE
        what = f"one of several views that '{made}' made" if several else "a view made without gradients"
        self.report(event.site, notes=(("the view is made here", event.made),), place=event.place, what=what)
