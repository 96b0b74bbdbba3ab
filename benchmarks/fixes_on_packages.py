"""What the fixes make of code of others: `python benchmarks/fixes_on_packages.py [PIN ...]`.

Copies the Python files of each package of accuracy/packages.txt (downloaded where `--packages FOLDER` lacks
it), makes all safe fixes of all rules in the copy, and then the unsafe ones. Of every file that changed it
asks whether Python compiles it and LibCST parses it, whether ruff's E9 and F find nothing that they had not
found before, whether comments, encoding, line ends and the last line are as they were, whether lines changed
that no edit names, and whether a second run changes anything. Prints how many fixes of each rule were made.

`--only-labelled` looks at files alone in which labels say that a rule is right, sooner; `--quick` looks again
only at files in which the first run found something; `--no-project` reads each file by itself, which takes
half of the time; `--diffs FOLDER` keeps a diff of each package.

Exit status 0, 1 where something is wrong, 2 where a package cannot be had.
"""

from __future__ import annotations

import argparse
import difflib
import io
import json
import subprocess
import sys
import tempfile
import time
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

# The torchlint of this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent / "accuracy"))

import libcst
from packages import PackageError, fetched, pins
from score import LABELS, Verdict, labels_of

from torchlint import fixes
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.files import find_files
from torchlint.project import Project
from torchlint.runner import check_files, check_source
from torchlint.settings import settings_of
from torchlint.source import Source

HERE = Path(__file__).resolve().parent
PACKAGES = HERE.parent / "build" / "accuracy"
EVERY_RULE = Config(select=("TL",))


