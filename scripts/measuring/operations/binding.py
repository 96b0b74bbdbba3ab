"""The arguments of a call by the names that the row gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from measuring.operations.calls import Call
from measuring.operations.names import SPELLINGS, function
from measuring.operations.observing import Unmeasurable, observe
from measuring.operations.signatures import METHODS, Signature, from_schema, known

UNREADABLE = {
    "getitem": Signature("", ("input", "index"), (), False, 2),
    "setitem": Signature("", ("input", "index", "value"), (), False, 3),
    "to": Signature(
        "", ("input", "args"), ("device", "dtype", "non_blocking", "copy", "memory_format"), True, 1
    ),
}
"""What is written with brackets, or hides its overloads behind `*args`, has no signature to read."""


def signatures(name: str) -> list[Signature]:
    """Every signature of the operation, in whatever spelling."""
    prefix, _, last = name.rpartition(".")
    spaces = {f"torch.{prefix}", *(["torch.nn.functional", "torch.nn.init"] if prefix else [])}
    if not prefix or prefix in ("functional", "init", "special"):
        spaces |= {"torch", METHODS, "torch.nn.functional", "torch.special", "torch.nn.init"}
        spaces |= {"torch.nn.utils", "torch.nn.utils.rnn"}
    if prefix == "functional":
        spaces = {"torch.nn.functional"}
    if prefix == "init":
        spaces = {"torch.nn.init"}
    return [found for found in known().get(last, []) if found.namespace in spaces]


def main_signature(name: str, samples: Sequence[Call]) -> Signature | None:
    """The one that names the arguments of the row.

    Of the namespace that is called first, the fullest whose names torch takes as keywords. What its other
    overloads take by name is added.
    """
    if name in UNREADABLE:
        return UNREADABLE[name]
    called = samples[0]
    found = signatures(name) or [found for word in SPELLINGS.get(name, ()) for found in signatures(word)]
    homes = [called.dotted.rpartition(".")[0], "torch", METHODS]

    def rank(signature: Signature) -> tuple[bool, int, int, bool, int, int]:
        home = homes.index(signature.namespace) if signature.namespace in homes else len(homes)
        source = ("python", "stub", "docstring").index(signature.source)
        named = sum(not part.startswith("_") for part in signature.names)
        return (signature.deprecated, home, source, not signature.variadic, -named, -len(signature.keywords))

    ranked = sorted(found, key=rank)
    if not ranked:
        return next(iter(_schemas(called)), None)
    # Of a few functions torch knows other names than it documents; then the documented ones are taken.
    main = next((signature for signature in ranked if _takes_names(signature, samples)), ranked[0])
    if any(other.variadic and other.names == main.names for other in ranked):  # reshape(3, 3) as a method
        main = replace(main, variadic=True)
    return main if main.source == "python" else _completed(main, ranked)


def _completed(main: Signature, ranked: Sequence[Signature]) -> Signature:
    """With what other overloads and the docstring take besides."""
    near = [other for other in ranked if other.namespace == main.namespace and other.agrees(main)]
    keywords = tuple(dict.fromkeys([*main.keywords, *(word for other in near for word in other.keywords)]))
    longer = [other for other in near if not {*other.names[len(main.names) :]} & {*keywords}]
    names = max([main, *longer], key=lambda other: len(other.names)).names
    defaults = {name: text for other in reversed([main, *near]) for name, text in other.defaults}
    return replace(
        main,
        names=names,
        keywords=tuple(word for word in keywords if word not in names),
        defaults=tuple(sorted(defaults.items())),
    )


def _schemas(call: Call) -> list[Signature]:
    """What an operator of ATen says of itself; nothing for a public function."""
    match call.function:
        case torch._ops.OpOverload() as overload:
            return [from_schema(overload)]
        case torch._ops.OpOverloadPacket() as packet:
            return [from_schema(getattr(packet, name)) for name in packet._overload_names]
    return []


def _takes_names(signature: Signature, samples: Sequence[Call]) -> bool:
    """Whether torch knows the names: the stubs have some that it does not."""
    if signature.variadic:
        return True
    for call in samples[:8]:
        bound = signature.bind(call.args, call.keywords)
        if not bound or call.dotted.rpartition(".")[0] != signature.namespace:
            continue
        if function(call.dotted) is not call.function:  # an operator has no names
            continue
        first, *others = bound.items()
        try:
            observe(replace(call, args=(first[1],), keywords=dict(others), glance=True), bound)
        except Unmeasurable as error:
            if "argument" in str(error) and isinstance(error.__cause__, TypeError):
                return False
    return True


def bind(name: str, main: Signature, call: Call) -> tuple[dict[str, Any] | None, Signature]:
    """The arguments by name, and the signature that says so: the main one, unless the call is of another."""
    names = sorted({call.dotted.rpartition(".")[2], name.rpartition(".")[2]})
    others = [found for spelling in names for found in signatures(spelling) + signatures(f"{spelling}_")]
    methods = [found for found in others if found.namespace == METHODS] if call.method else []
    reordered = methods if all(found.reorders(main) for found in methods) else []
    for signature in [*reordered, main, *others, *_schemas(call)]:
        bound = signature.bind(call.args, call.keywords)
        if bound is None:
            continue
        if signature in reordered:
            return bound, signature
        return {_renamed(word, signature, main): value for word, value in bound.items()}, signature
    return None, main


def _renamed(word: str, signature: Signature, main: Signature) -> str:
    """The main name in the same place; the own name where only that of the overload may be a tensor."""
    if word in (*main.names, *main.keywords) or word not in signature.names:
        return word
    place = signature.names.index(word)
    if place >= len(main.names) or (
        signature.takes_tensor(word) and not main.takes_tensor(main.names[place])
    ):
        return word
    return main.names[place]
