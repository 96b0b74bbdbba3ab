"""The files of the user: which are to be checked, and how one is written."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator

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

_SUFFIXES = (".py", ".pyi", ".ipynb")


def find_files(
    paths: Iterable[str],
    *,
    excluded: Iterable[str] = EXCLUDED,
    force_exclude: bool = False,
    warn: Callable[[str], None],
) -> list[str]:
    """The files to check, sorted, each once, named from the working folder where they are under it.

    Folders are walked for Python files and notebooks. A path that was named itself is taken as it is, even
    where it is missing, and even where it is excluded unless `force_exclude` is set.
    """
    excludes = _matcher(excluded)
    files: set[str] = set()
    for path in paths:
        name = _from_here(path)
        if force_exclude and _any_part(name, excludes):
            continue
        if os.path.isdir(path):
            files.update(_walk(name, excludes, warn))
        else:
            files.add(name)
    return sorted(files)


def write(filename: str, data: bytes) -> None:
    """Put the new bytes in place at once, so that a reader or a crash never meets half a file."""
    import tempfile

    target = os.path.realpath(filename)
    mode = os.stat(target).st_mode
    handle, temporary = tempfile.mkstemp(prefix=".torchlint-", dir=os.path.dirname(target))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode & 0o7777)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def reason(error: OSError) -> str:
    """Why something could not be read or written, as the end of a sentence."""
    said = error.strerror or type(error).__name__
    return said[:1].lower() + said[1:]


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
