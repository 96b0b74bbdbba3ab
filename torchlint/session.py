"""Sources that change again and again, each checked as fast as what changed in it allows."""

from __future__ import annotations

from collections.abc import Callable

from torchlint.buffers import Buffers
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.runner import judge
from torchlint.source import Source
from torchlint.tables.effects import OwnNames

_MOST_PROJECTS = 4  # one for each set of the user's own names
_MOST_ALONE = 32  # texts without a project that are remembered


class Interrupted(BaseException):
    """A check was given up; nothing in the engine takes it for a defect of its own."""


class Session:
    """What is kept from check to check; the answers are those of a check without it.

    Of a text that changed only the definitions are read that changed, and only those walked that ask for
    something that is answered in another way now. It is for one thread at a time.
    """

    def __init__(self) -> None:
        self._projects: dict[OwnNames, Buffers] = {}
        self._alone: dict[tuple[str, OwnNames], Buffers] = {}
        self._held: dict[str, Source] = {}

    def check(
        self, source: Source, config: Config, *, stop: Callable[[], bool] = lambda: False
    ) -> list[Diagnostic]:
        """What is found in a source that no comment silences. Raises Interrupted once `stop` says so."""

        def give_up() -> None:
            if stop():
                raise Interrupted

        if config.project:
            self.hold(source)
        if "torch" not in source.text and not (
            "noqa" in source.text.lower() and config.for_file(source.filename).enables("TL003", default=False)
        ):
            return []
        project = self._project(config) if config.project else self._by_itself(source.filename, config)
        project.tracer.stop = give_up
        return list(judge(source, config, project).diagnostics)

    def hold(self, source: Source) -> None:
        """Let a text stand for what the disk has under its name."""
        self._held[source.filename] = source
        for project in self._projects.values():
            project.hold(source)

    def release(self, filename: str) -> None:
        """Let the disk speak for a file again."""
        self._held.pop(filename, None)
        for project in self._projects.values():
            project.release(filename)
        for key in [key for key in self._alone if key[0] == filename]:
            del self._alone[key]

    def forget(self) -> None:
        """Files have changed on the disk."""
        self._projects.clear()

    def _project(self, config: Config) -> Buffers:
        project = self._projects.get(config.own_names)
        if project is None:
            if len(self._projects) >= _MOST_PROJECTS:
                self._projects.pop(next(iter(self._projects)))
            project = self._projects[config.own_names] = Buffers(config.own_names)
            for source in self._held.values():
                project.hold(source)
        return project

    def _by_itself(self, filename: str, config: Config) -> Buffers:
        key = (filename, config.own_names)
        if key not in self._alone:
            if len(self._alone) >= _MOST_ALONE:
                self._alone.pop(next(iter(self._alone)))
            self._alone[key] = Buffers(config.own_names, alone=True)
        return self._alone[key]
