"""How right torchlint is on code of others: `python benchmarks/accuracy/run.py [--rule TL101] [--show N]`.

Downloads the packages of packages.txt that have labels and are not there yet (all: about 160 MB), unpacks
each into `name-version/` of `--packages` (build/accuracy), checks them with all rules on, and prints the
table of score.py: precision and recall a rule, and with `--show N` the sites that ask to be read.
`--only-labelled` checks the labelled files alone; the table is the same, sooner. The labels are in
labels.jsonl, and GUIDE.md says how they were made.

Exit status 0, 1 where a rule misses `--min-precision` or `--min-recall`, 2 where a package cannot be had, its
files are not those that were labelled, or torchlint failed on a file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

# The torchlint of this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from packages import PackageError, fetched, pins, present
from score import LABELS, Finding, ScoreError, add_options, below, chosen, labels_of, score, sources, table

from torchlint.config import Config
from torchlint.errors import TorchlintError
from torchlint.files import find_files
from torchlint.rules import RULES
from torchlint.runner import check_files
from torchlint.settings import settings_of

HERE = Path(__file__).resolve().parent
PACKAGES = HERE.parents[1] / "build" / "accuracy"
EVERY_RULE = Config(select=("TL",))


def found_in(paths: Iterable[Path], *, jobs: int | None) -> tuple[list[Finding], list[str]]:
    """What torchlint says, and which files it failed on."""
    findings, failed = [], []
    files = find_files(map(str, paths), sieve_of=settings_of, warn=_warn)
    for checked in check_files(files, EVERY_RULE, jobs=jobs):
        file = Path(checked.filename).resolve()
        for one in checked.diagnostics:
            findings.append(Finding(one.code, file, one.line))
            if one.code == "TL002":
                failed.append(f"{file}: {one.message}")
    return findings, failed


def folders(wanted: Sequence[str], packages: Path) -> list[Path]:
    """The folders of pinned packages, downloaded one by one where they are missing."""
    pinned = set(pins(HERE / "packages.txt"))
    for pin in wanted:
        if pin not in pinned:
            raise PackageError(f"{pin} has labels and no line in packages.txt")
    missing = [pin for pin in wanted if present(pin, packages) is None]
    for number, pin in enumerate(missing, 1):
        print(f"downloading {pin} ({number} of {len(missing)})", file=sys.stderr)
        fetched(pin, packages)
    return [fetched(pin, packages) for pin in wanted]


def main() -> int:
    """Print the table, and say what falls short."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--packages", type=Path, default=PACKAGES, metavar="FOLDER", help="build/accuracy")
    add("--only-labelled", action="store_true", help="check the labelled files, not the whole packages")
    add("--jobs", type=int, metavar="N", help="processes (one for each core)")
    add_options(parser)
    options = parser.parse_args()
    try:
        labels = [label for path in options.labels or [LABELS] for label in labels_of(path)]
        rules = chosen(labels, options.rule)
        labels = [label for label in labels if label.rule in rules]
        there = folders(sorted({label.pin for label in labels}), options.packages)
        files = sources(labels, options.packages)
        # A labelled file may stand in a folder that a walk leaves out, such as build/.
        paths = [*([] if options.only_labelled else there), *sorted(set(files.values()))]
        findings, failed = found_in(paths, jobs=options.jobs)
    except (PackageError, ScoreError, TorchlintError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    scores = [score(rule, labels, findings, files) for rule in rules]
    unknown = frozenset(rules) - {rule.code for rule in RULES}
    print(*table(scores, unknown=unknown, show=options.show), sep="\n")
    short = below(scores, precision=options.min_precision, recall=options.min_recall)
    for line in short:
        print(line)
    for line in failed:
        print(f"error: {line}", file=sys.stderr)
    return 2 if failed else 1 if short else 0


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
