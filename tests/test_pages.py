"""The rule book: every page has the same headings, and its code blocks are what the linter says they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from expectations import expectations
from matching import Found, differences, report
from pages import SECTIONS, Block, agrees, page_paths, python_blocks, read_page, told

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


@pytest.mark.parametrize("path", page_paths(), ids=lambda path: path.stem)
def test_what_a_page_quotes_is_what_a_block_shows(path: Path) -> None:
    """Text blocks are compared with runs in tests/runtime; here, that there is a run behind each."""
    page = read_page(path)
    shown = {
        quoted: block
        for block in page.blocks
        if block.language == "python" and (quoted := page.shown_by(block)) is not None
    }
    strays = [block.name for block in page.blocks if block.language == "text" and block not in shown]
    assert not strays, "no Python block stands directly before"
    assert any(block.section == "Why it matters" for block in shown), "Why it matters quotes no run"


PROGRAM = Block(Path("TL999.md"), "Why it matters", "python", 12, "word = 'one'\nint(word)\n")


def run_of_program() -> list[str]:
    with pytest.raises(ValueError, match="invalid literal") as raised:
        exec(compile(PROGRAM.text, PROGRAM.name, "exec"), {})
    return told(PROGRAM, "one\n", raised.value)


def test_a_run_is_told_with_the_frames_of_its_block_only() -> None:
    assert run_of_program() == [
        "one",
        "Traceback (most recent call last):",
        '  File "train.py", line 2, in <module>',
        "    int(word)",
        "ValueError: invalid literal for int() with base 10: 'one'",
    ]


@pytest.mark.parametrize(
    ("quoted", "right"),
    [
        ("ValueError: invalid literal for int()\nwith base 10: 'one'\n", True),
        ("    int(word)\nValueError: invalid literal for int() with base 10: 'one'", True),
        ("one\nTraceback (most recent call last):\n", False),
        ("invalid literal for int() with base 10: 'one'\n", False),
        ("ValueError: invalid literal for int() with base 16: 'one'\n", False),
        ("\n", False),
    ],
)
def test_a_quoted_error_is_the_end_of_the_run_and_may_be_broken(quoted: str, right: bool) -> None:
    assert agrees(quoted, run_of_program(), raised=True) is right


@pytest.mark.parametrize(
    ("quoted", "right"),
    [("one\n  two\n", True), ("  two\n", False), ("one\ntwo\n", False), ("one two\n", False)],
)
def test_a_quoted_printout_is_all_of_it_and_word_for_word(quoted: str, right: bool) -> None:
    assert agrees(quoted, ["one", "  two  "], raised=False) is right


@pytest.mark.parametrize("block", python_blocks(), ids=lambda block: block.name)
def test_findings_in_a_block_are_those_announced(block: Block) -> None:
    diagnostics = torchlint.check(
        block.text, filename=block.name, config=Config(select=("TL",), project=False)
    )
    found = [Found(one.line, one.code, one.message) for one in diagnostics]
    told = differences(expectations(block.text, block.name), found)
    assert not told, report(f"the block at {block.name}", block.text, told)
