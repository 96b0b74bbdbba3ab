"""Who calls a function, as far as names tell: asked where a walk of the callers has settled nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from torchlint.constructs import Named
from torchlint.flow.domain import Mode
from torchlint.flow.walk import path_of

if TYPE_CHECKING:
    from torchlint.definitions import Definition
    from torchlint.flow.file import FileFlow
    from torchlint.flow.state import ModuleFacts
    from torchlint.flow.things import Module
    from torchlint.flow.walk import Walk

_FARTHEST = 3  # callers of callers
_MOST = 48


def called(definition: Definition) -> str:
    """The name by which a function is called: that of its class for a constructor."""
    owner = definition.owner
    return (
        owner.rpartition(".")[2] if definition.name == "__init__" and owner is not None else definition.name
    )


def callers_of(
    file: FileFlow, definition: Definition, others: Iterable[FileFlow], *, loosely: bool = False
) -> Iterator[tuple[FileFlow, str]]:
    """The functions that call one, each with its file: here, and in others that say its name.

    Where the name says something else there, they do not count, unless they are to be told `loosely`.
    """
    name = called(definition)
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
        others = home.neighbours.users(called(one), called(one))
        if not others and one.owner is None:  # or too many: those who import it say where it is, too
            others = home.neighbours.users(one.name, _beside(home, one.name))
        for flow, caller in callers_of(home, one, others):
            if _means_its_own(flow, caller, home, one):
                continue
            if flow.says_eval(None if flow is not file else caller):
                return True
            found = flow.skeleton.definitions.get(caller)
            if found is not None and depth < _FARTHEST and (flow.path, caller) not in seen:
                seen.add((flow.path, caller))
                waiting.append((flow, found, depth + 1))
    return False


def _means_its_own(other: FileFlow, caller: str, file: FileFlow, definition: Definition) -> bool:
    """Whether a method that says the name of another means one of its own class, which is no kin.

    One that hands on to what it holds is mostly called the same.
    """
    found = other.skeleton.definitions.get(caller)
    if definition.owner is None or found is None or found.owner is None or found.name == definition.name:
        return False
    owner, key = file.classes.own(definition.owner), other.classes.own(found.owner)
    if other.classes.method(key, definition.name) is None:
        return False
    theirs = {kin.key for kin in other.classes.lineage(key)}
    ours = {kin.key for kin in file.classes.lineage(owner)}
    return owner not in theirs and key not in ours


def can_name(other: FileFlow, file: FileFlow, definition: Definition) -> bool:
    """Whether a word of another file may mean this function: a plain one is imported, or its module is."""
    name = definition.name
    if definition.owner is not None:
        return True
    dotted = other.imports.resolve(name)
    if dotted is not None:
        found = other.neighbours.find(dotted)
        return found is None or found.home.path == file.path
    return other in file.neighbours.users(name, _beside(file, name))


def _beside(file: FileFlow, name: str) -> str:
    """What a file that takes a function out of its module says besides: the module, or the folder of that.

    Of a function that is named like its file, the name alone says nothing of where it comes from.
    """
    path = file.path.replace("\\", "/").removesuffix("/__init__.py").removesuffix(".py")
    folder, _, stem = path.rpartition("/")
    return stem if stem != name else folder.rpartition("/")[2]


def is_settled(walk: Walk, thing: Module, facts: ModuleFacts) -> bool:
    """Whether a module came from somebody who may have put it in evaluation mode.

    It came with the constructor, or beside what a function is about.
    """
    path = path_of(thing)
    definition = walk.unit.definition
    if facts.mode is not Mode.CALLER or path is None or definition is None:
        return False
    plain = definition.owner is None or definition.is_static
    if path[0] in definition.parameters[1 if plain else 2 :]:
        return may_evaluate(walk.file, definition)  # the first is what the function is about
    if definition.owner is None:
        return False
    classes = walk.file.classes
    owner = classes.own(definition.owner)
    built = classes.method(owner, "__init__")
    if path[0] != "self" or len(path) != 2 or built is None:
        return False
    values = [value for _, value in classes.attribute(owner, path[1][1:])]
    handed = any(isinstance(one, Named) and one.name in built.definition.parameters for one in values)
    return handed and may_evaluate(built.home, built.definition)
