"""The files of the tables: read, compared, and written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Row = list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it stands in its file."""

    comments: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def keys(self) -> int:
        """How many of the first cells name a row."""
        return 2 if "form" in self.columns else 1

    def text(self) -> str:
        """The content of the file."""
        lines = [*self.comments, "\t".join(self.columns), *("\t".join(row) for row in self.rows)]
        return "".join(f"{line}\n" for line in lines)


def read(path: Path) -> Table:
    """The table in a file."""
    lines = path.read_text("utf-8").split("\n")
    comments = [line for line in lines if line.startswith("#")]
    columns, *rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return Table(tuple(comments), tuple(columns), tuple(rows))


def renewed(table: Table, rows: Sequence[Row], version: str) -> Table:
    """The same table with other rows; its first line names the version of torch."""
    first, *others = table.comments
    first = re.sub(r"torch \d[\w.]*", f"torch {version}", first)
    return Table((first, *others), table.columns, tuple(rows))


def differences(old: Table, new: Table) -> Iterator[str]:
    """What differs, a cell a line."""
    if old.comments[0] != new.comments[0]:
        yield f"header: {old.comments[0]} -> {new.comments[0]}"
    before, after = ({tuple(row[: old.keys]): row for row in table.rows} for table in (old, new))
    for key in sorted({*before, *after}):
        name = " ".join(key)
        if key not in after:
            yield f"{name}: in the table, not measured"
        elif key not in before:
            yield f"{name}: measured, not in the table: {' '.join(after[key][old.keys :])}"
        else:
            for column, a, b in zip(old.columns, before[key], after[key], strict=True):
                if a != b:
                    yield f"{name}: {column}: {a} -> {b}"


def write(path: Path, table: Table) -> None:
    """Replace the file in one step, so that nobody sees half of it."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(table.text(), "utf-8")
    os.replace(beside, path)
