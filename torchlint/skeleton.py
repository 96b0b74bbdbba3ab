"""The outline of a source, read with the standard library's `ast`: cheap, and enough to decide what to parse.

It knows imports, classes with their layers, definitions with their lines, and who calls whom.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from torchlint.constructs import UNREADABLE, Construct, construct, dotted
from torchlint.definitions import Above, ClassOutline, Definition
from torchlint.errors import UnreadableSource
from torchlint.nodes import by_level
from torchlint.source import Source


@dataclass
class Skeleton:
    """The outline of one source."""

    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    definitions: dict[str, Definition] = field(default_factory=dict)
    classes: dict[str, ClassOutline] = field(default_factory=dict)
    blanked: list[tuple[int, int, int]] = field(default_factory=list)
    itself: set[str] = field(default_factory=set)  # names of the module level for this very module
    above: Above = field(default_factory=Above)  # what stands above the first line of the tree

    @cached_property
    def call_sites(self) -> dict[str, list[str]]:
        """For each called or passed name (last part), the definitions that use it; "" is the module level."""
        return {name: list(users) for name, users in self.uses.items()}

    @cached_property
    def uses(self) -> dict[str, dict[str, int]]:
        """The same with the depth in the tree at which each definition uses the name first."""
        uses: dict[str, dict[str, int]] = {}
        spans = sorted((d.first, d.last, d.qualname) for d in self.definitions.values())
        for depth, node in by_level(self.tree):
            if isinstance(node, ast.Attribute):
                name = node.attr
            elif isinstance(node, ast.Name):
                name = node.id
            else:
                continue
            uses.setdefault(name, {}).setdefault(_enclosing(spans, node.lineno), depth)
        return uses

    @cached_property
    def constants(self) -> dict[str, object]:
        """Module-level names that are bound once, to a literal or by a call."""
        return bound_once(self.bound)

    @cached_property
    def bound(self) -> tuple[tuple[str, object], ...]:
        """What module-level names are bound to; UNREADABLE where that is no literal and no call."""
        return tuple(
            (target.id, value if isinstance(value, str | int | float | Construct) else UNREADABLE)
            for node in self.tree.body
            if isinstance(node, ast.Assign)
            for value in (construct(node.value),)
            for target in node.targets
            if isinstance(target, ast.Name)
        )

    @property
    def calls_bound(self) -> Iterator[tuple[str, str]]:
        """Module-level names that are bound once by a call, with its text."""
        return ((name, text) for name, text in self.bound_by_calls if name in self.constants)

    @cached_property
    def bound_by_calls(self) -> tuple[tuple[str, str], ...]:
        """The same, however often they are bound."""
        return tuple(
            (target.id, ast.unparse(node.value))
            for node in self.tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
            for target in node.targets
            if isinstance(target, ast.Name)
        )

    def import_end(self, name: str, dotted_name: str) -> tuple[int, int] | None:
        """Line and byte column just after `name` in the `from` import that binds this dotted name."""
        found = next(self.import_ends(name, dotted_name), None)
        return found[1:] if found is not None else None

    def import_ends(self, name: str, dotted_name: str) -> Iterator[tuple[int, int, int]]:
        """All of these places with their depths in the tree, the least deep first."""
        module, _, original = dotted_name.rpartition(".")
        for depth, node in self._froms:
            for alias in node.names if node.module == module else ():
                if alias.name == original and (alias.asname or alias.name) == name:
                    yield depth, alias.end_lineno or alias.lineno, alias.end_col_offset or 0

    @cached_property
    def _froms(self) -> list[tuple[int, ast.ImportFrom]]:
        return [(depth, node) for depth, node in by_level(self.tree) if isinstance(node, ast.ImportFrom)]


def bound_once(bound: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Of names and what they are bound to, one after the other, those that are bound once and readably."""
    found: dict[str, object] = {}
    for name, value in bound:
        found[name] = UNREADABLE if name in found else value
    return {name: value for name, value in found.items() if value is not UNREADABLE}


def outline(source: Source, tree: ast.Module | None = None) -> Skeleton:
    """The skeleton of a source. Raises UnreadableSource where it is not Python."""
    return of_tree(parse(source) if tree is None else tree, Above())


