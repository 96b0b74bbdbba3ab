"""Chooses the fixes that can be made together, makes them, and takes back what does not parse."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torchlint.diagnostic import Diagnostic, Edit, Span
from torchlint.source import Source

_ROUNDS = 10
_ONLY_PARSE = 0x0400  # ast.PyCF_ONLY_AST, without importing ast


@dataclass(frozen=True, slots=True)
class Fixed:
    """A source after its fixes, and what is still found in it.

    `count` says how many fixes were made; `undone` that the last round of them gave a text that
    does not parse and was taken back.
    """

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    count: int = 0
    undone: bool = False


@dataclass(frozen=True, slots=True, order=True)
class _Replacement:
    """An edit in offsets; those at one place sort by end, so an insertion goes before a replacement."""

    start: int
    end: int
    text: str

    def collides(self, other: _Replacement) -> bool:
        """Whether the two cannot both be made; touching ends are no collision, a shared start of two
        insertions is, because nothing says which goes first."""
        if self.start == self.end == other.start == other.end:
            return True
        return self.start < other.end and other.start < self.end


def apply(source: Source, diagnostics: Iterable[Diagnostic], *, unsafe: bool = False) -> Source:
    """The source with the fixes made that can be made together, earlier diagnostics first.

    A fix is made whole or not at all. An edit that several fixes share is made once.
    """
    replacements, count = _choose(source, diagnostics, unsafe=unsafe)
    return source.with_text(_replaced(source.text, replacements)) if count else source


def fix(
    source: Source,
    check: Callable[[Source], Iterable[Diagnostic]],
    *,
    unsafe: bool = False,
) -> Fixed:
    """Make fixes and check again until none is left to make; `check` is asked after each round."""
    state = Fixed(source, tuple(check(source)))
    parsed = _parses(source)
    for _ in range(_ROUNDS):
        replacements, count = _choose(state.source, state.diagnostics, unsafe=unsafe)
        if not count:
            break
        changed = state.source.with_text(_replaced(state.source.text, replacements))
        found = tuple(check(changed))
        if (parsed and not _parses(changed)) or _gone_wrong(state.diagnostics, found):
            return Fixed(state.source, state.diagnostics, state.count, undone=True)
        state = Fixed(changed, found, state.count + count)
    return state


def _choose(
    source: Source, diagnostics: Iterable[Diagnostic], *, unsafe: bool
) -> tuple[list[_Replacement], int]:
    chosen: list[_Replacement] = []
    covered: list[Span] = []
    count = 0
    for diagnostic in sorted(diagnostics, key=Diagnostic.sort_key):
        proposal = diagnostic.fix
        if proposal is None or not (proposal.safe or unsafe):
            continue
        if proposal.covers is not None and any(_overlap(proposal.covers, other) for other in covered):
            continue
        wanted = _replacements(source, proposal.edits)
        new = [edit for edit in wanted if edit not in chosen]
        if new and not any(edit.collides(other) for edit in new for other in chosen):
            chosen += new
            covered += [proposal.covers] if proposal.covers is not None else []
            count += 1
        elif wanted and not new:
            count += 1
    return chosen, count


def _overlap(one: Span, other: Span) -> bool:
    return (one.start_line, one.start_column) < (other.end_line, other.end_column) and (
        other.start_line,
        other.start_column,
    ) < (one.end_line, one.end_column)


def _replacements(source: Source, edits: tuple[Edit, ...]) -> list[_Replacement]:
    """The edits of one fix in offsets; insertions at one point become one, in the order given."""
    merged: dict[tuple[int, int], str] = {}
    for edit in edits:
        start = source.offset(edit.span.start_line, edit.span.start_column)
        end = source.offset(edit.span.end_line, edit.span.end_column)
        assert start == end or (start, end) not in merged, "a fix replaces the same text twice"
        merged[start, end] = merged.get((start, end), "") + edit.text
    return [_Replacement(start, end, text) for (start, end), text in merged.items()]


def _replaced(text: str, replacements: list[_Replacement]) -> str:
    pieces: list[str] = []
    at = 0
    for edit in sorted(replacements):
        pieces += (text[at : edit.start], edit.text)
        at = edit.end
    return "".join((*pieces, text[at:]))


def _parses(source: Source) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source.text, source.filename, "exec", _ONLY_PARSE, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _gone_wrong(before: Iterable[Diagnostic], after: Iterable[Diagnostic]) -> bool:
    """Whether the fixes brought a new TL001 or TL002; also seen where this Python cannot parse."""
    known = {diagnostic.code for diagnostic in before}
    return any(found.about_file and found.code not in known for found in after)
