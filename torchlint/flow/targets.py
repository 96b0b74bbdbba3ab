"""What assignments bind: names, attributes, elements, several at once; augmented ones; imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.arguments import Arguments
from torchlint.flow.keeping import Target, adds, only
from torchlint.flow.operators import augmented_operator
from torchlint.flow.things import (
    NOTHING,
    Container,
    Opaque,
    Plain,
    Scalar,
    Tensor,
    Thing,
    Value,
    reads_of,
    sorted_things,
)
from torchlint.flow.tree import dotted
from torchlint.flow.walk import tensors
from torchlint.tables import augmented, binary, op

if TYPE_CHECKING:
    from torchlint.flow.autograd import Autograd
    from torchlint.flow.places import Places
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk


class Targets:
    """The assignments of one walk."""

    def __init__(self, walk: Walk, autograd: Autograd, places: Places, values: Values) -> None:
        self._walk = walk
        self._autograd = autograd
        self._places = places
        self._values = values

    def assign(self, target: cst.BaseExpression, value: Value, source: cst.BaseExpression | None) -> None:
        """Bind a name, attribute, element, or each of several targets."""
        walk = self._walk
        if walk.state is None:
            return
        match target:
            case cst.Name():
                summed = self._sum(target, source)
                self._places.bind(target.value, value, target)
                if source is not None and _adds_to(target.value, source):
                    self._places.log(value, source)
                if summed is not None and source is not None:
                    self._added(summed, value, source, source, value)
            case cst.Attribute():
                held = self._values.evaluate(target.value)
                summed = self._sum(target, source)
                self._places.store_attribute(held, target.attr.value, value, target)
                self._places.log(value, target)
                if summed is not None and source is not None:
                    self._added(summed, value, source, source, value)
            case cst.Subscript():
                self._store_element(target, value, source)
            case cst.Tuple() | cst.List():
                self._unpack(target, value, source)
            case cst.StarredElement():
                self.assign(target.value, value, None)

    def augment(self, node: cst.AugAssign) -> None:
        """`a += b`: in place for tensors, a running sum for numbers, an extension for lists."""
        walk = self._walk
        operator = augmented_operator(node.operator)
        target = self._values.evaluate(node.target)
        value = self._values.evaluate(node.value)
        if walk.state is None:
            return
        if any(isinstance(thing, Scalar) and thing.kind is Plain.TEXT for thing in target | value):
            self.assign(node.target, self._values.text([target, value]), None)
            return
        numbers = reads_of(target) | reads_of(value)
        self._places.log(value, node)
        listed = [thing for thing in target if isinstance(thing, Container)]
        for thing in listed:
            item = self._values.element(value, node.value)
            item = self._places.keeping.element(thing, item, node, only(node.value), node.target)
            self._places.put(thing, "[*]", item)
        summed = self._target(node.target, target)
        written = frozenset(tensors(target))
        self._autograd.writing.write_array(target, node, walk.text(node.target))
        result: Value = frozenset(listed)
        found = augmented(operator)
        if written and found is not None and found.writes is None:  # `a @= b` binds a new tensor
            result |= self._autograd.apply(found, Arguments.of(target, value), node, method=True)
        elif written:
            known = frozenset(thing for thing in written if isinstance(thing, Tensor) or tensors(value))
            if found is not None and found.writes is not None and known:
                arguments = Arguments.of(known, value)
                result |= self._autograd.apply(
                    found, arguments, node, method=True, place=walk.text(node.target)
                )
            result |= written
        if any(isinstance(thing, Scalar) for thing in target) or not (listed or written):
            if tensors(value):
                found = binary(operator.removesuffix("="))
                if found is not None:
                    result |= self._autograd.apply(found, Arguments.of(target, value), node, method=True)
            else:
                result |= walk.things.scalar(Plain.NUMBER, reads=numbers)
        stored = walk.widen((result,), node)
        if isinstance(node.operator, cst.AddAssign | cst.SubtractAssign):
            self._added(summed, stored, node, node.value, value)
        if isinstance(node.target, cst.Subscript):
            self._store_element(node.target, stored, augmented_already=True)
        elif isinstance(node.target, cst.Attribute):
            base = self._values.evaluate(node.target.value)
            self._places.store_attribute(base, node.target.attr.value, stored, node.target)
        else:
            self.assign(node.target, stored, None)

    def _sum(self, target: cst.BaseExpression, source: cst.BaseExpression | None) -> Target | None:
        """The target, where an assignment adds to it."""
        return self._target(target, NOTHING) if source is not None and adds(target, source) else None

    def _target(self, node: cst.BaseExpression, before: Value) -> Target:
        """A place that is about to be added to."""
        holders, slot = NOTHING, ""
        if isinstance(node, cst.Attribute):
            holders, slot = self._values.evaluate(node.value), f".{node.attr.value}"
        elif isinstance(node, cst.Subscript):
            holders, slot = self._values.evaluate(node.value), self._values.subscripts.index(node)[0]
        return self._places.keeping.target(node, before, holders, slot)

    def _added(
        self,
        target: Target,
        stored: Value,
        node: cst.CSTNode,
        source: cst.BaseExpression,
        given: Value,
    ) -> None:
        if self._walk.state is not None:
            self._places.keeping.added(target, stored, node, source, given)

    def bind_import(self, node: cst.Import | cst.ImportFrom) -> None:
        """An import binds names, at any depth."""
        if isinstance(node.names, cst.ImportStar):
            return
        module = ""
        if isinstance(node, cst.ImportFrom):
            module = "." * len(node.relative)
            if node.module is not None:
                module += dotted(node.module) + "."
        for alias in node.names:
            full = module + dotted(alias.name)
            bound = alias.asname.name if alias.asname is not None else None
            if isinstance(bound, cst.Name):
                self._places.bind_dotted(bound.value, full)
            elif isinstance(node, cst.ImportFrom):
                self._places.bind_dotted(dotted(alias.name), full)
            else:
                head = full.partition(".")[0]
                self._places.bind_dotted(head, head)

    def _store_element(
        self,
        target: cst.Subscript,
        value: Value,
        source: cst.BaseExpression | None = None,
        *,
        augmented_already: bool = False,
    ) -> None:
        walk = self._walk
        base = self._values.evaluate(target.value)
        slot, index = self._values.subscripts.index(target)
        self._places.log(value, target)
        named = slot[1:2] in ("'", '"') or _is_text(index)  # what has an item of that name is no tensor
        written = frozenset(
            thing
            for thing in base
            if (isinstance(thing, Tensor) and not thing.several)
            or (isinstance(thing, Opaque) and tensors(value) and not named)
        )
        for thing in base:
            if isinstance(thing, Container):
                counted = slot == "[*]" and source is not None and self._counts(target)
                item = value
                if counted and source is not None:
                    item = self._places.keeping.element(thing, value, target, source, target.value)
                self._places.put(thing, slot, item)
            elif isinstance(thing, Tensor) and thing.several and _shows_tensor(target, index, value):
                # What a module gives may hold several tensors, one by one under a name.
                self._autograd.writing.leave(walk.now().tensor(thing), walk.site(target))
        self._values.conversions.item(base, value, target, source)
        self._autograd.writing.write_array(base, target, walk.text(target))
        if augmented_already:  # what was written is stored once more, through a view that is made anew
            self._autograd.writing.use(list(written), walk.site(target))
        if augmented_already:
            return
        self._places.keep(frozenset(thing for thing in base if isinstance(thing, Opaque)), value, target)
        if not written:
            return
        setitem = op("setitem")
        assert setitem is not None
        arguments = Arguments.of(written, index, value)
        self._autograd.apply(setitem, arguments, target, method=True, place=walk.text(target))

    def _counts(self, target: cst.Subscript) -> bool:
        """Whether an index is a number under a name, as a counter of steps is."""
        element = target.slice[0].slice
        if not isinstance(element, cst.Index) or not isinstance(element.value, cst.Name):
            return False
        index = self._values.evaluate(element.value)
        return all(isinstance(thing, Scalar) and thing.kind is Plain.NUMBER for thing in index)

    def _unpack(self, target: cst.Tuple | cst.List, value: Value, source: cst.BaseExpression | None) -> None:
        passed = False  # a starred target took an unknown number of elements
        if any(isinstance(thing, Container) for thing in value):
            # What may be a tuple or one tensor is the tuple where it is taken apart.
            value = frozenset(thing for thing in value if not isinstance(thing, Tensor) or thing.several)
        for number, element in enumerate(target.elements):
            starred = isinstance(element, cst.StarredElement)
            passed |= starred
            slot = "[*]" if passed else f"[{number}]"
            parts = [self._piece(thing, slot, element, source or target) for thing in sorted_things(value)]
            held = self._walk.widen(parts, target)
            if starred:
                rest = self._walk.things.make(Container, (element, "rest"), "", kind="list")
                self._walk.state = self._walk.now().with_slot(rest, "[*]", held)
                held = frozenset((rest,))
            self.assign(element.value, held, None)

    def _piece(self, thing: Thing, slot: str, element: cst.BaseElement, whole: cst.BaseExpression) -> Value:
        if isinstance(thing, Tensor) and not thing.several:
            with self._walk.within(element):
                return self._values.element(frozenset((thing,)), whole)
        if isinstance(thing, Tensor):
            name = element.value.value if isinstance(element.value, cst.Name) else ""
            return self._places.part(thing, name, element, several=True)
        return frozenset((thing,)) if isinstance(thing, Scalar) else self._places.slot(thing, slot)


def _shows_tensor(target: cst.Subscript, index: Value, value: Value) -> bool:
    """Whether only a tensor is likely to be written like this: `x[:, 0] = …`, `x[mask] = …`, `x[i] = 0`."""
    if len(target.slice) > 1 or isinstance(target.slice[0].slice, cst.Slice):
        return True
    numbers = bool(value) and all(isinstance(thing, Scalar) and thing.kind is Plain.NUMBER for thing in value)
    return any(isinstance(thing, Tensor) for thing in index) or (numbers and not _is_text(index))


def _is_text(index: Value) -> bool:
    return bool(index) and all(isinstance(thing, Scalar) and thing.kind is Plain.TEXT for thing in index)


def _adds_to(name: str, source: cst.BaseExpression) -> bool:
    """`total = total + loss.item()` is a running sum as well."""
    while isinstance(source, cst.BinaryOperation):
        if (
            isinstance(source.operator, cst.Add)
            and isinstance(source.right, cst.Name)
            and source.right.value == name
        ):
            return True
        source = source.left
    return isinstance(source, cst.Name) and source.value == name
