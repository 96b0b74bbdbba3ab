"""Whether a call that writes in place refuses memory that overlaps: that of its target, or of an operand."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from measuring.operations.calls import Call
from measuring.operations.observing import REFUSED, Bound
from measuring.values import flatten, with_tensors

ONE_PLACE = "to a single memory location"
"""What torch says of both."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """What one call was seen to refuse."""

    target: bool
    """Memory of the target in which several elements lie in one place."""
    operands: tuple[bool, ...]
    """For each other tensor of the target's type: memory that overlaps the target's in part."""


def refusals(call: Call, bound: Bound) -> Refusals | None:
    """Make the call with memory that overlaps; None where its target has too few elements, or torch
    refuses it for another reason.
    """
    target = next(iter(bound.values()))
    if not isinstance(target, torch.Tensor) or target.layout != torch.strided or target.numel() < 2:
        return None
    one_place = _refuses(call, {id(target): _in_one_place(target)})
    if one_place is None:
        return None
    operands = {
        id(operand): operand
        for operand in flatten([call.args, dict(call.keywords)])
        if operand is not target and operand.dtype == target.dtype and operand.numel()
    }
    found = [_refuses(call, _in_one_buffer(target, operand)) for operand in operands.values()]
    return Refusals(one_place, tuple(answer for answer in found if answer is not None))


def _in_one_place(target: torch.Tensor) -> torch.Tensor:
    """A tensor of the same shape, one of whose dimensions goes nowhere in memory."""
    dimension = next(number for number, size in enumerate(target.shape) if size > 1)
    # `data` makes it no view: of a view other things are refused, as `detach_`.
    return target.detach().clone().narrow(dimension, 0, 1).expand_as(target).data


def _in_one_buffer(target: torch.Tensor, operand: torch.Tensor) -> dict[int, torch.Tensor]:
    """Copies of both, the operand's memory one element behind the target's."""
    size, end = target.numel(), operand.numel() + 1
    buffer = torch.zeros(max(size, end), dtype=target.dtype)
    buffer[1:end] = operand.detach().reshape(-1)
    buffer[:size] = target.detach().reshape(-1)
    return {id(target): buffer[:size].view(target.shape), id(operand): buffer[1:end].view(operand.shape)}


def _refuses(call: Call, made: Mapping[int, torch.Tensor]) -> bool | None:
    """Whether torch refuses the memory of these tensors; None where it refuses something else."""
    copies = dict(made)

    def copied(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in copies:
            copies[id(tensor)] = tensor.detach().clone()
        return copies[id(tensor)]

    args, keywords = with_tensors(tuple(call.args), copied), with_tensors(dict(call.keywords), copied)
    torch.manual_seed(0)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call.function(*args, **keywords)
        except REFUSED as error:
            return True if ONE_PLACE in str(error) else None
    return False
