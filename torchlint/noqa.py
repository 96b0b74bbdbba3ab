"""Sets aside what comments silence, and tells of comments that silence nothing (TL003)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torchlint.comments import Comments, Remark, Silencer, Spelling, Word, may_be_odd, may_silence, read
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic, Edit, Fix, Span
from torchlint.source import Source

_OUR_CODE = re.compile(r"TL[0-9]+")
_TL003 = "TL003"


@dataclass(frozen=True, slots=True)
class Sifted:
    """The diagnostics of one source that are left, those that comments silence, and remarks on these."""

    left: tuple[Diagnostic, ...]
    suppressed: tuple[Diagnostic, ...] = ()
    remarks: tuple[Remark, ...] = ()


def unsuppressed(source: Source, diagnostics: Iterable[Diagnostic], *, noqa: bool = True) -> list[Diagnostic]:
    """The diagnostics that no comment silences; `noqa=False` heeds torchlint's own comments alone.

    TL001 and TL002 are about torchlint's reading of the file, not about a line, so nothing silences them.
    """
    diagnostics = list(diagnostics)
    if not diagnostics or not may_silence(source):
        return diagnostics
    silencers = read(source).silencers
    if not noqa:
        silencers = tuple(one for one in silencers if one.spelling in (Spelling.IGNORE, Spelling.IGNORE_FILE))
    return [one for one in diagnostics if not any(_silencing(silencers, one))]


def sift(source: Source, diagnostics: Iterable[Diagnostic], config: Config) -> Sifted:
    """What is left of the diagnostics, which are all that were found; TL003 joins them where it is on.

    Without `config.noqa` the comments silence nothing.
    """
    found = tuple(diagnostics)
    judged = config.enables(_TL003, default=False) and not any(one.about_file for one in found)
    if not may_silence(source) or not (found or judged or may_be_odd(source)):
        return Sifted(found)
    comments = read(source)
    used: set[Word] = set()
    left: list[Diagnostic] = []
    suppressed: list[Diagnostic] = []
    for one in found:
        hits = list(_silencing(comments.silencers, one))
        used.update(word for _, word in hits if word is not None)
        (suppressed if hits and config.noqa else left).append(one)
    for one in _unused(source, comments, used, config) if judged else ():
        hit = any(_silencing(comments.silencers, one))
        (suppressed if hit and config.noqa else left).append(one)
    left.sort(key=Diagnostic.sort_key)
    remarks = (*comments.remarks, *_unknown(source, comments))
    return Sifted(tuple(left), tuple(suppressed), tuple(sorted(remarks)))


def _silencing(silencers: Iterable[Silencer], found: Diagnostic) -> Iterator[tuple[Silencer, Word | None]]:
    """What silences a diagnostic, with the word that does, or none where everything is silenced."""
    if found.about_file:
        return
    name = found.name.upper()
    for silencer in silencers:
        if silencer.first <= found.line <= silencer.last:
            if silencer.everything:
                yield silencer, None
            for word in silencer.words:
                if found.code.startswith(word.text) or word.text == name:
                    yield silencer, word


def _unused(source: Source, comments: Comments, used: set[Word], config: Config) -> Iterator[Diagnostic]:
    for silencer in comments.silencers:
        dead = [word for word in silencer.words if word not in used and _is_judged(word, silencer, config)]
        if dead:
            yield _diagnostic(source, silencer, dead)


def _is_judged(word: Word, silencer: Silencer, config: Config) -> bool:
    """Whether a word is torchlint's, and each rule that it names was asked."""
    from torchlint.rules import RULES

    if silencer.spelling is Spelling.NOQA and not _OUR_CODE.fullmatch(word.text):
        return False
    named = [one for one in RULES if one.code.startswith(word.text) or one.name.upper() == word.text]
    return bool(named) and all(config.enables(one.code, default=one.on_by_default()) for one in named)


def _diagnostic(source: Source, silencer: Silencer, dead: list[Word]) -> Diagnostic:
    from torchlint.rules.tl003_unused_suppression import UnusedSuppression

    quoted = [f"'{source.slice(word.span)}'" for word in dead]
    what = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
    line = silencer.comment.line
    return Diagnostic(
        source.filename,
        Span(line, silencer.start, line, silencer.end),
        UnusedSuppression.code,
        UnusedSuppression.name,
        UnusedSuppression.message.format(what=what, verb="silences" if len(dead) == 1 else "silence"),
        fix=_fix(source, silencer, dead, what),
    )


def _fix(source: Source, silencer: Silencer, dead: list[Word], what: str) -> Fix:
    """Take the words out of the list, or the comment out of the line, or the line out of the source."""
    if len(dead) < len(silencer.words):
        edit = _shorter(source, silencer.words, dead)
        return Fix(f"take {what} out of the comment", (edit,), safe=True)
    return Fix("remove the comment", (_without(source, silencer),), safe=True)


def _shorter(source: Source, words: tuple[Word, ...], dead: list[Word]) -> Edit:
    line, text = words[0].span.start_line, ""
    before = words[0].span.start_column
    for word in words:
        if word not in dead:
            # What separates a word from the one before it goes and stays with it.
            begin = before if text else word.span.start_column
            text += source.slice(Span(line, begin, line, word.span.end_column))
        before = word.span.end_column
    return Edit(Span(line, words[0].span.start_column, line, before), text)


def _without(source: Source, silencer: Silencer) -> Edit:
    comment, line = silencer.comment, silencer.comment.line
    end = comment.column + len(comment.text)
    whole = source.line(line)
    before = comment.text[: silencer.start - comment.column].rstrip()
    after = comment.text[silencer.reason_end - comment.column :].strip()
    if before:
        return Edit(Span(line, comment.column + len(before), line, silencer.reason_end), "")
    if after:
        behind = comment.text.index(after, silencer.reason_end - comment.column)
        return Edit(Span(line, silencer.start, line, comment.column + behind), "")
    if not comment.alone:
        return Edit(Span(line, len(whole[: comment.column].rstrip()), line, end), "")
    if line < source.line_count:
        return Edit(Span(line, 0, line + 1, 0), "")
    return Edit(Span(line, 0, line, end), "")


def _unknown(source: Source, comments: Comments) -> Iterator[Remark]:
    """Words that a comment gives as torchlint's and that name no rule."""
    from torchlint.rules import SELECTABLE

    names = {one.name.upper() for one in SELECTABLE}
    for silencer in comments.silencers:
        for word in silencer.words:
            if silencer.spelling is Spelling.NOQA and not _OUR_CODE.fullmatch(word.text):
                continue
            line, said = silencer.comment.line, source.slice(word.span)
            if word.text in ("TL001", "TL002"):
                yield Remark(line, f"nothing silences {word.text}")
            elif word.text not in names and not any(one.code.startswith(word.text) for one in SELECTABLE):
                yield Remark(line, f"'{said}' is no rule; {_nearest(word.text)}")


def _nearest(word: str) -> str:
    from difflib import get_close_matches

    from torchlint.rules import SELECTABLE

    spellings = {spelling.upper(): spelling for one in SELECTABLE for spelling in (one.code, one.name)}
    near = get_close_matches(word, spellings, n=1)
    return f"did you mean '{spellings[near[0]]}'?" if near else "`torchlint rule` lists them"
