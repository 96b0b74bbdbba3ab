"""A write that torch cannot see changes a tensor that an operation saved, and backward still reaches it."""

from __future__ import annotations

from torchlint.flow.events import Site, StaleSave
from torchlint.rules.base import Group, Rule


class WriteBehindAutograd(Rule):
    """Hears of stale saves that torch does not notice; reports each write once, where it is certain."""

    code = "TL304"
    name = "write-behind-autograd"
    group = Group.CORRECTNESS
    triggers = (r"\.data\b", r"\.numpy\(", r"\bkron\(", r"\bset_\(")
    message = "'{place}' is written behind autograd after '{op}' saved it, so backward gives wrong gradients"
    help = "write after backward, or compute a new tensor"

    def __init__(self) -> None:
        super().__init__()
        self._told: set[Site] = set()

    def visit_StaleSave(self, event: StaleSave) -> None:
        """Report the write, and the operation that saved."""
        if event.noticed or not event.certain or event.written in self._told:
            return
        self._told.add(event.written)
        op = " ".join(event.saved.unit.text(event.saved.node).split())
        notes = ((f"'{op}' saves it for backward here", event.saved),)
        self.report(event.written, notes=notes, place=event.place, op=op)
