"""The outline of a source, read with the standard library's `ast`: cheap, and enough to decide what to parse.

It knows imports, classes with their layers, definitions with their lines, and who calls whom.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from torchlint.constructs import UNREADABLE, Construct, Named, construct, dotted, self_attribute
from torchlint.errors import UnreadableSource
from torchlint.source import Source


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or method: its name, the whole lines it owns, its parameters."""

    qualname: str
    owner: str | None
    first_line: int
    last_line: int
    indent: int
    node: ast.FunctionDef | ast.AsyncFunctionDef

    @property
    def name(self) -> str:
        """The last part of the qualified name."""
        return self.node.name

    @property
    def is_private(self) -> bool:
        """Whether its name says that it is not there for others; special methods are."""
        return self.name.startswith("_") and not self.name.endswith("__")

    @property
    def is_static(self) -> bool:
        """Whether it is a staticmethod, so that no parameter is the object."""
        return any(dotted(item) == "staticmethod" for item in self.node.decorator_list)

    @property
    def is_called_unnamed(self) -> bool:
        """Whether calls need not say its name: a property, a special method, the forward of a module."""
        if self.owner is None:
            return False
        special = self.name == "forward" or (self.name.startswith("__") and self.name.endswith("__"))
        return special or any("property" in (dotted(item) or "") for item in self.node.decorator_list)

    @property
    def is_abstract(self) -> bool:
        """Whether a subclass has to say what it does."""
        return any(
            (dotted(item) or "").rpartition(".")[2] == "abstractmethod" for item in self.node.decorator_list
        )

    @property
    def is_playable(self) -> bool:
        """Whether the body can be walked in the place of a call: it neither waits nor yields."""
        if self.is_abstract or isinstance(self.node, ast.AsyncFunctionDef):
            return False
        return not any(
            isinstance(node, ast.Yield | ast.YieldFrom | ast.Await) for node in ast.walk(self.node)
        )

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the positional parameters, in order."""
        arguments = self.node.args
        return tuple(item.arg for item in (*arguments.posonlyargs, *arguments.args))

    @property
    def keyword_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that only keywords reach."""
        return tuple(item.arg for item in self.node.args.kwonlyargs)

    def stores_on_self(self) -> bool:
        """Whether the body assigns an attribute of `self`."""
        return any(
            self_attribute(target) is not None
            for node in ast.walk(self.node)
            if isinstance(node, ast.Assign)
            for target in node.targets
        )

    def annotation(self, parameter: str) -> str | None:
        """The dotted name a parameter is annotated with; `X | None` and `Optional[X]` count as X."""
        arguments = self.node.args
        for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if item.arg == parameter and item.annotation is not None:
                return _annotated(item.annotation)
        return None


