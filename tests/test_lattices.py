"""The laws of every join: idempotent, commutative, associative, and never less than either path.

A walk over branches and loops ends, and says the same whichever branch comes first, only if these hold.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Flag
from functools import reduce
from itertools import takewhile
from typing import Any

import libcst as cst
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchlint.flow.domain import Grad, GradMode, Mode, Sensitivity
from torchlint.flow.events import Origin, Region, Site
from torchlint.flow.graph import Graph, Node, Write
from torchlint.flow.pauses import Pause
from torchlint.flow.persistent import PersistentMap
from torchlint.flow.state import Around, ModuleFacts, State, TensorFacts, join
from torchlint.flow.things import Module, Tensor, Thing
from torchlint.units import Unit

UNIT = Unit(None, cst.Module(body=[]), 0)
SITES = tuple(Site(UNIT, cst.Name(f"n{number}"), serial=number) for number in range(5))
TENSORS = tuple(Tensor(number, f"t{number}", number) for number in range(4))
OUTER = Module("outer", "outer", 10)
MIDDLE = Module("middle", "outer.middle", 11, parent=OUTER)
INNER = Module("inner", "outer.middle.inner", 12, parent=MIDDLE)
MODULES = (OUTER, MIDDLE, INNER, Module("other", "other", 13))
BUILT = Module("built", "built", 14, built=SITES[0])
REGIONS = tuple(
    Region(site, site, GradMode.NO_GRAD, "torch.no_grad()", "torch.no_grad", None, "with")
    for site in SITES[:3]
)

ORIGINS = tuple(Origin(site, REGIONS[0]) for site in SITES[:3])


def union(mine: Any, theirs: Any) -> Any:
    return mine | theirs


def top(kind: type[Flag]) -> Flag:
    return reduce(union, kind.__members__.values())


def flags(kind: type[Flag]) -> st.SearchStrategy[Any]:
    return st.integers(0, top(kind).value).map(kind)


def some(*items: Any) -> st.SearchStrategy[frozenset[Any]]:
    return st.frozensets(st.sampled_from(items), max_size=3)


pauses = st.builds(Pause, some(*SITES), some(*SITES), st.booleans())
module_facts = st.builds(
    ModuleFacts,
    flags(Mode),
    st.none(),
    st.booleans(),
    st.booleans(),
    stepped=st.booleans(),
    pause=pauses,
)
tensor_facts = st.builds(
    TensorFacts,
    flags(Grad),
    some(*TENSORS),
    some(*SITES),
    some(*REGIONS),
    some(*TENSORS),
    some(*TENSORS),
    some(*MODULES),
    inference=some(*ORIGINS),
    forwards=some(*SITES),
)
arounds = st.builds(Around, some(None, *REGIONS), st.booleans(), st.booleans())
nodes = st.builds(Node, some(*SITES), some(*TENSORS))

Step = Callable[[Graph], Graph]


def recording(site: Site, parents: frozenset[Site], saved: frozenset[Thing], live: frozenset[Site]) -> Step:
    return lambda graph: graph.record(site, parents - {site}, saved, live)


def writing(storages: frozenset[Thing], site: Site, certain: bool) -> Step:
    return lambda graph: graph.write(
        storages, Write(site, place := f"p{SITES.index(site)}", place), certain=certain
    )


def rewriting(storages: frozenset[Thing], site: Site) -> Step:
    return lambda graph: graph.rewrite(storages, site, Grad.YES, certain=False)


def freeing(roots: frozenset[Site]) -> Step:
    return lambda graph: graph.free(roots)


steps = st.lists(
    st.one_of(
        st.builds(recording, st.sampled_from(SITES), some(*SITES), some(*TENSORS), some(*SITES)),
        st.builds(writing, some(*TENSORS), st.sampled_from(SITES), st.booleans()),
        st.builds(rewriting, some(*TENSORS), st.sampled_from(SITES)),
        st.builds(freeing, some(*SITES)),
    ),
    max_size=8,
)


def grown(before: list[Step], after: list[Step]) -> Graph:
    return reduce(lambda graph, step: step(graph), [*before, *after], Graph.empty())


graphs = st.builds(grown, st.just([]), steps)


def stated(
    names: dict[str, frozenset[Thing]],
    modules: dict[Module, ModuleFacts],
    tensors: dict[Tensor, TensorFacts],
    graph: Graph,
    grad_mode: GradMode,
    regions: list[Region],
    around: Around,
) -> State:
    state = State.empty(grad_mode).with_graph(graph).with_switch(grad_mode, tuple(regions))
    state = state.with_around(around)
    for name, value in names.items():
        state = state.with_name(name, value).with_slot(TENSORS[0], f".{name}", value)
    for module, facts in modules.items():
        state = state.with_module(module, facts)
    for tensor, known in tensors.items():
        state = state.with_tensor(tensor, known)
    return state


states = st.builds(
    stated,
    st.dictionaries(st.sampled_from("abc"), some(*TENSORS, *MODULES), max_size=3),
    st.dictionaries(st.sampled_from(MODULES), module_facts, max_size=3),
    st.dictionaries(st.sampled_from(TENSORS), tensor_facts, max_size=2),
    graphs,
    flags(GradMode),
    st.lists(st.sampled_from(REGIONS), unique=True),
    arounds,
)


JOINS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any, Any], Any]]] = {
    "Mode": (flags(Mode), union),
    "Grad": (flags(Grad), union),
    "GradMode": (flags(GradMode), union),
    "Sensitivity": (flags(Sensitivity), union),
    "Pause": (pauses, Pause.join),
    "ModuleFacts": (module_facts, ModuleFacts.join),
    "TensorFacts": (tensor_facts, TensorFacts.join),
    "Around": (arounds, Around.join),
    "Node": (nodes, Node.join),
    "Graph": (graphs, Graph.join),
    "State": (states, State.join),
}

lawful = settings(max_examples=70, deadline=None, derandomize=True)
each_join = pytest.mark.parametrize("name", JOINS)


@each_join
@lawful
@given(data=st.data())
def test_join_is_idempotent(name: str, data: st.DataObject) -> None:
    values, joined = JOINS[name]
    one, other = data.draw(values), data.draw(values)
    assert joined(one, one) == one
    # The second path adds nothing any more: this is what stops a loop.
    both = joined(one, other)
    assert joined(both, other) == both
    assert joined(both, one) == both


@each_join
@lawful
@given(data=st.data())
def test_join_is_commutative(name: str, data: st.DataObject) -> None:
    values, joined = JOINS[name]
    one, other = data.draw(values), data.draw(values)
    assert joined(one, other) == joined(other, one)


@each_join
@lawful
@given(data=st.data())
def test_join_is_associative(name: str, data: st.DataObject) -> None:
    values, joined = JOINS[name]
    one, other, third = data.draw(values), data.draw(values), data.draw(values)
    assert joined(joined(one, other), third) == joined(one, joined(other, third))


@pytest.mark.parametrize("kind", [Mode, Grad, GradMode, Sensitivity])
def test_a_small_lattice_has_bottom_and_top(kind: type[Flag]) -> None:
    for bits in range(top(kind).value + 1):
        member = kind(bits)
        assert member | kind(0) is member
        assert member | top(kind) is top(kind)


@lawful
@given(one=flags(GradMode), other=flags(GradMode))
def test_what_is_sure_after_a_join_was_sure_on_each_path(one: GradMode, other: GradMode) -> None:
    both = one | other
    if one and other:
        assert both.surely_off == (one.surely_off and other.surely_off)
        assert both.surely_on == (one.surely_on and other.surely_on)
    assert not (both.surely_off and both.surely_on)


@lawful
@given(one=states, other=states)
def test_a_joined_state_allows_every_mode_that_a_path_allows(one: State, other: State) -> None:
    both = one.join(other)
    for module in MODULES:
        assert both.module(module).mode == one.module(module).mode | other.module(module).mode
        assert both.module(module).explicit == (one.module(module).explicit or other.module(module).explicit)


@lawful
@given(one=tensor_facts, other=tensor_facts)
def test_a_tensor_is_an_inference_tensor_only_where_it_is_one_on_each_path(
    one: TensorFacts, other: TensorFacts
) -> None:
    assert bool(one.join(other).inference) == (bool(one.inference) and bool(other.inference))


@lawful
@given(state=states, facts=module_facts)
def test_a_module_built_on_one_path_has_nothing_to_join_with(state: State, facts: ModuleFacts) -> None:
    built = state.with_module(BUILT, facts)
    assert built.join(state).module(BUILT) == state.join(built).module(BUILT) == facts


@lawful
@given(one=st.sampled_from((None, *SITES)), other=st.sampled_from((None, *SITES)), mode=flags(Mode))
def test_a_witness_of_training_mode_is_never_lost(one: Site | None, other: Site | None, mode: Mode) -> None:
    both = ModuleFacts(mode, one).join(ModuleFacts(mode, other))
    assert both.trained_at in (one, other)
    assert (both.trained_at is None) == (one is None and other is None)


@lawful
@given(before=steps, one=steps, other=steps)
def test_a_stale_save_of_one_path_is_kept_as_uncertain(
    before: list[Step], one: list[Step], other: list[Step]
) -> None:
    mine, theirs = grown(before, one), grown(before, other)
    both = mine.join(theirs)
    roots = frozenset(SITES)

    def sure(graph: Graph) -> set[tuple[Site, Site]]:
        return {(saved, stale.write.site) for saved, stale in graph.faults(roots) if stale.certain}

    def known(graph: Graph) -> set[tuple[Site, Site]]:
        return {(saved, stale.write.site) for saved, stale in graph.faults(roots)}

    assert known(both) >= known(mine) | known(theirs)
    assert sure(both) <= sure(mine) & sure(theirs)


@lawful
@given(one=states, other=states)
def test_the_regions_around_are_those_of_both_paths(one: State, other: State) -> None:
    pairs = zip(one.regions, other.regions, strict=False)
    shared = tuple(takewhile(lambda pair: pair[0] == pair[1], pairs))
    assert one.join(other).regions == tuple(mine for mine, _ in shared)


def test_no_path_at_all_is_unreachable() -> None:
    assert join([]) is None


@lawful
@given(state=states)
def test_one_path_is_left_as_it_is(state: State) -> None:
    assert join([state]) is state


Numbers = dict[int, int]

pairs = st.dictionaries(st.integers(0, 120), st.integers(1, 7), max_size=90)


def held(history: Numbers, base: PersistentMap[int, int] | None = None) -> PersistentMap[int, int]:
    return reduce(lambda before, pair: before.set(*pair), history.items(), base or PersistentMap())


def marked(_: int, value: int) -> int:
    return value | 8


@lawful
@given(shared=pairs, mine=pairs, theirs=pairs)
def test_a_persistent_map_is_a_dict(shared: Numbers, mine: Numbers, theirs: Numbers) -> None:
    base = held(shared)
    left, right = held(mine, base), held(theirs, base)
    one, other = {**shared, **mine}, {**shared, **theirs}
    assert dict(base.items()) == shared
    assert dict(left.items()) == one
    assert left == held(one)
    assert all(left.get(key) == one.get(key) for key in range(121))
    joined = {key: one.get(key, 0) | other.get(key, 0) for key in one.keys() | other.keys()}
    assert dict(left.join(right, union).items()) == joined
    assert left.join(right, union) == right.join(left, union)
    on_one_side = one.keys() ^ other.keys()
    expected = {key: value | 8 if key in on_one_side else value for key, value in joined.items()}
    assert dict(left.join(right, union, marked).items()) == expected


@lawful
@given(shared=pairs, mine=pairs)
def test_joining_what_adds_nothing_gives_the_same_object(shared: Numbers, mine: Numbers) -> None:
    base = held(shared)
    joined = held(mine, base).join(base, union)
    assert joined.join(base, union) is joined


def written(graph: Graph, storage: Thing) -> Graph:
    return graph.write([storage], Write(SITES[4], "w", "w"), certain=True)


@pytest.mark.parametrize("leave", [lambda graph: graph.free({SITES[0]}), lambda graph: graph.without(set())])
def test_what_an_operation_has_let_go_is_not_stale_when_it_comes_by_again(
    leave: Callable[[Graph], Graph],
) -> None:
    (storage, *_), site = TENSORS, SITES[0]
    before = written(Graph.empty().record(site, frozenset(), [storage], frozenset()), storage)
    assert list(before.faults(frozenset((site,))))
    skipped = leave(before)
    again = skipped.record(site, frozenset(), [storage], frozenset())
    assert not list(skipped.join(again).faults(frozenset((site,))))


def test_a_write_of_this_round_is_none_to_what_an_earlier_round_saved() -> None:
    (storage, older, *_), site = TENSORS, SITES[0]
    graph = Graph.empty().record(site, frozenset(), [storage], frozenset()).retire(storage, older)
    assert not list(written(graph, storage).faults(frozenset((site,))))
    assert list(written(graph, older).faults(frozenset((site,))))
