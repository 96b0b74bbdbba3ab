"""GitLab's code quality report, which merge requests compare with that of the target branch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

from torchlint.diagnostic import Diagnostic
from torchlint.fingerprints import Key, keys
from torchlint.reports import Run
from torchlint.reports.places import place_of, under
from torchlint.reports.severity import Severity, severity
from torchlint.runner import Checked

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """One JSON document; paths are named from the repository's folder, fingerprints know no line numbers."""
    root = os.environ.get("CI_PROJECT_DIR") or os.curdir
    shown = [Checked(one.filename, one.diagnostics, one.source, cells=one.cells) for one in results]
    issues = [_issue(found, key) for found, key in keys(shown, root=root)]
    yield json.dumps(issues, indent=2) + "\n"


def _issue(found: Diagnostic, key: Key) -> dict[str, object]:
    place = place_of(found)
    return {
        "check_name": found.code,
        "description": f"{place.within}{found.code}: {found.message}",
        "severity": _SEVERITIES[severity(found.code)],
        "fingerprint": key.digest(),
        "location": {
            "path": under("CI_PROJECT_DIR", found.filename),
            "positions": {
                "begin": {"line": place.line, "column": place.column or 1},
                "end": {"line": place.end_line, "column": place.end_column or 1},
            },
        },
    }
