"""Those who listen to a walk, in such a way that what they made of it can be told again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlint.flow.events import Event


class Audience:
    """A listener of which what it makes of the events is all that counts.

    Two of one `kind` make the same of the same events.
    """

    kind: Hashable = None

    def __call__(self, event: Event) -> None:
        """Hear an event."""

    def said(self) -> object:
        """What it made of them."""
        return None

    def recall(self, said: object) -> None:
        """Have made this of them."""


class Deaf(Audience):
    """Hears nothing: a unit is walked for what it sets up for others."""

    kind = "deaf"
