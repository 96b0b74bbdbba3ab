"""From what was seen of many calls to the cells of one row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from measuring.operations.observing import Needs, Seen
from measuring.operations.overlap import Refusals
from measuring.operations.signatures import Signature

SEVERAL_PLAIN = "several plain"


@dataclass(frozen=True, slots=True)
class Sample:
    """One call, its arguments by name, and what it was seen to do."""

    bound: Mapping[str, Any]
    signature: Signature
    method: bool
    seen: Seen
    glance: bool = False
    """Of another dtype than the one that is measured: what it returns does not count, what it shares does."""
    refusals: Refusals | None = None
    """What memory it refuses, where it writes in place and that can be seen."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The measured cells of a row, before names are given."""

    saves: str
    saves_result: str
    result: str
    view: str
    inplace: str
    odd: int = field(default=0, compare=False)
    """How many samples return something else than most do."""

    @property
    def doubts(self) -> int:
        """How much the cells leave open; a result of two kinds is the worst."""
        marks = self.saves.count("~") + self.inplace.count("~")
        return (
            marks
            + (self.saves_result == "sometimes")
            + (self.view == "maybe")
            + 10 * ("/" in self.result)
            + self.odd
        )

    @property
    def only_shares(self) -> bool:
        """Whether nothing is open but what memory the result shares."""
        return self.doubts == (self.view == "maybe")

    @property
    def mixed_kinds(self) -> bool:
        """Whether some of the samples return another kind of thing than the others."""
        return "/" in self.result


def cells(
    samples: Sequence[Sample], writing: Sequence[Sample] | None, order: Sequence[str], *, makes: bool
) -> Cells:
    """The cells that hold for all samples.

    `writing` are the calls of the in-place variant, None where there is none; `order` is that of the
    arguments; `makes` says that the operation has an argument `requires_grad`.
    """
    needs = [found for sample in samples for found in sample.seen.needs]
    kinds = _kinds(samples, makes=makes)
    return Cells(
        saves=",".join(_saves(needs, order)) or "-",
        saves_result=_saves_result(samples),
        result=_with_outputs("/".join(sorted(kinds)), samples),
        odd=kinds.total() - max(kinds.values(), default=0),
        view=_view(samples),
        inplace="-" if writing is None else _in_place(writing, order),
    )


def overlap(samples: Sequence[Sample]) -> str:
    """Whether calls that write in place refuse memory that overlaps; `-` where none of them shows it.

    It is no part of `Cells`: a row is not divided for it, because few of its calls show it.
    """
    able = [sample for sample in samples if sample.refusals is not None]
    # Of other types some write nothing, as `nan_to_num_` of integers.
    real = [sample for sample in able if next(iter(sample.bound.values())).is_floating_point()]
    seen = [sample.refusals for sample in real or able if sample.refusals is not None]
    if not seen:
        return "-"
    # Some write nothing either, or what they write overlaps nowhere: `dropout_(x, 0.0)`, `x[0] = 1`.
    if not any(refusals.target for refusals in seen):
        return "passes"
    return "raises" if all(answer for refusals in seen for answer in refusals.operands) else "target"


def _saves(needs: Sequence[Needs], order: Sequence[str]) -> list[str]:
    names = sorted(
        {name for found in needs for name in found.saved},
        key=lambda name: (order.index(name) if name in order else len(order), name),
    )
    return [cell for name in names if (cell := _saved(name, needs, order))]


def _saved(name: str, needs: Sequence[Needs], order: Sequence[str]) -> str | None:
    """`other`, `other?input`, `other?input|weight`, `other~`; None when it is never saved."""
    found = [(need.requiring, need.saved[name]) for need in needs if name in need.saved]
    whole = {frozenset(saved) for _, saved in found}
    if whole <= {frozenset({False})}:
        return None
    if whole == {frozenset({True})}:
        return name
    requiring_any = {other for requiring, _ in found for other in requiring}
    others = [other for other in order if other in requiring_any]
    for count in range(1, len(others) + 1):
        for when in combinations(others, count):
            if all(set(saved) == {bool(requiring & set(when))} for requiring, saved in found):
                return f"{name}?{'|'.join(when)}"
    for count in range(1, min(len(others), 4)):
        for when in combinations(others, count):
            if not any(any(saved) and not requiring & set(when) for requiring, saved in found):
                return f"{name}?{'|'.join(when)}~"
    return f"{name}~"


def _saves_result(samples: Iterable[Sample]) -> str:
    found: dict[int, set[bool]] = {}
    count = 0
    for sample in samples:
        for need in sample.seen.needs:
            count = max(count, len(need.outputs))
            for number, saved in enumerate(need.outputs):
                found.setdefault(number, set()).add(saved)
    if all(saved == {False} for saved in found.values()):
        return "no"
    always = [number for number, saved in sorted(found.items()) if saved == {True}]
    if any(len(saved) > 1 for saved in found.values()):
        return "sometimes"
    return "yes" if len(always) == count else f"yes:{','.join(map(str, always))}"


def _kinds(samples: Sequence[Sample], *, makes: bool) -> Counter[str]:
    """How many samples return what; of integer tensors the same operation gives no graph."""
    found = [sample for sample in samples if not sample.glance] or samples
    kinds = Counter(_result_kind(sample, makes=makes) for sample in found)
    if "graph" in kinds:
        for kind in ("plain", "fresh", "cut"):
            del kinds[kind]
    if "mixed" in kinds:
        for kind in ("plain", SEVERAL_PLAIN):
            del kinds[kind]
    if "graph" not in kinds and SEVERAL_PLAIN in kinds:
        kinds["plain"] += kinds.pop(SEVERAL_PLAIN)
    return kinds


def _with_outputs(kind: str, samples: Iterable[Sample]) -> str:
    if kind != "mixed":
        return kind
    graphs: dict[int, bool] = {}
    for sample in samples:
        for number, carries in enumerate(sample.seen.graphs):
            graphs[number] = graphs.get(number, False) or carries
    carrying = [number for number, carries in sorted(graphs.items()) if carries]
    if len(carrying) == len(graphs):
        return "mixed:*"
    return f"mixed:{','.join(map(str, carrying))}" if carrying else "plain"


def _result_kind(sample: Sample, *, makes: bool) -> str:
    match sample.seen.kind:
        case "tensor":
            if any(sample.seen.graphs):
                return "graph"
            if makes:
                return "fresh"
            shares = sample.seen.differentiable and set(sample.seen.views) & {"view", "self", "untracked"}
            return "cut" if shares else "plain"
        case "several":
            return "mixed" if any(sample.seen.graphs) else SEVERAL_PLAIN
        case kind:
            return kind


def _view(samples: Sequence[Sample]) -> str:
    words = {word for sample in samples for word in sample.seen.views}
    if any(sample.seen.multi for sample in samples):
        return "multi"
    if len(words) == 1:
        return words.pop()
    if words == {"self", "view"}:
        return "view"
    return "maybe" if words else "-"


def _in_place(samples: Sequence[Sample], order: Sequence[str]) -> str:
    needs = [found for sample in samples for found in sample.seen.needs]
    words = _saves(needs, order)
    result = _saves_result(samples)
    if result != "no":
        words.append("result" if result == "yes" else "result~")
    return ",".join(words) or "none"
