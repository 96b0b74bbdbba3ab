"""Deletes rows of the tables one at a time, in a copy of the project, and counts those that no test misses.

    python scripts/delete_rows.py [--table ops|modules|effects|by_hand] [--rows N] [--seed N] [--all]

A deletion is noticed when a test fails that passes with the whole table. The tests are collected with the
whole table and run without the row, so that a file that reads the table on import does not answer for its
tests; those that name the row come first, then all that are about its table. Exit code: 0, 1 when a
deletion goes unnoticed, 2 on wrong use.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import multiprocessing
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    import pytest

PROJECT = Path(__file__).resolve().parent.parent
TABLES = Path("torchlint", "tables")


@dataclass(frozen=True, slots=True)
class Tests:
    """Where to look for the tests of a table."""

    keys: int
    """How many of the first cells name a row."""
    files: tuple[str, ...]
    not_asked: tuple[str, ...] = ()
    """Tests that compare lists of names, and so miss any row, whatever it says; or that measure time."""
    read_on_import: bool = False
    """Whether these files read the table on import: then a row is deleted before they are collected."""


TIMED = "test_loading_both_tables_takes_under_five_milliseconds"
TESTS = {
    "ops": Tests(
        2,
        (
            "tests/runtime/test_tables_run.py",
            "tests/runtime/test_overlap_run.py",
            "tests/runtime/test_signatures_run.py",
            "tests/test_tables.py",
            "tests/test_fixtures.py",
        ),
        (TIMED,),
    ),
    "modules": Tests(
        1,
        (
            "tests/runtime/test_layers_run.py",
            "tests/runtime/test_signatures_run.py",
            "tests/test_tables.py",
            "tests/test_fixtures.py",
        ),
        ("test_every_layer_has_a_line", "test_every_class_of_torch_nn_has_a_row", TIMED),
    ),
    "effects": Tests(
        2,
        ("tests/runtime/test_effects_run.py", "tests/test_fixtures.py"),
        ("test_every_row_has_a_program_and_every_kind_a_near_miss",),
    ),
    "by_hand": Tests(
        4,
        ("tests/runtime/test_measuring_run.py", "tests/runtime/test_measuring_layers_run.py"),
        read_on_import=True,
    ),
}
COPIED = ("torchlint", "tests", "scripts", "rules", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")
IMPORTED = ("torch", "torch._dynamo", "numpy", "libcst", "libcst.metadata", "hypothesis", "pytest")
"""What takes long to import and reads no table: imported once, before the processes fork."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table file."""

    table: str
    line: str

    @property
    def name(self) -> str:
        """The cells that name it."""
        return " ".join(self.line.split("\t")[: TESTS[self.table].keys])

    @property
    def words(self) -> tuple[str, ...]:
        """The names by which a test would call it: its own, its last part, its aliases."""
        cells = self.line.split("\t")
        whole = self.name if cells[0][0] == "?" else cells[1 if self.table == "by_hand" else 0]
        aliases = cells[2].split(",") if self.table == "ops" else []
        return tuple({whole, whole.rpartition(".")[2], *aliases} - {"", "-", "*"})

    def is_strange_to(self, item: pytest.Item) -> bool:
        """Whether a test says none of these words."""
        said = item.nodeid.partition("::")[2]
        return not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said) for word in self.words)

    @contextlib.contextmanager
    def deleted_in(self, copy: Path) -> Iterator[None]:
        """While this lasts, the table of a copy of the project is without it."""
        path = copy / TABLES / f"{self.table}.tsv"
        whole = path.read_text("utf-8")
        path.write_text(self._deleted_from(whole), "utf-8")
        try:
            yield
        finally:
            path.write_text(whole, "utf-8")

    def _deleted_from(self, text: str) -> str:
        # An operation's plain row goes with its forms, which mean nothing without it.
        cells = self.line.split("\t")
        lines = text.split("\n")
        if self.table == "ops" and cells[1] == "-":
            return "\n".join(line for line in lines if line.split("\t")[0] != cells[0])
        return "\n".join(line for line in lines if line != self.line)


@dataclass(slots=True)
class Verdict:
    """What the tests said of one deletion."""

    failed: list[str] = field(default_factory=list)
    """Tests, by their ids."""
    passed: int = 0


class Deletion:
    """A plugin of pytest that runs the collected tests for each deletion, in a process of its own."""

    def __init__(
        self, copy: Path, rows: Sequence[Row | None], ignored: frozenset[str], answer: Connection
    ) -> None:
        self._copy = copy
        self._rows = rows
        self._ignored = ignored
        self._answer = answer
        self._verdict = Verdict()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests once; None among the rows deletes nothing and stops at no failure."""
        if session.testsfailed:
            raise session.Interrupted("the tests cannot be collected")
        items = [item for item in session.items if not {item.nodeid, _function(item)} & self._ignored]
        for row in self._rows:
            if row is None:
                self._answer.send((row, _forked(self._tested, items, False)))
                continue
            with row.deleted_in(self._copy):
                self._answer.send((row, _forked(self._tested, sorted(items, key=row.is_strange_to), True)))
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test, or what it needs, ran."""
        if report.failed:
            self._verdict.failed.append(report.nodeid)
        elif report.when == "call":
            self._verdict.passed += 1

    def _tested(self, items: Sequence[pytest.Item], stop: bool) -> Verdict:
        _forget(self._copy)
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if stop and self._verdict.failed:
                break
        return self._verdict


