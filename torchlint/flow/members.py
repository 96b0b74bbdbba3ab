"""What modules and other objects hold where nobody in sight has stored it: as their classes declare it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchlint.constructs import Construct, Listed, Named
from torchlint.flow.domain import Grad
from torchlint.flow.state import TensorFacts
from torchlint.flow.things import Container, Instance, Module, Opaque, Optimizer, Tensor, Thing, Value
from torchlint.flow.walk import path_of
from torchlint.names import canonical
from torchlint.tables.effects import effect

if TYPE_CHECKING:
    from collections.abc import Collection

    from torchlint.flow.classes import Classes
    from torchlint.flow.places import Places
    from torchlint.flow.walk import Walk

# Methods that only a module has, so that calling one on an attribute shows what the attribute is.
_MODULE_METHODS = frozenset(("eval", "train", "parameters", "named_parameters", "modules", "children"))


class Members:
    """What things hold in one walk."""

    def __init__(self, walk: Walk, places: Places) -> None:
        self._walk = walk
        self._places = places

    def parameters(self, module: Thing) -> Tensor:
        """What stands for each parameter of a module: it lies in the storages of all that are known."""
        walk = self._walk
        place = f"{module.place}.parameters()"
        every = walk.things.make(
            Tensor, (module.key, "parameter"), place, leaf=True, holder=module, every=True
        )
        storages = {every}
        if isinstance(module, Module):
            storages |= {storage for storage in self.saved_of([module]) if storage.leaf}
        facts = TensorFacts(Grad.YES, frozenset(storages), family=frozenset((every,)))
        walk.state = walk.now().with_tensor(every, facts)
        return every

    def saved_of(self, modules: Collection[Module]) -> list[Tensor]:
        """The parameters and buffers of modules that backward needs unchanged."""
        walk = self._walk
        found: list[Tensor] = []
        for storage, sites in walk.now().graph.savers.items():
            if not sites or not isinstance(storage, Tensor) or storage.holder is None:
                continue
            if any(walk.holds(module, storage.holder) for module in modules):
                found.append(storage)
        return found

    def child(self, parent: Thing, slot: str) -> Thing:
        """What an attribute (".x") or element ("[0]") of a thing holds where nobody has stored anything."""
        walk = self._walk
        path = path_of(parent)
        key: object = ("entry", (*path, slot)) if path is not None else (parent.key, slot)
        name = slot[1:] if slot[0] == "." else slot
        place = f"{parent.place}{slot}" if parent.place else name
        owner = parent.cls if isinstance(parent, Module | Instance) else None
        if owner is not None and slot[0] == ".":
            known = self._declared(parent, owner, name, key, place)
            if known is not None:
                return known
        foreign = isinstance(parent, Module) and not walk.file.classes.is_in_sight(parent.cls)
        saved = parent.layer.saves_state if isinstance(parent, Module) and parent.layer is not None else ()
        if foreign and (name in ("weight", "bias") or any(item.arg == name for item in saved)):
            return walk.things.make(Tensor, key, place, leaf=True, holder=parent)
        if isinstance(parent, Module) and (slot[0] == "[" or name == "module"):
            return walk.module(key, place, parent=parent)
        thing = walk.opaque(key, place, parent)
        if (
            isinstance(thing, Opaque)
            and key in walk.evidence.graphs
            and walk.now().tensors.get(thing) is None
        ):
            grad = Grad.NO if walk.now().grad_mode.surely_off else Grad.YES
            facts = replace(walk.now().tensor(thing), grad=grad)
            walk.state = walk.now().with_tensor(thing, facts)
        return thing

    def bound_outside(self, name: str, construct: Construct) -> Thing:
        """What the module level binds a name to once, seen from a function: a module or an optimizer."""
        walk = self._walk
        key = ("entry", (f"::{name}",))
        built = self._built(construct, key, name)
        if built is not None:
            return built
        dotted = canonical(walk.file.imports.resolve(construct.callee) or construct.callee)
        known = effect(dotted)
        if known is None or known.kind != "optimizer":
            return self._places.entry((f"::{name}",), name)
        fused = dict(construct.keywords).get("fused") is True
        optimizer = walk.things.make(Optimizer, key, name, fused, fused=fused)
        if walk.now().heap.get(optimizer) is None:
            held: set[Thing] = set()
            for item in construct.arguments[:1]:
                if isinstance(item, Construct) and item.callee.endswith(".parameters"):
                    held |= {
                        self.parameters(one)
                        for one in self._places.name(item.callee.removesuffix(".parameters"))
                    }
            walk.state = walk.now().with_slots(optimizer, {"[*]": frozenset(held)})
        return optimizer

    def _built(
        self,
        construct: Construct,
        key: tuple[object, tuple[str, ...]] | object,
        place: str,
        *,
        parent: Thing | None = None,
        owned: bool = False,
        home: Classes | None = None,
    ) -> Module | None:
        """The module that a constructor call in sight makes, with the layers of a Sequential.

        `home` are the classes of the file that spells it, where that is another one.
        """
        walk = self._walk
        made = (home or walk.file.classes).made(construct)
        if made is None:
            return None
        thing = walk.things.make(
            Module,
            key,
            place,
            cls=made.cls,
            sensitivity=made.sensitivity,
            parent=parent,
            owned=owned,
            parameters=made.parameters,
            layer=made.layer,
            inplace=made.inplace,
            statistics=made.statistics,
        )
        if made.cls == "torch.nn.Sequential" and walk.now().heap.get(thing) is None:
            children: dict[str, Value] = {}
            path = path_of(thing)
            for number, item in enumerate(construct.arguments):
                slot = f"[{number}]"
                inner: object = ("entry", (*path, slot)) if path is not None else (key, slot)
                built = isinstance(item, Construct) and self._built(
                    item, inner, f"{place}{slot}", parent=thing, owned=owned, home=home
                )
                if not built:
                    return thing
                children[slot] = frozenset((built,))
            walk.state = walk.now().with_slots(thing, children)
        return thing

    def _held_object(self, values: list[tuple[Classes, object]]) -> str | None:
        """The class of the objects that an attribute holds, where all that is assigned are new ones of it."""
        classes = {
            home.find(value.callee) if isinstance(value, Construct) else None
            for home, value in values
            if value is not None
        }
        return self._one_object(classes)

    def _held_by_default(self, values: list[tuple[Classes, object]]) -> str | None:
        """The class of the objects that a defaultdict makes, where the attribute is nothing but one."""
        classes: set[str | None] = set()
        for home, value in values:
            made = value.arguments[0] if isinstance(value, Construct) and value.arguments else None
            known = isinstance(value, Construct) and (
                home.imports.resolve(value.callee) == "collections.defaultdict"
            )
            classes.add(home.find(made.name) if known and isinstance(made, Named) else None)
        return self._one_object(classes)

    def _one_object(self, classes: set[str | None]) -> str | None:
        """The one class in sight among these, where its objects are no modules."""
        (cls,) = classes if len(classes) == 1 else (None,)
        return cls if cls is not None and not self._walk.file.classes.is_module(cls) else None

    def _declared(self, parent: Thing, owner: str, name: str, key: object, place: str) -> Thing | None:
        """The attribute as the class of this source declares it."""
        walk = self._walk
        classes = walk.file.classes
        owned = isinstance(parent, Module) and parent.owned
        values = classes.attribute(owner, name)
        for home, value in values:
            if not isinstance(value, Construct):
                continue
            built = self._built(value, key, place, parent=parent, owned=owned, home=home)
            if built is not None:
                return built
            dotted = home.imports.resolve(value.callee) or value.callee
            if canonical(dotted) == "torch.nn.parameter.Parameter":
                if any(isinstance(other, tuple) for _, other in values):
                    return None  # elsewhere a list or dict of parameters
                if False in (*value.arguments[1:2], dict(value.keywords).get("requires_grad")):
                    return walk.opaque(key, place, parent)
                return walk.things.make(Tensor, key, place, leaf=True, holder=parent)
        origins = classes.inference(owner, name)
        if origins:
            tensor = walk.things.make(Tensor, key, place, holder=parent)
            if walk.now().tensors.get(tensor) is None:
                facts = TensorFacts(Grad.NO, frozenset((tensor,)), inference=origins)
                walk.state = walk.now().with_tensor(tensor, facts)
            return tensor
        held = self._held_object(values)
        if held is not None:
            return walk.things.make(Instance, key, place, held, cls=held)
        held = self._held_by_default(values)
        if held is not None:
            mapping = walk.things.make(Container, key, place, kind="dict")
            if walk.now().heap.get(mapping) is None:
                element = walk.things.make(Instance, (key, "[*]"), f"{place}[*]", held, cls=held)
                walk.state = walk.now().with_slot(mapping, "[*]", frozenset((element,)))
            return mapping
        listed = _own_parts(values)
        if listed:
            whole = walk.things.make(Container, key, place, kind="list")
            if walk.now().heap.get(whole) is None:
                walk.state = walk.now().with_slots(whole, {})  # `self.parts = [self.parts]` ends here
                parts = {f"[{n}]": self._places.slot(parent, f".{part}") for n, part in enumerate(listed)}
                walk.state = walk.now().with_slots(whole, parts)
            return whole
        if classes.is_buffer(owner, name):
            buffer = walk.things.make(Tensor, key, place, holder=parent)
            if walk.now().tensors.get(buffer) is None:
                facts = TensorFacts(Grad.NO, frozenset((buffer,)))
                walk.state = walk.now().with_tensor(buffer, facts)
            return buffer
        uses = classes.uses(owner, name)
        is_layer = isinstance(parent, Module) and "()" in uses and classes.method(owner, name) is None
        if (is_layer or uses & _MODULE_METHODS) and walk.things.named(key) not in walk.evidence.factories:
            return walk.module(key, place, parent=parent, owned=owned)
        return None


def _own_parts(values: list[tuple[Classes, object]]) -> list[str]:
    """`a`, `b` for an attribute that is nothing but `[self.a, self.b]`, or a dict of these."""
    (only,) = [value for _, value in values] if len(values) == 1 else (None,)
    parts = [one.name if isinstance(one, Named) else "" for one in only] if isinstance(only, Listed) else []
    own = [part.removeprefix("self.") for part in parts if part.startswith("self.") and part.count(".") == 1]
    return own if len(own) == len(parts) else []
