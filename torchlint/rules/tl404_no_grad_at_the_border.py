"""A no_grad region does nothing but inference, and returns tensors to callers out of sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.rules.base import Fixes, Group
from torchlint.rules.regions import NoGradRule, inference_mode_instead

if TYPE_CHECKING:
    from torchlint.flow.events import LeaveUnit


class NoGradAtTheBorder(NoGradRule):
    """Follows what is born in each no_grad region; all that leaves one has to leave by return."""

    code = "TL404"
    name = "no-grad-at-the-border"
    group = Group.PEDANTIC
    fixes = Fixes.UNSAFE
    triggers = ("no_grad", "set_grad_enabled")
    since = (1, 9)
    message = (
        "only inference happens under '{switch}', so inference_mode can replace it "
        "if no caller trains on the result"
    )
    help = (
        "a caller that trains on what it gets, writes it in place or lets it require grad needs its clone()"
    )

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report the regions that compute what they return, where nobody in sight needs autograd for it."""
        for region in self.bordering():
            if region in self.computed:
                cure = inference_mode_instead(region, safe=False)
                self.report(region.site, cure=cure, switch=region.switch)
