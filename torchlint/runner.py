"""Many files: check each by itself, write back what was fixed.

Enough files are shared among processes. A file whose bytes never say `torch` is done after the reading:
nothing else is imported for it.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic, Fix, Span
from torchlint.errors import ConfigError, InternalError, UnreadableSource
from torchlint.files import reason
from torchlint.saving import write
from torchlint.signals import kept_back
from torchlint.source import Source

if TYPE_CHECKING:
    from concurrent.futures import Future
    from multiprocessing.synchronize import Event
    from types import FrameType

    from torchlint.baseline import Key
    from torchlint.comments import Remark
    from torchlint.project import Project


NOTEBOOK = ".ipynb"
"""How the names of notebooks end."""

_ENOUGH_FILES = 32
_FILES_AT_ONCE = 4
_MOST_PROCESSES = 61  # what Windows can wait for


@dataclass(frozen=True, slots=True)
class Checked:
    """What one file gave.

    `source` is the text that the diagnostics point into, `None` where there is none to show; `fixed` counts
    the fixes made, `warning` says why some were not, and `suppressed` is what comments silence. `remarks` are
    about these comments. `keys` are what a baseline holds of the diagnostics, `known` what it holds already
    and is not among them. Of a notebook `cells` has the text of each cell that a diagnostic may point into,
    by its number. `made` are code and name of each finding that was fixed, `diff` is what fixing changes
    where that is not written.
    """

    filename: str
    diagnostics: tuple[Diagnostic, ...] = ()
    source: Source | None = None
    fixed: int = 0
    warning: str | None = None
    suppressed: tuple[Diagnostic, ...] = ()
    remarks: tuple[Remark, ...] = ()
    keys: tuple[Key, ...] = ()
    known: tuple[Key, ...] = ()
    cells: Mapping[int, Source] | None = None
    made: tuple[tuple[str, str], ...] = ()
    diff: bytes = b""

    def text_of(self, cell: int | None) -> Source | None:
        """The text that positions in this cell point into; of no cell, the text of the file."""
        return self.source if cell is None else (self.cells or {}).get(cell)


def check_source(source: Source, config: Config, project: Project | None = None) -> list[Diagnostic]:
    """What is found in one source that no comment silences and that is in no baseline."""
    return list(judge(source, config, project).diagnostics)


def judge(
    source: Source,
    config: Config,
    project: Project | None = None,
    *,
    keep: Callable[[Sequence[Diagnostic]], Sequence[Diagnostic]] = tuple,
) -> Checked:
    """The same with what is set aside; what no comment silences goes through `keep`.

    Raises ConfigError where the baseline cannot be read.
    """
    from torchlint.engine import check
    from torchlint.noqa import sift

    config = config.for_file(source.filename)
    sifted = sift(source, check(source, config, project=project), config)
    left = keep([_as_told(one, config) for one in sifted.left])
    if not left:
        shown = source if sifted.suppressed else None
        return Checked(source.filename, (), shown, suppressed=sifted.suppressed, remarks=sifted.remarks)
    from torchlint.baseline import key_of, load

    new, known = (list(left), []) if config.baseline is None else load(config.baseline).split(source, left)
    return Checked(
        source.filename,
        tuple(new),
        source if new or sifted.suppressed else None,
        suppressed=sifted.suppressed,
        remarks=sifted.remarks,
        keys=tuple(key_of(source, one) for one in new if not one.about_file),
        known=tuple(key_of(source, one) for one in known),
    )


def _as_told(found: Diagnostic, config: Config) -> Diagnostic:
    """A finding with the fixes that the user wants of its rule, safe as they call them."""
    if found.fix is None and not found.alternatives:
        return found
    if not config.fixes(found.code):
        return replace(found, fix=None, alternatives=())

    def graded(fix: Fix) -> Fix:
        return replace(fix, safe=config.counts_as_safe(found.code, safe=fix.safe))

    fix = graded(found.fix) if found.fix is not None else None
    return replace(found, fix=fix, alternatives=tuple(map(graded, found.alternatives)))


@cache
def shared_project() -> Project:
    """What this process has read of the files around those that it checks."""
    from torchlint.project import Project

    return Project()


def check_text(text: str | bytes, filename: str, config: Config) -> list[Diagnostic]:
    """The same for text or bytes as they come; what cannot be read gives TL001."""
    if filename.endswith(NOTEBOOK):
        data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
        if config.project:
            shared_project.cache_clear()
        return list(check_bytes(data, filename, config, fix=False)[0].diagnostics)
    try:
        if isinstance(text, bytes):
            source = Source.from_bytes(text, filename)
        else:
            source = Source.from_text(text, filename)
    except UnreadableSource as error:
        from torchlint.engine import unreadable

        return [unreadable(filename, error)]
    if not config.project:
        return check_source(source, config)
    from torchlint.project import Project

    return check_source(source, config, Project())


def check_bytes(data: bytes, filename: str, config: Config, *, fix: bool) -> tuple[Checked, bytes]:
    """What the bytes of one file give, and the bytes after the fixes."""
    if b"torch" not in data and not (
        config.for_file(filename).enables("TL003", default=False) and b"noqa" in data.lower()
    ):
        return Checked(filename), data
    try:
        return _check_bytes(data, filename, config, fix=fix)
    except ConfigError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        message = f"torchlint failed on this file: {reason}"
        return Checked(filename, (_about_file(filename, "TL002", "internal-error", message),)), data


def differing(checked: Checked, before: bytes, after: bytes) -> Checked:
    """The same with how the file would change."""
    from torchlint.diffs import unified

    return replace(checked, diff=unified(checked.filename, before, after))


def check_file(filename: str, config: Config, *, fix: bool, diff: bool = False) -> Checked:
    """What one file gives; with `fix` the fixes that the configuration lets are made and written back.

    With `diff` as well they are not written: the answer says how the file would change.
    """
    try:
        with open(filename, "rb") as file:
            data = file.read()
    except OSError as error:
        message = f"cannot read this file: {reason(error)}"
        return Checked(filename, (_about_file(filename, "TL001", "cannot-parse", message),))
    checked, fixed = check_bytes(data, filename, config, fix=fix)
    if fixed == data:
        return checked
    if diff:
        return differing(checked, data, fixed)
    try:
        write(filename, fixed, instead_of=data)
    except OSError as error:
        before, _ = check_bytes(data, filename, config, fix=False)
        warning = f"{filename} could not be written, so its fixes are not made: {reason(error)}"
        return Checked(filename, before.diagnostics, before.source, warning=warning)
    return checked


def check_files(
    filenames: Sequence[str],
    config: Config | Sequence[Config],
    *,
    fix: bool = False,
    diff: bool = False,
    jobs: int | None = None,
    begun: Callable[[], None] = lambda: None,
) -> Iterator[Checked]:
    """What each file gives, in the order of the names; one configuration for all, or one for each.

    `jobs` is how many processes to use; `None` takes one for each core where there are enough files. `begun`
    is called once they are there. Raises KeyboardInterrupt after Ctrl-C, behind the files that are done.
    """
    shared_project.cache_clear()
    configs = [config] * len(filenames) if isinstance(config, Config) else config
    check = partial(check_file, fix=fix, diff=diff)
    processes = _processes(len(filenames), jobs)
    if processes < 2:
        begun()
        yield from map(check, filenames, configs)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    stop = get_context().Event()
    pool = ProcessPoolExecutor(processes, initializer=_start_process, initargs=(stop,))
    tasks = list(zip(filenames, configs, strict=True))
    pending: deque[Future[list[Checked]]] = deque()
    try:
        with kept_back("SIGINT"):  # `_start_process` settles it
            for start in range(0, len(tasks), _FILES_AT_ONCE):
                pending.append(pool.submit(_check_some, check, tasks[start : start + _FILES_AT_ONCE]))
        begun()
        try:
            while pending:
                done = pending[0].result()
                pending.popleft()
                yield from done
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one does not wait
            stop.set()
            for future in [future for future in pending if not future.cancel()]:
                yield from future.result()
            raise
        # All is done, so this takes no time; Python trips over the pool's pipes where it ends before them.
        pool.shutdown()
    except BrokenProcessPool:
        raise InternalError("a process of torchlint died; --jobs 1 shows at which file") from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _check_some(check: Callable[[str, Config], Checked], tasks: list[tuple[str, Config]]) -> list[Checked]:
    """What a process makes of a few files, or of those that it has done when it is told to stop."""
    results = []
    for filename, config in tasks:
        if any(stop.is_set() for stop in _told_to_stop):
            break
        results.append(check(filename, config))
    return results


def _check_bytes(data: bytes, filename: str, config: Config, *, fix: bool) -> tuple[Checked, bytes]:
    if filename.endswith(NOTEBOOK):
        from torchlint.by_cell import check_notebook

        project = shared_project() if config.project else None
        return check_notebook(data, filename, config, project, fix=fix)
    try:
        source = Source.from_bytes(data, filename)
    except UnreadableSource as error:
        from torchlint.engine import unreadable

        return Checked(filename, (unreadable(filename, error),)), data
    ask = partial(judge, config=config, project=shared_project() if config.project else None)
    if not fix:
        return ask(source), data
    checked, after = with_fixes(source, ask, unsafe=config.unsafe_fixes)
    return checked, after.to_bytes() if checked.fixed else data


def with_fixes(source: Source, ask: Callable[[Source], Checked], *, unsafe: bool) -> tuple[Checked, Source]:
    """Make the fixes of a source; gives what `ask` says of the text that comes of it, and that text."""
    from torchlint.fixes import fix

    judged: dict[str, Checked] = {}

    def check(text: Source) -> tuple[Diagnostic, ...]:
        judged[text.text] = ask(text)
        return judged[text.text].diagnostics

    result = fix(source, check, unsafe=unsafe)
    made = tuple((one.code, one.name) for one in result.made)
    checked = replace(
        judged[result.source.text],
        diagnostics=result.diagnostics,
        source=result.source,
        fixed=len(made),
        warning="; ".join(f"{source.filename}: {said}" for said in result.failures) or None,
        made=made,
    )
    return checked, result.source


def _about_file(filename: str, code: str, name: str, message: str) -> Diagnostic:
    return Diagnostic(filename, Span.at(1, 0), code, name, message)


def _processes(files: int, jobs: int | None) -> int:
    if jobs is None:
        if files < _ENOUGH_FILES:
            return 1
        jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(jobs, files, _MOST_PROCESSES)


def _start_process(stop: Event) -> None:
    # Ctrl-C reaches every process of the group. One that dies by it may hold a lock of the pool, so each ends
    # the file it has and the first process decides; with a second one nothing matters any more.
    signal.signal(signal.SIGINT, _heed_the_next)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    warnings.simplefilter("ignore")
    _told_to_stop.append(stop)


def _heed_the_next(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)


_told_to_stop: list[Event] = []
"""Of a process that works for another: what says that it is to begin no other file."""
