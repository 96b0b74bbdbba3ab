"""A module's forward runs without gradients while the module may be in training mode."""

from __future__ import annotations

from torchlint.flow.domain import GradMode, Mode, Sensitivity
from torchlint.flow.events import (
    BESIDES,
    MAY_REACH_AUTOGRAD,
    REACHES_AUTOGRAD,
    Backward,
    Escaped,
    Forward,
    LeaveUnit,
    Region,
    Site,
    Trained,
)
from torchlint.flow.things import Module
from torchlint.rules.answers import RuleOption
from torchlint.rules.base import Evaluation, Fixes, Group, Rule

_NOBODY = ": no caller in sight puts it in evaluation mode"


class MissingEval(Rule):
    """Hears every forward without gradients; decides at the end, when it is known what is trained here."""

    code = "TL101"
    name = "missing-eval"
    group = Group.SUSPICIOUS
    fixes = Fixes.UNSAFE
    triggers = ("no_grad", "inference_mode", "set_grad_enabled")
    options = (
        RuleOption(
            "unseen-callers", True, "Tell also of arguments that only callers out of sight can set up."
        ),
    )
    message = "'{place}' {verb} without gradients in training mode{what}"
    help = "call '{place}.eval()' before it, and put back the mode that it had"

    def __init__(self) -> None:
        super().__init__()
        self._runs: dict[tuple[Region, Module], list[Forward]] = {}
        self._trained: set[Module] = set()
        self._feeding: set[Region] = set()
        self._maybe_feeding: set[Region] = set()
        self._besides: set[Site] = set()
        self._trains = False

    def visit_Forward(self, event: Forward) -> None:
        """Keep the suspicious forwards of a module in a region."""
        if event.region is None or not _may_train(event):
            return
        self._runs.setdefault((event.region, event.module), []).append(event)

    def visit_Trained(self, event: Trained) -> None:
        """Remember which modules this unit trains."""
        self._trained.add(event.module)

    def visit_Backward(self, event: Backward) -> None:
        """Remember that this unit trains at all."""
        self._trains = True

    def visit_Escaped(self, event: Escaped) -> None:
        """Remember the regions whose results feed a loss, and what runs for no result."""
        if event.how == REACHES_AUTOGRAD:
            self._feeding |= event.regions
        elif event.how == MAY_REACH_AUTOGRAD:
            self._maybe_feeding |= event.regions
        elif event.how == BESIDES:
            self._besides.add(event.site)

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report what is neither deliberate nor a sample for the other half of a training step."""
        for (region, module), runs in self._runs.items():
            forward, *others = sorted(runs, key=lambda run: run.site in self._besides)
            # Fake samples for a discriminator: the generator itself is trained here.
            if (
                self._feeds(region)
                and not _by_flag(region)
                and (module in self._trained or forward.trained_elsewhere())
            ):
                continue
            unseen = forward.mode is Mode.CALLER and forward.handed
            if self._is_deliberate(forward) or (unseen and not self.option("unseen-callers")):
                continue
            certain = forward.mode is Mode.TRAIN and forward.certain and not _by_flag(region)
            self.report(
                forward.site,
                notes=_notes(forward, region),
                cure=_cure(forward, others, region),
                place=forward.place,
                verb="runs" if certain else "may run",
                what=_NOBODY if unseen else "",
            )

    def _feeds(self, region: Region | None) -> bool:
        # Arithmetic with something unknown makes a loss only where something is trained.
        return region in self._feeding or (self._trains and region in self._maybe_feeding)

    def _is_deliberate(self, forward: Forward) -> bool:
        here = forward.trained_at is not None and forward.trained_at.unit is forward.site.unit
        given = forward.trained_at is not None and not here and forward.argument
        # Nobody takes the result of what was built here or handed over: lazy layers get their shapes,
        # BatchNorm its statistics. What an object holds may give it to a hook.
        unasked = forward.handed or given or (here and not forward.explicit)
        idle = forward.site in self._besides and unasked
        # train() was called here: Monte Carlo dropout, or statistics of BatchNorm that are to move.
        chosen = here and forward.explicit and not self._trains
        return (idle or chosen) and not forward.evaluates


def _may_train(event: Forward) -> bool:
    if event.sensitivity is Sensitivity.NO or Mode.UNKNOWN in event.mode:
        return False
    if event.module.owned and not _sets_its_own(event):
        return False  # the mode of a module and its parts is the business of whoever uses it
    if event.region is not None and _by_flag(event.region):
        return event.mode is Mode.TRAIN  # a joined mode may follow the same flag
    if Mode.TRAIN in event.mode:
        return True
    return event.mode is Mode.CALLER and (event.evaluates or event.handed)


def _sets_its_own(event: Forward) -> bool:
    # Parts are put into training mode to be frozen or not by a flag, and then run by any method.
    trains = event.explicit and Mode.TRAIN in event.mode
    return trains and (event.evaluates or event.module.parent is None)


def _by_flag(region: Region) -> bool:
    return GradMode.ENABLED in region.mode


def _cure(forward: Forward, others: list[Forward], region: Region) -> Evaluation | None:
    # Where gradients are on, training mode is wanted; what may also be a function has no mode.
    if _by_flag(region) or not forward.certain:
        return None
    title = MissingEval.help.format(place=forward.place)
    sites = tuple(one.site for one in (forward, *others))
    return Evaluation(title, forward.module, forward.place, region.site, sites)


def _notes(forward: Forward, region: Region) -> tuple[tuple[str, Site], ...]:
    notes = [(f"gradients are off from '{region.switch}' on", region.site)]
    if forward.trained_at is not None:
        built = "built here, and a new module is in training mode"
        notes.append(("training mode is set here" if forward.explicit else built, forward.trained_at))
    return tuple(notes)
