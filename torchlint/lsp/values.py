"""Diagnostics, spans and edits as the protocol has them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lsprotocol import types
from pygls import uris

from torchlint import rulebook
from torchlint.diagnostic import Diagnostic, Edit, Fix, Span
from torchlint.errors import ConfigError
from torchlint.rules import rule
from torchlint.rules.base import Group
from torchlint.source import units_of_column

# What a rule promises decides how loud an editor is.
SEVERITIES = {
    Group.CORRECTNESS: types.DiagnosticSeverity.Error,
    Group.SUSPICIOUS: types.DiagnosticSeverity.Warning,
    Group.PERFORMANCE: types.DiagnosticSeverity.Information,
    Group.LOGGING: types.DiagnosticSeverity.Information,
    Group.PEDANTIC: types.DiagnosticSeverity.Hint,
    Group.NURSERY: types.DiagnosticSeverity.Hint,
}
# Code that has no effect is shown faded.
TAGS = {"idle-grad-switch": types.DiagnosticTag.Unnecessary}
# Those about torchlint's own reading: a text that is no Python, a defect.
_OWN_SEVERITIES = {"TL001": types.DiagnosticSeverity.Error}

Line = Callable[[int], str]
"""The text of a line, counted from 1."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a client can do with what it is given."""

    encoding: str = "utf-16"
    related: bool = False
    tags: bool = False
    links: bool = False
    versions: bool = False  # edits of documents in a known version

    @classmethod
    def of(cls, capabilities: types.ClientCapabilities, encoding: str) -> Abilities:
        """Read them off what the client says of itself."""
        text, workspace = capabilities.text_document, capabilities.workspace
        # Of pushed and of pulled diagnostics a client may say different things; what either knows, it knows.
        kinds = [one for one in (text and text.publish_diagnostics, text and text.diagnostic) if one]
        edits = workspace.workspace_edit if workspace else None
        return cls(
            encoding,
            related=any(one.related_information for one in kinds),
            tags=any(one.tag_support for one in kinds),
            links=any(one.code_description_support for one in kinds),
            versions=bool(edits and edits.document_changes),
        )


def range_of(span: Span, line: Line, encoding: str) -> types.Range:
    """A span in the columns of a client."""
    start = units_of_column(line(span.start_line), span.start_column, encoding)
    end = units_of_column(line(span.end_line), span.end_column, encoding)
    return types.Range(types.Position(span.start_line - 1, start), types.Position(span.end_line - 1, end))


def text_edits(edits: Iterable[Edit], line: Line, encoding: str) -> list[types.TextEdit]:
    """The edits of one fix."""
    return [types.TextEdit(range_of(edit.span, line, encoding), edit.text) for edit in edits]


def diagnostic_of(
    found: Diagnostic,
    line: Line,
    abilities: Abilities,
    related: Iterable[types.DiagnosticRelatedInformation] = (),
) -> types.Diagnostic:
    """A diagnostic in its own document; `related` are its notes, where they have places."""
    known = rule(found.code)
    severity = (
        SEVERITIES[known.group]
        if known is not None
        else _OWN_SEVERITIES.get(found.code, types.DiagnosticSeverity.Warning)
    )
    message = found.message if found.help is None else f"{found.message}\n{found.help}"
    tag = TAGS.get(found.name)
    page = page_uri(found.code)
    return types.Diagnostic(
        range=range_of(found.span, line, abilities.encoding),
        message=message,
        severity=severity,
        code=found.code,
        code_description=types.CodeDescription(page) if page and abilities.links else None,
        source="torchlint",
        tags=[tag] if tag and abilities.tags else None,
        related_information=(list(related) or None) if abilities.related else None,
        data=data_of(found.code, found.fix, line, abilities.encoding),
    )


def data_of(code: str, fix: Fix | None, line: Line, encoding: str) -> dict[str, Any]:
    """What a client may keep with a diagnostic: its code, and the fix with the grade that it has."""
    edits = text_edits(fix.edits, line, encoding) if fix is not None else []
    return {
        "code": code,
        "applicability": None if fix is None else "safe" if fix.safe else "unsafe",
        "title": fix.title if fix is not None else None,
        "edits": [{"range": _plain(edit.range), "newText": edit.new_text} for edit in edits],
    }


def page_uri(code: str) -> str | None:
    """Where the page of a rule lies; None where a code has none."""
    try:
        uri: str | None = uris.from_fs_path(os.fspath(rulebook.path(code)))
        return uri
    except ConfigError:
        return None


def _plain(place: types.Range) -> dict[str, dict[str, int]]:
    ends = {"start": place.start, "end": place.end}
    return {name: {"line": end.line, "character": end.character} for name, end in ends.items()}
