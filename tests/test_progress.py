"""A long run shows how far it has come to a person at a terminal, and to nobody else."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from command import LOGS_A_GRAPH, command, environment, write

from torchlint.progress import Progress

FILES = [f"package/module_{number}.py" for number in range(10)]


class Terminal:
    """A terminal with a process on it; `shown` is all that it wrote there."""

    def __init__(self, arguments: tuple[str, ...], cwd: Path, columns: int = 60, **changes: str) -> None:
        self.ours, theirs = pty.openpty()
        self.resize(columns)
        variables = environment(TERM="xterm", **{"CI": "", **changes})
        self.process = subprocess.Popen(
            command(*arguments), cwd=cwd, env=variables, stdout=subprocess.PIPE, stderr=theirs
        )
        os.close(theirs)
        self.shown = ""

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self) -> bool:
        """Take what is there; False where the process has closed its end."""
        try:
            data = os.read(self.ours, 65536)
        except OSError:
            return False
        self.shown += data.decode()
        return bool(data)

    def read_until(self, text: str) -> None:
        while text not in self.shown:
            assert self.read(), self.shown

    def end(self) -> tuple[int, str]:
        """The exit status, and what was printed beside the terminal."""
        assert self.process.stdout is not None
        out = self.process.stdout.read().decode()
        while self.read():
            pass
        os.close(self.ours)
        return self.process.wait(60), out


def opened(pipe: Path, process: subprocess.Popen[bytes]) -> int:
    """The other end of a pipe, once the process waits for it."""
    while True:
        assert process.poll() is None
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.01)


def left_on_screen(shown: str) -> str:
    """What stays of one line that is drawn again and again: behind the last time that it was cleared."""
    return re.split(r"\r(?:\x1b\[\d+A)?\x1b\[J", shown)[-1]


@pytest.mark.parametrize("jobs", ["1", "2"])  # two processes take the three files at once
def test_a_long_run_shows_itself(jobs: str, tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH, b="import torch\n")
    os.mkfifo(tmp_path / "slow.py")
    options = ("check", "--jobs", jobs, "--output-format", "concise")
    terminal = Terminal(options, tmp_path)
    other_end = opened(tmp_path / "slow.py", terminal.process)
    terminal.read_until("slow.py" if jobs == "1" else "a.py")
    terminal.resize(20)
    terminal.read_until("A\x1b[J[")  # the broken line went
    os.close(other_end)
    status, out = terminal.end()
    assert status == 1
    assert out.startswith("a.py:4:7: TL201 ")
    seen = r"\[=+ *\] 2/3 \d+:\d\d left slow\.py" if jobs == "1" else r"\[ +\] 0/3 a\.py"
    assert re.search(seen, terminal.shown)
    assert left_on_screen(terminal.shown) == "", "nothing is left"


@pytest.mark.parametrize(
    ("options", "variables"),
    [(("--output-format", "json"), {}), (("--quiet",), {}), (("--silent",), {}), ((), {"CI": "true"})],
)
def test_who_is_shown_nothing(options: tuple[str, ...], variables: dict[str, str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "slow.py")
    terminal = Terminal(("check", *options), tmp_path, **variables)
    other_end = opened(tmp_path / "slow.py", terminal.process)
    time.sleep(1.5)
    os.close(other_end)
    status, _ = terminal.end()
    assert (status, terminal.shown) == (0, "")


def test_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 30.0])
    progress = Progress(FILES, sys.stderr, shown=False, clock=lambda: next(times))
    assert progress.line(80) == "[                    ] 0/10 package/module_0.py"
    for _ in range(4):
        progress.advance()
    assert progress.line(80) == "[========            ] 4/10 0:45 left package/module_4.py"
    with progress:
        pass
    assert capsys.readouterr().err == ""


def test_a_line_is_never_wider_than_the_terminal() -> None:
    for name, shown in (("模型.py", "模型.p"), ("a\nb\x1b.py", "a?b?.p"), ("e\u0301ab.pyi", "e\u0301ab.py")):
        line = Progress([name], sys.stderr, shown=False).line(len("[] 0/1 ") + 20 + 6 + 1)
        assert line.startswith("[                    ] 0/1 ")
        assert line.endswith(f" {shown}")
    assert Progress(FILES, sys.stderr, shown=False).line(1) == ""