def _function(item: pytest.Item) -> str:
    """The name of a test without its arguments."""
    return item.nodeid.partition("[")[0].rpartition(":")[2]


def _forget(copy: Path) -> None:
    """Empty every cache of the project: what was read of the tables while the tests were collected."""
    for module in _imported_from(copy):
        for value in list(vars(module).values()):
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def _imported_from(folder: Path) -> list[ModuleType]:
    files = {module: getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return [module for module, file in files.items() if file and Path(file).is_relative_to(folder)]


def _forked(function: Callable[..., Verdict], *arguments: object) -> Verdict:
    """What a function gives in a process of its own; RuntimeError where that ends without an answer."""
    ((_, verdict),) = _answers([_started(_answered, function, arguments)])
    return verdict


def _answered(answer: Connection, function: Callable[..., Verdict], arguments: tuple[object, ...]) -> None:
    answer.send((None, function(*arguments)))


def _started(target: Callable[..., None], *arguments: object) -> tuple[BaseProcess, Connection]:
    """A process that was forked off, and where its answers come in."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(theirs, *arguments))
    process.start()
    theirs.close()
    return process, ours


def _answers(started: Sequence[tuple[BaseProcess, Connection]]) -> Iterator[tuple[Row | None, Verdict]]:
    for process, answers in started:
        with contextlib.suppress(EOFError):
            while True:
                yield answers.recv()
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a process that ran tests ended with status {process.exitcode}")


def _work(answer: Connection, table: str, rows: Sequence[Row | None], ignored: frozenset[str]) -> None:
    """Examine deletions in a copy of the project."""
    with copied() as copy:
        if not TESTS[table].read_on_import:
            _collect(answer, copy, table, rows, ignored)
            return
        for row in rows:
            with row.deleted_in(copy) if row is not None else contextlib.nullcontext():
                ((_, verdict),) = _answers([_started(_collect, copy, table, [None], ignored)])
            answer.send((row, verdict))


def _collect(
    answer: Connection, copy: Path, table: str, rows: Sequence[Row | None], ignored: frozenset[str]
) -> None:
    import pytest

    os.chdir(copy)
    ours = {str(PROJECT), str(PROJECT / "scripts")}
    sys.path[:] = [str(copy), *(path for path in sys.path if path not in ours)]
    assert "torchlint" not in sys.modules
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    options = ["-q", "-p", "no:cacheprovider", *TESTS[table].files]
    if pytest.main(options, plugins=[Deletion(copy, rows, ignored, answer)]) == pytest.ExitCode.INTERRUPTED:
        raise RuntimeError(f"{table}: the tests cannot be collected")
    assert sys.modules["torchlint"] in _imported_from(copy)


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """A copy of the project in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="rows-") as folder:
        for part in COPIED:
            source, target = PROJECT / part, Path(folder, part)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, target)
        yield Path(folder).resolve()


def examine(table: str, rows: Sequence[Row], jobs: int) -> int:
    """Delete these rows of one table, one at a time; print what went unnoticed, and give its number.

    Raises RuntimeError where the tests cannot be run.
    """
    started = time.monotonic()
    ignored = frozenset(TESTS[table].not_asked)
    ((_, before),) = _answers([_started(_work, table, [None], ignored)])
    if before.failed:
        print(
            f"{table}: {len(before.failed)} tests fail with the whole table and are left out:", *before.failed
        )
        ignored |= set(before.failed)
    by: Counter[str] = Counter()
    workers = [_started(_work, table, rows[number::jobs], ignored) for number in range(jobs)]
    for row, verdict in _answers(workers):
        assert row is not None
        if not verdict.failed:
            print(f"{table}: {row.name}: unnoticed by {verdict.passed} tests", flush=True)
        by[verdict.failed[0].partition("[")[0] if verdict.failed else ""] += 1
    seconds = time.monotonic() - started
    print(f"{table}: {by.total()} rows deleted, {by['']} unnoticed ({before.passed} tests, {seconds:.0f} s)")
    for test, number in by.most_common():
        if test:
            print(f"{table}: {number:4} noticed by {test}", flush=True)
    return by[""]


def rows_of(table: str) -> list[Row]:
    """All rows of a table, in their order."""
    text = (PROJECT / TABLES / f"{table}.tsv").read_text("utf-8")
    lines = [line for line in text.split("\n") if line and line[0] != "#"]
    return [Row(table, line) for line in lines[1:]]


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Delete rows of the tables and see which test misses them.")
    parser.add_argument("--table", choices=sorted(TESTS), help="only this table")
    parser.add_argument("--rows", type=int, default=40, metavar="N", help="random rows of each table (40)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which random rows (0)")
    parser.add_argument("--all", action="store_true", help="every row")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    given = parser.parse_args(arguments)
    for name in IMPORTED:
        importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    unnoticed = 0
    for table in [given.table] if given.table else TESTS:
        missing = [name for name in TESTS[table].files if not (PROJECT / name).exists()]
        if missing or not (PROJECT / TABLES / f"{table}.tsv").exists():
            print(f"{table}: nothing to do without {', '.join(missing) or 'the table'}")
            continue
        rows = rows_of(table)
        if not given.all:
            rows = random.Random(f"{given.seed} {table}").sample(rows, min(given.rows, len(rows)))
        unnoticed += examine(table, rows, given.jobs)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
