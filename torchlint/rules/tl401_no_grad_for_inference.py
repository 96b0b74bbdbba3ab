"""A no_grad region does nothing but inference, so inference_mode can replace it."""

from __future__ import annotations

from torchlint.flow.domain import GradMode
from torchlint.flow.events import Computed, EnterRegion, Escaped, LeaveUnit, Region, UsedOutside
from torchlint.rules.base import Change, Cure, Group, Rule

_INFERENCE_MODE = "torch.inference_mode"


class NoGradForInference(Rule):
    """Follows what is born in each no_grad region; a region that nothing leaves can be converted."""

    code = "TL401"
    name = "no-grad-for-inference"
    group = Group.PERFORMANCE
    triggers = ("no_grad", "set_grad_enabled")
    message = "only inference happens under '{switch}', so inference_mode can replace it"

    def __init__(self) -> None:
        super().__init__()
        self._entered: dict[Region, None] = {}
        self._computed: set[Region] = set()
        self._escaped: set[Region] = set()
        self._used: set[Region] = set()

    def visit_EnterRegion(self, event: EnterRegion) -> None:
        """Keep the regions that could be converted."""
        if event.region.mode is GradMode.NO_GRAD and event.region.form != "statement":
            self._entered[event.region] = None

    def visit_Computed(self, event: Computed) -> None:
        """Remember which regions do something."""
        self._computed |= event.regions

    def visit_Escaped(self, event: Escaped) -> None:
        """Remember which regions give away tensors."""
        self._escaped |= event.regions

    def visit_UsedOutside(self, event: UsedOutside) -> None:
        """Remember which regions' tensors are used afterwards, if harmlessly."""
        self._used |= event.regions

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report the regions that compute and keep everything to themselves."""
        for region in self._entered:
            if region in self._computed and region not in self._escaped:
                self.report(
                    region.site, cure=_cure(region, safe=region not in self._used), switch=region.switch
                )


def _cure(region: Region, *, safe: bool) -> Cure:
    """Replace the name of the switch; the whole call where that takes the place of a flag."""
    change = Change(region.callee, "{torch.inference_mode}")
    if region.dotted == "torch.set_grad_enabled":
        change = Change(region.site, "{torch.inference_mode}()")
    return Cure("use torch.inference_mode", (change,), safe, (_INFERENCE_MODE,), region.bare)
