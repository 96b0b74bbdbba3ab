"""How to build each class of torch.nn and what to call it with: one line a family of classes.

A shape such as `2x4x6` is a float tensor in (0, 1); a word before it says what else it holds. An `image` is a
batch of planes with as many dimensions as the name of the class says, and `unbatched` is one of that batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import nn

Call: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Classes that are built and called alike."""

    classes: str
    """A regular expression for the whole name."""
    given: dict[str, tuple[object, ...]]
    """Arguments that are always given, with the values to try; the first is the usual one."""
    calls: tuple[Call, ...]


IMAGE: tuple[Call, ...] = (("image",), ("unbatched",))
ROWS: tuple[Call, ...] = (("signed 3x4",), ("3x4",), ("2x4x6",))
SCORES: tuple[Call, ...] = (("3x4", "below4 3"), ("2x4x6", "below4 2x6"))
ALIKE: tuple[Call, ...] = (("3x4", "3x4"), ("3", "3"))
SIGNED: tuple[Call, ...] = (("3x4", "sign 3x4"), ("3", "sign 3"))
THREE: tuple[Call, ...] = (("3x4", "3x4", "3x4"),)
WORDS = "3x2x8"
BIG: dict[str, tuple[object, ...]] = {"d_model": (8,), "nhead": (2,), "dim_feedforward": (16,)}
STATE = "state"  # the hidden state that fits the arguments of the constructor

