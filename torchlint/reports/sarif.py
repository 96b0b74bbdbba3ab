"""SARIF 2.1.0, which code scanning services and editors read; written by hand, it is a few objects."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from torchlint import __version__
from torchlint.diagnostic import Diagnostic, Fix, Note, Span
from torchlint.files import named_from
from torchlint.fingerprints import Key, keys
from torchlint.reports import Run
from torchlint.reports.places import place
from torchlint.reports.sarif_rules import descriptor
from torchlint.reports.severity import Severity, severity
from torchlint.runner import Checked

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_ROOT = "SRCROOT"
_LINK = re.compile(r"\[([^\[\]]*)\]\(")
_Object = dict[str, object]


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """One JSON document; paths are relative, so that the report means the same on another machine."""
    silenced = {id(found) for result in results for found in result.suppressed}
    keyed = list(keys(results))
    names = {found.code: found.name for found, _ in keyed}
    codes = sorted(names)
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "torchlint",
                        "version": __version__,
                        "semanticVersion": __version__,
                        "rules": [descriptor(code, names[code], _level(code)) for code in codes],
                    }
                },
                "invocations": [_invocation(names, run)],
                "originalUriBaseIds": {
                    _ROOT: {"description": {"text": "The folder in which torchlint ran."}},
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(found, key, codes.index(found.code), silenced=id(found) in silenced)
                    for found, key in keyed
                ],
            }
        ],
    }
    yield json.dumps(log, indent=2) + "\n"


def _level(code: str) -> str:
    return _LEVELS[severity(code)]


def _invocation(names: dict[str, str], run: Run) -> _Object:
    whole = run.status != 130  # else Ctrl-C has ended it
    shown: _Object = {"executionSuccessful": whole and "TL002" not in names}
    if run.status is not None:
        shown["exitCode"] = run.status
    return shown


def _result(found: Diagnostic, key: Key, index: int, *, silenced: bool) -> _Object:
    shown: _Object = {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": _level(found.code),
        "message": _sentence(found.message if found.help is None else f"{found.message}; {found.help}"),
        "locations": [_location(found.filename, found.span, found.cell)],
        "partialFingerprints": {"torchlint/v1": key.digest()},
    }
    if found.notes:
        shown["relatedLocations"] = [
            _related(number, found, note) for number, note in enumerate(found.notes, 1)
        ]
    if found.fix is not None and found.cell is None:
        shown["fixes"] = [_fix(found.filename, found.fix)]
    if silenced:
        shown["suppressions"] = [{"kind": "inSource"}]
    return shown


def _related(number: int, found: Diagnostic, note: Note) -> _Object:
    location = _location(note.filename or found.filename, note.span, note.cell)
    return {"id": number, **location, "message": _sentence(note.message)}


def _location(filename: str, span: Span, cell: int | None) -> _Object:
    physical: _Object = {"artifactLocation": _artifact(filename), "region": _region(span)}
    if cell is None:
        return {"physicalLocation": physical}
    at = place(filename, span, cell)
    physical["region"] = {"startLine": at.line, "endLine": at.end_line}
    inside = f"cell {cell}, line {span.start_line}, column {span.start_column + 1}"
    return {
        "physicalLocation": physical,
        "logicalLocations": [{"name": f"cell {cell}", "fullyQualifiedName": inside, "kind": "member"}],
    }


def _sentence(text: str) -> _Object:
    """A message; what looks like a link in it, as `x[0](y)` does, is marked as none."""
    return {"text": _LINK.sub(r"\\[\1\\](", text) + "."}


def _artifact(filename: str) -> _Object:
    name = filename if filename == "-" else named_from(filename, os.curdir)
    uri = quote(os.fsencode(name), safe="/~")
    return {"uri": f"file://{uri}"} if os.path.isabs(name) else {"uri": uri, "uriBaseId": _ROOT}


def _region(span: Span) -> _Object:
    return {
        "startLine": span.start_line,
        "startColumn": span.start_column + 1,
        "endLine": span.end_line,
        "endColumn": span.end_column + 1,
    }


def _fix(filename: str, fix: Fix) -> _Object:
    return {
        "description": _sentence(fix.title),
        "artifactChanges": [
            {
                "artifactLocation": _artifact(filename),
                "replacements": [
                    {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
                    for edit in fix.edits
                ],
            }
        ],
        "properties": {"applicability": "safe" if fix.safe else "unsafe"},
    }
