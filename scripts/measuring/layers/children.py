"""Samples of the classes that hold other modules, with children of several kinds."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from measuring.layers.sample import Sample

HOLDERS = (
    nn.Module,
    nn.Container,
    nn.Sequential,
    nn.ModuleList,
    nn.ModuleDict,
    nn.ParameterList,
    nn.ParameterDict,
    nn.TransformerEncoder,
    nn.TransformerDecoder,
    nn.DataParallel,
    DistributedDataParallel,
)
"""What these do is what the modules do that they are handed."""
SMALL = ("d_model", "nhead", "num_encoder_layers", "num_decoder_layers", "dim_feedforward")
"""Arguments of Transformer that only make it larger."""


class Attention(nn.Identity):
    """What TransformerEncoder expects in a layer that it is handed."""

    batch_first = False


class Around(nn.Module):
    """A layer of a transformer, or a whole half of one, that applies one module."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.self_attn = Attention()

    def forward(self, first: torch.Tensor, memory: object = None, **masks: object) -> torch.Tensor:
        result: torch.Tensor = self.inner(first + memory if isinstance(memory, torch.Tensor) else first)
        return result


def holders(cls: type[nn.Module]) -> Iterator[Sample]:
    """Samples of a class that is handed modules or parameters; none for another class."""
    words = torch.rand((3, 2, 8), generator=torch.Generator().manual_seed(0))
    if cls is nn.Transformer:
        yield from _halves(words)
    for children in _families():
        yield from _held(cls, children, words)


def differ(children: tuple[object, ...]) -> bool:
    """Whether one of the children acts differently in training and evaluation."""
    modules = [child for child in children if isinstance(child, nn.Module)]
    parts = [part for child in modules for part in child.modules()]
    return any(isinstance(part, nn.Dropout) and part.p > 0 for part in parts) or keep_statistics(children)


def keep_statistics(children: tuple[object, ...]) -> bool:
    """Whether one of the children has statistics that training writes and evaluation reads."""
    modules = [child for child in children if isinstance(child, nn.Module)]
    return any(isinstance(part, nn.BatchNorm1d) for child in modules for part in child.modules())


def have_parameters(children: tuple[object, ...]) -> bool:
    """Whether one of the children is a parameter or has one."""
    return any(isinstance(child, nn.Parameter) for child in children) or any(
        True for child in children if isinstance(child, nn.Module) for _ in child.parameters()
    )


def _families() -> list[tuple[nn.Module, ...]]:
    """Children that save their input, their result or nothing, with parameters and without."""
    return [
        (),
        (nn.Identity(),),
        (nn.Dropout(0.5),),
        (nn.GELU(),),
        (nn.Softmax(-1),),
        (nn.Linear(8, 8),),
        (nn.GELU(), nn.Linear(8, 8)),
        (nn.Linear(8, 8), nn.Dropout(0.5)),
        (nn.Linear(8, 8), nn.Softmax(-1)),
        (nn.BatchNorm1d(2),),
    ]


def _held(cls: type[nn.Module], children: tuple[nn.Module, ...], words: torch.Tensor) -> Iterator[Sample]:
    named = {f"child{number}": child for number, child in enumerate(children)}
    one = children[0] if len(children) == 1 else nn.Sequential(*children)
    if cls is nn.Sequential:
        yield Sample(cls, children, {}, (words,), children=children)
    elif cls in (nn.Container, nn.Module):
        keywords = named if cls is nn.Container else {}
        yield Sample(cls, (), keywords, (words,), children=children, build=lambda **_: _filled(cls(), named))
    elif cls in (nn.ModuleList, nn.ModuleDict):
        handed = list(children) if cls is nn.ModuleList else named
        yield Sample(cls, (handed,) if children else (), {}, (words,), children=children)
    elif cls in (nn.ParameterList, nn.ParameterDict):
        parameters = [parameter for child in children for parameter in child.parameters()]
        names = {f"parameter{number}": parameter for number, parameter in enumerate(parameters)}
        handed_parameters = parameters if cls is nn.ParameterList else names
        given = (handed_parameters,) if parameters else ()
        yield Sample(cls, given, {}, (words,), children=tuple(parameters))
    elif cls is nn.TransformerEncoder:
        for norm in (None, nn.LayerNorm(8)):
            layer = Around(one)
            handed_modules = (layer, norm) if norm else (layer,)
            yield Sample(cls, (layer, 1, norm), {}, (words,), children=handed_modules)
        for dropout in () if children else (0.0, 0.5):
            encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout)
            yield Sample(cls, (encoder, 1), {}, (words,), children=(encoder,))
    elif cls is nn.TransformerDecoder:
        layer = Around(one)
        yield Sample(cls, (layer, 1), {}, (words, words.clone()), children=(layer,))
        for dropout in () if children else (0.0, 0.5):
            decoder = nn.TransformerDecoderLayer(8, 2, 16, dropout)
            yield Sample(cls, (decoder, 1), {}, (words, words.clone()), children=(decoder,))
    elif cls is nn.DataParallel:
        yield Sample(cls, (one,), {}, (words,), children=children)
    elif cls is DistributedDataParallel and have_parameters(children):  # it refuses a module without
        yield Sample(cls, (one,), {}, (words,), children=children, build=_alone)


def _filled(holder: nn.Module, children: dict[str, nn.Module]) -> nn.Module:
    for name, child in children.items():
        holder.add_module(name, deepcopy(child))
    return holder


def _alone(module: nn.Module) -> nn.Module:
    """DistributedDataParallel in a process group of one."""
    if not distributed.is_initialized():
        store = distributed.HashStore()  # type: ignore[attr-defined]  # torch's types leave it out
        distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    made: nn.Module = DistributedDataParallel(module)
    return made


def _halves(words: torch.Tensor) -> Iterator[Sample]:
    """Transformers with one half of their own; the other half is built, and has the dropout that is given."""
    inners = (nn.Identity(), nn.Dropout(0.5), nn.BatchNorm1d(2))
    for name in ("custom_encoder", "custom_decoder"):
        for dropout in (0.0, 0.1):
            for inner in inners if dropout == 0.0 else inners[:1]:
                given: dict[str, object] = {"dropout": dropout, name: Around(inner)}
                given |= dict(zip(SMALL, (8, 2, 1, 1, 16), strict=True))
                yield Sample(nn.Transformer, (), given, (words, words.clone()), fixed=frozenset(SMALL))
