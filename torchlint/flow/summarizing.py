"""The summary of a function, read off the state at its end and the records of its walk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchlint.constructs import dotted
from torchlint.flow.domain import Grad
from torchlint.flow.events import Origin
from torchlint.flow.state import ModuleFacts, State, TensorFacts
from torchlint.flow.summary import (
    ContainerShape,
    InstanceShape,
    ModuleShape,
    Path,
    PlainShape,
    SamePlace,
    Shape,
    Summary,
    TensorShape,
    UnknownShape,
    settles,
)
from torchlint.flow.things import Container, Instance, Module, Opaque, Plain, Scalar, Tensor, Thing, Value
from torchlint.flow.walk import path_of

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.walk import Walk


def summary_of(definition: Definition, walk: Walk) -> Summary:
    """What callers need to know of a function that was just walked."""
    records, end = walk.records, walk.state
    if end is None:
        return Summary(asks=frozenset(records.asks), runs=records.all_runs())
    returns: tuple[Shape, ...] = (PlainShape(Plain.NONE),)
    if records.yields:
        returns = (UnknownShape(),)
    elif records.returned:
        returns = _shapes(records.returned, end, walk, depth=0)
    if definition.says_plain:
        returns = tuple(_said_plain(shape) for shape in returns)
    return Summary(
        returns,
        _modes(end),
        _stored(end, walk),
        records.all_runs(),
        frozenset(records.asks),
        frozenset(records.writes),
        frozenset(records.hidden_writes),
        frozenset(records.tracked_writes),
        frozenset(records.saves),
        frozenset(records.backwards),
        frozenset(records.logs),
        frozenset(records.keeps),
        frozenset(records.accumulates),
        records.updates,
        records.leaves,
        _modes(records.yielded) if records.yielded is not None and _is_context(definition) else None,
        records.enables,
        frozenset(records.steps),
        records.forwards,
        records.trains,
        records.builds_graphs,
        tuple(_infers(end)),
    )


def _said_plain(shape: Shape) -> Shape:
    """The shape of a result that is annotated as numbers, where nothing is known of it or of its parts."""
    if isinstance(shape, ContainerShape):
        slots = tuple((slot, tuple(_said_plain(part) for part in parts)) for slot, parts in shape.slots)
        return ContainerShape(shape.kind, slots)
    return PlainShape(Plain.OTHER) if shape == UnknownShape() else shape


def _is_context(definition: Definition) -> bool:
    return any(
        (dotted(item) or "").rpartition(".")[2] == "contextmanager" for item in definition.node.decorator_list
    )


def _modes(state: State) -> tuple[tuple[Path, ModuleFacts], ...]:
    """The modes of the caller's modules, as far as they were set."""
    modes = [
        (path, facts)
        for thing, facts in state.modules.items()
        if (path := path_of(thing)) is not None and (settles(facts) or facts.frozen)
    ]
    return tuple(sorted((*modes, *_kept(state)), key=lambda item: item[0]))


def _kept(end: State) -> Iterator[tuple[Path, ModuleFacts]]:
    """The modes of modules that were handed in and are now held by something else of the caller's."""
    for holder, slot, value in end.stored():
        path = path_of(holder)
        for thing in value if path is not None else ():
            if isinstance(thing, Module) and thing.built is None and settles(end.module(thing)):
                assert path is not None
                yield (*path, slot), end.module(thing)


def _stored(end: State, walk: Walk) -> tuple[tuple[Path, Shape], ...]:
    """What the function leaves in attributes of its caller's things: modules it built, or its arguments.

    Of its own object also tensors that it made, and what is unknown.
    """
    stored: list[tuple[Path, Shape]] = []
    for holder, slot, value in end.stored():
        path = path_of(holder)
        if path is None or not value:
            continue
        own = path == ("self",)
        if len(value) > 1:
            if own and any(isinstance(one, Tensor | Opaque) and path_of(one) is None for one in value):
                stored.append(((*path, slot), UnknownShape()))
            continue
        (thing,) = value
        if isinstance(thing, Module) and thing.built is not None:
            stored.append(((*path, slot), _module_shape(thing, end)))
        elif (source := path_of(thing)) is not None and source != (*path, slot):
            stored.append(((*path, slot), SamePlace(source)))
        elif source is None and own and isinstance(thing, Tensor | Opaque):
            stored.append(((*path, slot), _shape(thing, end, walk, depth=0)))
    return tuple(stored)


def _infers(end: State) -> Iterator[tuple[str, frozenset[Origin]]]:
    """The attributes in which the function leaves inference tensors, if it leaves anything."""
    for holder, slot, value in end.stored():
        path = path_of(holder)
        if path != ("self",) or not slot.startswith("."):
            continue
        origins = [end.tensor(thing).inference for thing in value if path_of(thing) != (*path, slot)]
        if origins and all(origins):
            yield slot[1:], frozenset().union(*origins)


def _module_shape(thing: Module, end: State) -> ModuleShape:
    return ModuleShape(thing.cls, thing.sensitivity, thing.parameters, end.module(thing))


def _shapes(value: Value, end: State, walk: Walk, *, depth: int) -> tuple[Shape, ...]:
    shapes = {_shape(thing, end, walk, depth=depth) for thing in value}
    return tuple(sorted(shapes, key=repr))


def _shape(thing: Thing, end: State, walk: Walk, *, depth: int) -> Shape:
    path = path_of(thing)
    if path is not None:
        return SamePlace(path)
    match thing:
        case Module():
            return _module_shape(thing, end) if thing.built is not None else UnknownShape()
        case Tensor():
            facts = end.tensor(thing)
            sources = frozenset(source for item in facts.sources if (source := path_of(item)) is not None)
            modules = frozenset(source for item in facts.modules if (source := path_of(item)) is not None)
            return TensorShape(facts.grad, sources, modules, facts.inference, _is_freed(facts, end, walk))
        case Scalar():
            return PlainShape(thing.kind)
        case Instance(cls=str() as cls):
            held = _slots(thing, end, walk, depth=depth) if depth < 2 else ()
            # The modes of what it holds its class settles with all its methods, not one function alone.
            plain = (slot for slot in held if not any(isinstance(one, ModuleShape) for one in slot[1]))
            return InstanceShape(cls, tuple(plain))
        case Container() if depth < 2:
            return ContainerShape(thing.kind, _slots(thing, end, walk, depth=depth))
        case Opaque() if thing.key in walk.evidence.graphs:
            return TensorShape(
                Grad.YES, frozenset(), frozenset(), freed=_is_freed(end.tensor(thing), end, walk)
            )
    return UnknownShape()


def _is_freed(facts: TensorFacts, end: State, walk: Walk) -> bool | None:
    """Whether backward has run from a tensor; None where it has on some paths only."""
    nodes = [end.graph.nodes.get(site) for site in facts.nodes]
    if nodes and all(node is not None and node.freed for node in nodes):
        return True
    return None if facts.nodes & walk.records.freed else False


def _slots(thing: Thing, end: State, walk: Walk, *, depth: int) -> tuple[tuple[str, tuple[Shape, ...]], ...]:
    held = end.slots(thing).items()
    return tuple(sorted((slot, _shapes(value, end, walk, depth=depth + 1)) for slot, value in held))
