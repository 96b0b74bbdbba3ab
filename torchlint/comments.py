"""The comments that silence diagnostics: where they stand, what they name, which lines they hold for.

`# noqa` is read as flake8 reads it. A line means what flake8 means by it: a string over several lines, or
lines joined by a backslash, count as one; lines inside brackets do not.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from torchlint.diagnostic import Span
from torchlint.source import Source

_NOQA = re.compile(r"#\s*noqa\b(?::\s?(?P<codes>(?:[A-Z]+[0-9]+[,\s]*)+))?", re.IGNORECASE)
_OURS = re.compile(
    r"#\s*torchlint:\s*(?P<verb>ignore-file|file-ignore|ignore(?=\[))(?![\w-])(?:\[(?P<codes>[^\]]*)\]|(?!\[))",
    re.IGNORECASE,
)
_FLAKE8 = re.compile(r"#\s*flake8[:=]\s*noqa\b", re.IGNORECASE)
# Up to the next comment in the same one; '#12' is a part of a reason.
_REASON = re.compile(r"(?:(?!\s+#\s*[a-z]).)*", re.IGNORECASE)
_WORD = re.compile(r"[^,\s]+")
_HINT = re.compile(r"#\s*(?:noqa|torchlint\s*:|flake8[:=]\s*noqa)", re.IGNORECASE)
_DOUBTFUL = re.compile(
    r"#\s*(?:torchlint\s*:|flake8[:=]\s*noqa|noqa(?:\s+:|:(?!\s?[A-Z]+[0-9]))|noqa:[^#\n]*\bTL[0-9])",
    re.IGNORECASE,
)
_ALMOST_OURS = re.compile(r"#\s*torchlint\s*:\s*(?P<said>[^\s#]*)", re.IGNORECASE)
_UNREAD_CODES = re.compile(r"\s*:")
_CODES_OF_FLAKE8 = re.compile(r"\s*:\s*[A-Z]+[0-9]+", re.IGNORECASE)
_STRINGS_THAT_OPEN = frozenset(getattr(tokenize, name, -1) for name in ("FSTRING_START", "TSTRING_START"))
_STRINGS_THAT_CLOSE = frozenset(getattr(tokenize, name, -1) for name in ("FSTRING_END", "TSTRING_END"))


class Spelling(Enum):
    """How a comment says that it silences."""

    NOQA = "noqa"
    IGNORE = "ignore"
    IGNORE_FILE = "ignore-file"
    FLAKE8 = "flake8: noqa"


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment from its '#' on; it stands `alone` where its line holds nothing else."""

    line: int
    column: int
    text: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Line:
    """What counts as one line: the lines first..last, with the comment at its end.

    It may hold no `code`, end a statement or leave one open in `brackets`; where it ends inside a `string`,
    nothing can be put behind it.
    """

    first: int
    last: int
    comment: Comment | None
    code: bool
    ends: bool
    brackets: bool
    string: bool


@dataclass(frozen=True, slots=True)
class Word:
    """A code, the beginning of one, or a name of a rule in a comment, in capitals."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Silencer:
    """One order to be silent; without `words` it holds for every rule.

    It holds for what starts in the lines first..last. `end` is the column behind its codes, `reason_end` the
    one behind the text that follows them.
    """

    spelling: Spelling
    comment: Comment
    start: int
    end: int
    reason_end: int
    words: tuple[Word, ...]
    everything: bool
    first: int
    last: int


class Remark(NamedTuple):
    """What is to be said of a comment that does not do what it looks like; the line counts from 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Comments:
    """What the comments of one source silence, and what is odd about them."""

    silencers: tuple[Silencer, ...]
    remarks: tuple[Remark, ...]


def may_silence(source: Source) -> bool:
    """Whether some comment may silence something; strings that say so count as well."""
    return _HINT.search(source.text) is not None


def may_be_odd(source: Source) -> bool:
    """Whether a comment may be worth a remark."""
    return _DOUBTFUL.search(source.text) is not None


def read(source: Source) -> Comments:
    """All that the comments of a source silence, in their order."""
    silencers: list[Silencer] = []
    remarks: list[Remark] = []
    rows = list(lines(source))
    for index, row in enumerate(rows):
        if row.comment is not None and _HINT.search(row.comment.text) is not None:
            for one in _silencers(row, row.comment, source):
                if one.spelling is Spelling.IGNORE and row.comment.alone:
                    one = replace(one, last=_below(rows, index))
                silencers.append(one)
            remarks += (Remark(row.comment.line, said) for said in _odd(row.comment))
    return Comments(tuple(silencers), tuple(remarks))


