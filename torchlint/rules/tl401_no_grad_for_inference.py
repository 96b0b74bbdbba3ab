"""A no_grad region does nothing but inference, so inference_mode can replace it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.flow.domain import GradMode
from torchlint.flow.events import (
    RETURNED,
    Computed,
    EnterRegion,
    Escaped,
    LeaveUnit,
    Region,
    Touched,
    UsedOutside,
)
from torchlint.rules.base import Change, Cure, Group, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

_INFERENCE_MODE = "torch.inference_mode"


class NoGradForInference(Rule):
    """Follows what is born in each no_grad region; a region that nothing leaves can be converted."""

    code = "TL401"
    name = "no-grad-for-inference"
    group = Group.PERFORMANCE
    triggers = ("no_grad", "set_grad_enabled")
    message = "{what} under '{switch}', so inference_mode can replace it"

    def __init__(self) -> None:
        super().__init__()
        self._entered: dict[Region, None] = {}
        self._computed: set[Region] = set()
        self._escaped: set[Region] = set()
        self._touched: set[Region] = set()
        self._used: set[Region] = set()
        self._returning: dict[Region, Callable[[Region], bool]] = {}

    def visit_EnterRegion(self, event: EnterRegion) -> None:
        """Keep the regions that could be converted."""
        if event.region.mode is GradMode.NO_GRAD and event.region.form != "statement":
            self._entered[event.region] = None

    def visit_Computed(self, event: Computed) -> None:
        """Remember which regions do something."""
        self._computed |= event.regions

    def visit_Escaped(self, event: Escaped) -> None:
        """Remember which regions give away tensors, and to whom where that is to the callers."""
        if event.how != RETURNED or event.stays is None:
            self._escaped |= event.regions
            return
        for region in event.regions:
            self._returning[region] = event.stays

    def visit_Touched(self, event: Touched) -> None:
        """Remember which regions write or view tensors: that is no idle matter."""
        self._touched |= event.regions

    def visit_UsedOutside(self, event: UsedOutside) -> None:
        """Remember which regions' tensors are used afterwards, if harmlessly."""
        self._used |= event.regions

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report the regions that compute and keep everything to themselves."""
        for region in self._entered:
            stays = self._returning.get(region)
            if region in self._escaped or (stays is not None and not stays(region)):
                continue
            idle = region.form == "decorator" and region not in self._touched
            if region not in self._computed and not idle:
                continue
            what = "only inference happens" if region in self._computed else "nothing is computed"
            self.report(
                region.site,
                cure=_cure(region, safe=region not in self._used and stays is None),
                switch=region.switch,
                what=what,
            )


def _cure(region: Region, *, safe: bool) -> Cure:
    """Replace the name of the switch; the whole call where that takes the place of a flag."""
    change = Change(region.callee, "{torch.inference_mode}")
    if region.dotted == "torch.set_grad_enabled":
        change = Change(region.site, "{torch.inference_mode}()")
    return Cure("use torch.inference_mode", (change,), safe, (_INFERENCE_MODE,), region.bare)
