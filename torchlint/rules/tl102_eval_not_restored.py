"""Training goes on in evaluation mode, which an eval() between two training steps has left behind."""

from __future__ import annotations

from torchlint.flow.domain import Mode, Sensitivity
from torchlint.flow.events import Backward, Evaled, Graphed, LeaveUnit, Site
from torchlint.flow.things import Module
from torchlint.rules.base import Evaluation, Fixes, Group, Rule


class EvalNotRestored(Rule):
    """Hears modules run with gradients in evaluation mode, and what is trained; decides at the end."""

    code = "TL102"
    name = "eval-not-restored"
    group = Group.SUSPICIOUS
    fixes = Fixes.UNSAFE
    triggers = (r"\.eval\(", r"\.train\(\s*(mode\s*=\s*)?False", r"backward\(")
    requires = triggers[:2]
    message = "after '{op}' training {verb} in evaluation mode"
    help = "call train() again before training goes on, or put back the mode that was found"

    def __init__(self) -> None:
        super().__init__()
        self._runs: dict[tuple[Site, Module], Graphed] = {}
        self._trained: set[Site] = set()

    def visit_Graphed(self, event: Graphed) -> None:
        """Keep a forward that some path reaches in evaluation mode and another in training mode."""
        self._runs[event.site, event.module] = event

    def visit_Backward(self, event: Backward) -> None:
        """Remember which forwards are trained on."""
        self._trained |= event.forwards

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report the eval() calls that the training steps of this unit may stand under."""
        trained = {site.node for site in self._trained}
        told: set[object] = set()
        for forward in self._runs.values():
            if forward.site not in self._trained or not _goes_on(forward):
                continue
            # Without an evaluation in between, evaluation mode is what the training is meant to run in.
            if all(site.node in trained for site in forward.used):
                continue
            for evaled in forward.evaled:
                if not evaled.chosen and evaled.site.node not in told:
                    told.add(evaled.site.node)
                    self.report(
                        evaled.site,
                        notes=_notes(forward, evaled),
                        cure=self._cure(forward, evaled),
                        op=evaled.site.text,
                        verb="may go on",
                    )

    def _cure(self, forward: Graphed, evaled: Evaled) -> Evaluation | None:
        place, _, method = evaled.site.text.partition("(")[0].rpartition(".")
        title = f"put back the mode that '{place}' had before its {method}()"
        trained = {site.node for site in self._trained}
        runs = tuple(site for site in forward.used if site.node not in trained)
        return Evaluation(title, forward.module, place, evaled.site, runs, tuple(self._trained))


def _goes_on(forward: Graphed) -> bool:
    """Whether it is a step of a training that began in training mode."""
    if forward.sensitivity is Sensitivity.NO or Mode.UNKNOWN in forward.mode:
        return False
    return forward.resumes and bool(forward.mode & (Mode.TRAIN | Mode.CALLER))


def _notes(forward: Graphed, evaled: Evaled) -> tuple[tuple[str, Site], ...]:
    notes = []
    if evaled.call is not None:
        notes.append(("the training calls it here", evaled.call))
    notes.append((f"'{forward.place}' runs here for a training step", forward.site))
    return tuple(notes)
