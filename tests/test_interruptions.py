"""A reader that goes away and a Ctrl-C end the command quietly."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import LOGS_A_GRAPH, command, environment, write


def many(folder: Path, count: int, size: int = 200) -> None:
    for number in range(count):
        write(folder, **{f"m{number:04}": LOGS_A_GRAPH + "print(y.item())\n" * size})


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    many(tmp_path, 4)
    with subprocess.Popen(
        command("check"), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


def heed_interrupts() -> None:
    # A shell's background job, such as a CI run may be, is born with the signal ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env=environment(),
        start_new_session=True,
        preexec_fn=heed_interrupts,
        **pipes,
    )


def once_it_is_read(pipe: Path, process: subprocess.Popen[bytes]) -> int:
    while process.poll() is None:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.01)
    pytest.fail("it was done before it could be interrupted")


def test_ctrl_c_while_it_waits_for_input(tmp_path: Path) -> None:
    process = start("check", "-", cwd=tmp_path)
    assert process.stdin is not None
    process.stdin.write(b"#" * 1_000_000)  # more than a pipe holds: once it is written, it is being read
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")


@pytest.mark.parametrize("whole_group", [True, False])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_while_it_works(jobs: str, whole_group: bool, tmp_path: Path) -> None:
    """What is done is reported and, where it was fixed, written; the last line says how far it came."""
    many(tmp_path, 60, size=20)
    os.mkfifo(tmp_path / "m0010.py.py")  # whoever reads it waits for the other end
    process = start("check", "--fix", "--output-format", "json", "--jobs", jobs, cwd=tmp_path)
    other_end = once_it_is_read(tmp_path / "m0010.py.py", process)
    os.kill(-process.pid if whole_group else process.pid, signal.SIGINT)
    os.close(other_end)
    out, err = process.communicate(timeout=60)
    said = re.fullmatch(r"interrupted: (\d+) of 61 files checked\n", err.decode())
    assert process.returncode == 130
    assert said is not None, err
    fixed = [
        path.name for path in sorted(tmp_path.iterdir()) if path.is_file() and "detach" in path.read_text()
    ]
    assert json.loads(out) == [], "all that was found is fixed"
    # Alone, a process is done with all before the pipe. Of two, one has done the pipe's group of four and
    # another; what lies between may be in the hands of the other.
    assert (11 if jobs == "1" else 8) <= int(said[1]) < 61
    assert len(fixed) in range(int(said[1]) - 1, int(said[1]) + 2)
    assert {path.name[:1] for path in tmp_path.iterdir()} == {"m"}, "no temporary file is left"
