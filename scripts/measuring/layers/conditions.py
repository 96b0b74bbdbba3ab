"""The simplest condition on the arguments of a constructor that agrees with what was measured.

The conditions are those of modules.tsv, and the reader of that table says what each of them means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from torchlint.tables import Answer, Argument, Given, Layer, Saves


class TooFewSamples(Exception):
    """No condition agrees with every case, or conditions on different arguments do."""


@dataclass(frozen=True, slots=True)
class Case:
    """One way to build a class, and what was seen of it."""

    given: Mapping[str, Argument]
    """Every argument of the constructor, defaults included."""
    seen: bool
    children: bool | None
    """Whether the same was seen of a module that was handed to it; None if none was."""


def condition(cases: Sequence[Case], defaults: Mapping[str, Argument]) -> str:
    """`no`, `yes`, `children` or the simplest condition that agrees with all cases.

    `defaults` holds the arguments that a condition may name. Conditions with fewer parts come first. Raises
    TooFewSamples when nothing agrees, or when two conditions of the same length name different arguments.
    """
    for word in ("no", "yes", "children"):
        if _agrees(word, cases):
            return word
    for candidates in _levels(defaults):
        found = [text for text in candidates if _agrees(text, cases)]
        if len({_names(text, defaults) for text in found}) > 1:
            raise TooFewSamples(f"{', '.join(found)} all agree with {len(cases)} cases")
        if found:
            return found[0]
    raise TooFewSamples(f"no condition agrees with {len(cases)} cases")


def _levels(defaults: Mapping[str, Argument]) -> Iterator[list[str]]:
    """Conditions of one part, then of two, then of three."""
    flags = [name for name, value in defaults.items() if value is None or isinstance(value, bool)]
    numbers = [name for name, value in defaults.items() if type(value) in (int, float)]
    # An amount is never negative, so `>0` says the same as `!=0`.
    atoms = [*(f"{name}>0" for name in numbers), *flags, *(f"{name}>1" for name in numbers)]
    yield [*atoms, *(f"{one}!={other}" for one, other in combinations(numbers, 2))]
    pairs = [pair for pair in combinations(atoms, 2) if len(set(map(_left, pair))) == 2]
    yield [sign.join(pair) for sign in (" and ", " or ") for pair in pairs]
    triples = (triple for triple in combinations(atoms, 3) if len(set(map(_left, triple))) == 3)
    yield [" or ".join(triple) for triple in triples]


def _left(atom: str) -> str:
    return atom.partition(">")[0]


def _names(text: str, defaults: Mapping[str, Argument]) -> frozenset[str]:
    words = text.replace("!=", " ").replace(">", " ").split()
    return frozenset(word for word in words if word in defaults)


def _agrees(text: str, cases: Sequence[Case]) -> bool:
    if text == "children":
        return all(case.children is not None for case in cases) and all(
            case.seen == case.children for case in cases
        )
    layer = replace(_BLANK, mode=text)
    for case in cases:
        answer = layer.differs((), case.given)
        if answer is Answer.UNKNOWN and Given.ANYTHING in case.given.values():
            continue  # what a module or a tensor does that was handed over, no condition can say
        if answer is not (Answer.YES if case.seen else Answer.NO):
            return False
    return True


_BLANK = Layer(
    name="",
    args=(),
    keywords=(),
    variadic=False,
    mode="no",
    parameters="no",
    forward=(),
    saves=(),
    saves_result=Saves.NO,
    saved_outputs=(),
    saves_state=(),
    statistics="no",
    statistics_unnoticed=False,
    varies=(),
    inplace="-",
    _defaults=(),
)
