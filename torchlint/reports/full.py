"""The report for people: each diagnostic with its code, the places that explain it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from torchlint.diagnostic import Diagnostic, Note
from torchlint.errors import UnreadableSource
from torchlint.reports import Fixing, Palette, Run, headline
from torchlint.reports.frame import Frame
from torchlint.reports.places import spelled, spelled_note
from torchlint.runner import Checked
from torchlint.source import Source


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """Every diagnostic followed by an empty line."""
    for result in results:
        for found in result.diagnostics:
            yield from (line.rstrip() + "\n" for line in _diagnostic(found, result, run))
            yield "\n"


def _diagnostic(found: Diagnostic, result: Checked, run: Run) -> Iterator[str]:
    palette = run.palette
    yield headline(found, run, style="bold")
    frames = []
    source = result.text_of(found.cell)
    if source is not None:
        frames = [Frame.around(source, found.span, context=2)]
        frames += [Frame.around(_text(note, result) or source, note.span, context=0) for note in found.notes]
    gutter = max((frame.digits for frame in frames), default=0)
    yield _place(spelled(found.filename, found.span, found.cell), gutter, palette)
    for frame in frames[:1]:
        yield from frame.draw("^", "mark", gutter=gutter, palette=palette)
    for note, frame in zip(found.notes, frames[1:], strict=False):
        yield f"{palette.paint('cause', 'note')}: {note.message}"
        yield _place(spelled_note(found, note), gutter, palette)
        yield from frame.draw("-", "cause", gutter=gutter, palette=palette)
    margin = " " * (gutter + 1)
    for word, text in _advice(found, run.fixing):
        yield f"{margin}{palette.paint('gutter', '=')} {palette.paint('help', word)}: {text}"


def _text(note: Note, result: Checked) -> Source | None:
    return result.text_of(note.cell) if note.filename is None else _other(note.filename)


@cache
def _other(filename: str) -> Source:
    """The text of another file that a note points into; empty where it has gone."""
    try:
        with open(filename, "rb") as file:
            return Source.from_bytes(file.read(), filename)
    except (OSError, UnreadableSource):
        return Source.from_text("", filename)


def _place(where: tuple[str, ...], gutter: int, palette: Palette) -> str:
    return f"{' ' * gutter}{palette.paint('gutter', '-->')} {':'.join(where)}"


def _advice(found: Diagnostic, fixing: Fixing) -> Iterator[tuple[str, str]]:
    if found.help is not None:
        yield "help", found.help
    if found.fix is not None and found.fix.title != found.help:
        yield "help", found.fix.title
    if found.fix is not None and not found.fix.safe:
        leaves = "" if fixing.unsafe else ", so --fix leaves it"
        yield "note", f"this fix may change what the program does{leaves}"
    if not found.about_file:
        yield "help", f"torchlint rule {found.code}"
