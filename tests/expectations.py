"""What a fixture, or a code block of a page, says about itself in its comments.

Comments are found by `tokenize`, so the same words inside a string mean nothing. A comment that starts
with a word of the table below must have the whole form; anything else raises `MalformedExpectation`.

    # want TL101 "part of the message"      a finding on this line; the text may be left out
    # want TL101 "..." TL401 "..."          several on one line
    # want @+1 TL101                        a finding on the next line
    # missed TL101 why                      a finding that ought to be here, and is not
    # false TL101 why                       a finding that is here, and ought not to be
    # meant TL101 why                       torch does what the rule is about, and it is silent on purpose
    # state model: mode=train grad=yes      what the engine believes after this line
    # gap model: mode=train                 what is true after this line, and the engine does not see
    # runtime: raises RuntimeError "text"   how real torch behaves when the file is run
    # runtime: observed                     it runs, and an observer sees what the linter says
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

FORMS = ("want", "missed", "false", "meant", "state", "gap", "runtime")

_FIRST_WORD = re.compile(r"#+\s*(?P<word>[a-z]+)(?![\w'-])")
_OFFSET = re.compile(r"\s*@(?P<offset>[+-]\d+)(?=\s)")
_CODE = re.compile(r"\s*(?P<code>TL\d{3})(?=\s|$)")
_TEXT = re.compile(r'\s+"(?P<text>(?:[^"\\]|\\.)*)"(?=\s|$)')
_NEXT_FORM = re.compile(r"\s+(?=#\s*[a-z]+)")
_WHY = re.compile(r"\s+(?P<why>[^\s#][^#]*?)(?=\s*(?:#|$))")
_BELIEF = re.compile(r"(?P<key>[a-z_]+)=(?P<value>[A-Za-z_]\w*)")
_RAISES = re.compile(r'raises\s+(?P<error>[A-Za-z_][\w.]*)(?:\s+"(?P<text>(?:[^"\\]|\\.)*)")?')
# A rule's code where a form would have it: the last group tells a form that stops there from prose.
_NEAR_MISS = re.compile(r'#+\s*(?P<word>[\w-]+)?:?\s*(?:@[+-]?\d+\s+)?TL\d{3}\b(?P<ends>\s*(?:"|$))?')
_BESIDE_CODE = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)


class MalformedExpectation(Exception):
    """A comment that looks like an expectation and is none; says where and what is allowed."""


@dataclass(frozen=True, slots=True)
class Want:
    """A finding that must be there; `text` is None where any message will do."""

    line: int
    code: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """One code on one line, where the linter and what torch does part, and why."""

    line: int
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Belief:
    """What the engine holds of one place after one line, as words: `mode` is `train`."""

    line: int
    place: str
    words: tuple[tuple[str, str], ...]
    gap: bool = False
    """True, but not held: strict, so that the line must become a `state` once the engine sees it."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """How real torch behaves; `error` is None where the file runs to its end."""

    line: int
    error: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Expectations:
    """Everything one source says about itself, in the order of its lines."""

    wants: tuple[Want, ...] = ()
    missed: tuple[Gap, ...] = ()
    false: tuple[Gap, ...] = ()
    meant: tuple[Gap, ...] = ()
    beliefs: tuple[Belief, ...] = ()
    runtime: Runtime | None = None

    def wanted(self, code: str) -> tuple[Want, ...]:
        """The findings of one rule."""
        return tuple(want for want in self.wants if want.code == code)


def expectations(text: str, name: str = "<fixture>") -> Expectations:
    """Read the comments of one source; `name` is for the error message only."""
    reader = _Reader(name)
    tokens = _tokens(text, name)
    for token in tokens:
        if token.type not in _BESIDE_CODE:
            reader.code_lines.update(range(token.start[0], token.end[0] + 1))
    for token in tokens:
        if token.type == tokenize.COMMENT:
            own_line = not token.line[: token.start[1]].strip()
            reader.read(token.string.rstrip(), token.start[0], own_line=own_line)
    return reader.result()


def claim(text: str, name: str = "<fixture>") -> str:
    """The docstring that a fixture's first line must be, without its quotes."""
    first = text.removeprefix("\ufeff").split("\n", 1)[0].rstrip()
    match = re.match(r'"""(?P<claim>[^\s"].*?)(?:"""|$)', first)
    if match is None:
        raise MalformedExpectation(
            f'{name}:1: the first line must be the claim, as """one line""": {first!r}'
        )
    return match["claim"]


