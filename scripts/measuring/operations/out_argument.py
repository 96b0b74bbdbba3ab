"""Whether an operation takes `out=`: asked of torch, because stubs and docstrings differ."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import torch

from measuring.operations.binding import signatures
from measuring.operations.calls import Call
from measuring.operations.names import function
from measuring.operations.signatures import Signature
from measuring.values import flatten

ASKED = 12
"""So many calls are tried: of some operations only one overload takes it."""


def with_measured_out(name: str, signature: Signature, calls: Sequence[Call]) -> Signature:
    """The signature with the keyword `out` if torch takes it and some signature has it, else without."""
    if "out" in signature.names:
        return signature
    keywords = tuple(word for word in signature.keywords if word != "out")
    named = any("out" in found.keywords for found in signatures(name))
    asked = [call for call in calls if not call.method and not call.in_place]
    answers = {_takes_out(call) for call in asked[:ASKED]} if named else {False}
    if True not in answers:
        return signature if answers <= {None} else replace(signature, keywords=keywords)
    return signature if "out" in signature.keywords else replace(signature, keywords=(*keywords, "out"))


def _takes_out(call: Call) -> bool | None:
    """None where torch refuses the call for another reason, or the call is an operator."""
    if function(call.dotted) is not call.function:
        return None
    keywords = {key: value for key, value in call.keywords.items() if key != "out"}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        try:
            value = call.function(*call.args, **keywords)
            fresh = [torch.empty_like(tensor) for tensor in flatten(value)]
            out = fresh[0] if isinstance(value, torch.Tensor) else tuple(fresh)
            call.function(*call.args, **keywords, out=out)
        except TypeError:
            return False
        except (RuntimeError, NotImplementedError, IndexError, ValueError):
            return None
    return True
