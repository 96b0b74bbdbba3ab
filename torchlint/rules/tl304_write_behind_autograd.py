"""A write that torch cannot see changes a tensor that an operation saved, and backward still reaches it."""

from __future__ import annotations

from torchlint.flow.events import LeaveUnit, Site, StaleSave
from torchlint.rules.base import Group, Rule


class WriteBehindAutograd(Rule):
    """Hears of stale saves that torch does not notice; reports each write once, where it is certain."""

    code = "TL304"
    name = "write-behind-autograd"
    group = Group.CORRECTNESS
    triggers = (r"\.data\b", r"\.numpy\(", r"\bkron\(", r"\bset_\(", r"\bfused\s*=", r"\.eval\(")
    message = "'{place}' is written behind autograd after '{op}' saved it, so backward gives wrong gradients"
    help = "write after backward, or compute a new tensor"

    def __init__(self) -> None:
        super().__init__()
        self._faults: dict[Site, StaleSave] = {}

    def visit_StaleSave(self, event: StaleSave) -> None:
        """Keep each write with the first operation that saved."""
        if event.noticed or not event.certain:
            return
        known = self._faults.get(event.written)
        if known is None or event.saved.span < known.saved.span:
            self._faults[event.written] = event

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report the writes."""
        for written, fault in self._faults.items():
            op = fault.saved.text
            notes = ((f"'{op}' saves it for backward here", fault.saved),)
            self.report(written, notes=notes, place=fault.place, op=op)
