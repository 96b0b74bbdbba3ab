"""The report for people: each diagnostic with its code, the places that explain it, and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache

from torchlint.diagnostic import Diagnostic, Note, Span
from torchlint.errors import UnreadableSource
from torchlint.reports import Fixing, Palette, headline, summary
from torchlint.reports.frame import Frame
from torchlint.runner import Checked
from torchlint.source import Source


def write(results: Sequence[Checked], *, palette: Palette, fixing: Fixing) -> Iterator[str]:
    """Every diagnostic followed by an empty line, then the summary."""
    for result in results:
        for found in result.diagnostics:
            yield from (line.rstrip() + "\n" for line in _diagnostic(found, result, palette, fixing))
            yield "\n"
    yield from summary(results, palette=palette, fixing=fixing)


def _diagnostic(found: Diagnostic, result: Checked, palette: Palette, fixing: Fixing) -> Iterator[str]:
    yield headline(found, palette, fixing=fixing, style="bold")
    frames = []
    source = result.text_of(found.cell)
    if source is not None:
        frames = [Frame.around(source, found.span, context=2)]
        frames += [Frame.around(_text(note, result) or source, note.span, context=0) for note in found.notes]
    gutter = max((frame.digits for frame in frames), default=0)
    yield _place(found.filename, found.cell, found.span, gutter, palette)
    for frame in frames[:1]:
        yield from frame.draw("^", "mark", gutter=gutter, palette=palette)
    for note, frame in zip(found.notes, frames[1:], strict=False):
        yield f"{palette.paint('cause', 'note')}: {note.message}"
        filename = found.filename if note.filename is None else _from_here(note.filename)
        yield _place(filename, note.cell, note.span, gutter, palette)
        yield from frame.draw("-", "cause", gutter=gutter, palette=palette)
    margin = " " * (gutter + 1)
    for word, text in _advice(found, fixing):
        yield f"{margin}{palette.paint('gutter', '=')} {palette.paint('help', word)}: {text}"


def _text(note: Note, result: Checked) -> Source | None:
    return result.text_of(note.cell) if note.filename is None else _other(note.filename)


def _from_here(filename: str) -> str:
    """A path named from the working folder where it lies under it."""
    here = os.path.join(os.getcwd(), "")
    return filename.removeprefix(here)


@cache
def _other(filename: str) -> Source:
    """The text of another file that a note points into; empty where it has gone."""
    try:
        with open(filename, "rb") as file:
            return Source.from_bytes(file.read(), filename)
    except (OSError, UnreadableSource):
        return Source.from_text("", filename)


def _place(filename: str, cell: int | None, span: Span, gutter: int, palette: Palette) -> str:
    arrow = palette.paint("gutter", "-->")
    within = "" if cell is None else f"cell {cell}:"
    return f"{' ' * gutter}{arrow} {filename}:{within}{span.start_line}:{span.start_column + 1}"


def _advice(found: Diagnostic, fixing: Fixing) -> Iterator[tuple[str, str]]:
    if found.help is not None:
        yield "help", found.help
    if found.fix is not None and found.fix.title != found.help:
        yield "help", found.fix.title
    if found.fix is not None and not found.fix.safe:
        leaves = "" if fixing.unsafe else ", so --fix leaves it"
        yield "note", f"this fix may change what the program does{leaves}"
    if not found.code.startswith("TL0"):
        yield "help", f"torchlint rule {found.code}"
