"""What an operation does to tensors: whose graph the result carries, what is saved, what is written.

All knowledge of single operations stands in the tables; here is what autograd does with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import libcst as cst

from torchlint.flow.arguments import Arguments, bind, described, is_cast_to_integers, is_true
from torchlint.flow.between import live, older
from torchlint.flow.domain import Grad, GradMode
from torchlint.flow.events import Backward, Computed, Escaped, Region, StaleSave, Touched, Trained
from torchlint.flow.graph import Sites
from torchlint.flow.inference import NORMAL, Inference, Origins
from torchlint.flow.keeping import free
from torchlint.flow.regions import leave_regions
from torchlint.flow.resuming import step
from torchlint.flow.saving import Saving
from torchlint.flow.state import TensorFacts
from torchlint.flow.things import (
    NOTHING,
    Container,
    Module,
    Opaque,
    Plain,
    Tensor,
    Thing,
    Value,
    sorted_things,
)
from torchlint.flow.views import Views
from torchlint.flow.walk import Walk, path_of, tensors
from torchlint.flow.writing import Writing
from torchlint.tables import Op, Result, Saves, View
from torchlint.tables import op as find

# Operations that only add up: a loss made by them carries a graph when one of its parts does.
_SUMMING = frozenset(("add", "sub", "sum", "mean", "stack", "cat", "neg", "positive", "squeeze", "getitem"))


class Autograd:
    """The effects of operations on the state of one walk."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self.writing = Writing(walk, self)
        self.inference = Inference(walk)
        self.saving = Saving(walk, self)
        self._views = Views(walk)

    def apply(
        self, op: Op, arguments: Arguments, node: cst.CSTNode, *, method: bool, place: str = ""
    ) -> Value:
        """The result of an operation; writes its target and records what it saves."""
        op = op.form(*described(arguments), method=method)
        bound = bind(op, arguments)
        if is_true(bound.get("inplace")):
            op = find(f"{op.name}_") or op
        operands = [thing for value in arguments.all() for thing in self.spread(value)]
        if op.view is not View.NEVER and self._walk.now().regions:
            self._walk.tell(Touched(self._walk.now().born))
        if op.result is Result.CUT and op.view is View.SELF:
            return self._cut(bound.get(op.args[0], NOTHING), node, place)
        if op.writes is not None:
            return self.writing.apply(op, bound, operands, node, place)
        if op.result is Result.NOTHING:
            return self._walk.things.scalar(Plain.NONE)
        if op.result in (Result.NUMBER, Result.ARRAY):
            kind = Plain.NUMBER if op.result is Result.NUMBER else Plain.ARRAY
            memory = bound.get(op.args[0], NOTHING) if op.view is View.UNTRACKED else NOTHING
            return self._walk.things.scalar(kind, memory=self._views.memory(memory))
        out = arguments.keywords.get("out")
        if out is not None and tensors(out):
            self.writing.write(out, node, place or "out")
            self.inference.written(out, node, place or "out")
            return out
        if op.view is View.SELF and op.args and op.args[0] in bound:
            return bound[op.args[0]]
        result = self._out_of_place(op, bound, operands, arguments, node, method=method)
        return self.inference.known(result, operands, node, method=method)

    def _cut(self, target: Value, node: cst.CSTNode, place: str) -> Value:
        """detach_(): the tensor itself leaves its graph, which torch tells whoever saved it."""
        self.writing.write(target, node, place)
        for thing in tensors(target):
            state = self._walk.now()
            facts = replace(state.tensor(thing), grad=Grad.NO, nodes=frozenset(), sources=frozenset())
            graph = state.graph
            for base in facts.bases:
                graph = graph.forget(base)
            self._walk.state = state.with_tensor(thing, facts).with_graph(graph)
        return target

    def backward(self, value: Value, node: cst.CSTNode, *, keeps_graph: bool = False) -> None:
        """Run backward from a value: stale saves that it reaches are faults, the rest is freed."""
        walk = self._walk
        site = walk.site(node)
        walk.records.trains = True
        made_here = all(path_of(thing) is None for thing in tensors(value))
        if made_here and walk.now().grad_mode is GradMode.CALLER and not walk.calls:
            walk.evidence.trains = True
        for thing in tensors(value):
            walk.believe_graph(thing)
            path = path_of(thing)
            if path is not None:
                walk.records.backwards.add(path)
            facts = walk.now().tensor(thing)
            if outside := facts.born - walk.now().born:
                walk.tell(Escaped(outside, site, "is trained on"))
            self.reach(thing, certain=len(value) == 1)
            for module in sorted(facts.modules, key=lambda module: module.place):
                walk.records.trained |= {module.place.rpartition(".")[2], *walk.called_names.get(module, ())}
                walk.tell(Trained(module, site))
            free(walk, thing, node, retained=keeps_graph)
            if not keeps_graph:
                state = walk.now()
                roots = state.roots(facts)
                walk.state = state.with_graph(state.graph.free(roots))
        if walk.now().regions:
            walk.tell(Escaped(walk.now().born, site, "is trained on inside"))
        walk.tell(Backward(site, step(walk, value)))

    def reach(self, thing: Thing, *, certain: bool) -> None:
        """Tell each stale save that backward from a tensor reaches, or may reach later."""
        walk = self._walk
        state = walk.now()
        facts = state.tensor(thing)
        if facts.grad is Grad.NO:
            return
        for saved, stale in state.graph.faults(state.roots(facts)):
            walk.records.asks_grad_mode |= GradMode.CALLER in state.grad_mode
            write = stale.write
            sure = certain and stale.certain
            if write.site.is_beside(saved):
                # One function does both: that is where it has to be mended.
                written, saved = walk.own(write.site), walk.own(saved)
                walk.tell(StaleSave(written, write.inside, saved, sure, stale.noticed, write.instead))
            else:
                walk.tell(StaleSave(write.site, write.place, saved, sure, stale.noticed))

    def grad_of(self, value: Value) -> Grad:
        """Whether a value may require grad; containers count as what is in them."""
        grad = Grad(0)
        for thing in self.spread(value):
            grad |= self._walk.now().tensor(thing).grad
        return grad or Grad.NO

    def result(
        self,
        node: cst.CSTNode,
        grad: Grad,
        operands: list[Thing],
        *,
        role: str = "",
        storages: frozenset[Thing] | None = None,
        family: frozenset[Thing] | None = None,
        saved: Iterable[Thing] = (),
        unwatched: frozenset[Thing] = frozenset(),
        saves_result: bool = False,
        born: frozenset[Region] | None = None,
        parts: Iterable[Thing] = (),
        modules: frozenset[Module] = frozenset(),
        several: bool = False,
        inference: Origins = NORMAL,
        derived: frozenset[Region] = frozenset(),
    ) -> Value:
        """A new tensor made by an operation of these operands; or `several`, in whatever holds them."""
        walk = self._walk
        if grad is not Grad.NO:
            self.writing.use(operands, walk.site(node))
        state = walk.now()
        tensor = walk.things.make(Tensor, (node, role), "", several, several=several)
        if tensor.key in walk.evidence.graphs and grad is Grad.UNKNOWN and not state.grad_mode.surely_off:
            grad = Grad.YES
        if storages is None and state.tensors.get(tensor) is not None:
            # A loop comes by again: the tensor of the round before is another one.
            other = older(walk, tensor)
            state = state.with_graph(state.graph.retire(tensor, other))
            saved = [other if storage is tensor else storage for storage in saved]
        if family is None:
            state = state.with_graph(state.graph.forget(tensor))
        own = frozenset((tensor,)) if storages is None else storages
        facts = [state.tensor(thing) for thing in operands]
        carrying = [item for item in facts if item.grad is not Grad.NO]
        nodes: Sites = frozenset()
        surely = [item for item in carrying if item.grad is Grad.YES]
        guessed = not modules and bool(surely) and all(item.guessed for item in surely)
        if grad is not Grad.NO:
            site = walk.site(node)
            parents = self.before(operands)
            sure = grad is Grad.YES and not guessed
            kept = set(saved) if sure else set()
            if saves_result and sure:
                kept |= own
            graph = state.graph.record(site, parents, kept, live(state, site), unwatched=unwatched)
            state = state.with_graph(graph)
            nodes = frozenset((site,))
        new = TensorFacts(
            grad,
            own,
            nodes,
            state.born if born is None else born,
            frozenset().union(*(item.sources for item in carrying)) if grad is Grad.UNKNOWN else frozenset(),
            frozenset(parts),
            modules.union(*(item.modules for item in carrying)),
            family=frozenset((tensor,)) if family is None else family,
            guessed=guessed,
            inference=inference,
            forwards=frozenset().union(*(item.forwards for item in carrying)),
            derived=derived,
        )
        if walk.made.get(tensor) == walk.turn:
            new = new.join(state.tensor(tensor))  # one expression, several things: each gives its part
        walk.made[tensor] = walk.turn
        walk.waiting.devices.made(tensor, (*operands, *modules))
        walk.state = state.with_tensor(tensor, new)
        return frozenset((tensor,))

    def leaf(self, node: cst.CSTNode, *, inference: Origins = NORMAL) -> Value:
        """A new tensor that is made to require grad."""
        made = self.result(node, Grad.YES, [], inference=inference)
        for thing in made:
            facts = self._walk.now().tensor(thing)
            self._walk.state = self._walk.now().with_tensor(thing, replace(facts, leaf=True))
        return made

    def part(self, whole: Thing, node: cst.CSTNode, *, summing: bool = True, several: bool = False) -> Value:
        """One of the tensors that a structured result holds: as its whole, in a storage of its own."""
        facts = self._walk.now().tensor(whole)
        made = self.result(
            node,
            facts.grad,
            [whole],
            born=facts.born,
            parts=[whole] if summing else (),
            several=several,
            inference=facts.inference if isinstance(whole, Tensor) and whole.several else NORMAL,
        )
        if all(module.layer is None for module in facts.modules):  # nobody knows which parts carry the graph
            for thing in made:
                known = replace(self._walk.now().tensor(thing), guessed=True)
                self._walk.guessed |= known.nodes
                self._walk.state = self._walk.now().with_tensor(thing, known)
        return made

    def before(self, operands: Iterable[Thing]) -> Sites:
        """The operations that a graph made of these operands hangs on."""
        state = self._walk.now()
        facts = [state.tensor(thing) for thing in operands]
        return frozenset().union(*(state.roots(item) for item in facts if item.grad is not Grad.NO))

    def joint_grad(self, values: Iterable[Value]) -> Grad:
        """Whether a result of these requires grad: one that surely does is enough, if grad mode is on."""
        mode = self._walk.now().grad_mode
        if mode.surely_off:
            return Grad.NO
        grads = [self.grad_of(value) for value in values]
        if Grad.YES in grads:
            joint = Grad.YES
        else:
            joint = Grad(0)
            for grad in grads:
                joint |= grad
            joint = joint or Grad.NO
            if Grad.UNKNOWN in joint and Grad.YES not in joint:
                joint = Grad.UNKNOWN
        return joint if mode.surely_on else joint | Grad.NO

    def _out_of_place(
        self,
        op: Op,
        bound: dict[str, Value],
        operands: list[Thing],
        arguments: Arguments,
        node: cst.CSTNode,
        *,
        method: bool,
    ) -> Value:
        walk = self._walk
        first = bound.get(op.args[0], NOTHING) if op.args else NOTHING
        inference = self.inference.of_result(op, first, operands, node, method=method)
        if op.result is Result.FRESH:
            wanted = arguments.constant("requires_grad") is True
            fresh = (
                self.leaf(node, inference=inference)
                if wanted
                else self.result(node, Grad.NO, [], inference=inference)
            )
            self._views.mark_fresh(fresh, op, arguments)
            return fresh
        views = tensors(first) if op.view in (View.VIEW, View.MULTI) else []
        if views:  # `x.view_as(y)` takes a shape of y, and nothing of its graph
            operands = views
        plain = op.result in (Result.PLAIN, Result.CUT) or is_cast_to_integers(op, arguments)
        leave_regions(walk, operands, node, recorded=not plain and not views, bound=bound)
        if not views and op.result is not Result.CUT and operands and walk.now().regions:
            walk.tell(Computed(walk.now().born, walk.site(node)))
        grad = Grad.NO if plain else self.joint_grad([frozenset((thing,)) for thing in operands])
        cut = bool(views) and not plain and walk.now().grad_mode.surely_off
        grad = self.grad_of(first) if cut else grad  # a view keeps the flag, if not the graph
        storages: frozenset[Thing] | None = None
        family: frozenset[Thing] | None = None
        # What is computed from a tensor of a region stands for it, but a clone that is meant for training;
        # another caller of a function may forget that.
        cloned = op.name == "clone" and walk.followed is None
        born = walk.now().born.union([] if plain or cloned else walk.regions_of(operands))
        derived = born - walk.now().born if op.view is View.NEVER else frozenset()
        if views or (op.result is Result.CUT and op.view is not View.UNTRACKED):
            facts = [walk.now().tensor(thing) for thing in tensors(first)]
            if facts:
                storages = frozenset().union(*(item.storages for item in facts))
                if op.result is not Result.CUT:
                    family = frozenset().union(*(item.bases for item in facts))
                # A view of a normal tensor stays normal, also when it is made in a region.
                born = frozenset().union(*(item.born for item in facts))
        saved = self.saving.of(op, bound) if grad is Grad.YES else set()
        unwatched = frozenset(saved if any(item.unnoticed for item in op.saves) else ())
        if grad is Grad.YES:
            hidden = self.saving.of(op, bound, behind=True)
            unwatched, saved = unwatched | hidden, saved | hidden
            self.saving.tell(op, bound, operands, node)
        saves_result = op.saves_result is Saves.YES
        parts = operands if op.name in _SUMMING else []
        if op.name in ("mul", "div"):
            # `self.weight * loss`: an attribute of the object is a weight, not a part of the loss.
            terms = [self.spread(value) for value in bound.values()]
            terms = [term for term in terms if any((path_of(thing) or ("",))[0] != "self" for thing in term)]
            parts = terms[0] if len(terms) == 1 else []
        if op.result is Result.MIXED and not views:
            return self._mixed(
                op, grad, operands, node, saved=saved, saves_result=saves_result, inference=inference
            )
        value = self.result(
            node,
            grad,
            [] if cut else operands,
            storages=storages,
            family=family,
            saved=saved,
            unwatched=unwatched,
            saves_result=saves_result,
            born=born,
            parts=parts,
            inference=inference,
            derived=derived,
        )
        self._views.mark(value, op, views, first, arguments, node)
        if op.view is View.MULTI or op.result is Result.MIXED:
            pieces = walk.things.make(Container, (node, "pieces"), "", kind="tuple")
            walk.state = walk.now().with_slot(pieces, "[*]", value)
            return frozenset((pieces,))
        return value

    def _mixed(
        self,
        op: Op,
        grad: Grad,
        operands: list[Thing],
        node: cst.CSTNode,
        *,
        saved: set[Thing],
        saves_result: bool,
        inference: Origins,
    ) -> Value:
        walk = self._walk
        several = walk.things.make(Container, (node, "outputs"), "", kind="tuple")
        plain = self.result(node, Grad.NO, [], role="plain", inference=inference)
        if saves_result and grad is Grad.YES and set(op.saved_outputs) - set(op.graph_outputs):
            saved = saved | plain
        carrying = self.result(
            node,
            grad,
            operands,
            saved=saved,
            saves_result=saves_result and not op.saved_outputs,
            inference=inference,
        )
        state = walk.now().with_slot(several, "[*]", carrying if not op.graph_outputs else carrying | plain)
        for number, name in enumerate((".values", ".indices")):
            value = carrying if not op.graph_outputs or number in op.graph_outputs else plain
            state = state.with_slot(several, f"[{number}]", value).with_slot(several, name, value)
        walk.state = state
        return frozenset((several,))

    def spread(self, value: Value) -> list[Thing]:
        """The tensors of a value and of the containers in it."""
        found: list[Thing] = []
        for thing in sorted_things(value):
            if isinstance(thing, Tensor | Opaque):
                found.append(thing)
            elif isinstance(thing, Container):
                for slot, inner in self._walk.now().slots(thing).items():
                    if slot.startswith("["):
                        found.extend(item for item in tensors(inner) if item not in found)
        return found
