"""The one thread of the language server outlives what its clients take back."""

from __future__ import annotations

import gc
import threading

from torchlint.lsp.worker import Worker

PATIENCE = 10  # seconds


def test_the_worker_outlives_jobs_that_are_cancelled() -> None:
    worker = Worker()
    begun, go_on = threading.Event(), threading.Event()

    def work(_stop: object) -> int:
        begun.set()
        go_on.wait(PATIENCE)
        return 1

    running = worker.submit("first", work)
    assert begun.wait(PATIENCE)
    waiting = worker.submit("second", lambda stop: 2)
    replaced = worker.submit("third", lambda stop: 3)
    assert not running.done.cancel(), "it runs: what it gives is dropped by who asked"
    assert waiting.done.cancel()
    assert replaced.done.cancel()
    newest = worker.submit("third", lambda stop: 4)
    go_on.set()
    assert running.done.result(PATIENCE) == 1
    assert newest.done.result(PATIENCE) == 4
    assert worker.submit("fourth", lambda stop: 5).done.result(PATIENCE) == 5
    worker.end()


def test_nobody_waits_for_the_garbage() -> None:
    worker = Worker()
    known: list[bool] = []
    collected = threading.Event()
    jobs = []

    def watch(phase: str, _info: object) -> None:
        if phase == "start" and threading.current_thread().name == "torchlint" and jobs:
            known.append(all(job.done.done() for job in jobs))
            collected.set()

    gc.disable()
    gc.callbacks.append(watch)
    try:
        jobs.append(worker.submit("first", lambda stop: [object() for _ in range(10)]))
        assert collected.wait(PATIENCE)
    finally:
        gc.callbacks.remove(watch)
        gc.enable()
        worker.end()
    assert known == [True]
