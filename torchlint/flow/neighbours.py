"""The other files of a project, as the flow of one file sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.file import FileFlow


class Callee(NamedTuple):
    """A function or method, and the file that defines it."""

    home: FileFlow
    definition: Definition


class Found(NamedTuple):
    """A name at the module level of a file."""

    home: FileFlow
    name: str


class Neighbours(Protocol):
    """What a file may ask about the others; nothing is ever raised.

    `reading` holds the path of the file for each summary that is being made, the innermost last.
    """

    reading: list[str]

    def at(self, path: str) -> FileFlow | None:
        """The file at a path; None where it cannot be read."""
        ...

    def find(self, dotted: str) -> Found | None:
        """Where the project defines a class, function or constant of this dotted name."""
        ...

    def users(self, name: str, beside: str) -> list[FileFlow]:
        """The other files of the project that say both words; none where they are too many."""
        ...


class Alone:
    """The neighbours of a file that is read by itself."""

    def __init__(self) -> None:
        self.reading: list[str] = []

    def at(self, path: str) -> FileFlow | None:
        """There is no other file."""
        return None

    def find(self, dotted: str) -> Found | None:
        """Nothing is found."""
        return None

    def users(self, name: str, beside: str) -> list[FileFlow]:
        """Nobody is in sight."""
        return []
