"""What makes modules when it is called: functions that build layers, and classes that are handed over.

`self.actor = layer_init(nn.Linear(4, 2))` is as sensitive as what the function is given or builds.
`net = encoder(**options).eval()` shows that `encoder` is no module, wherever it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.constructs import Construct, Named
from torchlint.definitions import Definition, Factory, factory
from torchlint.flow.domain import Sensitivity
from torchlint.flow.neighbours import Callee
from torchlint.flow.things import Module, Thing, Value
from torchlint.tables import op
from torchlint.tables.effects import effect

if TYPE_CHECKING:
    from torchlint.flow.classes import Classes
    from torchlint.flow.walk import Walk

_OTHERS = ("torch.", "builtins.", "numpy.", "math.", "copy.", "typing.")  # packages that build no layers


def gave(walk: Walk, module: Module, value: Value) -> None:
    """What is taken for a module has given a value; where it was built in sight, it is one."""
    if module.built is None and module.layer is None:
        walk.makers.update(dict.fromkeys(value, module))


def moved(walk: Walk, thing: Thing, value: Value) -> None:
    """A value is the same as a thing, moved or cast."""
    if thing in walk.makers:
        walk.makers.update(dict.fromkeys(value, walk.makers[thing]))


def believe(walk: Walk, thing: Thing) -> None:
    """A thing has a method that only modules have: what gave it is a class, as the next walk knows."""
    if thing in walk.makers:
        walk.evidence.factories.add(walk.makers[thing].key)


def function(classes: Classes, spelled: str) -> Callee | None:
    """The function of the module level that a name of a source stands for."""
    home = classes.home
    found = home.skeleton.definitions.get(spelled)
    if found is None:
        dotted = classes.imports.resolve(spelled)
        there = home.neighbours.find(dotted) if dotted is not None else None
        if there is None:
            return None
        home, found = there.home, there.home.skeleton.definitions.get(there.name)
    return Callee(home, found) if found is not None and found.owner is None else None


def parts(classes: Classes, made: Construct, callee: Callee) -> list[Sensitivity] | None:
    """Whether the mode matters to each layer that a call of a function makes; None where it makes none."""
    definition = callee.definition
    built = factory(definition)
    if built is None or definition in classes.making:
        return None
    classes.making.append(definition)
    found = _parts(classes, made, callee, built)
    classes.making.pop()
    return found


def _parts(classes: Classes, made: Construct, callee: Callee, built: Factory) -> list[Sensitivity] | None:
    definition = callee.definition
    given = _given(made, definition)
    if built.handed is not None:
        handed = given.get(built.handed)
        whole = classes.made(handed) if isinstance(handed, Construct) else None
        return [whole.sensitivity] if whole is not None else None
    found: list[Sensitivity] = []
    layers = 0
    home = callee.home.classes
    for call in built.calls:
        if not isinstance(call, Construct):
            found.append(Sensitivity.UNKNOWN)
            continue
        layer = home.made(call)
        if layer is not None:
            layers += 1
            loose = [one.name for one in call.arguments if isinstance(one, Named) and one.name in given]
            holds = layer.cls is not None and layer.cls.startswith("torch.nn.") and layer.parameters is None
            found.append(Sensitivity.UNKNOWN if holds and loose else layer.sensitivity)
        else:
            found.extend(_of_call(classes, home, call, built, given, definition))
    return found if layers else None


def _of_call(
    classes: Classes,
    home: Classes,
    call: Construct,
    built: Factory,
    given: dict[str, object],
    definition: Definition,
) -> list[Sensitivity]:
    """What a call in such a function may build that is none of a layer in sight."""
    head, _, method = call.callee.partition(".")
    local = {name for name, _ in built.names} | set(definition.parameters)
    if head in local and method:
        known = effect(f".{method.rpartition('.')[2]}") or op(method.rpartition(".")[2])
        return [] if known is not None or method in ("add_module", "get", "pop") else [Sensitivity.UNKNOWN]
    if head in local:
        values = [(classes, given[head])] if head in given else []
        values += [(home, value) for name, value in built.names if name == head and head not in given]
        return [
            one for place, value in values for one in _of_value(place, value, home, built, given, classes)
        ]
    dotted = home.imports.resolve(call.callee) or call.callee
    if function(home, call.callee) is not None or dotted.startswith(_OTHERS):
        return []
    known = effect(dotted) or effect(f"builtins.{dotted}")
    return [] if known is not None and known.kind != "loader" else [Sensitivity.UNKNOWN]


def _of_value(
    place: Classes, value: object, home: Classes, built: Factory, given: dict[str, object], classes: Classes
) -> list[Sensitivity]:
    """What a name makes that is called: `nn.ReLU`, one of two, or what the call of the function gave."""
    if value is None or isinstance(value, str | int | float | bool):
        return []
    if isinstance(value, tuple):
        return [one for item in value for one in _of_value(place, item, home, built, given, classes)]
    if isinstance(value, Named) and place is home and value.name in given:
        place, value = classes, given[value.name]
    elif isinstance(value, Named) and place is home:
        default = dict(built.names).get(value.name)
        value = default if isinstance(default, Named) and default.name != value.name else value
    layer = place.made(Construct(value.name, (), ())) if isinstance(value, Named) else None
    return [layer.sensitivity if layer is not None else Sensitivity.UNKNOWN]


def _given(made: Construct, definition: Definition) -> dict[str, object]:
    """What a call in the outline gives for each parameter."""
    return dict(zip(definition.parameters, made.arguments, strict=False)) | dict(made.keywords)
