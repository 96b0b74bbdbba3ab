"""The effects of methods that modules have, and of those that read tensors or run backward from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow import factories
from torchlint.flow.arguments import Arguments
from torchlint.flow.domain import Grad, GradMode, Misuse, Mode
from torchlint.flow.events import Escaped, Read
from torchlint.flow.regions import leave_regions
from torchlint.flow.running import is_module_like
from torchlint.flow.state import TensorFacts
from torchlint.flow.things import (
    NOTHING,
    Dotted,
    Module,
    Opaque,
    Plain,
    Remembered,
    Scalar,
    Tensor,
    Thing,
    Value,
)
from torchlint.flow.walk import tensors
from torchlint.tables.effects import Effect, effect, says

if TYPE_CHECKING:
    from torchlint.flow.autograd import Autograd
    from torchlint.flow.calls import Calls
    from torchlint.flow.effects import Effects
    from torchlint.flow.places import Places
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk

# Effects that a method has on a module; any other method of a module is its own.
MODULE_EFFECTS = frozenset(
    (
        "mode",
        "freeze",
        "same",
        "cast",
        "parameters",
        "state_dict",
        "load",
        "children",
        "none",
        "forward",
        "keeps",
    )
)
# Effects that a method has on a tensor, or on something unknown that may be one.
TENSOR_EFFECTS = frozenset(("read", "backward", "mode", "parameters", "children", "freeze", "forward"))


class Methods:
    """The methods of modules and tensors in one walk."""

    def __init__(
        self, walk: Walk, autograd: Autograd, places: Places, values: Values, calls: Calls, effects: Effects
    ) -> None:
        self._walk = walk
        self._autograd = autograd
        self._places = places
        self._values = values
        self._calls = calls
        self._effects = effects

    def of_module(
        self, known: Effect, thing: Module, arguments: Arguments, node: cst.Call, *, discarded: bool
    ) -> Value:
        """A method that every module has."""
        walk = self._walk
        itself: Value = frozenset((thing,))
        match known.kind:
            case "mode":
                self._mode(known, thing, arguments, node)
            case "freeze":
                self._calls.running.freeze(thing, frozen=arguments.constant("requires_grad", 0) is False)
            case "cast":
                self.cast(node)
            case "same":
                if discarded or any(_is_dtype(value) for value in arguments.all()):
                    self.cast(node)
            case "parameters":
                named = known.detail == "named"
                return self._parameters(thing, node, leaf=not _called(node).endswith("buffers"), named=named)
            case "state_dict":
                return self._parameters(thing, node, leaf=False, named=False)
            case "children":
                child = walk.module((thing.key, "[child]"), f"{thing.place}[*]", parent=thing)
                return self._effects.sequences.listed(
                    frozenset((child,)), node, named=known.detail == "named"
                )
            case "forward":
                self_call = walk.text(node.func).removesuffix(".forward").removesuffix(".generate")
                grades = known.detail != "ungraded"
                return self._calls.running.forward(
                    thing, arguments, node, self_call, discarded=discarded, grades=grades
                )
            case "load":
                self._calls.running.layers.load(thing, node)
            case "keeps":
                self._places.keep(itself, NOTHING.union(*arguments.all()), node)
                if known.detail == "buffer":
                    self._register(arguments, node)
        return itself

    def of_tensor(
        self, known: Effect, thing: Tensor | Opaque, name: str, arguments: Arguments, node: cst.Call
    ) -> Value:
        """A method that reads a tensor or runs backward from it; or that shows the unknown to be a module."""
        walk = self._walk
        itself: Value = frozenset((thing,))
        match known.kind:
            case "read" if not arguments.positional:
                assert isinstance(node.func, cst.Attribute)
                place = "" if walk.rehearsing else walk.text(node.func.value)
                return self._read(thing, node, place)
            case "backward":
                retains = (
                    arguments.constant("retain_graph") is True or arguments.constant("create_graph") is True
                )
                given = arguments.positional[0] if arguments.positional else NOTHING
                handed = [item for item in tensors(given) if not isinstance(thing, Tensor)]
                known_graph = walk.now().tensor(thing).grad is Grad.YES
                # accelerator.backward(loss) hands the loss over; loss.backward(gradient) does not.
                self._autograd.backward(
                    frozenset(handed) if handed and not known_graph else itself, node, keeps_graph=retains
                )
                return walk.things.scalar(Plain.NONE)
            case "freeze":
                wanted = arguments.constant("requires_grad", 0)
                wanted = wanted if arguments.positional or arguments.keywords else True
                self._places.require_grad(thing, wanted=wanted, node=node)
                return itself
            case "mode" if _is_mode_call(arguments):
                factories.believe(walk, thing)
                walk.believe_module(thing)
                return itself
            case "forward" if is_module_like(thing) and not _is_search(known, thing):
                walk.believe_module(thing)
            case "parameters" | "children":
                walk.believe_module(thing)
                return self._parameters(thing, node, leaf=True, named=known.detail == "named")
        return self._calls.strangers.call(name, arguments, node, discarded=False, receiver=itself)

    def _register(self, arguments: Arguments, node: cst.Call) -> None:
        """A buffer that is saved with the module, and so written in place where a module is loaded."""
        if arguments.get("persistent", 2) is None or arguments.constant("persistent", 2) is True:
            held = arguments.get("tensor", 1) or NOTHING
            self._autograd.inference.given(held, node, Misuse.BUFFER)

    def _mode(self, known: Effect, thing: Module, arguments: Arguments, node: cst.Call) -> None:
        running = self._calls.running
        flag = arguments.get("mode", 0)
        if known.detail == "eval" or arguments.constant("mode", 0) is False:
            running.switch(thing, Mode.EVAL, node)
        elif flag is None or arguments.constant("mode", 0) is True:
            running.switch(thing, Mode.TRAIN, node)
        else:
            remembered = arguments.constant("mode", 0)
            if isinstance(remembered, Remembered):
                running.restore(thing, remembered.facts, node)
            else:
                self._walk.set_mode(thing, Mode.UNKNOWN, None)

    def _read(self, thing: Thing, node: cst.Call, place: str) -> Value:
        """`.item()` of a tensor."""
        assert isinstance(node.func, cst.Attribute)
        walk = self._walk
        facts = walk.now().tensor(thing)
        site = walk.read(node)
        leave_regions(self._walk, [thing], node, recorded=False)
        if facts.grad is not Grad.NO:
            walk.records.asks_grad_mode |= GradMode.CALLER in walk.now().grad_mode
            walk.tell(Read(site, walk.read(node.func.attr), place, facts.grad))
        return walk.things.scalar(Plain.NUMBER, reads=frozenset((site,)))

    def cast(self, node: cst.Call) -> None:
        """A module is cast or moved: its parameters lie in memory that is made here."""
        walk = self._walk
        if walk.now().regions:
            walk.tell(Escaped(walk.now().born, walk.site(node), "a module is cast inside"))

    def _parameters(self, thing: Thing, node: cst.CSTNode, *, leaf: bool, named: bool) -> Value:
        walk = self._walk
        if leaf:
            return self._effects.sequences.listed(
                frozenset((self._places.members.parameters(thing),)), node, named=named
            )
        tensor = walk.things.make(Tensor, (thing.key, "state"), f"{thing.place}.state", holder=thing)
        facts = TensorFacts(Grad.NO, frozenset((tensor,)))
        walk.state = walk.now().with_tensor(tensor, facts)
        return self._effects.sequences.listed(frozenset((tensor,)), node, named=named)


def of_method(name: str, arguments: Arguments) -> Effect | None:
    """The effect of a method; one that stands `alone` is only meant where it is given nothing."""
    if name == "decode" and "skip_special_tokens" in arguments.keywords:
        name = "batch_decode"  # a tokenizer's; other decoders give tensors
    known = effect(f".{name}")
    return None if known is not None and known.detail == "alone" and arguments.all() else known


def _called(node: cst.Call) -> str:
    """The last part of what is called."""
    func = node.func
    return (
        func.attr.value
        if isinstance(func, cst.Attribute)
        else func.value
        if isinstance(func, cst.Name)
        else ""
    )


def _is_mode_call(arguments: Arguments) -> bool:
    # trainer.train(data) is not module.train(): that takes nothing, or one flag.
    if len(arguments.positional) + len(arguments.keywords) > 1:
        return False
    return all(
        isinstance(thing, Scalar) or not isinstance(thing, Tensor | Module)
        for value in arguments.all()
        for thing in value
    )


def _is_dtype(value: Value) -> bool:
    names = [thing.name.rpartition(".")[2] for thing in value if isinstance(thing, Dotted)]
    return any("float" in says("dtype", name) for name in names)


def _is_search(known: Effect, thing: Thing) -> bool:
    # `generator.generate(models, x)`: what is named after this method searches, with models that it is given.
    return known.detail == "ungraded" and "search" in says("place", thing.place)
