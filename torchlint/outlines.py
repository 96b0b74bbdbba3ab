"""The outline of a source that changes again and again: only the statements that changed are parsed anew.

A source is cut into pieces, each some whole statements of the module level. What a piece says is kept with
places that count from its own beginning, so that it stays true where something above it grows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from torchlint.constructs import FILLING, UNREADABLE, Construct, gist
from torchlint.definitions import LEARNS, Above, ClassOutline, Definition, factory
from torchlint.nodes import move
from torchlint.skeleton import Skeleton, bound_once, of_tree, parse
from torchlint.source import Source


@dataclass(slots=True, eq=False)
class Piece:
    """Some whole statements of a module level: as many lines, what they say, what of it others may know."""

    length: int
    skeleton: Skeleton
    learning: tuple[str, ...]  # the functions that say something of parameters; see `Classes.learns`
    _facts: tuple[object, ...] | None = None

    @property
    def facts(self) -> tuple[object, ...]:
        """What it declares, to be compared: all that others can ask but the texts of definitions."""
        if self._facts is None:
            said = self.skeleton
            self._facts = (
                tuple(said.imports.items()),
                tuple(said.stars),
                tuple(sorted(said.itself)),
                repr(said.bound),
                tuple((name, mark(one)) for name, one in said.definitions.items()),
                tuple((name, mark_of_class(one)) for name, one in said.classes.items()),
                self.learning,
            )
        return self._facts


_MOST_EARLIER = 8  # of what is kept in case that a change is taken back


class Outlines:
    """The pieces of one file, from text to text."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._pieces: list[Piece] = []
        self._users: dict[str, set[Piece]] = {}
        self._earlier: list[tuple[list[str], list[Piece]]] = []
        self.changed = True  # whether the last text says anything new to others; see `Piece.facts`

    def outline(self, source: Source) -> Skeleton:
        """The skeleton of a text. Raises UnreadableSource, and goes on from the last good text then."""
        lines = source.text.split("\n")
        above, below = _same(self._lines, lines)
        first, kept_above = self._kept_above(above)
        last, kept_below = self._kept_below(below, len(self._pieces) - first)
        old = self._pieces[first : len(self._pieces) - last]
        changed = lines[kept_above : len(lines) - kept_below]
        new = self._taken_back(changed) or _pieces(changed)
        if new is None:
            # Alone they are no statements; with those around them they may be, or the text is no Python.
            if first:
                first -= 1  # an `else` goes on with the statement above it, and with none above that
                kept_above -= self._pieces[first].length
            old = self._pieces[first:]
            new = _rest(lines, kept_above, source)
        elif old:
            self._earlier.append((self._lines[kept_above : len(self._lines) - kept_below], old))
            del self._earlier[:-_MOST_EARLIER]
        self.changed = [one.facts for one in old] != [one.facts for one in new]
        self._exchange(first, old, new)
        self._lines = lines
        return Merged(self._pieces, self._users)

    def _taken_back(self, lines: list[str]) -> list[Piece] | None:
        """The pieces that these lines were, not long ago."""
        for number, (known, pieces) in enumerate(self._earlier):
            if known == lines:
                del self._earlier[number]
                return pieces
        return None

    def _kept_above(self, same: int) -> tuple[int, int]:
        """How many pieces lie above what changed and do not touch it, and how many lines they are."""
        lines = 0
        for number, piece in enumerate(self._pieces):
            if lines + piece.length >= same:
                return number, lines
            lines += piece.length
        return len(self._pieces), lines

    def _kept_below(self, same: int, most: int) -> tuple[int, int]:
        lines = 0
        for number, piece in enumerate(reversed(self._pieces)):
            if number >= most or lines + piece.length >= same:
                return number, lines
            lines += piece.length
        return min(most, len(self._pieces)), lines

    def _exchange(self, first: int, old: list[Piece], new: list[Piece]) -> None:
        for piece in old:
            for name in piece.skeleton.uses:
                self._users[name].discard(piece)
        for piece in new:
            for name in piece.skeleton.uses:
                self._users.setdefault(name, set()).add(piece)
        self._pieces[first : first + len(old)] = new
        lines = 0
        for piece in self._pieces:
            piece.skeleton.above.lines = lines
            lines += piece.length


