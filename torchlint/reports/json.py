"""A list of objects with the keys that ruff gives, so that what reads ruff's JSON reads this."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

from torchlint.diagnostic import Diagnostic, Fix
from torchlint.reports import Fixing, Palette
from torchlint.runner import Checked


def write(results: Sequence[Checked], *, palette: Palette, fixing: Fixing) -> Iterator[str]:
    """One JSON document; the same whether fixes were made or colours are on."""
    found = [_object(diagnostic) for result in results for diagnostic in result.diagnostics]
    yield json.dumps(found, indent=2, sort_keys=True) + "\n"


def _object(found: Diagnostic) -> dict[str, object]:
    about_file = found.code.startswith("TL0")
    return {
        "cell": found.cell,
        "code": found.code,
        "end_location": _location(found.span.end_line, found.span.end_column),
        "filename": "-" if found.filename == "-" else os.path.abspath(found.filename),
        "fix": None if found.fix is None else _fix(found.fix),
        "location": _location(found.line, found.column),
        "message": found.message,
        "name": found.name,
        # No comment can silence a file that is not read.
        "noqa_row": None if about_file else found.line,
        "severity": "error",
        # The pages are in the package (`torchlint rule`), on no site.
        "url": None,
    }


def _fix(fix: Fix) -> dict[str, object]:
    return {
        "applicability": "safe" if fix.safe else "unsafe",
        "edits": [
            {
                "content": edit.text,
                "end_location": _location(edit.span.end_line, edit.span.end_column),
                "location": _location(edit.span.start_line, edit.span.start_column),
            }
            for edit in fix.edits
        ],
        "message": fix.title,
    }


def _location(line: int, column: int) -> dict[str, int]:
    return {"column": column + 1, "row": line}
