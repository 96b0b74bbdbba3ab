"""What becomes of tensors that a function returns: its callers in sight are walked, and listened to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.flow.audience import Audience
from torchlint.flow.callers import callers_of
from torchlint.flow.domain import Fate
from torchlint.flow.events import GIVEN_AWAY, RETURNED, STORED, Escaped, Event, Region
from torchlint.tables.effects import says

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.file import FileFlow

_DEEPEST = 3  # callers of callers that hand a result on
_MOST_CALLERS = 24
# What may happen to numbers for a report: they do not come back to a computation from there.
_OF_MEASURES = frozenset({RETURNED, STORED, GIVEN_AWAY})


class Escapes(Audience):
    """Hears how what was born in a region escapes."""

    def __init__(self, region: Region) -> None:
        self.kind = ("escapes", region)
        self.region = region
        self.hows: frozenset[str] = frozenset()

    def __call__(self, event: Event) -> None:
        """Hear an event."""
        if isinstance(event, Escaped) and self.region in event.regions:
            self.hows |= {event.how}

    def said(self) -> object:
        """The ways."""
        return self.hows

    def recall(self, said: object) -> None:
        """Have heard of these ways."""
        assert isinstance(said, frozenset)
        self.hows = said


def meets(file: FileFlow, qualname: str, region: Region, fate: Fate) -> bool:
    """Whether this becomes of what a function returns that was born in the region."""
    return _fate(file, qualname, region, fate) is fate


def _fate(file: FileFlow, qualname: str, region: Region, asked: Fate, depth: int = 0) -> Fate:
    """What becomes of it; LOST, without a walk, where it cannot be what is asked for."""
    definition = file.skeleton.definitions.get(qualname)
    if definition is None or depth >= _DEEPEST:
        return Fate.LOST
    name = definition.name
    others = file.neighbours.users(name, definition.owner or name)
    callers = list(callers_of(file, definition, others, loosely=asked is Fate.STAYS))
    if len(callers) > _MOST_CALLERS:
        return Fate.LOST
    fate = Fate.STAYS
    measures = _measures(file, definition)  # so who is out of sight takes the results for numbers
    # So does who calls an evaluation, where those in sight do.
    shown = bool(callers) and (not file.is_open(definition) or _assesses(definition))
    if not measures and not shown:
        trains = file.says_training or "training" in says("function", name)
        if asked is Fate.STAYS or definition.is_called_unnamed or trains:
            return Fate.LOST
        fate = Fate.UNSEEN
    harmless = _OF_MEASURES if measures else frozenset()
    for flow, caller in callers:
        theirs = _fate_with(flow, caller, (file, qualname), region, asked, depth, harmless)
        if theirs is Fate.LOST:
            return theirs
        if theirs is Fate.UNSEEN:
            fate = theirs
    return fate


def _measures(file: FileFlow, definition: Definition) -> bool:
    """Whether a function returns what only logs and reports want, as far as its name or its file's says."""
    words = says("function", definition.name)
    elsewhere = file.says_measures and "loss" not in says("place", definition.name)
    measures = ("measure" in words or elsewhere) and "training" not in words
    return measures or (_assesses(definition) and definition.loops)


def _assesses(definition: Definition) -> bool:
    """Whether a function evaluates, as far as its name says."""
    words = says("function", definition.name)
    return "assessment" in words and "training" not in words


def _fate_with(
    flow: FileFlow,
    caller: str,
    callee: tuple[FileFlow, str],
    region: Region,
    asked: Fate,
    depth: int,
    harmless: frozenset[str],
) -> Fate:
    """What a caller does with what it is given, where some of it is known to be `harmless`."""
    escapes = Escapes(region)
    called = flow.follow(caller, escapes, callee, region)
    hows = escapes.hows - harmless
    if not (called or harmless) or hows - {RETURNED}:
        return Fate.LOST
    return _fate(flow, caller, region, asked, depth + 1) if hows else Fate.STAYS
