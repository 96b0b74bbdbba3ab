"""A grad-mode switch switches nothing, raises where it is entered, or holds for the caller too."""

from __future__ import annotations

from torchlint.flow.domain import Idle
from torchlint.flow.events import IdleSwitch
from torchlint.rules.base import Change, Cure, Fixes, Group, Rule

_FAULTS = {
    Idle.ALONE: "switches nothing as a statement of its own, since no with enters it",
    Idle.UNCALLED: "is a class and no context manager, so this with will raise a TypeError",
    Idle.COROUTINE: "has no effect on this async def, whose body runs after the switch is left",
    Idle.YIELDS: "is still entered at each yield of this generator, so its caller runs without gradients too",
}


class IdleGradSwitch(Rule):
    """Says of a switch why it does not do what it says, and what to write instead."""

    code = "TL403"
    name = "idle-grad-switch"
    group = Group.CORRECTNESS
    fixes = Fixes.SAFE
    triggers = ("no_grad", "inference_mode", "enable_grad", "set_grad_enabled")
    message = "'{switch}' {what}"
    help = "{instead}"

    def visit_IdleSwitch(self, event: IdleSwitch) -> None:
        """Report it; only a missing call can be put right without asking what was meant."""
        notes = (("it yields here first", event.yielded),) if event.yielded is not None else ()
        self.report(
            event.site,
            notes=notes,
            cure=_cure(event),
            switch=event.switch,
            what=_FAULTS[event.why],
            instead=_instead(event),
        )


def _instead(event: IdleSwitch) -> str:
    called = _called(event)
    match event.why:
        case Idle.ALONE:
            return f"write 'with {called}:' around the code that it is meant for"
        case Idle.UNCALLED:
            return f"write 'with {called}:'"
        case Idle.COROUTINE:
            return f"write 'with {called}:' in the body, around code that neither awaits nor yields"
        case Idle.YIELDS if not event.waits:
            return f"end the block before the yield, or decorate the generator with '@{called}'"
    return "end the block before the yield"


def _called(event: IdleSwitch) -> str:
    if event.switch.endswith(")"):
        return event.switch
    return f"{event.switch}({'False' if event.dotted == 'torch.set_grad_enabled' else ''})"


def _cure(event: IdleSwitch) -> Cure | None:
    if event.why is not Idle.UNCALLED or event.dotted == "torch.set_grad_enabled":
        return None
    called = _called(event)
    return Cure(f"call it as '{called}'", (Change(event.site, called),), safe=True)
