"""A tensor is kept with its graph from step to step, and nobody runs backward from it."""

from __future__ import annotations

import re

from torchlint.flow.domain import Grad
from torchlint.flow.events import Backward, Freed, GraphLeft, Kept, LeaveUnit, Site
from torchlint.rules.answers import RuleOption
from torchlint.rules.base import Change, Cure, Fixes, Group, Rule
from torchlint.rules.detaching import came_from, detached


class GraphKept(Rule):
    """Hears what is kept, what backward comes to, and which graphs somebody else may need."""

    code = "TL202"
    name = "graph-kept"
    group = Group.PERFORMANCE
    fixes = Fixes.SAFE
    triggers = (
        r"[-+]=",
        r"\.(append|appendleft|extend|insert|update|add)\(",
        r"(?P<sum>\b\w+)\s*=(?!=)[^\n]*[^\w\n](?P=sum)\b",  # `total = total + loss`
    )
    requires = (r"backward|\bnn\b|\.eval\(|loss|model",)
    message = "'{op}' is kept in '{place}' with its graph, so {what} of each step {verb} in memory"
    options = (
        RuleOption("graph-nodes", True, "Tell also where nodes of the graph stay, and no activations."),
    )
    help = "keep '.detach()' of it, or '.item()' where it is one number"

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[Kept] = []
        self._freed: list[Freed] = []
        self._needed: set[Site] = set()
        self._asks = False

    def visit_Kept(self, event: Kept) -> None:
        """Keep it until all is known of who runs backward."""
        self._kept.append(event)

    def visit_Freed(self, event: Freed) -> None:
        """Remember what backward has come to."""
        self._freed.append(event)

    def visit_Backward(self, event: Backward) -> None:
        """Remember whose graphs are used; a backward of unknown origin may use any."""
        self._needed |= event.forwards
        self._asks |= not event.forwards

    def visit_GraphLeft(self, event: GraphLeft) -> None:
        """Remember whose graphs somebody else may use."""
        self._needed |= event.forwards

    def leave_Unit(self, event: LeaveUnit) -> None:
        """Report what is kept for nothing."""
        reached = frozenset[Site]().union(*(freed.nodes for freed in self._freed))
        for kept in self._kept:
            if kept.own & reached or not kept.first:
                continue  # backward comes to it by way of what keeps it, or nobody knows what made it
            freed = [one for one in self._freed if kept.first <= one.nodes and not one.retained]
            if freed:
                if not self.option("graph-nodes"):
                    continue
                if kept.outlives or any(kept.loops & one.loops for one in freed):
                    self._report(kept, freed[0].site)
            elif kept.graded and kept.loops and not kept.first & reached and self._is_unused(kept):
                self._report(kept, None)

    def _is_unused(self, kept: Kept) -> bool:
        used = {site.node for site in self._needed}
        forwards = {site.node for site in kept.forwards}
        return bool(forwards) and not self._asks and not forwards & used

    def _report(self, kept: Kept, freed: Site | None) -> None:
        notes = came_from(kept.call)
        if freed is not None:
            notes += (("backward frees what it saved, not the nodes", freed),)
        self.report(
            kept.site,
            notes=notes,
            cure=detached(kept.cut),
            alternatives=self._number(kept),
            op=kept.tensor,
            place=kept.place,
            what="graph nodes" if freed is not None else "all activations",
            verb="stay" if kept.grad is Grad.YES else "may stay",
        )

    def _number(self, kept: Kept) -> tuple[Cure, ...]:
        """To keep its number, where backward without an argument shows that it is one."""
        name = re.escape(kept.tensor)
        own = rf"(?:[\w.]+\()?{name}\)?\.backward\((?:\w+_graph\s*=\s*\w+,?\s*)*\)"  # also of scale(loss)
        backward = re.compile(rf"{own}|[\w.]*backward\({name}[,)].*", re.DOTALL)
        if kept.cut is None or not any(backward.fullmatch(freed.site.text) for freed in self._freed):
            return ()
        site, text = kept.cut
        change = Change(site, f"{text}.item()")
        # What is kept is a tensor no longer, which later lines may count on.
        return (Cure("keep its number, by .item()", (change,), safe=False),)
