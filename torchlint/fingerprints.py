"""What names a finding and stays the same when lines above it come or go: for baselines and for CI."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchlint.diagnostic import Diagnostic
from torchlint.files import named_from

if TYPE_CHECKING:
    from torchlint.runner import Checked
    from torchlint.source import Source


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One finding of one file.

    `path` has slashes; `text` is the line where the finding starts, with each gap in it as one space;
    `occurrence` counts from 1 the findings that agree in the other three, from top to bottom.
    """

    path: str
    code: str
    text: str
    occurrence: int

    def digest(self) -> str:
        """The four as one short word for formats that want a word: 32 hexadecimal digits."""
        import hashlib

        words = "\0".join((self.path, self.code, self.text, str(self.occurrence)))
        return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def keys(results: Iterable[Checked], *, root: str = os.curdir) -> Iterator[tuple[Diagnostic, Key]]:
    """Each diagnostic with its key, in the order given; no two keys of one run are equal.

    Paths are named from the folder `root`. What comments silence follows the other diagnostics of its file,
    so that the numbers of these do not depend on it. No line or column is in a key, and no number of a cell.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    for result in results:
        path = "-" if result.filename == "-" else named_from(result.filename, root)
        for found in (*result.diagnostics, *result.suppressed):
            triple = (path, found.code, line_text(result.text_of(found.cell), found))
            seen[triple] += 1
            yield found, Key(*triple, seen[triple])


def line_text(source: Source | None, found: Diagnostic) -> str:
    """The text of the line where a finding starts, each gap in it as one space."""
    if source is None or found.line > source.line_count:
        return ""
    return " ".join(source.line(found.line).split())
