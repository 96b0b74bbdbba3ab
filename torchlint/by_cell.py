"""Checks a notebook as one source, and says what is found by cell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.errors import UnreadableSource
from torchlint.notebook import Notebook
from torchlint.runner import Checked, check_source
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

    def check(source: Source) -> list[Diagnostic]:
        # Places of marks move with each round of fixes.
        return notebook.with_source(source).kept(check_source(source, config, project))

    if not fix:
        return told(notebook, Checked(filename, tuple(check(notebook.source)))), data
    from torchlint.fixes import fix as fixed

    result = fixed(notebook.source, check, unsafe=config.unsafe_fixes)
    warning = f"{filename}: fixes that do not give valid Python were taken back" if result.undone else None
    after = notebook.with_source(result.source)
    checked = told(after, Checked(filename, result.diagnostics, fixed=result.count, warning=warning))
    return checked, notebook.to_bytes(after) if result.count else data


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
