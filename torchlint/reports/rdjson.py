"""The diagnostic format of reviewdog; its columns count the bytes of UTF-8."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

from torchlint.diagnostic import Diagnostic, Span
from torchlint.files import named_from
from torchlint.reports import Run
from torchlint.reports.places import explained, place_of
from torchlint.reports.severity import severity
from torchlint.runner import Checked
from torchlint.source import Source


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """One JSON document; each edit of a fix is a suggestion, but none in the cells of notebooks."""
    document = {
        "source": {"name": "torchlint"},
        "severity": "WARNING",
        "diagnostics": [_object(found, result) for result in results for found in result.diagnostics],
    }
    yield json.dumps(document, indent=2) + "\n"


def _object(found: Diagnostic, result: Checked) -> dict[str, object]:
    at = place_of(found)
    span: dict[str, dict[str, int]] = _range(found.span, result.source)
    if found.cell is not None:
        # Without columns it means whole lines.
        span = {"start": {"line": at.line}, "end": {"line": at.end_line}}
    name = found.filename if found.filename == "-" else named_from(found.filename, os.curdir)
    shown: dict[str, object] = {
        # Versions that do not know related locations refuse a report that has some, so notes go here.
        "message": "\n".join((at.within + found.message, *explained(found))),
        "severity": severity(found.code).name,
        "code": {"value": found.code},
        "location": {"path": name, "range": span},
    }
    if found.fix is not None and found.cell is None:
        shown["suggestions"] = [
            {"range": _range(edit.span, result.source), "text": edit.text} for edit in found.fix.edits
        ]
    return shown


def _range(span: Span, source: Source | None) -> dict[str, dict[str, int]]:
    return {
        "start": {"line": span.start_line, "column": _bytes(source, span.start_line, span.start_column) + 1},
        "end": {"line": span.end_line, "column": _bytes(source, span.end_line, span.end_column) + 1},
    }


def _bytes(source: Source | None, line: int, column: int) -> int:
    """A column in code points as a count of bytes; as it is where the text is not at hand."""
    if source is None or line > source.line_count:
        return column
    text = source.line(line)
    return column if text.isascii() else len(text[:column].encode("utf-8", "surrogatepass"))