RECIPES = (
    Recipe(r"Adaptive(Avg|Max)Pool\dd", {"output_size": (2, 1)}, IMAGE),
    Recipe(r"(Avg|Max)Pool\dd", {"kernel_size": (2, 3, 6)}, IMAGE),
    Recipe(r"LPPool\dd", {"norm_type": (2, 1, 3.0, math.inf), "kernel_size": (2,)}, IMAGE),
    Recipe(r"FractionalMaxPool\dd", {"kernel_size": (2,), "output_size": (3,)}, IMAGE),
    Recipe(r"FractionalMaxPool\dd", {"kernel_size": (2,), "output_ratio": (0.5,)}, IMAGE),
    Recipe(
        r"MaxUnpool\dd", {"kernel_size": (2,)}, (("image", "even image"), ("unbatched", "even unbatched"))
    ),
    Recipe(r"ConstantPad\dd", {"padding": (1, 2), "value": (0.5, 0.0)}, IMAGE),
    Recipe(r"(Circular|Reflection|Replication|Zero)Pad\dd", {"padding": (1, 2)}, IMAGE),
    Recipe(r"(Batch|Instance)Norm1d", {"num_features": (4,)}, (("image",), ("5x4",), ("unbatched",))),
    Recipe(r"((Batch|Instance)Norm[23]d)", {"num_features": (4,)}, IMAGE),
    Recipe(r"SyncBatchNorm", {"num_features": (4,)}, (("2x4x6x6",), ("5x4",))),
    Recipe(r"Lazy(Batch|Instance)Norm\dd", {}, IMAGE),
    Recipe(r"GroupNorm", {"num_groups": (2,), "num_channels": (4,)}, (("2x4x6",), ("2x4x6x6",), ("5x4",))),
    Recipe(r"LayerNorm|RMSNorm", {"normalized_shape": (6, (4, 6))}, (("2x4x6",),)),
    Recipe(r"LocalResponseNorm", {"size": (2, 1, 3)}, (("2x4x6",), ("2x4x6x6",))),
    Recipe(r"CrossMapLRN2d", {"size": (2, 3)}, (("2x4x6x6",),)),
    Recipe(r"Conv\dd", {"in_channels": (4,), "out_channels": (6,), "kernel_size": (3, 1, 4)}, IMAGE),
    Recipe(r"ConvTranspose\dd", {"in_channels": (4,), "out_channels": (6,), "kernel_size": (3, 1)}, IMAGE),
    Recipe(r"LazyConv\dd", {"out_channels": (6,), "kernel_size": (3, 1, 4)}, IMAGE),
    Recipe(r"LazyConvTranspose\dd", {"out_channels": (6,), "kernel_size": (3, 1)}, IMAGE),
    Recipe(r"Linear", {"in_features": (6,), "out_features": (3,)}, (("4x6",), ("2x4x6",), ("6",))),
    Recipe(r"LazyLinear", {"out_features": (3,)}, (("4x6",), ("2x4x6",), ("6",))),
    Recipe(
        r"Bilinear", {"in1_features": (6,), "in2_features": (5,), "out_features": (3,)}, (("4x6", "4x5"),)
    ),
    Recipe(r"Embedding", {"num_embeddings": (4,), "embedding_dim": (3,)}, (("below4 2x3",), ("below4 3",))),
    Recipe(
        r"EmbeddingBag",
        {"num_embeddings": (4,), "embedding_dim": (3,)},
        (("below4 2x3",), ("below4 6", "offsets")),
    ),
    Recipe(
        r"EmbeddingBag",
        {"num_embeddings": (4,), "embedding_dim": (3,), "mode": ("sum",)},
        (("below4 2x3", "none", "2x3"),),
    ),
    Recipe(
        r"RNN|LSTM|GRU",
        {"input_size": (6,), "hidden_size": (5,)},
        (("4x2x6",), ("4x2x6", STATE), ("4x6",), ("1x2x6",)),
    ),
    Recipe(
        r"(RNN|LSTM|GRU)Cell", {"input_size": (6,), "hidden_size": (5,)}, (("2x6",), ("2x6", STATE), ("6",))
    ),
    Recipe(
        r"MultiheadAttention", {"embed_dim": (8,), "num_heads": (2,)}, ((WORDS, WORDS, WORDS), ("same",) * 3)
    ),
    Recipe(r"TransformerEncoderLayer", BIG, ((WORDS,),)),
    Recipe(r"TransformerDecoderLayer", BIG, ((WORDS, WORDS),)),
    Recipe(r"Transformer", BIG | {"num_encoder_layers": (1,), "num_decoder_layers": (1,)}, ((WORDS, WORDS),)),
    Recipe(r"Dropout|AlphaDropout|R?ReLU6?|Identity", {}, ROWS),
    Recipe(r"Dropout\dd", {}, IMAGE),
    Recipe(r"FeatureAlphaDropout", {}, (("2x4x6x6",), ("2x4x6",))),
    Recipe(r"[CGS]?ELU|(Leaky|P)ReLU|SiLU|Mish|(Log)?Sigmoid|Tanh(shrink)?", {}, ROWS),
    Recipe(r"Soft(plus|shrink|sign)|Hard(shrink|sigmoid|swish|tanh)", {}, ROWS),
    Recipe(r"(Log)?Softmax|Softmin", {"dim": (1, 0)}, ROWS),
    Recipe(r"Softmax2d", {}, (("2x4x6x6",), ("4x6x6",))),
    Recipe(r"GLU", {}, ROWS),
    Recipe(r"Threshold", {"threshold": (0.5,), "value": (0.0, 20.0)}, ROWS),
    Recipe(r"PixelShuffle", {"upscale_factor": (2,)}, (("2x4x6x6",),)),
    Recipe(r"PixelUnshuffle", {"downscale_factor": (2,)}, (("2x4x6x6",),)),
    Recipe(r"ChannelShuffle", {"groups": (2,)}, (("2x4x6x6",), ("2x4x6",))),
    Recipe(r"Flatten", {}, (("2x4x6",), ("2x4x6x6",))),
    Recipe(r"Unflatten", {"dim": (1,), "unflattened_size": ((2, 2),)}, (("2x4x6",),)),
    Recipe(r"Fold", {"output_size": (4,), "kernel_size": (3,)}, (("2x9x4",), ("9x4",))),
    Recipe(r"Unfold", {"kernel_size": (2,)}, (("2x4x6x6",), ("4x6x6",))),
    Recipe(r"Upsample", {"scale_factor": (2,)}, (("2x4x6x6",), ("2x4x6",), ("2x4x6x6x6",))),
    Recipe(r"Upsample", {"size": (3, 6)}, (("2x4x6x6",), ("2x4x6",), ("2x4x6x6x6",))),
    Recipe(r"Upsampling(Bilinear|Nearest)2d", {"scale_factor": (2,)}, (("2x4x6x6",),)),
    Recipe(r"Upsampling(Bilinear|Nearest)2d", {"size": (3, 6)}, (("2x4x6x6",),)),
    Recipe(r"CosineSimilarity|PairwiseDistance", {}, (("3x4", "3x4"),)),
    Recipe(
        r"BCELoss|BCEWithLogitsLoss|HuberLoss|KLDivLoss|L1Loss|MSELoss|PoissonNLLLoss|SmoothL1Loss", {}, ALIKE
    ),
    Recipe(r"HingeEmbeddingLoss|SoftMarginLoss", {}, SIGNED),
    Recipe(r"MultiLabelSoftMarginLoss", {}, (("3x4", "3x4"),)),
    Recipe(r"MultiLabelMarginLoss", {}, (("3x4", "below4 3x4"),)),
    Recipe(r"MultiMarginLoss", {}, (("3x4", "below4 3"),)),
    Recipe(r"NLLLoss", {}, SCORES),
    Recipe(r"NLLLoss2d", {}, (("2x4x6x6", "below4 2x6x6"),)),
    Recipe(r"CrossEntropyLoss", {}, (*SCORES, ("3x4", "3x4"))),
    Recipe(r"CosineEmbeddingLoss", {}, (("3x4", "3x4", "sign 3"),)),
    Recipe(r"MarginRankingLoss", {}, (("3", "3", "sign 3"),)),
    Recipe(r"GaussianNLLLoss", {}, THREE),
    Recipe(r"TripletMargin(WithDistance)?Loss", {}, THREE),
    Recipe(
        r"CTCLoss",
        {},
        tuple(("log 6x2x4", f"{labels} 2x2", "six 2", "two 2") for labels in ("labels", "short")),
    ),
    Recipe(r"LinearCrossEntropyLoss", {"in_features": (6,), "num_classes": (4,)}, (("5x6", "below4 5"),)),
    Recipe(
        r"AdaptiveLogSoftmaxWithLoss",
        {"in_features": (6,), "n_classes": (4,), "cutoffs": ([1, 2],)},
        (("5x6", "below4 5"), ("5x6", "first 5")),
    ),
)

