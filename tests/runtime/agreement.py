"""What torch does with a program that writes in place, what torchlint says of it, and whether both agree.

torch's side is seen in up to three runs: as it is; with what operations save watched, line by line, where it
did not raise at a write; and with every saved tensor kept as a copy, where values changed behind autograd.
"""

from __future__ import annotations

import re
import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from itertools import count
from types import CodeType, FrameType, TracebackType

import torch
from following import FILE, Place, Watch, named
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

import torchlint
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.rules import RULES


class Verdict(Enum):
    """How a program ends."""

    FINE = "fine"
    INPLACE = "inplace"
    """Backward meets a saved tensor that was written."""
    LEAF = "leaf"
    """A write to a leaf that requires grad, or to a view of one."""
    MULTI_VIEW = "multi-view"
    """A write that autograd or memory does not allow: a piece, a view made without grad mode, an overlap."""
    SILENT = "silent"
    """It runs to its end, and gradients are wrong."""
    OTHER = "other"
    """Anything else; the generator makes none of these."""


_BASE_WRITTEN = "its base or another view of its base has been modified inplace"
TEXTS = {
    "modified by an inplace operation": Verdict.INPLACE,
    "leaf Variable that requires grad is being used in an in-place operation": Verdict.LEAF,
    "is the output of a function that returns multiple views": Verdict.MULTI_VIEW,
    _BASE_WRITTEN: Verdict.MULTI_VIEW,
    "created in no_grad mode": Verdict.MULTI_VIEW,
    "created in inference mode": Verdict.MULTI_VIEW,
    "refers to a single memory location": Verdict.MULTI_VIEW,
    "refer to a single memory location": Verdict.MULTI_VIEW,
}
"""Parts of torch's messages."""

CODES = {
    "TL301": Verdict.INPLACE,
    "TL302": Verdict.LEAF,
    "TL303": Verdict.MULTI_VIEW,
    "TL304": Verdict.SILENT,
}
"""What a finding says that torch does."""

CLAIMED = frozenset(CODES[rule.code] for rule in RULES if rule.code in CODES)
"""The verdicts of rules that there are."""

_AT_WRITE = (Verdict.LEAF, Verdict.MULTI_VIEW)
_ORDER = (*_AT_WRITE, Verdict.INPLACE, Verdict.SILENT)
"""Which one ends a program first."""

