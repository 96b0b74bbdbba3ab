"""A mapping that is never changed: `set` gives a new one and shares nearly all of the old.

A plain dict copied at every write would make long functions cost quadratic time. Here a short
delta lies over a shared base, and two maps over the same base join by their deltas alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_LONGEST_DELTA = 48


class PersistentMap(Generic[K, V]):
    """An immutable mapping from K to V."""

    __slots__ = ("_base", "_delta")

    def __init__(self, base: dict[K, V] | None = None, delta: dict[K, V] | None = None) -> None:
        self._base: dict[K, V] = {} if base is None else base
        self._delta: dict[K, V] = {} if delta is None else delta

    def get(self, key: K) -> V | None:
        """The value of a key, or None."""
        value = self._delta.get(key)
        return self._base.get(key) if value is None else value

    def set(self, key: K, value: V) -> PersistentMap[K, V]:
        """A map in which `key` has this value, which must not be None."""
        delta = self._delta.copy()
        delta[key] = value
        if len(delta) <= _LONGEST_DELTA:
            return PersistentMap(self._base, delta)
        return PersistentMap({**self._base, **delta})

    def __bool__(self) -> bool:
        return bool(self._delta or self._base)

    def items(self) -> Iterator[tuple[K, V]]:
        """All pairs."""
        yield from self._delta.items()
        for key, value in self._base.items():
            if key not in self._delta:
                yield key, value

    def join(
        self, other: PersistentMap[K, V], both: Callable[[V, V], V], alone: Callable[[K, V], V] | None = None
    ) -> PersistentMap[K, V]:
        """Join key by key: `both` where both have it, `alone` (default: keep) where one has it."""
        if self is other:
            return self
        if self._base is other._base:
            keys = {**self._delta, **other._delta}
        else:
            # Two paths from one point hold mostly the same values: only where they do not is there work.
            mine_, theirs_ = self._base, other._base
            differing = {key: value for key, value in mine_.items() if theirs_.get(key) is not value}
            added = {key: value for key, value in theirs_.items() if key not in mine_}
            keys = {**differing, **added, **self._delta, **other._delta}
        changed: dict[K, V] = {}
        for key in keys:
            mine, theirs = self.get(key), other.get(key)
            if mine is theirs:
                continue
            if mine is not None and theirs is not None:
                joined = both(mine, theirs)
            else:
                only = mine if mine is not None else theirs
                assert only is not None
                joined = only if alone is None else alone(key, only)
            if joined != mine:
                changed[key] = joined
        if not changed:
            return self
        delta = {**self._delta, **changed}
        if len(delta) <= _LONGEST_DELTA:
            return PersistentMap(self._base, delta)
        return PersistentMap({**self._base, **delta})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PersistentMap):
            return NotImplemented
        if self is other:
            return True
        if self._base is other._base:
            return all(self.get(key) == other.get(key) for key in self._delta.keys() | other._delta.keys())
        return dict(self.items()) == dict(other.items())

    __hash__ = None  # type: ignore[assignment]
