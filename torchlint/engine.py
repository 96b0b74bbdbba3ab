"""From one source to its diagnostics: the only place where the parts are put together."""

from __future__ import annotations

import re
import warnings
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from torchlint.config import Config
from torchlint.cures import fix_of
from torchlint.diagnostic import Diagnostic, Note, Span
from torchlint.errors import UnreadableSource
from torchlint.flow.audience import Audience
from torchlint.source import Source

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Mapping, Sequence

    from torchlint.flow.events import Event, Site
    from torchlint.flow.file import FileFlow
    from torchlint.project import Project
    from torchlint.rules.base import Finding, Rule
    from torchlint.skeleton import Skeleton
    from torchlint.units import Units

    _Remember = Callable[[object, Callable[[], bool]], bool]

_RELEVANT = re.compile(r"\btorch\b")


def check(
    source: Source, config: Config, *, tree: ast.Module | None = None, project: Project | None = None
) -> list[Diagnostic]:
    """All diagnostics of a source, in order of place.

    `tree` spares a parse where somebody has one of the same text. What other files define is read where a
    `project` is given. A source that cannot be read gives one TL001, a defect of torchlint one TL002; nothing
    is raised.
    """
    if not _RELEVANT.search(source.text):
        return []
    try:
        with warnings.catch_warnings():
            # Python warns about odd literals of the user's when they are parsed; that is not ours to say.
            warnings.simplefilter("ignore")
            config = config.for_file(source.filename)
            with config.own_names.known():
                project = project.knowing(config.own_names) if project is not None else None
                diagnostics = _check(source, _enabled(config), tree, project)
    except UnreadableSource as error:
        return [unreadable(source.filename, error)]
    except Exception as error:
        # Whatever went wrong is ours, and must not keep the other files from being read.
        return [internal(source.filename, error)]
    return sorted(diagnostics, key=Diagnostic.sort_key)


def unreadable(filename: str, error: UnreadableSource) -> Diagnostic:
    """The diagnostic of a file that is not readable Python."""
    span = Span.at(error.line, error.column)
    return Diagnostic(filename, span, "TL001", "cannot-parse", f"cannot parse this file: {error.reason}")


def beliefs(source: Source, lines: Mapping[int, Sequence[str]]) -> dict[tuple[int, str], dict[str, str]]:
    """What the engine believes of places after lines: {(line, place): {"mode": "train"}}; for tests.

    A line in a loop gives what is believed in the one round that is told. Raises UnreadableSource.
    """
    from torchlint.flow.belief import collect
    from torchlint.flow.file import FileFlow, unit_names
    from torchlint.skeleton import outline
    from torchlint.units import Units

    skeleton = outline(source)
    return collect(FileFlow(skeleton, Units(source, skeleton)), unit_names(skeleton), lines)


class _Armed(NamedTuple):
    """A rule that is on, with its triggers and what it requires as patterns, and its methods by event."""

    rule: type[Rule]
    pattern: re.Pattern[str]
    required: re.Pattern[str]
    methods: tuple[tuple[str, str], ...]
    told: Mapping[str, bool] = MappingProxyType({})

    def listen(self) -> Rule:
        """A new instance, which knows what the user answered."""
        rule = self.rule()
        rule.told = self.told
        return rule


def _enabled(config: Config) -> list[_Armed]:
    return [
        armed._replace(told=config.options_of(armed.rule.code)) if config.rule_options else armed
        for armed in _armed()
        if config.enables(armed.rule.code, default=armed.rule.on_by_default())
        and config.supports(armed.rule.since)
    ]


@cache
def _armed() -> tuple[_Armed, ...]:
    from torchlint.rules import RULES

    return tuple(
        _Armed(rule, re.compile("|".join(rule.triggers)), re.compile("|".join(rule.requires)), _methods(rule))
        for rule in RULES
    )


def _methods(rule: type[Rule]) -> tuple[tuple[str, str], ...]:
    """Event class name -> method: `visit_Forward` hears Forward, `leave_Unit` hears LeaveUnit."""
    found: list[tuple[str, str]] = []
    for name in dir(rule):
        verb, _, noun = name.partition("_")
        if verb == "visit":
            found.append((noun, name))
        elif verb == "leave":
            found.append((f"Leave{noun}", name))
    return tuple(found)


def _check(
    source: Source, rules: list[_Armed], tree: ast.Module | None, project: Project | None
) -> list[Diagnostic]:
    from torchlint.skeleton import outline

    skeleton = project.outline(source) if project and tree is None else outline(source, tree)
    rules = [rule for rule in rules if rule.required.search(source.text)]
    abroad = _abroad(source, rules, skeleton, project) if project else {}
    if not abroad and not any(rule.pattern.search(source.text) for rule in rules):
        return []
    # LibCST costs 200 ms to import: only a file that passed the triggers pays.
    from torchlint.flow.file import FileFlow, unit_names
    from torchlint.units import Units

    flow = project.open(source, skeleton) if project else FileFlow(skeleton, Units(source, skeleton))
    units = flow.units
    aliases = _aliases(rules, skeleton)
    remember = project.remember if project else _once
    callers: set[str] = set()
    for armed in rules if skeleton.definitions else ():
        if armed.rule.triggers_callers and armed.pattern.search(source.text):
            callers |= _callers(armed.pattern, flow, skeleton.call_sites, remember)
    for path, said in abroad.items():
        home = flow.neighbours.at(path)
        callers |= _callers(said, home, skeleton.call_sites, remember) if home is not None else set()
    wanted = [
        name
        for name in unit_names(skeleton)
        if name in callers or _is_wanted(_asked_text(name, units, skeleton), rules, aliases, remember)
    ]
    findings: list[Finding] = []
    for name in flow.order(wanted):
        judges = _Judges(rules)
        flow.play(name, judges)
        findings.extend(judges.said())
    return [_diagnostic(source, flow, finding) for finding in _unique(findings)]


