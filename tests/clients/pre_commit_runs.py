"""pre-commit as users have it: the hooks built from this repository, in clones of their own.

    python tests/clients/pre_commit_runs.py

Prints what was seen and the seconds it took; exit 1 where something is not as it ought to be. Takes the last
commit of this repository. Needs pre-commit, git and the registry of PyPI, and `unshare` for the run without
network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from command import CURED, LOGS_A_GRAPH  # noqa: E402

PRE_COMMIT = (sys.executable, "-m", "pre_commit")
CONFIG = """\
repos:
  - repo: {hooks}
    rev: v0
    hooks:
      - id: torchlint-fix
      - id: torchlint
"""
CHANGED = 5
MANY = 300


class Runs:
    """The clones, and what went wrong."""

    def __init__(self, folder: Path) -> None:
        self.failed = 0
        self.hooks, self.clone = folder / "hooks", folder / "clone"
        identity = {f"GIT_{who}_{what}": "n" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self._environment = {**os.environ, **identity, "PRE_COMMIT_HOME": str(folder / "kept")}
        self._environment.pop("PYTHONPATH", None)
        self.clone.mkdir()
        self.run("git", "clone", "-q", str(ROOT), str(self.hooks))
        self.run("git", "-C", str(self.hooks), "tag", "v0")
        self.run("git", "init", "-q", ".")
        (self.clone / ".pre-commit-config.yaml").write_text(CONFIG.format(hooks=self.hooks))

    def run(self, *command: str) -> tuple[int, str, float]:
        """Status, output and seconds of a command in the clone."""
        start = time.perf_counter()
        done = subprocess.run(
            command, cwd=self.clone, env=self._environment, capture_output=True, text=True, errors="replace"
        )
        return done.returncode, done.stdout + done.stderr, time.perf_counter() - start

    def stage(self, text: str, count: int) -> None:
        """Write files and stage them."""
        for number in range(count):
            (self.clone / f"m{number}.py").write_text(text)
        self.run("git", "add", "-A")

    def see(self, what: str, command: tuple[str, ...], status: int, *said: str) -> None:
        """Run it and tell how it went: by its status, and by what it says."""
        got, output, seconds = self.run(*command)
        right = got == status and all(word in output for word in said)
        self.failed += not right
        print(f"{'ok' if right else 'NOT OK':6}  {seconds:6.2f} s  {what}: exit {got}", flush=True)
        if not right:
            print(output[-2000:])


def main() -> int:
    """The exit status."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(Path(folder))
        print(runs.run(*PRE_COMMIT, "--version")[1].strip(), "on Python", sys.version.split()[0])
        run = (*PRE_COMMIT, "run")
        runs.stage(LOGS_A_GRAPH, CHANGED)
        try_repo = (*PRE_COMMIT, "try-repo", str(runs.hooks), "torchlint", "--verbose")
        found = f"Found {CHANGED} errors."
        runs.see("try-repo, 5 staged files, builds its environment", try_repo, 1, "TL201", found)
        checks = (*run, "torchlint")
        runs.see("configured, 5 staged files, cold: builds its environment", checks, 1, "TL201", found)
        for _ in range(3):
            runs.see("the same, warm", checks, 1, found)
        if shutil.which("unshare"):
            runs.see("the same, without network", ("unshare", "-rn", *checks), 1, found)
        runs.run(*PRE_COMMIT, "install")
        commit = ("git", "commit", "-qm", "m")
        runs.see("git commit, both hooks: stopped, and fixed", commit, 1, "files were modified by this hook")
        runs.see("git commit, what is fixed not staged: stopped", commit, 1)
        right = (runs.clone / "m0.py").read_text() == CURED
        runs.failed += not right
        print(f"{'ok' if right else 'NOT OK':6}            the files are as the fix leaves them")
        runs.run("git", "add", "-A")
        runs.see("git commit, fixed and staged", commit, 0)
        (runs.clone / "notes.txt").write_text("torch\n")
        runs.run("git", "add", "-A")
        runs.see("git commit, no Python staged", commit, 0, "(no files to check)Skipped")
        runs.stage(LOGS_A_GRAPH + "\n", MANY)
        runs.see("300 staged files, one process", checks, 1, f"Found {MANY} errors.")
    return 1 if runs.failed else 0


if __name__ == "__main__":
    sys.exit(main())
