"""What is open, what is known of it, and when it is analysed: the server without the protocol."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from torchlint.config import Config
from torchlint.errors import ConfigError
from torchlint.lsp.subjects import Analysis, Subject
from torchlint.lsp.worker import Job, Stop, Worker
from torchlint.session import Session

if TYPE_CHECKING:
    from torchlint.source import Source

_PAUSE = 0.05  # seconds without a keystroke before what was typed is analysed
_LONG_PAUSE = 0.5  # before what else is open is, which may depend on it

Settings = Callable[[Subject], Config | None]
"""The configuration of a subject; None where nothing is to be said of it."""


class Desk:
    """All subjects, and the worker that analyses them. All but the jobs of the worker runs in the loop.

    `publish` is told of each analysis of a subject that is pushed, `complain` of what ends one.
    """

    def __init__(
        self,
        settings: Settings,
        publish: Callable[[Subject, Analysis], None],
        complain: Callable[[str], None],
        pushes: Callable[[Subject], bool],
    ) -> None:
        self.subjects: dict[str, Subject] = {}
        self.worker = Worker()
        self.generation = 0  # counts the states of settings and disk
        self._settings = settings
        self._publish = publish
        self._complain = complain
        self._pushes = pushes
        self._session = Session()
        self._numbers = itertools.count(1)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._changes = 0  # counts the states of all that is open, on which any answer may depend
        self._pending: dict[str, tuple[tuple[int, int, int], asyncio.Future[Analysis | None]]] = {}
        self._held: dict[str, tuple[str, int]] = {}  # the revision that the session has of a subject

    def open(self, subject: Subject) -> None:
        """A subject is there; it takes the place of one with the same uri."""
        if subject.uri in self.subjects:
            self.close(subject.uri)
        self.subjects[subject.uri] = subject
        self.changed(subject, pause=0)

    def changed(self, subject: Subject, *, pause: float = _PAUSE) -> None:
        """The text of a subject is another now: what is found in the old one is of no use any more."""
        subject.revision += 1
        self._changes += 1
        self.worker.give_up(subject.uri)
        self._later(subject, pause)
        for other in self.subjects.values():
            if other is not subject and other.known is not None:
                self._later(other, _LONG_PAUSE)

    def close(self, uri: str) -> Subject | None:
        """A subject is gone; what is found in it is told to nobody."""
        subject = self.subjects.pop(uri, None)
        if subject is None:
            return None
        subject.revision += 1
        self._changes += 1
        self._cancel_timer(uri)
        self.worker.give_up(uri)
        self._pending.pop(uri, None)
        name = self._held.pop(uri, ("", 0))[0]
        if name:
            self.worker.submit(("release", uri), lambda stop: self._session.release(name))
        return subject

    def start_anew(self, *, disk: bool) -> None:
        """Settings have changed, or files on the disk: all that is open is analysed again."""
        self.generation += 1
        if disk:
            self.worker.submit("forget", lambda stop: self._session.forget())
        for subject in self.subjects.values():
            self.worker.give_up(subject.uri)
            self._later(subject, 0)

    def end(self) -> None:
        """Nothing is to be done any more."""
        for uri in list(self._timers):
            self._cancel_timer(uri)
        self.worker.end()

    async def analysed(self, subject: Subject) -> Analysis | None:
        """What is found in the text as it is now, waiting for it; None where it is closed meanwhile.

        Of a text that cannot be read it is what was known before.
        """
        while self.subjects.get(subject.uri) is subject:
            state = (subject.revision, self.generation)
            analysis = await asyncio.shield(self._asked(subject))
            if analysis is not None and state == (subject.revision, self.generation):
                return subject.known
        return None

    async def do(self, subject: Subject, kind: str, work: Callable[[Session, Config, Stop], Any]) -> Any:
        """Something else that needs the session; None where it is given up or nothing is to be said."""
        config = self._settings(subject)
        if config is None:
            return None
        job = self.worker.submit((kind, subject.uri), lambda stop: work(self._session, config, stop))
        return await asyncio.wrap_future(job.done)

    def _later(self, subject: Subject, pause: float) -> None:
        if not self._pushes(subject):
            return
        self._cancel_timer(subject.uri)
        loop = asyncio.get_running_loop()
        self._timers[subject.uri] = loop.call_later(pause, self._push, subject)

    def _cancel_timer(self, uri: str) -> None:
        timer = self._timers.pop(uri, None)
        if timer is not None:
            timer.cancel()

    def _push(self, subject: Subject) -> None:
        self._timers.pop(subject.uri, None)
        if self.subjects.get(subject.uri) is subject:
            self._asked(subject)

    def _asked(self, subject: Subject) -> asyncio.Future[Analysis | None]:
        """The analysis of the text as it is now, begun where it is not yet."""
        state = (subject.revision, self.generation)
        pending = self._pending.get(subject.uri)
        if pending is not None and pending[0] == (*state, self._changes) and not pending[1].cancelled():
            return pending[1]
        answer = asyncio.get_running_loop().create_future()
        self._pending[subject.uri] = ((*state, self._changes), answer)
        config = self._settings(subject)
        text = subject.read()
        if config is None:
            self._answer(subject, state, answer, Analysis(next(self._numbers), *state, text, ()))
            return answer
        self._hold_others(subject)

        def work(stop: Stop) -> Analysis:
            try:
                found = self._session.check(text.source, config, stop=stop)
            except ConfigError as error:
                # The baseline has been broken since it was read; until it is mended, everything is told.
                loop.call_soon_threadsafe(self._complain, str(error))
                found = self._session.check(text.source, replace(config, baseline=None), stop=stop)
            return Analysis(next(self._numbers), *state, text, text.told(found))

        def work_or_say_why(stop: Stop) -> Analysis:
            try:
                return work(stop)
            except Exception as error:
                from torchlint.engine import internal

                # Somebody waits for an answer, and asks again as long as there is none.
                found = text.told([internal(text.source.filename, error)])
                return Analysis(next(self._numbers), *state, text, found)

        loop = asyncio.get_running_loop()
        job = self.worker.submit(subject.uri, work_or_say_why)
        self._hand_over(job, lambda analysis: self._answer(subject, state, answer, analysis))
        return answer

    def _hand_over(self, job: Job, take: Callable[[Any], None]) -> None:
        loop = asyncio.get_running_loop()

        def done(_: object) -> None:
            # A loop that has ended meanwhile needs no answer.
            if not loop.is_closed():
                error = job.done.exception()
                loop.call_soon_threadsafe(take, None if error is not None else job.done.result())

        job.done.add_done_callback(done)

    def _answer(
        self,
        subject: Subject,
        state: tuple[int, int],
        answer: asyncio.Future[Analysis | None],
        analysis: Analysis | None,
    ) -> None:
        is_open = self.subjects.get(subject.uri) is subject
        if analysis is None and self._pending.get(subject.uri, (0, None))[1] is answer:
            del self._pending[subject.uri]  # given up; whoever wants it asks again
        if analysis is not None and is_open and state == (subject.revision, self.generation):
            subject.take(analysis)
            if subject.known is analysis and self._pushes(subject):
                self._publish(subject, analysis)
        if not answer.done():
            answer.set_result(analysis)

    def _hold_others(self, subject: Subject) -> None:
        """Let the session have the texts of the other open files that it does not have yet."""
        for one in self.subjects.values():
            known = (one.filename, one.revision)
            if (
                one.is_file
                and not one.is_notebook
                and one is not subject
                and self._held.get(one.uri) != known
            ):
                self._held[one.uri] = known
                hold = partial(self._hold, one.read().source)
                self.worker.submit(("hold", one.uri), hold)

    def _hold(self, source: Source, stop: Stop) -> None:
        self._session.hold(source)
