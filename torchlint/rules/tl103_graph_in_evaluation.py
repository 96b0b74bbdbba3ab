"""A module in evaluation mode runs with gradients on, and no backward comes to the graph."""

from __future__ import annotations

from torchlint.flow.domain import GradMode, Mode
from torchlint.flow.events import Backward, Graphed, GraphLeft, LeaveUnit, Site
from torchlint.rules.base import Group, Rule


class GraphInEvaluation(Rule):
    """Hears modules run with gradients in evaluation mode; reports the first whose graph nobody uses."""

    code = "TL103"
    name = "graph-in-evaluation"
    group = Group.PERFORMANCE
    triggers = (r"\.eval\(", r"\.train\(\s*(mode\s*=\s*)?False")
    message = "'{place}' runs in evaluation mode with gradients on, and its graph is built for nothing"
    help = "run it under torch.inference_mode() or torch.no_grad()"

    def __init__(self) -> None:
        super().__init__()
        self._runs: list[Graphed] = []
        self._needed: set[Site] = set()
        self._asks = False

    def visit_Graphed(self, event: Graphed) -> None:
        """Keep what runs in evaluation mode for sure, where nothing in sight switches gradients off."""
        self._asks |= event.wants
        if event.mode is Mode.EVAL and event.grad_mode.surely_on and event.alone and _is_set_here(event):
            self._runs.append(event)

    def visit_Backward(self, event: Backward) -> None:
        """Remember whose graphs are used; a backward of unknown origin may use any."""
        self._needed |= event.forwards
        self._asks |= not event.forwards

    def visit_GraphLeft(self, event: GraphLeft) -> None:
        """Remember whose graphs somebody else may use."""
        if not event.lent:
            self._needed |= event.forwards

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report the first forward of the unit."""
        needed = {site.node for site in self._needed}
        unused = [run for run in self._runs if run.site.node not in needed]
        if not self._asks and unused:
            first = unused[0]
            notes = tuple(
                ("evaluation mode is set here", evaled.call or evaled.site) for evaled in first.evaled[:1]
            )
            self.report(first.site, notes=notes, place=first.place)


def _is_set_here(event: Graphed) -> bool:
    """Whether this unit evaluates: by an eval() of its own, or of callers who surely leave gradients on."""
    if event.site.caller is not None:
        return False  # told where the function itself is walked
    if not event.evaled:
        return False  # a loader gives it out like this
    here = [(evaled.call or evaled.site).unit is event.site.unit for evaled in event.evaled]
    return any(here) or event.grad_mode is GradMode.ENABLED
