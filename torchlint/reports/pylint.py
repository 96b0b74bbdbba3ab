"""Lines as pylint prints them, for tools that read those; they have no column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torchlint.reports import Run
from torchlint.reports.places import spelled
from torchlint.runner import Checked


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """`file:line: [CODE] message`; of a notebook `file:cell 4:line:column: [CODE] message`."""
    for result in results:
        for found in result.diagnostics:
            where = spelled(found.filename, found.span, found.cell)
            place = ":".join(where if found.cell is not None else where[:-1])
            yield f"{place}: [{found.code}] {found.message}\n"
