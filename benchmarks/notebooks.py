"""Notebooks of four packages: what is found, whether each place is right, and what fixes leave as it was.

    python benchmarks/notebooks.py --root DIR [--show]

Downloads the pinned sdists into DIR with pip, which needs the network once. The answers are held against the
notebooks as the standard library's json reads them: of each finding, note and edit the text at its place must
be the text that the engine spoke of and hold the name in the message; after all fixes, unsafe ones included,
the files must be the same but for the sources of cells, and a second run must change nothing.
Exits with 1 where something is wrong. `--show` prints each finding with its lines, to be judged by eye.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic, Span
from torchlint.errors import UnreadableSource
from torchlint.magics import is_python, replacements
from torchlint.notebook import Notebook
from torchlint.runner import check_bytes

PINS = ("gpytorch==1.15.2", "neuromancer==1.5.6", "sbi==0.27.0", "transformer-lens==4.3.0")
CONFIG = Config(unsafe_fixes=True)


@dataclass
class Row:
    """What the notebooks of one package came to."""

    counts: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def main() -> int:
    """Check the notebooks and print a line for each package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="the folder for the packages")
    parser.add_argument("--show", action="store_true", help="print each finding with its lines")
    options = parser.parse_args()
    heads = ("notebooks", "say torch", "code cells", "IPython lines", "skipped cells", "TL001", "findings")
    heads += ("places", "fixes", "changed files", "changed lines", "ms")
    print("\t".join(("package", *heads, "wrong", "codes")))
    wrong = 0
    for pin in PINS:
        row = Row()
        for path in notebooks(pin, options.root):
            examine(path, row, show=options.show)
        codes = " ".join(f"{code}:{count}" for code, count in sorted(row.codes.items()))
        print(
            "\t".join((pin, *(str(row.counts[head]) for head in heads), str(len(row.wrong)), codes)),
            flush=True,
        )
        for what in row.wrong:
            print(f"  {what}")
        wrong += len(row.wrong)
    return 1 if wrong else 0


def notebooks(pin: str, root: Path) -> list[Path]:
    """The notebooks of an sdist, unpacked below the root where they are not there yet."""
    top = root / pin.replace("==", "-")
    if not top.exists():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as beside:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", beside]
            subprocess.run([*command, "--no-binary", pin.partition("==")[0], pin], check=True)
            (archive,) = Path(beside).iterdir()
            with tarfile.open(archive) as packed:
                members = [one for one in packed.getmembers() if one.isfile() and one.name.endswith(".ipynb")]
                packed.extractall(top, members, filter="data")
    return sorted(top.rglob("*.ipynb"))


def examine(path: Path, row: Row, *, show: bool) -> None:
    """Check one notebook and add to the row what came of it."""
    data, name = path.read_bytes(), path.name
    count = row.counts
    count["notebooks"] += 1
    count["say torch"] += b"torch" in data
    texts = read(data)
    for kind, text in texts:
        if kind == "code":
            count["code cells"] += 1
            count["skipped cells"] += not is_python(text)
            count["IPython lines"] += len(replacements(text)) if is_python(text) else 0
    started = time.perf_counter()
    checked, _ = check_bytes(data, str(path), CONFIG, fix=False)
    count["ms"] += round((time.perf_counter() - started) * 1000)
    for found in checked.diagnostics:
        row.codes[found.code] += 1
        count["TL001" if found.code == "TL001" else "findings"] += 1
        for problem in misplaced(found, texts, count):
            row.wrong.append(f"{name}:{found.cell}:{found.line}:{found.column + 1} {found.code} {problem}")
        if show and found.cell is not None:
            print(
                f"\n## {path}:cell {found.cell}:{found.line}:{found.column + 1} {found.code} {found.message}"
            )
            print("\n".join(texts[found.cell - 1][1].split("\n")[max(found.line - 8, 0) : found.line + 12]))
    row.wrong += [f"{name}: {problem}" for problem in unfaithful(data, path, count)]


def read(data: bytes) -> list[tuple[str, str]]:
    """Kind and text of each cell, as the standard library reads them."""
    cells = json.loads(data.decode("utf-8-sig"))["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]


def misplaced(found: Diagnostic, texts: list[tuple[str, str]], count: Counter[str]) -> Iterator[str]:
    """What is wrong with the places of a finding, its notes and its edits."""
    cell = found.cell
    if cell is None:
        yield "has no cell"
        return
    spans = [(found.span, cell)] + [(edit.span, cell) for edit in (found.fix.edits if found.fix else ())]
    spans += [(note.span, note.cell or 0) for note in found.notes if note.filename is None]
    for span, number in spans:
        count["places"] += 1
        if not number or texts[number - 1][0] != "code" or sliced(texts[number - 1][1], span) is None:
            yield f"lies in no code cell: {span}"
    named = re.match(r"'([^']+)'", found.message)
    said = sliced(texts[cell - 1][1], found.span)
    if named and said is not None and re.split(r"\W", named[1])[-1] not in said:
        yield f"does not stand at {named[1]}: {said!r}"


def sliced(text: str, span: Span) -> str | None:
    """The text of a span; None where a cell has no such place."""
    lines = text.split("\n")
    if not (1 <= span.start_line <= span.end_line <= len(lines)):
        return None
    if span.start_column > len(lines[span.start_line - 1]) or span.end_column > len(lines[span.end_line - 1]):
        return None
    chosen = lines[span.start_line - 1 : span.end_line]
    chosen[-1] = chosen[-1][: span.end_column]
    chosen[0] = chosen[0][span.start_column :]
    return "\n".join(chosen)


def unfaithful(data: bytes, path: Path, count: Counter[str]) -> Iterator[str]:
    """What fixes did to a file beside changing sources of cells."""
    checked, fixed = check_bytes(data, str(path), CONFIG, fix=True)
    count["fixes"] += checked.fixed
    if bool(checked.fixed) != (fixed != data):
        yield "fixes and bytes disagree"
    if checked.warning:
        yield checked.warning
    yield from (found.message for found in checked.diagnostics if found.code == "TL002")
    if fixed == data:
        return
    count["changed files"] += 1
    old, new = data.decode().split("\n"), fixed.decode().split("\n")
    count["changed lines"] += sum((Counter(new) - Counter(old)).values())
    if without_sources(data) != without_sources(fixed):
        yield "something beside the sources has changed"
    before, after = read(data), read(fixed)
    if [kind for kind, _ in before] != [kind for kind, _ in after]:
        yield "the cells are others"
    try:
        unreadable = Notebook.from_bytes(fixed, path.name).unreadable
    except UnreadableSource as error:
        yield f"no notebook any more: {error}"
        return
    if unreadable.keys() != Notebook.from_bytes(data, path.name).unreadable.keys():
        yield "a cell is no Python any more"
    if check_bytes(fixed, str(path), CONFIG, fix=True)[1] != fixed:
        yield "a second run changes more"


def without_sources(data: bytes) -> str:
    """The text of a notebook with each value of a "source" key cut out, by a pattern of its own."""
    string = r'"(?:[^"\\]|\\.)*"'
    source = rf'("source":\s*)(?:{string}|\[\s*(?:{string}\s*,?\s*)*\])'
    return re.sub(source, r"\1", data.decode())


if __name__ == "__main__":
    sys.exit(main())
