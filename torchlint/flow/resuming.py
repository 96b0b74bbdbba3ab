"""Training that goes on after eval(): what a walk notes of modules that run, train and are evaluated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from torchlint.flow.choices import is_choice
from torchlint.flow.domain import Grad, GradMode, Mode, Sensitivity
from torchlint.flow.events import Evaled, Graphed, Site
from torchlint.flow.leaving import grad_mode, is_alone
from torchlint.flow.pauses import Pause
from torchlint.flow.things import Module, Thing, Value
from torchlint.flow.walk import path_of, tensors

if TYPE_CHECKING:
    import libcst as cst

    from torchlint.flow.state import ModuleFacts
    from torchlint.flow.walk import Walk


def use(walk: Walk, thing: Thing, node: cst.CSTNode) -> None:
    """A module runs, or is handed to somebody who may run it."""
    if not isinstance(thing, Module):
        return
    holder: Thing | None = thing
    while isinstance(holder, Module):
        _use(walk, holder, node)
        holder = holder.parent
    if walk.now().module(thing).pause.evaled:
        for part in walk.parts(thing)[1:]:
            _use(walk, part, node)


def _use(walk: Walk, thing: Thing, node: cst.CSTNode) -> None:
    facts = walk.now().module(thing)
    site = walk.site(node)
    if facts.pause.evaled and site not in facts.pause.used:
        pause = replace(facts.pause, used=facts.pause.used | {site})
        walk.state = walk.now().with_module(thing, replace(facts, pause=pause))


def step(walk: Walk, value: Value) -> frozenset[Site]:
    """Backward runs from a value; gives where the modules ran whose results are in it."""
    forwards = frozenset().union(*(walk.now().tensor(thing).forwards for thing in tensors(value)))
    for site in forwards:
        for module in walk.ran_at.get(site, ()):
            train(walk, module)
    return forwards


def train(walk: Walk, module: Module) -> None:
    """Backward runs through a module; in evaluation mode that is no sign of training."""
    if walk.now().module(module).mode is Mode.EVAL:
        return
    path = path_of(module)
    if path is not None:
        walk.records.steps.add(path)
    for part in walk.parts(module):
        known = walk.now().module(part)
        if not known.stepped:
            walk.state = walk.now().with_module(part, replace(known, stepped=True))


def spread(walk: Walk, module: Module, pause: Pause) -> None:
    """What holds of a module holds of all that it holds."""
    for part in walk.parts(module):
        known = walk.now().module(part)
        if known.pause != pause:
            walk.state = walk.now().with_module(part, replace(known, pause=pause))


def reached(walk: Walk, facts: ModuleFacts, node: cst.CSTNode) -> ModuleFacts:
    """What a function left of a module, with its eval() calls as sites that this call of it reached."""
    evaled = frozenset(_by_call(walk, site, walk.site(node)) for site in facts.pause.evaled)
    return replace(facts, pause=replace(facts.pause, evaled=evaled)) if evaled else facts


def _by_call(walk: Walk, site: Site, call: Site) -> Site:
    key = (site.node, call)
    known = walk.reached.get(key)
    if known is None:
        calls = (*call.calls, call.node)
        known = Site(site.unit, site.node, call.told, site.label, calls, serial=len(walk.reached))
        walk.reached[key] = known
    return known


def mark(walk: Walk, module: Module, made: Iterable[Thing], node: cst.CSTNode) -> bool:
    """A module ran and gave these tensors; whether any of them may carry a graph."""
    carries = False
    site = walk.site(node)
    walk.ran_at.setdefault(site, set()).add(module)
    for thing in made:
        facts = walk.now().own(thing)
        if path_of(thing) is None and facts.grad is not Grad.NO:
            carries = True
            marked = replace(facts, forwards=facts.forwards | {site})
            walk.state = walk.now().with_tensor(thing, marked)
    return carries


def graphed(
    walk: Walk,
    thing: Module,
    facts: ModuleFacts,
    node: cst.CSTNode,
    place: str,
    operands: list[Thing] | None,
) -> Graphed:
    """A module ran in evaluation mode, with gradients."""
    mode = grad_mode(walk)
    if facts.mode is Mode.EVAL and mode is GradMode.CALLER:
        walk.records.builds_graphs = walk.records.asks_grad_mode = True
    pause = facts.pause
    evaled = tuple(
        Evaled(
            walk.own(site),
            site.caller,
            pause.resumes and is_choice(site.unit.tree, site.node),
        )
        for site in sorted(pause.evaled, key=lambda site: site.serial)
    )
    unknown = thing.sensitivity is Sensitivity.UNKNOWN
    return Graphed(
        walk.site(node),
        thing,
        place,
        facts.mode,
        evaled,
        pause.resumes,
        pause.used,
        facts.sensitivity if unknown else thing.sensitivity,
        mode,
        is_alone(walk, thing, operands, node),
        any(walk.now().tensor(item).leaf for item in operands or ()),
    )
