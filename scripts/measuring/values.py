"""The tensors that values of calls and results hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch


def flatten(value: object) -> list[torch.Tensor]:
    """The tensors in nested tuples, lists and dicts, in order."""
    return list(_walk(value))


def holds_tensor(value: object) -> bool:
    """Whether the value is a tensor or holds one."""
    return next(_walk(value), None) is not None


def is_plain(value: object) -> bool:
    """Whether the value is what a form calls plain: a number, a slice, None in an index, a tuple of these."""
    if isinstance(value, tuple):
        return all(map(is_plain, value))
    return value is None or value is ... or isinstance(value, (bool, int, float, complex, str, slice))


def alike(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    """Whether two tensors have the same values but for rounding; None is like None alone."""
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and torch.allclose(one, other, atol=1e-5, rtol=1e-4, equal_nan=True)


def with_tensors(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The same value, each tensor in it replaced."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: with_tensors(part, change) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [with_tensors(part, change) for part in value]
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*parts)
        return value if isinstance(value, torch.Size) else type(value)(parts)
    return value


def _walk(value: object) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _walk(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _walk(part)
