"""Sources that change again and again, each checked as fast as what changed in it allows."""

from __future__ import annotations

from collections.abc import Callable

from torchlint.buffers import Buffers
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.engine import check
from torchlint.noqa import unsuppressed
from torchlint.source import Source

_MOST_ALONE = 32  # texts without a project that are remembered


class Interrupted(BaseException):
    """A check was given up; nothing in the engine takes it for a defect of its own."""


class Session:
    """What is kept from check to check; the answers are those of a check without it.

    Of a text that changed only the definitions are read that changed, and only those walked that ask for
    something that is answered in another way now. It is for one thread at a time.
    """

    def __init__(self) -> None:
        self._project = Buffers()
        self._alone: dict[str, Buffers] = {}
        self._held: dict[str, Source] = {}

    def check(
        self, source: Source, config: Config, *, stop: Callable[[], bool] = lambda: False
    ) -> list[Diagnostic]:
        """What is found in a source that no comment silences. Raises Interrupted once `stop` says so."""
        project = self._project if config.project else self._by_itself(source.filename)

        def give_up() -> None:
            if stop():
                raise Interrupted

        if config.project:
            self.hold(source)
        if "torch" not in source.text:
            return []
        project.tracer.stop = give_up
        return unsuppressed(source, check(source, config, project=project))

    def hold(self, source: Source) -> None:
        """Let a text stand for what the disk has under its name."""
        self._held[source.filename] = source
        self._project.hold(source)

    def release(self, filename: str) -> None:
        """Let the disk speak for a file again."""
        self._held.pop(filename, None)
        self._project.release(filename)
        self._alone.pop(filename, None)

    def forget(self) -> None:
        """Files have changed on the disk."""
        self._project = Buffers()
        for source in self._held.values():
            self._project.hold(source)

    def _by_itself(self, filename: str) -> Buffers:
        if filename not in self._alone:
            if len(self._alone) >= _MOST_ALONE:
                self._alone.pop(next(iter(self._alone)))
            self._alone[filename] = Buffers(alone=True)
        return self._alone[filename]