Lines = frozenset[int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What torch did."""

    verdict: Verdict
    guilty: frozenset[Place] = frozenset()
    """The first write of each save that the raising backward met, or that changed silently; for an error at
    a write that write."""
    confirmed: frozenset[tuple[Verdict, Place]] = frozenset()
    """All writes that are true to call out, even if torch came to something else first."""
    error: str = ""
    ran: Lines = frozenset()
    """The lines that ran without raising."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the linter agrees with torch; `said` leaves out what stands behind torch's first error."""

    expected: Verdict
    """What torch did, as far as some rule speaks of it."""
    said: Verdict
    missed: frozenset[Place]
    """Guilty places without a finding."""
    false: frozenset[tuple[Verdict, int]]
    """Findings that torch passed without anything of the kind."""

    @property
    def agrees(self) -> bool:
        """On the verdict."""
        return self.said is self.expected

    @property
    def agrees_on_lines(self) -> bool:
        """On the verdict and on every line."""
        return self.agrees and not self.missed and not self.false


def observe(text: str) -> Seen:
    """Run a program under torch and say what it did; nothing that it raises is let through."""
    code = compile(text, FILE, "exec")
    error = _run(code)
    verdict, place = _ended(error)
    if verdict is Verdict.OTHER:
        return Seen(verdict, error=repr(error))
    late = _BASE_WRITTEN in str(error)
    watch = Watch(names=late)
    again = _run(code, watch.following())
    stale = {(Verdict.INPLACE, place) for save in watch.saves if save.stale for place in save.written}
    silent = {(Verdict.SILENT, place) for save in watch.saves if save.met for place in save.changed}
    ran = frozenset(watch.ran)
    if late and _in_backward(error):
        # Backward met a piece that was saved, and whose base was written: torch has another text for it.
        verdict = Verdict.INPLACE
    if verdict in _AT_WRITE:
        if late and again is not None:  # raised where a view is used: the write of its base is as guilty
            words = set(re.findall(r"\w+", text.splitlines()[place[0] - 1]))
            used = named(_traces(again)[0].tb_frame, words)
            place += tuple(sorted(line for one in used for line in watch.written.get(one, ())))
        return Seen(verdict, frozenset((place,)), frozenset(((verdict, place),)), str(error), ran)
    if verdict is Verdict.INPLACE:
        first = frozenset(save.written[0] for save in watch.first or () if save.written)
        if again is not None:  # what the watched run did not come to, nobody knows
            unmet = [save for save in watch.saves if not save.met]
            stale |= {(Verdict.INPLACE, place) for save in unmet for place in save.written}
            silent |= {(Verdict.SILENT, place) for save in unmet for place in save.changed}
        return Seen(verdict, first, frozenset(stale | silent), str(error), ran)
    right = _gradients(code, safe=True) if silent else []
    if silent and _gradients(code) != right:
        # Training saves the statistics of a batch norm as well, and does not use them.
        changed = [save for save in watch.saves if save.met and save.changed]
        wrong = [save for save in changed if _gradients(code, safe=True, but=save.number) != right]
        first = frozenset(save.changed[0] for save in wrong or changed)
        return Seen(Verdict.SILENT, first, frozenset(silent), ran=ran)
    return Seen(Verdict.FINE, confirmed=frozenset(silent), ran=ran)


def read(text: str) -> frozenset[tuple[Verdict, int]]:
    """What torchlint finds in a program: verdicts with lines."""
    found = torchlint.check(text, filename=FILE, config=Config(select=("TL0", "TL3")))
    return frozenset((CODES[one.code], _line(one)) for one in found)


def _line(found: Diagnostic) -> int:
    """Where torch raises: for a view whose base was written that is where it is used."""
    used = [note.span.start_line for note in found.notes if "used here" in note.message]
    return used[0] if used else found.line


def judge(
    seen: Seen, found: frozenset[tuple[Verdict, int]], claimed: frozenset[Verdict] = CLAIMED
) -> Judgement:
    """Hold findings against what torch did.

    `claimed` are the verdicts that some rule speaks of; where torch does anything else, the linter must be
    silent. What stands behind torch's first error is left out: lines that did not run, and, where torch
    raised at a write, all that only backward can show.
    """
    expected = seen.verdict if seen.verdict in claimed else Verdict.FINE
    at_write = seen.verdict in _AT_WRITE
    false = frozenset(
        (verdict, line)
        for verdict, line in found
        if not any(verdict is true and line in place for true, place in seen.confirmed)
        and line in seen.ran
        and not (at_write and verdict in (Verdict.INPLACE, Verdict.SILENT))
    )
    guilty = seen.guilty if expected is seen.verdict else frozenset()
    told = {line for verdict, line in found if verdict is expected}
    missed = frozenset(place for place in guilty if told.isdisjoint(place))
    said = {verdict for verdict, _ in false}
    early = said.intersection(_AT_WRITE)
    if len(missed) < len(guilty):
        said.add(expected)
    first = next((one for one in _ORDER if one in (early or said)), Verdict.FINE)
    return Judgement(expected, first, missed, false)


def _run(
    code: CodeType,
    around: AbstractContextManager[object] | None = None,
    names: dict[str, object] | None = None,
) -> Exception | None:
    """Run a program from its start, in a namespace of its own or in `names`; gives what it raised."""
    names = {} if names is None else names
    names["__name__"] = "__main__"
    torch.manual_seed(0)
    with warnings.catch_warnings(), torch.enable_grad(), around or nullcontext():
        warnings.simplefilter("ignore")
        try:
            exec(code, names)
        except Exception as error:
            return error
    return None


def _ended(error: Exception | None) -> tuple[Verdict, Place]:
    """What an error says, and where it was raised."""
    if error is None:
        return Verdict.FINE, ()
    verdicts = (verdict for text, verdict in TEXTS.items() if text in str(error))
    return next(verdicts, Verdict.OTHER), tuple(trace.tb_lineno for trace in _traces(error))


def _in_backward(error: Exception | None) -> bool:
    """Whether torch raised while it ran backward."""
    trace = error.__traceback__ if error is not None else None
    while trace is not None and trace.tb_frame.f_code.co_name != "backward":
        trace = trace.tb_next
    return trace is not None


def _traces(error: Exception) -> list[TracebackType]:
    """Where the program was when it raised, the innermost first."""
    found: list[TracebackType] = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE:
            found.insert(0, trace)
        trace = trace.tb_next
    return found


def _gradients(code: CodeType, *, safe: bool = False, but: int = 0) -> list[bytes]:
    """All gradients that a program leaves; with `safe` operations save copies, which no write reaches.

    `but` is the number of a save that is no copy all the same, counted from one.
    """
    names: dict[str, object] = {}
    packed = count(1)

    def copied(tensor: torch.Tensor) -> torch.Tensor:
        return tensor if next(packed) == but else tensor.detach().clone()

    def note(frame: FrameType, event: str, arg: object) -> None:
        if event == "return" and frame.f_code.co_filename == FILE and frame.f_code.co_name == "main":
            names.update(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        _run(code, saved_tensors_hooks(copied, _itself) if safe else None, names)
    finally:
        sys.setprofile(before)
    held: list[torch.Tensor] = []
    for value in names.values():
        if isinstance(value, nn.Module):
            held.extend(value.parameters())
        elif isinstance(value, torch.Tensor):
            held.append(value)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of what is no leaf; `grad` raises for a piece whose base was written
        return [one._grad.numpy().tobytes() for one in held if one._grad is not None]


def _itself(tensor: torch.Tensor) -> torch.Tensor:
    return tensor
