"""A script of the user's, run in a process of its own for each watched run.

`python -m torchlint.prove.scripts REQUEST ANSWER` is that process: it reads what to run from one JSON file
and writes the record to another.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from torchlint.errors import ProveError
from torchlint.prove.observations import plain_site, site_from
from torchlint.prove.proof import Watch
from torchlint.prove.records import Record, record_from
from torchlint.source import Source

_NOT_OURS = {"site-packages", "dist-packages", "node_modules", ".venv", "venv", ".tox", ".nox"}


def owned_by(script: Path) -> Callable[[str], bool]:
    """Says which files belong to a script: those in its folder and below, installed packages excepted."""
    folder = script.parent

    def owns(filename: str) -> bool:
        # What was made at run time has a name such as `<string>`, which is no path.
        if not os.path.isabs(filename):
            return False
        try:
            below = Path(filename).relative_to(folder)
        except ValueError:
            return False
        return not _NOT_OURS.intersection(below.parts)

    return owns


def runner(script: Path, arguments: Sequence[str]) -> Callable[[Watch], Record]:
    """Runs the script, its path absolute, with these arguments, as often as it is called.

    Raises `ProveError` where the process ends before it has told what was seen.
    """

    def run(watch: Watch) -> Record:
        with tempfile.TemporaryDirectory(prefix="torchlint-") as folder:
            request, answer = Path(folder, "request.json"), Path(folder, "answer.json")
            request.write_text(json.dumps(_request(script, arguments, watch)), encoding="utf-8")
            silent = subprocess.DEVNULL if watch.quiet else None
            command = [sys.executable, "-m", __name__, str(request), str(answer)]
            # Ctrl-C is the script's: it ends, tells what was seen, and we go on.
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                status = subprocess.run(command, stdout=silent, stderr=silent).returncode
            finally:
                signal.signal(signal.SIGINT, before)
            try:
                return record_from(json.loads(answer.read_text(encoding="utf-8")))
            except (OSError, ValueError) as error:
                raise ProveError(
                    f"the process of {script.name} ended with status {status} before it told what was seen"
                ) from error

    return run


def _request(script: Path, arguments: Sequence[str], watch: Watch) -> dict[str, object]:
    return {
        "script": str(script),
        "arguments": list(arguments),
        "as_inference": [plain_site(site) for site in sorted(watch.as_inference)],
        "repair": watch.repair,
        "saves": watch.saves,
        "lines": watch.lines,
    }


def _main(request: str, answer: str) -> None:
    from torchlint.prove.programs import execute
    from torchlint.prove.recording import record

    signal.signal(signal.SIGINT, signal.default_int_handler)
    asked = json.loads(Path(request).read_text(encoding="utf-8"))
    script, arguments = Path(asked["script"]), asked["arguments"]
    sys.path[0] = str(script.parent)
    watch = Watch(
        frozenset(map(site_from, asked["as_inference"])),
        repair=asked["repair"],
        saves=asked["saves"],
        lines=asked["lines"],
        quiet=False,
    )
    text = Source.from_bytes(script.read_bytes(), str(script)).text
    seen = record(lambda: execute(text, str(script), argv=arguments, quiet=False), owned_by(script), watch)
    Path(answer).write_text(json.dumps(seen.as_json()), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
