"""Evaluation mode: training that goes on in it, and graphs built in it that no backward comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from torchlint.prove.observations import Kind, Observation, Remark, Site
from torchlint.prove.observers.calls import Observer, tensors_in
from torchlint.prove.observers.frames import Program
from torchlint.prove.observers.replacing import replaced


@dataclass(slots=True)
class _Life:
    """What one module has gone through."""

    trained: bool = False
    """An optimizer has stepped after it ran in training mode."""
    evaled: list[Site] = field(default_factory=list)
    """The eval() calls since it was in training mode last, if it was trained before them."""


@dataclass(slots=True)
class _Graph:
    """A graph that a forward in evaluation mode built."""

    name: str
    site: Site
    code: CodeType
    callers: tuple[Site, ...]
    used: bool = False


class Evaluations(Observer):
    """Watches modes, forwards and steps of optimizers while it is installed."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._lives: WeakKeyDictionary[nn.Module, _Life] = WeakKeyDictionary()
        self._ran: WeakKeyDictionary[nn.Module, Site] = WeakKeyDictionary()
        """Where modules ran with gradients since the last step of their parameters."""
        self._depth = 0
        self._switching = False
        self._resumed: dict[Site, Observation] = {}
        self._graphs: list[_Graph] = []

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Stand in for what sets modes and runs modules, and put it back."""
        hook = register_optimizer_step_pre_hook(self._step)
        with (
            replaced(nn.Module, "__call__", self._call),
            replaced(nn.Module, "eval", self._eval),
            replaced(nn.Module, "train", self._train),
        ):
            try:
                yield
            finally:
                hook.remove()

    def observations(self) -> Iterable[Observation]:
        yield from self._resumed.values()
        told: set[CodeType] = set()
        for graph in self._graphs:
            if not graph.used and graph.code not in told:
                told.add(graph.code)
                text = f"{graph.name} builds a graph in evaluation mode, and no backward comes to it"
                yield Observation(Kind.GRAPH_UNUSED, graph.site, text, callers=graph.callers)

    def _eval(self, call: Callable[..., object], module: nn.Module) -> object:
        return self._switched(call, module, (), wanted=False)

    def _train(self, call: Callable[..., object], module: nn.Module, mode: bool = True) -> object:
        return self._switched(call, module, (mode,), wanted=mode)

    def _switched(
        self, call: Callable[..., object], module: nn.Module, args: tuple[object, ...], *, wanted: bool
    ) -> object:
        if self._switching:  # a part, by way of its whole
            return call(module, *args)
        site = self.program.here()
        self._switching = True
        try:
            result = call(module, *args)
        finally:
            self._switching = False
        for part in module.modules():
            life = self._lives.setdefault(part, _Life())
            if wanted:
                life.evaled.clear()
            elif life.trained and site is not None:
                life.evaled.append(site)
        return result

    def _call(
        self, call: Callable[..., object], module: nn.Module, *args: object, **kwargs: object
    ) -> object:
        frame = self.program.frame() if self._depth == 0 and torch.is_grad_enabled() else None
        self._depth += 1
        try:
            result = call(module, *args, **kwargs)
        finally:
            self._depth -= 1
        if frame is not None:
            site = self.program.site(frame)
            self._ran[module] = site
            if not module.training and _learns(module, (args, kwargs)):
                graph = _Graph(type(module).__name__, site, frame.f_code, self.program.callers())
                self._watch(graph, result)
        return result

    def _watch(self, graph: _Graph, result: object) -> None:
        def reached(gradients: object) -> None:
            graph.used = True

        nodes = [tensor.grad_fn for tensor in tensors_in(result) if tensor.grad_fn is not None]
        for node in nodes:
            node.register_prehook(reached)
        if nodes:
            self._graphs.append(graph)

    def _step(self, optimizer: torch.optim.Optimizer, args: object, kwargs: object) -> None:
        stepped = {
            id(one) for group in optimizer.param_groups for one in group["params"] if one.grad is not None
        }
        for module, ran in list(self._ran.items()):
            if not any(id(one) in stepped for one in module.parameters()):
                continue
            del self._ran[module]
            life = self._lives.setdefault(module, _Life())
            if module.training:
                life.trained = True
            elif life.evaled and _mode_matters(module):
                for site in life.evaled:
                    text = f"{type(module).__name__} is trained on in the evaluation mode that this sets"
                    remark = Remark(ran, "it runs here for a training step")
                    self._resumed.setdefault(site, Observation(Kind.EVAL_LEFT, site, text, (remark,)))


def _learns(module: nn.Module, given: object) -> bool:
    """Whether its parameters alone make a graph, and nobody asks for the gradient of its input."""
    if any(tensor.requires_grad for tensor in tensors_in(given)):
        return False
    return any(one.requires_grad for one in module.parameters())


def _mode_matters(module: nn.Module) -> bool:
    """Whether any part computes otherwise in training mode, or reads the mode itself."""
    return any(map(_differs, module.modules()))


def _differs(module: nn.Module) -> bool:
    match module:
        case nn.modules.batchnorm._BatchNorm():
            return True
        case nn.modules.instancenorm._InstanceNorm():
            return bool(module.track_running_stats)
        case nn.modules.dropout._DropoutNd():
            return bool(module.p > 0)
        case nn.RNNBase():
            return bool(module.dropout > 0 and module.num_layers > 1)
        case nn.MultiheadAttention():
            return bool(module.dropout > 0)
        case nn.RReLU():
            return bool(module.lower != module.upper)
    is_of_torch = type(module).__module__.split(".")[0] == "torch"
    code = getattr(type(module).forward, "__code__", None)
    return not is_of_torch and code is not None and "training" in code.co_names
