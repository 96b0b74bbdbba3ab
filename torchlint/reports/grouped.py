"""The diagnostics of each file below its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torchlint.reports import Run, headline
from torchlint.reports.places import spelled
from torchlint.runner import Checked


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """The name of a file, its diagnostics with places as wide as the widest, and an empty line."""
    colon = run.palette.paint("colon", ":")
    for result in results:
        if not result.diagnostics:
            continue
        yield f"{run.palette.paint('bold', result.filename)}:\n"
        lines = max(len(str(found.line)) for found in result.diagnostics)
        columns = max(len(str(found.column + 1)) for found in result.diagnostics)
        for found in result.diagnostics:
            where = spelled(found.filename, found.span, found.cell)[1:]
            before = " " * (lines - len(where[-2]))
            after = " " * (columns - len(where[-1]))
            yield f"  {before}{colon.join(where)}{after} {headline(found, run)}\n"
        yield "\n"
