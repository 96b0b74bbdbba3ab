"""Running a program in this process, as `python SCRIPT` would, and what it leaves behind."""

from __future__ import annotations

import io
import linecache
import os
import random
import sys
import traceback
import types
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TextIO

import torch
from torch import nn, overrides

from torchlint.prove.fingerprint import fingerprint

_DEEPEST = 4
"""How deep containers are compared."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run printed, raised and left in its names."""

    printed: str
    error: BaseException | None
    left: dict[str, object]
    """What can be compared of its names: tensors as a hash, modules by their parameters, plain values."""

    @property
    def error_line(self) -> str | None:
        """The error as a traceback's last line says it."""
        return None if self.error is None else f"{type(self.error).__name__}: {self.error}"


class _Echo(io.StringIO):
    """Keeps what is printed, and passes it on."""

    def __init__(self, onto: TextIO | None) -> None:
        super().__init__()
        self._onto = onto

    def write(self, text: str) -> int:
        if self._onto is not None:
            self._onto.write(text)
        return super().write(text)

    def flush(self) -> None:
        if self._onto is not None:
            self._onto.flush()


def execute(text: str, name: str, *, argv: Sequence[str] = (), seed: int = 0, quiet: bool = True) -> Outcome:
    """Run a source as `__main__`; `seed` is what the generators hold where it sets none itself.

    Nothing that the program raises is let through, KeyboardInterrupt excepted. Prints nothing when `quiet`.
    """
    module = types.ModuleType("__main__")
    module.__dict__["__file__"] = name
    torch.manual_seed(seed)
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
    # Tracebacks, inspect and torch.jit read source lines by file name.
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    out = _Echo(None if quiet else sys.stdout)
    err = _Echo(None if quiet else sys.stderr)
    error: BaseException | None = None
    main, arguments = sys.modules["__main__"], sys.argv
    sys.modules["__main__"], sys.argv = module, [name, *argv]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            exec(compile(text, name, "exec", dont_inherit=True), module.__dict__)
    except SystemExit as stop:
        error = stop if stop.code else None
    except Exception as raised:
        error = raised
        if not quiet:
            err.write(_shown(raised))
    finally:
        sys.modules["__main__"], sys.argv = main, arguments
        linecache.cache.pop(name, None)
    with torch.no_grad(), torch._C.DisableTorchFunction():  # torchlint: ignore[TL404] for comparisons alone
        left = {key: _digest(value, 0) for key, value in module.__dict__.items() if not key.startswith("__")}
    return Outcome(out.getvalue(), error, left)


def _shown(error: Exception) -> str:
    """The traceback as it would be without us: no frame of the observers, nor of torch's way to them."""
    told = traceback.TracebackException.from_exception(error)
    ours = (os.path.dirname(__file__), overrides.__file__)
    kept = [frame for frame in told.stack if not frame.filename.startswith(ours)]
    told.stack = traceback.StackSummary.from_list(kept)
    return "".join(told.format())


def _digest(value: object, depth: int) -> object:
    """Plain values to compare a value by; None for what no two runs make alike, such as functions."""
    if isinstance(value, torch.Tensor):
        try:
            grad = value.grad if value.is_leaf and not value.is_inference() else None
        except RuntimeError:  # a view whose base was written: torch refuses to say
            grad = None
        return [_contents(value), None if grad is None else _contents(grad)]
    if isinstance(value, nn.Module):
        return {
            key: _digest(part, depth) for key, part in [*value.named_parameters(), *value.named_buffers()]
        }
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth < _DEEPEST and isinstance(value, dict):
        return {str(key): _digest(part, depth + 1) for key, part in value.items()}
    if depth < _DEEPEST and isinstance(value, (list, tuple)):
        return [_digest(part, depth + 1) for part in value]
    return None


def _contents(tensor: torch.Tensor) -> object:
    """What tells a tensor from others: its type, its shape and its values."""
    return [str(tensor.dtype), list(tensor.shape), fingerprint(tensor)]
