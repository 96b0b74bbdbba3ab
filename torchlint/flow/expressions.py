"""What the interpreter of statements asks of whoever knows expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import libcst as cst

from torchlint.flow.correlation import Condition
from torchlint.flow.state import State
from torchlint.flow.things import Value


@dataclass(frozen=True, slots=True)
class Entered:
    """What the context managers of a with statement do on the way out."""

    left: Callable[[State], State]
    swallows: bool  # an exception may end the block and go no further


class Expressions(Protocol):
    """Evaluates, binds, enters and leaves; the state of the walk moves on."""

    def evaluate(self, node: cst.BaseExpression) -> Value:
        """The value of an expression; the state moves on."""

    def assign(self, target: cst.BaseExpression, value: Value, source: cst.BaseExpression | None) -> None:
        """Bind a target."""

    def augment(self, node: cst.AugAssign) -> None:
        """An augmented assignment."""

    def truth(self, node: cst.BaseExpression) -> bool | None:
        """The truth of a condition that was just evaluated; None where it has to be run."""

    def assumed(self, node: cst.BaseExpression) -> bool | None:
        """The truth of a condition as long as nobody gives a named constant another value."""

    def condition(self, node: cst.BaseExpression) -> Condition | None:
        """What a condition asks, where two evaluations give one answer."""

    def narrow(self, node: cst.BaseExpression, *, holds: bool) -> None:
        """Take in what a condition says of the path on which it holds, or does not."""

    def bind_pattern(self, pattern: cst.CSTNode, value: Value) -> None:
        """Bind the names of a match pattern."""

    def element(self, value: Value, node: cst.CSTNode) -> Value:
        """What one round of iteration over a value gives."""

    def rounds(self, iterable: Value, body: cst.BaseSuite | None) -> list[Value] | None:
        """What each round of iterating over a value binds, where these are few and all of them run."""

    def runs_at_least_once(self, node: cst.BaseExpression, value: Value) -> bool:
        """Whether iterating over this expression surely has a first round."""

    def enter(self, node: cst.With) -> Entered:
        """Evaluate the items of a with statement and enter them."""

    def leave(self, node: cst.With) -> None:
        """Leave them on the normal path."""

    def define(self, node: cst.FunctionDef) -> None:
        """A nested function is defined."""

    def bind_import(self, node: cst.Import | cst.ImportFrom) -> None:
        """An import binds names."""

    def discard(self, node: cst.Expr | cst.Assign) -> None:
        """An expression stands alone as a statement, or what it gives is thrown away: `_ = run()`."""

    def returned(self, value: Value, node: cst.CSTNode) -> None:
        """A value leaves the function."""
