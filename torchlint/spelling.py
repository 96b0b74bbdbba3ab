"""What somebody may have meant by a word that is unknown."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, words: Iterable[str], *, shortest: int = 0) -> str | None:
    """The word most like another one, in any case; None where none is alike, or all are under `shortest`."""
    from difflib import get_close_matches

    alike = {one.lower().replace("_", "-"): one for one in words if len(one) >= min(len(word), shortest)}
    near = get_close_matches(word.lower().replace("_", "-"), alike, n=3, cutoff=0.6)
    # Of codes equally alike the one of the same topic.
    near.sort(key=lambda key: not word.lower().startswith(key[: len("TL1")]))
    return alike[near[0]] if near else None


def meant(word: str, words: Iterable[str], *, otherwise: str, shortest: int = 0) -> str:
    """The end of an error about an unknown word: the nearest right one, or where to look."""
    near = nearest(word, words, shortest=shortest)
    return f"did you mean '{near}'?" if near is not None else otherwise
