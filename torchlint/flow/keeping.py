"""What keeps graphs from step to step: sums and containers that outlive a round of a loop, or a call.

A sum hangs on itself: the operation that adds is one of its own ancestors. Each element of a container that
outlives the round is a tensor of its own, made by an operation of its own that does nothing: a backward that
comes through the container meets it, and one from the tensor that was put there does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.domain import Grad, GradMode
from torchlint.flow.events import Freed, Kept, Site
from torchlint.flow.graph import Graph, Sites
from torchlint.flow.records import Loop
from torchlint.flow.state import State, TensorFacts
from torchlint.flow.things import (
    Container,
    Opaque,
    Scalar,
    Tensor,
    Thing,
    Value,
    sorted_things,
)
from torchlint.flow.tree import primary, within
from torchlint.flow.walk import path_of, spelled, tensors

if TYPE_CHECKING:
    from torchlint.flow.walk import Walk

_ARITHMETIC = (cst.Add, cst.Subtract, cst.Multiply, cst.Divide)


@dataclass(frozen=True, slots=True)
class Target:
    """What a sum is stored to: a local name, or a slot of things."""

    node: cst.BaseExpression
    before: Value = frozenset()  # what stands there
    holders: Value = frozenset()
    slot: str = ""
    fresh: bool = False  # nobody in this walk has stored there before

    def at(self, state: State) -> Value | None:
        """What it held at another point; None where nobody had stored there."""
        if isinstance(self.node, cst.Name):
            return state.names.get(self.node.value)
        held = [state.slots(thing).get(self.slot) for thing in self.holders]
        known = [value for value in held if value is not None]
        return frozenset().union(*known) if known else None


class Keeping:
    """What one walk puts where it outlives a step."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def target(self, node: cst.BaseExpression, before: Value, holders: Value, slot: str) -> Target:
        """A place that a sum is about to be stored to."""
        state = self._walk.now()
        before = before or Target(node, before, holders, slot).at(state) or before
        known = [thing for thing in holders if slot in state.slots(thing)]
        return Target(node, before, holders, slot, bool(holders) and not known)

    def added(
        self, target: Target, stored: Value, node: cst.CSTNode, source: cst.BaseExpression, given: Value
    ) -> None:
        """What stood at a place was added to, and stored there; `source` evaluates to `given`."""
        walk = self._walk
        outlives = target.fresh and any(path_of(_root(thing)) is not None for thing in target.holders)
        if not (walk.loops or outlives):
            return
        for thing in tensors(given) if outlives else ():
            self._note(walk.now().tensor(thing), target)
        if any(walk.now().tensor(thing).grad is Grad.NO for thing in tensors(given)):
            return  # on some path at least it is cut off first
        for thing in sorted_things(frozenset(tensors(stored))):
            state = walk.now()
            facts = state.tensor(thing)
            roots = state.roots(facts)
            nodes = _added(state.graph, roots, source) if _carries(facts) else frozenset()
            if not nodes:
                continue
            walk.records.eventful = True
            walk.records.asks_grad_mode |= GradMode.CALLER in state.grad_mode
            loops = self._loops_of_sum(target, roots)
            if loops or outlives:
                kept = Kept(
                    walk.site(node),
                    walk.text(target.node),
                    walk.text(source),
                    _joint(facts, given),
                    self._beginning(nodes),
                    roots,
                    facts.forwards,
                    frozenset(loops),
                    outlives,
                    self._is_graded(),
                )
                self._tell(kept, self._cut(source, given))
                return

    def element(
        self,
        holder: Thing,
        value: Value,
        node: cst.CSTNode,
        source: cst.BaseExpression | None,
        place: cst.BaseExpression,
    ) -> Value:
        """A value is put into a container beside the others; gives what to store in its place.

        `source` evaluates to it; None where no one expression does.
        """
        walk = self._walk
        outlives = path_of(_root(holder)) is not None
        held = walk.tensors_within(value)
        if outlives:
            for thing in held:
                self._note(walk.now().tensor(thing), Target(place, holders=frozenset((holder,))))
        carrying = [thing for thing in held if _carries(walk.now().tensor(thing))]
        cut = any(walk.now().tensor(thing).grad is Grad.NO for thing in tensors(value))
        if not carrying or cut or not (walk.loops or outlives):
            return value
        walk.records.eventful = True
        walk.records.asks_grad_mode |= GradMode.CALLER in walk.now().grad_mode
        stored, own = value, frozenset[Site]()
        if isinstance(holder, Container):
            if holder.kind == "bounded":
                return value
            stored, own = self._marked(value, node)
            loops = self._loops_of_element(holder, stored, node)
        else:
            loops = self._loops_around(holder)
        if loops or outlives:
            facts = walk.now().tensor(sorted_things(frozenset(carrying))[0])
            whole = source is not None and len(carrying) == len(value)
            kept = Kept(
                walk.site(node),
                walk.text(place),
                walk.text(source or node),
                _joint(facts, value),
                self._beginning(walk.now().roots(facts)),
                own,
                facts.forwards,
                frozenset(loops),
                outlives,
                self._is_graded(),
            )
            self._tell(kept, self._cut(source, value) if source is not None and whole else None)
        return stored

    def handed(
        self, value: Value, holders: Value, node: cst.Call, argument: cst.BaseExpression | None
    ) -> None:
        """A function that is called adds a value to what one of these holds."""
        walk = self._walk
        for thing in sorted_things(value):
            facts = walk.now().tensor(thing) if isinstance(thing, Tensor | Opaque) else None
            if facts is None or not _carries(facts) or argument is None:
                continue
            walk.records.eventful = True
            outlives = any(path_of(_root(holder)) is not None for holder in holders)
            loops = [self._loops_around(holder) for holder in holders]
            longest: tuple[Loop, ...] = max(loops, key=len, default=())
            kept = Kept(
                walk.site(node),
                walk.text(node.func).rpartition(".")[0],
                walk.text(argument),
                facts.grad,
                self._beginning(walk.now().roots(facts)),
                frozenset(),
                facts.forwards,
                frozenset(longest),
                outlives,
                self._is_graded(),
            )
            if kept.loops or outlives:
                self._tell(kept, self._cut(argument, value))
                return

    def _is_graded(self) -> bool:
        """Whether gradients are on for sure; in a method of a module they are for who calls it."""
        definition, classes = self._walk.unit.definition, self._walk.file.classes
        owner = definition.owner if definition is not None else None
        return self._walk.grads_are_on() and (owner is None or not classes.is_module(classes.own(owner)))

    def _tell(self, kept: Kept, cut: tuple[Site, str] | None) -> None:
        """Of what a function does that is played where it is called: the fault is there, the cure here."""
        walk = self._walk
        if not walk.calls:
            walk.tell(replace(kept, cut=cut))
            return
        kept = replace(kept, site=walk.own(kept.site), call=walk.calls[0].site)
        played, unit = walk.played, walk.unit
        for call in walk.calls:
            walk.played, unit = unit, call.unit
            for name, given in call.bound.items():
                argument = spelled(call.definition, name, call.node) if call.definition is not None else None
                carries = any(_carries(walk.now().tensor(thing)) for thing in tensors(given))
                if argument is not None and carries:
                    kept = replace(kept, cut=self._cut(argument, given), call=walk.read(call.node))
        walk.played = played
        walk.tell(kept)

    def _beginning(self, roots: Sites) -> Sites:
        """The operations that a graph begins with: what comes after them may be mere arithmetic of a log.

        Of parts of something that carries a graph backward itself has to show that they do.
        """
        graph, guessed = self._walk.now().graph, self._walk.guessed
        first: set[Site] = set()
        seen, waiting = set(roots), list(roots)
        while waiting:
            site = waiting.pop()
            node = graph.nodes.get(site)
            before = node.parents - {site} if node is not None and site not in guessed else frozenset()
            if not before:
                first.add(site)
            waiting.extend(before - seen)
            seen |= before
        return frozenset(first)

    def _note(self, facts: TensorFacts, target: Target) -> None:
        """Write down for the callers which of their arguments is added to what they hold."""
        paths = [path_of(source) for source in facts.sources]
        for holder in target.holders:
            where = path_of(_root(holder))
            if where is not None:
                self._walk.records.accumulates |= {
                    (path, where) for path in paths if path is not None and path[:1] != where[:1]
                }

    def _marked(self, value: Value, node: cst.CSTNode) -> tuple[Value, Sites]:
        """The same tensors as elements of a container, behind an operation of their own that does nothing."""
        walk = self._walk
        site = walk.site(node)
        stored: set[Thing] = set()
        for thing in value:
            facts = walk.now().own(thing)
            if not isinstance(thing, Tensor) or thing.leaf or facts.leaf or not _carries(facts):
                stored.add(thing)
                continue
            key = (thing.key, node)
            held = walk.things.make(Tensor, key, thing.place, several=thing.several, holder=thing.holder)
            state = walk.now()
            graph = state.graph.record(site, state.roots(facts), (), frozenset())
            new = replace(facts, nodes=frozenset((site,)), parts=facts.parts | {thing})
            walk.state = state.with_graph(graph).with_tensor(held, new)
            stored.add(held)
        return frozenset(stored), frozenset((site,))

    def _loops_of_sum(self, target: Target, roots: Sites) -> tuple[Loop, ...]:
        """The loops, from the innermost on, over whose rounds a sum grows."""
        walk = self._walk
        loops = [
            loop for loop in reversed(walk.loops) if target.holders or loop.depth == len(walk.calls)
        ]  # a local name of a function that is called is none of the loops around the call
        if loops and target.fresh:
            return min((self._loops_around(holder) for holder in target.holders), key=len)
        # A loop that is played round by round makes each operation anew: its node is the same.
        nodes = {site.node for site in roots}
        grown: list[Loop] = []
        for loop in loops:
            state = grown[-1].entry if grown else walk.now()
            value = (target.at(state) or frozenset()) if grown else target.before
            held = (state.roots(state.tensor(thing)) for thing in tensors(value))
            if not any(site.node in nodes for sites in held for site in sites):
                break
            grown.append(loop)
        return tuple(grown)

    def _loops_of_element(self, holder: Thing, stored: Value, node: cst.CSTNode) -> tuple[Loop, ...]:
        """The loops over whose rounds a container keeps what is put into it."""
        grown: list[Loop] = []
        for loop in reversed(self._walk.loops):
            state = grown[-1].entry if grown else self._walk.now()
            held = frozenset().union(*state.slots(holder).values())
            marks = (site.node for thing in tensors(held) for site in state.own(thing).nodes)
            if not (stored & held or node in marks):
                break
            grown.append(loop)
        return tuple(grown)

    def _loops_around(self, holder: Thing) -> tuple[Loop, ...]:
        """The loops over whose rounds an unknown holder lives."""
        made = self._walk.made.get(_root(holder), -1)
        grown: list[Loop] = []
        for loop in reversed(self._walk.loops):
            if made >= loop.turn:
                break
            grown.append(loop)
        return tuple(grown)

    def _cut(self, source: cst.BaseExpression, value: Value) -> tuple[Site, str] | None:
        """An expression and what may stand there to cut the graph; None where it may be no tensor."""
        walk = self._walk
        if walk.rehearsing or not value or len(tensors(value)) < len(value):
            return None
        if any(Grad.UNKNOWN in walk.now().tensor(thing).grad for thing in value):
            return None
        text = primary(walk.played, source)
        return (walk.read(source), f"{text}.detach()") if text is not None else None


