"""Answers so that they can be compared with those of another time, and what is kept of them is little."""

from __future__ import annotations

from typing import Any

from torchlint.constructs import Construct, Named, gist
from torchlint.definitions import ClassOutline, Definition
from torchlint.flow import factories
from torchlint.flow.classes import Classes
from torchlint.flow.file import FileFlow
from torchlint.outlines import mark, mark_of_class


def marked(answer: Any) -> object:
    """The mark of an answer; equal marks are as good as one answer to whoever asks."""
    if answer is None or isinstance(answer, str):
        return answer
    if isinstance(answer, bool | int | float | Construct | Named):
        return repr(answer)  # 1, True and 1.0 are equal and not the same
    if isinstance(answer, Definition):
        return mark(answer)
    if isinstance(answer, ClassOutline):
        return mark_of_class(answer)
    if isinstance(answer, Classes):
        return answer.home.path
    if isinstance(answer, FileFlow):
        return answer.path
    if isinstance(answer, tuple | list):
        return (type(answer).__name__, *map(marked, answer))
    return answer


def marked_values(values: list[tuple[Classes, object]]) -> object:
    """The mark of what is assigned to an attribute, where only what it may hold is asked for.

    What comes twice says no more than what comes once.
    """
    return tuple(dict.fromkeys((classes.home.path, _held(classes, value)) for classes, value in values))


def _held(classes: Classes, value: object) -> object:
    if isinstance(value, Construct):
        return _made(classes, value)
    return value if value is None else isinstance(value, tuple)


def _made(classes: Classes, value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_made(classes, item) for item in value)
    if not isinstance(value, Construct):
        return gist(value, outermost=False)
    dotted = classes.imports.resolve(value.callee) or ""
    if dotted.startswith("collections."):
        return gist(value)
    if not dotted.startswith("torch.") and not classes.imports.starred(value.callee):
        # What an object is made from decides nothing; what a function makes may be just that.
        return gist(value) if factories.function(classes, value.callee) is not None else value.callee
    arguments = value.arguments[1:] if dotted.endswith(".Parameter") else value.arguments
    keywords = tuple((name, _made(classes, item)) for name, item in value.keywords)
    return value.callee, tuple(_made(classes, item) for item in arguments), keywords
