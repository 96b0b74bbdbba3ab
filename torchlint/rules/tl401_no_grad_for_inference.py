"""A no_grad region does nothing but inference, so inference_mode can replace it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.rules.base import Fixes, Group
from torchlint.rules.regions import NoGradRule, inference_mode_instead

if TYPE_CHECKING:
    from torchlint.flow.events import LeaveUnit


class NoGradForInference(NoGradRule):
    """Follows what is born in each no_grad region; a region that nothing leaves can be converted."""

    code = "TL401"
    name = "no-grad-for-inference"
    group = Group.PERFORMANCE
    fixes = Fixes.SAFE_OR_UNSAFE
    triggers = ("no_grad", "set_grad_enabled")
    since = (1, 9)
    message = "{what} under '{switch}', so inference_mode can replace it"

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report the regions that compute and keep everything to themselves."""
        for region in self.closed():
            idle = region.form == "decorator" and region not in self.touched
            if region not in self.computed and not idle:
                continue
            what = "only inference happens" if region in self.computed else "nothing is computed"
            safe = region not in self.used and not self.returns(region)
            cure = inference_mode_instead(region, safe=safe)
            self.report(region.site, cure=cure, switch=region.switch, what=what)
