"""Chooses the fixes that can be made together, makes them, and takes back what comes out wrong."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from torchlint.diagnostic import Diagnostic, Edit, Span
from torchlint.leftovers import leftover
from torchlint.source import Replacement, Source

_ROUNDS = 10
_TRIES = 5  # with one fix more left out in each
_ONLY_PARSE = 0x0400  # ast.PyCF_ONLY_AST, without importing ast


@dataclass(frozen=True, slots=True)
class Fixed:
    """A source after its fixes, and what is still found in it.

    `made` are the findings that were fixed, each where it stood in the text of its round; `failures` say what
    was not fixed and why, each a sentence.
    """

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    made: tuple[Diagnostic, ...] = ()
    failures: tuple[str, ...] = ()


_Key = tuple[str, str, str]
"""What tells a finding from others wherever it moves: code, message and the text of its line."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a finding that is fixed would stand in the text of the moment, and where it stood at first."""

    key: _Key
    code: str
    line: int
    start: int
    end: int

    @classmethod
    def of(cls, source: Source, found: Diagnostic) -> _Place:
        span = found.span
        start = source.offset(span.start_line, span.start_column)
        end = source.offset(span.end_line, span.end_column)
        return cls(_key(source, found), found.code, found.line, start, end)

    def moved(self, replacements: Iterable[Replacement]) -> _Place:
        """Where it stands after some replacements; what is put right in front of it moves it."""
        start, end = self.start, self.end
        for one in replacements:
            longer = len(one.text) - (one.end - one.start)
            start += longer if one.end <= self.start else 0
            end += longer if one.end <= self.end else 0
        return replace(self, start=start, end=end)


def apply(source: Source, diagnostics: Iterable[Diagnostic], *, unsafe: bool = False) -> Source:
    """The source with the fixes made that can be made together, earlier diagnostics first.

    A fix is made whole or not at all. An edit that several fixes share is made once. A name that loses its
    last use is no longer imported.
    """
    replacements, _ = _choose(source, diagnostics, unsafe=unsafe)
    return _made(source, replacements)[-1][1] if replacements else source


def fix(
    source: Source,
    check: Callable[[Source], Iterable[Diagnostic]],
    *,
    unsafe: bool = False,
) -> Fixed:
    """Make fixes and check again until none is left to make; `check` is asked after each round.

    A fix that leaves its finding where it was is not made. Where the text does not parse any more, or rounds
    do not come to an end, the source stays as it was.
    """
    before = Fixed(source, tuple(check(source)))
    left_out: dict[_Key, str] = {}
    for _ in range(_TRIES):
        result, idle = _until_stable(before, check, unsafe=unsafe, left_out=frozenset(left_out))
        if not idle:
            break
        left_out |= idle
    else:
        return replace(before, failures=tuple(left_out.values()))
    return replace(result, failures=(*left_out.values(), *result.failures))


def _until_stable(
    before: Fixed,
    check: Callable[[Source], Iterable[Diagnostic]],
    *,
    unsafe: bool,
    left_out: frozenset[_Key],
) -> tuple[Fixed, dict[_Key, str]]:
    """What the rounds come to, and which fixes have left their findings there."""
    state, places = before, list[_Place]()
    parsed = _parses(before.source)
    for _ in range(_ROUNDS):
        replacements, made = _choose(state.source, state.diagnostics, unsafe=unsafe, left_out=left_out)
        if not made:
            return state, _still_there(places, state)
        places += (_Place.of(state.source, one) for one in made)
        steps = _made(state.source, replacements)
        for step, _ in steps:
            places = [place.moved(step) for place in places]
        source = steps[-1][1]
        found = tuple(check(source))
        new = next((one for one in found if _is_own(one) and not any(map(_is_own, state.diagnostics))), None)
        if (parsed and not _parses(source)) or new is not None:
            wrong = "the fixes do not give valid Python" if new is None else f"the fixes give {new.code}"
            return replace(before, failures=(f"{wrong}, so it is left as it was; please report it",)), {}
        state = Fixed(source, found, (*state.made, *made))
    return replace(
        before, failures=("the fixes do not settle, so it is left as it was; please report it",)
    ), {}


def _choose(
    source: Source,
    diagnostics: Iterable[Diagnostic],
    *,
    unsafe: bool,
    left_out: frozenset[_Key] = frozenset(),
) -> tuple[list[Replacement], list[Diagnostic]]:
    """What is replaced in this round, and which findings that fixes."""
    chosen: list[Replacement] = []
    covered: list[Span] = []
    made: list[Diagnostic] = []
    for diagnostic in sorted(diagnostics, key=Diagnostic.sort_key):
        proposal = diagnostic.fix
        if proposal is None or not (proposal.safe or unsafe):
            continue
        if left_out and _key(source, diagnostic) in left_out:
            continue
        if proposal.covers is not None and any(_overlap(proposal.covers, other) for other in covered):
            continue
        wanted = _replacements(source, proposal.edits)
        new = [edit for edit in wanted if edit not in chosen]
        if new and not any(_collide(edit, other) for edit in new for other in chosen):
            chosen += new
            covered += [proposal.covers] if proposal.covers is not None else []
            made.append(diagnostic)
        elif wanted and not new:
            made.append(diagnostic)
    return chosen, made


def _collide(one: Replacement, other: Replacement) -> bool:
    """Whether the two cannot both be made; touching ends are no collision, a shared start of two
    insertions is, because nothing says which goes first."""
    if one.start == one.end == other.start == other.end:
        return True
    return one.start < other.end and other.start < one.end


def _made(source: Source, replacements: Sequence[Replacement]) -> list[tuple[Sequence[Replacement], Source]]:
    """The source after its fixes, and again after each name that has lost its last use by them."""
    steps = [(replacements, source.replaced(replacements))]
    while (edit := leftover(source, steps[-1][1])) is not None:
        replacements = _replacements(steps[-1][1], (edit,))
        steps.append((replacements, steps[-1][1].replaced(replacements)))
    return steps


def _still_there(places: Iterable[_Place], after: Fixed) -> dict[_Key, str]:
    """The findings that were fixed and are found again where they were, and how to say so."""
    found = {(one.code, one.span) for one in after.diagnostics}
    return {
        place.key: f"the fix of {place.code} in line {place.line} is not made: it does not cure it there"
        for place in places
        if (place.code, Span(*after.source.position(place.start), *after.source.position(place.end))) in found
    }


def _key(source: Source, found: Diagnostic) -> _Key:
    return found.code, found.message, source.line(found.line)


def _is_own(found: Diagnostic) -> bool:
    """Whether it is about torchlint's reading, which knows newer syntax than the Python that runs it."""
    return found.code in ("TL001", "TL002")


def _overlap(one: Span, other: Span) -> bool:
    return (one.start_line, one.start_column) < (other.end_line, other.end_column) and (
        other.start_line,
        other.start_column,
    ) < (one.end_line, one.end_column)


def _replacements(source: Source, edits: tuple[Edit, ...]) -> list[Replacement]:
    """The edits of one fix in offsets; insertions at one point become one, in the order given."""
    merged: dict[tuple[int, int], str] = {}
    for edit in edits:
        start = source.offset(edit.span.start_line, edit.span.start_column)
        end = source.offset(edit.span.end_line, edit.span.end_column)
        assert start == end or (start, end) not in merged, "a fix replaces the same text twice"
        merged[start, end] = merged.get((start, end), "") + edit.text
    return [Replacement(start, end, text) for (start, end), text in merged.items()]


def _parses(source: Source) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source.text, source.filename, "exec", _ONLY_PARSE, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
