"""`--watch` checks again when something changes that decides what is found."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import CURED, LOGS_A_GRAPH, command, environment, run, write

FOUND = "TL201 [*] 'y.item()' reads a tensor that still requires grad\n"


class Watching:
    """A run that watches, read as it goes; `told` is all that it printed."""

    def __init__(self, *options: str, cwd: Path) -> None:
        ours, theirs = pty.openpty()
        self.output = ours
        self.process = subprocess.Popen(
            command("check", "--watch", "--output-format", "concise", *options),
            cwd=cwd,
            stdout=theirs,
            stderr=subprocess.STDOUT,
            env=environment(TERM="xterm", NO_COLOR="1"),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(theirs)
        self.told = ""

    def until(self, text: str) -> str:
        """What it prints up to a text, which is asked for after everything that was read before."""
        while text not in self.told:
            self.told += os.read(self.output, 65536).decode().replace("\r\n", "\n")
        before, _, self.told = self.told.partition(text)
        return before

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(30)
        os.close(self.output)
        return status


def test_what_it_runs_for(tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH, b="import torch\n")
    (tmp_path / "other").mkdir()
    watching = Watching(cwd=tmp_path)
    first = watching.until(FOUND)
    assert first.startswith("\x1b[H\x1b[2J\x1b[3J[")
    assert "] Starting to watch...\n" in first
    assert "] Found 1 error. Watching for file changes.\n" in first
    # A file that changes, one that is new, a configuration that is, and one that cannot be.
    write(tmp_path, a=CURED)
    assert "\x1b[3J[" in watching.until("Found 0 errors. Watching for file changes.")
    write(tmp_path, other__c=LOGS_A_GRAPH)
    watching.until("other/c.py:4:7: " + FOUND)
    (tmp_path / "torchlint.toml").write_text('ignore = ["TL201"]\n')
    watching.until("Found 0 errors. Watching for file changes.")
    (tmp_path / "torchlint.toml").write_text("ignores = []\n")
    watching.until("error: torchlint.toml:1: unknown key 'ignores'; did you mean 'ignore'?\n")
    (tmp_path / "torchlint.toml").unlink()
    watching.until("other/c.py:4:7: " + FOUND)
    assert watching.stop() == 130


def test_with_fixes_it_does_not_run_for_its_own(tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH)
    watching = Watching("--fix", "a.py", cwd=tmp_path)
    watching.until("Found 1 error (1 fixed, 0 remaining).\n")
    time.sleep(1)  # three looks at the files
    write(tmp_path, new=CURED + "\nprint(y.item())\n")
    (tmp_path / "new.py").replace(tmp_path / "a.py")  # at once, as one change
    assert watching.until("Found 1 error (1 fixed, 0 remaining).\n").count("File change detected...") == 1
    assert watching.stop() == 130
    assert (tmp_path / "a.py").read_text() == CURED + "\nprint(y.detach().item())\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-",), "--watch is about files, not about standard input"),
        (("--show-files",), "--watch does not go with --show-files"),
        (("--add-noqa",), "--watch does not go with --add-noqa"),
    ],
)
def test_what_it_does_not_go_with(words: tuple[str, ...], why: str, tmp_path: Path) -> None:
    done = run("check", "--watch", *words, cwd=tmp_path)
    assert (done.status, done.out, done.err) == (2, "", f"error: {why}\n")