class Merged(Skeleton):
    """What some pieces say together: the same as their text does in one."""

    def __init__(self, pieces: Sequence[Piece], users: Mapping[str, set[Piece]]) -> None:
        super().__init__(ast.Module([node for one in pieces for node in one.skeleton.tree.body], []))
        self._said = [one.skeleton for one in pieces]
        for one in self._said:
            lines = one.above.lines
            self.imports.update(one.imports)
            self.stars += one.stars
            self.definitions.update(one.definitions)
            self.classes.update(one.classes)
            self.blanked += [(first + lines, last + lines, indent) for first, last, indent in one.blanked]
            self.itself |= one.itself
        self._users = users

    @cached_property
    def call_sites(self) -> dict[str, list[str]]:
        """As in any skeleton; each name is looked up when somebody asks."""
        return _Sites(self.definitions, self._users)

    @cached_property
    def bound_by_calls(self) -> tuple[tuple[str, str], ...]:
        """As in any skeleton."""
        return tuple(pair for one in self._said for pair in one.bound_by_calls)

    @cached_property
    def constants(self) -> dict[str, object]:
        """As in any skeleton."""
        return bound_once(pair for one in self._said for pair in one.bound)

    def import_end(self, name: str, dotted_name: str) -> tuple[int, int] | None:
        """As in any skeleton."""
        ends = [
            (depth, (line + one.above.lines, column))
            for one in self._said
            for depth, line, column in one.import_ends(name, dotted_name)
        ]
        return min(ends, key=lambda end: end[0])[1] if ends else None


