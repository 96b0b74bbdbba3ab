"""All observers over one run."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from torchlint.prove.observations import Observation, Site
from torchlint.prove.observers.calls import CallWatch, Observer
from torchlint.prove.observers.evaluations import Evaluations
from torchlint.prove.observers.forwards import Forwards
from torchlint.prove.observers.frames import Program
from torchlint.prove.observers.graphs import GraphsKept
from torchlint.prove.observers.modes import GradMode, InferenceTensors
from torchlint.prove.observers.reads import Reads
from torchlint.prove.observers.refusals import Refusals, refusal
from torchlint.prove.observers.regions import Regions
from torchlint.prove.observers.saves import SavedTensors
from torchlint.prove.observers.switches import IdleSwitches
from torchlint.prove.observers.waits import DeviceWaits

_OBSERVERS = str(Path(__file__).with_name("observers"))


@dataclass(slots=True)
class Seen:
    """What one run showed; complete once the watch has ended."""

    observations: list[Observation] = field(default_factory=list)
    entered: tuple[Site, ...] = ()
    """The no_grad regions that ran."""
    inferring: frozenset[Site] = frozenset()
    """Those of them that do inference."""
    lines: set[tuple[str, int]] = field(default_factory=set)
    """Lines of the program that ran, where they were asked for."""
    troubles: tuple[str, ...] = ()
    """Where an observer failed."""
    saved_bytes: int = 0
    """The most memory that graphs held at once through saved tensors."""


@contextmanager
def watching(
    program: Program,
    *,
    as_inference: Collection[Site] = (),
    carry_on: bool = False,
    repair: bool = False,
    saves: bool = True,
    lines: bool = False,
) -> Iterator[Seen]:
    """Watch what this thread does until the block ends, however it ends.

    `as_inference` names regions to enter as inference_mode; with `carry_on` backward goes on where torch
    would refuse a stale tensor; with `repair` it gets what was saved where torch does not notice a write;
    without `saves` no hook for saved tensors is set, which torch.func does not allow; with `lines` the lines
    that run are noted, which takes time.
    """
    seen = Seen()
    regions = Regions(program, as_inference)
    forwards = Forwards(program)
    switches = IdleSwitches(program)
    evaluations = Evaluations(program)
    graphs = GraphsKept(program)
    saved = SavedTensors(program, carry_on=carry_on, repair=repair)
    inference = InferenceTensors(program)
    observers: list[Observer] = [
        forwards,
        evaluations,
        Reads(program),
        saved,
        graphs,
        inference,
        GradMode(program),
        Refusals(program),
        regions,
        switches,
        DeviceWaits(program),
    ]
    called = CallWatch(program, observers, passes=lambda error: carry_on and refusal(error) is not None)
    with ExitStack() as watch:
        watch.enter_context(forwards.installed())
        watch.enter_context(evaluations.installed())
        watch.enter_context(regions.installed())
        watch.enter_context(inference.installed())
        watch.enter_context(switches.installed())
        if saves:
            watch.enter_context(saved.hooks(called))
        if lines:
            watch.enter_context(_traced(program, seen.lines, saved.line_ran, switches.raised, graphs.moved))
        watch.enter_context(_warnings_in_place(program))
        watch.enter_context(called)
        try:
            yield seen
        finally:
            seen.entered = tuple(regions.entered)
            seen.inferring = frozenset(regions.inferring)
            seen.saved_bytes = saved.memory.peak
            seen.troubles = tuple(called.troubles)
            found = [one for observer in observers for one in observer.observations()]
            seen.observations = sorted(found, key=lambda one: (one.site, one.kind.value, one.text))


@contextmanager
def _warnings_in_place(program: Program) -> Iterator[None]:
    """Show torch's warnings at the line of the program: the nearest Python frame to torch is ours."""
    show = warnings.showwarning

    def show_in_place(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        site = program.here() if filename.startswith(_OBSERVERS) else None
        if site is not None:
            filename, lineno = site.file, site.line
        show(message, category, filename, lineno, file, line)

    warnings.showwarning = show_in_place
    try:
        yield
    finally:
        warnings.showwarning = show


@contextmanager
def _traced(
    program: Program,
    lines: set[tuple[str, int]],
    ran: Callable[[Site], None],
    raised: Callable[[Site, BaseException], None],
    moved: Callable[[FrameType, str], None],
) -> Iterator[None]:
    """Note the lines that run, and tell of each when the next begins that it `ran`.

    Also tell what was `raised`, and where frames `moved`.
    """
    running: Site | None = None

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal running
        if not program.owns(frame.f_code):
            return None
        if event in ("line", "return"):
            if running is not None:
                ran(running)
            moved(frame, event)
        if event == "exception" and arg[2] is not None and arg[2].tb_next is None:  # raised in this frame
            raised(Site(frame.f_code.co_filename, frame.f_lineno, frame.f_lineno), arg[1])
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
            running = Site(frame.f_code.co_filename, frame.f_lineno, frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
