"""One line for each diagnostic, as editors and `errorformat=%f:%l:%c: %m` read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torchlint.reports import Run, headline
from torchlint.reports.places import spelled
from torchlint.runner import Checked


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """`file:line:column: CODE [*] message`, columns from 1 in code points."""
    colon = run.palette.paint("colon", ":")
    for result in results:
        for found in result.diagnostics:
            filename, *where = spelled(found.filename, found.span, found.cell)
            place = (run.palette.paint("bold", filename), *where, " ")
            yield f"{colon.join(place)}{headline(found, run)}\n"
