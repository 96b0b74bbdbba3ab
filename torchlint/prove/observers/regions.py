"""no_grad regions of a program: which ran, what they did, and how to enter one as inference_mode instead."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from torchlint.prove.observations import Site
from torchlint.prove.observers import replacing
from torchlint.prove.observers.calls import Call, Observer, tensors_in
from torchlint.prove.observers.frames import Program

_SUSPENDS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR
_READS = {"item", "tolist", "numpy", "save", "__bool__", "__float__", "__int__", "__format__", "__repr__"}
"""What a value is computed for: a number, an array, a text, a file, a decision."""


class Regions(Observer):
    """Knows which regions of the program ran, and enters some of them as inference_mode."""

    def __init__(self, program: Program, as_inference: Collection[Site] = ()) -> None:
        super().__init__(program)
        self._as_inference = frozenset(as_inference)
        self._open: list[Site] = []
        self._made = WeakIdKeyDictionary()
        self.entered: dict[Site, None] = {}
        """The regions that ran, in order; none that ever switched gradients on."""
        self._switched_on: set[Site] = set()
        self._inferring: set[Site] = set()
        self._decorators: set[Site] = set()
        self._touched: set[Site] = set()

    @property
    def inferring(self) -> set[Site]:
        """Those that ran a module, read what they computed, or as decorators met no tensor."""
        idle = {site for site in self.entered if site in self._decorators and site not in self._touched}
        return self._inferring | idle

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch `no_grad` and `set_grad_enabled` of the program; torch's own use of them is left alone."""
        with ExitStack() as undo:
            for switch in (torch.no_grad, torch.set_grad_enabled):
                undo.enter_context(replacing.replaced(switch, "__init__", self._made_switch))
                undo.enter_context(replacing.replaced(switch, "clone", _cloned_switch))
                undo.enter_context(replacing.replaced(switch, "__call__", self._decorate))
                undo.enter_context(replacing.replaced(switch, "__enter__", self._enter))
                undo.enter_context(replacing.replaced(switch, "__exit__", self._exit))
            undo.enter_context(replacing.replaced(nn.Module, "__call__", self._run_module))
            yield

    def after(self, call: Call) -> None:
        made = [self._made[tensor] for tensor in call.tensors if tensor in self._made]
        regions = {site for sites in made for site in sites}
        if call.name in _READS:
            self._inferring |= regions
        regions |= set(self._open)
        self._touched.update(self._open)
        if regions and not call.name.endswith("_"):
            for tensor in tensors_in(call.result):
                self._made[tensor] = frozenset(regions)

    def _made_switch(self, original: Callable[..., None], switch: Any, *args: object) -> None:
        frame = replacing.user(self.program)
        switch.torchlint_site = None if frame is None else self.program.site(frame)
        switch.torchlint_guards = []
        original(switch, *args)

    def _decorate(self, original: Callable[..., Any], switch: Any, decorated: Any) -> Any:
        site, code = switch.torchlint_site, getattr(decorated, "__code__", None)
        if sys.version_info < (3, 11) and site is not None and code is not None:
            # Python 3.10 runs a decorator without parentheses in the line of `def`.
            switch.torchlint_site = replace(site, line=min(site.line, code.co_firstlineno))
        if switch.torchlint_site is not None and code is not None and not code.co_flags & _SUSPENDS:
            self._decorators.add(switch.torchlint_site)
        return original(switch, decorated)

    def _enter(self, original: Callable[..., None], switch: Any) -> None:
        original(switch)
        site = switch.torchlint_site
        guard = None
        if site is not None and torch.is_grad_enabled():
            self._switched_on.add(site)
            self.entered.pop(site, None)
        elif site is not None:
            if site not in self._switched_on:
                self.entered[site] = None
            self._open.append(site)
            # inference_mode(False) would switch gradients on again: no guard at all where none is wanted.
            guard = torch.inference_mode() if site in self._as_inference else ExitStack()
            guard.__enter__()
        switch.torchlint_guards.append(guard)

    def _exit(self, original: Callable[..., None], switch: Any, *error: object) -> None:
        guard = switch.torchlint_guards.pop()
        if guard is not None:
            guard.__exit__(None, None, None)
            self._open.pop()
        original(switch, *error)

    def _run_module(
        self, original: Callable[..., object], module: nn.Module, *args: object, **kwargs: object
    ) -> object:
        if not torch.is_grad_enabled():
            self._inferring.update(self._open)
        return original(module, *args, **kwargs)


def _cloned_switch(original: Callable[..., Any], switch: Any) -> Any:
    clone = original(switch)
    clone.torchlint_site = switch.torchlint_site
    return clone
