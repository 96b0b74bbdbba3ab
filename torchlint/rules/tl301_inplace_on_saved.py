"""An in-place write hits a tensor that an operation saved for backward, and backward still reaches it."""

from __future__ import annotations

from torchlint.diagnostic import Span
from torchlint.flow.events import LeaveUnit, Site, StaleSave
from torchlint.rules.base import WRITES, Change, Cure, Fixes, Group, Rule


class InplaceOnSaved(Rule):
    """Hears of stale saves; reports each write once, with the operation that saved."""

    code = "TL301"
    name = "inplace-on-saved"
    group = Group.CORRECTNESS
    fixes = Fixes.SAFE
    triggers = (*WRITES, r"\bout\s*=", r"\.step\(")
    message = "'{place}' is written in place after '{op}' saved it, so backward {verb}"
    help = "compute a new tensor instead, or write to a clone"

    def __init__(self) -> None:
        super().__init__()
        self._faults: dict[tuple[Site, Site], StaleSave] = {}

    def visit_StaleSave(self, event: StaleSave) -> None:
        """Keep the pair; certain once is certain. What torch does not notice does not raise."""
        if not event.noticed:
            return
        pair = (event.written, event.saved)
        if event.certain or pair not in self._faults:
            self._faults[pair] = event

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report each write at its first saving operation."""
        told: set[Site] = set()
        for (written, saved), fault in sorted(self._faults.items(), key=_first_certain):
            if written in told:
                continue
            told.add(written)
            self.report(
                written,
                notes=((f"'{saved.text}' saves it for backward here", saved),),
                cure=_cure(fault),
                place=fault.place,
                op=saved.text,
                verb="will raise" if fault.certain else "may raise",
            )


def _cure(fault: StaleSave) -> Cure | None:
    if fault.instead is None:
        return None
    return Cure("compute a new tensor", (Change(*fault.instead),), safe=True)


def _first_certain(item: tuple[tuple[Site, Site], StaleSave]) -> tuple[bool, Span, str]:
    (_, saved), fault = item
    return not fault.certain, saved.span, fault.place
