"""What the engine believes of a place, in words: for tests of the engine without any rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.domain import Grad, GradMode, Mode
from torchlint.flow.things import Module, Opaque, Tensor

if TYPE_CHECKING:
    from torchlint.flow.file import FileFlow
    from torchlint.flow.values import Values
    from torchlint.flow.walk import Walk

_MODE = {Mode.TRAIN: "train", Mode.EVAL: "eval", Mode.CALLER: "caller", Mode.UNKNOWN: "unknown"}
_GRAD = {Grad.NO: "no", Grad.YES: "yes", Grad.UNKNOWN: "unknown"}
_SWITCH = {
    GradMode.ENABLED: "enabled",
    GradMode.NO_GRAD: "no_grad",
    GradMode.INFERENCE: "inference",
    GradMode.CALLER: "caller",
}


def collect(
    flow: FileFlow, names: Iterable[str], lines: Mapping[int, Sequence[str]]
) -> dict[tuple[int, str], dict[str, str]]:
    """What is believed of the places asked for after each line, in the one round that is told."""
    held: dict[tuple[int, str], dict[str, str]] = {}

    def ask(walk: Walk, values: Values, node: cst.CSTNode) -> None:
        line = walk.unit.span(node).end_line
        for place in lines.get(line, ()):
            held[line, place] = belief(walk, values, place)

    for name in flow.order(names, every=True):
        flow.play(name, lambda event: None, ask)
    return held


def belief(walk: Walk, values: Values, place: str) -> dict[str, str]:
    """What is believed of a place at this point of a walk.

    `mode`: train, eval, either, caller (as whoever came before left it), unknown, for modules. `grad`: yes,
    no, either, unknown, for tensors. The place `torch` has `grad_mode`: enabled, no_grad,
    inference, either, caller.
    """
    if place == "torch":
        return {"grad_mode": _SWITCH.get(walk.now().grad_mode, "either")}
    before = walk.state
    with walk.rehearsal():
        value = values.evaluate(cst.parse_expression(place))
    state, walk.state = walk.now(), before
    believed: dict[str, str] = {}
    modes, grads = Mode(0), Grad(0)
    for thing in value:
        if isinstance(thing, Module):
            modes |= state.module(thing).mode
        elif isinstance(thing, Tensor | Opaque):
            grads |= state.tensor(thing).grad
    if modes:
        believed["mode"] = _MODE.get(modes, "either")
    if grads:
        believed["grad"] = _GRAD.get(grads, "either")
    return believed
