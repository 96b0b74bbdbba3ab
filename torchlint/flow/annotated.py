"""Parameters whose annotation names a class in sight: which method takes what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlint.flow.summary import UNKNOWN_SUMMARY
from torchlint.flow.things import Opaque, Thing
from torchlint.flow.walk import path_of

if TYPE_CHECKING:
    from torchlint.flow.arguments import Arguments
    from torchlint.flow.neighbours import Callee
    from torchlint.flow.walk import Walk


def method_of(walk: Walk, thing: Thing, name: str, arguments: Arguments) -> Callee | None:
    """The method that is called on a parameter, where it decides what becomes of tensors of regions.

    Subclasses may override it; what it does with its arguments they are taken to do, too.
    """
    path, definition = path_of(thing), walk.unit.definition
    if not isinstance(thing, Opaque) or path is None or len(path) > 1 or definition is None or walk.calls:
        return None
    handed = [one for value in arguments.all() for one in walk.tensors_within(value)]
    if not walk.regions_of(handed) - walk.now().born:
        return None
    classes, annotation = walk.file.classes, definition.annotation(path[0])
    cls = classes.find(annotation) if annotation is not None else None
    found = classes.method(cls, name) if cls is not None and not classes.is_module(cls) else None
    if found is None or found.definition.is_abstract or found.definition.is_hollow:
        return None
    return found if walk.file.summary_of(found) != UNKNOWN_SUMMARY else None