class _Sites(dict[str, list[str]]):
    """The definitions that use a name, in the order of a walk over the whole tree, level by level."""

    def __init__(self, definitions: Mapping[str, Definition], users: Mapping[str, set[Piece]]) -> None:
        super().__init__()
        self._definitions = definitions
        self._users = users

    def __contains__(self, name: object) -> bool:
        return bool(self._users.get(str(name)))

    def __missing__(self, name: str) -> list[str]:
        self[name] = found = self._merged(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401

    def _merged(self, name: str) -> list[str]:
        pieces = sorted(self._users.get(name, ()), key=lambda piece: piece.skeleton.above.lines)
        uses = [
            (depth, self._user(piece, user))
            for piece in pieces
            for user, depth in piece.skeleton.uses[name].items()
        ]
        uses.sort(key=lambda use: use[0])
        return list(dict.fromkeys(user for _, user in uses))

    def _user(self, piece: Piece, user: str) -> str:
        """A function that another one of its name follows is a part of the module level."""
        known = self._definitions.get(user)
        return user if known is not None and known.above is piece.skeleton.above else ""


def mark(definition: Definition) -> tuple[object, ...]:
    """What a function shows to those that call it, to be compared; all but what its body does."""
    known = _MARKS.get(definition.node)
    if known is None:
        known = _MARKS[definition.node] = _mark(definition)
    return known


def mark_of_class(outline: ClassOutline) -> tuple[object, ...]:
    """What a class shows to others, to be compared."""
    known = _MARKS.get(outline.node)
    if known is None:
        known = _MARKS[outline.node] = _declared(outline)
    return known


_MARKS: WeakKeyDictionary[ast.AST, tuple[object, ...]] = WeakKeyDictionary()


def _mark(definition: Definition) -> tuple[object, ...]:
    node = definition.node
    head = [
        ast.dump(one) for one in (node.args, *node.decorator_list, *([node.returns] if node.returns else []))
    ]
    return (
        type(node).__name__,
        definition.qualname,
        definition.indent,
        definition.is_playable,
        definition.loops,
        definition.is_hollow,
        definition.leads_to,
        _made(definition),
        *head,
    )


def _made(definition: Definition) -> str:
    """What a function builds, for those who look at a call of it; empty where it builds no layer."""
    made = factory(definition)
    if made is None:
        return ""
    calls = [one for one in made.calls if isinstance(one, Construct)]
    if made.handed is None and not any(one.names_class for one in calls):
        return ""
    return repr(made)


def _declared(one: ClassOutline) -> tuple[object, ...]:
    storing = [(name, [method.name for method in methods]) for name, methods in one.storing.items()]
    # Of calls others ask which build modules: none on self, and none but those of classes by its arguments.
    built = [
        gist(call) if call.names_class else call.callee
        for call in one.calls
        if not call.callee.startswith(("self.", "super."))
    ]
    filling = [
        (call.callee, [item is UNREADABLE for item in call.arguments])
        for call in one.calls
        if call.callee.startswith("self.") and call.callee.rpartition(".")[2] in FILLING
    ]
    stores = [method.stores_on_self() for method in one.methods.values()]
    return (
        one.bases,
        tuple(one.methods),
        one.fields,
        {name: tuple(map(gist, values)) for name, values in one.attributes.items()},
        (tuple(built), repr((storing, stores, filling))),
        {name: frozenset(uses) for name, uses in one.attribute_uses.items()},
        one.buffers,
        one.snapshots,
        one.mentions_training,
    )


def _same(old: list[str], new: list[str]) -> tuple[int, int]:
    """How many lines two texts share at the beginning, and at the end behind those."""
    most = min(len(old), len(new))
    above = next((number for number in range(most) if old[number] != new[number]), most)
    most -= above
    below = next((number for number in range(most) if old[-1 - number] != new[-1 - number]), most)
    return above, below


def _pieces(lines: list[str]) -> list[Piece] | None:
    """The pieces that some lines are; None where they are no statements by themselves."""
    if not lines:
        return []
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return _cut(tree, lines)


def _rest(lines: list[str], above: int, source: Source) -> list[Piece]:
    """The pieces below so many lines, which are whole statements. Raises UnreadableSource."""
    # Messages name lines, so those above are there, and empty.
    tree = parse(source.with_text("\n" * above + "\n".join(lines[above:])))
    move(tree, -above)
    return _cut(tree, lines[above:])


def _cut(tree: ast.Module, lines: list[str]) -> list[Piece]:
    """The tree of these lines in pieces, each up to where the next statement begins."""
    groups = list(_groups(tree.body)) or [(1, [])]
    starts = [1, *(start for start, _ in groups[1:]), len(lines) + 1]
    pieces = []
    for (_, nodes), start, end in zip(groups, starts, starts[1:], strict=False):
        for node in nodes:
            move(node, 1 - start)
        skeleton = of_tree(ast.Module(nodes, []), Above())
        pieces.append(Piece(end - start, skeleton, _learning(skeleton, lines[start - 1 : end - 1])))
    return pieces


def _learning(skeleton: Skeleton, lines: list[str]) -> tuple[str, ...]:
    if not any(LEARNS in line for line in lines):
        return ()
    return tuple(
        name
        for name, one in skeleton.definitions.items()
        if any(LEARNS in line for line in lines[one.first - 1 : one.last])
    )


def _groups(body: list[ast.stmt]) -> Iterator[tuple[int, list[ast.stmt]]]:
    """The statements by the lines at which they begin; those that share a line are together."""
    nodes: list[ast.stmt] = []
    start = end = 0
    for node in body:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        if nodes and first > end:
            yield start, nodes
            nodes = []
        if not nodes:
            start = first
        nodes.append(node)
        end = node.end_lineno or node.lineno
    if nodes:
        yield start, nodes
