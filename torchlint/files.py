"""The files of the user: which are to be checked, and how one is written."""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import signal
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

EXCLUDED = (
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".git-rewrite",
    ".hg",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".pants.d",
    ".pyenv",
    ".pytest_cache",
    ".pytype",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    ".vscode",
    "__pycache__",
    "__pypackages__",
    "_build",
    "buck-out",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
)
"""Folders that a walk leaves out unless told otherwise."""

_SUFFIXES = (".py", ".pyi")


def find_files(
    paths: Iterable[str],
    *,
    excluded: Iterable[str] = EXCLUDED,
    force_exclude: bool = False,
    warn: Callable[[str], None],
) -> list[str]:
    """The files to check, sorted, each once, named from the working folder where they are under it.

    Folders are walked for Python files. A path that was named itself is taken as it is, even where
    it is missing, and even where it is excluded unless `force_exclude` is set.
    """
    excludes = _matcher(excluded)
    files: set[str] = set()
    for path in paths:
        name = _from_here(path)
        if force_exclude and _any_part(name, excludes):
            continue
        if os.path.isdir(path):
            files.update(_walk(name, excludes, warn))
        elif name.endswith(".ipynb"):
            warn(f"{name} is left out: notebooks are not read yet")
        else:
            files.add(name)
    return sorted(files)


def write(filename: str, data: bytes, *, instead_of: bytes) -> None:
    """Put new bytes in the place of old ones at once, so that a reader or a crash never meets half a file.

    Links lead to what is written; mode, owner and extended attributes are those of the old file as far as the
    system lets us. Raises OSError, also where the user may not write the file or it no longer holds the old
    bytes; then it is as it was.
    """
    import tempfile

    target = os.path.realpath(filename)
    held = os.stat(target)
    _may_be_replaced(target, held)
    folder = os.path.dirname(target)
    with _signals_kept_back():
        handle, temporary = tempfile.mkstemp(prefix=".torchlint-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                _dress(temporary, target, held)
                os.fsync(file.fileno())
            # As late as can be: an editor may have saved the file while it was checked.
            with open(target, "rb") as file:
                if file.read() != instead_of:
                    raise OSError("it has changed since it was read")
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
        _settle(folder)


def reason(error: OSError) -> str:
    """Why something could not be read or written, as the end of a sentence."""
    said = error.strerror or str(error) or type(error).__name__
    return said[:1].lower() + said[1:]


def _may_be_replaced(target: str, held: os.stat_result) -> None:
    """Raise OSError where the user may not write a file; to replace it the folder's rights would do."""
    if not stat.S_ISREG(held.st_mode):
        raise OSError("it is no regular file")
    effective = os.access in os.supports_effective_ids
    if not os.access(target, os.W_OK, effective_ids=effective):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)


def _dress(temporary: str, target: str, held: os.stat_result) -> None:
    """Give a new file the owner, the mode and the attributes of the one that it is to replace."""
    if hasattr(os, "chown") and (held.st_uid, held.st_gid) != (os.geteuid(), os.getegid()):
        for owner in ((held.st_uid, held.st_gid), (-1, held.st_gid)):
            with suppress(OSError):  # only root gives files away; a group of one's own may be kept
                os.chown(temporary, *owner)
                break
    os.chmod(temporary, stat.S_IMODE(held.st_mode))
    with suppress(OSError, AttributeError):  # not every system or disk has them
        for name in os.listxattr(target):
            with suppress(OSError):
                os.setxattr(temporary, name, os.getxattr(target, name))


def _settle(folder: str) -> None:
    """Have the disk keep the new name, too; where a folder cannot be opened, the system sees to that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _signals_kept_back() -> Iterator[None]:
    """Hold back what ends a process, so that it leaves no temporary file; none of this takes long."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _walk(top: str, excludes: Callable[[str], bool], warn: Callable[[str], None]) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        warn(f"{error.filename} is left out: {reason(error)}")

    for folder, folders, names in os.walk(top, onerror=unreadable):
        here = folder if top != os.curdir else folder[2:]
        folders[:] = [name for name in folders if not excludes(os.path.join(here, name))]
        for name in names:
            path = os.path.join(here, name)
            if name.endswith(_SUFFIXES) and not excludes(path):
                yield path


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path, or its last part, is one of the patterns; `*` crosses folders."""
    kept = [_from_here(pattern) if os.sep in pattern else pattern for pattern in patterns if pattern]
    if not kept:
        return lambda path: False
    match = re.compile("|".join(map(fnmatch.translate, kept))).match
    return lambda path: match(path) is not None or match(os.path.basename(path)) is not None


def _any_part(path: str, excludes: Callable[[str], bool]) -> bool:
    """Whether the path or one of the folders it lies in is excluded."""
    while path and path not in (os.curdir, os.sep):
        if excludes(path):
            return True
        parent = os.path.dirname(path)
        if parent == path:
            break
        path = parent
    return False


def _from_here(path: str) -> str:
    """A path named from the working folder where it lies under it, absolute elsewhere."""
    here = os.getcwd()
    full = os.path.abspath(path)
    if full == here:
        return os.curdir
    prefix = here if here.endswith(os.sep) else here + os.sep
    return full[len(prefix) :] if full.startswith(prefix) else full