def parse(source: Source) -> ast.Module:
    """The tree of a source. Raises UnreadableSource where it is not Python."""
    try:
        return ast.parse(source.text)
    except SyntaxError as error:
        line = min(max(error.lineno or 1, 1), source.line_count)
        raise UnreadableSource(error.msg, line=line, column=max((error.offset or 1) - 1, 0)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnreadableSource(str(error) or type(error).__name__) from None


def of_tree(tree: ast.Module, above: Above) -> Skeleton:
    """The skeleton of the tree of a source, or of some whole statements with what stands above them."""
    skeleton = Skeleton(tree, above=above)
    _collect(tree.body, skeleton)
    return skeleton


def _collect(body: list[ast.stmt], skeleton: Skeleton) -> None:
    for node in body:
        match node:
            case ast.Import() | ast.ImportFrom():
                _collect_import(node, skeleton)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                _collect_definition(node, None, skeleton)
                _blank(node, skeleton)
            case ast.ClassDef():
                _collect_class(node, skeleton)
                _blank(node, skeleton)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() as value) if (
                ast.unparse(value) == "sys.modules[__name__]"
            ):
                skeleton.itself.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as made) if names := _fields(made):
                fields: list[ast.stmt] = [_field(one) for one in names]
                record = ast.ClassDef(name=name, bases=[], keywords=[], body=fields, decorator_list=[])
                skeleton.classes[name] = ClassOutline(name, (), {}, ast.copy_location(record, node))
            case _:
                for name in ("body", "orelse", "finalbody"):
                    _collect(getattr(node, name, []), skeleton)
                for handler in getattr(node, "handlers", []):
                    _collect(handler.body, skeleton)


def _collect_import(node: ast.Import | ast.ImportFrom, skeleton: Skeleton) -> None:
    for name, target in imported(node):
        if name == "*":
            skeleton.stars.append(target)
        else:
            skeleton.imports[name] = target


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names an import binds and their dotted names; ("*", module) for a star."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        return
    module = "." * node.level + (node.module or "")
    for alias in node.names:
        if alias.name == "*":
            yield "*", module
        else:
            joint = "" if module.endswith(".") else "."
            yield alias.asname or alias.name, f"{module}{joint}{alias.name}"


def _collect_definition(
    node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str | None, skeleton: Skeleton
) -> Definition:
    first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
    qualname = f"{owner}.{node.name}" if owner else node.name
    definition = Definition(
        qualname, owner, first, node.end_lineno or node.lineno, node.col_offset, node, skeleton.above
    )
    skeleton.definitions[qualname] = definition
    _collect_late(node, skeleton)
    return definition


def _collect_late(node: ast.FunctionDef | ast.AsyncFunctionDef, skeleton: Skeleton) -> None:
    """What a function imports for all: `global torch; import torch`."""
    shared = {name for item in node.body if isinstance(item, ast.Global) for name in item.names}
    for item in node.body if shared else ():
        if isinstance(item, ast.Import | ast.ImportFrom):
            skeleton.imports.update((name, target) for name, target in imported(item) if name in shared)


def _collect_class(node: ast.ClassDef, skeleton: Skeleton) -> None:
    methods = {
        item.name: _collect_definition(item, node.name, skeleton)
        for item in node.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    heads = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]  # Base[T]
    bases = tuple(name for base in heads if (name := dotted(base)) is not None)
    skeleton.classes[node.name] = ClassOutline(node.name, bases, methods, node)


def _fields(made: ast.Call) -> list[str]:
    """The fields that a call of namedtuple or NamedTuple spells out."""
    if (dotted(made.func) or "").rpartition(".")[2] not in ("namedtuple", "NamedTuple"):
        return []
    match made.args[1:2]:
        case [ast.Constant(value=str() as names)]:
            return names.replace(",", " ").split()
        case [ast.List(elts=items) | ast.Tuple(elts=items)]:
            heads = [one.elts[0] if isinstance(one, ast.Tuple) and one.elts else one for one in items]
            return [str(one.value) for one in heads if isinstance(one, ast.Constant)]
    return []


def _field(name: str) -> ast.stmt:
    return ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Constant(value=None), simple=1)


def _blank(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, skeleton: Skeleton) -> None:
    first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
    skeleton.blanked.append((first, node.end_lineno or node.lineno, node.col_offset))


def _enclosing(spans: list[tuple[int, int, str]], line: int) -> str:
    from bisect import bisect_right

    at = bisect_right(spans, (line, 1 << 30, "")) - 1
    if at >= 0 and spans[at][0] <= line <= spans[at][1]:
        return spans[at][2]
    return ""
