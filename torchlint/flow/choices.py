"""What only the shape of a function says: eval() that stands against a train(), modes put back, handlers."""

from __future__ import annotations

from functools import lru_cache

import libcst as cst

from torchlint.flow.tree import dotted, within


def is_choice(tree: cst.Module, node: cst.CSTNode) -> bool:
    """Whether what decides about this eval() also decides about a train(), as in `if training: … else: …`.

    The rest of such a function mostly asks the same question again, which no joined state shows.
    """
    return node in _choices(tree)


@lru_cache(maxsize=64)
def puts_back(tree: cst.Module, place: str) -> bool:
    """Whether a function remembers `place.training` and calls `place.train()` by it, so that it may be on."""
    remembered = {
        node.targets[0].target.value
        for node in within(tree)
        if isinstance(node, cst.Assign)
        and isinstance(node.targets[0].target, cst.Name)
        and dotted(node.value) == f"{place}.training"
    }
    if not remembered:
        return False
    train = f"{place}.train"
    for node in within(tree):
        match node:
            case cst.Call(func=func, args=[cst.Arg(value=cst.Name(value=name))]) if name in remembered:
                if dotted(func) == train:
                    return True
            case cst.If(test=cst.Name(value=name), body=body) if name in remembered:
                calls = (one for one in within(body) if isinstance(one, cst.Call) and not one.args)
                if any(dotted(one.func) == train for one in calls):
                    return True
    return False


def is_handler(tree: cst.Module, node: cst.CSTNode) -> bool:
    """Whether a node stands where an exception is handled."""
    return node in _handled(tree)


@lru_cache(maxsize=16)
def _handled(tree: cst.Module) -> frozenset[cst.CSTNode]:
    finder = _Handlers()
    tree.visit(finder)
    return frozenset(finder.calls)


class _Handlers(cst.CSTVisitor):
    """Finds the calls in the handlers of exceptions."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[cst.CSTNode] = []
        self._depth = 0

    def visit_ExceptHandler(self, node: cst.ExceptHandler) -> None:
        self._depth += 1

    def leave_ExceptHandler(self, original_node: cst.ExceptHandler) -> None:
        self._depth -= 1

    def visit_Call(self, node: cst.Call) -> None:
        if self._depth:
            self.calls.append(node)


@lru_cache(maxsize=16)
def _choices(tree: cst.Module) -> frozenset[cst.CSTNode]:
    finder = _Finder(tree)
    tree.visit(finder)
    return frozenset(
        call for call, asked in finder.evals if any(theirs & asked for train, theirs in finder.trains)
    )


class _Finder(cst.CSTVisitor):
    """Finds the calls of eval() and train(), each with what the conditions around it ask."""

    def __init__(self, tree: cst.Module) -> None:
        super().__init__()
        self.evals: list[tuple[cst.CSTNode, frozenset[str]]] = []
        self.trains: list[tuple[cst.CSTNode, frozenset[str]]] = []
        self._tree = tree
        self._asked: list[frozenset[str]] = []

    def visit_If(self, node: cst.If) -> None:
        self._asked.append(_operands(self._tree, node.test))

    def leave_If(self, original_node: cst.If) -> None:
        self._asked.pop()

    def visit_IfExp(self, node: cst.IfExp) -> None:
        self._asked.append(_operands(self._tree, node.test))

    def leave_IfExp(self, original_node: cst.IfExp) -> None:
        self._asked.pop()

    def visit_Call(self, node: cst.Call) -> None:
        match node.func:
            case cst.Attribute(attr=cst.Name("eval")):
                self.evals.append((node, frozenset().union(*self._asked)))
            case cst.Attribute(attr=cst.Name("train")):
                wanted = node.args[0].value if node.args else None
                off = isinstance(wanted, cst.Name) and wanted.value == "False"
                (self.evals if off else self.trains).append((node, frozenset().union(*self._asked)))


def _operands(tree: cst.Module, test: cst.BaseExpression) -> frozenset[str]:
    """The names and attributes that a condition asks, as they are spelled."""
    finder = _Operands(tree)
    test.visit(finder)
    return frozenset(finder.found)


class _Operands(cst.CSTVisitor):
    def __init__(self, tree: cst.Module) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._tree = tree

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        self.found.add(self._tree.code_for_node(node))
        return False

    def visit_Name(self, node: cst.Name) -> None:
        self.found.add(node.value)
