"""What one watched run gave, in plain values, so that it can leave the process it ran in."""

from __future__ import annotations

from dataclasses import dataclass

from torchlint.prove.observations import Observation, Site, as_json, from_json, plain_site, site_from


@dataclass(frozen=True, slots=True)
class Record:
    """One run: what the program did as a program, and what the observers saw."""

    printed: str
    error: str | None
    """The error as a traceback's last line says it; None where the program ran to its end."""
    left: dict[str, object]
    """Values of the program's names, to compare runs by."""
    observations: tuple[Observation, ...]
    candidates: tuple[Site, ...]
    """The no_grad regions that do inference."""
    lines: frozenset[tuple[str, int]]
    saved_bytes: int
    troubles: tuple[str, ...] = ()
    """Where an observer failed: a defect of torchlint, not of the program."""
    interrupted: bool = False

    def differs_from(self, other: Record, *, errors_only: bool = False) -> str | None:
        """The first difference in what the program did, in words; None where both did the same."""
        if self.error != other.error:
            return self.error or f"there is no {other.error}"
        if errors_only:
            return None
        if self.printed != other.printed:
            return "it prints something else"
        changed = [name for name, value in self.left.items() if other.left.get(name) != value]
        return f"'{changed[0]}' holds something else" if changed else None

    def as_json(self) -> dict[str, object]:
        """Plain values; `record_from` reads them."""
        return {
            "printed": self.printed,
            "error": self.error,
            "left": self.left,
            "observations": [as_json(one) for one in self.observations],
            "candidates": [plain_site(site) for site in self.candidates],
            "lines": sorted(self.lines),
            "saved_bytes": self.saved_bytes,
            "troubles": list(self.troubles),
            "interrupted": self.interrupted,
        }


def record_from(value: dict[str, object]) -> Record:
    """The record that `as_json` gave; raises `KeyError`, `TypeError` or `ValueError` for anything else."""
    error, left, saved_bytes = value["error"], value["left"], value["saved_bytes"]
    observations, candidates, lines = value["observations"], value["candidates"], value["lines"]
    troubles = value["troubles"]
    if not (
        isinstance(left, dict)
        and isinstance(observations, list)
        and isinstance(candidates, list)
        and isinstance(lines, list)
        and isinstance(troubles, list)
        and isinstance(saved_bytes, int)
    ):
        raise TypeError("not a record")
    return Record(
        str(value["printed"]),
        None if error is None else str(error),
        left,
        tuple(map(from_json, observations)),
        tuple(map(site_from, candidates)),
        frozenset((str(file), int(line)) for file, line in lines),
        saved_bytes,
        tuple(map(str, troubles)),
        bool(value["interrupted"]),
    )
