"""What an editor offers: the fix of a diagnostic, a comment that silences it, its page; all fixes at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any

from lsprotocol import types

from torchlint.comments import Spelling
from torchlint.diagnostic import Edit, Fix, Span
from torchlint.lsp.documents import Document
from torchlint.lsp.subjects import Analysis, Subject
from torchlint.lsp.texts import Found, Text
from torchlint.lsp.values import Abilities, page_uri, text_edits
from torchlint.silence import silence
from torchlint.source import Source

FIX_ALL = "source.fixAll.torchlint"
OPEN_PAGE = "torchlint.openRulePage"
KINDS = (types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll, FIX_ALL)


def is_wanted(kind: str, only: Sequence[str] | None) -> bool:
    """Whether a client that asks for some kinds asks for this one: by it, or by what stands before a dot."""
    return only is None or any(kind == one or kind.startswith(f"{one}.") or not one for one in only)


def quick_fixes(
    subject: Subject, analysis: Analysis, part: int, wanted: types.Range, abilities: Abilities
) -> list[types.CodeAction]:
    """What can be done about the diagnostics that touch a range."""
    actions: list[types.CodeAction] = []
    silenced: set[tuple[int, str]] = set()
    for found, shown in zip(
        analysis.in_part(part), subject.shown(analysis, part, abilities, {}), strict=True
    ):
        if not _touch(shown.range, wanted):
            continue
        one = found.here
        for fix in (one.fix, *one.alternatives):
            if fix is not None:
                title = f"{_capital(fix.title)} ({one.code})"
                title += "" if fix.safe else ", may change what the program does"
                edit = _edit(subject.parts[part], analysis, part, fix.edits, abilities)
                preferred = fix.safe and fix is one.fix
                actions.append(_action(title, shown, is_preferred=preferred, edit=edit))
        if one.about_file:
            continue  # no comment silences it
        if (one.line, one.code) not in silenced:
            silenced.add((one.line, one.code))
            edits = _ignoring(analysis, found)
            if edits:
                edit = _edit(subject.parts[part], analysis, part, edits, abilities)
                actions.append(_action(f"Ignore {one.code} on this line", shown, edit=edit))
        if page_uri(one.code) is not None:
            title = f"Open the page of {one.code} ({one.name})"
            command = types.Command(title, OPEN_PAGE, arguments=[one.code])
            actions.append(_action(title, shown, command=command))
    return actions


def fix_all(
    subject: Subject, analysis: Analysis, part: int, after: Text, abilities: Abilities
) -> types.CodeAction | None:
    """All that the safe fixes change in a part, as one action; None where they change nothing."""
    edits = changes(analysis.text.parts[part], after.parts[part])
    if not edits:
        return None
    made = _edit(subject.parts[part], analysis, part, edits, abilities)
    return types.CodeAction("Make all safe fixes of torchlint", FIX_ALL, edit=made)


def changes(before: Source, after: Source) -> list[Edit]:
    """What makes one text of the other, in whole lines."""
    old, new = before.text.split("\n"), after.text.split("\n")
    same = next((number for number, pair in enumerate(zip(old, new)) if pair[0] != pair[1]), None)  # noqa: B905
    same = min(len(old), len(new)) if same is None else same
    edits: list[Edit] = []
    for kind, *numbers in SequenceMatcher(None, old[same:], new[same:]).get_opcodes():
        if kind == "equal":
            continue
        start, end, first, last = (number + same for number in numbers)
        text = "\n".join(new[first:last])
        if end < len(old):  # up to the beginning of the next line
            span = Span(start + 1, 0, end + 1, 0)
            text += "\n" if last > first else ""
        elif start:  # the last line has no end: the one before gives its own
            span = Span(start, len(old[start - 1]), len(old), len(old[-1]))
            text = "\n" + text if last > first else ""
        else:
            span = Span(1, 0, len(old), len(old[-1]))
        edits.append(Edit(span, text))
    return edits


def _action(title: str, shown: types.Diagnostic, **what: Any) -> types.CodeAction:
    return types.CodeAction(title, types.CodeActionKind.QuickFix, [shown], **what)


def _ignoring(analysis: Analysis, found: Found) -> tuple[Edit, ...]:
    """The comment that silences a diagnostic; none where no comment can stand there."""
    done = silence(analysis.text.source, [found.there], Spelling.IGNORE)
    if not done.count or done.left:
        return ()
    made = replace(found.there, fix=Fix("ignore it", done.edits, safe=True))
    fix = analysis.text.placed(made).fix
    return fix.edits if fix is not None else ()


def _edit(
    document: Document, analysis: Analysis, part: int, edits: Iterable[Edit], abilities: Abilities
) -> types.WorkspaceEdit:
    source = analysis.text.parts[part]
    made = text_edits(edits, source.line, abilities.encoding)
    for one in made:
        one.new_text = one.new_text.replace("\n", source.newline)
    if not abilities.versions:
        return types.WorkspaceEdit(changes={document.uri: made})
    known = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(known, list(made))])


def _touch(one: types.Range, other: types.Range) -> bool:
    return (one.start.line, one.start.character) <= (other.end.line, other.end.character) and (
        other.start.line,
        other.start.character,
    ) <= (one.end.line, one.end.character)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
