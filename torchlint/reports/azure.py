"""Logging commands of Azure Pipelines, which lists each as an issue of the run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from torchlint.diagnostic import Diagnostic
from torchlint.reports import Run
from torchlint.reports.places import place_of
from torchlint.reports.severity import Severity, severity
from torchlint.runner import Checked

_IN_TEXT = {"%": "%AZP25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = {**_IN_TEXT, "]": "%5D", ";": "%3B"}


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """`##vso[task.logissue type=..;sourcepath=..]message`; from full paths the agent finds the repository."""
    for result in results:
        for found in result.diagnostics:
            properties = "".join(
                f"{name}={_escaped(value, _IN_PROPERTIES)};" for name, value in _properties(found).items()
            )
            message = place_of(found).within + found.message
            yield f"##vso[task.logissue {properties}]{_escaped(message, _IN_TEXT)}\n"


def _properties(found: Diagnostic) -> dict[str, str]:
    place = place_of(found)
    column = {} if place.column is None else {"columnnumber": str(place.column)}
    return {
        # There is no third level.
        "type": "error" if severity(found.code) is Severity.ERROR else "warning",
        "sourcepath": "-" if found.filename == "-" else os.path.abspath(found.filename),
        "linenumber": str(place.line),
        **column,
        "code": found.code,
    }


def _escaped(text: str, codes: dict[str, str]) -> str:
    return "".join(codes.get(character, character) for character in text)
