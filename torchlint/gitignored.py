"""What git ignores, asked of git itself while a walk goes on.

One process for each repository answers for all its files. Where git is missing, or refuses, nothing is
ignored.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

_AT_ONCE = 16  # fewer than a pipe holds, both ways: git answers while it is still being asked
_HOOKED = frozenset(("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"))
_FIELDS = 4  # of an answer: where the pattern stands, its line, the pattern, the path


class Ignored:
    """The repositories that one walk meets; to be left as a context manager, which ends their processes."""

    def __init__(self) -> None:
        self._roots: dict[str, str | None] = {}
        self._processes: dict[str, subprocess.Popen[bytes] | None] = {}

    def __enter__(self) -> Ignored:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            if process is not None:
                _end(process)
        self._processes.clear()

    def covers(self, folder: str) -> bool:
        """Whether git ignores a folder, which must be absolute, or one that it lies in."""
        above, name = os.path.split(folder)
        return bool(self.among(above, [name]))

    def among(self, folder: str, names: Sequence[str]) -> set[str]:
        """Those of the names in an absolute folder that git ignores."""
        root = self._root(folder)
        if root is None:
            return set()
        batches = [names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE)]
        return {name for batch in batches for name in self._ask(root, folder, batch)}

    def _root(self, folder: str) -> str | None:
        """The repository that a folder lies in."""
        if folder not in self._roots:
            above = os.path.dirname(folder)
            if os.path.exists(os.path.join(folder, ".git")):
                self._roots[folder] = folder
            else:
                self._roots[folder] = self._root(above) if above != folder else None
        return self._roots[folder]

    def _ask(self, root: str, folder: str, names: Sequence[str]) -> list[str]:
        if root not in self._processes:
            self._processes[root] = _start(root)
        process = self._processes[root]
        if process is None:
            return []
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            paths = [os.fsencode(os.path.join(folder, name)) for name in names]
            process.stdin.write(b"".join(path + b"\0" for path in paths))
            process.stdin.flush()
            answers = _fields(process.stdout, _FIELDS * len(names))
        except (OSError, EOFError):
            # It gave up, as where the folder is somebody else's: from here on nothing is ignored.
            _end(process)
            self._processes[root] = None
            return []
        # A pattern that starts with ! takes back what others ignore.
        patterns = answers[2::_FIELDS]
        return [
            name
            for name, pattern in zip(names, patterns, strict=True)
            if pattern and not pattern.startswith(b"!")
        ]


def _start(root: str) -> subprocess.Popen[bytes] | None:
    import subprocess

    command = ["git", "-C", root, "check-ignore", "--stdin", "-z", "--verbose", "--non-matching"]
    # A hook of git's is told of its own repository in these.
    environment = {name: value for name, value in os.environ.items() if name not in _HOOKED}
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    except OSError:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        try:
            if pipe is not None:
                pipe.close()
        except OSError:
            continue  # what was still to be written, nobody reads
    process.wait()


def _fields(stream: IO[bytes], count: int) -> list[bytes]:
    """So many texts, each with a NUL at its end; raises EOFError where there are fewer."""
    data = b""
    while data.count(b"\0") < count:
        more = os.read(stream.fileno(), 65_536)
        if not more:
            raise EOFError
        data += more
    return data.split(b"\0")[:count]
