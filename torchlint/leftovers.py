"""Imports of names that fixes have left without a use.

Only what is surely unused goes: a name that a `from` import of the module level binds from torch, whose last
use a fix took away, and which no string of the file says. In `__init__.py` and stubs imports are for others.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from torchlint.diagnostic import Edit, Span
from torchlint.source import Source

_NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT)
_FROM_TORCH = re.compile(r"^from[ \t]+torch\b", re.MULTILINE)
_FOR_OTHERS = ("__init__.py", ".pyi")


@dataclass(frozen=True, slots=True)
class _Alias:
    """One name of a `from` import: where it stands, and what it binds."""

    bound: str
    start: tuple[int, int]
    end: tuple[int, int]
    as_it_is: bool  # not `name as name`, which says that it is for others


@dataclass(frozen=True, slots=True)
class _Import:
    """A `from` import of torch that stands at the module level, on lines of its own."""

    start: tuple[int, int]
    end: tuple[int, int]
    aliases: tuple[_Alias, ...]
    comments: tuple[tuple[int, str], ...]


def leftover(before: Source, after: Source) -> Edit | None:
    """The edit that takes from the imports of `after` a name that `before` used; None where there is none."""
    if after.filename.endswith(_FOR_OTHERS) or not _FROM_TORCH.search(after.text):
        return None
    try:
        old, new = _Names.of(before), _Names.of(after)
    except (tokenize.TokenError, SyntaxError):
        return None
    for statement in new.imports:
        for number, alias in enumerate(statement.aliases):
            once = sum(each.bound == alias.bound for one in new.imports for each in one.aliases) == 1
            unused = alias.bound in old.used and alias.bound not in new.used
            if once and unused and alias.as_it_is and not new.says(alias.bound):
                span = _span(after, statement, number)
                if span is not None:
                    return Edit(span, "")
    return None


def _span(source: Source, statement: _Import, number: int) -> Span | None:
    """What goes with one name: a comma, or the lines of the import; None where that would take a comment."""
    alias, aliases = statement.aliases[number], statement.aliases
    if len(aliases) == 1:
        last = statement.end[0]
        start = (statement.start[0], 0)
        end = (last + 1, 0) if last < source.line_count else (last, len(source.line(last)))
    elif number + 1 < len(aliases):
        start, end = alias.start, aliases[number + 1].start
    else:
        start, end = aliases[number - 1].end, alias.end
    for line, comment in statement.comments:
        if "noqa" in comment or line in range(start[0], end[0] + 1 if end[1] else end[0]):
            return None
    return Span(*start, *end)


class _Names:
    """The names that a source uses and imports, and its strings."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.imports: list[_Import] = []
        self._strings: list[str] = []

    @classmethod
    def of(cls, source: Source) -> _Names:
        """Those of a source. Raises TokenError or SyntaxError where this Python cannot read it."""
        names = cls()
        for line in _lines(source):
            code = [token for token in line if token.type not in _NO_CODE]
            if not code:
                continue
            if code[0].string in ("from", "import") and all(token.string != ";" for token in code):
                found = _import(line, code)
                names.imports += [found] if found is not None else []
                continue
            before = ""
            for token in code:
                if token.type == tokenize.NAME and before != ".":
                    names.used.add(token.string)
                elif token.type not in (tokenize.OP, tokenize.NUMBER, tokenize.NAME):
                    names._strings.append(token.string)
                before = token.string
        return names

    def says(self, name: str) -> bool:
        """Whether a string holds a name: `__all__`, an annotation, code in an f-string."""
        word = re.compile(rf"\b{re.escape(name)}\b")
        return any(word.search(text) for text in self._strings)


def _lines(source: Source) -> Iterator[list[tokenize.TokenInfo]]:
    """The tokens of each logical line, NEWLINE included."""
    line: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        line.append(token)
        if token.type == tokenize.NEWLINE:
            yield line
            line = []


def _import(line: list[tokenize.TokenInfo], code: list[tokenize.TokenInfo]) -> _Import | None:
    """The import that a logical line is; None where it is not one that may lose a name."""
    words = [token.string for token in code]
    if words[0] != "from" or code[0].start[1] or words[1] != "torch" or "*" in words:
        return None
    named = code[words.index("import") + 1 :]
    aliases: list[_Alias] = []
    parts: list[tokenize.TokenInfo] = []
    for token in named:
        if token.type == tokenize.NAME:
            parts.append(token)
        elif parts:
            renamed = len(parts) > 1
            same = renamed and parts[0].string == parts[-1].string
            aliases.append(_Alias(parts[-1].string, parts[0].start, parts[-1].end, not same))
            parts = []
    comments = [(token.start[0], token.string) for token in line if token.type == tokenize.COMMENT]
    return _Import(code[0].start, code[-1].start, tuple(aliases), tuple(comments))
