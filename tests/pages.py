"""Reads the rule book: the headings of a page and its code blocks, each with the line where it stands.

A text block directly behind a Python block is what a run of that block shows: all that it prints or, where it
raises, the last lines of printout and traceback. There the file is called train.py, frames outside the block
are left out, and long lines may be broken.
"""

from __future__ import annotations

import re
import traceback
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

    def shown_by(self, block: Block) -> Block | None:
        """The text block directly behind a Python block; None where the page shows no run of it."""
        behind = self.blocks[self.blocks.index(block) + 1 :][:1]
        for text in behind:
            if text.language == "text" and text.section == block.section:
                return text if not self.paragraphs(block.line, text.line) else None
        return None

    def paragraphs(self, first: int, last: int) -> list[str]:
        """The paragraphs between two lines, neither included."""
        inside = "\n".join(text for line, text in self.prose if first < line < last)
        return [" ".join(part.split()) for part in re.split(r"\n\s*\n", inside) if part.strip()]


def page_paths() -> list[Path]:
    """Every page of a rule."""
    return sorted(RULE_BOOK.glob("TL*.md"))


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


def told(block: Block, printed: str, error: BaseException | None) -> list[str]:
    """The lines that a run of a block shows: what it printed, then the traceback of its error."""
    lines = printed.splitlines()
    if error is not None:
        source = block.text.splitlines()
        lines.append("Traceback (most recent call last):")
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename == block.name and frame.lineno is not None:
                lines.append(f'  File "train.py", line {frame.lineno}, in {frame.name}')
                lines.append(f"    {source[frame.lineno - 1].strip()}")
        lines += "".join(traceback.format_exception_only(error)).splitlines()
    return lines


def agrees(shown: str, lines: list[str], *, raised: bool) -> bool:
    """Whether a page's text block is what the lines of a run say."""
    if not raised:
        return shown.splitlines() == [line.rstrip() for line in lines]
    words = shown.split()
    return bool(words) and any(words == " ".join(lines[start:]).split() for start in range(len(lines)))
