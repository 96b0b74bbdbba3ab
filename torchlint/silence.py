"""Puts comments that silence at the lines of findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torchlint.comments import Line, Silencer, Spelling, lines, read, same_program
from torchlint.diagnostic import Diagnostic, Edit, Span
from torchlint.noqa import unsuppressed
from torchlint.source import Replacement, Source


@dataclass(frozen=True, slots=True)
class Silenced:
    """A source with its new comments, and the edits that make them; `left` could not be silenced by one."""

    source: Source
    count: int
    left: tuple[Diagnostic, ...]
    edits: tuple[Edit, ...] = ()


def silence(
    source: Source, diagnostics: Iterable[Diagnostic], spelling: Spelling, *, reason: str = ""
) -> Silenced:
    """Name each diagnostic in a comment at its line, in this spelling: NOQA or IGNORE.

    The comment stands where the line ends that the diagnostic starts in: behind a string over several lines,
    or behind the last of lines that a backslash joins. One that is there already is added to. Nothing but
    comments is changed.
    """
    found = [one for one in diagnostics if not one.about_file]
    rows = {number: row for row in lines(source) for number in range(row.first, row.last + 1)}
    codes: dict[Line, list[str]] = {}
    for one in found:
        row = rows.get(one.line)
        if row is not None and not row.string:
            codes.setdefault(row, []).append(one.code)
    there = {one.comment.line: one for one in reversed(read(source).silencers) if one.spelling is spelling}
    pieces: list[Replacement] = []
    for row, wanted in codes.items():
        old = there.get(row.last) if row.comment is not None else None
        if old is not None and old.words:
            pieces.append(_extended(source, old, wanted, reason))
        else:
            pieces.append(_added(source, row, wanted, spelling, reason))
    changed = source.replaced(pieces)
    if not same_program(source, changed):
        return Silenced(source, 0, tuple(found))
    left = tuple(unsuppressed(changed, found))
    edits = tuple(
        Edit(Span(*source.position(one.start), *source.position(one.end)), one.text) for one in pieces
    )
    return Silenced(changed, len(codes), left, edits)


def _added(source: Source, row: Line, codes: Sequence[str], spelling: Spelling, reason: str) -> Replacement:
    listed = ", ".join(sorted(set(codes)))
    order = f"noqa: {listed}" if spelling is Spelling.NOQA else f"torchlint: ignore[{listed}]"
    text = f"  # {order} {reason}".rstrip()
    whole = source.line(row.last)
    end = source.offset(row.last, len(whole.rstrip()))
    return Replacement(end, source.offset(row.last, len(whole)), text)


def _extended(source: Source, old: Silencer, codes: Sequence[str], reason: str) -> Replacement:
    line = old.comment.line
    there = {word.text for word in old.words}
    new = sorted(code for code in set(codes) if code not in there)
    behind = source.offset(line, old.words[-1].span.end_column)
    at = source.offset(line, old.end)
    given = old.comment.text[old.end - old.comment.column : old.reason_end - old.comment.column]
    listed = "".join(f", {code}" for code in new)
    said = f" {reason}" if reason and not given.strip() else ""
    # Behind the list stands the bracket of torchlint's own comment, and nothing of the other.
    return Replacement(behind, at, listed + source.text[behind:at] + said)