def _aliases(rules: list[_Armed], skeleton: Skeleton) -> re.Pattern[str] | None:
    """The names that stand for what triggers a rule: `no_grad as ng`, `act = nn.ReLU(inplace=True)`."""
    names = [
        name
        for name, target in (*skeleton.imports.items(), *skeleton.calls_bound)
        if name not in target.split(".") and any(armed.pattern.search(target) for armed in rules)
    ]
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b") if names else None


def _abroad(
    source: Source, rules: list[_Armed], skeleton: Skeleton, project: Project
) -> dict[str, re.Pattern[str]]:
    """The files of the project that it imports from and whose text triggers a rule about callers."""
    return {
        path: armed.pattern
        for armed in rules
        if armed.rule.triggers_callers
        for path in project.imported(source.filename, skeleton, armed.pattern)
    }


def _once(key: object, make: Callable[[], bool]) -> bool:
    return make()


def _callers(
    said: re.Pattern[str], home: FileFlow, users: dict[str, list[str]], remember: _Remember
) -> set[str]:
    """The users of what a file defines under a name, where its text triggers a rule about what it makes.

    A function may return that, or a method keep it in an attribute.
    """
    skeleton = home.skeleton

    def says(name: str) -> bool:
        text = home.units.text(name)
        return remember((said, text), lambda: said.search(text) is not None)

    triggered = [one for name, one in skeleton.definitions.items() if says(name)]
    keeping = {one.qualname for one in triggered}.union(
        *(skeleton.call_sites.get(one.name, ()) for one in triggered)
    )
    names = {one.name for one in triggered} | {
        attribute
        for outline in skeleton.classes.values()
        for attribute, methods in outline.storing.items()
        if any(method.qualname in keeping for method in methods)
    }
    return {user for name in names for user in users.get(name, ())}


def _asked_text(name: str, units: Units, skeleton: Skeleton) -> str:
    """The text of a unit; a forward runs the layers that its constructor declares."""
    text = units.text(name)
    owner, _, method = name.rpartition(".")
    if method == "forward" and f"{owner}.__init__" in skeleton.definitions:
        text += units.text(f"{owner}.__init__")
    return text


def _is_wanted(text: str, rules: list[_Armed], aliases: re.Pattern[str] | None, remember: _Remember) -> bool:
    """Whether the text of a unit holds a trigger."""
    patterns = (*(armed.pattern for armed in rules), *((aliases,) if aliases is not None else ()))
    return remember((patterns, text), lambda: any(pattern.search(text) for pattern in patterns))


class _Judges(Audience):
    """The rules, while they hear of one unit; what they make of it are findings."""

    def __init__(self, rules: list[_Armed]) -> None:
        self.kind = tuple((armed.rule.code, tuple(armed.told.items())) for armed in rules)
        self._findings: tuple[Finding, ...] | None = None
        self._rules = [armed.listen() for armed in rules]
        self._table: dict[str, list[Callable[[Event], None]]] = {}
        for armed, instance in zip(rules, self._rules, strict=True):
            for event, method in armed.methods:
                self._table.setdefault(event, []).append(getattr(instance, method))

    def __call__(self, event: Event) -> None:
        for method in self._table.get(type(event).__name__, ()):
            method(event)

    def said(self) -> tuple[Finding, ...]:
        if self._findings is not None:
            return self._findings
        return tuple(finding for rule in self._rules for finding in rule.findings)

    def recall(self, said: object) -> None:
        assert isinstance(said, tuple)
        self._findings = said


def _unique(findings: list[Finding]) -> list[Finding]:
    """One finding a rule and node: a helper may be walked for several callers.

    What is found in a function where it is called is left out where its own walk finds it as well.
    """
    at_home = [not (finding.site.caller or finding.site.called) for finding in findings]
    own = {(one.code, one.site.node) for one, home in zip(findings, at_home, strict=True) if home}
    unique: dict[tuple[str, object], Finding] = {}
    for finding, home in zip(findings, at_home, strict=True):
        steps = (*finding.site.calls[1:], finding.site.node)
        if home or not any((finding.code, step) in own for step in steps):
            unique.setdefault((finding.code, finding.site.told.node), finding)
    return list(unique.values())


def _diagnostic(source: Source, flow: FileFlow, finding: Finding) -> Diagnostic:
    site = finding.site
    span = site.span
    notes = tuple(
        note
        for note in (_note(flow, text, place) for text, place in finding.notes)
        if note.filename is not None or not _covers(note.span, span)
    )
    fix = fix_of(source, flow, finding.cure) if finding.cure is not None else None
    others = (fix_of(source, flow, cure) for cure in finding.alternatives)
    return Diagnostic(
        source.filename,
        span,
        finding.code,
        finding.name,
        finding.message,
        finding.help,
        notes,
        fix,
        alternatives=tuple(other for other in others if other is not None),
    )


def _note(flow: FileFlow, text: str, place: Site) -> Note:
    return Note(text, place.span, place.path if place.path != flow.units.path else None)


def _covers(outer: Span, inner: Span) -> bool:
    """Whether a note would only point at the statement that the diagnostic shows anyway."""
    begin = (outer.start_line, outer.start_column) <= (inner.start_line, inner.start_column)
    return begin and (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)


def internal(filename: str, error: Exception) -> Diagnostic:
    place = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{code.co_filename.rpartition('torchlint/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    message = f"torchlint failed on this file ({type(error).__name__} in {place}: {error}); please report it"
    return Diagnostic(filename, Span.at(1, 0), "TL002", "internal-error", " ".join(message.split()))
