"""What an operation saves of its operands for backward, and that no inference tensor is among that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.domain import Grad
from torchlint.flow.things import NOTHING, Thing, Value
from torchlint.flow.walk import path_of
from torchlint.tables import Op

if TYPE_CHECKING:
    from torchlint.flow.autograd import Autograd
    from torchlint.flow.walk import Walk


class Saving:
    """The saves of one walk; each is asked for once the result requires grad."""

    def __init__(self, walk: Walk, autograd: Autograd) -> None:
        self._walk = walk
        self._autograd = autograd

    def of(self, op: Op, bound: dict[str, Value], *, behind: bool = False) -> set[Thing]:
        """The storages that the operation surely saves.

        Those `behind` lie in the same memory and have versions of their own.
        """
        saved: set[Thing] = set()
        for value in self._values(op, bound):
            for thing in self._autograd.spread(value):
                facts = self._walk.now().tensor(thing)
                saved |= facts.behind if behind else facts.storages
                path = path_of(thing)
                if path is not None:
                    self._walk.records.saves.add(path)
        return saved

    def tell(self, op: Op, bound: dict[str, Value], operands: list[Thing], node: cst.CSTNode) -> None:
        """The operation is recorded: tell of inference tensors that it would have to save."""
        inference = self._autograd.inference
        for value in self._values(op, bound) if inference.requires(operands) else ():
            inference.saved(value, node)

    def takes_part(self, value: Value) -> bool:
        """Whether backward surely goes on behind a value: not behind a view that was made ungraded."""
        facts = [self._walk.now().tensor(thing) for thing in self._autograd.spread(value)]
        return self._autograd.grad_of(value) is Grad.YES and not all(
            item.made is not None and item.made.cut and not item.nodes - {item.made.site} for item in facts
        )

    def _values(self, op: Op, bound: dict[str, Value]) -> Iterator[Value]:
        for item in op.saves:
            value = bound.get(item.arg)
            if value is None or item.sometimes:
                continue
            if not item.when or any(self.takes_part(bound.get(other, NOTHING)) for other in item.when):
                yield value
