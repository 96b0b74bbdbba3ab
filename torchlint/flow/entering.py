"""What is known where the walk of a function begins: its parameters, and the modes of what it finds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchlint.flow.domain import Grad, Mode, Sensitivity
from torchlint.flow.pauses import NO_PAUSE
from torchlint.flow.running import is_module_like
from torchlint.flow.state import ModuleFacts, TensorFacts
from torchlint.flow.summary import Context, ModuleShape, Path, settles
from torchlint.flow.things import Instance, Module, Opaque, Thing

if TYPE_CHECKING:
    import libcst as cst

    from torchlint.definitions import Definition
    from torchlint.flow.classes import Classes
    from torchlint.flow.file import FileFlow
    from torchlint.flow.places import Places
    from torchlint.flow.walk import Walk
    from torchlint.units import Unit


def begin(walk: Walk, places: Places, definition: Definition) -> None:
    """Bind the parameters of a definition to what the caller has there."""
    names = (*definition.parameters, *definition.keyword_parameters)
    for position, name in enumerate(names):
        thing = _parameter(walk, places, definition, position, name)
        walk.state = walk.now().with_name(name, frozenset((thing,)))
        if thing.key in walk.evidence.graphs and not isinstance(thing, Module):
            nodes = frozenset((walk.site(_declared(walk.unit, name)),))
            walk.state = walk.now().with_tensor(thing, TensorFacts(Grad.YES, frozenset((thing,)), nodes))


def _parameter(walk: Walk, places: Places, definition: Definition, position: int, name: str) -> Thing:
    classes = walk.file.classes
    key = ("entry", (name,))
    owner = classes.own(definition.owner) if definition.owner is not None else None
    if position == 0 and owner is not None and not definition.is_static and name in ("self", "model"):
        if classes.is_module(owner):
            sensitivity = classes.sensitivity(owner)
            return walk.things.make(
                Module, key, name, cls=owner, sensitivity=sensitivity, owned=True, parameters=True
            )
        return walk.things.make(Instance, key, name, cls=owner)
    annotation = definition.annotation(name)
    if annotation is not None and key not in walk.evidence.factories:
        cls = classes.find(annotation)
        if cls is not None and classes.is_module(cls):
            sensitivity = classes.sensitivity(cls)
            return walk.things.make(Module, key, name, cls=cls, sensitivity=sensitivity)
        if (walk.file.imports.resolve(annotation) or "").startswith("torch.nn."):
            return walk.things.make(Module, key, name, sensitivity=Sensitivity.UNKNOWN)
    return places.entry((name,), name)


def at_entry(file: FileFlow, qualname: str, context: Context | None) -> list[tuple[Path, ModuleFacts]]:
    """What is known of the modules of a function when it begins, from its callers or its class."""
    classes, definition = file.classes, file.skeleton.definitions.get(qualname)
    facts = list(context.modules) if context is not None else []
    known = {path for path, _ in facts}
    for path in sorted(file.summary(qualname).asks - known):
        if definition is not None and definition.owner is not None and path[0] == "self":
            own = classes.own(definition.owner)
            rest = _at_rest(classes, own, path)
            if rest is None and len(path) == 2 and classes.is_snapshot(own, path[1][1:]):
                rest = ModuleFacts(Mode.TRAIN | Mode.CALLER)
            if rest is not None:
                facts.append((path, rest))
    return facts


def _at_rest(classes: Classes, owner: str, path: Path) -> ModuleFacts | None:
    """The mode in which the methods of a class leave a module that they hold."""
    loaded = classes.loaded(owner, path[1][1:]) if len(path) > 1 else None
    rest = ModuleFacts(loaded) if loaded is not None else None
    of_holder: list[ModuleFacts] = []
    for kin in classes.lineage(owner):
        home = kin.classes.home
        for method in kin.outline.methods.values():
            text = home.units.text(method.qualname)
            if method.name in ("train", "eval") and classes.is_module(owner):
                continue  # overridden: it is what sets the mode, and nobody need have called it
            if method.name != "__init__" and ".train(" not in text and ".eval(" not in text:
                continue
            summary = home.summary(method.qualname)
            modes = dict(summary.modes)
            left = modes.get(path)
            holder = next((path[:size] for size in range(len(path) - 1, 0, -1) if path[:size] in modes), path)
            if left is None and holder in modes:
                of_holder.append(modes[holder])
            built = dict(summary.stored).get(path)
            for facts in (left, built.facts if isinstance(built, ModuleShape) else None):
                if facts is not None and settles(facts):
                    rest = facts if rest is None else rest.join(facts)
    # Who switches a module switches what it holds. What nobody touches by itself is as its users have it.
    for facts in of_holder:
        if rest is not None and settles(facts):
            rest = rest.join(facts)
    return replace(rest, pause=NO_PAUSE) if rest is not None else None  # in which order, nobody knows


def set_up(walk: Walk, places: Places, path: Path, facts: ModuleFacts) -> None:
    """Let the modules at a place of the caller have these facts."""
    head, *slots = path
    known = walk.now().names.get(head) or frozenset()
    value = places.name(head[2:]) if head.startswith("::") else known
    for slot in slots:
        value = frozenset().union(*(places.slot(thing, slot) for thing in value))
    for thing in value:
        module = thing
        if isinstance(thing, Opaque) and is_module_like(thing):
            module = walk.module(thing.key, thing.place, parent=thing.parent)
        if isinstance(module, Module):
            walk.state = walk.now().with_module(module, facts)


def _declared(unit: Unit, name: str) -> cst.CSTNode:
    """The node of a parameter; the function where it is none of the plain ones."""
    function = unit.function
    assert function is not None
    for parameter in (*function.params.params, *function.params.kwonly_params):
        if parameter.name.value == name:
            return parameter
    return function
