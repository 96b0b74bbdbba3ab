"""Places: what names, attributes and elements hold, and what it means to store something there."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from torchlint.constructs import Construct
from torchlint.flow.domain import Grad, Misuse, Mode
from torchlint.flow.events import STORED, Escaped, Logged, Site, UsedOutside
from torchlint.flow.keeping import Keeping
from torchlint.flow.leaving import leave
from torchlint.flow.members import Members
from torchlint.flow.neighbours import Callee
from torchlint.flow.state import TensorFacts
from torchlint.flow.things import (
    NOTHING,
    Bound,
    ClassThing,
    Container,
    Dotted,
    Function,
    Instance,
    Module,
    Opaque,
    Plain,
    Remembered,
    Scalar,
    Tensor,
    Thing,
    Value,
    constant_of,
    reads_of,
)
from torchlint.flow.walk import path_of
from torchlint.names import canonical
from torchlint.tables import module, op
from torchlint.tables.effects import effect, says

if TYPE_CHECKING:
    import libcst as cst

    from torchlint.flow.autograd import Autograd
    from torchlint.flow.walk import Walk

_BUILTINS = frozenset(dir(builtins))
_CONSTANTS = {"True": True, "False": False}

_ITSELF = "<this module>"  # what sys.modules[__name__] holds


class Places:
    """The places of one walk."""

    def __init__(self, walk: Walk, autograd: Autograd) -> None:
        self._walk = walk
        self._autograd = autograd
        self.members = Members(walk, self)
        self.keeping = Keeping(walk)
        self._reading = False

    def name(self, name: str) -> Value:
        """What a name holds: a local, else what the module level binds, else a builtin."""
        walk = self._walk
        value = walk.now().names.get(name)
        if value is not None:
            self._use(value, name)
            return value
        if name in _CONSTANTS:
            return walk.things.scalar(Plain.OTHER, constant=_CONSTANTS[name])
        if name == "None":
            return walk.things.scalar(Plain.NONE)
        file = walk.file
        dotted = file.imports.resolve(name)
        if dotted is not None:
            return self._dotted(name, dotted)
        if name in file.skeleton.itself:
            return self._dotted(name, _ITSELF)
        if name in file.skeleton.definitions:
            return self._function(Callee(file, file.skeleton.definitions[name]))
        if name in file.skeleton.classes:
            return self._class(file.classes.own(name), name)
        for candidate in file.imports.starred(name):
            if effect(candidate) or module(candidate) or op(candidate):
                return self._dotted(name, candidate)
        if name in file.skeleton.constants:
            literal = file.skeleton.constants[name]
            if isinstance(literal, Construct):
                return frozenset((self.members.bound_outside(name, literal),))
            kind = Plain.TEXT if isinstance(literal, str) else Plain.NUMBER
            return walk.things.scalar(kind, constant=literal)
        if name in _BUILTINS:
            return self._dotted(name, f"builtins.{name}")
        return frozenset((self.entry((f"::{name}",), name),))

    def found(self, dotted: str) -> Thing | None:
        """The function or class of another file of the project that a dotted name stands for."""
        home, _, name = self._walk.file, *dotted.rpartition(".")[1:]
        if dotted != f"{_ITSELF}.{name}":
            found = home.neighbours.find(dotted)
            if found is None:
                return None
            home, name = found
        value = NOTHING
        if name in home.skeleton.definitions:
            value = self._function(Callee(home, home.skeleton.definitions[name]))
        elif name in home.skeleton.classes:
            value = self._class(home.classes.own(name), name)
        return next(iter(value), None)

    def _function(self, callee: Callee) -> Value:
        name = callee.definition.qualname
        key = ("function", callee.home.path, name)
        return frozenset((self._walk.things.make(Function, key, name, callee=callee),))

    def _class(self, key: str, name: str) -> Value:
        return frozenset((self._walk.things.make(ClassThing, ("class", key), name, cls=key),))

    def entry(self, path: tuple[str, ...], place: str) -> Thing:
        """The thing that the caller has at a place."""
        return self._walk.opaque(("entry", path), place)

    def bind(self, name: str, value: Value, node: cst.CSTNode) -> None:
        """A local name is assigned."""
        walk = self._walk
        if name in walk.outer_names:
            self.keep(NOTHING, value, node, anyway=True)
        for thing in value:
            if isinstance(thing, Module):
                walk.called_names.setdefault(thing, set()).add(name)
        walk.state = walk.now().with_name(name, value)

    def bind_dotted(self, name: str, dotted: str) -> None:
        """An import inside the unit."""
        self._walk.state = self._walk.now().with_name(name, self._dotted(name, canonical(dotted)))

    def attribute(self, thing: Thing, name: str, node: cst.CSTNode) -> Value:
        """What an attribute of a thing holds."""
        walk = self._walk
        match thing:
            case Dotted():
                return self._dotted(f"{thing.place}.{name}", canonical(f"{thing.name}.{name}"))
            case Module() if name == "training":
                # Kept with the number, so that train(was_training) can put it back.
                remembered = Remembered(thing, walk.now().module(thing))
                return walk.things.scalar(Plain.OTHER, constant=remembered)
            case Module() if name == "module" and not walk.file.classes.attribute(thing.cls or "", name):
                return frozenset((thing,))  # what DataParallel and its like wrap
            case Module() if name in ("eval", "train"):
                key = (thing.key, f".{name}")
                return frozenset((walk.things.make(Bound, key, name, receiver=thing, name=name),))
            case Scalar():
                return walk.things.scalar(thing.kind, reads=thing.reads)
            case Tensor() | Opaque() if _is_metadata(name):
                return walk.things.scalar(Plain.NUMBER)
            case Tensor() if name == "grad":
                gradient = walk.things.make(Tensor, (thing.key, ".grad"), f"{thing.place}.grad", holder=thing)
                facts = TensorFacts(Grad.NO, frozenset((gradient,)))
                walk.state = walk.now().with_tensor(gradient, facts)
                return frozenset((gradient,))
            case Tensor():
                return self.part(thing, name, node)
            case ClassThing():
                callee = walk.file.classes.method(thing.cls, name)
                if callee is not None:
                    return self._function(callee)
        return self.slot(thing, f".{name}")

    def part(self, whole: Tensor, name: str, node: cst.CSTNode, *, several: bool = False) -> Value:
        """A part of what a module gives; its name may say that it counts or measures, and has no graph."""
        if "index" in says("place", name):
            return self._autograd.result(node, Grad.NO, [], born=self._walk.now().tensor(whole).born)
        return self._autograd.part(whole, node, several=several)

    def element(self, container: Container, slot: str) -> Value:
        """One element of a container; all of them where the index is not known."""
        if slot.startswith("[-"):
            length, number = self.length(container), _number(slot)
            if length is not None and number is not None:
                slot = f"[{length + number}]"
        exact = self._walk.now().slots(container).get(slot)
        if slot != "[*]" and exact is not None:
            return exact
        return NOTHING.union(
            *(value for name, value in self._walk.now().slots(container).items() if name[0] == "[")
        )

    def length(self, container: Container) -> int | None:
        """How many elements a list or tuple has; None where that is not known."""
        slots = self._walk.now().slots(container)
        elements = [slot for slot in slots if slot.startswith("[")]
        return len(elements) if all(f"[{number}]" in slots for number in range(len(elements))) else None

    def append(self, container: Container, value: Value) -> None:
        """An element comes behind the others."""
        length = None if self._walk.joining else self.length(container)
        self.put(container, "[*]" if length is None else f"[{length}]", value)

    def slot(self, thing: Thing, slot: str) -> Value:
        """What an attribute (".x") or element ("[0]") of a thing holds, made up when nobody has stored it."""
        walk = self._walk
        if isinstance(thing, Container):
            return self.element(thing, slot)
        stored = walk.now().slots(thing).get(slot)
        if stored is not None:
            return stored
        way = self._behind(thing, slot)
        if way:
            value: Value = frozenset((thing,))
            for step in way:
                value = NOTHING.union(*(self.slot(one, f".{step}") for one in value))
            return value
        if isinstance(thing, Instance) and path_of(thing) is None:
            return self._of_object(thing, slot)
        return frozenset((self.members.child(thing, slot),))

    def _behind(self, thing: Thing, slot: str) -> tuple[str, ...]:
        """The attributes behind one that is a property; where these are properties too, none."""
        cls = thing.cls if isinstance(thing, Module | Instance) and slot[0] == "." else None
        classes = self._walk.file.classes
        way = classes.leads_to(cls, slot[1:]) if cls is not None else ()
        return way if way and cls is not None and not classes.leads_to(cls, way[0]) else ()

    def _of_object(self, thing: Instance, slot: str) -> Value:
        """What an object made here gives where nobody stored it: it may be made of all that it holds."""
        walk = self._walk
        slots = walk.now().slots(thing).items()
        elements = NOTHING.union(*(value for name, value in slots if name[0] == "["))
        if slot[0] == "[" and elements:
            return elements
        child = self.members.child(thing, slot)
        held = walk.tensors_within(frozenset((thing,))) if isinstance(child, Tensor | Opaque) else ()
        born = walk.regions_of(held)
        if born:
            walk.mark_born(child, born)
        return frozenset((child,))

    def store_attribute(self, base: Value, name: str, value: Value, node: cst.CSTNode) -> None:
        """`base.name = value`."""
        walk = self._walk
        for thing in base:
            if name == "requires_grad" and isinstance(thing, Tensor | Opaque | Module):
                self.require_grad(thing, wanted=constant_of(value), node=node)
                continue
            if name == "training" and isinstance(thing, Module):
                mode = {True: Mode.TRAIN, False: Mode.EVAL}.get(constant_of(value), Mode.CALLER)  # type: ignore[call-overload]
                walk.set_mode(thing, mode, walk.site(node))
                continue
            walk.state = walk.now().with_slot(thing, f".{name}", value)
        outside = frozenset(thing for thing in base if not isinstance(thing, Container))
        if outside and name != "grad":
            self.keep(outside, value, node)

    def put(self, container: Container, slot: str, value: Value) -> None:
        """An element is stored; the others stay."""
        walk = self._walk
        known = walk.now().slots(container).get(slot, NOTHING)
        walk.state = walk.now().with_slot(container, slot, known | value if slot == "[*]" else value)

    def keep(
        self, where: Value, value: Value, node: cst.CSTNode, *, anyway: bool = False, lent: bool = False
    ) -> None:
        """A value is stored where it outlives the walk: in an attribute, a stranger, a caller's list.

        It is only `lent` to what measures it.
        """
        walk = self._walk
        if not where and not anyway:
            return
        born: frozenset[object] = frozenset()
        leave(walk, walk.tensors_within(value), node, lent=lent)
        if where and all("report" in says("place", holder.place) for holder in where):
            return
        for thing in walk.tensors_within(value):
            facts = walk.now().tensor(thing)
            born |= facts.born
            paths = {
                path
                for item in (thing, *facts.storages, *facts.sources)
                if (path := path_of(item)) is not None
            }
            walk.records.keeps |= paths
            made = isinstance(thing, Tensor) and not paths
            if made and not walk.now().regions and any(self._is_the_callers(holder) for holder in where):
                walk.records.leaves = True
        regions = frozenset(region for region in walk.known_regions if region in born)
        if regions:
            walk.tell(Escaped(regions, walk.site(node), STORED))

    def _is_the_callers(self, holder: Thing) -> bool:
        """Whether it was there before the call; what a constructor fills is new."""
        path = path_of(holder)
        return path is not None and not (path == ("self",) and self._walk.unit.is_constructor)

    def require_grad(self, thing: Thing, *, wanted: object, node: cst.CSTNode) -> None:
        """requires_grad was set: a module freezes, a tensor becomes a leaf or stops being one."""
        walk = self._walk
        state = walk.now()
        holder = thing.holder if isinstance(thing, Tensor) else None
        module_thing = thing if isinstance(thing, Module) else holder
        if isinstance(module_thing, Module):
            for part in walk.parts(module_thing):
                facts = walk.now().module(part)
                walk.state = walk.now().with_module(part, replace(facts, frozen=wanted is False))
            return
        known = state.tensor(thing)
        if known.born:
            walk.tell(Escaped(known.born, walk.site(node), "gets requires_grad"))
        if wanted is True:
            self._autograd.inference.given(frozenset((thing,)), node, Misuse.GRADED)
        grad = Grad.YES if wanted is True else Grad.NO if wanted is False else Grad.UNKNOWN
        leaf = grad is Grad.YES and (known.grad is Grad.NO or known.leaf)
        new = TensorFacts(grad, known.storages, born=known.born, leaf=leaf, family=known.family)
        graph = walk.now().graph
        for base in known.bases:
            graph = graph.forget(base, Grad.YES if leaf else None)
        walk.state = walk.now().with_tensor(thing, new).with_graph(graph)

    def log(self, value: Value, node: cst.CSTNode) -> None:
        """A value reaches a log, a history or a running sum."""
        if self._walk.state is not None:
            walk = self._walk
            reads = self.reads_within(value)
            if reads:
                walk.tell(Logged(walk.site(node), reads))
            for thing in walk.tensors_within(value):
                # Where the number is the caller's, the caller hears of it.
                for source in {thing, *walk.now().tensor(thing).sources}:
                    path = path_of(source)
                    if path is not None:
                        walk.records.logs.add(path)

    def reads_within(self, value: Value) -> frozenset[Site]:
        """The `.item()` calls that a value and the containers in it come from."""
        reads = reads_of(value)
        seen: set[Thing] = set()
        stack = [thing for thing in value if isinstance(thing, Container)]
        while stack:
            thing = stack.pop()
            if isinstance(thing, Container) and thing not in seen:
                seen.add(thing)
                for held in self._walk.now().slots(thing).values():
                    reads |= reads_of(held)
                    stack.extend(inner for inner in held if isinstance(inner, Container))
        return reads

    def _dotted(self, place: str, dotted: str) -> Value:
        return frozenset((self._walk.things.make(Dotted, ("dotted", dotted), place, dotted, name=dotted),))

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """A name is evaluated only for a number to be read of it."""
        self._reading = True
        yield
        self._reading = False

    def _use(self, value: Value, name: str) -> None:
        """A tensor of a region that is over is mentioned: it has left the region."""
        walk = self._walk
        if self._reading or walk.rehearsing or len(walk.known_regions) == len(walk.now().regions):
            return
        for thing in walk.tensors_within(value):
            outside = walk.now().tensor(thing).born - walk.now().born
            if outside:
                walk.tell(UsedOutside(outside, name))


def _number(slot: str) -> int | None:
    """The number that a slot has as an element of a list, negative from its end."""
    text = slot[1:-1]
    return int(text) if text.removeprefix("-").isdigit() else None


def _is_metadata(name: str) -> bool:
    known = effect(f".{name}")
    return known is not None and known.kind == "metadata"
