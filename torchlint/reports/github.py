"""Workflow commands of GitHub Actions, which shows each as an annotation at its lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torchlint.diagnostic import Diagnostic
from torchlint.reports import Run
from torchlint.reports.places import Place, explained, place_of, spelled, under
from torchlint.reports.severity import Severity, severity
from torchlint.runner import Checked

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """`::error title=..,file=..,line=..::message`, with paths named from the repository's folder."""
    for result in results:
        for found in result.diagnostics:
            place = place_of(found)
            properties = {
                "title": f"torchlint ({found.code})",
                "file": under("GITHUB_WORKSPACE", found.filename),
                **_stretch(place),
            }
            words = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
            yield f"::{_LEVELS[severity(found.code)]} {words}::{_escaped(_message(found))}\n"


def _stretch(place: Place) -> dict[str, str]:
    if place.line != place.end_line or place.column is None:
        # The runner drops columns where a stretch goes over lines.
        return {"line": str(place.line), "endLine": str(place.end_line)}
    return {
        "line": str(place.line),
        "col": str(place.column),
        "endLine": str(place.end_line),
        "endColumn": str(place.end_column),
    }


def _message(found: Diagnostic) -> str:
    """The log of a run shows nothing but this, so it says the place again."""
    where = ":".join(spelled(found.filename, found.span, found.cell))
    return "\n  ".join((f"{where}: {found.code} {found.message}", *explained(found)))


def _escaped(text: str, more: str = "") -> str:
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
