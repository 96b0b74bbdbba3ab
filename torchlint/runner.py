"""Many files: check each by itself, write back what was fixed.

Enough files are shared among processes. A file whose bytes never say `torch` is done after the reading:
nothing else is imported for it.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic, Span
from torchlint.errors import InternalError, UnreadableSource
from torchlint.files import reason, write
from torchlint.source import Source

if TYPE_CHECKING:
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
    the fixes made, `warning` says why some were not, and `suppressed` is what comments silence. Of a notebook
    `cells` has the text of each cell that a diagnostic may point into, by its number.
    """

    filename: str
    diagnostics: tuple[Diagnostic, ...] = ()
    source: Source | None = None
    fixed: int = 0
    warning: str | None = None
    suppressed: tuple[Diagnostic, ...] = ()
    cells: Mapping[int, Source] | None = None

    def text_of(self, cell: int | None) -> Source | None:
        """The text that positions in this cell point into; of no cell, the text of the file."""
        return self.source if cell is None else (self.cells or {}).get(cell)


def check_source(source: Source, config: Config, project: Project | None = None) -> list[Diagnostic]:
    """What is found in one source that no comment silences."""
    from torchlint.engine import check
    from torchlint.noqa import unsuppressed

    return unsuppressed(source, check(source, config, project=project))


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
    if b"torch" not in data:
        return Checked(filename), data
    try:
        return _check_bytes(data, filename, config, fix=fix)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        message = f"torchlint failed on this file: {reason}"
        return Checked(filename, (_about_file(filename, "TL002", "internal-error", message),)), data


def check_file(filename: str, config: Config, *, fix: bool) -> Checked:
    """What one file gives; with `fix` the fixes that the configuration lets are made and written back."""
    try:
        with open(filename, "rb") as file:
            data = file.read()
    except OSError as error:
        message = f"cannot read this file: {reason(error)}"
        return Checked(filename, (_about_file(filename, "TL001", "cannot-parse", message),))
    checked, fixed = check_bytes(data, filename, config, fix=fix)
    if fixed == data:
        return checked
    try:
        write(filename, fixed)
    except OSError as error:
        before, _ = check_bytes(data, filename, config, fix=False)
        warning = f"{filename} could not be written, so its fixes are not made: {reason(error)}"
        return Checked(filename, before.diagnostics, before.source, warning=warning)
    return checked


def check_files(
    filenames: Sequence[str], config: Config, *, fix: bool = False, jobs: int | None = None
) -> Iterator[Checked]:
    """What each file gives, in the order of the names.

    `jobs` is how many processes to use; `None` takes one for each core where there are enough files.
    """
    shared_project.cache_clear()
    check = partial(check_file, config=config, fix=fix)
    processes = _processes(len(filenames), jobs)
    if processes < 2:
        yield from map(check, filenames)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    pool = ProcessPoolExecutor(processes, initializer=_start_process)
    try:
        with _interruption_kept_back():
            results = pool.map(check, filenames, chunksize=_FILES_AT_ONCE)
        yield from results
    except BrokenProcessPool:
        raise InternalError("a process of torchlint died; --jobs 1 shows at which file") from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


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
    check = partial(check_source, config=config, project=shared_project() if config.project else None)
    if not fix:
        found = tuple(check(source))
        return Checked(filename, found, source if found else None), data
    from torchlint.fixes import fix as fixed

    result = fixed(source, check, unsafe=config.unsafe_fixes)
    warning = f"{filename}: fixes that do not give valid Python were taken back" if result.undone else None
    checked = Checked(filename, result.diagnostics, result.source, result.count, warning)
    return checked, result.source.to_bytes() if result.count else data


def _about_file(filename: str, code: str, name: str, message: str) -> Diagnostic:
    return Diagnostic(filename, Span.at(1, 0), code, name, message)


def _processes(files: int, jobs: int | None) -> int:
    if jobs is None:
        if files < _ENOUGH_FILES:
            return 1
        jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(jobs, files, _MOST_PROCESSES)


@contextmanager
def _interruption_kept_back() -> Iterator[None]:
    """Hold Ctrl-C back while processes start: they begin life so, and settle it in `_start_process`."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_process() -> None:
    # Ctrl-C reaches every process of the group. One that dies by it may hold a lock of the pool, so each ends
    # the few files it has and the first process decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    warnings.simplefilter("ignore")