@dataclass(slots=True)
class _Reader:
    name: str
    code_lines: set[int] = field(default_factory=set)
    wants: list[Want] = field(default_factory=list)
    missed: list[Gap] = field(default_factory=list)
    false: list[Gap] = field(default_factory=list)
    meant: list[Gap] = field(default_factory=list)
    beliefs: list[Belief] = field(default_factory=list)
    runtime: Runtime | None = None

    def result(self) -> Expectations:
        return Expectations(
            tuple(self.wants),
            tuple(self.missed),
            tuple(self.false),
            tuple(self.meant),
            tuple(self.beliefs),
            self.runtime,
        )

    def read(self, comment: str, line: int, *, own_line: bool) -> None:
        """Take one comment, which may hold several forms, each with its own `#`."""
        at = 0
        while at < len(comment):
            form = _form(comment[at:])
            if form is None:
                self._refuse_near_misses(comment[at:], line)
                following = _NEXT_FORM.search(comment, at)
                at = following.end() if following else len(comment)
                continue
            body = comment[at:].lstrip("#").lstrip()[len(form) :]
            start = len(comment) - len(body)
            match form:
                case "want":
                    used = self._want(body, line)
                case "missed":
                    used = self._gap(body, line, self.missed, form)
                case "false":
                    used = self._gap(body, line, self.false, form)
                case "meant":
                    used = self._gap(body, line, self.meant, form)
                case "state" | "gap":
                    used = self._state(body, line, form)
                case _:
                    used = self._runtime(body, line, own_line=own_line)
            rest = _NEXT_FORM.match(comment, start + used)
            if rest is None and comment[start + used :].strip():
                raise self._malformed(line, comment, f"cannot read {comment[start + used :].strip()!r}")
            at = rest.end() if rest else len(comment)

    def _want(self, body: str, line: int) -> int:
        at, target, found = 0, line, False
        while True:
            if offset := _OFFSET.match(body, at):
                target, at = line + int(offset["offset"]), offset.end()
            code = _CODE.match(body, at)
            if code is None:
                break
            text = _TEXT.match(body, code.end())
            at = text.end() if text else code.end()
            self._on_code(target, line, "want" + body)
            self.wants.append(Want(target, code["code"], _unescaped(text["text"]) if text else None))
            found = True
        if not found:
            raise self._malformed(line, "want" + body, "a code such as TL101 is missing")
        return at

    def _gap(self, body: str, line: int, gaps: list[Gap], form: str) -> int:
        offset = _OFFSET.match(body)
        code = _CODE.match(body, offset.end() if offset else 0)
        why = _WHY.match(body, code.end()) if code else None
        if code is None or why is None:
            raise self._malformed(line, form + body, f"must be: # {form} TL101 why")
        target = line + int(offset["offset"]) if offset else line
        self._on_code(target, line, form + body)
        gaps.append(Gap(target, code["code"], why["why"]))
        return why.end()

    def _state(self, body: str, line: int, form: str) -> int:
        body = body.split("#", 1)[0].rstrip()
        offset = _OFFSET.match(body)
        target = line + int(offset["offset"]) if offset else line
        place, colon, words = body[offset.end() if offset else 0 :].partition(": ")
        pairs = [_BELIEF.fullmatch(word) for word in words.split()]
        if not (place.strip() and colon and pairs) or None in pairs:
            raise self._malformed(line, form + body, f"must be: # {form} place: key=word key=word")
        self._on_code(target, line, form + body)
        words_held = tuple((pair["key"], pair["value"]) for pair in pairs if pair)
        self.beliefs.append(Belief(target, place.strip(), words_held, gap=form == "gap"))
        return len(body)

    def _runtime(self, body: str, line: int, *, own_line: bool) -> int:
        said = body.removeprefix(":").strip()
        raises = _RAISES.fullmatch(said)
        if not body.startswith(":") or (raises is None and said != "observed"):
            allowed = '# runtime: observed, or # runtime: raises RuntimeError "text"'
            raise self._malformed(line, "runtime" + body, f"must be: {allowed}")
        if not own_line:
            raise self._malformed(line, "runtime" + body, "must stand on a line of its own")
        if self.runtime is not None:
            raise self._malformed(line, "runtime" + body, f"line {self.runtime.line} says it already")
        if raises is None:
            self.runtime = Runtime(line)
        else:
            text = raises["text"]
            self.runtime = Runtime(line, raises["error"], None if text is None else _unescaped(text))
        return len(body)

    def _on_code(self, target: int, line: int, comment: str) -> None:
        if target not in self.code_lines:
            raise self._malformed(line, comment, f"line {target} has no code")

    def _refuse_near_misses(self, comment: str, line: int) -> None:
        near = _NEAR_MISS.match(comment)
        if near is None or near["word"] in ("noqa", "ignore"):
            return
        if near["ends"] is not None or get_close_matches((near["word"] or "").lower(), FORMS):
            raise self._malformed(line, comment, f"the forms are {', '.join(FORMS)}")

    def _malformed(self, line: int, comment: str, why: str) -> MalformedExpectation:
        return MalformedExpectation(f"{self.name}:{line}: {comment.strip()!r}: {why}")


def _form(comment: str) -> str | None:
    first = _FIRST_WORD.match(comment)
    if first is None or first["word"] not in FORMS:
        return None
    return first["word"]


def _tokens(text: str, name: str) -> Sequence[tokenize.TokenInfo]:
    try:
        return list(_generated(text.removeprefix("\ufeff")))
    except (tokenize.TokenError, SyntaxError) as error:
        raise MalformedExpectation(f"{name}: not Python: {error}") from error


def _generated(text: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text).readline)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
