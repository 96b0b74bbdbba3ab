"""What one call does: which of its tensors backward needs, what it returns, shares and writes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import combinations
from typing import Any

import torch

from measuring.operations.calls import Call
from measuring.values import flatten, with_tensors

Bound = Mapping[str, Any]
"""The arguments of a call by their public names."""

CHANGED = "modified by an inplace operation"
MULTI_VIEW = "returns multiple views"
MISSING = "derivative for"


class Backward(Enum):
    """How backward ends after tensors were marked as written."""

    RUNS = "it finds nothing changed"  # it may end for want of a derivative
    REFUSES = "it finds a tensor changed"
    FAILS = "it fails for another reason"


@dataclass(frozen=True, slots=True)
class Needs:
    """What backward needs of one call, when tensors of just these arguments require grad."""

    requiring: frozenset[str]
    saved: Mapping[str, tuple[bool, ...]]
    """Argument -> for each tensor in it, whether backward raises after it is written."""
    outputs: tuple[bool, ...]
    """The same for each tensor of the result, where that shares no version with an argument."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one call was seen to do."""

    kind: str
    """`tensor`, `several`, `array`, `number` or `nothing`."""
    graphs: tuple[bool, ...]
    """Which tensors of the result carry a graph once everything that can requires grad."""
    differentiable: bool
    """Whether torch takes a first argument that requires grad."""
    views: tuple[str, ...]
    """For each tensor of the result its relation to the first argument: `-`, `self`, `view`, `untracked`."""
    multi: bool
    """Torch refuses to write one of the results, as one of several views made at once."""
    written: frozenset[str]
    needs: tuple[Needs, ...]


class Unmeasurable(Exception):
    """Torch does not make this call, or not on this machine."""


REFUSED = (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError, AttributeError, KeyError)
"""What torch raises where it does not make a call."""


def observe(call: Call, bound: Bound) -> Seen:
    """Make the call in all choices of tensors that require grad; raise Unmeasurable where torch refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _observe(call, bound)


def _observe(call: Call, bound: Bound) -> Seen:
    plain = _Run(call, bound, frozenset())
    able = (
        []
        if call.glance
        else list(dict.fromkeys(map(id, filter(_can_require, flatten(list(bound.values()))))))
    )
    known = False
    graphs: tuple[bool, ...] = (False,) * len(plain.outputs)
    needs: list[Needs] = []
    for requiring in _choices(able):
        try:
            run = _Run(call, bound, requiring)
        except Unmeasurable:  # not differentiable with respect to one of them
            continue
        known |= any(id(tensor) in requiring for tensor in flatten(next(iter(bound.values()))))
        carrying = tuple(output.requires_grad for output in run.outputs)
        graphs = tuple(a or b for a, b in zip(graphs, carrying, strict=False)) or carrying
        if any(carrying):
            found = _needs(call, bound, requiring)
            if found is not None:
                needs.append(found)
    return Seen(
        kind=_kind(plain.value),
        graphs=graphs,
        differentiable=known,
        views=plain.views(),
        multi=_refuses_one_view(call, bound, able) if len(plain.outputs) and plain.shares() else False,
        written=plain.written(),
        needs=tuple(needs),
    )


class _Run:
    """One forward with copies of the arguments, some of which require grad."""

    def __init__(self, call: Call, bound: Bound, requiring: frozenset[int], *, owned: bool = False) -> None:
        first = next(iter(bound), "")
        copies: dict[int, torch.Tensor] = {}

        def copied(tensor: torch.Tensor, name: str) -> torch.Tensor:
            if id(tensor) not in copies:
                copies[id(tensor)] = tensor.detach().clone()
            made = copies[id(tensor)]
            if id(tensor) in requiring:
                made.requires_grad_()
            if name == first and (call.in_place or owned):
                made = made.clone()  # a leaf must not be written in place
            return made

        self.bound = {name: with_tensors(value, partial(copied, name=name)) for name, value in bound.items()}
        self.tensors = {name: flatten(value) for name, value in self.bound.items()}
        self.first = next((tensors for tensors in self.tensors.values() if tensors), [])
        self._before = {
            name: [tensor._version for tensor in tensors] for name, tensors in self.tensors.items()
        }
        args, keywords = self._arguments(call, bound)
        torch.manual_seed(0)
        try:
            self.value = call.function(*args, **keywords)
        except REFUSED as error:
            raise Unmeasurable(str(error)) from error
        self.outputs = flatten(self.value)

    def _arguments(self, call: Call, bound: Bound) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The copies in the form of the call: each argument of it is found again by identity or equality."""
        by_identity = {id(value): name for name, value in bound.items()}
        variadic = {
            id(part): self.bound[name][number]
            for name, value in bound.items()
            if isinstance(value, tuple)
            for number, part in enumerate(value)
        }

        def renewed(value: Any) -> Any:
            if id(value) in by_identity and type(self.bound[by_identity[id(value)]]) is type(value):
                return self.bound[by_identity[id(value)]]
            return variadic.get(id(value), value)

        return tuple(map(renewed, call.args)), {key: renewed(value) for key, value in call.keywords.items()}

    def everything(self) -> list[torch.Tensor]:
        return [tensor for tensors in self.tensors.values() for tensor in tensors] + self.outputs

    def views(self) -> tuple[str, ...]:
        if any(tensor.numel() == 0 for tensor in [*self.first, *self.outputs]):
            return ()
        if _kind(self.value) == "array":
            shared = {_storage(tensor) for tensor in self.first} & {self.value.__array_interface__["data"][0]}
            return ("untracked",) if shared else ("-",)
        return tuple(self._view(output) for output in self.outputs)

    def shares(self) -> bool:
        return any(word == "view" for word in self.views())

    def _view(self, output: torch.Tensor) -> str:
        if any(output is tensor for tensor in self.first):
            return "self"
        storages = {_storage(tensor) for tensor in self.first}
        if _storage(output) not in storages:
            return "-"
        before = [tensor._version for tensor in self.first]
        torch.autograd.graph.increment_version(output)
        return "view" if [tensor._version for tensor in self.first] != before else "untracked"

    def written(self) -> frozenset[str]:
        return frozenset(
            name
            for name, tensors in self.tensors.items()
            if [tensor._version for tensor in tensors] != self._before[name]
        )


