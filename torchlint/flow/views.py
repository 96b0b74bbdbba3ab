"""What is known of a view: how it was made, which memory it shares and which part of it it shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import libcst as cst

from torchlint.flow.arguments import Arguments
from torchlint.flow.domain import Creation
from torchlint.flow.memory import leaves_spread, part, spreads, stays_spread, turned
from torchlint.flow.state import Made
from torchlint.flow.things import Container, Scalar, Tensor, Thing, Value, constant_of
from torchlint.flow.walk import Walk, tensors
from torchlint.tables import Op, Result, View


class Views:
    """The views that one walk makes."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def memory(self, value: Value) -> frozenset[Thing]:
        """The storages whose memory something shares that is made of a tensor behind its version."""
        facts = [self._walk.now().tensor(thing) for thing in tensors(value)]
        return frozenset().union(*(item.storages | item.behind for item in facts))

    def _sizes(self, values: Iterable[Value]) -> tuple[object, ...]:
        """Sizes as literals, None where they are none; of a list its elements, of a tensor its own."""
        sizes: list[object] = []
        for value in values:
            for thing in value:
                if isinstance(thing, Container):
                    slots = self._walk.now().slots(thing)
                    sizes.extend(constant_of(held) for slot, held in slots.items() if slot[1:-1].isdigit())
                elif isinstance(thing, Tensor):
                    # `x.expand_as(y)` is written for a larger y.
                    sizes.extend(self._walk.now().tensor(thing).sizes or (2,))
                else:
                    sizes.append(constant_of(value))
        return tuple(sizes)

    def mark_fresh(self, value: Value, op: Op, arguments: Arguments) -> None:
        """Note the memory that a tensor made of an array shares, and the sizes of one made of numbers."""
        walk = self._walk
        if op.view is View.UNTRACKED:  # from_numpy
            memory = frozenset().union(
                *(one.memory for given in arguments.all() for one in given if isinstance(one, Scalar))
            )
            for thing in value:
                walk.state = walk.now().with_tensor(thing, replace(walk.now().tensor(thing), behind=memory))
        sizes = tuple(constant_of(given) for given in arguments.positional)
        if sizes and all(isinstance(size, int) for size in sizes):
            for thing in value:
                walk.state = walk.now().with_tensor(thing, replace(walk.now().tensor(thing), sizes=sizes))

    def mark(
        self,
        value: Value,
        op: Op,
        views: list[Thing],
        first: Value,
        arguments: Arguments,
        node: cst.CSTNode,
    ) -> None:
        """Note what a view must not be written for, and what memory a result shares, and how."""
        walk = self._walk
        state = walk.now()
        sources = [state.tensor(thing) for thing in tensors(first)]
        behind: frozenset[Thing] = frozenset()
        if op.result is Result.CUT and op.view is View.UNTRACKED:
            behind = self.memory(first)
        elif views or op.result is Result.CUT:
            behind = frozenset().union(*(item.behind for item in sources))
        made = None
        if views and op.result is not Result.CUT:
            made = sources[0].made if len(sources) == 1 else None
            creation = None
            if made is not None:
                creation = made.creation
            elif op.view is View.MULTI:
                creation = Creation.PIECE
            elif state.grad_mode.surely_off:
                creation = Creation.UNGRADED
            if creation is not None:
                storages = frozenset().union(*(item.storages for item in sources))
                site = walk.site(node) if made is None else made.site
                cut = state.grad_mode.surely_off or (made is not None and made.cut)
                made = Made(creation, site, state.graph.writes(storages), cut)
        if not (views or behind):
            return
        window, spread = None, None
        if len(sources) == 1:
            (source,) = sources
            wanted = self._sizes(arguments.positional[1:])
            window = turned(source.window, op.name, wanted)
            if spreads(op.name, source.sizes, wanted):
                spread = walk.site(node)
            elif stays_spread(op.name) or (isinstance(node, cst.Subscript) and leaves_spread(node)):
                spread = source.spread
            if isinstance(node, cst.Subscript) and op.name == "getitem":
                window = part(source.window, node)
        for thing in value:
            facts = replace(walk.now().tensor(thing), made=made, behind=behind, window=window, spread=spread)
            walk.state = walk.now().with_tensor(thing, facts)
