"""What becomes of tensors that a function returns: its callers in sight are walked, and listened to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.flow.events import RETURNED, Escaped, Event, Region

if TYPE_CHECKING:
    from torchlint.flow.file import FileFlow

_DEEPEST = 3  # callers of callers that hand a result on
_MOST_CALLERS = 24


def stays_in_sight(file: FileFlow, qualname: str, region: Region, depth: int = 0) -> bool:
    """Whether every caller of a function is in sight, and none lets what was born in the region get away.

    A function that others may call is nobody's to follow: one without an underscore, in a package.
    """
    definition = file.skeleton.definitions.get(qualname)
    if definition is None or depth >= _DEEPEST:
        return False
    name = definition.name
    is_private = name.startswith("_") and not name.endswith("__")
    if file.is_packaged and not is_private:
        return False
    callers = [(file, caller) for caller in file.skeleton.call_sites.get(name, ()) if caller != qualname]
    for other in file.neighbours.users(name, definition.owner or name):
        callers.extend((other, caller) for caller in other.skeleton.call_sites.get(name, ()))
    if not 0 < len(callers) <= _MOST_CALLERS:
        return False
    return all(_keeps_to_itself(flow, caller, (file, qualname), region, depth) for flow, caller in callers)


def _keeps_to_itself(
    flow: FileFlow, caller: str, callee: tuple[FileFlow, str], region: Region, depth: int
) -> bool:
    """Whether a caller lets nothing of what it is given get away."""
    hows: set[str] = set()

    def hear(event: Event) -> None:
        if isinstance(event, Escaped) and region in event.regions:
            hows.add(event.how)

    called = flow.follow(caller, hear, callee, region)
    if not called or hows - {RETURNED}:
        return False
    return not hows or stays_in_sight(flow, caller, region, depth + 1)
