"""Checks a notebook as one source, and says what is found by cell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.errors import UnreadableSource
from torchlint.notebook import Notebook
from torchlint.runner import Checked, judge, with_fixes
from torchlint.source import Source

if TYPE_CHECKING:
    from torchlint.project import Project


def check_notebook(
    data: bytes, filename: str, config: Config, project: Project | None, *, fix: bool
) -> tuple[Checked, bytes]:
    """What a .ipynb file gives, and its bytes after the fixes."""
    try:
        notebook = Notebook.from_bytes(data, filename)
    except UnreadableSource as error:
        from torchlint.engine import unreadable

        return Checked(filename, (unreadable(filename, error),)), data

    def ask(source: Source) -> Checked:
        # Places of marks move with each round of fixes.
        return judge(source, config, project, keep=notebook.with_source(source).kept)

    if not fix:
        return told(notebook, ask(notebook.source)), data
    checked, source = with_fixes(notebook.source, ask, unsafe=config.unsafe_fixes)
    after = notebook.with_source(source)
    return told(after, checked), notebook.to_bytes(after) if checked.fixed else data


def told(notebook: Notebook, checked: Checked) -> Checked:
    """What was found in the source of a notebook, by cell, together with the cells that cannot be read."""
    found = (*notebook.problems(), *map(notebook.placed, checked.diagnostics))
    return replace(
        checked,
        diagnostics=tuple(sorted(found, key=Diagnostic.sort_key)),
        suppressed=tuple(map(notebook.placed, checked.suppressed)),
        source=None,
        cells=notebook.cells if found or checked.suppressed else None,
    )
