"""What torch did in one program: a watched run, and more for the regions that could be inference_mode."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TypeAlias

from torchlint.prove.observations import Kind, Observation, Site
from torchlint.prove.records import Record

_NO_HOOKS = "saved tensor hooks"
"""Part of what torch says where it allows no hooks for saved tensors (torch.func, some checkpoints)."""

_SAME = "as inference_mode it prints, raises and leaves the same"
_NO_ERROR = "as inference_mode it raises no error; the rest differs from run to run by itself"


@dataclass(frozen=True, slots=True)
class Watch:
    """How one run is to be watched."""

    as_inference: frozenset[Site] = frozenset()
    """The regions to enter as inference_mode."""
    repair: bool = False
    """Whether backward gets what was saved where torch does not notice that it has changed."""
    saves: bool = True
    lines: bool = False
    quiet: bool = True


Run: TypeAlias = Callable[[Watch], Record]
"""Runs the program once, from its start; nothing that it raises is let through."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One program, observed."""

    record: Record
    """The first run, with the observations of all runs."""
    runs: int


def observe(run: Run, *, lines: bool = False, quiet: bool = True) -> Proof:
    """Run a program under all observers.

    It runs at least once, and again for its no_grad regions that do inference: first with all of them as
    inference_mode, then one by one where that made a difference; and once with every saved tensor as it was
    saved, where one was written unnoticed. Only the first run may print.
    """
    runs = 0

    def counted(watch: Watch) -> Record:
        nonlocal runs
        runs += 1
        return run(watch)

    first = Watch(lines=lines, quiet=quiet)
    record = counted(first)
    if record.error is not None and _NO_HOOKS in record.error:
        first = replace(first, saves=False)
        record = counted(first)
    if any(one.kind is Kind.SILENT_WRITE for one in record.observations) and not record.interrupted:
        record = _without_harmless(record, counted(replace(first, repair=True, lines=False, quiet=True)))
    if not record.interrupted:
        replays = _replays(record, counted, replace(first, lines=False, quiet=True))
        record = replace(record, observations=(*record.observations, *replays))
    return Proof(record, runs)


def _without_harmless(record: Record, repaired: Record) -> Record:
    """Unnoticed writes do no harm where the program does the same when backward gets the old values."""
    if repaired.differs_from(record) is not None:
        return record
    kept = tuple(one for one in record.observations if one.kind is not Kind.SILENT_WRITE)
    return replace(record, observations=kept)


def _replays(record: Record, run: Callable[[Watch], Record], watch: Watch) -> list[Observation]:
    """What running the no_grad regions that do inference as inference_mode shows of each."""
    candidates = record.candidates
    if not candidates:
        return []

    def difference(regions: Collection[Site], *, errors_only: bool = False) -> str | None:
        replayed = run(replace(watch, as_inference=frozenset(regions)))
        return replayed.differs_from(record, errors_only=errors_only)

    if difference(candidates) is None:
        return [Observation(Kind.INFERENCE_SAFE, site, _SAME) for site in candidates]
    # A program that does not even do twice the same by itself can be compared by its errors alone.
    unsteady = difference(()) is not None
    told = {site: difference([site], errors_only=unsteady) for site in candidates}
    same = _NO_ERROR if unsteady else _SAME
    return [
        Observation(Kind.INFERENCE_SAFE, site, same)
        if said is None
        else Observation(Kind.INFERENCE_UNSAFE, site, f"as inference_mode: {said}")
        for site, said in told.items()
    ]
