"""Fixes as a user asks for them: as a diff, alone, listed; and what becomes of the files."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import BROKEN, CURED, LOGS_A_GRAPH, command, environment, run, write

from torchlint import runner, saving
from torchlint.config import Config
from torchlint.diffs import unified
from torchlint.runner import Checked, check_file

HIDDEN = """\
import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
with torch.inference_mode():
    print(net(torch.ones(1, 2)).shape)
"""
"""One TL101, with an unsafe fix alone."""

DIFF = """\
--- a/a.py
+++ b/a.py
@@ -1,4 +1,4 @@
 import torch
 x = torch.ones(1, requires_grad=True)
 y = (x * 2).sum()
-print(y.item())
+print(y.detach().item())
"""
TIMES = "\N{MULTIPLICATION SIGN}"
TEMPORARY = ".torchlint-*"


class TestDiff:
    def test_what_it_shows_is_what_fix_makes(self, tmp_path: Path) -> None:
        """git applies it: other encodings and line ends, odd names, a last line without an end."""
        here, there = tmp_path / "here", tmp_path / "there"
        crlf = LOGS_A_GRAPH.replace("\n", "\r\n").encode()
        latin = f"# coding: latin-1\n{LOGS_A_GRAPH}print('\xe9')\n".encode("latin-1")
        texts = {"a.py": crlf, "b c.py": crlf[:-2], "d/e.py": b"\xef\xbb\xbf" + crlf, "l.py": latin}
        for folder in (here, there):
            write(folder, g=BROKEN, h=HIDDEN, i="import torch\n")
            for name, data in (texts | {'j"\t.py': LOGS_A_GRAPH.encode()}).items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(data)
        shown = subprocess.run(command("check", "--diff"), cwd=here, capture_output=True, env=environment())
        assert shown.returncode == 1
        assert shown.stderr.decode().splitlines() == [
            "warning: g.py:2: cannot parse this file: '(' was never closed",
            "Would fix 5 errors (1 additional fix available with `--unsafe-fixes`).",
        ]
        assert {path.name: path.read_bytes() for path in here.glob("?.py")} == {
            path.name: path.read_bytes() for path in there.glob("?.py")
        }
        subprocess.run(["git", "apply", "-"], cwd=here, input=shown.stdout, check=True)
        assert run("check", "--fix", cwd=there).status == 1
        assert contents(here) == contents(there)

    def test_nothing_to_change(self, tmp_path: Path) -> None:
        write(tmp_path, a=CURED, h=HIDDEN)
        done = run("check", "--diff", "a.py", cwd=tmp_path)
        assert (done.status, done.out, done.err) == (0, "", "")
        done = run("check", "--diff", cwd=tmp_path)
        hidden = "No errors would be fixed (1 fix available with `--unsafe-fixes`).\n"
        assert (done.status, done.out, done.err) == (0, "", hidden)
        assert "+net.eval()\n" in run("check", "--diff", "--unsafe-fixes", cwd=tmp_path).out

    def test_standard_input(self, tmp_path: Path) -> None:
        done = run("check", "--diff", "--stdin-filename", "a.py", "-", cwd=tmp_path, stdin=LOGS_A_GRAPH)
        assert (done.status, done.out, done.err) == (1, DIFF, "Would fix 1 error.\n")
        done = run("check", "--diff", "-", cwd=tmp_path, stdin=LOGS_A_GRAPH)
        assert (done.status, done.out) == (1, DIFF[DIFF.index("@@") :])

    def test_colours(self, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH)
        lines = run("check", "--diff", "--color", "always", cwd=tmp_path).out.splitlines()
        assert lines[0] == "\x1b[1m--- a/a.py\x1b[0m"
        assert lines[-2:] == ["\x1b[31m-print(y.item())\x1b[0m", "\x1b[32m+print(y.detach().item())\x1b[0m"]

    def test_names(self) -> None:
        def heads(name: str) -> list[bytes]:
            return unified(name, b"a\n", b"b\n").split(b"\n")[:2]

        assert heads("a/b.py") == [b"--- a/a/b.py", b"+++ b/a/b.py"]
        assert heads("/tmp/b.py") == [b"--- a/tmp/b.py", b"+++ b/tmp/b.py"]
        assert heads("a b.py") == [b"--- a/a b.py\t", b"+++ b/a b.py\t"]
        assert heads('"\n.py') == [b'--- "a/\\"\\012.py"', b'+++ "b/\\"\\012.py"']


class TestFixOnly:
    def test_what_is_left_is_not_reported(self, tmp_path: Path) -> None:
        write(tmp_path, a=LOGS_A_GRAPH, h=HIDDEN)
        done = run("check", "--fix-only", cwd=tmp_path)
        more = "Fixed 1 error (1 additional fix available with `--unsafe-fixes`).\n"
        assert (done.status, done.out, done.err) == (0, more, "")
        assert (tmp_path / "a.py").read_text() == CURED
        done = run("check", "--fix-only", "--exit-non-zero-on-fix", cwd=tmp_path)
        assert (done.status, done.out) == (0, "No errors fixed (1 fix available with `--unsafe-fixes`).\n")

    def test_standard_input(self, tmp_path: Path) -> None:
        arguments = ("check", "--fix-only", "--show-fixes", "--exit-non-zero-on-fix", "-")
        done = run(*arguments, cwd=tmp_path, stdin=LOGS_A_GRAPH)
        assert (done.status, done.out) == (1, CURED)
        listed = f"\nFixed 1 error:\n- -:\n    1 {TIMES} TL201 (item-without-detach)\n\n"
        assert done.err == f"{listed}Fixed 1 error.\n"


def test_fixes_are_listed_by_file_and_rule(tmp_path: Path) -> None:
    kept = "import torch\nw = torch.ones(1, requires_grad=True)\ntotal = 0\n"
    kept += (
        "for _ in range(9):\n    y = (w * 2).sum()\n    y.backward()\n    total += y\n    print(y.item())\n"
    )
    write(tmp_path, a=LOGS_A_GRAPH + "print(y.item())\n" * 9, b=kept)
    done = run("check", "--fix", "--show-fixes", "--exit-non-zero-on-fix", cwd=tmp_path)
    assert done.status == 1
    assert done.out == (
        "\nFixed 12 errors:\n"
        f"- a.py:\n    10 {TIMES} TL201 (item-without-detach)\n"
        f"- b.py:\n    1 {TIMES} TL201 (item-without-detach)\n    1 {TIMES} TL202 (graph-kept)\n\n"
        "Found 12 errors (12 fixed, 0 remaining).\n"
    )
    done = run("check", "--fix", "--show-fixes", "--exit-non-zero-on-fix", cwd=tmp_path)
    assert (done.status, done.out) == (0, "All checks passed!\n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.py"
    path.write_text(LOGS_A_GRAPH)
    return path


def fixed(path: Path) -> Checked:
    """The file fixed in this process; no temporary file may stay."""
    checked = check_file(str(path), Config(), fix=True)
    assert not list(path.parent.glob(TEMPORARY))
    return checked


def left_alone(checked: Checked, why: str) -> bool:
    """Whether the warning says why nothing was written, and the findings are those that are there."""
    assert checked.warning == f"{checked.filename} could not be written, so its fixes are not made: {why}"
    return (checked.fixed, [one.code for one in checked.diagnostics]) == (0, ["TL201"])


@pytest.fixture
def when_it_is_checked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has something happen to the file after it was read."""

    def arrange(happen: Callable[[], object]) -> None:
        check = runner.check_bytes
        events = [happen]

        def meanwhile(data: bytes, filename: str, config: Config, *, fix: bool) -> tuple[Checked, bytes]:
            if events:
                events.pop()()
            return check(data, filename, config, fix=fix)

        monkeypatch.setattr(runner, "check_bytes", meanwhile)

    return arrange