DISTANCE = nn.PairwiseDistance()
VARIANTS: dict[str, tuple[object, ...]] = {
    "p": (0.0, 0.2, 1.0, 1, 2, 3.0, math.inf),
    "dropout": (0.0, 0.5),
    "momentum": (None, 0.0, 0.5),
    "reduction": ("sum", "none", "batchmean"),
    "padding_mode": ("reflect", "replicate", "circular"),
    "padding": (1, "same", "valid"),
    "stride": (1, 2),
    "dilation": (2,),
    "groups": (2,),
    "num_layers": (2,),
    "num_encoder_layers": (2,),
    "num_decoder_layers": (2,),
    "output_padding": (0,),
    "divisor_override": (3,),
    "weight": (torch.tensor([0.5, 1.0, 1.5, 2.0]),),
    "pos_weight": (torch.tensor([0.5, 1.0, 1.5, 2.0]),),
    "label_smoothing": (0.1,),
    "ignore_index": (1,),
    "margin": (0.0, 0.5, 2.0),
    "nonlinearity": ("relu",),
    "approximate": ("tanh",),
    "activation": ("gelu", torch.tanh),
    "proj_size": (2,),
    "max_norm": (0.5,),
    "norm_type": (1.0,),
    "padding_idx": (1,),
    "mode": ("sum", "max", "linear", "bilinear", "trilinear", "bicubic", "area", "nearest-exact"),
    "kdim": (8,),
    "vdim": (8,),
    "lower": (0.3333333333333333, 0.2),
    "upper": (0.125, 0.2),
    "negative_slope": (0.1, 0.0),
    "num_parameters": (4,),
    "beta": (0.0, 0.5, 2.0),
    "delta": (0.5,),
    "dim": (0, 1),
    "min_val": (0.0,),
    "max_val": (0.5,),
    "eps": (0.001,),
    "alpha": (0.5,),
    "lambd": (0.2,),
    "distance_function": (DISTANCE,),
    "blank": (3,),
    "div_value": (2.0,),
}
"""Other values of an argument with a default. A flag is turned round; what stands nowhere is left alone."""


def recipes(name: str) -> Iterator[Recipe]:
    """The recipes of a class."""
    return (recipe for recipe in RECIPES if re.fullmatch(recipe.classes, name))
