"""`torchlint check --watch`: the same check again whenever something changes that it may read."""

from __future__ import annotations

import argparse
import copy
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from torchlint.commands import overriding
from torchlint.errors import ConfigError
from torchlint.files import EXCLUDED

if TYPE_CHECKING:
    from torchlint.runner import Checked

Check = Callable[[argparse.Namespace, Callable[[Sequence["Checked"]], None]], int]
"""One check with its report, which first hands what every file gave to somebody who begins the screen."""

_Stamps = dict[str, tuple[int, int, int] | None]

_PAUSE = 0.3  # seconds
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"  # the screen and what was scrolled away, as ruff does it
_ALONE = ("show_settings", "show_files", "add_noqa", "add_ignore")


def watch(options: argparse.Namespace, check: Check) -> int:
    """Check, wait for a change, check again, until Ctrl-C; gives the exit status where that ends a check.

    A configuration that cannot be is told, and waited for. Raises ConfigError for options that leave nothing
    to watch.
    """
    from torchlint import settings

    if "-" in options.paths:
        raise ConfigError("--watch is about files, not about standard input")
    for name in _ALONE:
        if getattr(options, name) not in (None, False):
            raise ConfigError(f"--watch does not go with --{name.replace('_', '-')}")
    _say("Starting to watch...", options, clear=True)
    while True:
        settings.forget()
        seen = _Seen(options)
        try:
            status = check(copy.copy(options), partial(_begin, seen, options))
        except ConfigError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
        sys.stdout.flush()
        sys.stderr.flush()
        if status == 130:
            return status
        while not seen.has_changed():
            time.sleep(_PAUSE)
        _say("File change detected...", options, clear=True)


class _Seen:
    """How the files of a run and all that decides about them were when it began."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._files = self._found()
        self._folders = _folders(self._options.paths, self._files)
        self._stamps = _stamps(self._watched())
        self._listed = _stamps(self._folders)

    def without_own(self, results: Sequence[Checked]) -> None:
        """The files that the run itself has fixed are new and no reason to run again."""
        self._stamps.update(_stamps(result.filename for result in results if result.fixed))

    def has_changed(self) -> bool:
        """Whether a file, or the list of the files, is another one now."""
        if _stamps(self._stamps) != self._stamps:
            return True
        listed = _stamps(self._folders)
        if listed == self._listed:
            return False
        # Something came or went in a folder, which need not be a file of ours.
        self._listed = listed
        return self._found() != self._files

    def _found(self) -> list[str]:
        options = copy.copy(self._options)
        try:
            overrides = overriding.settle(options)
            return overriding.find(options.paths, options, overrides, tell=lambda message: None)
        except ConfigError:
            return []

    def _watched(self) -> Iterable[str]:
        from torchlint import settings

        yield from self._files
        for folder in {os.path.dirname(os.path.abspath(path)) for path in self._files}:
            # What a file imports from its own folder decides, too, where that was not named.
            yield from (path for path in _inside(folder) if path.endswith(".py"))
        for folder in self._folders:
            for name in (*settings.FILES, ".gitignore"):
                yield os.path.join(folder, name)
        yield from settings.files_read()
        if self._options.baseline:
            yield self._options.baseline


def _inside(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)]
    except OSError:
        return []


def _folders(paths: Iterable[str], files: Iterable[str]) -> list[str]:
    """The folders of the files, all those that were named with what is in them, and those above."""
    found = {os.path.dirname(os.path.abspath(path)) for path in files}
    for path in filter(os.path.isdir, paths):
        for folder, names, _ in os.walk(os.path.abspath(path)):
            names[:] = [name for name in names if not name.startswith(".") and name not in EXCLUDED]
            found.add(folder)
    for folder in list(found):
        while (above := os.path.dirname(folder)) != folder and above not in found:
            found.add(above)
            folder = above
    return sorted(found)


def _stamps(paths: Iterable[str]) -> _Stamps:
    """What tells whether files were written, by their absolute paths; None for one that is not there."""
    found: _Stamps = {}
    for path in map(os.path.abspath, paths):
        try:
            held = os.stat(path)
        except OSError:
            found[path] = None
        else:
            found[path] = (held.st_mtime_ns, held.st_size, held.st_ino)
    return found


def _begin(seen: _Seen, options: argparse.Namespace, results: Sequence[Checked]) -> None:
    seen.without_own(results)
    count = sum(len(result.diagnostics) for result in results)
    _say(f"Found {count} error{'' if count == 1 else 's'}. Watching for file changes.", options)


def _say(message: str, options: argparse.Namespace, *, clear: bool = False) -> None:
    """Tell with the time what happens, on a new screen where there is one."""
    if options.quiet or options.silent:
        return
    if clear and sys.stdout.isatty():
        print(end=_CLEAR)
    print(f"[{time.strftime('%H:%M:%S')}] {message}\n", flush=True)
