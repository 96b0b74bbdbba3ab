"""Sources that change again and again, each checked as fast as what changed in it allows."""

from __future__ import annotations

from collections.abc import Callable

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.engine import check
from torchlint.noqa import unsuppressed
from torchlint.project import Project
from torchlint.source import Source


class Interrupted(BaseException):
    """A check was given up; nothing in the engine takes it for a defect of its own."""


class Session:
    """What is kept from check to check; the answers are those of a check without it."""

    def __init__(self) -> None:
        self._project = Project()

    def check(
        self, source: Source, config: Config, *, stop: Callable[[], bool] = lambda: False
    ) -> list[Diagnostic]:
        """What is found in a source that no comment silences. Raises Interrupted once `stop` says so."""
        project = self._project if config.project else None
        return unsuppressed(source, check(source, config, project=project))

    def hold(self, source: Source) -> None:
        """Let a text stand for what the disk has under its name."""

    def release(self, filename: str) -> None:
        """Let the disk speak for a file again."""

    def forget(self) -> None:
        """Files have changed on the disk."""
        self._project = Project()
