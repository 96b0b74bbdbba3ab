"""Which part of a storage a view shows, as far as the source says it: whether two views overlap in part.

torch compares addresses, and only those of views that lie densely in memory. Rows, slices of rows and the
transpose of a matrix are such views; of all others nothing is said here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import libcst as cst


class Kind(Enum):
    """What a view shows."""

    WHOLE = "whole"
    TURNED = "turned"  # with two dimensions exchanged
    ROWS = "rows"  # from one row to another, of the first dimension


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a storage that a view shows: rows from `start` to `stop`, negative from the end."""

    kind: Kind
    start: int = 0
    stop: int | None = None
    single: bool = False  # one row, without its dimension
    framed: bool = False  # with a dimension of one element more, or less

    @property
    def shown(self) -> Window:
        """The same memory, whatever its dimensions."""
        return replace(self, framed=False) if self.framed else self


WHOLE = Window(Kind.WHOLE)
TURNED = Window(Kind.TURNED)

_TURNING = frozenset(("t", "T", "mT", "H", "mH", "transpose", "swapaxes", "swapdims"))
_KEEPING = frozenset(("view_as", "detach", "data"))
_SPREADING = frozenset(("expand", "expand_as", "broadcast_to"))
_STAYING_SPREAD = _TURNING | _KEEPING | frozenset(("unsqueeze", "permute"))


def turned(window: Window | None, name: str, order: tuple[object, ...]) -> Window | None:
    """The window of what an operation with this name makes of a view; `order` are its other arguments."""
    if name == "chunk" and order[:1] == (1,):
        return window
    if name in ("unsqueeze", "squeeze"):
        return window and replace(window, framed=not window.framed)
    if name in _TURNING or (name == "permute" and order == (1, 0)):
        if window is None or window.kind is Kind.ROWS:
            return None
        return replace(window, kind=Kind.TURNED if window.kind is Kind.WHOLE else Kind.WHOLE)
    if name in ("view", "unflatten") and window is not None and window.kind is Kind.WHOLE:
        return replace(window, framed=True)
    return window if name in _KEEPING else None


def spreads(name: str, sizes: tuple[object, ...] | None, wanted: tuple[object, ...]) -> bool:
    """Whether an operation repeats elements without copying them; `wanted` is -1 where a size stays."""
    if name not in _SPREADING:
        return False
    if sizes is None:  # a number is mostly another one than was there before
        return any(isinstance(new, int) and new not in (-1, 1) for new in wanted)
    added = len(wanted) - len(sizes)
    old = (1,) * added + sizes
    return added >= 0 and any(
        new not in (-1, size) and (isinstance(new, int) or size == 1)
        for new, size in zip(wanted, old, strict=True)
    )


def stays_spread(name: str) -> bool:
    """Whether the view that an operation makes of repeated elements repeats them as well."""
    return name in _STAYING_SPREAD


def leaves_spread(node: cst.Subscript) -> bool:
    """Whether an index into repeated rows surely takes several of them: a slice that ends somewhere else."""
    window = part(WHOLE, node)
    if window is None or window.single:
        return False
    return window.stop is None or window.stop <= 0 or window.stop - window.start > 1


def part(window: Window | None, node: cst.Subscript) -> Window | None:
    """The window of an index into a view; None where the source does not say it."""
    if window != WHOLE or len(node.slice) != 1:
        return window if window is not None and _is_everything(node) else None
    if _is_everything(node):
        return window
    element = node.slice[0].slice
    if isinstance(element, cst.Index):
        number = _number(element.value)
        return Window(Kind.ROWS, number, number + 1 or None, single=True) if number is not None else None
    assert isinstance(element, cst.Slice)
    if element.step is not None:
        return None
    start = 0 if element.lower is None else _number(element.lower)
    stop = None if element.upper is None else _number(element.upper)
    if start is None or (stop is None and element.upper is not None):
        return None
    return Window(Kind.ROWS, start, stop)


def slice_of(node: cst.Subscript) -> slice | None:
    """The bounds of a slice where they are literals."""
    element = node.slice[0].slice
    if len(node.slice) != 1 or not isinstance(element, cst.Slice):
        return None
    bounds = [part and _number(part) for part in (element.lower, element.upper, element.step)]
    given = (element.lower, element.upper, element.step)
    if any(bound is None and part is not None for bound, part in zip(bounds, given, strict=True)):
        return None
    return slice(*bounds)


def overlap(target: Window | None, other: Window | None) -> bool:
    """Whether two views of one storage share memory and are not the same view."""
    if target is None or other is None or target.shown == other.shown:
        return False
    if Kind.WHOLE in (target.kind, other.kind):
        return True
    if Kind.ROWS not in (target.kind, other.kind):
        return False
    if target.kind is not other.kind:
        return False
    return _meet(target, other)


def _meet(one: Window, two: Window) -> bool:
    """Whether two ranges of rows meet, where their bounds say it for any number of rows."""
    first, second = sorted((one, two), key=lambda window: window.start)
    if first.start < 0:
        return False
    if first.stop is None or second.start < (first.stop if first.stop > 0 else 0):
        return True
    # `x[1:]` and `x[:-1]`
    return first.stop < 0 and second.stop is None and not second.single


def _is_everything(node: cst.Subscript) -> bool:
    """`[:]` and `[...]`."""
    if len(node.slice) != 1:
        return False
    element = node.slice[0].slice
    if isinstance(element, cst.Slice):
        return element.lower is None and element.upper is None and element.step is None
    return isinstance(element, cst.Index) and isinstance(element.value, cst.Ellipsis)


def _number(node: cst.BaseExpression) -> int | None:
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        inner = _number(node.expression)
        return None if inner is None else -inner
    return node.evaluated_value if isinstance(node, cst.Integer) else None
