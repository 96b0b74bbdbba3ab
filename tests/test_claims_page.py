"""docs/claims.md and the tests of the claims say the same: each claim has one row, one test, one verdict."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass

from fixture_files import REPOSITORY

PAGE = REPOSITORY / "docs" / "claims.md"
NUMBERS = [f"C{number:02}" for number in range(1, 29)]
VERDICTS = ("confirmed", "partly", "refuted")


@dataclass(frozen=True, slots=True)
class Tried:
    """What a row of the page, or a test, says of a claim."""

    number: str
    verdict: str
    test: str


def declared() -> list[Tried]:
    """What the tests declare, read without importing torch: `@claim("C04", "confirmed")` above each."""
    found = []
    for path in sorted((REPOSITORY / "tests" / "runtime").glob("test_claims*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                calls = [one for one in node.decorator_list if isinstance(one, ast.Call)]
                claims = [one for one in calls if ast.unparse(one.func) == "claim"]
                assert len(claims) == 1, f"{path.name}: {node.name} stands for {len(claims)} claims"
                number, verdict = (ast.literal_eval(argument) for argument in claims[0].args)
                found.append(Tried(number, verdict, node.name))
    return sorted(found, key=lambda one: one.number)


def rows() -> list[list[str]]:
    """The cells of the table: number, claim, verdict, what torch does, test."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if re.match(r"\| C\d", line)]


def test_each_claim_has_one_test_named_after_it() -> None:
    tests = declared()
    assert [one.number for one in tests] == NUMBERS
    assert not [one.test for one in tests if not one.test.startswith(f"test_{one.number.lower()}_")]
    assert {one.verdict for one in tests} <= set(VERDICTS)


def test_each_claim_has_one_row_that_says_what_its_test_says() -> None:
    assert [len(row) for row in rows()] == [5] * len(NUMBERS)
    assert not [row[0] for row in rows() if not all(row)]
    told = [Tried(number, verdict, test.strip("`")) for number, _, verdict, _, test in rows()]
    assert told == declared()


def test_the_page_counts_the_verdicts() -> None:
    counts = Counter(one.verdict for one in declared())
    sentence = "Of them {confirmed} are confirmed, {partly} hold partly, and {refuted} are refuted."
    assert f"These are {len(NUMBERS)} claims" in PAGE.read_text(encoding="utf-8")
    assert sentence.format(**counts) in PAGE.read_text(encoding="utf-8")
