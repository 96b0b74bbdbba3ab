"""The one thread that analyses: jobs in the order they came, of each kind only the newest."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any

from torchlint.session import Interrupted

Stop = Callable[[], bool]
_SOME = 20  # jobs after which what they left behind is collected, even where more of them wait
_MANY = 100  # the same for all that is kept, once nothing happens
_TOO_MANY = 1_000  # and whatever happens
_IDLE = 0.02  # seconds without a job before anything is collected, so that nobody waits for it
_QUIET = 1.0


class Job:
    """Something to do; `stop` tells whoever does it that nobody wants it any more."""

    def __init__(self, work: Callable[[Stop], Any]) -> None:
        self.work = work
        self.done: Future[Any] = Future()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Nobody wants it any more."""
        self._stopped.set()

    def is_stopped(self) -> bool:
        """Whether it was given up."""
        return self._stopped.is_set()


class Worker:
    """Does jobs one by one in a thread of its own.

    A job takes the place of an earlier one with the same key, which gives None instead, even where it runs
    already. What a job raises is raised where its result is asked for.
    """

    def __init__(self) -> None:
        self._jobs: dict[Hashable, Job] = {}
        self._running: tuple[Hashable, Job] | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._young = self._old = 0  # jobs since what they left behind, and since all was looked through
        self._thread = threading.Thread(target=self._run, name="torchlint", daemon=True)
        self._thread.start()

    def submit(self, key: Hashable, work: Callable[[Stop], Any]) -> Job:
        """Have some work done, in the place of what was to be done under this key."""
        job = Job(work)
        with self._changed:
            self._give_up(key)
            self._jobs[key] = job
            self._changed.notify()
        return job

    def give_up(self, key: Hashable) -> None:
        """Nobody wants what is done under this key."""
        with self._changed:
            self._give_up(key)

    def end(self) -> None:
        """Give everything up; jobs that come now are not done."""
        with self._changed:
            for key in (*self._jobs, *([self._running[0]] if self._running else ())):
                self._give_up(key)
            self._ended = True
            self._changed.notify()

    def _give_up(self, key: Hashable) -> None:
        waiting = self._jobs.pop(key, None)
        if waiting is not None:
            waiting.stop()
            if waiting.done.set_running_or_notify_cancel():
                waiting.done.set_result(None)
        if self._running is not None and self._running[0] == key:
            self._running[1].stop()

    def _run(self) -> None:
        while self._wait():
            with self._changed:
                if not self._jobs:
                    continue  # given up just now
                key = next(iter(self._jobs))
                job = self._jobs.pop(key)
                self._running = (key, job)
            # What the client takes back from here on is done all the same; what it took back before is not.
            if not job.done.set_running_or_notify_cancel():
                continue
            result: Any = None
            error: Exception | None = None
            try:
                result = job.work(job.is_stopped)
            except Interrupted:
                pass
            except Exception as raised:
                error = raised
            with self._changed:
                self._running = None
            self._young += 1
            self._old += 1
            if error is not None:
                job.done.set_exception(error)
            else:
                job.done.set_result(None if job.is_stopped() else result)

    def _wait(self) -> bool:
        """Wait for a job, and collect garbage meanwhile; False once there will be none."""
        while True:
            busy = self._young >= _SOME or self._old >= _TOO_MANY
            pause = 0 if busy else _IDLE if self._young else _QUIET if self._old >= _MANY else None
            with self._changed:
                came = self._changed.wait_for(lambda: self._jobs or self._ended, pause)
                if self._ended:
                    return False
            if came and not busy:
                return True
            # What a walk leaves behind is young; the trees that are kept need no looking through each time.
            everything = self._old >= _TOO_MANY or not self._young
            gc.collect(2 if everything else 1)
            self._young = 0
            self._old = 0 if everything else self._old
