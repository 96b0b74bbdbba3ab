"""Pauses of training: which eval() calls a module may still be under, and what it has done since."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torchlint.flow.events import Site


@dataclass(frozen=True, slots=True)
class Pause:
    """The eval() calls that may have put a module into evaluation mode, empty where none did.

    `resumes` where backward had run through the module in training mode before one of them; `used`
    are the places where it ran since.
    """

    evaled: frozenset[Site] = frozenset()
    used: frozenset[Site] = frozenset()
    resumes: bool = False

    def begun(self, site: Site, *, resumes: bool) -> Pause:
        """One more eval() call, of a module that may be in evaluation mode already."""
        return Pause(self.evaled | {site}, self.used, self.resumes or resumes)

    def resumed(self) -> Pause:
        """The same, of a module that its caller had trained before."""
        return replace(self, resumes=True) if self.evaled else self

    def join(self, other: Pause) -> Pause:
        """What either may be."""
        if self == other:
            return self
        return Pause(self.evaled | other.evaled, self.used | other.used, self.resumes or other.resumes)


NO_PAUSE = Pause()
