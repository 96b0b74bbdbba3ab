"""The autograd graph of one point: which operation saved which storage, and who wrote it since.

A fault is a pair of sites. It is kept from the write on, and told when backward reaches the
operation that saved; a version counter would have to be joined, a pair need not be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from torchlint.flow.domain import Grad
from torchlint.flow.events import Site
from torchlint.flow.persistent import PersistentMap
from torchlint.flow.things import Thing

Storage = Thing
Sites = frozenset[Site]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Node:
    """An operation in the graph: the operations before it and the storages it saved."""

    parents: Sites
    saved: frozenset[Storage]
    certain: bool = True  # False where only some paths came by
    unwatched: frozenset[Storage] = frozenset()  # saved without their version
    freed: bool = False  # backward has run through it, on every path that came by
    # The turns in which it was recorded for the first and the last time; a loop is stable without them.
    first: int = field(default=0, compare=False)
    last: int = field(default=0, compare=False)

    def join(self, other: Node) -> Node:
        """What either may be."""
        return Node(
            self.parents | other.parents,
            self.saved | other.saved,
            self.certain and other.certain and self.saved == other.saved,
            self.unwatched & other.unwatched,
            self.freed and other.freed,
            min(self.first, other.first),
            max(self.last, other.last),
        )


@dataclass(frozen=True, slots=True)
class Write:
    """An in-place write: where, and under which name.

    Where a function that is called wrote, `inside` is the name there and `place` that of the caller.
    `instead` may stand at a site where nobody else sees the write: it computes a new tensor.
    """

    site: Site
    place: str
    inside: str
    instead: tuple[Site, str] | None = None


@dataclass(frozen=True, slots=True)
class Stale:
    """A save that was written over: by whom, whether on every path and seen by torch."""

    write: Write
    certain: bool
    noticed: bool = True


@dataclass(frozen=True, slots=True)
class History:
    """What in-place operations did to a tensor and all its views: the last of them, and its grad."""

    nodes: Sites
    grad: Grad

    def join(self, other: History) -> History:
        """What either may be."""
        return History(self.nodes | other.nodes, self.grad | other.grad)


@dataclass(frozen=True, slots=True)
class Graph:
    """All of it; never changed."""

    nodes: PersistentMap[Site, Node]
    savers: PersistentMap[Storage, Sites]
    stale: PersistentMap[tuple[Site, Storage], tuple[Stale, ...]]
    latest: PersistentMap[Storage, frozenset[Write]]  # what moved the version of a storage last
    histories: PersistentMap[Thing, History]  # of bases that in-place operations were recorded for
    turn: int = field(default=0, compare=False)  # counts what is recorded

    @classmethod
    def empty(cls) -> Graph:
        """No operation recorded."""
        return cls(PersistentMap(), PersistentMap(), PersistentMap(), PersistentMap(), PersistentMap())

    def join(self, other: Graph) -> Graph:
        """Every operation of either; a save written over on one side only is uncertain."""
        if self is other:
            return self
        return Graph(
            self.nodes.join(other.nodes, Node.join, lambda _, node: replace(node, certain=False)),
            self.savers.join(other.savers, _union),
            self.stale.join(other.stale, _join_stale, lambda _, stale: _uncertain(stale)),
            self.latest.join(other.latest, _union),
            self.histories.join(other.histories, History.join, lambda _, one: one.join(_UNWRITTEN)),
            max(self.turn, other.turn),
        )

    def record(
        self,
        site: Site,
        parents: Sites,
        saved: Iterable[Storage],
        live: Sites,
        *,
        unwatched: frozenset[Storage] = frozenset(),
    ) -> Graph:
        """Add an operation.

        Where a loop comes by again, the operation of the last round is forgotten unless it
        can still be reached: from `live` things or as its own ancestor.
        """
        storages = frozenset(saved)
        turn = self.turn + 1
        old = self.nodes.get(site)
        first = turn if old is None else old.first
        node = Node(parents, storages, unwatched=unwatched, first=first, last=turn)
        again: frozenset[Storage] = frozenset()  # what it saved before and still holds
        if old is not None and self._reaches(parents | live, site, old.first):
            node = replace(node.join(old), certain=True)
            again = old.saved
        stale = self.stale
        for storage in storages if old is None else storages | old.saved:
            if storage not in again and stale.get((site, storage)):
                stale = stale.set((site, storage), ())
        savers = self.savers
        for storage in storages:
            known = savers.get(storage) or frozenset()
            if site not in known:
                savers = savers.set(storage, known | {site})
        nodes = self.nodes.set(site, node)
        return Graph(nodes, savers, stale, self.latest, self.histories, turn)

    def write(
        self,
        storages: Iterable[Storage],
        write: Write,
        *,
        certain: bool,
        noticed: bool = True,
        beside: Sites | None = None,
        counted: frozenset[Storage] = frozenset(),
    ) -> Graph:
        """Make every live save of these storages stale; `noticed` where their version moves.

        Where the target is one of several things (`beside`: the operations that made this one), an
        operation that ran on some paths only is left out, unless it made this thing: mostly the
        name moved on to its result on just those paths. An operation that saved one of the `counted`
        storages as well hears of the write by the version of that one.
        """
        stale, latest = self.stale, self.latest
        for storage in storages:
            if noticed:
                before = NO_WRITES if certain else latest.get(storage) or NO_WRITES
                latest = latest.set(storage, before | {write})
            for site in self.savers.get(storage) or ():
                node = self.nodes.get(site)
                if (
                    node is None
                    or storage not in node.saved
                    or not (beside is None or node.certain or site in beside)
                    or not node.saved.isdisjoint(counted)
                ):
                    continue
                known = stale.get((site, storage)) or ()
                if not noticed and any(item.noticed and item.certain for item in known):
                    continue  # backward raises before it could be wrong
                seen = noticed and storage not in node.unwatched
                sure = certain and node.certain
                if not any(item.write.site is write.site and item.certain >= sure for item in known):
                    rest = tuple(item for item in known if item.write.site is not write.site)
                    stale = stale.set((site, storage), (*rest, Stale(write, sure, seen)))
        return replace(self, stale=stale, latest=latest)

    def writes(self, storages: Iterable[Storage]) -> frozenset[Write]:
        """What moved the versions of these storages last."""
        return NO_WRITES.union(*(self.latest.get(storage) or NO_WRITES for storage in storages))

    def retire(self, storage: Storage, older: Storage) -> Graph:
        """A loop makes a tensor anew: what was saved of the one before, and done to it, gets another name."""
        nodes, savers, stale = self.nodes, self.savers, self.stale
        latest, histories = self.latest, self.histories
        written = latest.get(storage)
        if written:
            latest = latest.set(older, written).set(storage, NO_WRITES)
        history = histories.get(storage)
        if history is not None and history.nodes:
            known = histories.get(older)
            histories = histories.set(older, history if known is None else history.join(known))
            histories = histories.set(storage, History(frozenset(), Grad(0)))
        for site in savers.get(storage) or ():
            node = nodes.get(site)
            if node is None or storage not in node.saved:
                continue
            unwatched = node.unwatched - {storage} | {older} if storage in node.unwatched else node.unwatched
            saved = node.saved - {storage} | {older}
            nodes = nodes.set(site, replace(node, saved=saved, unwatched=unwatched))
            left = stale.get((site, storage))
            if left:
                before = stale.get((site, older)) or ()
                left = (*before, *(item for item in left if item not in before))
                stale = stale.set((site, older), left).set((site, storage), ())
            savers = savers.set(older, (savers.get(older) or frozenset()) | {site})
        return Graph(nodes, savers.set(storage, frozenset()), stale, latest, histories, self.turn)

    def without(self, kept: Sites) -> Graph:
        """The same where only what backward from these could run keeps what it saved."""
        reached = self.reachable(kept)
        gone = [site for site, node in self.nodes.items() if node.saved and site not in reached]
        return self._emptied(gone, freed=False) if gone else self

    def rewrite(self, bases: Iterable[Thing], site: Site, grad: Grad, *, certain: bool) -> Graph:
        """An in-place operation became the last one in the history of these bases and all their views."""
        histories = self.histories
        new = History(frozenset((site,)), grad)
        for base in bases:
            known = histories.get(base)
            histories = histories.set(base, new if certain or known is None else known.join(new))
        return replace(self, histories=histories)

    def forget(self, base: Thing, grad: Grad | None = None) -> Graph:
        """A base begins anew: without history, and with this grad where that holds for its views as well."""
        if grad is None and self.histories.get(base) is None:
            return self
        return replace(self, histories=self.histories.set(base, History(frozenset(), grad or Grad(0))))

    def roots(self, nodes: Sites, bases: Iterable[Thing]) -> Sites:
        """The operations that a tensor hangs on: its own and the in-place ones of its bases."""
        return nodes.union(*((self.histories.get(base) or _NO_HISTORY).nodes for base in bases))

    def _reaches(self, roots: Sites, wanted: Site, first: int) -> bool:
        """Whether an operation lies behind these; what was recorded before its `first` turn is left out."""
        seen, stack = set(roots), list(roots)
        while wanted not in seen and stack:
            node = self.nodes.get(stack.pop())
            if node is not None and node.last > first:
                new = node.parents - seen
                seen |= new
                stack.extend(new)
        return wanted in seen

    def reachable(self, roots: Sites) -> set[Site]:
        """All operations that backward from these would run."""
        seen: set[Site] = set()
        stack = list(roots)
        while stack:
            site = stack.pop()
            if site in seen:
                continue
            seen.add(site)
            node = self.nodes.get(site)
            if node is not None:
                stack.extend(node.parents - seen)
        return seen

    def faults(self, roots: Sites) -> Iterator[tuple[Site, Stale]]:
        """Each saving operation that backward from these roots reaches, with what made its save stale."""
        for site in self.reachable(roots):
            node = self.nodes.get(site)
            if node is not None:
                for storage in node.saved:
                    for stale in self.stale.get((site, storage)) or ():
                        yield site, stale

    def free(self, roots: Sites) -> Graph:
        """Backward ran from these roots: what was saved is gone."""
        return self._emptied(self.reachable(roots), freed=True)

    def _emptied(self, sites: Iterable[Site], *, freed: bool) -> Graph:
        nodes, stale = self.nodes, self.stale
        for site in sites:
            node = nodes.get(site) or _UNSEEN
            for storage in node.saved:
                if stale.get((site, storage)):
                    stale = stale.set((site, storage), ())
            if node.saved or node.freed < freed:
                nodes = nodes.set(site, replace(node, saved=frozenset(), freed=node.freed or freed))
        return replace(self, nodes=nodes, stale=stale)


_UNSEEN = Node(frozenset(), frozenset())
_NO_HISTORY = History(frozenset(), Grad(0))
_UNWRITTEN = History(frozenset(), Grad.NO)
NO_WRITES: frozenset[Write] = frozenset()


def _union(mine: frozenset[T], theirs: frozenset[T]) -> frozenset[T]:
    return mine | theirs


def _uncertain(stale: tuple[Stale, ...]) -> tuple[Stale, ...]:
    return tuple(replace(item, certain=False) for item in stale)


def _join_stale(mine: tuple[Stale, ...], theirs: tuple[Stale, ...]) -> tuple[Stale, ...]:
    joined = {item.write.site: item for item in mine}
    for item in theirs:
        known = joined.get(item.write.site)
        joined[item.write.site] = replace(item, certain=known is not None and known.certain and item.certain)
    others = {item.write.site for item in theirs}
    ordered = sorted(joined.values(), key=lambda item: (item.write.site.serial, item.write.place))
    return tuple(item if item.write.site in others else replace(item, certain=False) for item in ordered)