def lines(source: Source) -> Iterator[Line]:
    """The lines of a source that hold anything; those without a comment too."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source.text).readline))
    except (tokenize.TokenError, SyntaxError):
        # Newer syntax than this interpreter reads: lines as they are, a comment from the first '#'.
        for number in range(1, source.line_count + 1):
            code, mark, text = source.line(number).partition("#")
            comment = Comment(number, len(code), mark + text, not code.strip()) if mark else None
            yield Line(number, number, comment, bool(code.strip()), ends=True, brackets=False, string=True)
        return
    first: int | None = None
    last = depth = strings = 0
    comment, alone = None, True
    for token in tokens:
        if token.type in (tokenize.ENDMARKER, tokenize.DEDENT, tokenize.INDENT):
            continue
        first = token.start[0] if first is None else first
        last = max(last, token.end[0])
        if token.type == tokenize.COMMENT:
            comment = Comment(*token.start, token.string, alone)
        elif token.type in (tokenize.NL, tokenize.NEWLINE):
            # A NEWLINE's own end may be said to be the start of the next line.
            ends = token.type == tokenize.NEWLINE
            end = max(first, token.start[0])
            yield Line(first, end, comment, not alone, ends, brackets=depth > 0, string=strings > 0)
            first, last, comment, alone = None, 0, None, True
        else:
            alone = False
            strings += (token.type in _STRINGS_THAT_OPEN) - (token.type in _STRINGS_THAT_CLOSE)
            if token.type == tokenize.OP:
                depth += (token.string in "([{") - (token.string in ")]}")
    if first is not None:
        # A last line without line end has no NEWLINE where it begins like a comment inside a string.
        yield Line(first, last, comment, not alone, ends=True, brackets=False, string=False)


def same_program(before: Source, after: Source) -> bool:
    """Whether two sources differ in their comments only, as far as this interpreter can read them."""
    try:
        return _code(before) == _code(after)
    except (tokenize.TokenError, SyntaxError):
        return False


def _code(source: Source) -> list[tuple[int, str, int]]:
    tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
    unseen = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE)
    return [(one.type, one.string, one.start[0]) for one in tokens if one.type not in unseen]


def _below(rows: list[Line], index: int) -> int:
    """The last line of the statement below a comment; inside brackets of the next line that holds code."""
    if rows[index].brackets:
        return next((row.last for row in rows[index + 1 :] if row.code), rows[index].last)
    return next((row.last for row in rows[index + 1 :] if row.ends), rows[index].last)


def _silencers(row: Line, comment: Comment, source: Source) -> Iterator[Silencer]:
    text = comment.text
    if (match := _NOQA.search(text)) is not None:
        yield _silencer(Spelling.NOQA, match, row.first, row.last, comment)
    for match in _OURS.finditer(text):
        if match["verb"].lower() == "ignore":
            yield _silencer(Spelling.IGNORE, match, row.first, row.last, comment)
        elif comment.alone:
            yield _silencer(Spelling.IGNORE_FILE, match, 1, source.line_count, comment)
    if comment.alone and (match := _FLAKE8.match(text)) is not None:
        yield _silencer(Spelling.FLAKE8, match, 1, source.line_count, comment)


def _silencer(spelling: Spelling, match: re.Match[str], first: int, last: int, comment: Comment) -> Silencer:
    codes = None if spelling is Spelling.FLAKE8 else match["codes"]
    words: list[Word] = []
    end = match.end()
    if codes is not None:
        for word in _WORD.finditer(comment.text, match.start("codes"), match.end("codes")):
            at = comment.column + word.start()
            span = Span(comment.line, at, comment.line, at + len(word[0]))
            words.append(Word(word[0].upper(), span))
            end = max(match.end() if spelling is not Spelling.NOQA else 0, word.end())
    reason = _REASON.match(comment.text, end)
    assert reason is not None, "nothing at all is a reason, too"
    column = comment.column
    return Silencer(
        spelling,
        comment,
        column + match.start(),
        column + end,
        column + reason.end(),
        tuple(words),
        codes is None,
        first,
        last,
    )


def _odd(comment: Comment) -> Iterator[str]:
    text = comment.text
    noqa = _NOQA.search(text)
    if noqa is not None and noqa["codes"] is None and _UNREAD_CODES.match(text, noqa.end()):
        yield "the codes of this '# noqa' cannot be read, so it silences everything; write '# noqa: TL101'"
    known = {match.start(): match for match in _OURS.finditer(text)}
    for almost in _ALMOST_OURS.finditer(text):
        match = known.get(almost.start())
        if match is None:
            yield f"'torchlint: {almost['said']}' is not known; write ignore[TL101] or ignore-file[TL101]"
        elif match["codes"] is not None and not _WORD.search(match["codes"]):
            yield "this comment names no rule, so it silences nothing"
        elif match["verb"].lower() != "ignore" and not comment.alone:
            yield "a comment for the whole file stands on a line of its own; here it silences nothing"
    flake8 = _FLAKE8.search(text)
    if flake8 is None:
        return
    if not comment.alone or flake8.start():
        yield "'# flake8: noqa' stands on a line of its own; here it silences nothing"
    elif _CODES_OF_FLAKE8.match(text, flake8.end()):
        yield (
            "'# flake8: noqa' takes no codes, so it silences the whole file; "
            "write '# torchlint: ignore-file[TL101]'"
        )
