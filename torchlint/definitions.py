"""The functions and classes of a source, as its outline keeps them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

from torchlint.annotations import is_plain, named
from torchlint.constructs import UNREADABLE, Construct, Named, construct, dotted, self_attribute
from torchlint.nodes import nodes

LEARNS = "Parameter"
"""What the text of a method says that may give its object a parameter."""


@dataclass(slots=True, eq=False)
class Above:
    """How many lines stand above a piece of a source; they change where what stands above is edited."""

    lines: int = 0


@dataclass(frozen=True, eq=False)
class Definition:
    """A function or method: its name, the whole lines it owns, its parameters.

    `first` and `last` count, as all places in `node` do, from what stands `above`.
    """

    qualname: str
    owner: str | None
    first: int
    last: int
    indent: int
    node: ast.FunctionDef | ast.AsyncFunctionDef
    above: Above

    @property
    def first_line(self) -> int:
        """The line of the source that it begins at, decorators included."""
        return self.first + self.above.lines

    @property
    def last_line(self) -> int:
        """The line of the source that it ends at."""
        return self.last + self.above.lines

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of it."""
        return nodes(self.node)

    @property
    def length(self) -> int:
        """How many lines it has below its first."""
        return self.last - self.first

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
    def leads_to(self) -> tuple[str, ...]:
        """The attributes that a property goes through from the object, where it only gives the last."""
        if not any((dotted(item) or "").endswith("property") for item in self.node.decorator_list):
            return ()
        match [one for one in self.node.body if not _is_constant(one)]:
            case [ast.Return(value=ast.Attribute() as value)]:
                head, _, way = (dotted(value) or "").partition(".")
                plain = all(isinstance(one, ast.Attribute | ast.Name | ast.Load) for one in ast.walk(value))
                return tuple(way.split(".")) if plain and [head] == list(self.parameters) else ()
        return ()

    @property
    def is_abstract(self) -> bool:
        """Whether a subclass has to say what it does."""
        return any(
            (dotted(item) or "").rpartition(".")[2] == "abstractmethod" for item in self.node.decorator_list
        )

    @property
    def is_hollow(self) -> bool:
        """Whether the body does nothing, so that it is there for subclasses to say what is done."""
        return all(isinstance(one, ast.Pass | ast.Raise) or _is_constant(one) for one in self.node.body)

    @property
    def is_playable(self) -> bool:
        """Whether the body can be walked in the place of a call: it neither waits nor yields."""
        if self.is_abstract or isinstance(self.node, ast.AsyncFunctionDef):
            return False
        return not any(isinstance(node, ast.Yield | ast.YieldFrom | ast.Await) for node in self.nodes)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the positional parameters, in order."""
        arguments = self.node.args
        return tuple(item.arg for item in (*arguments.posonlyargs, *arguments.args))

    @property
    def keyword_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that only keywords reach."""
        return tuple(item.arg for item in self.node.args.kwonlyargs)

    @property
    def literal_defaults(self) -> dict[str, object]:
        """The literals that parameters have where a call leaves them out."""
        arguments = self.node.args
        positional = (*arguments.posonlyargs, *arguments.args)
        pairs = [
            *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        return {item.arg: value.value for item, value in pairs if isinstance(value, ast.Constant)}

    def stores_on_self(self) -> bool:
        """Whether the body assigns an attribute of `self`."""
        return any(
            self_attribute(target) is not None
            for node in self.nodes
            if isinstance(node, ast.Assign)
            for target in node.targets
        )

    def annotation(self, parameter: str) -> str | None:
        """The dotted name a parameter is annotated with; `X | None` and `Optional[X]` count as X."""
        arguments = self.node.args
        for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if item.arg == parameter and item.annotation is not None:
                return named(item.annotation)
        return None

    @property
    def says_plain(self) -> bool:
        """Whether it is annotated to return numbers, texts or arrays, and no tensors.

        What says None and returns something all the same has an annotation that nobody heeds.
        """
        said = self.node.returns
        if isinstance(said, ast.Constant) and said.value is None:
            return not any(isinstance(node, ast.Return) and node.value is not None for node in self.nodes)
        return said is not None and is_plain(said)

    @property
    def loops(self) -> bool:
        """Whether it goes through something, as evaluations go through their data."""
        return any(isinstance(node, ast.For | ast.AsyncFor | ast.comprehension) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Factory:
    """What a function makes that returns something: its calls, and what its local names are bound to.

    `handed` is the parameter that each return gives back.
    """

    handed: str | None
    calls: tuple[object, ...]
    names: tuple[tuple[str, object], ...]


def factory(definition: Definition) -> Factory | None:
    """What a function of the module level makes of what it returns; None where it returns nothing."""
    known = _FACTORIES.get(definition.node, UNREADABLE)
    if known is UNREADABLE:
        known = _FACTORIES[definition.node] = None if definition.owner is not None else _factory(definition)
    return known if isinstance(known, Factory) else None


_NO_MODULE = (ast.Tuple, ast.List, ast.Dict, ast.Compare, ast.BinOp, ast.JoinedStr)
_FACTORIES: WeakKeyDictionary[ast.AST, object] = WeakKeyDictionary()


def _factory(definition: Definition) -> Factory | None:
    inside = tuple(node for statement in definition.node.body for node in nodes(statement))
    returned = [node.value for node in inside if isinstance(node, ast.Return) and node.value is not None]
    if not returned or any(isinstance(node, _NO_MODULE) for node in returned):
        return None
    bound = {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names = {node.id if isinstance(node, ast.Name) else "" for node in returned}
    handed = names.pop() if len(names) == 1 else ""
    calls = tuple(construct(node) for node in inside if isinstance(node, ast.Call))
    arguments = definition.node.args
    defaults = zip(reversed(definition.parameters), reversed(arguments.defaults), strict=False)
    local = [(name, construct(value)) for name, value in defaults]
    local += _bound_names(inside).items()
    local += [(name, UNREADABLE) for name in sorted(bound - {name for name, _ in local})]
    given_back = handed in definition.parameters and handed not in bound
    return Factory(handed if given_back else None, calls, tuple(local))


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
        return nodes(self.node)

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """What its body annotates: the fields of a dataclass or named tuple, in their order."""
        return tuple(
            node.target.id
            for node in self.node.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        )

    @cached_property
    def attributes(self) -> dict[str, list[object]]:
        """For each `self.x = …` in any method, the constructs and literals assigned."""
        found: dict[str, list[object]] = {}
        for target, value in _self_assignments(self.nodes):
            found.setdefault(target, []).append(construct(value))
        return found

    @cached_property
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
            for made in self.calls
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
            nodes = method.nodes
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
            nodes = method.nodes
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

    @cached_property
    def calls(self) -> tuple[Construct, ...]:
        """Every call in the class body."""
        found = (construct(node) for node in self.nodes if isinstance(node, ast.Call))
        return tuple(made for made in found if isinstance(made, Construct))

    @cached_property
    def mentions_training(self) -> bool:
        """Whether a method reads `self.training`."""
        return any(self_attribute(node) == "training" for node in self.nodes)


def _is_constant(node: ast.stmt) -> bool:
    """Whether a statement does nothing: a docstring, `...`."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


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
