"""One watched run in this process."""

from __future__ import annotations

from collections.abc import Callable

from torchlint.prove.observers.frames import Program
from torchlint.prove.programs import Outcome
from torchlint.prove.proof import Watch
from torchlint.prove.records import Record
from torchlint.prove.watch import watching


def record(
    execute: Callable[[], Outcome], owns: Callable[[str], bool], watch: Watch, *, carry_on: bool = False
) -> Record:
    """Run a program and give what was seen; `owns` says which files are its own.

    With `carry_on` backward goes on where torch would refuse a stale tensor. A KeyboardInterrupt ends the
    program, not the record.
    """
    interrupted = False
    with watching(
        Program(owns),
        as_inference=watch.as_inference,
        carry_on=carry_on,
        repair=watch.repair,
        saves=watch.saves,
        lines=watch.lines,
    ) as seen:
        try:
            outcome = execute()
        except KeyboardInterrupt as stop:
            outcome, interrupted = Outcome("", stop, {}), True
    return Record(
        outcome.printed,
        outcome.error_line,
        outcome.left,
        tuple(seen.observations),
        tuple(site for site in seen.entered if site in seen.inferring),
        frozenset(seen.lines),
        seen.saved_bytes,
        seen.troubles,
        interrupted,
    )
