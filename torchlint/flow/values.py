"""Expressions -> values, in evaluation order; what a call does stands in calls.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.constructs import literal
from torchlint.flow.arguments import Arguments
from torchlint.flow.conditions import Conditions, constant_truth
from torchlint.flow.conversions import Conversions
from torchlint.flow.correlation import Condition, condition_of, recall
from torchlint.flow.displays import Displays
from torchlint.flow.domain import Grad
from torchlint.flow.events import Escaped
from torchlint.flow.expressions import Entered
from torchlint.flow.operators import OPERATORS
from torchlint.flow.places import Places
from torchlint.flow.rounds import Rounds
from torchlint.flow.state import join
from torchlint.flow.subscripts import Subscripts
from torchlint.flow.targets import Targets
from torchlint.flow.things import (
    NOTHING,
    Closure,
    Container,
    Dotted,
    Instance,
    Module,
    Opaque,
    Plain,
    Scalar,
    Tensor,
    Value,
    constant_of,
    reads_of,
)
from torchlint.flow.walk import tensors
from torchlint.tables import binary, op, unary

if TYPE_CHECKING:
    from torchlint.flow.autograd import Autograd
    from torchlint.flow.calls import Calls
    from torchlint.flow.walk import Walk


class Values:
    """Evaluates the expressions of one walk."""

    def __init__(self, walk: Walk, autograd: Autograd, places: Places) -> None:
        self._walk = walk
        self._autograd = autograd
        self._places = places
        self.calls: Calls
        self.targets = Targets(walk, autograd, places, self)
        self.subscripts = Subscripts(walk, autograd, places, self)
        self.displays = Displays(walk, self)
        self.conversions = Conversions(walk, places)
        self._conditions = Conditions(walk, places, self)
        self._rounds = Rounds(walk, places)
        self._last: tuple[cst.CSTNode, Value] | None = None  # what was evaluated last
        self._table: dict[type[cst.CSTNode], Callable[..., Value]] = {
            cst.Name: self._name,
            cst.Attribute: self._attribute,
            cst.Subscript: self.subscripts.evaluate,
            cst.Call: self._call,
            cst.BinaryOperation: self._binary,
            cst.Comparison: self._comparison,
            cst.BooleanOperation: self._boolean,
            cst.UnaryOperation: self._unary,
            cst.IfExp: self._conditional,
            cst.Lambda: self._lambda,
            cst.ListComp: self.displays.comprehension,
            cst.SetComp: self.displays.comprehension,
            cst.GeneratorExp: self.displays.comprehension,
            cst.DictComp: self.displays.comprehension,
            cst.Tuple: self.displays.sequence,
            cst.List: self.displays.sequence,
            cst.Set: self.displays.sequence,
            cst.Dict: self.displays.dict,
            cst.NamedExpr: self._walrus,
            cst.Await: lambda node: self.evaluate(node.expression),
            cst.Yield: self._yield,
            cst.FormattedString: self._formatted,
            cst.ConcatenatedString: lambda node: self.text(
                [self.evaluate(node.left), self.evaluate(node.right)]
            ),
            cst.SimpleString: self._string,
            cst.Integer: lambda node: self._number(literal(node.value)),
            cst.Float: lambda node: self._number(literal(node.value)),
            cst.Imaginary: lambda node: self._number(None),
            cst.Ellipsis: lambda node: walk.things.scalar(Plain.OTHER),
        }

    def evaluate(self, node: cst.BaseExpression) -> Value:
        """The value of an expression; the state moves on."""
        if self._walk.state is None:
            return NOTHING
        self._walk.turn += 1
        handler = self._table.get(type(node))
        value = handler(node) if handler is not None else self._walk.unknown(node)
        self._last = node, value
        return value

    def assign(self, target: cst.BaseExpression, value: Value, source: cst.BaseExpression | None) -> None:
        """Bind a target."""
        self.targets.assign(target, value, source)

    def augment(self, node: cst.AugAssign) -> None:
        """An augmented assignment."""
        self.targets.augment(node)

    def bind_import(self, node: cst.Import | cst.ImportFrom) -> None:
        """An import binds names."""
        self.targets.bind_import(node)

    def element(self, value: Value, node: cst.CSTNode) -> Value:
        """What one round of iteration over a value gives."""
        walk = self._walk
        found: list[Value] = []
        for thing in value:
            match thing:
                case Container():
                    found.extend(
                        inner for slot, inner in self._walk.now().slots(thing).items() if slot.startswith("[")
                    )
                case Tensor(several=True):
                    found.append(self._autograd.part(thing, node, summing=False, several=True))
                case Tensor():
                    piece = op("unbind")
                    assert piece is not None
                    arguments = Arguments.of(frozenset((thing,)))
                    for part in self._autograd.apply(piece, arguments, node, method=True):
                        found.append(self._places.slot(part, "[*]"))
                case Opaque() | Module() | Instance():
                    found.append(self._places.slot(thing, "[*]"))
                case Scalar(kind=Plain.NUMBER | Plain.TEXT | Plain.ARRAY):
                    found.append(walk.things.scalar(thing.kind, reads=thing.reads))
        return walk.widen(found, node, "element") or walk.unknown(node, role="element")

    def rounds(self, iterable: Value, body: cst.BaseSuite | None) -> list[Value] | None:
        """What each round of iterating over a value binds, where these are few and all of them run."""
        if body is not None and not self._rounds.is_straight(body):
            return None
        return self._rounds.of(iterable)

    def truth(self, node: cst.BaseExpression) -> bool | None:
        """The truth of a condition, where it is known."""
        if self._last is not None and self._last[0] is node:
            self._walk.waiting.read(self._last[1], node, sure=True)
        return self._conditions.truth(node)

    def assumed(self, node: cst.BaseExpression) -> bool | None:
        """The truth of a condition as long as nobody gives a named constant another value."""
        return self._conditions.assumed(node)

    def condition(self, node: cst.BaseExpression) -> Condition | None:
        """What a condition asks."""
        return condition_of(self._walk, self, node)

    def narrow(self, node: cst.BaseExpression, *, holds: bool) -> None:
        """Take in what a condition says."""
        condition = self.condition(node) if self._walk.questions else None
        if condition is not None:
            recall(self._walk, condition, holds=holds)
        self._conditions.narrow(node, holds=holds)

    def bind_pattern(self, pattern: cst.CSTNode, value: Value) -> None:
        """Bind the names of a match pattern."""
        self._conditions.bind_pattern(pattern, value)

    def runs_at_least_once(self, node: cst.BaseExpression, value: Value) -> bool:
        """`range(3)`, and a container that is known to hold a first element."""
        match node:
            case cst.Call(func=cst.Name("range"), args=[cst.Arg(value=cst.Integer() as number)]):
                return number.evaluated_value > 0
        state = self._walk.state
        return bool(value) and state is not None and all("[0]" in state.slots(thing) for thing in value)

    def _is(self, node: cst.BaseExpression, dotted: str) -> bool:
        return any(isinstance(thing, Dotted) and thing.name == dotted for thing in self.evaluate(node))

    def enter(self, node: cst.With) -> Entered:
        """Evaluate the items of a with statement and enter them."""
        swallows = False
        for item in node.items:
            value = self.evaluate(item.item)
            swallows |= isinstance(item.item, cst.Call) and self._is(item.item.func, "contextlib.suppress")
            value = self.calls.entered(value, item.item)
            entered = self.calls.switches.enter(value, item.item, node)
            if item.asname is not None:
                self.targets.assign(item.asname.name, entered, None)
        return Entered(self.calls.switches.on_exit(node), swallows)

    def leave(self, node: cst.With) -> None:
        """Leave them on the normal path."""
        self.calls.switches.leave(node)

    def define(self, node: cst.FunctionDef) -> None:
        """A nested function: its body is walked when it is called, and told at the end of the unit."""
        thing = self._walk.things.make(
            Closure, (node, "def"), node.name.value, node=node, unit=self._walk.played
        )
        self._walk.state = self._walk.now().with_name(node.name.value, frozenset((thing,)))
        self.calls.closures.defined(thing)

    def discard(self, node: cst.Expr | cst.Assign) -> None:
        """An expression stands alone as a statement, or what it gives is thrown away: `_ = run()`."""
        if isinstance(node.value, cst.Call):
            self.calls.call(node.value, discarded=True)
        else:
            self.evaluate(node.value)

    def returned(self, value: Value, node: cst.CSTNode) -> None:
        """A value leaves the function: its numbers are metrics, its tensors are out of sight."""
        self.calls.closures.returned(value, node)

    def _name(self, node: cst.Name) -> Value:
        return self._places.name(node.value)

    def _attribute(self, node: cst.Attribute) -> Value:
        walk = self._walk
        base = self.evaluate(node.value)
        name = node.attr.value
        found: list[Value] = []
        for thing in base:
            known_tensor = isinstance(thing, Tensor) or (
                isinstance(thing, Opaque) and name == "data" and walk.now().tensor(thing).grad is Grad.YES
            )
            if known_tensor and op(name) is not None and name in ("T", "mT", "H", "mH", "data", "real"):
                known = op(name)
                assert known is not None
                arguments = Arguments.of(frozenset((thing,)))
                found.append(self._autograd.apply(known, arguments, node, method=True))
            else:
                found.append(self._places.attribute(thing, name, node))
        return walk.widen(found, node)

    def _call(self, node: cst.Call) -> Value:
        return self.calls.call(node, discarded=False)

    def _binary(self, node: cst.BinaryOperation) -> Value:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        operator = OPERATORS.get(type(node.operator), "+")
        if operator == "%" and self._walk.state is not None:
            self.conversions.percent(left, right, node)
        return self._operate(operator, left, right, node)

    def _operate(self, operator: str, left: Value, right: Value, node: cst.CSTNode) -> Value:
        walk = self._walk
        if walk.state is None:
            return NOTHING
        text = any(isinstance(thing, Scalar) and thing.kind is Plain.TEXT for thing in left | right)
        if text:
            return self.text([left, right])
        listed = [thing for thing in left | right if isinstance(thing, Container)]
        if listed and operator in ("+", "*"):
            whole = walk.things.make(Container, (node, "joined"), "", kind="list")
            inner = NOTHING.union(*(self.element(frozenset((thing,)), node) for thing in listed))
            walk.state = walk.now().with_slot(whole, "[*]", inner)
            return frozenset((whole,))
        known = binary(operator)
        if known is not None and (tensors(left) or tensors(right)):
            return self._autograd.apply(known, Arguments.of(left, right), node, method=True)
        arrays = any(isinstance(thing, Scalar) and thing.kind is Plain.ARRAY for thing in left | right)
        kind = Plain.ARRAY if arrays else Plain.NUMBER
        return walk.things.scalar(kind, reads=reads_of(left) | reads_of(right))

    def _comparison(self, node: cst.Comparison) -> Value:
        left = self.evaluate(node.left)
        result: Value = NOTHING
        for target in node.comparisons:
            right = self.evaluate(target.comparator)
            operator = OPERATORS.get(type(target.operator))
            if operator is not None and any(isinstance(thing, Tensor) for thing in left | right):
                result = self._operate(operator, left, right, node)
            left = right
        return result or self._walk.things.scalar(Plain.OTHER)

    def _boolean(self, node: cst.BooleanOperation) -> Value:
        left = self.evaluate(node.left)
        before = self._walk.state
        right = self.evaluate(node.right)
        self._walk.join_with(before)
        return self._walk.widen((left, right), node)

    def _unary(self, node: cst.UnaryOperation) -> Value:
        value = self.evaluate(node.expression)
        sign = {cst.Minus: "-", cst.Plus: "+", cst.BitInvert: "~"}.get(type(node.operator))
        known = unary(sign) if sign is not None else None
        if known is not None and tensors(value):
            return self._autograd.apply(known, Arguments.of(value), node, method=True)
        if sign is None:
            truth = constant_truth(node.expression)
            return self._walk.things.scalar(Plain.OTHER, constant=None if truth is None else not truth)
        constant = constant_of(value) if sign == "-" else None
        negative = -constant if isinstance(constant, int | float) else None
        return self._walk.things.scalar(Plain.NUMBER, reads=reads_of(value), constant=negative)

    def _conditional(self, node: cst.IfExp) -> Value:
        walk = self._walk
        self.evaluate(node.test)
        assumed = self._conditions.assumed(node.test)
        if assumed is not None and walk.calls:
            return self.evaluate(node.body if assumed else node.orelse)
        before = walk.state
        yes = self._conditions.but_tensors(node.test, node.body, self.evaluate(node.body), holds=True)
        after, walk.state = walk.state, before
        no = self._conditions.but_tensors(node.test, node.orelse, self.evaluate(node.orelse), holds=False)
        if assumed is not None:
            walk.state = after if assumed else walk.state
            return yes if assumed else no
        walk.state = join([state for state in (after, walk.state) if state is not None])
        return walk.widen((yes, no), node)

    def _lambda(self, node: cst.Lambda) -> Value:
        thing = self._walk.things.make(Closure, (node, "lambda"), "lambda", node=node, unit=self._walk.played)
        self.calls.closures.defined(thing)
        return frozenset((thing,))

    def _walrus(self, node: cst.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        self.targets.assign(node.target, value, node.value)
        return value

    def _yield(self, node: cst.Yield) -> Value:
        walk = self._walk
        value: Value = NOTHING
        if isinstance(node.value, cst.From):
            value = self.element(self.evaluate(node.value.item), node)
        elif node.value is not None:
            value = self.evaluate(node.value)
        walk.records.yields = True
        if walk.state is not None:
            known = walk.records.yielded
            walk.records.yielded = walk.now() if known is None else known.join(walk.now())
        if walk.state is not None and walk.now().regions:
            # A decorator pauses its switch at each yield, a with does not.
            open_ = frozenset(region for region in walk.now().born if region.form != "decorator")
            if open_:
                walk.tell(Escaped(open_, walk.site(node), "yields inside"))
            self.calls.switches.yielded(node, self.calls.closures.function)
        self.calls.closures.returned(value, node)
        return walk.unknown(node)

    def _formatted(self, node: cst.FormattedString) -> Value:
        parts = [
            self.evaluate(part.expression)
            for part in node.parts
            if isinstance(part, cst.FormattedStringExpression)
        ]
        for part in parts:
            self._walk.waiting.read(part, node, sure=True)
        return self.text(parts)

    def text(self, parts: Iterable[Value]) -> Value:
        """A text made of these; it carries their numbers."""
        reads = frozenset().union(*(self._places.reads_within(part) for part in parts))
        return self._walk.things.scalar(Plain.TEXT, reads=reads)

    def _string(self, node: cst.SimpleString) -> Value:
        constant = literal(node.value)
        return self._walk.things.scalar(Plain.TEXT, constant=constant if isinstance(constant, str) else None)

    def _number(self, constant: object) -> Value:
        return self._walk.things.scalar(Plain.NUMBER, constant=constant)
