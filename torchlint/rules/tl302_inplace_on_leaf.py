"""A leaf that requires grad is written in place with gradients on, which torch refuses."""

from __future__ import annotations

from torchlint.flow.events import LeafWritten
from torchlint.rules.base import WRITES, Group, Rule


class InplaceOnLeaf(Rule):
    """Hears of writes to leaves; each is one finding."""

    code = "TL302"
    name = "inplace-on-leaf"
    group = Group.CORRECTNESS
    triggers = WRITES
    message = "'{place}' is {what} that requires grad and is written in place, which raises"
    help = "write it under torch.no_grad(), or compute a new tensor"

    def visit_LeafWritten(self, event: LeafWritten) -> None:
        """Report it."""
        self.report(event.site, place=event.place, what="a view of a leaf" if event.view else "a leaf")
