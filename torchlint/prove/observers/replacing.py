"""Standing in for a method of torch for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def replaced(owner: type, name: str, around: Callable[..., object]) -> Iterator[None]:
    """A method of a class, called through `around(original, self, ...)` for a while."""
    original = getattr(owner, name)
    own = name in owner.__dict__

    def method(self: object, *args: object, **kwargs: object) -> object:
        return around(original, self, *args, **kwargs)

    setattr(owner, name, method)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)
