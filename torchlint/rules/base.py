"""The contract of a rule: what it says of itself, which events it hears, how it reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from torchlint.rules.answers import RuleOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlint.flow.events import Site
    from torchlint.flow.things import Module


WRITES = (r"\w_\(", r"[-+*/%&|^]=", r"\]\s*=[^=]", r"inplace\s*=")
"""Triggers of the rules about writes in place: what such a write looks like."""


class Group(Enum):
    """What a rule promises: the first four are on by default, the last two off."""

    CORRECTNESS = "correctness"
    SUSPICIOUS = "suspicious"
    PERFORMANCE = "performance"
    LOGGING = "logging"
    PEDANTIC = "pedantic"
    NURSERY = "nursery"


class Fixes(Enum):
    """Which fixes a rule offers where the source lets it; none of them is offered everywhere."""

    NONE = "none"
    SAFE = "safe"
    UNSAFE = "unsafe"
    SAFE_OR_UNSAFE = "safe or unsafe"


@dataclass(frozen=True, slots=True)
class Change:
    """Replace the text of a node; parentheses around it stay."""

    site: Site
    text: str


@dataclass(frozen=True, slots=True)
class Cure:
    """A fix before it has positions.

    `imports` are dotted names that the new text needs bound; it spells them in braces. `beside` is
    the imported name next to which a new one goes, where the source imports by name.
    """

    title: str
    changes: tuple[Change, ...]
    safe: bool
    imports: tuple[str, ...] = ()
    beside: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An unsafe fix before it has lines: some code is to run a module in evaluation mode, and to leave it in
    the mode that it had.

    `runs` are where the module, which is spelled as `place`, runs in evaluation, and `steps` where it is
    trained. It begins with `begun`: the switch of a region, or an `eval()` that is there already.
    """

    title: str
    module: Module
    place: str
    begun: Site
    runs: tuple[Site, ...]
    steps: tuple[Site, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's verdict at a node."""

    code: str
    name: str
    site: Site
    message: str
    help: str | None = None
    notes: tuple[tuple[str, Site], ...] = ()
    cure: Cure | Evaluation | None = None
    alternatives: tuple[Cure, ...] = ()


class Rule:
    """One rule over one unit; subclasses add `visit_<Event>` and `leave_<Event>` methods.

    An instance lives for one unit, so what it gathers in attributes is forgotten at the next. A source
    in which nothing of `requires` stands is none of its business, whatever triggers it holds.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    group: ClassVar[Group]
    fixes: ClassVar[Fixes] = Fixes.NONE
    triggers: ClassVar[tuple[str, ...]]
    triggers_callers: ClassVar[bool] = (
        False  # units that call a function which holds a trigger are played, too
    )
    requires: ClassVar[tuple[str, ...]] = ()
    since: ClassVar[tuple[int, ...] | None] = None  # the first torch that has what the rule advises
    options: ClassVar[tuple[RuleOption, ...]] = ()
    message: ClassVar[str]
    help: ClassVar[str | None] = None

    told: Mapping[str, bool] = MappingProxyType({})
    """What the user answered."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def option(self, name: str) -> bool:
        """The user's answer to one of the rule's options, or the rule's own."""
        return self.told.get(name, next(option.default for option in self.options if option.name == name))

    @classmethod
    def on_by_default(cls) -> bool:
        """Whether the rule runs when the user selects nothing."""
        return cls.group not in (Group.PEDANTIC, Group.NURSERY)

    def report(
        self,
        site: Site,
        *,
        notes: tuple[tuple[str, Site], ...] = (),
        cure: Cure | Evaluation | None = None,
        alternatives: tuple[Cure, ...] = (),
        **words: str,
    ) -> None:
        """Put a finding at a site; `words` fill the braces of `message` and `help`.

        `alternatives` are cures that only somebody who looks at the code can choose.
        """
        message = self.message.format(**words)
        help_ = self.help.format(**words) if self.help is not None else None
        self.findings.append(Finding(self.code, self.name, site, message, help_, notes, cure, alternatives))
