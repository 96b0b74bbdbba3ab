"""What rules about no_grad regions share: what is heard of each region, and the change to inference_mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.flow.domain import Fate, GradMode
from torchlint.flow.events import (
    RETURNED,
    UPDATES,
    Computed,
    EnterRegion,
    Escaped,
    Region,
    Touched,
    UsedOutside,
)
from torchlint.rules.base import Change, Cure, Rule

if TYPE_CHECKING:
    from collections.abc import Callable


class NoGradRule(Rule):
    """A rule about no_grad regions, which hears what happens in each, and where what is born there goes."""

    def __init__(self) -> None:
        super().__init__()
        self._entered: dict[Region, None] = {}
        self.computed: set[Region] = set()
        self.touched: set[Region] = set()
        self.used: set[Region] = set()
        self._escaped: set[Region] = set()
        self._updating: set[Region] = set()
        self._inferring: set[Region] = set()
        self._returning: dict[Region, Callable[[Region, Fate], bool]] = {}

    def visit_EnterRegion(self, event: EnterRegion) -> None:
        """Keep the regions that could be converted."""
        if event.region.mode is GradMode.NO_GRAD and event.region.form != "statement":
            self._entered[event.region] = None

    def visit_Computed(self, event: Computed) -> None:
        """Remember which regions do something."""
        self.computed |= event.regions
        if event.infers:
            self._inferring |= event.regions

    def visit_Touched(self, event: Touched) -> None:
        """Remember which regions write or view tensors: that is no idle matter."""
        self.touched |= event.regions

    def visit_UsedOutside(self, event: UsedOutside) -> None:
        """Remember which regions' tensors are used afterwards, if harmlessly."""
        self.used |= event.regions

    def visit_Escaped(self, event: Escaped) -> None:
        """Remember which regions give away tensors, and whom to ask where that is to the callers."""
        if event.how == UPDATES:
            self._updating |= event.regions
            return
        if event.how != RETURNED or event.meets is None:
            self._escaped |= event.regions
            return
        self._returning.update(dict.fromkeys(event.regions, event.meets))

    def closed(self) -> list[Region]:
        """The regions from which no tensor leaves the unit, but to code in sight that does no harm."""
        return [one for one in self._kept() if self._meets(one, Fate.STAYS)]

    def bordering(self) -> list[Region]:
        """The regions from which tensors leave by return alone, and to callers out of sight."""
        return [one for one in self._kept() if one in self._returning and self._meets(one, Fate.UNSEEN)]

    def returns(self, region: Region) -> bool:
        """Whether the unit returns tensors that were born in a region."""
        return region in self._returning

    def _kept(self) -> list[Region]:
        # An in-place update of what lives on is as good under inference_mode. Where no module runs beside it,
        # it is what the region is for, and torch's notes keep no_grad for that; parameters always count so.
        escaped = self._escaped | (self._updating - self._inferring)
        return [one for one in self._entered if one not in escaped]

    def _meets(self, region: Region, fate: Fate) -> bool:
        meets = self._returning.get(region)
        return fate is Fate.STAYS if meets is None else meets(region, fate)


def inference_mode_instead(region: Region, *, safe: bool) -> Cure:
    """Replace the name of the switch; the whole call where that takes the place of a flag."""
    change = Change(region.callee, "{torch.inference_mode}")
    if region.dotted == "torch.set_grad_enabled":
        change = Change(region.site, "{torch.inference_mode}()")
    return Cure("use torch.inference_mode", (change,), safe, ("torch.inference_mode",), region.bare)
