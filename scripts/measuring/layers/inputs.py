"""The tensors that a recipe names, the same at every call."""

from __future__ import annotations

from collections.abc import Mapping

import torch


def inputs(call: tuple[str, ...], name: str, bound: Mapping[str, object]) -> tuple[object, ...]:
    """Tensors, tuples of tensors and None for a call of the class `name` that was built with `bound`."""
    made = torch.Generator().manual_seed(0)
    found: list[object] = []
    for word in call:
        if word == "same":
            found.append(found[0] if found else torch.rand((3, 2, 8), generator=made))
        elif word == "state":
            found.append(_state(name, bound, made))
        else:
            found.append(_tensor(word, name, made))
    return tuple(found)


def _tensor(word: str, name: str, made: torch.Generator) -> torch.Tensor | None:
    """`2x4x6`, `below4 3`, `even image`."""
    kind, _, text = word.rpartition(" ")
    if text in ("none", "offsets"):
        return None if text == "none" else torch.tensor([0, 2])
    planes = (6,) * next((int(sign) for sign in name if sign.isdigit()), 0)
    shapes = {"image": (2, 4, *planes), "unbatched": (4, *planes)}
    shape = shapes[text] if text in shapes else tuple(map(int, text.split("x")))
    uniform = torch.rand(shape, generator=made) * 0.9 + 0.05
    match kind:
        case "signed":
            return uniform * 4 - 2
        case "log":
            return uniform.log_softmax(-1)
        case "sign":
            return torch.where(uniform > 0.5, 1.0, -1.0)
        case "below4":
            return (uniform * 4).long()
        case "first":
            return torch.zeros(shape, dtype=torch.long)
        case "labels":
            return (uniform * 3).long() + 1
        case "short":
            return (uniform * 3).int() + 1
        case "six":
            return torch.full(shape, 6)
        case "two":
            return torch.full(shape, 2)
        case "even":  # places in a plane of twice the width, each at most once
            return torch.arange(0, 2 * 6 ** len(planes), 2).reshape(planes).expand(shape).clone()
    return uniform


def _state(name: str, bound: Mapping[str, object], made: torch.Generator) -> object:
    """The hidden state for the input `4x2x6` of a recurrent layer, or `2x6` of a cell."""
    if name.endswith("Cell"):
        shapes: list[tuple[int, ...]] = [(2, 5)] * 2
    else:
        batch = 4 if bound["batch_first"] else 2
        layers = (2 if bound["bidirectional"] else 1) * _number(bound["num_layers"])
        shapes = [(layers, batch, _number(bound.get("proj_size", 0)) or 5), (layers, batch, 5)]
    state = tuple(torch.rand(shape, generator=made) for shape in shapes)
    return state if name.startswith("LSTM") else state[0]


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value
