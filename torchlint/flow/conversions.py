"""Conversions of tensors with grad to numbers, texts, arrays: torch warns about some and refuses others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.domain import Grad, GradMode
from torchlint.flow.events import Converted
from torchlint.flow.things import Container, Plain, Scalar, Tensor, Thing, Value, constant_of
from torchlint.flow.tree import primary
from torchlint.flow.walk import tensors

if TYPE_CHECKING:
    from torchlint.flow.arguments import Arguments
    from torchlint.flow.places import Places
    from torchlint.flow.walk import Walk

_FIELD = re.compile(r"%(?:\((?P<key>[^)]*)\))?[-#0 +]*(?:\*|\d+)?(?:\.(?:\*|\d+))?[hlL]?(?P<kind>[a-zA-Z%])")


class Conversions:
    """The conversions of one walk."""

    def __init__(self, walk: Walk, places: Places) -> None:
        self._walk = walk
        self._places = places

    def call(self, how: str | None, arguments: Arguments, node: cst.Call) -> None:
        """A function converts its arguments, and torch `warns` or `raises` where they require grad.

        One that raises does so for what is held in lists, too; one that does for what is `held` hands a bare
        tensor to a method of its own.
        """
        if how in (None, "reads"):
            return
        for argument, value in zip(node.args, arguments.positional, strict=False):
            given = value
            if how != "warns":
                bare = frozenset(tensors(value))
                held = frozenset(self._walk.tensors_within(value)) - bare
                given = held if how == "held" else bare | held
            replaced = node if isinstance(node.func, cst.Name) and node.func.value == "float" else None
            direct = argument.value if given and given == value else None
            self._tell(given, node, direct, refused=how != "warns", replaced=replaced)

    def percent(self, text: Value, value: Value, node: cst.BinaryOperation) -> None:
        """`"%.3f" % loss`: a field for a float converts; one for an integer or a text does not warn."""
        form = constant_of(text)
        if not isinstance(form, str):
            return
        fields = [field for field in _FIELD.finditer(form) if field["kind"] != "%"]
        for number, field in enumerate(fields):
            if field["kind"] not in "eEfFgG":
                continue
            slot = f"[{number}]" if field["key"] is None else f"[{field['key']!r}]"
            given: Value = frozenset()
            for thing in value:
                given |= self._places.element(thing, slot) if isinstance(thing, Container) else {thing}
            self._tell(given, node, _field(node.right, number, len(fields)), refused=False)

    def item(
        self, array: Value, value: Value, target: cst.Subscript, source: cst.BaseExpression | None
    ) -> None:
        """`array[0] = loss`: one element is a conversion to a number, several are one to an array."""
        is_array = any(isinstance(thing, Scalar) and thing.kind is Plain.ARRAY for thing in array)
        if is_array and not any(isinstance(thing, Tensor) for thing in array):
            several = any(isinstance(element.slice, cst.Slice) for element in target.slice)
            self._tell(value, target, source, refused=several)

    def _tell(
        self,
        value: Value,
        node: cst.CSTNode,
        source: cst.BaseExpression | None,
        *,
        refused: bool,
        replaced: cst.Call | None = None,
    ) -> None:
        walk = self._walk
        known = [thing for thing in tensors(value) if not (refused and _may_be_none(thing))]
        found = [walk.now().tensor(thing) for thing in known]
        carrying = [
            facts
            for facts in found
            if Grad.YES in facts.grad and Grad.UNKNOWN not in facts.grad and not facts.guessed
        ]
        mode = walk.now().grad_mode
        if not carrying or mode.surely_off:
            return
        walk.records.eventful = True
        walk.records.asks_grad_mode |= GradMode.CALLER in mode
        certain = mode.surely_on and all(facts.grad is Grad.YES for facts in found)
        cut = None
        all_carry = len(found) == len(value) == len(carrying)
        if source is not None and all_carry and not (walk.rehearsing or walk.calls):
            text = primary(walk.played, source)
            if text is not None:
                word = "detach" if refused else "detach().item"
                cut = (walk.read(replaced or source), f"{text}.{word}()")
        site = walk.site(node)
        if walk.calls:
            walk.tell(Converted(walk.own(site), walk.text(node), refused, certain, None, walk.calls[0].site))
        else:
            walk.tell(Converted(site, walk.text(node), refused, certain, cut))


def _may_be_none(thing: Thing) -> bool:
    """What torch would refuse is no tensor after all, where nobody knows what made it."""
    return not isinstance(thing, Tensor) or thing.several


def _field(right: cst.BaseExpression, number: int, fields: int) -> cst.BaseExpression | None:
    """The expression of one field, where the source spells the fields one by one."""
    match right:
        case cst.Tuple(elements=elements) if _all_plain(elements) and number < len(elements):
            return elements[number].value
        case cst.Dict() | cst.Tuple():
            return None
    return right if fields == 1 else None


def _all_plain(elements: Sequence[cst.BaseElement]) -> bool:
    return all(isinstance(element, cst.Element) for element in elements)
