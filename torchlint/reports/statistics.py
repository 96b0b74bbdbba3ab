"""How often each code was found, as ruff counts it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torchlint.reports import Fixing, Palette
from torchlint.runner import Checked


@dataclass(slots=True)
class _Count:
    code: str
    name: str
    all: int = 0
    fixable: int = 0


def write(form: str, results: Sequence[Checked], *, palette: Palette, fixing: Fixing) -> Iterator[str]:
    """A line, or with the format `json` an object, for each code, the most frequent first, then by name."""
    counts = _counts(results, fixing)
    if form == "json":
        shown = [
            {
                "code": one.code,
                "name": one.name,
                "count": one.all,
                "fixable": one.fixable == one.all,
                "fixable_count": one.fixable,
            }
            for one in counts
        ]
        yield json.dumps(shown, indent=2) + "\n"
    else:
        yield from _lines(counts, palette)


def _counts(results: Sequence[Checked], fixing: Fixing) -> list[_Count]:
    counts: defaultdict[str, _Count] = defaultdict(lambda: _Count("", ""))
    for result in results:
        for found in result.diagnostics:
            count = counts[found.code]
            count.code, count.name = found.code, found.name
            count.all += 1
            count.fixable += fixing.cures(found)
    return sorted(counts.values(), key=lambda one: (-one.all, one.name))


def _lines(counts: list[_Count], palette: Palette) -> Iterator[str]:
    width = max((len(str(one.all)) for one in counts), default=0)
    any_fixable = any(one.fixable for one in counts)
    for one in counts:
        mark = "*" if one.fixable == one.all else "-" if one.fixable else " "
        fixable = f"[{palette.paint('star', mark) if mark != ' ' else mark}] " if any_fixable else ""
        yield f"{one.all:>{width}}\t{palette.paint('code', one.code)}\t{fixable}{one.name}\n"
