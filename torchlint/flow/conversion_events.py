"""Events of tensors that are kept or converted though they carry a graph; events.py hands them on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchlint.flow.domain import Grad

if TYPE_CHECKING:
    from torchlint.flow.events import Site


@dataclass(frozen=True, slots=True)
class Freed:
    """Backward has run through these operations, in these `loops`; what they saved is `retained`, or gone."""

    site: Site
    nodes: frozenset[Site]
    loops: frozenset[object]
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A tensor was put with its graph where each step leaves another: into a sum, or beside others.

    The graph of `tensor` begins with the operations `first`, in what came out of these `forwards`; `place`
    hands it on by the operations `own`. It is kept over the rounds of these `loops`, or it `outlives` the
    call. `graded` where gradients are surely on, and for the unit itself; `cut` is an expression and what may
    stand there instead, without a graph; `call` the call that led to it, in a function that is called.
    """

    site: Site
    place: str
    tensor: str
    grad: Grad
    first: frozenset[Site]
    own: frozenset[Site]
    forwards: frozenset[Site]
    loops: frozenset[object]
    outlives: bool
    graded: bool
    cut: tuple[Site, str] | None = None
    call: Site | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """A tensor with grad was converted to a number, a text or an array; torch warns, or `refused` it.

    `cut` is an expression and what may stand there instead; `call` led to it, in a function that is called.
    """

    site: Site
    place: str
    refused: bool
    certain: bool
    cut: tuple[Site, str] | None
    call: Site | None = None
