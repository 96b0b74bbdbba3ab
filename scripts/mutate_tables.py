"""Puts one wrong fact at a time into the tables, and counts those that no generated program shows.

    python scripts/mutate_tables.py [--mutants N] [--seed N] [--programs N] [--jobs N]

A mutant is one cell of one row, changed in memory into what might have been true. Rows are drawn from those
that the programs of tests/runtime/test_generated_run.py use. A mutant is noticed when torchlint, reading with
it, agrees with torch about some program where it did not, or the other way round; torch runs once, and only
programs in which the row was looked up are read again. Cells that mean nothing are left alone: what a fresh
tensor is a view of, whether one made of no tensor has a graph, what is saved of an argument that is a number
in every call, what an operation saves when its result has no graph, the written argument beside the result
that lies in its memory, what nn.init writes without gradients, what a container says of the layers in it.
Exit code: 0, 1 when a mutant goes unnoticed.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "runtime"))

import torch
from agreement import Seen, judge, observe, read
from generated import program
from test_generated_run import PROGRAMS, SEED

from torchlint.tables import Given, modules, ops, rows

if TYPE_CHECKING:
    from torchlint.tables import Argument, Layer, Op

TABLES = Path(rows.__file__).parent
RESULTS = {
    "graph": ("plain", "cut"),
    "plain": ("graph",),
    "fresh": ("graph",),
    "cut": ("graph", "plain"),
    "number": ("graph",),
    "mixed:0": ("mixed:*",),
    "mixed:*": ("plain",),
}
"""What a cell says -> what it might say wrongly; so for VIEWS and WORDS."""
VIEWS = {
    "-": ("view",),
    "view": ("-", "multi"),
    "multi": ("-", "view"),
    "maybe": ("-", "view"),
    "self": ("-", "view"),
    "untracked": ("-", "view"),
}
WORDS = {"yes": ("no",), "no": ("yes",), "sometimes": ("yes",)}
Judged = tuple[bool, bool] | None
"""Whether torchlint agrees on the verdict, and on all lines; None where it fails to read the program."""


class Use(NamedTuple):
    """A row that a program uses; of an operation either what it says of `op` or what it says of `op_`."""

    table: str
    name: str
    form: str = "-"
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """One program, as torch ran it and torchlint read it with the true tables."""

    text: str
    seen: Seen
    judged: Judged
    looked_up: frozenset[tuple[str, str]]
    """Tables and names of rows."""
    used: frozenset[Use]
    tensors: dict[Use, frozenset[str]]
    """The arguments that are tensors in some call."""

    @classmethod
    def of(cls, number: int) -> Known:
        """The program of this number."""
        text = program(number).text
        seen = observe(text)
        lookups = Lookups()
        with lookups.noted():
            found = judged(text, seen)
        looked_up, used = frozenset(lookups.looked_up), frozenset(lookups.used)
        return cls(text, seen, found, looked_up, used, lookups.tensors)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed cell."""

    table: str
    name: str
    form: str
    column: str
    after: str

    def __str__(self) -> str:
        form = "" if self.form == "-" else f" {self.form}"
        row, place = self._cell()
        return f"{self.table} {self.name}{form}: {self.column} {row[place]} -> {self.after}"

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """While this lasts, the cell says something else."""
        # Rows are read once and shared by all who ask: besides them only what was made of them is kept.
        row, place = self._cell()
        before, row[place] = row[place], self.after
        _forget()
        try:
            yield
        finally:
            row[place] = before
            _forget()

    def _cell(self) -> tuple[list[str], int]:
        return _row(self.table, self.name, self.form), _columns(self.table).index(self.column)


