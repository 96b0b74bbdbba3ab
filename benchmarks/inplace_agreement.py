"""How often torchlint and torch agree on in-place writes: `python benchmarks/inplace_agreement.py`.

Random programs of tests/runtime/generated.py are run under torch and read by torchlint, and the verdicts and
guilty lines are compared: `--programs N` for each `--seed S` (several may be given), in `--jobs J` processes.
Disagreements are shrunk and grouped by what is wrong at which form of line; the smallest program of each of
the `--show K` most frequent groups is printed. Exit status 1 where there is a disagreement.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "runtime"))

import torch
from agreement import Judgement, Seen, Verdict, judge, observe, read
from generated import program

APART = 1_000_000_000
"""Between the programs of two seeds."""

_NAME = re.compile(r"(?<![.\w])[a-z]\d?(?![\w(])|\b\d+(?:\.\d+)?\b")
"""The names and numbers that the generator draws."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One program, judged."""

    number: int
    verdict: Verdict
    said: Verdict
    agrees: bool
    agrees_on_lines: bool
    torch_seconds: float
    linter_seconds: float


def judged(text: str) -> tuple[Seen, Judgement]:
    """What torch did, and whether the linter agrees."""
    seen = observe(text)
    return seen, judge(seen, read(text))


def outcome(number: int) -> Outcome:
    """The program of this number, judged."""
    text = program(number).text
    started = time.process_time()
    seen = observe(text)
    between = time.process_time()
    found = read(text)
    ended = time.process_time()
    judgement = judge(seen, found)
    return Outcome(
        number,
        seen.verdict,
        judgement.said,
        judgement.agrees,
        judgement.agrees_on_lines,
        between - started,
        ended - between,
    )


def disagreement(text: str) -> object:
    """What is wrong between torch and linter, without lines; None where they agree, or torch stumbles."""
    try:
        seen, judgement = judged(text)
    except SyntaxError:
        return None
    if seen.verdict is Verdict.OTHER or judgement.agrees_on_lines:
        return None
    return (
        seen.verdict,
        judgement.said,
        bool(judgement.missed),
        frozenset(verdict for verdict, _ in judgement.false),
    )


def shrunk(text: str, wrong: Callable[[str], object] = disagreement) -> str:
    """The smallest program by taking statements away, and blocks apart, in which the same is wrong."""
    want = wrong(text)
    assert want is not None
    lines = text.splitlines()
    before: list[str] = []
    while lines != before:
        before = lines
        for shorten in (_without, _unwrapped, _with_less):
            # From the end, because what is above does not need what is below.
            for start in range(len(lines) - 1, -1, -1):
                if start < len(lines) and lines[start].strip():
                    for shorter in shorten(lines, start):
                        if wrong("\n".join(shorter) + "\n") == want:
                            lines = shorter
                            break
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines) + "\n")


def _without(lines: list[str], start: int) -> Iterator[list[str]]:
    """The program without the statement that starts here."""
    yield [*lines[:start], *lines[_end(lines, start) :]]


def _unwrapped(lines: list[str], start: int) -> Iterator[list[str]]:
    """The program with the body of a block in the place of the block."""
    end = _end(lines, start)
    if end > start + 1 and not lines[start].startswith("class"):
        yield [*lines[:start], *(line.removeprefix("    ") for line in lines[start + 1 : end]), *lines[end:]]


def _with_less(lines: list[str], start: int) -> Iterator[list[str]]:
    """The program with one term less in a loss."""
    for term in re.findall(r" \+ \w+\.(?:sum|mean)\(\)", lines[start]):
        yield [*lines[:start], lines[start].replace(term, "", 1), *lines[start + 1 :]]


def _end(lines: Sequence[str], start: int) -> int:
    """Behind the last line of the statement that starts here, with its block."""
    depth = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > depth):
        end += 1
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return end


def cause(text: str) -> tuple[object, ...]:
    """What shrunk programs of one cause have in common: what is wrong, and the guilty lines without names."""
    _, judgement = judged(text)
    lines = {place[0] for place in judgement.missed} | {line for _, line in judgement.false}
    told = {_NAME.sub("_", text.splitlines()[line - 1].strip()) for line in lines}
    return disagreement(text), frozenset(told)


def main() -> int:
    """Run what the command line asks for and print what came of it."""
    options = _options()
    torch.set_num_threads(1)
    numbers = [seed * APART + number for seed in options.seed for number in range(options.programs)]
    started = time.perf_counter()
    with get_context("fork").Pool(options.jobs) as pool:
        outcomes = list(pool.imap_unordered(outcome, numbers, chunksize=50))
        seconds = time.perf_counter() - started
        _report(outcomes, seconds)
        sys.stdout.flush()
        wrong = sorted(one.number for one in outcomes if not one.agrees_on_lines)
        groups: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
        for text, group in pool.imap_unordered(_shrunk, wrong[: options.shrink]):
            groups[group].append(text)
    ordered = sorted(groups.values(), key=lambda texts: (-len(texts), len(texts[0])))
    for texts in ordered[: options.show]:
        smallest = min(texts, key=len)
        print(f"\n--- {len(texts)} times: {_told(smallest)}\n{smallest}", end="")
    return int(bool(wrong))


def _shrunk(number: int) -> tuple[str, tuple[object, ...]]:
    text = shrunk(program(number).text)
    return text, cause(text)


def _report(outcomes: list[Outcome], seconds: float) -> None:
    count = len(outcomes)
    agree = sum(one.agrees for one in outcomes)
    lines = sum(one.agrees_on_lines for one in outcomes)
    print(f"{count} programs in {seconds:.0f} s, {count / seconds:.0f} a second")
    for title, spent in (
        ("torch", sum(one.torch_seconds for one in outcomes)),
        ("torchlint", sum(one.linter_seconds for one in outcomes)),
    ):
        print(f"{title}: {spent / count * 1000:.2f} ms a program")
    print(f"agree on the verdict: {agree} ({agree / count:.3%}), {count - agree} do not")
    print(f"agree on the lines:   {lines} ({lines / count:.3%}), {count - lines} do not")
    table = Counter((one.verdict.value, one.said.value, one.agrees) for one in outcomes)
    for (verdict, said, fine), times in sorted(table.items(), key=lambda item: -item[1]):
        print(f"  torch {verdict:<11} torchlint {said:<11} {times:>7} {'' if fine else 'DISAGREE'}".rstrip())


def _told(text: str) -> str:
    seen, judgement = judged(text)
    false = ", ".join(f"{verdict.value} in line {line}" for verdict, line in sorted(judgement.false, key=str))
    missed = ", ".join(f"line {place[0]}" for place in sorted(judgement.missed))
    return f"torch {seen.verdict.value}, missed: {missed or 'nothing'}, false: {false or 'nothing'}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--programs", type=int, default=20_000, help="programs for each seed")
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", type=int, default=20, help="kinds of disagreements to print")
    parser.add_argument("--shrink", type=int, default=500, help="disagreements to shrink")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
