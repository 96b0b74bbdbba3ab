"""What is shown of a rule's page: all of it under the mouse, its first sentence where there is less room."""

from __future__ import annotations

from lsprotocol import types

from torchlint import rulebook
from torchlint.errors import ConfigError
from torchlint.lsp.subjects import Analysis, Subject
from torchlint.lsp.values import Abilities


def hover(
    subject: Subject, analysis: Analysis, part: int, place: types.Position, abilities: Abilities
) -> types.Hover | None:
    """The pages of the rules that say something at a place; None where none does."""
    pages: dict[str, str] = {}
    range_: types.Range | None = None
    for shown in subject.shown(analysis, part, abilities, {}):
        at, start, end = (place.line, place.character), shown.range.start, shown.range.end
        if not (start.line, start.character) <= at <= (end.line, end.character):
            continue
        try:
            pages.setdefault(str(shown.code), rulebook.page(str(shown.code)))
        except ConfigError:
            continue  # those about torchlint's own reading have none
        range_ = range_ or shown.range
    if not pages:
        return None
    text = types.MarkupContent(types.MarkupKind.Markdown, "\n\n---\n\n".join(pages.values()))
    return types.Hover(text, range_)


def summary(page: str) -> str:
    """The sentence under the title of a page."""
    paragraphs = [one for one in page.split("\n\n") if one.strip() and not one.startswith("#")]
    return " ".join(paragraphs[0].split()) if paragraphs else ""
