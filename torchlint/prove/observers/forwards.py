"""Forwards without gradients in training mode, and whether the mode made a difference there.

The difference is observed, not looked up. Modules made of torch's layers alone run once more, as a copy in
evaluation mode with the same input and the same random numbers. Code of the program never runs twice: where
it reads `training` itself during such a forward, that counts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from torchlint.prove.observations import Kind, Observation, Remark, Site
from torchlint.prove.observers.calls import Call, Observer, tensors_in
from torchlint.prove.observers.frames import Program
from torchlint.prove.observers.replacing import replaced


@dataclass(slots=True)
class _Running:
    """One forward without gradients, called by the program, with all that runs inside."""

    name: str
    differs: dict[str, str] = field(default_factory=dict)
    """What differs, by the name of the layer that was compared: the first time it did."""
    reads: list[Site] = field(default_factory=list)


@dataclass(slots=True)
class _Seen:
    name: str
    differs: tuple[str, ...]
    reads: tuple[Site, ...]
    times: int = 0
    callers: dict[Site, None] = field(default_factory=dict)


class Forwards(Observer):
    """Watches the calls of modules while it is installed."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._running: _Running | None = None
        self._copying = False
        self._seen: dict[Site, _Seen] = {}
        self._told: WeakSet[nn.Module] = WeakSet()
        """The modules that ran since gradients were last switched: one report a region is enough."""

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Stand in for `nn.Module.__call__` and for the attribute `training`, and put both back."""
        with (
            replaced(nn.Module, "__call__", self._call),
            replaced(torch.inference_mode, "__enter__", self._enter_inference),
        ):
            nn.Module.training = _Training(self)  # type: ignore[assignment]
            try:
                yield
            finally:
                del nn.Module.training

    def after(self, call: Call) -> None:
        if call.name == "_set_grad_enabled":
            self._told.clear()

    def observations(self) -> Iterable[Observation]:
        for site, seen in self._seen.items():
            remarks = tuple(Remark(read, "the forward reads 'training' here") for read in seen.reads)
            text = f"{seen.name} runs without gradients in training mode"
            if seen.differs:
                # The module itself need not be named twice.
                text += ": " + ", ".join(said.removeprefix(f"{seen.name} ") for said in seen.differs)
            callers = tuple(seen.callers)
            yield Observation(Kind.TRAINING_FORWARD, site, text, remarks, seen.times, callers)

    def read_training(self, module: nn.Module) -> None:
        """The attribute `training` of a module was read, and is true."""
        if self._running is None or self._copying:
            return
        site = self.program.caller(2)
        if site is not None and site not in self._running.reads:
            self._running.reads.append(site)

    def _enter_inference(self, enter: Callable[..., None], switch: object) -> None:
        self._told.clear()
        enter(switch)

    def _call(
        self, call: Callable[..., object], module: nn.Module, *args: object, **kwargs: object
    ) -> object:
        if self._copying or torch.is_grad_enabled():
            return call(module, *args, **kwargs)
        outermost = self._running is None
        site = self.program.here() if outermost else None
        if outermost:
            if site is None or not any(part.__dict__.get("training") for part in module.modules()):
                return call(module, *args, **kwargs)
            self._running = _Running(type(module).__name__)
        running = self._running
        assert running is not None
        try:
            if not _is_of_torch(module):
                return call(module, *args, **kwargs)
            return self._compare(call, module, args, kwargs, running)
        finally:
            if outermost:
                self._running = None
                if site is not None and module not in self._told and (running.differs or running.reads):
                    self._told.add(module)
                    found = _Seen(running.name, tuple(running.differs.values()), tuple(running.reads))
                    seen = self._seen.setdefault(site, found)
                    seen.times += 1
                    seen.callers.update(dict.fromkeys(self.program.callers()))

    def _compare(
        self,
        call: Callable[..., object],
        module: nn.Module,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        running: _Running,
    ) -> object:
        """Run the module, and a copy in evaluation mode; note what differs, give the module's own result."""
        if not any(part.__dict__.get("training") for part in module.modules()):
            return call(module, *args, **kwargs)
        lazy = any(is_lazy(one) for one in (*module.parameters(), *module.buffers()))
        twin = None if lazy else _twin(module)
        given = _cloned(args), _cloned(kwargs)
        numbers = torch.get_rng_state()
        # What is inside has been compared with the whole.
        self._copying = True
        try:
            result = call(module, *args, **kwargs)
        finally:
            self._copying = False
        after = torch.get_rng_state()
        differs = self._difference(call, module, twin or _twin(module), given, numbers, result)
        torch.set_rng_state(after)
        if differs is not None:
            running.differs.setdefault(type(module).__name__, differs)
        return result

    def _difference(
        self,
        call: Callable[..., object],
        module: nn.Module,
        twin: nn.Module | None,
        given: tuple[Any, Any],
        numbers: torch.Tensor,
        result: object,
    ) -> str | None:
        if twin is None:
            return None
        args, kwargs = given
        torch.set_rng_state(numbers)
        self._copying = True
        try:
            with torch._C.DisableTorchFunction():
                expected = call(twin.eval(), *args, **kwargs)
        except Exception:  # a copy that cannot run proves nothing
            return None
        finally:
            self._copying = False
        moved = [
            name
            for (name, buffer), (_, other) in zip(module.named_buffers(), twin.named_buffers(), strict=True)
            if not torch.equal(buffer, other)
        ]
        name = type(module).__name__
        if moved:
            return f"{name} moves {', '.join(moved)}"
        for one, other in zip(tensors_in(result), tensors_in(expected), strict=False):
            if not _is_close(one, other):
                return f"{name} gives another result in evaluation mode{_apart(one, other)}"
        return None


def _is_close(one: torch.Tensor, other: torch.Tensor) -> bool:
    # Fused kernels of evaluation mode round otherwise.
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True)


def _apart(one: torch.Tensor, other: torch.Tensor) -> str:
    if one.shape != other.shape or not one.is_floating_point():
        return ""
    return f", up to {(one - other).abs().max().item():.2g} apart"


class _Training:
    """Stands in for the attribute `training` of all modules; the value stays in the module's dict."""

    def __init__(self, forwards: Forwards) -> None:
        self._forwards = forwards

    def __get__(self, module: nn.Module | None, owner: type) -> object:
        if module is None:
            return self
        try:
            value = module.__dict__["training"]
        except KeyError:
            raise AttributeError("training") from None
        if value:
            self._forwards.read_training(module)
        return value

    def __set__(self, module: nn.Module, value: object) -> None:
        module.__dict__["training"] = value

    def __delete__(self, module: nn.Module) -> None:
        module.__dict__.pop("training", None)


def _is_of_torch(module: nn.Module) -> bool:
    """Whether it and all in it are torch's own layers: running a copy touches nothing of the program."""
    return all(type(part).__module__.split(".")[0] == "torch" for part in module.modules())


def _twin(module: nn.Module) -> nn.Module | None:
    """A copy with buffers of its own and the same parameters; None where torch cannot copy it."""
    shared: dict[int, object] = {id(one): one for one in module.parameters()}
    try:
        twin = copy.deepcopy(module, shared)
    except (RuntimeError, TypeError):
        return None
    for part in twin.modules():
        for hooks in (part._forward_hooks, part._forward_pre_hooks):
            for key, hook in list(hooks.items()):
                if not str(getattr(hook, "__module__", type(hook).__module__)).startswith("torch."):
                    del hooks[key]
    return twin


def _cloned(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, (list, tuple)):
        parts = [_cloned(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {key: _cloned(part) for key, part in value.items()}
    return value
