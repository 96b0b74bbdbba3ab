"""Every call of torch's Python API, told to the observers that ask for it: one watch, many observers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.overrides import TorchFunctionMode

from torchlint.prove.observations import Observation, Site
from torchlint.prove.observers.frames import Program


@dataclass(slots=True)
class Call:
    """One call of torch; before it is made, or after."""

    name: str
    """The function's own name: `item`, `add_`, `linear`; `.data` for an attribute."""
    site: Site
    tensors: list[torch.Tensor]
    """The tensors among the arguments, those in lists, tuples and dicts too."""
    given: tuple[object, ...] = ()
    """The arguments themselves."""
    result: object = None


class Observer:
    """What every observer can be asked; each overrides what it listens to."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def before(self, call: Call) -> None:
        """A call is about to be made."""

    def after(self, call: Call) -> None:
        """A call has returned `call.result`."""

    def failed(self, call: Call, error: Exception) -> None:
        """A call has raised."""

    def observations(self) -> Iterable[Observation]:
        """What was seen, asked once the program has ended."""
        return ()


class CallWatch(TorchFunctionMode):
    """Tells observers of the calls that the program makes, directly or through Python code of libraries."""

    def __init__(
        self, program: Program, observers: Sequence[Observer], *, passes: Callable[[Exception], bool]
    ) -> None:
        """`passes` says of an error whether the program goes on as if the call had done nothing."""
        super().__init__()
        self._passes = passes
        self._program = program
        self._observers = observers
        self.current: list[Call] = []
        """The calls that are running, the innermost last."""
        self.troubles: dict[str, None] = {}
        """Where an observer failed: the program went on without what it would have seen there."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        site = self._program.here()
        if site is None:
            return func(*args, **kwargs)
        call = Call(_name(func), site, tensors_in((args, kwargs)), (*args, *kwargs.values()))
        for observer in self._observers:
            self._tell(observer.before, call)
        self.current.append(call)
        try:
            call.result = func(*args, **kwargs)
        except Exception as error:
            for observer in self._observers:
                self._tell(partial(observer.failed, error=error), call)
            if self._passes(error):
                return args[0] if args and call.name != "__setitem__" else None
            raise
        finally:
            self.current.pop()
        for observer in self._observers:
            self._tell(observer.after, call)
        return call.result

    def _tell(self, listen: Callable[[Call], None], call: Call) -> None:
        """Tell one observer; what goes wrong in there must not become an error of the program."""
        try:
            listen(call)
        except Exception as error:
            self.troubles[f"an observer failed at {call.name} in line {call.site.line}: {error!r}"] = None


def tensors_in(value: object) -> list[torch.Tensor]:
    """The tensors in nested tuples, lists and dicts, but parameters of lazy layers that are not made yet."""
    if isinstance(value, torch.Tensor):
        return [] if isinstance(value, (UninitializedBuffer, UninitializedParameter)) else [value]
    if isinstance(value, dict):
        value = list(value.values())
    return (
        [tensor for part in value for tensor in tensors_in(part)] if isinstance(value, (list, tuple)) else []
    )


def _name(func: Any) -> str:
    name = getattr(func, "__name__", "")
    if name in ("__get__", "__set__"):  # a property such as `data`: the name stands on what it belongs to
        return f".{getattr(getattr(func, '__self__', None), '__name__', name)}"
    return str(name)
