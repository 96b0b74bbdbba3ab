"""Who calls a function, as far as names tell: asked where a walk of the callers has settled nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.file import FileFlow

_FARTHEST = 3  # callers of callers
_MOST = 48


def may_evaluate(file: FileFlow, definition: Definition) -> bool:
    """Whether something that calls a function, or calls its callers, says `eval()`.

    Of another file all of it counts: what it puts in evaluation mode may come by ways that no walk follows.
    """
    waiting = [(file, definition, 0)]
    seen = {(file.path, definition.qualname)}
    while waiting and len(seen) <= _MOST:
        home, one, depth = waiting.pop()
        called = one.owner if one.name == "__init__" and one.owner is not None else one.name
        others = home.neighbours.users(called, called)
        for flow in (home, *(other for other in others if can_name(other, home, one))):
            callers = [name for name in flow.skeleton.call_sites.get(called, ()) if name != one.qualname]
            for caller in callers:
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
