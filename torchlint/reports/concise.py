"""One line for each diagnostic, as editors and `errorformat=%f:%l:%c: %m` read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torchlint.reports import Fixing, Palette, headline, summary
from torchlint.runner import Checked


def write(results: Sequence[Checked], *, palette: Palette, fixing: Fixing) -> Iterator[str]:
    """`file:line:column: CODE [*] message`, columns from 1 in code points.

    In a notebook the cell follows the file: `file:cell 4:line:column`.
    """
    colon = palette.paint("colon", ":")
    for result in results:
        for found in result.diagnostics:
            within = () if found.cell is None else (f"cell {found.cell}",)
            where = (*within, str(found.line), str(found.column + 1), " ")
            place = (palette.paint("bold", found.filename), *where)
            yield f"{colon.join(place)}{headline(found, palette, fixing=fixing)}\n"
    yield from summary(results, palette=palette, fixing=fixing)
