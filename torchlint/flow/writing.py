"""In-place writes: what they make stale, and how they become part of the history of what they write."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchlint.flow.domain import Grad, GradMode
from torchlint.flow.events import Escaped, LeafWritten, Site, ViewWritten
from torchlint.flow.graph import Sites
from torchlint.flow.state import TensorFacts
from torchlint.flow.things import NOTHING, Opaque, Tensor, Thing, Value
from torchlint.flow.walk import path_of, tensors
from torchlint.tables import Op, Saves

if TYPE_CHECKING:
    import libcst as cst

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
        certain = len(target) == 1
        for thing in tensors(target):
            state = walk.now()
            facts = state.tensor(thing)
            sure = certain and len(facts.storages) == 1
            beside = None if certain else facts.nodes
            graph = state.graph.write(
                facts.storages, site, place, certain=sure, noticed=noticed, beside=beside
            )
            walk.state = state.with_graph(graph)
            self._written(thing, facts, site)
            if facts.behind:
                hidden = walk.now().graph.write(facts.behind, site, place, certain=sure, noticed=False)
                walk.state = walk.now().with_graph(hidden)
            if tracked and not state.grad_mode.surely_off:
                self._tracked(thing, facts, site, place, certain=certain, recorded=recorded)

    def _tracked(
        self, thing: Thing, facts: TensorFacts, site: Site, place: str, *, certain: bool, recorded: bool
    ) -> None:
        """An operation writes in grad mode: torch refuses leaves, views of leaves, and some other views."""
        walk = self._walk
        path = path_of(thing)
        if path is not None:
            walk.records.tracked_writes.add(path)
        if not certain:
            return
        refused = facts.creation if recorded or facts.grad is Grad.YES else None
        if refused is not None:
            walk.records.asks_grad_mode |= GradMode.CALLER in walk.now().grad_mode
            if walk.grads_are_on():
                walk.tell(ViewWritten(site, place, *refused))
        elif (
            facts.grad is Grad.YES
            and facts.storages
            and all(self._is_leaf(storage) for storage in facts.storages)
        ):
            walk.records.asks_grad_mode |= GradMode.CALLER in walk.now().grad_mode
            if walk.grads_are_on():
                walk.tell(LeafWritten(site, place, thing not in facts.storages))

    def _is_leaf(self, storage: Thing) -> bool:
        """Whether a storage is that of a leaf that requires grad."""
        state = self._walk.now()
        facts = state.tensor(storage)
        if not isinstance(storage, Tensor) or facts.grad is not Grad.YES:
            return False
        frozen = storage.holder is not None and state.module(storage.holder).frozen
        return facts.leaf or (storage.leaf and not frozen)

    def _written(self, thing: Thing, facts: TensorFacts, site: Site) -> None:
        walk = self._walk
        outside = facts.born - walk.now().born
        if outside:
            walk.tell(Escaped(outside, site, "is written in place outside"))
        # Something unknown may be an existing tensor that a stranger gave out in the region.
        inside = walk.now().born - (facts.born if isinstance(thing, Tensor) else frozenset())
        lives_on = not isinstance(thing, Tensor) or thing.holder is not None or path_of(thing) is not None
        if inside and (lives_on or Grad.YES in facts.grad):
            walk.tell(Escaped(inside, site, "is an update of tensors that live on"))
        walk.records.updates |= lives_on and not walk.now().regions
        path = path_of(thing)
        for storage in facts.storages:
            path = path or path_of(storage)
        if path is not None:
            walk.records.writes.add(path)

    def apply(
        self, op: Op, bound: dict[str, Value], operands: list[Thing], node: cst.CSTNode, place: str
    ) -> Value:
        """The in-place form of an operation; gives its target."""
        assert op.writes is not None
        target = bound.get(op.writes, NOTHING)
        walk = self._walk
        self._autograd.leave_regions(operands, node, recorded=True)
        grad = self._autograd.joint_grad([frozenset((thing,)) for thing in operands])
        saved = self._autograd.saved(op, bound) if grad is Grad.YES else set()
        parents = self._autograd.before(operands)
        place = place or walk.text(node)
        self._rewrite(target, grad, saved, parents, node, place, saves_result=op.saves_result is Saves.YES)
        for thing in tensors(target):
            state = walk.now()
            facts = state.tensor(thing)
            modules = facts.modules.union(*(state.tensor(other).modules for other in operands))
            walk.state = state.with_tensor(thing, replace(facts, modules=modules))
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
    ) -> None:
        """Write a target, and put the operation that wrote it into the history of its storages."""
        walk = self._walk
        written = {storage for thing in tensors(target) for storage in walk.now().tensor(thing).storages}
        self.write(target, node, place, tracked=True, recorded=grad is Grad.YES)
        if grad is Grad.NO:
            return
        site = walk.site(node)
        sure = grad is Grad.YES
        # `y *= y` saves the old value under the version that it then overwrites: the fault is its own.
        itself = (saved & written) if not saves_result else set()
        kept = (saved - written) | itself | (written if saves_result and sure else set())
        graph = walk.now().graph.record(site, parents, kept if sure else (), self.live())
        if itself and sure:
            graph = graph.write(itself, site, place, certain=True)
        walk.state = walk.now().with_graph(graph.rewrite(written, site))
        for thing in tensors(target):
            state = walk.now()
            facts = state.tensor(thing)
            joint: Grad = grad if facts.grad is Grad.NO or sure else Grad(facts.grad.value | grad.value)
            walk.state = state.with_tensor(thing, replace(facts, grad=joint, nodes=frozenset((site,))))

    def live(self) -> Sites:
        """The operations that tensors still at hand hang on."""
        state = self._walk.now()
        live: set[Site] = set()
        held = [value for _, value in state.names.items()]
        held.extend(value for _, _, value in state.stored())
        for value in held:
            for thing in value:
                if isinstance(thing, Tensor | Opaque):
                    live |= state.tensor(thing).nodes
        return frozenset(live)
