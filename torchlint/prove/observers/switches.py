"""Grad-mode switches that do not do what they say: never entered, or entered at the wrong time."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import torch

from torchlint.prove.observations import Kind, Observation, Remark, Site
from torchlint.prove.observers.calls import Call, Observer
from torchlint.prove.observers.frames import Program
from torchlint.prove.observers.replacing import replaced, user

_GENERATORS = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


class IdleSwitches(Observer):
    """Knows which switches of the program were made and used, and whom those in generators cover."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._made: dict[Site, None] = {}
        self._used: set[Site] = set()
        self._cloning = 0
        self._held: dict[Any, FrameType] = {}  # switches that generators have switched gradients off with
        self._found: dict[Site, Observation] = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch what the program does with switches."""
        with ExitStack() as undo:
            for switch in (torch.no_grad, torch.inference_mode, torch.enable_grad, torch.set_grad_enabled):
                undo.enter_context(replaced(switch, "__init__", self._make))
                undo.enter_context(replaced(switch, "clone", self._clone))
                undo.enter_context(replaced(switch, "__call__", self._decorate))
                undo.enter_context(replaced(switch, "__enter__", self._enter))
                undo.enter_context(replaced(switch, "__exit__", self._exit))
            yield

    def after(self, call: Call) -> None:
        for switch, generator in self._held.items():
            if not _is_running(generator) and not torch.is_grad_enabled():
                remark = Remark(call.site, "runs without gradients, while the generator waits")
                self._find(
                    switch.torchlint_made, "it covers what runs between the items of a generator", remark
                )

    def raised(self, site: Site, error: BaseException) -> None:
        """An exception is raised in a line of the program."""
        # Python 3.10 looks for __enter__ as for any attribute.
        if (
            isinstance(error, TypeError)
            and "'type' object does not support the context manager" in str(error)
        ) or (isinstance(error, AttributeError) and str(error) == "__enter__"):
            self._find(site, "a class was entered in the place of a switch")

    def observations(self) -> Iterable[Observation]:
        unused = [
            Observation(Kind.IDLE_SWITCH, site, "it is made, and nobody enters it")
            for site in self._made
            if site not in self._used
        ]
        return [*self._found.values(), *unused]

    def _find(self, site: Site, text: str, *remarks: Remark) -> None:
        self._found.setdefault(site, Observation(Kind.IDLE_SWITCH, site, text, remarks))

    def _make(self, original: Callable[..., None], switch: Any, *args: object, **kwargs: object) -> None:
        frame = None if self._cloning else user(self.program)
        switch.torchlint_made = None if frame is None else self.program.site(frame)
        # set_grad_enabled switches where it is made.
        if switch.torchlint_made is not None and not isinstance(switch, torch.set_grad_enabled):
            self._made[switch.torchlint_made] = None
        original(switch, *args, **kwargs)

    def _clone(self, original: Callable[..., Any], switch: Any) -> Any:
        self._cloning += 1
        clone = original(switch)
        self._cloning -= 1
        return clone

    def _decorate(self, original: Callable[..., Any], switch: Any, decorated: Any) -> Any:
        site = switch.torchlint_made
        if site is not None:
            self._used.add(site)
        if site is not None and (
            inspect.iscoroutinefunction(decorated) or inspect.isasyncgenfunction(decorated)
        ):
            if sys.version_info < (3, 11):  # runs a decorator without parentheses in the line of `def`
                site = replace(site, line=min(site.line, decorated.__code__.co_firstlineno))
            self._find(site, "it is left before the body of the async function runs")
        return original(switch, decorated)

    def _enter(self, original: Callable[..., None], switch: Any) -> None:
        was_on = torch.is_grad_enabled() or isinstance(switch, torch.set_grad_enabled)
        original(switch)
        if switch.torchlint_made is None:
            return
        self._used.add(switch.torchlint_made)
        frame = user(self.program)
        if was_on and frame is not None and frame.f_code.co_flags & _GENERATORS:
            driver = frame.f_back
            # That of a context manager is meant to cover its caller.
            if driver is None or driver.f_code.co_filename != contextlib.__file__:
                self._held[switch] = frame

    def _exit(self, original: Callable[..., None], switch: Any, *error: object) -> None:
        self._held.pop(switch, None)
        original(switch, *error)


def _is_running(generator: FrameType) -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame is not generator:
        frame = frame.f_back
    return frame is not None
