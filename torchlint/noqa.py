"""Comments that silence a diagnostic on the line it starts on.

`# noqa` and `# noqa: TL101, TL3` work as flake8 reads them, `# torchlint: ignore[TL101] reason` is
torchlint's own and takes names of rules too. A line means what flake8 means by it: a string over
several lines, or lines joined by a backslash, count as one; lines inside brackets do not.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator

from torchlint.diagnostic import Diagnostic
from torchlint.source import Source

# A list of codes that cannot be read silences everything, as in flake8.
_NOQA = re.compile(r"#\s*noqa\b(?::\s?(?P<codes>(?:[A-Z]+[0-9]+[,\s]*)+))?", re.IGNORECASE)
_IGNORE = re.compile(r"#\s*torchlint:\s*ignore\[(?P<codes>[^\]]*)\]", re.IGNORECASE)
_HINT = re.compile(r"#\s*(?:noqa|torchlint:)", re.IGNORECASE)
_SEPARATOR = re.compile(r"[,\s]+")
_EVERYTHING = ("",)


def unsuppressed(source: Source, diagnostics: Iterable[Diagnostic], *, noqa: bool = True) -> list[Diagnostic]:
    """The diagnostics that no comment silences; `noqa=False` heeds torchlint's own comments alone.

    TL0xx are about torchlint's reading of the file, not about a line, so nothing silences them.
    """
    diagnostics = list(diagnostics)
    if not diagnostics or _HINT.search(source.text) is None:
        return diagnostics
    silenced = _silenced(source, noqa=noqa)
    return [
        diagnostic
        for diagnostic in diagnostics
        if diagnostic.code.startswith("TL0") or not _names(silenced.get(diagnostic.line, ()), diagnostic)
    ]


def _names(words: Iterable[str], diagnostic: Diagnostic) -> bool:
    name = diagnostic.name.upper()
    return any(diagnostic.code.startswith(word) or word == name for word in words)


def _silenced(source: Source, *, noqa: bool) -> dict[int, tuple[str, ...]]:
    """Per line, the code prefixes and names, in capitals, that its comments silence."""
    found: dict[int, tuple[str, ...]] = {}
    for first, last, comments in _lines(source):
        words: tuple[str, ...] = ()
        for comment in comments:
            for match in _IGNORE.finditer(comment):
                words += _split(match["codes"])
            for match in _NOQA.finditer(comment) if noqa else ():
                words += _split(match["codes"]) if match["codes"] else _EVERYTHING
        for line in range(first, last + 1) if words else ():
            found[line] = words
    return found


def _split(codes: str) -> tuple[str, ...]:
    return tuple(word.upper() for word in _SEPARATOR.split(codes) if word)


def _lines(source: Source) -> Iterator[tuple[int, int, list[str]]]:
    """First line, last line and comments of everything that counts as one line."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source.text).readline))
    except (tokenize.TokenError, SyntaxError):
        # Newer syntax than this interpreter reads: lines as they are, a comment from the first '#'.
        for number in range(1, source.line_count + 1):
            _, mark, comment = source.line(number).partition("#")
            yield number, number, [mark + comment]
        return
    first: int | None = None
    last = 0
    comments: list[str] = []
    for token in tokens:
        if token.type in (tokenize.ENDMARKER, tokenize.DEDENT):
            continue
        first = token.start[0] if first is None else first
        last = max(last, token.end[0])
        if token.type == tokenize.COMMENT:
            comments.append(token.string)
        elif token.type in (tokenize.NL, tokenize.NEWLINE):
            # A NEWLINE's own end may be said to be the start of the next line.
            yield first, max(first, token.start[0]), comments
            first, last, comments = None, 0, []
