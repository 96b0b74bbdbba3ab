"""Which tensors share memory, and how often torch has counted a write to it."""

from __future__ import annotations

import torch


def memory_of(tensor: torch.Tensor) -> int | None:
    """What tensors over the same memory have in common; None for what has no memory of its own (sparse)."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):
        return None


def version_of(tensor: torch.Tensor) -> int | None:
    """How many writes torch has counted; None for inference tensors, whose writes it does not count."""
    return None if tensor.is_inference() else tensor._version
