"""Corrections by hand: the few cells that no measurement on this machine can give, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Row = list[str]


@dataclass(frozen=True, slots=True)
class Correction:
    """One line of by_hand.tsv."""

    table: str
    """`ops` or `modules`."""
    row: str
    form: str
    """`-` in modules.tsv, which has no forms."""
    column: str
    """The column to be set; `row` for a whole row, with `-` as value for a row that is left out."""
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table} {self.row} {self.form} {self.column}={self.value}"


def read(path: Path) -> list[Correction]:
    """The corrections in a file; ValueError for a line that has no reason or not six cells."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    found = []
    for line in lines[1:]:
        cells = line.split("\t")
        if len(cells) != 6 or not cells[-1].strip():
            raise ValueError(f"{path.name}: not six cells, the last of them a reason: {line}")
        found.append(Correction(*cells))
    return found


def apply(
    corrections: Sequence[Correction], table: str, columns: Sequence[str], rows: Sequence[Row]
) -> tuple[list[Row], list[Correction]]:
    """The corrected rows, sorted, and the corrections that changed nothing."""
    keys = 2 if "form" in columns else 1
    found = {tuple(row[:keys]): list(row) for row in rows}
    idle = []
    for correction in corrections:
        if correction.table == table:
            key = (correction.row, correction.form)[:keys]
            before = found.get(key)
            after = _corrected(correction, columns, before, keys)
            if after == before:
                idle.append(correction)
            elif after is None:
                del found[key]
            else:
                found[key] = after
    return sorted(found.values()), idle


def _corrected(correction: Correction, columns: Sequence[str], row: Row | None, keys: int) -> Row | None:
    if correction.column == "row":
        if correction.value == "-":
            return None
        cells = correction.value.split(" ")
        return [*(correction.row, correction.form)[:keys], *cells]
    if row is None:
        return None  # nothing to be corrected: out of date
    place = columns.index(correction.column)
    return [*row[:place], correction.value, *row[place + 1 :]]
