"""Inference tensors that meet autograd, and grad mode that is left off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from torchlint.prove.observations import Kind, Observation, Remark, Site
from torchlint.prove.observers import replacing
from torchlint.prove.observers.calls import Call, Observer, tensors_in
from torchlint.prove.observers.frames import Program

_REFUSALS = (
    "Inference tensors cannot be saved for backward",
    "Inplace update to inference tensor outside InferenceMode",
    "Setting requires_grad=True on inference tensor outside InferenceMode",
)
"""What torch says where an inference tensor may not go; views of other tensors are not among them."""


class InferenceTensors(Observer):
    """Remembers where inference tensors were made, and where torch refused one."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._made = WeakIdKeyDictionary()
        self._refused: dict[Site, Observation] = {}
        self._registered = WeakIdKeyDictionary()
        self._loading = False

    def after(self, call: Call) -> None:
        if torch.is_inference_mode_enabled():
            for tensor in tensors_in(call.result):
                if tensor.is_inference() and tensor not in self._made:
                    self._made[tensor] = call.site

    def failed(self, call: Call, error: Exception) -> None:
        self._note(call.site, call.tensors, error)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch the making of parameters, which torch does not tell of as a call, and of buffers."""
        with (
            replacing.replaced(nn.Parameter, "__new__", self._make_parameter),
            replacing.replaced(nn.Module, "register_buffer", self._register),
            replacing.replaced(nn.Module, "load_state_dict", self._load),
        ):
            yield

    def _make_parameter(self, original: Callable[..., object], *args: object, **kwargs: object) -> object:
        try:
            return original(*args, **kwargs)
        except RuntimeError as error:
            site = self.program.here()
            if site is not None:
                self._note(site, tensors_in((args, kwargs)), error)
            raise

    def _register(self, original: Callable[..., object], *args: object, **kwargs: object) -> object:
        site = self.program.here()
        if site is not None:
            for tensor in tensors_in((args[1:], kwargs)):
                self._registered[tensor] = site
        return original(*args, **kwargs)

    def _load(self, original: Callable[..., object], *args: object, **kwargs: object) -> object:
        self._loading = True
        try:
            return original(*args, **kwargs)
        finally:
            self._loading = False

    def _note(self, site: Site, tensors: list[torch.Tensor], error: Exception) -> None:
        said = next((words for words in _REFUSALS if words in str(error)), None)
        if said is None:
            return
        if self._loading:  # whoever loads a state is not to blame for what the module holds
            site = next((self._registered[tensor] for tensor in tensors if tensor in self._registered), site)
        births = {self._made[tensor] for tensor in tensors if tensor in self._made}
        remarks = tuple(Remark(one, "made here, under inference_mode") for one in sorted(births))
        callers = self.program.callers()
        self._refused[site] = Observation(Kind.INFERENCE_TENSOR, site, said, remarks, callers=callers)

    def observations(self) -> Iterable[Observation]:
        return self._refused.values()


class GradMode(Observer):
    """Remembers the last line that switched gradients off."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._off: Site | None = None

    def after(self, call: Call) -> None:
        if call.name == "_set_grad_enabled" and not torch.is_grad_enabled():
            self._off = call.site

    def observations(self) -> Iterable[Observation]:
        if self._off is not None and not torch.is_grad_enabled():
            yield Observation(Kind.GRAD_LEFT_OFF, self._off, "grad mode is switched off and stays off")