@dataclass(frozen=True)
class ClassOutline:
    """A class: its bases as written, its methods, and what its body says about its attributes."""

    name: str
    bases: tuple[str, ...]
    methods: dict[str, Definition]
    node: ast.ClassDef = field(repr=False)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the class."""
        return tuple(ast.walk(self.node))

    def attributes(self) -> dict[str, list[object]]:
        """For each `self.x = …` in any method, the constructs and literals assigned."""
        found: dict[str, list[object]] = {}
        for target, value in _self_assignments(self.nodes):
            found.setdefault(target, []).append(construct(value))
        return found

    def attribute_uses(self) -> dict[str, set[str]]:
        """For each `self.x`, the methods called on it; `()` where it is called itself."""
        found: dict[str, set[str]] = {}
        for node in self.nodes:
            if not isinstance(node, ast.Call):
                continue
            if (name := self_attribute(node.func)) is not None:
                found.setdefault(name, set()).add("()")
            elif (
                isinstance(node.func, ast.Attribute) and (name := self_attribute(node.func.value)) is not None
            ):
                found.setdefault(name, set()).add(node.func.attr)
        return found

    @cached_property
    def buffers(self) -> frozenset[str]:
        """The names that its methods register as buffers."""
        return frozenset(
            str(name)
            for made in self.calls()
            if made.callee == "self.register_buffer"
            for name in (*made.arguments[:1], *(value for key, value in made.keywords if key == "name"))
        )

    @cached_property
    def snapshots(self) -> dict[str, str]:
        """What methods set `self.<name>` to: the callee of a call on an attribute of something else."""
        found: dict[str, str] = {}
        for name, method in self.methods.items():
            if name == "__init__":
                continue
            nodes = tuple(ast.walk(method.node))
            known = _bound_names(nodes)
            for target, value in _self_assignments(nodes):
                made = construct(value)
                if isinstance(made, Construct | Named):  # self.old = old.to(device)
                    head = (made.callee if isinstance(made, Construct) else made.name).partition(".")[0]
                    made = known.get(head, made)
                original = made.arguments[0] if isinstance(made, Construct) and made.arguments else None
                if (
                    isinstance(made, Construct)
                    and isinstance(original, Named)
                    and "." in original.name.removeprefix("self.")
                ):
                    found[target] = made.callee
        return found

    @cached_property
    def storing(self) -> dict[str, list[Definition]]:
        """For each `self.x`, the methods that store more than None there."""
        found: dict[str, list[Definition]] = {}
        for method in self.methods.values():
            nodes = tuple(ast.walk(method.node))
            assigned = (node for node in nodes if isinstance(node, ast.Assign))
            pairs = (pair for node in assigned for one in node.targets for pair in _pairs(one, node.value))
            emptied = {id(target) for target, value in pairs if construct(value) is None}
            stored = {
                name
                for node in nodes
                if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
                if id(node) not in emptied and (name := self_attribute(node)) is not None
            }
            for name in stored:
                found.setdefault(name, []).append(method)
        return found

    def calls(self) -> Iterator[Construct]:
        """Every call in the class body."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                made = construct(node)
                if isinstance(made, Construct):
                    yield made

    def mentions_training(self) -> bool:
        """Whether a method reads `self.training`."""
        return any(self_attribute(node) == "training" for node in self.nodes)


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

    @cached_property
    def call_sites(self) -> dict[str, list[str]]:
        """For each called or passed name (last part), the definitions that use it; "" is the module level."""
        sites: dict[str, list[str]] = {}
        spans = sorted((d.first_line, d.last_line, d.qualname) for d in self.definitions.values())
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                name = node.attr
            elif isinstance(node, ast.Name):
                name = node.id
            else:
                continue
            where = _enclosing(spans, node.lineno)
            users = sites.setdefault(name, [])
            if where not in users:
                users.append(where)
        return sites

    @cached_property
    def constants(self) -> dict[str, object]:
        """Module-level names that are bound once, to a literal or by a call."""
        bound: dict[str, object] = {}
        for node in self.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else ()
            for target in targets:
                if isinstance(target, ast.Name):
                    value = construct(node.value) if isinstance(node, ast.Assign) else UNREADABLE
                    known = isinstance(value, str | int | float | Construct) and target.id not in bound
                    bound[target.id] = value if known else UNREADABLE
        return {name: value for name, value in bound.items() if value is not UNREADABLE}

    @property
    def calls_bound(self) -> Iterator[tuple[str, str]]:
        """Module-level names that are bound once by a call, with its text."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                for target in node.targets:
                    if isinstance(target, ast.Name) and target.id in self.constants:
                        yield target.id, ast.unparse(node.value)

    def import_end(self, name: str, dotted_name: str) -> tuple[int, int] | None:
        """Line and byte column just after `name` in the `from` import that binds this dotted name."""
        module, _, original = dotted_name.rpartition(".")
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module == module:
                for alias in node.names:
                    if alias.name == original and (alias.asname or alias.name) == name:
                        return alias.end_lineno or alias.lineno, alias.end_col_offset or 0
        return None


def outline(source: Source, tree: ast.Module | None = None) -> Skeleton:
    """The skeleton of a source. Raises UnreadableSource where it is not Python."""
    if tree is None:
        try:
            tree = ast.parse(source.text)
        except SyntaxError as error:
            line = min(max(error.lineno or 1, 1), source.line_count)
            raise UnreadableSource(error.msg, line=line, column=max((error.offset or 1) - 1, 0)) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise UnreadableSource(str(error) or type(error).__name__) from None
    skeleton = Skeleton(tree)
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
    definition = Definition(qualname, owner, first, node.end_lineno or node.lineno, node.col_offset, node)
    skeleton.definitions[qualname] = definition
    return definition


def _collect_class(node: ast.ClassDef, skeleton: Skeleton) -> None:
    methods = {
        item.name: _collect_definition(item, node.name, skeleton)
        for item in node.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    heads = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]  # Base[T]
    bases = tuple(name for base in heads if (name := dotted(base)) is not None)
    skeleton.classes[node.name] = ClassOutline(node.name, bases, methods, node)


def _blank(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, skeleton: Skeleton) -> None:
    first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
    skeleton.blanked.append((first, node.end_lineno or node.lineno, node.col_offset))


def _self_assignments(nodes: tuple[ast.AST, ...]) -> Iterator[tuple[str, ast.expr | None]]:
    for item in nodes:
        if isinstance(item, ast.Assign):
            for target in item.targets:
                if (name := self_attribute(target)) is not None:
                    yield name, item.value
                elif isinstance(target, ast.Tuple | ast.List):
                    for part in target.elts:
                        if (name := self_attribute(part)) is not None:
                            yield name, None
        elif (
            isinstance(item, ast.AnnAssign | ast.AugAssign)
            and (name := self_attribute(item.target)) is not None
        ):
            yield name, item.value


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What an assignment binds to what: part by part where both sides are written out."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield target, value


def _bound_names(nodes: tuple[ast.AST, ...]) -> dict[str, object]:
    """What local names are bound to by plain assignments."""
    return {
        target.id: construct(item.value)
        for item in nodes
        if isinstance(item, ast.Assign)
        for target in item.targets
        if isinstance(target, ast.Name)
    }


def _annotated(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if node.value.replace(".", "").isidentifier() else None
    if isinstance(node, ast.BinOp):
        return _annotated(node.left) if dotted(node.right) is None else _annotated(node.right)
    if isinstance(node, ast.Subscript):
        return _annotated(node.slice) if dotted(node.value) in ("Optional", "typing.Optional") else None
    return dotted(node)


def _enclosing(spans: list[tuple[int, int, str]], line: int) -> str:
    from bisect import bisect_right

    at = bisect_right(spans, (line, 1 << 30, "")) - 1
    if at >= 0 and spans[at][0] <= line <= spans[at][1]:
        return spans[at][2]
    return ""
