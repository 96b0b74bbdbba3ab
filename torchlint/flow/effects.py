"""One method for each effect of effects.tsv: what torch, Python and common libraries do to what we follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.arguments import Arguments
from torchlint.flow.autograd import Autograd
from torchlint.flow.domain import Grad, GradMode, Misuse, Mode, Sensitivity
from torchlint.flow.events import Escaped
from torchlint.flow.keeping import only
from torchlint.flow.places import Places
from torchlint.flow.sequences import Sequences
from torchlint.flow.things import (
    NOTHING,
    Container,
    Module,
    Opaque,
    Optimizer,
    Plain,
    Scalar,
    Thing,
    Value,
    constant_of,
)
from torchlint.flow.walk import tensors
from torchlint.tables import op
from torchlint.tables.effects import Effect

if TYPE_CHECKING:
    from torchlint.flow.calls import Calls
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk

_LOADED = {"train": Mode.TRAIN, "eval": Mode.EVAL, "unknown": Mode.UNKNOWN}


class Effects:
    """The effects of one walk."""

    def __init__(self, walk: Walk, autograd: Autograd, places: Places, values: Values, calls: Calls) -> None:
        self._walk = walk
        self._autograd = autograd
        self._places = places
        self._values = values
        self._calls = calls
        self.sequences = Sequences(walk, places, values, calls)

    def function(
        self, known: Effect, name: str, arguments: Arguments, node: cst.Call, *, discarded: bool
    ) -> Value:
        """A function with a row is called."""
        walk = self._walk
        first = arguments.positional[0] if arguments.positional else NOTHING
        match known.kind:
            case "switch":
                return self._calls.switches.made(
                    known.detail or "", name, arguments, node, discarded=discarded
                )
            case "backward":
                retains = any(arguments.constant(word) is True for word in ("retain_graph", "create_graph"))
                self._autograd.backward(first, node, keeps_graph=retains)
                return walk.unknown(node) if not discarded else walk.things.scalar(Plain.NONE)
            case "loader":
                return self.loader(known, node)
            case "holder":
                return self._holder(known, node)
            case "same":
                given = arguments.positional[1:2] if known.detail == "second" else arguments.positional[:1]
                return NOTHING.union(*given) or walk.unknown(node)
            case "copy":
                return self._copy(first, node)
            case "ungraded":
                return self._ungraded(name, arguments, node)
            case "optimizer":
                fused = arguments.constant("fused") is True
                optimizer = walk.things.make(Optimizer, (node, "optimizer"), "", fused, fused=fused)
                parameters = arguments.get("params", 0) or NOTHING
                walk.state = walk.now().with_slots(optimizer, {"[*]": parameters})
                return frozenset((optimizer,))
            case "parameter":
                return self._parameter(first, arguments, node)
            case "data":
                return self._autograd.result(node, Grad.NO, [])
            case "saved":
                return self._saved(node)
            case "inplace":
                self._autograd.writing.write(first, node, self._written(node), noticed=False)
                return first
            case "operator":
                operation = op(known.detail or "")
                assert operation is not None
                if tensors(first):
                    return self._autograd.apply(operation, arguments, node, method=False)
                return self._plain(Plain.NUMBER, arguments)
            case "sum":
                return self._sum(first, node)
            case "either":
                whole = NOTHING.union(*arguments.positional)
                if len(arguments.positional) == 1:
                    whole = self._values.element(whole, node)
                self._calls.invoke(arguments.keywords.get("key", NOTHING), Arguments((whole,)), node)
                return whole if tensors(whole) else self._plain(Plain.NUMBER, arguments)
            case "each":
                return self.sequences.each(known.detail or "", arguments, node)
            case "next":
                return self._values.element(first, node)
            case "dict":
                return self._dict(arguments, node)
            case "deque":
                return self._deque(arguments, node)
            case "getattr":
                return self._getattr(first, arguments, node)
            case "setattr":
                slot = arguments.constant("name", 1)
                stored = arguments.get("value", 2) or NOTHING
                self._places.store_attribute(first, slot if isinstance(slot, str) else "*", stored, node)
                return walk.things.scalar(Plain.NONE)
            case "super":
                return walk.now().names.get("self") or walk.unknown(node)
            case "log":
                self.log(arguments, node)
                return walk.things.scalar(Plain.NONE)
            case "refill":
                self._autograd.writing.write_array(first, node, self._written(node))
                return walk.things.scalar(Plain.NONE)
            case "device":
                named = frozenset(thing for thing in first if isinstance(thing, Scalar))
                return named or walk.things.scalar(Plain.OTHER)
            case "array":
                self._values.conversions.call(known.detail, arguments, node)
                return self._plain(Plain.ARRAY, arguments)
            case "number":
                self._values.conversions.call(known.detail, arguments, node)
                return self._plain(Plain.NUMBER, arguments)
            case "text":
                return self._plain(Plain.TEXT, arguments)
        return walk.things.scalar(Plain.NONE)

    def method(
        self, known: Effect, thing: Thing, name: str, arguments: Arguments, node: cst.Call, *, discarded: bool
    ) -> Value:
        """A method with a row is called on something that is neither a tensor nor a module."""
        walk = self._walk
        whole = NOTHING.union(*arguments.all())
        match known.kind:
            case "log":
                self.log(arguments, node)
                return walk.things.scalar(Plain.NONE)
            case "meter":
                self.log(arguments, node)
                if isinstance(thing, Container):
                    self._places.put(thing, "[*]", self._values.element(whole, node))
                    return frozenset((thing,))
                if discarded and isinstance(thing, Opaque):
                    self._places.keep(frozenset((thing,)), whole, node, lent=True)
                return walk.unknown(node)
            case "append":
                self._append(thing, name, whole, node)
                return walk.things.scalar(Plain.NONE)
            case "keeps":
                self._places.keep(frozenset((thing,)), whole, node)
                return walk.unknown(node)
            case "clear" if isinstance(thing, Container):
                walk.state = walk.now().with_slots(thing, {})
                return walk.things.scalar(Plain.NONE)
            case "setdefault" if isinstance(thing, Container):
                return self._setdefault(thing, arguments, node)
            case "backward":
                self._autograd.backward(arguments.get("loss", 0) or NOTHING, node)
                return walk.things.scalar(Plain.NONE)
            case "step":
                for optimizer in (thing, *whole):
                    if isinstance(optimizer, Optimizer):
                        self._calls.running.layers.step(optimizer, node)
                if discarded and not arguments.positional and walk.now().regions:
                    walk.tell(Escaped(walk.now().born, walk.site(node), "is trained on inside"))
                return walk.unknown(node)
            case "same":
                return self._same(known, thing, arguments, node)
            case "loader":
                return self.loader(known, node)
            case "each":
                return self.sequences.each_of(known.detail or "", thing, node)
            case "text":
                reads = self._places.reads_within(frozenset((thing,)) | whole)
                return walk.things.scalar(Plain.TEXT, reads=reads)
        return self._calls.strangers.call(
            name, arguments, node, discarded=discarded, receiver=frozenset((thing,))
        )

    def loader(self, known: Effect, node: cst.Call, cls: str | None = None) -> Value:
        """A function that returns a module in a known mode; as a method, of the class `cls`."""
        classes = self._walk.file.classes
        kind = cls if cls is not None and classes.is_module(cls) else None
        sensitivity = classes.sensitivity(kind) if kind is not None else Sensitivity.UNKNOWN
        mode = _LOADED[known.detail or ""]
        return frozenset((self._calls.running.fresh(node, kind, sensitivity, parameters=True, mode=mode),))

    def _written(self, node: cst.Call) -> str:
        """How a call spells what it writes, its first argument."""
        return self._walk.text(node.args[0].value) if node.args else ""

    def _saved(self, node: cst.Call) -> Value:
        """Tensors without graph, or the module that their later use shows them to be."""
        loaded = self._autograd.result(node, Grad.NO, [])
        shown = any(thing.key in self._walk.evidence.modules for thing in loaded)
        return self.loader(Effect("loader", "unknown"), node) if shown else loaded

    def _holder(self, known: Effect, node: cst.Call) -> Value:
        """Something that is no module, and holds one in evaluation mode."""
        walk = self._walk
        value = walk.unknown(node, role="holder")
        (held,) = self.loader(Effect("loader", "eval"), node)
        for thing in value:
            walk.state = walk.now().with_slot(thing, f".{known.detail}", frozenset((held,)))
        return value

    def _same(self, known: Effect, thing: Thing, arguments: Arguments, node: cst.Call) -> Value:
        if known.detail in ("receiver", "alone"):
            return frozenset((thing,))
        if len(arguments.positional) == 1 or (known.detail == "first" and arguments.positional):
            return arguments.positional[0]
        several = self._walk.things.make(Container, (node, "same"), "", kind="tuple")
        for number, value in enumerate(arguments.positional):
            self._walk.state = self._walk.now().with_slot(several, f"[{number}]", value)
        return frozenset((several,))

    def _copy(self, value: Value, node: cst.Call) -> Value:
        found: set[Thing] = set()
        for thing in value:
            if isinstance(thing, Module):
                found.add(self._calls.running.copy(thing, node))
            elif isinstance(thing, Opaque) or self._autograd.inference.is_within(
                self._walk.tensors_within(frozenset((thing,)))
            ):  # of an inference tensor the copy may be none
                found |= self._walk.unknown(node, role="copy")
            else:
                found.add(thing)
        return frozenset(found) or self._walk.unknown(node)

    def _parameter(self, value: Value, arguments: Arguments, node: cst.Call) -> Value:
        walk = self._walk
        born = walk.regions_of(tensors(value)) | walk.now().born
        if born:
            walk.tell(Escaped(born, walk.site(node), "becomes a parameter"))
        given = arguments.get("requires_grad", 1)
        wanted = True if given is None else constant_of(given)
        if wanted is True:
            self._autograd.inference.given(value, node, Misuse.PARAMETER)
        return self._autograd.result(node, Grad.NO, []) if wanted is False else self._autograd.leaf(node)

    def _ungraded(self, name: str, arguments: Arguments, node: cst.Call) -> Value:
        """An operation that switches gradients off by itself."""
        walk = self._walk
        operation = op(name)
        if operation is None:
            return self._calls.strangers.call(name, arguments, node, discarded=False)
        before = walk.now()
        walk.state = before.with_switch(GradMode.NO_GRAD, before.regions)
        value = self._autograd.apply(operation, arguments, node, method=False)
        walk.state = walk.now().under(before)
        return value

    def _sum(self, value: Value, node: cst.Call) -> Value:
        element = self._values.element(value, node)
        addition = op("add")
        assert addition is not None
        if tensors(element):
            return self._autograd.apply(addition, Arguments((element,)), node, method=False)
        return self._walk.things.scalar(Plain.NUMBER, reads=self._places.reads_within(value))

    def _dict(self, arguments: Arguments, node: cst.Call) -> Value:
        walk = self._walk
        made = walk.things.make(Container, (node, "dict"), "", kind="dict")
        walk.state = walk.now().with_slots(made, {})  # another one each time
        for name, value in arguments.keywords.items():
            walk.state = walk.now().with_slot(made, f"[{name!r}]", value)
        for value in arguments.positional:
            walk.state = walk.now().with_slot(made, "[*]", self._second(self._values.element(value, node)))
        return frozenset((made,))

    def _second(self, value: Value) -> Value:
        """What a dict that is made of pairs holds: the second of each."""
        slots = [self._walk.now().slots(thing) for thing in value if isinstance(thing, Container)]
        pairs = len(slots) == len(value) and all(set(held) == {"[0]", "[1]"} for held in slots)
        return NOTHING.union(*(held["[1]"] for held in slots)) if value and pairs else value

    def _deque(self, arguments: Arguments, node: cst.Call) -> Value:
        """A list; one with a length drops its oldest element for a new one."""
        walk, held = self._walk, arguments.get("iterable", 0)
        endless = all(thing.place == Plain.NONE.value for thing in arguments.get("maxlen", 1) or NOTHING)
        made = walk.things.make(Container, (node, "deque"), "", kind="list" if endless else "bounded")
        slots = {"[*]": self._values.element(held, node)} if held else {}
        walk.state = walk.now().with_slots(made, slots)
        return frozenset((made,))

    def _setdefault(self, thing: Container, arguments: Arguments, node: cst.Call) -> Value:
        """What stands under a key; a list that is the default lives on, though the next one is made anew."""
        walk, key = self._walk, arguments.constant("key", 0)
        slot = "[*]" if key is None else f"[{key!r}]"
        held = self._places.element(thing, slot)
        for default in arguments.get("default", 1) or NOTHING:
            lasting = default
            if isinstance(default, Container):
                lasting = walk.things.make(Container, (node, "default"), "", default.kind, kind=default.kind)
                if lasting not in held:
                    walk.state = walk.now().with_slots(lasting, walk.now().slots(default))
            held |= {lasting}
        self._places.put(thing, slot, held)
        return held

    def _getattr(self, value: Value, arguments: Arguments, node: cst.Call) -> Value:
        name = arguments.constant("name", 1)
        if not isinstance(name, str):
            return self._walk.unknown(node)
        found = [self._places.attribute(thing, name, node) for thing in value]
        return self._walk.widen(found, node) or self._walk.unknown(node)

    def _append(self, thing: Thing, name: str, value: Value, node: cst.Call) -> None:
        self._places.log(value, node)
        stored = self._values.element(value, node) if name == "extend" else value
        if node.args and isinstance(node.func, cst.Attribute):
            last = node.args[-1].value
            given = only(last) if name == "extend" else last
            stored = self._places.keeping.element(thing, stored, node, given, node.func.value)
        if isinstance(thing, Container) and name == "append":
            self._places.append(thing, stored)
        elif isinstance(thing, Container):
            self._places.put(thing, "[*]", stored)
        else:
            self._places.keep(frozenset((thing,)), value, node)

    def log(self, arguments: Arguments, node: cst.Call) -> None:
        """Everything handed to a call goes to a log."""
        for value in arguments.all():
            self._places.log(value, node)

    def _plain(self, kind: Plain, arguments: Arguments) -> Value:
        reads = frozenset().union(*(self._places.reads_within(value) for value in arguments.all()))
        return self._walk.things.scalar(kind, reads=reads)