@dataclass(slots=True)
class Lookups:
    """The rows that are looked up and used while a program is read."""

    looked_up: set[tuple[str, str]] = field(default_factory=set)
    used: set[Use] = field(default_factory=set)
    tensors: dict[Use, frozenset[str]] = field(default_factory=dict)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is asked of the tables while this lasts."""
        find, choose, layer = ops._op, ops.Op.form, modules._module

        def noting_find(name: str) -> Op | None:
            found = find(name)
            if found is not None:
                use = _use_of(found)
                self.looked_up.add(use[:2])
                if use.in_place:  # `inplace=True` leads here without asking for a form
                    self.used.add(use)
            return found

        def noting_choose(
            op: Op, positional: Sequence[Argument], keywords: Mapping[str, Argument], *, method: bool = False
        ) -> Op:
            chosen = choose(op, positional, keywords, method=method)
            form = next((condition for condition, one in op.forms if one is chosen), "-")
            use = _use_of(op)._replace(form=form)
            self.used.add(use)
            given = dict(zip(op.args, positional, strict=False)) | dict(keywords)
            shown = {name for name, one in given.items() if one is Given.TENSOR}
            self.tensors[use] = self.tensors.get(use, frozenset()) | shown
            return chosen

        def noting_layer(name: str) -> Layer | None:
            found = layer(name)
            if found is not None:
                self.note(Use("modules", found.name))
            return found

        with (
            _replaced(ops, "_op", noting_find),
            _replaced(ops.Op, "form", noting_choose),
            _replaced(modules, "_module", noting_layer),
        ):
            yield

    def note(self, use: Use) -> None:
        """A row was looked up, and so used."""
        self.looked_up.add(use[:2])
        self.used.add(use)


def judged(text: str, seen: Seen) -> Judged:
    """Whether torchlint agrees with what torch did."""
    try:
        judgement = judge(seen, read(text))
    except KeyError:  # a finding that is no verdict: TL002, the mutant breaks torchlint
        return None
    return judgement.agrees, judgement.agrees_on_lines


def noticed(task: tuple[Mutant, Sequence[Known]]) -> int:
    """How many of these programs are judged otherwise with a mutant."""
    mutant, programs = task
    with mutant.made():
        return sum(judged(one.text, one.seen) != one.judged for one in programs)


def mutants(programs: Iterable[Known], number: int, chance: random.Random) -> list[Mutant]:
    """So many different mutants of rows that are used: first a row is drawn, then what is wrong in it."""
    tensors: dict[Use, frozenset[str]] = {}
    for one in programs:
        for use in one.used:
            tensors[use] = tensors.get(use, frozenset()) | one.tensors.get(use, frozenset())
    possible: dict[tuple[str, str, str], dict[Mutant, None]] = {}
    for use, given in sorted(tensors.items()):
        possible.setdefault(use[:3], {}).update(dict.fromkeys(wrong(use, given)))
    left = [list(ones) for ones in possible.values() if ones]
    drawn: list[Mutant] = []
    while left and len(drawn) < number:
        ones = chance.choice(left)
        drawn.append(ones.pop(chance.randrange(len(ones))))
        left = [others for others in left if others]
    return drawn


def wrong(use: Use, tensors: frozenset[str]) -> Iterator[Mutant]:
    """All plausible wrong facts in the cells of a row that are read where it is used with these tensors."""
    cells = dict(zip(_columns(use.table), _row(*use[:3]), strict=True))
    found: Iterator[tuple[str, str]] = iter(())
    if use.table == "modules":
        if "children" not in cells.values():
            found = _wrong_in_layer(cells)
    elif not _is_ungraded(use.name):
        found = _wrong_in_op(cells, tensors, in_place=use.in_place)
    for column, after in found:
        if after != cells[column]:
            yield Mutant(*use[:3], column, after)


def _is_ungraded(name: str) -> bool:
    """Whether it is a function of nn.init, which writes without gradients whatever it saves."""
    return hasattr(torch.nn.init, name)


def _wrong_in_op(
    cells: Mapping[str, str], tensors: frozenset[str], *, in_place: bool
) -> Iterator[tuple[str, str]]:
    first = next(iter(rows.signature(cells["args"]).args), "")
    if in_place or (cells["view"] == "self" and cells["inplace"] != "-"):
        yield "inplace", "-"
        if cells["result"] != "graph":
            return
        members = [part for part in rows.parts(cells["inplace"]) if part != "none"]
        for after in (*_wrong_saves(members, tensors), [*members, "result"]):
            if after.count("result") < 2 and not {first, "result"} <= set(after):
                yield "inplace", ",".join(after) or "none"
        return
    if cells["result"] == "graph" or cells["result"].startswith("mixed"):
        yield from _wrong_in_saving(cells, tensors)
    if cells["result"] != "fresh" or first in tensors:
        yield from (("result", after) for after in RESULTS.get(cells["result"], ()))
    if first in tensors and cells["result"] in ("graph", "cut", "mixed:*"):
        yield from (("view", after) for after in VIEWS[cells["view"]])
    if cells["result"] == "cut":
        yield "view", "untracked"


def _wrong_in_layer(cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from _wrong_in_saving(cells, frozenset(rows.parts(cells["forward"])[:1]))
    if cells["parameters"] != "no":
        state = _wrong_saves(rows.parts(cells["saves_state"]), frozenset(("weight",)))
        yield from (("saves_state", ",".join(after) or "-") for after in state)
    if cells["statistics"] != "-":
        yield "statistics", "-"
        yield "statistics", cells["statistics"].removesuffix("!")
    yield from (("parameters", after) for after in WORDS.get(cells["parameters"], ("no",)))
    if cells["inplace"] != "-":
        yield from (("inplace", after) for after in ("none", "result", "training", "-"))


def _wrong_in_saving(cells: Mapping[str, str], tensors: frozenset[str]) -> Iterator[tuple[str, str]]:
    found = _wrong_saves(rows.parts(cells["saves"]), tensors)
    yield from (("saves", ",".join(after) or "-") for after in found)
    yield from (("saves_result", after) for after in WORDS[cells["saves_result"].partition(":")[0]])


def _wrong_saves(members: list[str], tensors: frozenset[str]) -> Iterator[list[str]]:
    """One less, one without its condition, one more."""
    for place, part in enumerate(members):
        before, after = members[:place], members[place + 1 :]
        yield [*before, *after]
        yield [*before, _argument(part), *after]
    saved = {_argument(part) for part in members}
    for name in sorted(tensors - saved):
        yield [*members, name]


def _argument(part: str) -> str:
    return part.partition("?")[0].rstrip("~!")


def _rows(table: str) -> tuple[list[str], ...]:
    return rows.read(f"{table}.tsv")


@cache
def _columns(table: str) -> list[str]:
    text = (TABLES / f"{table}.tsv").read_text("utf-8")
    return next(line for line in text.split("\n") if line[0] != "#").split("\t")


@cache
def _row(table: str, name: str, form: str) -> list[str]:
    return next(
        row for row in rows.read(f"{table}.tsv") if row[0] == name and (table != "ops" or row[1] == form)
    )


def _use_of(op: Op) -> Use:
    """The plain row of an operation, or what it says of its in-place form."""
    index = ops._index()
    if op.name in index:
        return Use("ops", index[op.name][0][0])
    return Use("ops", index[op.name.removesuffix("_")][0][0], in_place=True)


def _forget() -> None:
    """Empty the caches of what was made of rows."""
    for function in (ops._op, modules._module):
        function.cache_clear()


@contextlib.contextmanager
def _replaced(holder: object, name: str, value: object) -> Iterator[None]:
    before = getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=60, metavar="N", help="how many (60)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which ones (0)")
    parser.add_argument("--programs", type=int, default=PROGRAMS, metavar="N", help=f"({PROGRAMS})")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (1)")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    started = time.monotonic()
    with get_context("fork").Pool(given.jobs) as pool:
        programs = pool.map(Known.of, range(SEED, SEED + given.programs), chunksize=50)
        used = {use[:2] for one in programs for use in one.used}
        agree = sum(one.judged == (True, True) for one in programs)
        seconds = time.monotonic() - started
        print(
            f"{len(programs)} programs, {agree} judged rightly, use {len(used)} rows ({seconds:.0f} s)",
            flush=True,
        )
        drawn = mutants(programs, given.mutants, random.Random(given.seed))
        tasks = [
            (mutant, [one for one in programs if (mutant.table, mutant.name) in one.looked_up])
            for mutant in drawn
        ]
        unnoticed = 0
        for (mutant, asked), times in zip(tasks, pool.imap(noticed, tasks), strict=True):
            said = f"noticed by {times}" if times else "NOT NOTICED by any"
            print(f"{mutant}: {said} of {len(asked)} programs", flush=True)
            unnoticed += not times
    seconds = time.monotonic() - started
    print(f"{len(drawn)} mutants, {len(drawn) - unnoticed} noticed, {unnoticed} not ({seconds:.0f} s)")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