@dataclass(slots=True)
class Outcome:
    """What one kind of fixes made of some packages."""

    fixes: Counter[str] = field(default_factory=Counter)
    files: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Count another one in."""
        self.fixes += other.fixes
        self.files += other.files
        self.wrong += other.wrong


def fixed(
    folder: Path, files: list[str], config: Config, *, jobs: int | None, quick: bool, diff: list[str]
) -> tuple[Outcome, list[str]]:
    """Make the fixes in files of a folder; says what is wrong with them, and which files to look at again."""
    outcome = Outcome()
    before = {path: Path(path).read_bytes() for path in files}
    complaints = ruffs(folder)
    told = {}
    for checked in check_files(files, config, fix=True, jobs=jobs):
        told[checked.filename] = checked
        if checked.warning is not None:
            outcome.wrong.append(f"{checked.filename}: warned of: {checked.warning}")
    changed = [path for path in files if Path(path).read_bytes() != before[path]]
    if changed != [path for path in files if told[path].fixed]:
        outcome.wrong.append(f"{folder}: the files that changed are not those that are said to")
    outcome.files = len(changed)
    outcome.wrong += new_complaints(complaints, ruffs(folder))
    after = {path: Path(path).read_bytes() for path in changed}
    for path in changed:
        outcome.wrong += (f"{path}: {fault}" for fault in faults(path, before[path], after[path]))
        diff += unified(path, before[path], after[path])
    for path in changed:
        Path(path).write_bytes(before[path])
    for path in changed:
        rounds, made = replayed(path, config)
        outcome.fixes += made
        outcome.wrong += (f"{path}: {fault}" for fault in strays(rounds, after[path]))
    for path in changed:
        Path(path).write_bytes(after[path])
    if quick:
        files = [path for path in files if told[path].fixed or told[path].diagnostics]
    for checked in check_files(files, config, fix=True, jobs=jobs):
        if checked.fixed or Path(checked.filename).read_bytes() != after.get(
            checked.filename, before[checked.filename]
        ):
            outcome.wrong.append(f"{checked.filename}: a second run changes it")
    return outcome, files


def faults(path: str, before: bytes, after: bytes) -> Iterator[str]:
    """What is wrong with a file that was fixed."""
    if compiles(before, path) and not compiles(after, path):
        yield "Python does not compile it any more"
    try:
        libcst.parse_module(after)
    except Exception as error:
        yield f"LibCST does not parse it: {type(error).__name__}"
    old, new = Source.from_bytes(before, path), Source.from_bytes(after, path)
    for name in ("encoding", "bom", "newline"):
        if getattr(old, name) != getattr(new, name):
            yield f"its {name} was {getattr(old, name)!r} and is {getattr(new, name)!r}"
    if set(old.mixed) != set(new.mixed):
        yield "its mixed line ends changed"
    if old.text.endswith("\n") != new.text.endswith("\n"):
        yield "its last line end changed"
    if comments(old) != comments(new):
        yield "comments changed"


def compiles(data: bytes, path: str) -> bool:
    """Whether Python makes code of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(data, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
    return True


def comments(source: Source) -> list[str]:
    """The comments in their order."""
    tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
    try:
        return [token.string for token in tokens if token.type == tokenize.COMMENT]
    except (tokenize.TokenError, SyntaxError):
        return []


def replayed(path: str, config: Config) -> tuple[list[tuple[Source, list[Diagnostic]]], Counter[str]]:
    """The text of each round of fixes with what was found in it; how many fixes of each rule were made."""
    rounds: list[tuple[Source, list[Diagnostic]]] = []

    def check(source: Source) -> list[Diagnostic]:
        rounds.append((source, check_source(source, config, project)))
        return rounds[-1][1]

    project = Project() if config.project else None
    result = fixes.fix(Source.from_bytes(Path(path).read_bytes(), path), check, unsafe=config.unsafe_fixes)
    return rounds, Counter(made.code for made in result.made)


def strays(rounds: list[tuple[Source, list[Diagnostic]]], after: bytes) -> Iterator[str]:
    """The lines that changed from round to round where no edit is; those of imports may lose a name."""
    if rounds[-1][0].to_bytes() != after:
        yield "fixing it once more gives another text"
    for (source, found), (changed, _) in pairwise(rounds):
        named = {
            line
            for one in found
            for edit in (one.fix.edits if one.fix is not None else ())
            for line in range(edit.span.start_line, edit.span.end_line + 1)
        }
        old, new = source.text.split("\n"), changed.text.split("\n")
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        for kind, first, last, begin, end in matcher.get_opcodes():
            if kind == "equal":
                continue
            # What is put in front of a line leaves that line as it is.
            touched = set(range(first + 1, last + 1)) or {first + 1}
            unnamed = [line for line in touched - named if not is_import(old, line)]
            if unnamed:
                yield f"line {unnamed[0]} changed, which no edit names: {new[begin:end]}"


def is_import(lines: list[str], number: int) -> bool:
    """Whether a line belongs to an import, on one line or between parentheses."""
    for line in reversed(lines[:number]):
        if line.startswith(("from ", "import ")):
            return True
        if not line.startswith((" ", "\t", ")")):
            return False
    return False


def ruffs(folder: Path) -> Counter[tuple[str, str, str]]:
    """What ruff says of syntax and names, without the lines."""
    command = ["ruff", "check", "--isolated", "--no-cache", "--select", "E9,F", "--ignore-noqa"]
    command += ["--output-format", "json", "--config", "exclude = []", "--exit-zero", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise PackageError(f"ruff failed: {done.stderr.strip().splitlines()[-1]}")
    return Counter((one["filename"], one["code"] or "", one["message"]) for one in json.loads(done.stdout))


def new_complaints(
    before: Counter[tuple[str, str, str]], after: Counter[tuple[str, str, str]]
) -> Iterator[str]:
    """What ruff says more than it said."""
    for (filename, code, message), more in (after - before).items():
        yield f"{filename}: ruff says {more} times more: {code} {message}"


def unified(path: str, before: bytes, after: bytes) -> Iterator[str]:
    """The diff of a file, to read."""
    old, new = (Source.from_bytes(data, path).text.splitlines(keepends=True) for data in (before, after))
    yield from difflib.unified_diff(old, new, path, path, n=8)


def table(safe: Outcome, unsafe: Outcome) -> Iterator[str]:
    """How many fixes of each rule were made, in two columns."""
    yield f"{'':8}{'safe':>8}{'then unsafe':>14}"
    for code in sorted({*safe.fixes, *unsafe.fixes}):
        yield f"{code:8}{safe.fixes[code]:>8}{unsafe.fixes[code]:>14}"
    yield f"{'fixes':8}{safe.fixes.total():>8}{unsafe.fixes.total():>14}"
    yield f"{'files':8}{safe.files:>8}{unsafe.files:>14}"
    yield f"{'wrong':8}{len(safe.wrong):>8}{len(unsafe.wrong):>14}"


def copied(package: Path, folder: Path) -> None:
    """The Python files of a package in another folder."""
    for path in package.rglob("*.py*"):
        if path.suffix in (".py", ".pyi") and path.is_file():
            target = folder / path.relative_to(package)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())


def chosen(words: Iterable[str]) -> list[str]:
    """The pins that some words begin; all where there are none."""
    known = pins(HERE / "accuracy" / "packages.txt")
    words = list(words)
    found = [pin for pin in known if not words or any(pin.startswith(word) for word in words)]
    if not found:
        raise PackageError("no line of packages.txt begins so")
    return found


def main() -> int:
    """Fix one package after the other, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("pins", nargs="*", metavar="PIN", help="only these packages, by the beginning of their line")
    add("--packages", type=Path, default=PACKAGES, metavar="FOLDER", help="build/accuracy")
    add("--diffs", type=Path, metavar="FOLDER", help="keep the diffs here")
    add("--only-labelled", action="store_true", help="look at files alone in which labels say so")
    add("--quick", action="store_true", help="look again only at files in which something was found")
    add("--no-project", action="store_true", help="read each file by itself")
    add("--jobs", type=int, metavar="N", help="processes (one for each core)")
    options = parser.parse_args()
    safe, unsafe = Outcome(), Outcome()
    cautious = replace(EVERY_RULE, project=not options.no_project)
    bold = replace(cautious, unsafe_fixes=True)
    labelled = [one for one in labels_of(LABELS) if one.verdict is Verdict.FLAG]
    try:
        for pin in chosen(options.pins):
            started = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="fixes-") as copy:
                folder = Path(copy).resolve() / pin.replace("==", "-")
                copied(fetched(pin, options.packages), folder)
                files = find_files([str(folder)], sieve_of=settings_of, warn=print)
                if options.only_labelled:
                    files = sorted({str(folder / one.path) for one in labelled if one.pin == pin})
                for name, config, total in (("safe", cautious, safe), ("unsafe", bold, unsafe)):
                    diff: list[str] = []
                    outcome, files = fixed(
                        folder, files, config, jobs=options.jobs, quick=options.quick, diff=diff
                    )
                    total.add(outcome)
                    for line in outcome.wrong:
                        print(f"wrong: {line}", flush=True)
                    if options.diffs is not None and diff:
                        options.diffs.mkdir(parents=True, exist_ok=True)
                        (options.diffs / f"{pin}.{name}.diff").write_text("".join(diff), encoding="utf-8")
                    counts = " ".join(f"{code} {count}" for code, count in sorted(outcome.fixes.items()))
                    print(f"{pin} {name}: {outcome.files} files; {counts}", flush=True)
            print(f"{pin}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    except PackageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(*table(safe, unsafe), sep="\n")
    return 1 if safe.wrong or unsafe.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
