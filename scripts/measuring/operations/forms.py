"""On what the cells of an operation depend: the conditions of the `form` column, tried on its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch

from measuring.operations.cells import Cells, Sample
from measuring.operations.signatures import Signature
from measuring.values import holds_tensor, is_plain

Measure: TypeAlias = Callable[[Sequence[Sample]], Cells]
ENOUGH = 2
"""So many samples must fall on each side, so that no chance is taken for a rule."""
SMALL = 2
"""Greater numbers are sizes; at 0, 1 and 2 formulas change."""


@dataclass(frozen=True, slots=True)
class Form:
    """The calls that one row is about."""

    condition: str
    samples: tuple[Sample, ...]
    signature: Signature
    without: tuple[str, ...] = ()
    """The conditions whose calls the plain row says nothing about."""

    def takes(self, sample: Sample) -> bool:
        """Whether the row is about a call, one of its samples or not."""
        if self.condition == "-":
            # What is written in place is always a method.
            return not any(holds(word, sample) for word in self.without if word != "method")
        return holds(self.condition, sample)


def holds(condition: str, sample: Sample) -> bool:
    """Whether the form with this condition is meant: see the header of ops.tsv."""
    if condition == "method":
        return sample.method
    name, equals, literal = condition.partition("=")
    if equals:
        return literal == _literal(sample.bound.get(name))
    name, _, kind = condition.partition(":")
    value = sample.bound.get(name)
    if kind == "plain":
        return value is not None and is_plain(value)
    return value is not None and (not kind or holds_tensor(value))


def forms(samples: Sequence[Sample], main: Signature, measure: Measure) -> list[Form]:
    """The rows of an operation, the plain one first.

    Overloads that name other arguments are forms in any case. Beyond that a condition is taken where the
    cells on both sides say more than those of all samples together.
    """
    rest, found = _overloads(samples, main)
    without = [form.condition for form in found]
    while measure(rest).doubts:
        chosen = _chosen(rest, measure, main)
        if chosen is None:
            break
        conditions, stays = chosen
        for condition in conditions:
            inside = [sample for sample in rest if holds(condition, sample)]
            if not stays or measure(inside) != measure(rest):
                found.append(Form(condition, tuple(inside), main))
        if stays:  # of an argument that may be a tensor or not, the plain row says what holds of both
            break
        without += conditions
        rest = [sample for sample in rest if not any(holds(condition, sample) for condition in conditions)]
    plain = measure(rest)
    return [
        Form("-", tuple(rest), main, tuple(without)),
        *(form for form in found if _differs(form, plain, main, measure)),
    ]


def _differs(form: Form, plain: Cells, main: Signature, measure: Measure) -> bool:
    """Whether a row of its own says more: a condition that was needed on the way may turn out not to."""
    return form.signature.names != main.names or measure(form.samples) != plain


def _overloads(samples: Sequence[Sample], main: Signature) -> tuple[list[Sample], list[Form]]:
    """The calls of overloads with other names: `max(input, other)` beside `max(input, dim)`."""
    foreign: dict[str, list[Sample]] = {}
    rest = []
    for sample in samples:
        new = next((name for name in sample.bound if name not in (*main.names, *main.keywords)), None)
        if sample.method and sample.signature.names[0] != main.names[0] and sample.signature.reorders(main):
            foreign.setdefault("method", []).append(sample)
        elif new is not None and holds_tensor(sample.bound[new]):
            foreign.setdefault(f"{new}:tensor", []).append(sample)
        else:
            rest.append(sample)
    return rest, [
        Form(condition, tuple(part), part[0].signature) for condition, part in sorted(foreign.items())
    ]


def _chosen(
    samples: Sequence[Sample], measure: Measure, main: Signature
) -> tuple[tuple[str, ...], bool] | None:
    """The conditions that leave the least open, and whether the plain row goes on to hold for all."""
    whole = measure(samples)
    best: tuple[tuple[int, int, int], tuple[str, ...], bool] | None = None
    for rank, (conditions, stays) in enumerate(_candidates(samples, measure, main)):
        inside = [[sample for sample in samples if holds(word, sample)] for word in conditions]
        outside = [sample for sample in samples if not any(holds(word, sample) for word in conditions)]
        enough = 1 if whole.mixed_kinds else ENOUGH
        if min(map(len, inside)) < enough or (not stays and len(outside) < enough):
            continue
        found = [measure(part) for part in inside]
        unsure = any(cells.doubts for cells in found) and outside and measure(outside).doubts
        if unsure or any(cells.mixed_kinds for cells in found):
            continue
        left = sum(measure(part).doubts * len(part) for part in [*inside, outside] if part)
        if left < whole.doubts * len(samples) and (best is None or (left, len(conditions), rank) < best[0]):
            best = (left, len(conditions), rank), conditions, stays
    return best[1:] if best else None


def _candidates(
    samples: Sequence[Sample], measure: Measure, main: Signature
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Conditions that tell the samples apart: what is given at all, its kind, then its value."""
    order = (*main.names, *main.keywords)
    names = [name for name in order if any(sample.bound.get(name) is not None for sample in samples)]
    whole = measure(samples)
    for name in names[1:] if not whole.only_shares else ():
        # In where(condition, input, other) `input` is not first, but the receiver has this name too.
        if name != "input" and main.says_whether(name):
            yield (name,), False
    for name in names:
        given = [sample.bound[name] for sample in samples if sample.bound.get(name) is not None]
        if any(map(holds_tensor, given)) and any(map(is_plain, given)):
            yield (f"{name}:plain", f"{name}:tensor"), True
    for name in names[1:] if not whole.only_shares else ():
        words = _values(name, samples, measure, main)
        if words:
            yield words, False


def _values(name: str, samples: Sequence[Sample], measure: Measure, main: Signature) -> tuple[str, ...]:
    """The literals of an argument with which the cells differ from those of all others, if these are sure."""
    groups: dict[str | None, list[Sample]] = {}
    for sample in samples:
        literal = _literal(sample.bound.get(name))
        usual = literal == "False" or (literal is not None and main.is_default(name, literal))
        groups.setdefault(None if usual else literal, []).append(sample)
    measured = {literal: measure(part) for literal, part in groups.items()}
    default = measured[None] if None in groups else Counter(measured.values()).most_common(1)[0][0]
    return tuple(
        f"{name}={literal}"
        for literal, found in measured.items()
        if literal is not None and found != default and len(groups[literal]) >= ENOUGH
        if not (found.doubts and _is_number(literal)) and not (_is_number(literal) and name.startswith("dim"))
    )


def _is_number(literal: str) -> bool:
    """Of numbers some may share cells by chance; a dimension is no value at which a formula changes."""
    return literal not in ("True", "None") and not literal.isidentifier()


def _literal(value: object) -> str | None:
    """The value as it may stand in a program, None where it is none."""
    if isinstance(value, torch.Size):
        return None
    if isinstance(value, (bool, str)):
        return str(value)
    if isinstance(value, (int, float)):
        return str(value) if abs(value) <= SMALL and value == int(value) else None
    if isinstance(value, tuple) and value and all(isinstance(part, int) and abs(part) <= 1 for part in value):
        return str(value)
    return None
