"""Where a module can be put into evaluation mode for some code, and into the mode that it had after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import libcst as cst

from torchlint.flow.stretches import (
    Stretch,
    Ways,
    binds,
    holder_of,
    holds,
    mentions,
    runs,
    statement_of,
    stretch_at,
    stretches,
    surely_used,
    switched,
    ways_out,
)
from torchlint.flow.tree import dotted, spells
from torchlint.units import Unit

_MODES = frozenset({"train", "eval", "training"})
_BACKWARD = frozenset({"backward"})
_GRADIENTS = _BACKWARD | {"enable_grad"}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A stretch in which a module, spelled as `place`, evaluates; it `begins` with its eval() or needs one.

    The mode is set by the next statement anyway where it is not restored after it.
    """

    place: str
    stretch: Stretch
    ways: Ways
    begins: bool
    restores_after: bool

    @property
    def restores(self) -> bool:
        """Whether the mode is put back anywhere."""
        return self.restores_after or bool(self.ways.leaving or self.ways.returns)


def evaluated(
    unit: Unit, place: str, begun: cst.CSTNode, runs_at: Sequence[cst.CSTNode], steps: Sequence[cst.CSTNode]
) -> Evaluated | None:
    """The evaluation that begins with a switch or an eval(); None where nobody can say what belongs to it."""
    if not all(part.isidentifier() for part in place.split(".")):
        return None
    line = statement_of(unit, begun)
    if isinstance(begun, cst.Call) and dotted(begun.func) in (f"{place}.eval", f"{place}.train"):
        return _begun(stretch_at(unit, line), place, runs_at, steps) if line is not None else None
    holder = holder_of(unit, begun)
    if holder is None or not runs_at or not spells(runs_at[0], frozenset({place.partition(".")[0]})):
        return None  # a function that is called there names it otherwise
    for stretch in stretches(unit, runs_at, holder):
        ways = ways_out(stretch, place)
        if ways is not None and _is_sound(stretch, place) and surely_used(stretch, place, runs_at):
            restored = not _sets_the_mode(stretch, stretch.last + 1, place)
            return Evaluated(place, stretch, ways, False, restored)
    return None


def _is_sound(stretch: Stretch, place: str) -> bool:
    """Whether a place is one module for the whole stretch, and nothing there is about modes and gradients."""
    if binds(stretch, place) or _sets_the_mode(stretch, stretch.first - 1, place, "eval"):
        return False  # it is another module than the name says
    return _leaves_others(stretch, place) and not any(
        mentions(node, place, _MODES) or spells(node, _GRADIENTS) for node in stretch.statements
    )


def _leaves_others(stretch: Stretch, place: str) -> bool:
    """Whether nothing else is switched for longer: it may hold the module, or be a part of it."""
    own = [name for node in stretch.statements if (name := _switches(node)) != place and name]
    alike = all(own.count(name) == 2 for name in own)
    return alike and switched(stretch, "train") - {place} == switched(stretch, "eval") - {place}


def _sets_the_mode(stretch: Stretch, number: int, place: str, *methods: str) -> bool:
    """Whether a statement of the block is a call of train() or eval()."""
    match stretch.block.body[max(number, 0) : number + 1]:
        case [cst.SimpleStatementLine(body=[cst.Expr(value=cst.Call(func=called)), *_])]:
            return dotted(called) in [f"{place}.{method}" for method in methods or ("train", "eval")]
    return False


def _begun(
    call: Stretch, place: str, runs_at: Sequence[cst.CSTNode], steps: Sequence[cst.CSTNode]
) -> Evaluated | None:
    """From an eval() to the last statement of its block that uses the module before training goes on."""
    last = call.last
    for number, node in enumerate(call.block.body[call.last + 1 :], call.last + 1):
        if _trains(node, place, steps):
            break
        if (runs(node, place) and not _switches(node)) or holds(node, runs_at):
            last = number
    if last > call.last:
        within = switched(replace(call, last=last), "eval") - {place}
        while any(_switches(node) in within for node in call.block.body[last + 1 : last + 2]):
            last += 1  # what was switched last is put back first: one may be a part of the other
    stretch = replace(call, last=last)
    if last == call.last or binds(stretch, place) or not _is_all(stretch, place, runs_at, steps):
        return None
    ways = ways_out(stretch, place)
    if ways is None or any(mentions(node, place, _MODES) for node in stretch.statements[1:]):
        return None
    if not _leaves_others(stretch, place):
        return None
    return Evaluated(place, stretch, ways, True, not _sets_the_mode(stretch, last + 1, place))


def _is_all(
    stretch: Stretch, place: str, runs_at: Sequence[cst.CSTNode], steps: Sequence[cst.CSTNode]
) -> bool:
    """Whether nothing below a stretch, up to the next training step, counts on evaluation mode as well."""
    for node in stretch.after:
        if _trains(node, place, steps):
            return True
        if (runs(node, place) and not _switches(node)) or holds(node, runs_at):
            return False
    return True


def _switches(node: cst.CSTNode) -> str:
    """The place that a statement puts into a mode, where it does nothing else."""
    match node:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.Call(func=cst.Attribute() as called))]):
            return dotted(called.value) if called.attr.value in ("train", "eval") else ""
    return ""


def _trains(node: cst.CSTNode, place: str, steps: Sequence[cst.CSTNode]) -> bool:
    return holds(node, steps) or spells(node, _BACKWARD) or mentions(node, place, frozenset({"train"}))
