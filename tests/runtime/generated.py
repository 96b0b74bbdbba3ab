"""Random small programs as source text, put together from the forms of statement_forms.txt.

The same seed gives the same text. No program depends on values: who reads the text can say whether torch
will raise, where, and whether the gradients come out right. The generator knows of a name its shape, whether
it is a leaf, and what it may share memory with: the operand of a write never overlaps its target in part,
because there strides would decide.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from textwrap import indent

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n"
DEEPEST = 2
"""How many blocks stand in one another."""

_SLOT = re.compile(r"\{([a-z]+)(\d?)([!=~]?)\}")
_WORD = re.compile(r"(?<![.\w])\w+")  # no attribute
_SHAPES = {
    "m": "m",
    "n": "m",
    "v": "v",
    "z": "v",
    "r": "r",
    "list": "list",
    "dict": "dict",
    "array": "array",
    "spread": "spread",
}
_NAMES = {
    "m": ("a", "b", "c", "e", "f", "g", "h"),
    "v": ("p", "q", "s", "y", "z"),
    "r": ("r", "o", "j"),
    "list": ("items", "others"),
    "dict": ("table",),
    "array": ("raw",),
    "spread": ("wide", "tall"),
}
_DETACHED = re.compile(r"detach|apart|data")
_WHOLE = ("list", "dict", "array", "spread")
_TENSORS = ("m", "v", "r", "spread")
_LEAVES = (
    "torch.randn({0}, requires_grad=True)",
    "nn.Parameter(torch.randn({0}))",
    "torch.randn({0}).requires_grad_()",
)
_SAVING = ("reads", "views", "operands", "writes", "layers")
"""The sections of statements that save operands or results."""
_ALIASING = ("views", "pieces", "overlaps", "behind", "arrays", "lists", "attributes", "aliases")
"""The sections in which a result may share memory with what is read."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a statement; `text` has slots, and `...` where other statements go."""

    section: str
    text: str


@dataclass(frozen=True, slots=True)
class Forms:
    """All of statement_forms.txt."""

    sections: dict[str, tuple[Form, ...]]
    weights: dict[str, int]
    declarations: dict[str, str]
    """What a program has at its top if it mentions the name; a declaration stands behind those it needs."""

    def __iter__(self) -> Iterator[Form]:
        for forms in self.sections.values():
            yield from dict.fromkeys(forms)


@dataclass(frozen=True, slots=True)
class Program:
    """A source, and the forms of it that run, in the order in which they were taken."""

    text: str
    forms: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class _Variable:
    """What is known of a name: its shape or kind, how it came to be, a number for what shares its memory."""

    shape: str
    origin: str  # leaf, data, computed, or view of a leaf
    memory: int


@dataclass(slots=True)
class _Scope:
    """What is known at one point; `merged` leads from a memory to the one that it was joined with."""

    names: dict[str, _Variable] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)
    happened: list[_Statement] = field(default_factory=list)
    memories: int = 0
    grad: bool = True

    def copy(self) -> _Scope:
        return replace(self, names=dict(self.names), merged=dict(self.merged), happened=list(self.happened))

    def memory(self, name: str) -> int:
        found = self.names[name].memory
        while found in self.merged:
            found = self.merged[found]
        return found

    def bind(self, name: str, shape: str, origin: str) -> None:
        self.memories += 1
        self.names.pop(name, None)  # the newest stand last
        self.names[name] = _Variable(shape, origin, self.memories)

    def join(self, memories: Iterable[int]) -> None:
        first, *others = sorted(set(memories))
        self.merged.update(dict.fromkeys(others, first))


@dataclass(frozen=True, slots=True)
class _Statement:
    """A form with its slots filled, and the names that it binds, writes and reads."""

    form: Form
    text: str
    bound: dict[str, _Variable]
    written: frozenset[str]
    read: frozenset[str]

    def is_clear(self, scope: _Scope) -> bool:
        """Whether no operand shares memory with what is written, unless it is the same name."""
        written = {scope.memory(name) for name in self.written}
        return written.isdisjoint(scope.memory(name) for name in self.read - self.written)

    def happen(self, scope: _Scope) -> None:
        """Tell the scope what it does."""
        sharing = self.written | self.read if self.form.section in _ALIASING else self.written
        shared = {scope.memory(name) for name in sharing}
        origins = {scope.names[name].origin for name in sharing}
        is_view = not origins.isdisjoint(("leaf", "view")) and not _DETACHED.search(self.text)
        for name, made in self.bound.items():
            scope.bind(name, made.shape, "view" if is_view else made.origin)
        if shared:
            scope.join(shared.union(map(scope.memory, self.bound)))
        scope.happened.append(self)


