"""Gives cures their positions: from what a rule wants changed to edits of a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlint.diagnostic import Edit, Fix, Span

if TYPE_CHECKING:
    from torchlint.flow.evaluating import Evaluated
    from torchlint.flow.file import FileFlow
    from torchlint.flow.stretches import Stretch
    from torchlint.flow.things import Module
    from torchlint.rules.base import Cure, Evaluation
    from torchlint.source import Source

_RETURN = "return"
_RESTORES = re.compile(r"\s*([\w.]+)\.train\(\w*was_training\w*\)")


def fix_of(source: Source, flow: FileFlow, cure: Cure | Evaluation) -> Fix | None:
    """The fix that a cure is in this source; None where it cannot be made there."""
    from torchlint.flow.evaluating import evaluated
    from torchlint.rules.base import Cure

    if isinstance(cure, Cure):
        return _replaced(source, flow, cure)
    if cure.begun.path != flow.units.path or not _takes_a_mode(flow, cure.module):
        return None
    if _has_modes_within(source, cure.place):
        return None
    unit, nodes = cure.begun.unit, [site.told.node for site in cure.runs if site.told.unit is cure.begun.unit]
    steps = [site.told.node for site in cure.steps if site.told.unit is unit]
    found = evaluated(unit, cure.place, cure.begun.node, nodes, steps)
    return _around(source, cure.title, found) if found is not None else None


def _replaced(source: Source, flow: FileFlow, cure: Cure) -> Fix | None:
    """None where a name it needs can be bound neither by hand nor by import."""
    edits: list[Edit] = []
    for change in cure.changes:
        span = change.site.span
        text = change.text
        for dotted in cure.imports:
            spelled, extra = _bound(source, flow, dotted, cure.beside)
            if spelled is None:
                return None
            text = text.replace(f"{{{dotted}}}", spelled)
            edits.extend(extra)
        edits.append(Edit(span, text))
    return Fix(cure.title, tuple(sorted(set(edits))), cure.safe)


def _bound(source: Source, flow: FileFlow, dotted: str, beside: str | None) -> tuple[str | None, list[Edit]]:
    """How the source can say a dotted name, and what must be imported for that."""
    end = None
    if beside is not None and beside in flow.imports:
        target = flow.skeleton.imports[beside]
        # Two names may stand for one thing; what is imported instead of both is imported once.
        first = next(name for name, meant in flow.skeleton.imports.items() if meant == target)
        end = flow.skeleton.import_end(first, target)
    spelled = flow.imports.spelled(dotted, by_name=end is not None)
    if spelled is not None or end is None:
        return spelled, []
    last = dotted.rpartition(".")[2]
    line, byte_column = end
    return last, [Edit(Span.at(line, source.column_of_byte(line, byte_column)), f", {last}")]


def _takes_a_mode(flow: FileFlow, module: Module) -> bool:
    """Whether train() is called with a mode; some classes in sight mean something else by it."""
    own = flow.classes.method(module.cls, "train") if module.cls is not None else None
    return own is None or own.definition.parameters[1:2] == ("mode",)


def _has_modes_within(source: Source, place: str) -> bool:
    """Whether somebody switches parts of a module by themselves, which train() on the whole would undo."""
    last = re.escape(place.rpartition(".")[2])
    # What is wrapped is all of it.
    part = rf"\b{last}\.(?!(?:module|{last})\.\w+\()[\w.]+\.(?:eval|train)\("
    return last != "self" and bool(re.search(part, source.text))


def _around(source: Source, title: str, found: Evaluated) -> Fix | None:
    """Lines before and after a stretch of statements, and before those that leave it."""
    from torchlint.flow.stretches import switched

    stretch, ways, place = found.stretch, found.ways, found.place
    unit = stretch.unit
    text = unit.tree.code if unit.function is not None else source.text
    begin = unit.span(stretch.statements[0]).start_line
    end = _end(source, stretch)
    if end is None:
        return None
    kept = _free(text, ("was_training", f"{place.rpartition('.')[2]}_was_training"))
    result = _free(text, ("result", "returned"))
    before = [f"{kept} = {place}.training"] if found.restores else []
    before += [f"{place}.eval()"] if not found.begins else []
    edits = [_lines(source, begin, begin, before)]
    back, within = f"{place}.train({kept})", switched(stretch, "eval")
    for line in ways.leaving if found.restores else ():
        number = unit.span(line).start_line
        # What was switched last is put back first: one module may be a part of the other.
        while (other := _RESTORES.fullmatch(source.line(number - 1))) and other[1] not in within:
            number -= 1
        edits.append(_lines(source, number, number, [back]))
    for node in ways.returns:
        span = unit.span(node)
        start, column = span.start_line, span.start_column
        edits.append(Edit(Span(start, column, start, column + len(_RETURN)), f"{result} ="))
    after = [back] if ways.returns or (ways.falls_through and found.restores_after) else []
    after += [f"return {result}"] if ways.returns else []
    if after:
        edits.append(_lines(source, end + 1, begin, after))
    return Fix(title, tuple(sorted(edits)), safe=False, covers=Span(begin, 0, end + 1, 0))


def _lines(source: Source, number: int, like: int, statements: list[str]) -> Edit:
    """Statements as lines of their own in front of a line, indented like another one."""
    model = source.line(like)
    indent = model[: len(model) - len(model.lstrip())]
    text = "".join(f"{indent}{statement}\n" for statement in statements)
    if number > source.line_count:  # the last line has no end
        last = source.line_count
        return Edit(Span.at(last, len(source.line(last))), "\n" + text.removesuffix("\n"))
    return Edit(Span.at(number, 0), text)


def _end(source: Source, stretch: Stretch) -> int | None:
    """The last line of a stretch, with comments that are indented like what stands in it.

    None where more of it follows: of the module level, functions were taken out before it was parsed.
    """
    last = end = stretch.unit.span(stretch.statements[-1]).end_line
    indent = _indent(source.line(stretch.unit.span(stretch.statements[0]).start_line))
    for number in range(last + 1, source.line_count + 1):
        line = source.line(number)
        if line.strip() and _indent(line) <= indent:
            break
        if line.lstrip().startswith("#"):
            end = number
        elif line.strip():
            return None
    return end


def _indent(line: str) -> int:
    text = line.expandtabs()
    return len(text) - len(text.lstrip())


def _free(text: str, names: tuple[str, ...]) -> str:
    """The first of some names that a text does not say; with a number where it says all."""
    numbered = (f"{names[-1]}_{number}" for number in range(2, len(text) + 3))
    return next(name for name in (*names, *numbered) if not re.search(rf"\b{re.escape(name)}\b", text))