def free(walk: Walk, thing: Thing, node: cst.CSTNode, *, retained: bool) -> None:
    """Backward has run from a tensor; what its operations saved is gone, if it is not `retained`."""
    state = walk.now()
    nodes = frozenset(state.graph.reachable(state.roots(state.tensor(thing))))
    walk.records.freed |= nodes
    walk.tell(Freed(walk.site(node), nodes, frozenset(walk.loops), retained))


def adds(target: cst.BaseExpression, source: cst.BaseExpression) -> bool:
    """Whether an expression adds to what stands at the target: `0.9 * mean + 0.1 * loss`."""
    match source:
        case cst.BinaryOperation(operator=operator):
            terms = (source.left, source.right)
            return isinstance(operator, _ARITHMETIC) and any(
                term.deep_equals(target) or adds(target, term) for term in terms
            )
        case cst.IfExp():
            return adds(target, source.body) or adds(target, source.orelse)
        case cst.Call(func=cst.Attribute(attr=cst.Name("cat" | "concat" | "stack")), args=[first, *_]):
            listed = first.value
            parts = listed.elements if isinstance(listed, cst.List | cst.Tuple) else ()
            return any(part.value.deep_equals(target) for part in parts)
    return False


def only(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """The one element of a list that is spelled out."""
    elements = node.elements if isinstance(node, cst.List | cst.Tuple) else ()
    return elements[0].value if len(elements) == 1 else None


def _carries(facts: TensorFacts) -> bool:
    return Grad.YES in facts.grad and Grad.UNKNOWN not in facts.grad and not facts.leaf


def _joint(facts: TensorFacts, value: Value) -> Grad:
    """Whether a value requires grad that may be a plain number as well."""
    plain = any(isinstance(thing, Scalar) for thing in value)
    return Grad.EITHER if plain else facts.grad


def _root(thing: Thing) -> Thing:
    """What holds a thing that nobody made here, and what holds that, to the end."""
    while (holder := getattr(thing, "parent", None)) is not None:
        thing = holder
    return thing


def _added(graph: Graph, roots: Sites, source: cst.BaseExpression) -> Sites:
    """The operations that a sum takes more from here, without those by which it hangs on itself."""
    here = set(within(source))
    found: set[Site] = set()
    seen: set[Site] = set(roots)
    waiting = list(roots)
    while waiting:
        node = graph.nodes.get(waiting.pop())
        for parent in (node.parents if node is not None else frozenset()) - seen:
            seen.add(parent)
            if roots & graph.reachable(frozenset((parent,))):
                waiting.extend({parent} if parent.node in here else ())
            else:
                found.add(parent)
    return frozenset(found)
