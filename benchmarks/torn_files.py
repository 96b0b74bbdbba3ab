"""Kills `torchlint check --fix` at any moment and looks at the files: `python benchmarks/torn_files.py`.

Writes `--files` files (500) with something to fix in each, of several sizes, starts the command in a process
group of its own, and ends the group with SIGKILL (`--signal`) at a random moment, `--seconds` after the first
file at most; `--kills` times (50), each on fresh files. Every file has to be what it was or what it becomes:
all of it, byte by byte. Prints how many there were of each kind, how many temporary files were left behind,
and how many kills came too late.

A kill of the processes is no loss of power: what the disk keeps then rests on fsync, which is not tried here.

Exit status 0, 1 where a file is torn, or where a signal other than SIGKILL leaves a temporary file.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = """\
import torch
x = torch.ones(1, requires_grad=True)
y = (x * 2).sum()
print(y.item())
"""
FIXED = TEXT.replace("y.item()", "y.detach().item()")
PADDING = "# a line that is long enough for many of them to make more than one page\n"
SIZES = (0, 10, 100, 400)  # lines of padding


@dataclass(slots=True)
class Tally:
    """What the kills have left."""

    kills: int = 0
    late: int = 0
    untouched: int = 0
    fixed: int = 0
    torn: int = 0
    temporary: int = 0


def fill(folder: Path, files: int) -> None:
    """Files to fix."""
    for number in range(files):
        text = TEXT + PADDING * SIZES[number % len(SIZES)]
        (folder / f"m{number:04}.py").write_text(text, encoding="utf-8")


def start(folder: Path, jobs: int) -> subprocess.Popen[bytes]:
    """The command, in a group of its own."""
    words = [sys.executable, "-m", "torchlint", "check", "--fix", "--jobs", str(jobs), "."]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for_the_first(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Return once a file was fixed: before that there is nothing to tear."""
    first = folder / "m0000.py"
    while process.poll() is None and first.stat().st_size == len(TEXT):
        time.sleep(0.002)


def kill(process: subprocess.Popen[bytes], number: int) -> bool:
    """End the whole group; says whether it was still at work."""
    working = process.poll() is None
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        working = False
    process.wait()
    return working


def look(folder: Path, files: int, tally: Tally) -> None:
    """Count what there is."""
    for number in range(files):
        rest = PADDING * SIZES[number % len(SIZES)]
        text = (folder / f"m{number:04}.py").read_text(encoding="utf-8", errors="replace")
        tally.untouched += text == TEXT + rest
        tally.fixed += text == FIXED + rest
        tally.torn += text not in (TEXT + rest, FIXED + rest)
    tally.temporary += len(list(folder.iterdir())) - files


def whole_run(files: int, jobs: int) -> float:
    """How many seconds it takes from the first file to the last, if nobody kills it."""
    with tempfile.TemporaryDirectory(prefix="torn-") as whole:
        fill(Path(whole), files)
        process = start(Path(whole), jobs)
        wait_for_the_first(Path(whole), process)
        began = time.monotonic()
        process.wait()
        return time.monotonic() - began


def run(files: int, kills: int, *, jobs: int, number: int, seed: int, seconds: float) -> Tally:
    """Kill so many times, at moments spread over so many seconds from the first file that was fixed."""
    chance = random.Random(seed)
    tally = Tally()
    for _ in range(kills):
        with tempfile.TemporaryDirectory(prefix="torn-") as name:
            folder = Path(name)
            fill(folder, files)
            process = start(folder, jobs)
            wait_for_the_first(folder, process)
            time.sleep(chance.uniform(0, seconds))
            tally.kills += 1
            tally.late += not kill(process, number)
            # Processes of the group end with it; what they were writing is there by then.
            time.sleep(0.05)
            look(folder, files, tally)
    return tally


def main() -> int:
    """Kill, count and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--files", type=int, default=500, metavar="N", help="500")
    add("--kills", type=int, default=50, metavar="N", help="50")
    add("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    add("--seed", type=int, default=0, metavar="N", help="of the moments (0)")
    add("--seconds", type=float, metavar="S", help="how long after the first file at most (a whole run)")
    add("--signal", default="KILL", choices=("KILL", "INT", "TERM", "HUP"), help="KILL")
    options = parser.parse_args()
    number = getattr(signal, f"SIG{options.signal}")
    seconds = options.seconds or whole_run(options.files, options.jobs)
    tally = run(
        options.files, options.kills, jobs=options.jobs, number=number, seed=options.seed, seconds=seconds
    )
    what = f"{tally.kills} kills by SIG{options.signal} over {options.files} files"
    print(f"{what} each, {tally.late} of them too late")
    print(f"{tally.fixed} files fixed, {tally.untouched} untouched, {tally.torn} torn")
    print(f"{tally.temporary} temporary files left")
    return 1 if tally.torn or (tally.temporary and options.signal != "KILL") else 0


if __name__ == "__main__":
    sys.exit(main())
