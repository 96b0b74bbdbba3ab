"""What is known about torch, as rows, and the typed answers that the engine asks of them."""

from __future__ import annotations

from torchlint.tables.modules import Answer, Layer, module
from torchlint.tables.ops import Op, Result, View, augmented, binary, op, unary
from torchlint.tables.rows import Argument, Given, Saved, Saves

__all__ = [
    "Answer",
    "Argument",
    "Given",
    "Layer",
    "Op",
    "Result",
    "Saved",
    "Saves",
    "View",
    "augmented",
    "binary",
    "module",
    "op",
    "unary",
]
