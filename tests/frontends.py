"""The command and flake8 with the plugin, each in a process of its own, and what they tell of which file.

Line and column both count from 1 here, columns in code points, as both print them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

Told = tuple[int, int, str, str]


def by_command(*arguments: str, folder: Path, stdin: bytes | None = None) -> dict[str, list[Told]]:
    """What `torchlint check` tells with every rule on, by the name of the file."""
    command = [
        sys.executable,
        "-m",
        "torchlint",
        "check",
        "--select",
        "TL",
        "--output-format",
        "json",
        *arguments,
    ]
    done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True)
    assert done.returncode in (0, 1), done.stderr.decode()
    told: dict[str, list[Told]] = {}
    for item in json.loads(done.stdout):
        start = item["location"]
        told.setdefault(Path(item["filename"]).name, []).append(
            (start["row"], start["column"], item["code"], item["message"])
        )
    assert done.returncode == (1 if told else 0)
    return {name: sorted(found) for name, found in told.items()}


def by_flake8(*arguments: str, folder: Path, stdin: bytes | None = None) -> dict[str, list[Told]]:
    """The same of flake8 with the plugin, and without its other checks."""
    shown = "%(path)s\t%(row)d\t%(col)d\t%(code)s\t%(text)s"
    command = [sys.executable, "-m", "flake8", "--isolated", "--select", "TL", "--format", shown, *arguments]
    done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True)
    assert not done.stderr, done.stderr.decode()
    told: dict[str, list[Told]] = {}
    for line in done.stdout.decode().split("\n"):
        if line:
            path, row, column, code, text = line.split("\t")
            told.setdefault(Path(path).name, []).append((int(row), int(column), code, text))
    return {name: sorted(found) for name, found in told.items()}