def _needs(call: Call, bound: Bound, requiring: frozenset[int]) -> Needs | None:
    """Write one tensor after the other between forward and backward; None where backward fails by itself."""
    # The gradient of ones is not defined for eigenvectors; that of zeros is.
    tries = (
        value for value in (1.0, 0.0) if _backward(_Run(call, bound, requiring), value) is not Backward.FAILS
    )
    gradient = next(tries, None)
    if gradient is None:
        return None
    run = _Run(call, bound, requiring)
    shared = _versions_shared(run)
    saved = {name: [False] * len(tensors) for name, tensors in run.tensors.items()}
    outputs = [False] * len(run.outputs)
    run = _Run(call, bound, requiring)
    for tensor in {id(tensor): tensor for tensor in run.everything()}.values():
        torch.autograd.graph.increment_version(tensor)
    if _backward(run, gradient) is Backward.REFUSES:
        for name, tensors in run.tensors.items():
            if call.in_place and name == next(iter(bound)):
                continue
            for number in range(len(tensors)):
                run = _Run(call, bound, requiring)
                torch.autograd.graph.increment_version(run.tensors[name][number])
                saved[name][number] = _backward(run, gradient) is Backward.REFUSES
        for number in range(len(outputs)):
            if number not in shared:
                run = _Run(call, bound, requiring)
                torch.autograd.graph.increment_version(run.outputs[number])
                outputs[number] = _backward(run, gradient) is Backward.REFUSES
    names = frozenset(
        name for name, value in bound.items() if any(id(part) in requiring for part in flatten(value))
    )
    return Needs(names, {name: tuple(found) for name, found in saved.items() if found}, tuple(outputs))


def _versions_shared(run: _Run) -> set[int]:
    """Outputs whose version moves with that of an argument: the argument is what is saved."""
    shared = set()
    arguments = [tensor for tensors in run.tensors.values() for tensor in tensors]
    for number, output in enumerate(run.outputs):
        if any(output is tensor for tensor in run.first):
            continue  # written in place: it is the result
        before = [tensor._version for tensor in arguments]
        torch.autograd.graph.increment_version(output)
        if [tensor._version for tensor in arguments] != before:
            shared.add(number)
    return shared


def _backward(run: _Run, gradient: float) -> Backward:
    graphs = [output for output in run.outputs if output.requires_grad]
    try:
        torch.autograd.backward(graphs, [torch.full_like(output, gradient) for output in graphs])
    except RuntimeError as error:
        if MULTI_VIEW in str(error) or MISSING in str(error):
            return Backward.RUNS
        return Backward.REFUSES if CHANGED in str(error) else Backward.FAILS
    return Backward.RUNS


def _refuses_one_view(call: Call, bound: Bound, able: list[int]) -> bool:
    for requiring in (frozenset[int](), frozenset(able)):
        try:
            _Run(call, bound, requiring, owned=True).outputs[0].fill_(0)
        except RuntimeError as error:
            if MULTI_VIEW in str(error):
                return True
        except Unmeasurable:
            continue
    return False


def _choices(able: list[int]) -> Iterator[frozenset[int]]:
    """Every choice of up to three tensors; of more: each alone, all but one, and all."""
    if len(able) <= 3:
        for count in range(1, len(able) + 1):
            yield from map(frozenset, combinations(able, count))
        return
    yield from (frozenset([tensor]) for tensor in able)
    yield from (frozenset(able) - {tensor} for tensor in able)
    yield frozenset(able)


def _can_require(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _strided(tensor: torch.Tensor) -> bool:
    return bool(tensor.layout == torch.strided)


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr() if _strided(tensor) else id(tensor)


def _kind(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return "tensor"
    if isinstance(value, (list, tuple)) and flatten(value):
        return "several"
    if type(value).__name__ == "ndarray":
        return "array"
    if isinstance(value, (list, tuple)) and not value and not isinstance(value, torch.Size):
        return "several"
    plain = (bool, int, float, complex, str, list, tuple, torch.dtype, torch.device, torch.layout)
    return "number" if isinstance(value, plain) else "nothing"
