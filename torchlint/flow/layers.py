"""What the layers of torch.nn do when they run: what they save, write and return, as modules.tsv says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.arguments import Arguments
from torchlint.flow.domain import Grad, Mode
from torchlint.flow.graph import Write
from torchlint.flow.inference import NORMAL
from torchlint.flow.things import NOTHING, Module, Optimizer, Tensor, Thing, Value
from torchlint.flow.walk import tensors
from torchlint.tables import Layer, Saves

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlint.flow.autograd import Autograd
    from torchlint.flow.places import Places
    from torchlint.flow.running import Running
    from torchlint.flow.walk import Walk
    from torchlint.tables import Saved


class Layers:
    """The layers that one walk runs."""

    def __init__(self, walk: Walk, autograd: Autograd, places: Places, running: Running) -> None:
        self._walk = walk
        self._autograd = autograd
        self._places = places
        self._running = running

    def run(self, layer: Layer, thing: Module, grad: Grad, arguments: Arguments, node: cst.CSTNode) -> Value:
        """A layer runs on its arguments; gives its result."""
        walk, inference = self._walk, self._autograd.inference
        children = self._sequence(layer, thing)
        if children and arguments.positional:
            return self._one_by_one(children, arguments.positional[0], node)
        bound = dict(zip(layer.forward, arguments.positional, strict=False)) | arguments.keywords
        operands = [item for value in arguments.all() for item in walk.tensors_within(value)]
        learns = thing.parameters is True and not self._running.is_frozen(thing)
        saved: set[Thing] = set()
        unwatched = self._statistics(layer, thing, node)
        for item in layer.saves:
            if self._saves(item, bound, thing):
                for operand in walk.tensors_within(bound.get(item.arg, NOTHING)):
                    facts = walk.now().tensor(operand)
                    saved |= facts.storages
                    unwatched |= facts.behind
                if grad is Grad.YES and (learns or inference.requires(operands)):
                    inference.saved(bound.get(item.arg, NOTHING), node)
        saved |= self._state(layer, thing, bound)
        mode = walk.now().module(thing).mode
        first = arguments.positional[0] if arguments.positional else NOTHING
        if thing.inplace and tensors(first) and not (layer.inplace == "training" and mode is Mode.EVAL):
            # What an in-place layer needs of the old value it copies.
            kept = layer.saves_result_in_place is Saves.YES
            return self._autograd.writing.overwrite(
                first, grad, set(), node, self._input(thing, node), saves_result=kept
            )
        return self._autograd.result(
            node,
            grad,
            operands,
            saved=saved | unwatched,
            unwatched=frozenset(unwatched),
            saves_result=layer.saves_result is Saves.YES and not layer.saved_outputs,
            several=len(layer.forward) > 1 or bool(layer.saved_outputs),
            modules=frozenset((thing,)) if grad is not Grad.NO else frozenset(),
            # Without parameters it may give its argument back, as Identity does.
            inference=inference.here(node)
            if thing.parameters is not False or inference.of(operands)
            else NORMAL,
        )

    def step(self, optimizer: Optimizer, node: cst.CSTNode) -> None:
        """An optimizer writes its parameters, as far as anything saved them."""
        walk = self._walk
        state = walk.now()
        given = [
            thing
            for thing in walk.tensors_within(state.slots(optimizer).get("[*]", NOTHING))
            if isinstance(thing, Tensor)
        ]
        direct = {storage for thing in given for storage in state.tensor(thing).storages}
        modules = [thing.holder for thing in given if thing.every and isinstance(thing.holder, Module)]
        written = [storage for storage in direct if state.graph.savers.get(storage)]
        written += [storage for storage in self._places.members.saved_of(modules) if storage not in direct]
        self._write(written, node, noticed=not optimizer.fused)

    def load(self, module: Module, node: cst.CSTNode) -> None:
        """New values are copied into the parameters of a module."""
        self._write(self._places.members.saved_of([module]), node)

    def _write(self, storages: Iterable[Thing], node: cst.CSTNode, *, noticed: bool = True) -> None:
        """All of these storages, each the parameter of its name, are written for sure."""
        walk = self._walk
        graph = walk.now().graph
        for storage in storages:
            place = walk.named(storage)
            write = Write(walk.site(node), place, place)
            graph = graph.write((storage,), write, certain=True, noticed=noticed)
        walk.records.eventful = True
        walk.state = walk.now().with_graph(graph)

    def _saves(self, item: Saved, bound: dict[str, Value], thing: Module) -> bool:
        """Whether this is saved for sure, given what requires grad."""
        if item.sometimes:
            return False
        if "parameters" in item.when and not self._running.is_frozen(thing):
            return True
        when = [name for name in item.when if name != "parameters"]
        return not item.when or any(
            self._autograd.saving.takes_part(bound.get(name, NOTHING)) for name in when
        )

    def _state(self, layer: Layer, thing: Module, bound: dict[str, Value]) -> set[Thing]:
        """The storages of its own parameters that it saves."""
        saved: set[Thing] = set()
        for item in layer.saves_state:
            if not self._saves(item, bound, thing):
                continue
            if item.arg == "parameters":
                saved |= self._walk.now().tensor(self._places.members.parameters(thing)).storages
            else:
                for held in self._places.slot(thing, f".{item.arg}"):
                    saved |= self._walk.now().tensor(held).storages
        return saved

    def _statistics(self, layer: Layer, thing: Module, node: cst.CSTNode) -> set[Thing]:
        """Statistics that evaluation saves and training writes, mostly behind the version counter."""
        if not thing.statistics:
            return set()
        walk = self._walk
        statistics = walk.things.make(Tensor, (thing.key, "statistics"), f"the statistics of {thing.place}")
        mode = walk.now().module(thing).mode
        if mode is Mode.EVAL:
            return {statistics}
        if mode is Mode.TRAIN:
            place = f"{walk.named(thing)}.running_mean"
            write = Write(walk.site(node), place, place)
            noticed = not layer.statistics_unnoticed
            graph = walk.now().graph.write((statistics,), write, certain=True, noticed=noticed)
            walk.state = walk.now().with_graph(graph)
            walk.records.eventful = True
        return set()

    def _sequence(self, layer: Layer, thing: Module) -> list[Module]:
        """The layers of a Sequential in their order, where all of them are known."""
        if layer.name != "torch.nn.Sequential":
            return []
        slots = self._walk.now().slots(thing)
        found: list[Module] = []
        while (held := slots.get(f"[{len(found)}]")) is not None:
            children = [thing for thing in held if isinstance(thing, Module)]
            if len(held) != 1 or not children:
                return []
            found.extend(children)
        return found if "[*]" not in slots else []

    def _one_by_one(self, children: list[Module], value: Value, node: cst.CSTNode) -> Value:
        walk = self._walk
        for number, child in enumerate(children):
            label = child.built.text if child.built is not None else child.cls or ""
            with walk.within((node, number), label=label):
                value = self._running.outcome(child, Arguments.of(value), node)
        return value

    def _input(self, thing: Module, node: cst.CSTNode) -> str:
        if self._walk.label:
            return f"the input of {self._walk.label}"
        if not isinstance(node, cst.Call) or not node.args:
            return ""
        return self._walk.text(node.args[0].value)
