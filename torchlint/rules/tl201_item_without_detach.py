"""In a log, `.item()` reads a tensor that still requires grad."""

from __future__ import annotations

from torchlint.flow.domain import Grad
from torchlint.flow.events import LeaveUnit, Logged, Read, Site
from torchlint.rules.base import Change, Cure, Fixes, Group, Rule


class ItemWithoutDetach(Rule):
    """Keeps every read of a tensor with grad until its number reaches a log."""

    code = "TL201"
    name = "item-without-detach"
    group = Group.LOGGING
    fixes = Fixes.SAFE
    triggers = (r"\.item\(",)
    message = "'{place}.item()' reads a tensor that {verb} grad"

    def __init__(self) -> None:
        super().__init__()
        self._reads: dict[Site, Read] = {}
        self._logged: dict[Site, Site] = {}

    def visit_Read(self, event: Read) -> None:
        """Keep a read of a tensor that is known to require grad on some path."""
        if Grad.YES in event.grad:
            known = self._reads.get(event.site)
            if known is None or known.grad is Grad.YES:
                self._reads[event.site] = event

    def visit_Logged(self, event: Logged) -> None:
        """Remember whose number was logged."""
        for read in event.reads:
            self._logged.setdefault(read, event.site)

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report the reads whose numbers were logged."""
        for site, read in self._reads.items():
            if site in self._logged:
                certain = read.grad is Grad.YES
                notes = (("its number goes to a log here", self._logged[site]),)
                self.report(
                    site,
                    notes=notes,
                    cure=_cure(read),
                    place=read.place,
                    verb="still requires" if certain else "may still require",
                )


def _cure(read: Read) -> Cure:
    # The word itself is replaced: before it may stand a parenthesis, a comment, the end of a line.
    return Cure("put .detach() before .item()", (Change(read.method, "detach().item"),), safe=True)
