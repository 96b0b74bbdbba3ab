"""Messages of lintrunner, one JSON object a line; `lintrunner -a` makes the fixes."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Sequence

from torchlint.diagnostic import Diagnostic
from torchlint.fixes import apply
from torchlint.reports import Fixing, Run
from torchlint.reports.places import explained, place_of
from torchlint.reports.severity import Severity, severity
from torchlint.runner import Checked

_SEVERITIES = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "advice"}


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """One line for each diagnostic, and one with all fixes of a file: lintrunner takes one text a file."""
    for result in results:
        for found in result.diagnostics:
            yield _line(result, found)
        yield from _patch(result, run.fixing)


def _line(result: Checked, found: Diagnostic) -> str:
    place = place_of(found)
    return _message(
        result.filename,
        code=found.code,
        name=found.name,
        severity=_SEVERITIES[severity(found.code)],
        description="\n".join((place.within + found.message, *explained(found))),
        line=place.line,
        char=place.column,
    )


def _patch(result: Checked, fixing: Fixing) -> Iterator[str]:
    source = result.source
    if source is None or result.cells is not None or codecs.lookup(source.encoding).name != "utf-8":
        # It writes UTF-8, whatever the file was.
        return
    curable = [found for found in result.diagnostics if fixing.cures(found) and found.cell is None]
    fixed = apply(source, curable, unsafe=fixing.unsafe)
    if fixed.text != source.text:
        yield _message(
            result.filename,
            code="TL",
            name="fixes",
            severity="advice",
            description="run `lintrunner -a` to make the fixes of torchlint in this file",
            original=source.to_bytes().decode(),
            replacement=fixed.to_bytes().decode(),
        )


def _message(
    filename: str,
    *,
    code: str,
    name: str,
    severity: str,
    description: str,
    line: int | None = None,
    char: int | None = None,
    original: str | None = None,
    replacement: str | None = None,
) -> str:
    message = {
        "path": filename,
        "line": line,
        "char": char,
        "code": code,
        "severity": severity,
        "name": name,
        "original": original,
        "replacement": replacement,
        "description": description,
    }
    return json.dumps(message) + "\n"
