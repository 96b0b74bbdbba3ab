"""Reads the rule book: the headings of a page and its code blocks, each with the line where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RULE_BOOK = Path(__file__).resolve().parent.parent / "rules"

SECTIONS = ("What it finds", "Why it matters", "Flagged", "Instead", "Stays silent", "Fix", "Options")

_FENCE = re.compile(r"(?P<fence>```+|~~~+)\s*(?P<language>[^\s`]*)\s*")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `line` is the page's line before its first line of text."""

    page: Path
    section: str
    language: str
    line: int
    text: str

    @property
    def name(self) -> str:
        """`TL101.md:12`: where the block's fence stands."""
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True, slots=True)
class Heading:
    """One heading line outside the blocks."""

    line: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the rule book; `prose` are its lines outside headings and blocks, by number."""

    path: Path
    headings: tuple[Heading, ...]
    blocks: tuple[Block, ...]
    prose: tuple[tuple[int, str], ...]

    def paragraphs(self, first: int, last: int) -> list[str]:
        """The paragraphs between two lines, neither included."""
        inside = "\n".join(text for line, text in self.prose if first < line < last)
        return [" ".join(part.split()) for part in re.split(r"\n\s*\n", inside) if part.strip()]


def page_paths() -> list[Path]:
    """Every page of the rule book."""
    return sorted(RULE_BOOK.glob("*.md"))


def read_page(path: Path) -> Page:
    """Read one page."""
    headings: list[Heading] = []
    blocks: list[Block] = []
    prose: list[tuple[int, str]] = []
    fence, language, opened, section = "", "", 0, ""
    gathered: list[str] = []
    for number, text in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if fence:
            if text.strip() == fence:
                blocks.append(Block(path, section, language, opened, "".join(f"{one}\n" for one in gathered)))
                fence, gathered = "", []
            else:
                gathered.append(text)
        elif match := _FENCE.fullmatch(text):
            fence, language, opened = match["fence"], match["language"], number
            prose.append((number, ""))
        elif match := re.fullmatch(r"(#+)\s+(.*?)\s*", text):
            headings.append(Heading(number, len(match[1]), match[2]))
            section = match[2]
        else:
            prose.append((number, text))
    if fence:
        raise ValueError(f"{path.name}:{opened}: this block never ends")
    return Page(path, tuple(headings), tuple(blocks), tuple(prose))


def python_blocks() -> list[Block]:
    """Every Python block of every page."""
    return [block for path in page_paths() for block in read_page(path).blocks if block.language == "python"]