class TestFiles:
    def test_one_that_was_saved_in_between(
        self, file: Path, when_it_is_checked: Callable[[Callable[[], object]], None]
    ) -> None:
        newer = LOGS_A_GRAPH + "# saved by an editor\n"
        when_it_is_checked(lambda: file.write_text(newer))
        assert left_alone(fixed(file), "it has changed since it was read")
        assert file.read_text() == newer

    def test_one_that_has_gone_in_between(
        self, file: Path, when_it_is_checked: Callable[[Callable[[], object]], None]
    ) -> None:
        when_it_is_checked(file.unlink)
        assert left_alone(fixed(file), "no such file or directory")
        assert not file.exists()

    def test_one_that_may_not_be_written(self, file: Path) -> None:
        """The folder's rights would let it be replaced, but its own say no."""
        file.chmod(0o444)
        file.parent.chmod(0o777)
        for folder in file.parent.parents[:3] if os.geteuid() == 0 else ():
            folder.chmod(folder.stat().st_mode | 0o055)
        with as_nobody():
            checked = fixed(file)
        assert left_alone(checked, "permission denied")
        assert file.read_text() == LOGS_A_GRAPH

    def test_one_in_a_folder_that_may_not_be_written(self, file: Path) -> None:
        if os.geteuid() == 0:
            os.chown(file, 65534, 65534)
        file.parent.chmod(0o555)
        try:
            with as_nobody():
                checked = fixed(file)
        finally:
            file.parent.chmod(0o755)
        assert left_alone(checked, "permission denied")

    def test_mode_owner_and_attributes_stay(self, file: Path) -> None:
        file.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(file, 1234, 4321)
        marked = mark(file)
        before = file.stat()
        assert fixed(file).fixed == 1
        after = file.stat()
        assert file.read_text() == CURED
        assert stat.S_IMODE(after.st_mode) == 0o640
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
        assert not marked or os.getxattr(file, "user.torchlint") == b"kept"

    def test_a_link_to_a_link(self, file: Path) -> None:
        (file.parent / "sub").mkdir()
        first, second = file.parent / "sub" / "b.py", file.parent / "c.py"
        first.symlink_to("../a.py")
        second.symlink_to("sub/b.py")
        assert fixed(second).fixed == 1
        assert (file.read_text(), first.is_symlink(), second.is_symlink()) == (CURED, True, True)

    def test_a_disk_that_is_full(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(handle: int) -> None:
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(saving.os, "fsync", full)
        assert left_alone(fixed(file), "no space left on device")
        assert file.read_text() == LOGS_A_GRAPH

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_while_it_is_written_waits(
        self, number: signal.Signals, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the temporary file there the whole file is written first, and then the signal counts."""
        sync = os.fsync

        def interrupted(handle: int) -> None:
            signal.raise_signal(number)
            sync(handle)

        def heed(number: int, frame: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(number, heed)
        monkeypatch.setattr(saving.os, "fsync", interrupted)
        try:
            with pytest.raises(KeyboardInterrupt):
                check_file(str(file), Config(), fix=True)
        finally:
            signal.signal(number, before)
        assert file.read_text() == CURED
        assert not list(file.parent.glob(TEMPORARY))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mark(path: Path) -> bool:
    """Give a file an attribute; says whether the disk takes one."""
    try:
        os.setxattr(path, "user.torchlint", b"kept")
    except (OSError, AttributeError):
        return False
    return True


@contextmanager
def as_nobody() -> Iterator[None]:
    """What root does here, somebody without rights does instead."""
    root = os.geteuid() == 0
    if root:
        os.setegid(65534)
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
            os.setegid(0)
