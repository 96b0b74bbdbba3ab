"""What becomes of a state between two rounds of a loop.

A node makes one thing, whatever the round. So before it makes another one, the tensors of the round that is
over get a name of their own, one for all rounds before; and operations that nobody can reach any more keep
nothing that could be stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

from torchlint.flow.graph import Sites
from torchlint.flow.things import Container, Opaque, Tensor, Thing, Value

if TYPE_CHECKING:
    from torchlint.flow.events import Site
    from torchlint.flow.persistent import PersistentMap
    from torchlint.flow.state import State, TensorFacts
    from torchlint.flow.walk import Walk

_OLDER = "older"


def older(walk: Walk, thing: Tensor | Opaque) -> Thing:
    """What the node of this one has made in the rounds before."""
    if is_older(thing):
        return thing
    key = (thing.key, _OLDER)
    if isinstance(thing, Opaque):
        return walk.things.make(Opaque, key, thing.place)
    other = walk.things.make(Tensor, key, thing.place, several=thing.several)
    walk.waiting.devices.made(other, (thing,))
    if thing in walk.makers:
        walk.makers[other] = walk.makers[thing]
    return other


def is_older(thing: Thing) -> bool:
    """Whether a thing stands for those of earlier rounds."""
    return isinstance(thing.key, tuple) and thing.key[1:] == (_OLDER,)


def made_key(thing: Thing) -> object:
    """The key of what a node makes in the round that is walked, for a tensor of an earlier one, too."""
    return thing.key[0] if isinstance(thing.key, tuple) and is_older(thing) else thing.key


def next_round(walk: Walk, end: State) -> State:
    """What the next round of the innermost loop begins with, where the last one has left this."""
    state = _aged(walk, end, walk.loops[-1].turn)
    return state if walk.calls else _swept(state)  # the names of callers hold graphs, too


def _aged(walk: Walk, state: State, since: int) -> State:
    names: dict[Thing, Thing] = {
        thing: older(walk, thing)
        for thing, turn in walk.made.items()
        if turn >= since and state.tensors.get(thing) is not None and _ages(thing, state)
    }
    if not names:
        return state

    def renamed(value: Value) -> Value:
        return value if value.isdisjoint(names) else frozenset(names.get(thing, thing) for thing in value)

    heap = state.heap
    for holder, slots in list(heap.items()):
        if holder in names or any(not value.isdisjoint(names) for value in slots.values()):
            other = names.get(holder, holder)
            held = {slot: renamed(value) for slot, value in slots.items()}
            heap = heap.set(other, {**(heap.get(other) or {}), **held})
    graph = state.graph
    for thing, other in names.items():
        graph = graph.retire(thing, other)
    return replace(
        state,
        names=_changed(state.names, renamed),
        heap=heap,
        tensors=_facts(state, names, renamed),
        graph=graph,
    )


def _ages(thing: Thing, state: State) -> TypeGuard[Tensor | Opaque]:
    """Whether it matters which round made a thing: of what is unknown, where it was saved as a tensor."""
    return isinstance(thing, Tensor) or (type(thing) is Opaque and bool(state.graph.savers.get(thing)))


def _changed(
    names: PersistentMap[str, Value], renamed: Callable[[Value], Value]
) -> PersistentMap[str, Value]:
    for name, value in list(names.items()):
        other = renamed(value)
        if other is not value:
            names = names.set(name, other)
    return names


def _facts(
    state: State, names: dict[Thing, Thing], renamed: Callable[[Value], Value]
) -> PersistentMap[Thing, TensorFacts]:
    tensors = state.tensors
    for thing, facts in list(tensors.items()):
        around = facts.storages, facts.sources, facts.parts, facts.behind, facts.family
        if thing not in names and all(value.isdisjoint(names) for value in around):
            continue
        storages, sources, parts, behind, family = map(renamed, around)
        new = replace(facts, storages=storages, sources=sources, parts=parts, behind=behind, family=family)
        other = names.get(thing, thing)
        known = tensors.get(other) if other is not thing else None
        tensors = tensors.set(other, new if known is None else known.join(new))
    return tensors


def _swept(state: State) -> State:
    """The same without the saves of operations that no name and no object leads to any more."""
    # A list or tuple that only what is over has held may still stand in the heap.
    held = [value for holder, _, value in state.stored() if not isinstance(holder, Container | Tensor)]
    things = _at_hand(state, held)
    return state.with_graph(state.graph.without(_union(state.roots(state.own(thing)) for thing in things)))


def live(state: State, site: Site) -> Sites:
    """The operations that tensors still at hand hang on, if the one at a site comes by again; else none."""
    if state.graph.nodes.get(site) is None:
        return frozenset()
    return _union(state.own(thing).nodes for thing in _at_hand(state))


def _at_hand(state: State, besides: Iterable[Value] = ()) -> Iterator[Tensor | Opaque]:
    """What may be a tensor of all that names hold, and of what is in it."""
    found: set[Thing] = set()
    waiting = [thing for _, value in state.names.items() for thing in value]
    waiting += [thing for value in besides for thing in value]
    while waiting:
        thing = waiting.pop()
        if thing in found:
            continue
        found.add(thing)
        if isinstance(thing, Tensor | Opaque):
            yield thing
        for value in state.slots(thing).values():
            waiting.extend(value)


def _union(sites: Iterable[Sites]) -> Sites:
    return frozenset().union(*sites)
