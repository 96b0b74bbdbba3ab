"""A tensor that was made under inference_mode meets autograd, or a write in place, where the mode is over."""

from __future__ import annotations

from torchlint.flow.domain import Misuse
from torchlint.flow.events import InferenceTensorUsed, LeaveUnit, Region
from torchlint.rules.base import Change, Cure, Fixes, Group, Rule

_NO_GRAD = "torch.no_grad"
_WORDS = {
    Misuse.SAVED: "is saved for backward outside, which raises",
    Misuse.WRITTEN: "is written in place outside, which raises",
    Misuse.GRADED: "gets requires_grad outside, which raises",
    Misuse.PARAMETER: "becomes a parameter outside, which raises",
    Misuse.BUFFER: "becomes a buffer outside, which load_state_dict() cannot write",
}


class InferenceTensorInAutograd(Rule):
    """Hears of inference tensors that are used as torch refuses; reports the first such use of each."""

    code = "TL402"
    name = "inference-tensor-in-autograd"
    group = Group.CORRECTNESS
    fixes = Fixes.SAFE_OR_UNSAFE
    triggers = ("inference_mode",)
    triggers_callers = True
    message = "'{place}' is made under '{switch}' and {what}"
    help = "clone it outside, or make it under torch.no_grad()"

    def __init__(self) -> None:
        super().__init__()
        self._uses: dict[object, InferenceTensorUsed] = {}

    def visit_InferenceTensorUsed(self, event: InferenceTensorUsed) -> None:
        """Keep the first use of what one place makes: it raises, so that no other one is reached."""
        made = event.made.told.node
        known = self._uses.get(made)
        if known is None or event.site.span < known.site.span:
            self._uses[made] = event

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report the uses."""
        for use in self._uses.values():
            switch = use.region.switch
            notes = (
                (f"'{use.made.text}' makes it here", use.made),
                (f"'{switch}' makes inference tensors", use.region.site),
            )
            at_hand = use.region.site.path == use.site.path
            self.report(
                use.site,
                notes=notes,
                cure=_cure(use.region, safe=use.sole) if at_hand else None,
                place=use.place,
                switch=switch,
                what=_WORDS[use.misuse],
            )


def _cure(region: Region, *, safe: bool) -> Cure:
    """Put no_grad in the place of the switch, without the argument that inference_mode may have.

    All that is allowed in inference_mode is allowed there, and gives the same; so it is safe where it cures.
    """
    change = Change(region.callee, "{torch.no_grad}")
    if region.callee.node is not region.site.node and not region.switch.endswith("()"):
        change = Change(region.site, "{torch.no_grad}()")
    return Cure("use torch.no_grad", (change,), safe, (_NO_GRAD,), region.bare)
