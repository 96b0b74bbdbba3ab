"""The objects of the `json` format, one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from torchlint.reports import Run
from torchlint.reports.json import record
from torchlint.runner import Checked


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """A line for each diagnostic, and nothing where there is none."""
    for result in results:
        for found in result.diagnostics:
            yield json.dumps(record(found), sort_keys=True, separators=(",", ":")) + "\n"
