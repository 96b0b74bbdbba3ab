"""Who calls a function, as far as names tell: asked where a walk of the callers has settled nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.file import FileFlow

_FARTHEST = 3  # callers of callers
_MOST = 48


def callers_of(
    file: FileFlow, definition: Definition, beside: str, *, loosely: bool = False
) -> Iterator[tuple[FileFlow, str]]:
    """The functions that call one, each with its file: here, and in files that say its name and `beside`.

    Where the name says something else there, they do not count, unless they are to be told `loosely`.
    """
    name = definition.name
    others = file.neighbours.users(name, beside)
    for flow in (file, *(other for other in others if loosely or can_name(other, file, definition))):
        for caller in flow.skeleton.call_sites.get(name, ()):
            if flow is not file or caller != definition.qualname:
                yield flow, caller


def may_evaluate(file: FileFlow, definition: Definition) -> bool:
    """Whether something that calls a function, or calls its callers, says `eval()`.

    Of another file all of it counts: what it puts in evaluation mode may come by ways that no walk follows.
    """
    waiting = [(file, definition, 0)]
    seen = {(file.path, definition.qualname)}
    while waiting and len(seen) <= _MOST:
        home, one, depth = waiting.pop()
        for flow, caller in callers_of(home, one, one.name):
            if flow.says_eval(None if flow is not file else caller):
                return True
            found = flow.skeleton.definitions.get(caller)
            if found is not None and depth < _FARTHEST and (flow.path, caller) not in seen:
                seen.add((flow.path, caller))
                waiting.append((flow, found, depth + 1))
    return False


def can_name(other: FileFlow, file: FileFlow, definition: Definition) -> bool:
    """Whether a word of another file may mean this function: a plain one is imported, or its module is."""
    name = definition.name
    if definition.owner is not None:
        return True
    dotted = other.imports.resolve(name)
    if dotted is not None:
        found = other.neighbours.find(dotted)
        return found is None or found.home.path == file.path
    path = file.path.replace("\\", "/").removesuffix("/__init__.py").removesuffix(".py")
    return other in file.neighbours.users(name, path.rpartition("/")[2])
