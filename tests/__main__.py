"""Everything that has to hold before a change is done: `python -m tests`.

All parts run even where one fails; words after the command go to pytest.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

PARTS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy", "--strict", "torchlint", "scripts"],
    "tests": ["pytest", "-q", "-n", "auto", *sys.argv[1:]],
}


def main() -> int:
    failed = []
    for name, (module, *arguments) in PARTS.items():
        print(f"== {name}: {module} {' '.join(arguments)}", flush=True)
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=Path(__file__).resolve().parent.parent
        )
        print(f"== {name}: exit {done.returncode} after {time.monotonic() - start:.1f} s", flush=True)
        if done.returncode:
            failed.append(name)
    print("failed: " + ", ".join(failed) if failed else "everything holds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
