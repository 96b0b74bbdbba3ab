"""What a call does, in one order: an effect row, an op or layer row, a summary, the policy for strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow import factories
from torchlint.flow.annotated import method_of
from torchlint.flow.applying import Applying
from torchlint.flow.arguments import Arguments
from torchlint.flow.autograd import Autograd
from torchlint.flow.closures import Closures
from torchlint.flow.effects import Effects
from torchlint.flow.events import Escaped
from torchlint.flow.methods import MODULE_EFFECTS, TENSOR_EFFECTS, Methods, of_method
from torchlint.flow.own_names import NamedCalls
from torchlint.flow.places import Places
from torchlint.flow.playing import Playing
from torchlint.flow.running import Running, is_called_module, is_module_like
from torchlint.flow.strangers import Strangers
from torchlint.flow.switches import Switches
from torchlint.flow.things import (
    NOTHING,
    Bound,
    ClassThing,
    Closure,
    Container,
    Dotted,
    Function,
    Instance,
    Module,
    Opaque,
    Scalar,
    Tensor,
    Thing,
    Value,
    sorted_things,
)
from torchlint.flow.walk import Walk, path_of
from torchlint.names import canonical
from torchlint.tables import Op, Result, module, op
from torchlint.tables.effects import effect, says

if TYPE_CHECKING:
    from torchlint.flow.neighbours import Callee
    from torchlint.flow.values import Values


class Calls:
    """The calls of one walk."""

    def __init__(self, walk: Walk, autograd: Autograd, places: Places, values: Values) -> None:
        self._walk = walk
        self._autograd = autograd
        self._places = places
        self._values = values
        self.switches = Switches(walk)
        self.closures = Closures(walk, autograd, places, values, self.switches)
        playing = Playing(walk, values, self.closures)
        self.running = Running(walk, autograd, places, self.closures, playing)
        self._applying = Applying(walk, autograd, places, self.running, playing)
        self.strangers = Strangers(walk, places, self)
        self._effects = Effects(walk, autograd, places, values, self)
        self._methods = Methods(walk, autograd, places, values, self, self._effects)
        self._named = NamedCalls(walk, places, self.running, self._effects)

    def call(self, node: cst.Call, *, discarded: bool) -> Value:
        """The value of a call; the state moves on."""
        walk = self._walk
        if walk.state is None:
            return NOTHING
        func = node.func
        if not isinstance(func, cst.Attribute):
            target, name = self._values.evaluate(func), ""
        elif isinstance(func.value, cst.Name) and _only_reads(func.attr.value):
            with self._places.read_only():
                target, name = self._values.evaluate(func.value), func.attr.value
        else:
            target, name = self._values.evaluate(func.value), func.attr.value
        arguments = self._arguments(node)
        if walk.state is None:
            return NOTHING
        named = self._named.call(target, name, arguments, node)
        found: list[Value] = []
        if named is not None:
            found = [named]
        elif isinstance(func, cst.Attribute):
            for thing in sorted_things(target):
                given = self._method(thing, name, arguments, node, discarded=discarded)
                found.append(given)
        else:
            modes = {walk.now().module(thing).mode if isinstance(thing, Module) else None for thing in target}
            for thing in sorted_things(target):
                found.append(
                    self._callable(thing, arguments, node, discarded=discarded, alone=len(modes) == 1)
                )
        value = walk.widen(found, node) or walk.unknown(node)
        walk.waiting.called(target, name, arguments, node, value)
        return value

    def entered(self, value: Value, node: cst.BaseExpression) -> Value:
        """What a with statement binds: of an object in sight, what its `__enter__` returns."""
        walk = self._walk
        found: list[Value] = []
        for thing in sorted_things(value):
            cls = thing.cls if isinstance(thing, Instance) and walk.state is not None else None
            enter = walk.file.classes.method(cls, "__enter__") if cls is not None else None
            leave = walk.file.classes.method(cls, "__exit__") if cls is not None else None
            if enter is None or leave is None or not isinstance(node, cst.Call):
                found.append(frozenset((thing,)))
                continue
            restorer = self._applying.restorer(enter, leave, thing, node)
            itself = Arguments((frozenset((thing,)),))
            found.append(self._applying.call(enter, itself, node, discarded=True) | {restorer})
        return NOTHING.union(self._named.restorer(node), *found)

    def invoke(self, value: Value, arguments: Arguments, node: cst.Call) -> None:
        """A function that was handed over is called by whoever got it, here and now."""
        for thing in sorted_things(value):
            if isinstance(thing, Closure | Function | Module):
                self._callable(thing, arguments, node, discarded=False)

    def _arguments(self, node: cst.Call) -> Arguments:
        positional: list[Value] = []
        keywords: dict[str, Value] = {}
        starred = False
        for argument in node.args:
            value = self._values.evaluate(argument.value)
            if argument.star:
                starred = True
                value = self._values.element(value, argument.value) if self._walk.state is not None else value
                if argument.star == "**":
                    keywords.setdefault("**", value)
                else:
                    positional.append(value)
            elif argument.keyword is not None:
                keywords[argument.keyword.value] = value
            else:
                positional.append(value)
        return Arguments(tuple(positional), keywords, starred)

    def _callable(
        self, thing: Thing, arguments: Arguments, node: cst.Call, *, discarded: bool, alone: bool = True
    ) -> Value:
        walk = self._walk
        match thing:
            case Dotted():
                return self._dotted(thing.name, arguments, node, discarded=discarded)
            case Function():
                assert thing.callee is not None
                return self._applying.call(thing.callee, arguments, node, discarded=discarded)
            case Bound(receiver=Module() as receiver):
                return self._method(receiver, thing.name, arguments, node, discarded=discarded)
            case Closure():
                return self.closures.call(thing, arguments, node)
            case ClassThing():
                return self._construct(thing, arguments, node)
            case Module():
                return self.running.forward(
                    thing, arguments, node, walk.text(node.func), certain=alone, discarded=discarded
                )
            case Instance(cls=str() as cls):
                found = walk.file.classes.method(cls, "__call__")
                if found is not None:
                    return self._applying.call(
                        found, arguments.behind(frozenset((thing,))), node, discarded=discarded
                    )
            case Opaque() if is_called_module(walk, thing, node.func):
                held = walk.module(thing.key, thing.place, parent=thing.parent)
                return self.running.forward(held, arguments, node, walk.text(node.func), discarded=discarded)
            case Tensor():
                # Nobody can call a tensor: what `.to(device)` seemed to move was a module.
                for source in (thing, *walk.now().tensor(thing).sources):
                    walk.believe_module(source)
        path = path_of(thing)
        if path is not None and isinstance(thing, Opaque):
            (walk.records.asks if walk.now().grad_mode.surely_off else walk.records.calls).add(path)
        return self.strangers.call(thing.place, arguments, node, discarded=discarded)

    def _dotted(self, name: str, arguments: Arguments, node: cst.Call, *, discarded: bool) -> Value:
        known = effect(name)
        if known is not None:
            return self._effects.function(known, name, arguments, node, discarded=discarded)
        if name.startswith("torch."):
            layer = module(name)
            if layer is not None:
                return self.running.build(layer, arguments, node)
            operation = op(name)
            if operation is not None:
                return self._autograd.apply(
                    operation, arguments, node, method=False, place=self._target(operation, node)
                )
        else:
            thing = self._places.found(name)
            if thing is not None:
                return self._callable(thing, arguments, node, discarded=discarded)
        return self.strangers.call(name, arguments, node, discarded=discarded)

    def _method(
        self, thing: Thing, name: str, arguments: Arguments, node: cst.Call, *, discarded: bool
    ) -> Value:
        walk = self._walk
        itself = frozenset((thing,))
        known = of_method(name, arguments)
        if known is not None and known.kind == "grad_only" and walk.now().regions:
            walk.tell(Escaped(walk.now().born, walk.site(node), "does not work in inference mode"))
        match thing:
            case Dotted():
                full = canonical(f"{thing.name}.{name}")
                defined = self._places.found(thing.name)
                if defined is not None:
                    return self._method(defined, name, arguments, node, discarded=discarded)
                if known is not None and known.kind == "loader":
                    return self._effects.loader(known, node)
                if (
                    thing.name.startswith("torch.")
                    and effect(full) is None
                    and op(full) is None
                    and module(full) is None
                ):
                    return self.strangers.call(full, arguments, node, discarded=discarded)
                if (
                    known is not None
                    and effect(full) is None
                    and not thing.name.startswith(("torch", "builtins"))
                ):
                    return self._effects.method(known, thing, name, arguments, node, discarded=discarded)
                return self._dotted(full, arguments, node, discarded=discarded)
            case Module():
                return self._module_method(thing, name, arguments, node, discarded=discarded)
            case Tensor() | Opaque():
                said = method_of(walk, thing, name, arguments)
                if said is not None:
                    return self._own_method(said, thing, arguments, node, discarded=discarded)
                return self._tensor_method(thing, name, arguments, node, discarded=discarded)
            case Scalar() if known is not None and known.kind in ("text", "log", "each"):
                return self._effects.method(known, thing, name, arguments, node, discarded=discarded)
            case Container() if known is not None:
                return self._effects.method(known, thing, name, arguments, node, discarded=discarded)
            case Scalar():
                if known is not None and known.kind == "refill" and isinstance(node.func, cst.Attribute):
                    self._autograd.writing.write_array(itself, node, walk.text(node.func.value))
                return walk.things.scalar(thing.kind, reads=thing.reads)
            case Container():
                return (
                    self._places.element(thing, "[*]")
                    if name in ("pop", "popleft", "get")
                    else walk.unknown(node)
                )
            case Instance(cls=str() as cls):
                found = walk.file.classes.method(cls, name)
                if found is not None and not walk.file.classes.leads_to(cls, name):
                    if known is not None and known.kind in ("log", "meter"):
                        self._effects.log(arguments, node)
                    return self._own_method(found, thing, arguments, node, discarded=discarded)
                held = self._places.slot(thing, f".{name}")
                if any(isinstance(item, Module) or is_module_like(item) for item in held):
                    return NOTHING.union(
                        *(self._callable(item, arguments, node, discarded=discarded) for item in held)
                    )
                if known is not None:
                    return self._effects.method(known, thing, name, arguments, node, discarded=discarded)
                return self.strangers.call(name, arguments, node, discarded=discarded, receiver=itself)
            case ClassThing():
                found = walk.file.classes.method(thing.cls, name)
                if found is None and known is not None and known.kind == "loader":
                    return self._effects.loader(known, node, thing.cls)
                if known is not None and known.kind in ("log", "meter"):
                    self._effects.log(arguments, node)
                if found is not None:
                    return self._own_method(found, thing, arguments, node, discarded=discarded)
        return self.strangers.call(name, arguments, node, discarded=discarded)

    def _own_method(
        self, callee: Callee, thing: Thing, arguments: Arguments, node: cst.Call, *, discarded: bool
    ) -> Value:
        if not callee.definition.is_static:
            arguments = arguments.behind(frozenset((thing,)))
        return self._applying.call(callee, arguments, node, discarded=discarded)

    def _module_method(
        self, thing: Module, name: str, arguments: Arguments, node: cst.Call, *, discarded: bool
    ) -> Value:
        walk = self._walk
        found = walk.file.classes.method(thing.cls, name) if thing.cls is not None else None
        if found and not found.definition.leads_to and name not in ("eval", "train", "forward"):
            return self._own_method(found, thing, arguments, node, discarded=discarded)
        known = of_method(name, arguments)
        if known is not None and known.kind in MODULE_EFFECTS:
            return self._methods.of_module(known, thing, arguments, node, discarded=discarded)
        if known is not None and known.kind == "log":
            return self._effects.method(known, thing, name, arguments, node, discarded=discarded)
        held = [
            item
            for item in self._places.slot(thing, f".{name}")
            if isinstance(item, Module) or is_module_like(item)
        ]
        named = "module" in says("place", name)
        if held and (named or any(isinstance(item, Module) for item in held)):
            return NOTHING.union(
                *(self._callable(item, arguments, node, discarded=discarded) for item in held)
            )
        if known is not None and known.kind in ("backward", "step"):
            return self._effects.method(known, thing, name, arguments, node, discarded=discarded)
        return self.strangers.call(name, arguments, node, discarded=discarded, receiver=frozenset((thing,)))

    def _tensor_method(
        self, thing: Tensor | Opaque, name: str, arguments: Arguments, node: cst.Call, *, discarded: bool
    ) -> Value:
        known = of_method(name, arguments)
        operation = op(name)
        if known is not None and known.kind in TENSOR_EFFECTS:
            return self._methods.of_tensor(known, thing, name, arguments, node)
        # A tensor has no items: what is taken for one then is a dict of tensors.
        if discarded and known is not None and known.kind in ("cast", "same"):
            self._methods.cast(node)  # of a tensor alone it would be for nothing
        if known is not None and (isinstance(thing, Opaque) or known.kind == "each"):
            ambiguous = operation is not None and not discarded and known.kind != "each"
            logged = any(self._places.reads_within(value) for value in arguments.all())
            if not ambiguous or logged:
                return self._effects.method(known, thing, name, arguments, node, discarded=discarded)
        if operation is not None:
            given, place = arguments.behind(frozenset((thing,))), self._target(operation, node)
            value = self._autograd.apply(operation, given, node, method=True, place=place)
            if known is not None:
                factories.moved(self._walk, thing, value)
            return value
        if isinstance(thing, Opaque):
            held = [item for item in self._places.slot(thing, f".{name}") if isinstance(item, Module)]
            named = "module" in says("place", name)
            if named and not held and "_" not in name:  # `get_embedding` is more likely a method
                held = [
                    self._walk.module(item.key, item.place, parent=thing)
                    for item in self._places.slot(thing, f".{name}")
                ]
            if held or named:
                child = (
                    held[0]
                    if held
                    else self._walk.module((thing.key, name), f"{thing.place}.{name}", parent=thing)
                )
                return self.running.forward(child, arguments, node, self._walk.text(node.func))
        value = self.strangers.call(name, arguments, node, discarded=discarded, receiver=frozenset((thing,)))
        factories.moved(self._walk, thing, value)
        return value

    def _construct(self, thing: ClassThing, arguments: Arguments, node: cst.Call) -> Value:
        walk = self._walk
        classes = walk.file.classes
        made: Thing
        if classes.is_module(thing.cls):
            made = self.running.of_class(thing.cls, node)
        else:
            made = walk.things.make(Instance, (node, "instance"), "", cls=thing.cls)
        walk.made[made] = walk.turn
        found = classes.method(thing.cls, "__init__")
        if found is None:
            if isinstance(made, Instance):
                self._fill(made, arguments)
        elif isinstance(made, Instance) or self._applying.sets_modes(found):
            self._own_method(found, made, arguments, node, discarded=False)
        return frozenset((made,))

    def _fill(self, made: Instance, arguments: Arguments) -> None:
        """A class without a constructor of its own is mostly a record: it holds what it is given."""
        state = self._walk.now()
        fields = self._walk.file.classes.fields(made.cls) if made.cls is not None else ()
        for number, value in enumerate(arguments.positional):
            state = state.with_slot(made, f"[{number}]", value)
            if number < len(fields):
                state = state.with_slot(made, f".{fields[number]}", value)
        for name, value in arguments.keywords.items():
            state = state.with_slot(made, f".{name}", value)
        self._walk.state = state

    def _target(self, operation: Op, node: cst.Call) -> str:
        """How the source spells what an in-place call writes; empty where it writes nothing."""
        named = {argument.keyword.value for argument in node.args if argument.keyword is not None}
        if operation.writes is None and not named & {"out", "inplace"}:
            return ""
        if isinstance(node.func, cst.Attribute) and not node.func.attr.value.endswith("__"):
            receiver = node.func.value
            if isinstance(receiver, cst.Name) and self._walk.file.imports.resolve(receiver.value) is None:
                return receiver.value
            if not isinstance(receiver, cst.Name):
                return self._walk.text(receiver)
        for argument in node.args:
            if argument.keyword is not None and argument.keyword.value == "out":
                return self._walk.text(argument.value)
        return self._walk.text(node.args[0].value) if node.args else ""


def _only_reads(name: str) -> bool:
    """Whether a method turns a tensor into numbers or an array."""
    operation = op(name)
    return operation is not None and operation.result in (Result.NUMBER, Result.ARRAY)
