"""Every Python block of the rule book is a program: it runs under torch and behaves as it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from execution import misbehaviour, run
from expectations import expectations
from pages import Block, python_blocks


@pytest.mark.parametrize("block", python_blocks(), ids=lambda block: block.name)
def test_a_block_behaves_as_it_says(block: Block, empty_folder: Path) -> None:
    outcome = run(block.text, block.name)
    wrong = misbehaviour(outcome, expectations(block.text, block.name).runtime)
    assert wrong is None, f"{block.name}: {wrong}"
    assert not list(empty_folder.iterdir()), f"{block.name} writes files"