@cache
def forms() -> Forms:
    """The forms of statement_forms.txt."""
    text = Path(__file__).with_name("statement_forms.txt").read_text("utf-8")
    _, *parts = re.split(r"^\[(\w+) ?(\d*)\]\n", text, flags=re.MULTILINE)
    sections: dict[str, tuple[Form, ...]] = {}
    weights: dict[str, int] = {}
    declarations: dict[str, str] = {}
    for title, weight, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if title == "declarations":
            for one in body.strip().split("\n\n\n"):
                named = re.match(r"(?:(?:def|class) )?(\w+)", one)
                assert named is not None, one
                declarations[named[1]] = one
        else:
            pieces = re.split(r"\n(?=\S)(?!\+ |else:)", body.strip())
            sections[title] = tuple(Form(title, re.sub(r"\n\+ ", "\n", one)) for one in pieces)
            weights[title] = int(weight)
    return Forms(sections, weights, declarations)


def program(seed: int) -> Program:
    """The program of this seed."""
    return _Generator(random.Random(seed)).program()


class _Generator:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._forms = forms()
        self._scope = _Scope()

    def program(self) -> Program:
        chance = self._chance
        lines = []
        for name, shape, size in (("w", "m", "3, 3"), ("u", "v", "3")):
            self._scope.bind(name, shape, "leaf")
            lines.append(f"{name} = {chance.choice(_LEAVES).format(size)}")
        for name, shape, size in (("d", "m", "3, 3"), ("k", "v", "3")):
            self._scope.bind(name, shape, "data")
            lines.append(f"{name} = torch.randn({size})")
        lines.append("x = torch.randn(3, 3)")
        lines += [self._statement(0) for _ in range(chance.randint(3, 10))]
        lines.append(self._backward())
        if chance.random() < 0.15:
            self._scope.grad = False  # a step here would run backward a second time
            lines.append(self._statement(DEEPEST))
        body = "\n".join(lines)
        if chance.random() < 0.15:
            body = f"def main():\n{indent(body, '    ')}\n\n\nmain()"
        return Program(
            f"{HEAD}{self._declared(body)}{body}\n", tuple(one.form for one in self._scope.happened)
        )

    def _declared(self, body: str) -> str:
        needed: set[str] = set()
        words = set(_WORD.findall(body))
        for name, text in reversed(self._forms.declarations.items()):
            if name in words:
                needed.add(name)
                words |= set(_WORD.findall(text))
        return "".join(f"{text}\n\n" for name, text in self._forms.declarations.items() if name in needed)

    def _statement(self, depth: int) -> str:
        without = {"blocks"} if depth >= DEEPEST else set()
        if not self._scope.grad:
            without.add("steps")
        weights = {title: weight for title, weight in self._forms.weights.items() if title not in without}
        while True:
            (title,) = self._chance.choices(list(weights), list(weights.values()))
            form = self._chance.choice([one for one in self._forms.sections[title] if self._suits(one)])
            if title == "blocks":
                text = self._block(form, depth)
                if text is not None:
                    return text
                continue
            statement = self._filled(form)
            if statement is not None and statement.is_clear(self._scope):
                statement.happen(self._scope)
                return statement.text + self._write_behind(statement)

    def _write_behind(self, statement: _Statement) -> str:
        """Often, a plain write to what the statement took or gave: only that shows what was saved."""
        if statement.form.section not in _SAVING or self._chance.random() > 0.3:
            return ""
        names = [
            name
            for name in sorted(statement.read | statement.bound.keys())
            if (variable := self._scope.names.get(name)) is not None
            and variable.shape in ("m", "v", "r")
            and (variable.origin in ("computed", "data") or not self._scope.grad)
        ]
        if not names:
            return ""
        name = self._chance.choice(names)
        form = Form("writes", "{t!}.mul_({k})")
        text = f"{name}.mul_({self._chance.uniform(0.1, 2):.3f})"
        write = _Statement(form, text, {}, frozenset((name,)), frozenset((name,)))
        write.happen(self._scope)
        return f"\n{text}"

    def _suits(self, form: Form) -> bool:
        """Whether the scope has a list, dict or array where the form asks for one."""
        asked = {kind for kind, _, sign in _SLOT.findall(form.text) if kind in _WHOLE and sign != "="}
        return asked <= {variable.shape for variable in self._scope.names.values()}

    def _block(self, form: Form, depth: int) -> str | None:
        """A block; None where the second round of a loop would mix memory in a way that strides decide."""
        before = self._scope.copy()
        heads = re.split(r"\n {4}\.\.\.\n?", form.text)[:-1]
        dead = {"if not FLAG:": 0, "if FLAG:": 1}.get(heads[0])
        _Statement(form, "", {}, frozenset(), frozenset()).happen(self._scope)
        text = ""
        for number, head in enumerate(heads):
            outer = self._scope.copy()
            self._scope.grad = head != "with torch.no_grad():" and (
                self._scope.grad or head == "with torch.enable_grad():"
            )
            lines = [self._statement(depth + 1) for _ in range(self._chance.randint(1, 3))]
            text += f"{head}\n{indent(chr(10).join(lines), '    ')}\n"
            if number == dead:
                self._scope = outer
            self._scope.grad = outer.grad
        if form.text.startswith("for"):
            for statement in self._scope.happened[len(before.happened) :]:
                if not statement.is_clear(self._scope):
                    self._scope = before
                    return None
                statement.happen(self._scope)
        return text.rstrip("\n")

    def _filled(self, form: Form) -> _Statement | None:
        """The form with names of the scope; None where it asks for what is not there."""
        shape = self._chance.choice(("m", "m", "m", "v", "v", "r"))
        chosen: dict[tuple[str, str, str], str] = {}
        bound: dict[str, _Variable] = {}
        origin = "leaf" if "requires_grad_()" in form.text else "computed"
        for kind, number, sign in dict.fromkeys(_SLOT.findall(form.text)):
            wanted = _SHAPES.get(kind, shape)
            if kind == "k":
                name = f"{self._chance.uniform(0.1, 2):.3f}"
            elif kind == "new":
                name = "float(torch.rand(()))"
            elif kind in ("i", "j"):
                name = str(self._chance.randrange(3 if kind == "i" else 2))
            elif sign == "=":
                name = self._new(wanted, bound)
                bound[name] = _Variable(wanted, origin, 0)
            else:
                there = self._old("" if kind == "leaf" else wanted, sign, leaf=kind == "leaf")
                if there is None:
                    return None
                name = there
            chosen[kind, number, sign] = name
        # Each number is drawn anew, so that nothing is overwritten with what it holds already.
        text = _SLOT.sub(lambda slot: chosen[slot[1], slot[2], slot[3]], form.text)
        uses = {
            key: name
            for key, name in chosen.items()
            if key[0] not in ("k", "i", "j", "new") and key[2] != "="
        }
        return _Statement(
            form,
            text,
            bound,
            frozenset(name for key, name in uses.items() if key[2] in ("!", "~")),
            frozenset(uses.values()),
        )

    def _new(self, shape: str, taken: Iterable[str]) -> str:
        pool = [name for name in _NAMES[shape] if name not in taken]
        old = [name for name in pool if name in self._scope.names]
        free = [name for name in pool if name not in self._scope.names]
        return self._chance.choice(old) if old and (not free or self._chance.random() < 0.3) else free[0]

    def _old(self, shape: str, sign: str, *, leaf: bool) -> str | None:
        """A name of this shape: rather a new one, and hardly ever a leaf where that would raise."""
        often = {"computed": 3.0, "view": 1.0, "leaf": 1.0, "data": 0.7}
        if sign and self._scope.grad:
            often |= {"view": 0.03, "leaf": 0.03}
        if sign == "~":
            often = {"computed": 1.0}
        weights = {
            name: often.get(variable.origin, 0.0) * (1 + place / 10)
            for place, (name, variable) in enumerate(self._scope.names.items())
            if (variable.origin == "leaf" if leaf else variable.shape == shape)
        }
        if not any(weights.values()):
            return None
        return self._chance.choices(list(weights), list(weights.values()))[0]

    def _backward(self) -> str:
        names = [
            name
            for name, variable in self._scope.names.items()
            if variable.shape in _TENSORS and variable.origin in ("computed", "view")
        ]
        asked = self._chance.sample(names, min(len(names), self._chance.randint(1, 4)))
        terms = [f"{name}.{self._chance.choice(('sum', 'mean'))}()" for name in ("w", *asked)]
        loss = " + ".join(terms)
        return self._chance.choice((f"({loss}).backward()", f"loss = {loss}\nloss.backward()"))
