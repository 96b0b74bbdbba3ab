"""Where a comment goes that silences a diagnostic, and what it says there."""

from __future__ import annotations

import io
import re
import tokenize

from torchlint.diagnostic import Edit, Span
from torchlint.source import Source

_IGNORE = re.compile(r"#\s*torchlint:\s*ignore\[(?P<codes>[^\]]*)\]", re.IGNORECASE)


def ignoring(source: Source, line: int, code: str) -> Edit:
    """The edit that silences a code on a line: a comment at its end, or one more code in such a one."""
    last = _end(source, line)
    text = source.line(last)
    known = _IGNORE.search(text)
    if known is not None:
        codes = [word for word in re.split(r"[,\s]+", known["codes"]) if word]
        if code in codes:
            return Edit(Span.at(last, known.end("codes")), "")
        span = Span(last, known.start("codes"), last, known.end("codes"))
        return Edit(span, ", ".join((*codes, code)))
    end = len(text.rstrip())
    return Edit(Span(last, end, last, len(text)), f"  # torchlint: ignore[{code}]")


def _end(source: Source, line: int) -> int:
    """The last line of what counts as one line: a string over several, or lines joined by a backslash."""
    last = line
    try:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.start[0] > last and not source.line(last).endswith("\\"):
                break
            if token.start[0] <= last < token.end[0] and token.type != tokenize.NEWLINE:
                last = token.end[0]
            while last < source.line_count and token.start[0] >= last and source.line(last).endswith("\\"):
                last += 1
    except (tokenize.TokenError, SyntaxError):
        pass  # newer syntax than this interpreter reads: the line as it is
    return last
