"""Our hooks in a real pre-commit, as their manifest has them.

Only their environment is not built, which takes the network; `clients/pre_commit_runs.py` does that too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import CURED, LOGS_A_GRAPH, Done, environment
from fixture_files import REPOSITORY
from pre_commit.clientlib import load_manifest

MANIFEST = REPOSITORY / ".pre-commit-hooks.yaml"
CONFIG = ".pre-commit-config.yaml"


class Clone:
    """A repository whose commits go through some of our hooks."""

    def __init__(self, folder: Path, *hooks: str) -> None:
        self.folder = folder / "clone"
        self.folder.mkdir()
        self._environment = environment(
            PRE_COMMIT_HOME=str(folder / "kept"),
            HOME=str(folder),
            GIT_CONFIG_NOSYSTEM="1",
            GIT_AUTHOR_NAME="n",
            GIT_AUTHOR_EMAIL="e",
            GIT_COMMITTER_NAME="n",
            GIT_COMMITTER_EMAIL="e",
        )
        known = {hook["id"]: hook for hook in load_manifest(str(MANIFEST))}
        local = [
            {**known[name], "language": "system", "entry": f"{sys.executable} -m {known[name]['entry']}"}
            for name in hooks
        ]
        # YAML takes JSON.
        (self.folder / CONFIG).write_text(json.dumps({"repos": [{"repo": "local", "hooks": local}]}))
        self.run("git", "init", "-q", ".")
        assert self.run(sys.executable, "-m", "pre_commit", "install").status == 0

    def run(self, *command: str) -> Done:
        """Run something in it."""
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, env=self._environment, timeout=60
        )
        assert "Traceback" not in done.stdout + done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def commit(self, **texts: str) -> Done:
        """Write files, `n_ipynb` as `n.ipynb`, and commit all there is."""
        for name, text in texts.items():
            stem, _, suffix = name.rpartition("_")
            (self.folder / f"{stem}.{suffix}").write_text(text)
        self.run("git", "add", "-A")
        return self.run("git", "commit", "-m", "more")


def notebook(source: str) -> str:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_the_manifest_is_valid() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", str(MANIFEST)]
    assert subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.limit(120)
def test_a_finding_stops_the_commit(tmp_path: Path) -> None:
    clone = Clone(tmp_path, "torchlint")
    clean = clone.commit(notes_txt="import torch")
    assert clean.status == 0
    assert "(no files to check)Skipped" in clean.err
    stopped = clone.commit(a_py=LOGS_A_GRAPH, n_ipynb=notebook(LOGS_A_GRAPH))
    assert stopped.status == 1
    assert "a.py:4:7" in stopped.err
    assert "n.ipynb:cell 1:4:7" in stopped.err
    assert "Found 2 errors." in stopped.err
    # Taken as they are staged, and nothing else of the clone.
    passed = clone.commit(a_py=CURED, n_ipynb=notebook(CURED))
    assert passed.status == 0, passed.err
    (clone.folder / "untracked.py").write_text(LOGS_A_GRAPH)
    assert clone.run("git", "commit", "--allow-empty", "-m", "nothing").status == 0


@pytest.mark.limit(120)
def test_the_fixing_hook_fixes_what_is_committed(tmp_path: Path) -> None:
    clone = Clone(tmp_path, "torchlint-fix", "torchlint")
    stopped = clone.commit(a_py=LOGS_A_GRAPH, n_ipynb=notebook(LOGS_A_GRAPH))
    assert stopped.status == 1
    assert "files were modified by this hook" in stopped.err
    assert "torchlint................................................................Passed" in stopped.err
    assert (clone.folder / "a.py").read_text() == CURED
    assert json.loads((clone.folder / "n.ipynb").read_text())["cells"][0]["source"] == CURED
    assert clone.commit().status == 0


@pytest.mark.limit(120)
def test_all_files_come_to_one_process(tmp_path: Path) -> None:
    """pre-commit would share so many among several, and none would see the whole project."""
    clone = Clone(tmp_path, "torchlint")
    (clone.folder / "build").mkdir()
    (clone.folder / "build" / "b.py").write_text(LOGS_A_GRAPH)  # excluded, and so not read
    stopped = clone.commit(**{f"m{number}_py": LOGS_A_GRAPH for number in range(40)})
    assert stopped.status == 1
    assert stopped.err.count("Found ") == stopped.err.count("Found 40 errors.") == 1
