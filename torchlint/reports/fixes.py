"""What was fixed, or would be, as ruff says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from torchlint.reports import Fixing
from torchlint.runner import Checked


def listed(results: Sequence[Checked], *, made: bool) -> Iterator[str]:
    """Each file with how many of which rule, between empty lines; nothing where nothing was fixed."""
    total = sum(result.fixed for result in results)
    if not total:
        return
    yield f"\n{_done(made)} {_errors(total)}:\n"
    for result in results:
        counts = Counter(result.made)
        digits = len(str(max(counts.values(), default=0)))
        if counts:
            yield f"- {result.filename}:\n"
        for (code, name), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            yield f"    {count:>{digits}} \N{MULTIPLICATION SIGN} {code} ({name})\n"
    yield "\n"


def tally(results: Sequence[Checked], *, fixing: Fixing) -> Iterator[str]:
    """How many were fixed and how many more could be; nothing where there is neither."""
    total = sum(result.fixed for result in results)
    hidden = sum(
        found.fix is not None and not fixing.cures(found)
        for result in results
        for found in result.diagnostics
    )
    fixes = "fix" if hidden == 1 else "fixes"
    if total:
        more = f" ({hidden} additional {fixes} available with `--unsafe-fixes`)" if hidden else ""
        yield f"{_done(fixing.made)} {_errors(total)}{more}.\n"
    elif hidden:
        would = "fixed" if fixing.made else "would be fixed"
        yield f"No errors {would} ({hidden} {fixes} available with `--unsafe-fixes`).\n"


def _done(made: bool) -> str:
    return "Fixed" if made else "Would fix"


def _errors(count: int) -> str:
    return f"{count} error{'' if count == 1 else 's'}"
