"""In-place writes: what they make stale, and how they become part of the history of what they write."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.between import live
from torchlint.flow.domain import Creation, Grad, GradMode
from torchlint.flow.events import (
    LEARNED,
    UPDATES,
    WRITTEN_OUTSIDE,
    Escaped,
    LeafWritten,
    Site,
    Touched,
    ViewWritten,
)
from torchlint.flow.graph import NO_WRITES, Sites, Write
from torchlint.flow.instead import instead
from torchlint.flow.memory import leaves_spread, overlap, part
from torchlint.flow.regions import leave_regions
from torchlint.flow.state import Made, TensorFacts
from torchlint.flow.things import NOTHING, Opaque, Scalar, Tensor, Thing, Value
from torchlint.flow.walk import path_of, tensors
from torchlint.tables import Op, Saves

if TYPE_CHECKING:
    from torchlint.flow.autograd import Autograd
    from torchlint.flow.walk import Walk


class Writing:
    """The in-place writes of one walk."""

    def __init__(self, walk: Walk, autograd: Autograd) -> None:
        self._walk = walk
        self._autograd = autograd

    def write(
        self,
        target: Value,
        node: cst.CSTNode,
        place: str,
        *,
        noticed: bool = True,
        tracked: bool = False,
        recorded: bool = False,
    ) -> None:
        """Write a tensor in place: what was saved of its storage is stale, `noticed` where its version moves.

        With `tracked` autograd sees the write as an operation, and may refuse it; it is `recorded` where what
        it writes or something else that it takes requires grad.
        """
        walk = self._walk
        site = walk.site(node)
        walk.records.eventful = True
        if walk.now().regions:
            walk.tell(Touched(walk.now().born))
        certain = len(target) == 1
        for thing in tensors(target):
            state = walk.now()
            facts = state.tensor(thing)
            write = Write(site, walk.place(thing, place), place, instead(walk, thing, node))
            tracks = tracked and not state.grad_mode.surely_off
            if tracks and self._refuses(thing, facts, write, certain=certain, recorded=recorded):
                continue
            every = isinstance(thing, Tensor) and thing.every
            sure = certain and (every or len(facts.storages) == 1)
            beside = None if certain else facts.nodes
            graph = state.graph.write(facts.storages, write, certain=sure, noticed=noticed, beside=beside)
            if facts.behind:
                counted = facts.storages if noticed else frozenset()
                graph = graph.write(facts.behind, write, certain=sure, noticed=False, counted=counted)
                self._note_hidden(facts.behind)
            walk.state = state.with_graph(graph)
            self._written(thing, facts, site)

    def write_array(self, array: Value, node: cst.CSTNode, place: str) -> None:
        """Write the memory of arrays, which tensors may share; no version moves."""
        walk = self._walk
        for thing in array:
            if isinstance(thing, Scalar) and thing.memory:
                walk.records.eventful = True
                write = Write(walk.site(node), place, place)
                graph = walk.now().graph.write(thing.memory, write, certain=len(array) == 1, noticed=False)
                walk.state = walk.now().with_graph(graph)
                self._note_hidden(thing.memory)

    def _note_hidden(self, storages: frozenset[Thing]) -> None:
        """Behind the versions of the caller's tensors: it has to hear of that."""
        paths = [path_of(storage) for storage in storages]
        self._walk.records.hidden_writes.update(path for path in paths if path is not None)

    def _refuses(
        self, thing: Thing, facts: TensorFacts, write: Write, *, certain: bool, recorded: bool
    ) -> bool:
        """Whether torch refuses a recorded write: of a leaf, of a view of one, and of some other views."""
        walk = self._walk
        requires = facts.grad is Grad.YES
        made = facts.made if requires or recorded else None
        leaf = requires and self._is_leaf(thing, facts)
        view = requires and not leaf and self._is_view_of_leaf(thing, facts)
        leaf = leaf or (requires and not view and self._seems_leaf(thing, facts))
        path = path_of(thing)
        if path is not None and facts.grad is not Grad.NO and not (made or leaf or view):
            walk.records.tracked_writes.add(path)
        if not certain or not (made or leaf or view):
            return False
        walk.records.asks_grad_mode |= GradMode.CALLER in walk.now().grad_mode
        if not walk.grads_are_on():
            return False
        site, place = write.site, write.place
        # A chain of writes is refused at its first.
        if not (isinstance(site.node, cst.Call) and isinstance(site.node.func, cst.Attribute)) or (
            walk.site(site.node.func.value) not in walk.refused
        ):
            if made is not None:
                self._tell_of_view(write, made)
            else:
                walk.tell(LeafWritten(site, place, view))
        walk.refused.add(site)
        return True

    def _refuse_overlap(self, target: Value, operands: list[Thing], node: cst.CSTNode, place: str) -> None:
        """Tell of a write to memory in which elements lie on each other, or that an operand overlaps."""
        walk = self._walk
        if len(target) != 1 or walk.site(node) in walk.refused:
            return
        (thing,) = target
        facts = walk.now().tensor(thing)
        write = Write(walk.site(node), walk.place(thing, place), place)
        window, spread = facts.window, facts.spread
        if isinstance(node, cst.Subscript):  # an item is assigned
            window = part(window, node)
            spread = spread if leaves_spread(node) else None
        made = None
        if spread is not None:
            made = Made(Creation.SPREAD, spread, NO_WRITES)
        for other in operands:
            theirs = walk.now().tensor(other)
            if other is not thing and theirs.storages == facts.storages and overlap(window, theirs.window):
                made = Made(Creation.OVERLAP, write.site, NO_WRITES)
        if made is not None:
            walk.refused.add(write.site)
            self._tell_of_view(write, made)

    def _tell_of_view(self, write: Write, made: Made, used: Site | None = None) -> None:
        walk = self._walk
        if write.site.is_beside(made.site) and (used is None or write.site.is_beside(used)):
            # One function does all of it: that is where it has to be mended.
            view, used = walk.own(made.site), used and walk.own(used)
            walk.tell(ViewWritten(walk.own(write.site), write.inside, made.creation, view, used))
        else:
            walk.tell(ViewWritten(write.site, write.place, made.creation, made.site, used))

    def _is_leaf(self, thing: Thing, facts: TensorFacts) -> bool:
        if not isinstance(thing, Tensor):
            return False
        frozen = thing.holder is not None and self._walk.now().module(thing.holder).frozen
        return facts.leaf or (thing.leaf and not frozen)

    def _is_view_of_leaf(self, thing: Thing, facts: TensorFacts) -> bool:
        """Whether all memory that it may lie in is that of leaves that require grad."""
        state = self._walk.now()
        return all(
            base is not thing
            and state.tensor(base).grad is Grad.YES
            and self._is_leaf(base, state.tensor(base))
            for base in facts.bases
        )

    def _seems_leaf(self, thing: Thing, facts: TensorFacts) -> bool:
        """Whether it is a view made before its base got a graph, and torch has not looked since.

        It requires grad as its base does, and has no operation of its own yet, as if it were a leaf.
        """
        raw = self._walk.now().tensors.get(thing)
        return raw is not None and raw.grad is Grad.NO and not raw.nodes and thing not in facts.bases

    def use(self, operands: list[Thing], site: Site) -> None:
        """A recorded operation takes these: a view that must not be written is refused once its base was."""
        walk = self._walk
        for thing in operands:
            facts = walk.now().tensor(thing)
            if facts.grad is Grad.YES and self._seems_leaf(thing, facts):
                nodes = walk.now().roots(facts)
                walk.state = walk.now().with_tensor(thing, replace(facts, nodes=nodes))
            if facts.made is None or facts.grad is not Grad.YES:
                continue
            walk.records.asks_grad_mode |= GradMode.CALLER in walk.now().grad_mode
            late = walk.now().graph.writes(facts.storages) - facts.made.after
            if not walk.grads_are_on():
                continue
            for write in sorted(late, key=lambda write: write.place):
                self._tell_of_view(write, facts.made, site)

    def leave(self, facts: TensorFacts, site: Site) -> None:
        """Tell of a tensor that is written where a region is over in which it was made."""
        outside = facts.born - facts.derived - self._walk.now().born
        # Under inference_mode inference tensors may be written, whichever region made them.
        if outside and not self._walk.now().around.surely_inferring:
            self._walk.tell(Escaped(outside, site, WRITTEN_OUTSIDE))

    def _written(self, thing: Thing, facts: TensorFacts, site: Site) -> None:
        walk = self._walk
        self.leave(facts, site)
        # Something unknown may be an existing tensor that a stranger gave out in the region.
        known = isinstance(thing, Tensor) and not facts.behind
        inside = walk.now().born - (facts.born if known else frozenset())
        held = (thing, *facts.behind)
        lives_on = any(
            not isinstance(one, Tensor) or one.holder is not None or path_of(one) is not None for one in held
        )
        learned = any(isinstance(one, Tensor) and one.leaf for one in (*held, *facts.storages))
        # What a function sets as an item of something unknown is mostly one of a mapping.
        guessed = isinstance(thing, Opaque) and isinstance(site.node, cst.Subscript)
        if inside and ((lives_on and not (guessed and walk.calls)) or Grad.YES in facts.grad):
            walk.tell(Escaped(inside, site, LEARNED if learned else UPDATES))
        walk.records.updates |= lives_on and not guessed and not walk.now().regions
        path = path_of(thing)
        for storage in facts.storages:
            path = path or path_of(storage)
        if path is not None and not (guessed and path[-1].startswith("[")):
            walk.records.writes.add(path)

    def apply(
        self, op: Op, bound: dict[str, Value], operands: list[Thing], node: cst.CSTNode, place: str
    ) -> Value:
        """The in-place form of an operation; gives its target."""
        assert op.writes is not None
        target = bound.get(op.writes, NOTHING)
        walk = self._walk
        leave_regions(self._walk, operands, node, recorded=True, bound=bound)
        grad = self._autograd.joint_grad([frozenset((thing,)) for thing in operands])
        saved = self._autograd.saving.of(op, bound) if grad is Grad.YES else set()
        place = place or walk.text(node)
        if grad is Grad.YES:
            self._autograd.saving.tell(op, bound, operands, node)
        through_view = _goes_through_view(op, bound, node)
        if grad is not Grad.NO:
            beside = [thing for thing in operands if thing not in target or through_view]
            self.use(beside, walk.site(node))
        parents = self._autograd.before(operands)
        saves_result = op.saves_result is Saves.YES
        self._rewrite(
            target, grad, saved, parents, node, place, saves_result=saves_result, through_view=through_view
        )
        if op.refuses_overlap:
            others = operands if op.refuses_overlapping_operands else []
            self._refuse_overlap(target, others, node, place)
        for thing in tensors(target):
            state = walk.now()
            facts = state.own(thing)
            taken = [state.tensor(other) for other in operands]
            modules = facts.modules.union(*(other.modules for other in taken))
            forwards = facts.forwards.union(*(other.forwards for other in taken))
            walk.state = state.with_tensor(thing, replace(facts, modules=modules, forwards=forwards))
        return target

    def overwrite(
        self,
        target: Value,
        grad: Grad,
        saved: set[Thing],
        node: cst.CSTNode,
        place: str,
        *,
        saves_result: bool,
    ) -> Value:
        """A layer built with inplace=True writes its input and returns it."""
        parents = self._autograd.before(tensors(target))
        self._rewrite(target, grad, saved, parents, node, place, saves_result=saves_result)
        self._refuse_overlap(target, [], node, place)
        return target

    def _rewrite(
        self,
        target: Value,
        grad: Grad,
        saved: set[Thing],
        parents: Sites,
        node: cst.CSTNode,
        place: str,
        *,
        saves_result: bool,
        through_view: bool = False,
    ) -> None:
        """Write a target, and put the operation that wrote it into the history of its storages."""
        walk = self._walk
        aimed = [walk.now().tensor(thing) for thing in tensors(target)]
        written = {storage for facts in aimed for storage in facts.storages}
        bases = {base for facts in aimed for base in facts.bases}
        self.write(target, node, place, tracked=True, recorded=grad is Grad.YES)
        self._autograd.inference.written(target, node, place)
        if grad is Grad.NO or walk.site(node) in walk.refused:
            return
        site = walk.site(node)
        sure = grad is Grad.YES
        # `y *= y` saves the old value under the version that it then overwrites: the fault is its own.
        itself = (saved & written) if not saves_result else set()
        kept = (saved - written) | itself | (written if saves_result and sure else set())
        graph = walk.now().graph.record(site, parents, kept if sure else (), live(walk.now(), site))
        if itself and sure:
            graph = graph.write(itself, Write(site, place, place), certain=True)
        graph = graph.rewrite(bases, site, grad, certain=len(bases) == 1)
        walk.state = walk.now().with_graph(graph)
        for thing in tensors(target) if not through_view else ():
            state = walk.now()
            facts = state.tensor(thing)
            joint: Grad = grad if facts.grad is Grad.NO or sure else Grad(facts.grad.value | grad.value)
            walk.state = state.with_tensor(thing, replace(facts, grad=joint, nodes=frozenset((site,))))


def _goes_through_view(op: Op, bound: dict[str, Value], node: cst.CSTNode) -> bool:
    """Whether a write makes a view of its target first: a plain index does, but not `...`."""
    if not isinstance(node, cst.Subscript):
        return op.name == "fill_diagonal_"
    element = node.slice[0].slice
    if isinstance(element, cst.Index) and isinstance(element.value, cst.Ellipsis):
        return False
    index = bound.get(op.args[1], NOTHING)
    return all(isinstance(thing, Scalar) for thing in index)
