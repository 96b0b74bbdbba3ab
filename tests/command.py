"""Runs the command as a user does: another process, a folder of its own, no colours in the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LOGS_A_GRAPH = """\
import torch
x = torch.ones(1, requires_grad=True)
y = (x * 2).sum()
print(y.item())
"""
"""One TL201 at line 4, column 7 (from 1), with a safe fix."""

CURED = LOGS_A_GRAPH.replace("y.item()", "y.detach().item()")
BROKEN = "import torch\nprint(y.item()\n"


@dataclass(frozen=True)
class Done:
    """What a run gave."""

    status: int
    out: str
    err: str


def environment(**changes: str) -> dict[str, str]:
    """The environment without what changes colours or encodings, and with some changes."""
    unwanted = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TERM", "PYTHONIOENCODING", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PYTHONUTF8": "1", **changes}


def command(*arguments: str) -> list[str]:
    """The words that start torchlint with this Python."""
    return [sys.executable, "-m", "torchlint", *arguments]


def run(*arguments: str, cwd: Path, stdin: str | bytes = b"", **changes: str) -> Done:
    """Run `torchlint` with these arguments; a traceback is a failure whatever the test asks."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        command(*arguments), cwd=cwd, input=data, capture_output=True, env=environment(**changes), timeout=120
    )
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    assert "Traceback" not in err, err
    return Done(done.returncode, out, err)


def write(folder: Path, **files: str) -> Path:
    """Put Python files into a folder, `a__b` as `a/b.py`."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
