"""The rule book: every page has the same headings, and its code blocks are what the linter says they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from expectations import expectations
from matching import Found, differences, report
from pages import SECTIONS, Block, page_paths, python_blocks, read_page

import torchlint
from torchlint.config import Config
from torchlint.rules import rule


@pytest.mark.parametrize("path", page_paths(), ids=lambda path: path.stem)
def test_headings_are_the_fixed_ones_in_order(path: Path) -> None:
    page = read_page(path)
    title, *sections = [("#" * heading.level, heading.text) for heading in page.headings]
    assert title == ("#", f"{rule(path.stem).name} ({path.stem})")
    assert sections == [("##", section) for section in SECTIONS]


@pytest.mark.parametrize("path", page_paths(), ids=lambda path: path.stem)
def test_the_summary_is_one_sentence(path: Path) -> None:
    page = read_page(path)
    first, second = (heading.line for heading in page.headings[:2])
    paragraphs = page.paragraphs(first, second)
    assert len(paragraphs) == 1, paragraphs
    assert paragraphs[0].endswith("."), paragraphs[0]
    assert ". " not in paragraphs[0], paragraphs[0]
    assert not [block for block in page.blocks if block.line < second]


@pytest.mark.parametrize("path", page_paths(), ids=lambda path: path.stem)
def test_no_section_is_empty(path: Path) -> None:
    page = read_page(path)
    ends = [heading.line for heading in page.headings[1:]] + [10**9]
    for heading, end in zip(page.headings, ends, strict=True):
        has_block = any(heading.line < block.line < end for block in page.blocks)
        assert has_block or page.paragraphs(heading.line, end), f"{path.name}:{heading.line}: says nothing"


@pytest.mark.parametrize("path", page_paths(), ids=lambda path: path.stem)
def test_every_block_names_its_language(path: Path) -> None:
    for block in read_page(path).blocks:
        assert block.language in {"python", "text", "console", "diff", "toml"}, (
            f"{block.name}: {block.language!r}"
        )


@pytest.mark.parametrize("path", page_paths(), ids=lambda path: path.stem)
def test_a_page_shows_the_fault_and_the_silence(path: Path) -> None:
    blocks = [block for block in read_page(path).blocks if block.language == "python"]
    wanted = {
        section: [
            expectations(block.text, block.name).wanted(path.stem)
            for block in blocks
            if block.section == section
        ]
        for section in ("Flagged", "Instead", "Stays silent")
    }
    assert all(wanted.values()), f"each of {', '.join(wanted)} shows Python code"
    assert all(wanted["Flagged"]), "every block under Flagged announces a finding of the rule"
    assert not any(wanted["Instead"] + wanted["Stays silent"]), "nothing is flagged elsewhere"


@pytest.mark.parametrize("block", python_blocks(), ids=lambda block: block.name)
def test_findings_in_a_block_are_those_announced(block: Block) -> None:
    diagnostics = torchlint.check(block.text, filename=block.name, config=Config(select=("TL",)))
    found = [Found(one.line, one.code, one.message) for one in diagnostics]
    told = differences(expectations(block.text, block.name), found)
    assert not told, report(f"the block at {block.name}", block.text, told)
