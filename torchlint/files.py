"""The files of the user: which are to be checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torchlint.config import Patterns
    from torchlint.gitignored import Ignored

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

INCLUDED = ("*.py", "*.pyi", "*.ipynb")
"""What a walk takes unless told otherwise."""


class Sieve(Protocol):
    """Which files and folders of one folder a walk takes."""

    @property
    def excluded(self) -> Patterns:
        """What is left out."""
        ...

    @property
    def included(self) -> Patterns:
        """The files that are taken."""
        ...


def find_files(
    paths: Iterable[str],
    *,
    sieve_of: Callable[[str], Sieve],
    force_exclude: bool = False,
    respect_gitignore: bool = False,
    warn: Callable[[str], None],
) -> list[str]:
    """The files to check, sorted, each once, named from the working folder where they are under it.

    Folders are walked; `sieve_of` says for each, by its absolute path, what is taken of it. A path that
    was named itself is taken as it is, even where it is missing, even where git ignores it, and even where it
    is excluded unless `force_exclude` is set.
    """
    from torchlint.gitignored import Ignored

    files: set[str] = set()
    with Ignored() as ignored:
        for path in paths:
            name = _from_here(path)
            if force_exclude and is_excluded(os.path.abspath(path), sieve_of, os.getcwd()):
                continue
            if os.path.isdir(path):
                git = ignored if respect_gitignore and not ignored.covers(os.path.abspath(path)) else None
                files.update(_walk(name, sieve_of, git, warn))
            else:
                files.add(name)
    return sorted(files)


def named_from(filename: str, folder: str) -> str:
    """A path as it is named from a folder, with slashes; absolute where it does not lie under that."""
    full, top = os.path.abspath(filename), os.path.join(os.path.abspath(folder), "")
    return (full[len(top) :] if full.startswith(top) else full).replace(os.sep, "/")


def reason(error: OSError) -> str:
    """Why something could not be read or written, as the end of a sentence."""
    said = error.strerror or str(error) or type(error).__name__
    return said[:1].lower() + said[1:]


def _walk(
    top: str, sieve_of: Callable[[str], Sieve], ignored: Ignored | None, warn: Callable[[str], None]
) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        warn(f"{error.filename} is left out: {reason(error)}")

    for folder, folders, names in os.walk(top, onerror=unreadable):
        here = folder if top != os.curdir else folder[2:]
        full = os.path.abspath(folder)
        sieve = sieve_of(full)
        folders[:] = [name for name in folders if not sieve.excluded.match(os.path.join(full, name))]
        taken = [
            name
            for name in names
            if sieve.included.match(path := os.path.join(full, name)) and not sieve.excluded.match(path)
        ]
        if ignored is not None and (folders or taken):
            out = ignored.among(full, [*folders, *taken])
            folders[:] = [name for name in folders if name not in out]
            taken = [name for name in taken if name not in out]
        for name in taken:
            yield os.path.join(here, name)


def is_excluded(path: str, sieve_of: Callable[[str], Sieve], top: str) -> bool:
    """Whether an absolute path or one of the folders it lies in is excluded, from a folder on."""
    while path != top and (above := os.path.dirname(path)) != path:
        if sieve_of(above).excluded.match(path):
            return True
        path = above
    return False


def _from_here(path: str) -> str:
    """A path named from the working folder where it lies under it, absolute elsewhere."""
    here = os.getcwd()
    full = os.path.abspath(path)
    if full == here:
        return os.curdir
    prefix = here if here.endswith(os.sep) else here + os.sep
    return full[len(prefix) :] if full.startswith(prefix) else full
