"""The event of a training loop that waits for its device; events.py hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlint.flow.events import Site


@dataclass(frozen=True, slots=True)
class Awaited:
    """Each iteration of a training loop reads a value back from a device, and so waits for it.

    It is the first such read of its statement; `certain` where the tensor surely lies on an accelerator.
    `loop` is the head of the loop and `trained` what trains in it; `interval` a condition in it under which
    something is logged now and then; `inside` where a function that is called there reads.
    """

    site: Site
    place: str
    certain: bool
    loop: Site
    trained: Site
    interval: Site | None = None
    inside: Site | None = None
