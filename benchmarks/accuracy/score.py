"""Hold findings against labels: `python benchmarks/accuracy/score.py FINDINGS.json --packages FOLDER`.

FINDINGS is what `torchlint check --output-format json` printed over the folder, in which each package stands
as `name-version/`; every rule that has labels has to be on. GUIDE.md says what a label is.

A finding belongs to a label of its rule when it stands in the same file from one line before the label's
first to one behind its last. Precision is how many of the labels with a finding are `flag`, recall is how
many of the labels that are `flag` have a finding; `unsure` counts for neither. A finding that belongs to no
label is counted as unlabelled, in files where the rule has labels: it is there to be read and labelled.

Exit status 1 where a rule misses `--min-precision` or `--min-recall`, 2 where something cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from packages import present

HERE = Path(__file__).parent
LABELS = HERE / "labels.jsonl"
PIN = "pypi:"


class ScoreError(Exception):
    """Labels, findings or sources that cannot be read; the text is for the user."""


class Verdict(Enum):
    """What a careful engineer would want a rule to do at a site."""

    FLAG = "flag"
    SILENT = "silent"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Label:
    """One site, judged by reading it."""

    repo: str
    path: str
    line: int
    end: int
    rule: str
    verdict: Verdict
    cat: str
    why: str

    @property
    def pin(self) -> str:
        """The package as pip names it."""
        return self.repo.removeprefix(PIN)

    def __str__(self) -> str:
        return f"{self.pin} {self.path}:{self.line} [{self.cat}] {self.why}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule spoke."""

    rule: str
    file: Path
    line: int


@dataclass(frozen=True, slots=True)
class Score:
    """How the findings of one rule and its labels meet."""

    rule: str
    right: Sequence[Label]
    wrong: Sequence[Label]
    missed: Sequence[Label]
    silent: int
    unsure: int
    unlabelled: Sequence[Finding]

    @property
    def precision(self) -> float | None:
        """`None` where nothing was said at a label that is sure."""
        return _share(len(self.right), len(self.wrong))

    @property
    def recall(self) -> float | None:
        """`None` where no label is `flag`."""
        return _share(len(self.right), len(self.missed))


def labels_of(path: Path) -> list[Label]:
    """The labels of a file, one JSON object a line."""
    found = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(_label(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ScoreError(f"{path}:{number}: no label: {type(error).__name__}: {error}") from error
    return found


def findings_of(path: Path) -> list[Finding]:
    """The findings in what the linter printed as JSON."""
    try:
        return [
            Finding(str(one["code"]), Path(one["filename"]).resolve(), int(one["location"]["row"]))
            for one in json.loads(_text(path))
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ScoreError(f"{path}: no findings: {type(error).__name__}: {error}") from error


def sources(labels: Iterable[Label], packages: Path) -> dict[tuple[str, str], Path]:
    """Where the file of each label is, by the label's repo and path."""
    folders: dict[str, Path] = {}
    files: dict[tuple[str, str], Path] = {}
    for label in labels:
        if label.repo not in folders:
            folder = present(label.pin, packages)
            if folder is None:
                raise ScoreError(f"{packages} has no folder for {label.pin}; run.py downloads it")
            folders[label.repo] = folder.resolve()
        file = folders[label.repo] / label.path
        if (label.repo, label.path) not in files and not file.is_file():
            raise ScoreError(f"{file} is missing: is {folders[label.repo]} the package that was labelled?")
        files[label.repo, label.path] = file
    return files


def score(
    rule: str, labels: Iterable[Label], findings: Iterable[Finding], files: Mapping[tuple[str, str], Path]
) -> Score:
    """How well one rule does at its labels."""
    mine = [label for label in labels if label.rule == rule]
    said: dict[Path, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.rule == rule:
            said[finding.file].append(finding)
    labelled_lines: dict[Path, set[int]] = defaultdict(set)
    for label in mine:
        labelled_lines[files[label.repo, label.path]].update(range(label.line, label.end + 1))
    met: set[Finding] = set()
    with_finding: list[Label] = []
    without: list[Label] = []
    for label in mine:
        file = files[label.repo, label.path]
        near = [one for one in said[file] if label.line - 1 <= one.line <= label.end + 1]
        # One line beside is near enough, unless that line has a label of its own.
        belonging = [
            one for one in near if label.line <= one.line <= label.end or one.line not in labelled_lines[file]
        ]
        met.update(belonging)
        (with_finding if belonging else without).append(label)
    labelled = {files[label.repo, label.path] for label in mine}
    return Score(
        rule,
        right=[label for label in with_finding if label.verdict is Verdict.FLAG],
        wrong=[label for label in with_finding if label.verdict is Verdict.SILENT],
        missed=[label for label in without if label.verdict is Verdict.FLAG],
        silent=sum(label.verdict is Verdict.SILENT for label in without),
        unsure=sum(label.verdict is Verdict.UNSURE for label in mine),
        unlabelled=[one for file in sorted(labelled) for one in said[file] if one not in met],
    )


def table(scores: Iterable[Score], *, unknown: frozenset[str] = frozenset(), show: int = 0) -> Iterator[str]:
    """The lines to print: one a rule, then up to `show` sites of each kind that ask to be read.

    `unknown` are the codes that the linter has no rule for.
    """
    titles = ("precision", "right", "wrong", "recall", "missed", "silent", "unsure", "unlabelled")
    yield f"{'rule':6}" + "".join(f"{title:>11}" for title in titles)
    for one in scores:
        cells = (
            _shown(one.precision),
            len(one.right),
            len(one.wrong),
            _shown(one.recall),
            len(one.missed),
            one.silent,
            one.unsure,
            len(one.unlabelled),
        )
        yield (
            f"{one.rule:6}"
            + "".join(f"{cell:>11}" for cell in cells)
            + ("   no such rule yet" if one.rule in unknown else "")
        )
        for kind, sites in (("wrong", one.wrong), ("missed", one.missed)):
            yield from (f"    {kind} {label}" for label in sites[:show])
        yield from (f"    unlabelled {finding.file}:{finding.line}" for finding in one.unlabelled[:show])


def below(scores: Iterable[Score], *, precision: float | None, recall: float | None) -> list[str]:
    """What falls short of the wanted numbers; a rule without a number falls short of none."""
    return [
        f"{one.rule}: {what} {number:.3f} is less than {wanted}"
        for one in scores
        for what, number, wanted in (
            ("precision", one.precision, precision),
            ("recall", one.recall, recall),
        )
        if number is not None and wanted is not None and number < wanted
    ]


def chosen(labels: Sequence[Label], rules: Sequence[str] | None) -> list[str]:
    """The rules to score: those asked for, or all that have labels."""
    known = sorted({label.rule for label in labels})
    for rule in rules or ():
        if rule not in known:
            raise ScoreError(f"no label is of rule '{rule}'; there are {', '.join(known)}")
    return [rule for rule in known if rules is None or rule in rules]


def add_options(parser: argparse.ArgumentParser) -> None:
    """What this command and run.py ask alike."""
    add = parser.add_argument
    add(
        "--labels",
        type=Path,
        action="append",
        metavar="FILE",
        help="default: labels.jsonl beside this script",
    )
    add("--rule", action="append", metavar="CODE", help="only this rule; may be given more than once")
    add("--show", type=int, default=0, metavar="N", help="list up to N sites of each kind and rule")
    add("--min-precision", type=float, metavar="P", help="exit with 1 where a rule has less")
    add("--min-recall", type=float, metavar="R", help="exit with 1 where a rule has less")


def main() -> int:
    """Print the table for findings from a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("findings", type=Path, metavar="FINDINGS", help="JSON that torchlint printed")
    parser.add_argument(
        "--packages", type=Path, required=True, metavar="FOLDER", help="what it was printed for"
    )
    add_options(parser)
    options = parser.parse_args()
    try:
        labels = [label for path in options.labels or [LABELS] for label in labels_of(path)]
        rules = chosen(labels, options.rule)
        labels = [label for label in labels if label.rule in rules]
        files = sources(labels, options.packages)
        findings = findings_of(options.findings)
    except ScoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    scores = [score(rule, labels, findings, files) for rule in rules]
    print(*table(scores, show=options.show), sep="\n")
    short = below(scores, precision=options.min_precision, recall=options.min_recall)
    print(*short, sep="\n", end="\n" if short else "")
    return 1 if short else 0


def _label(given: dict[str, object]) -> Label:
    line = int(str(given["line"]))
    label = Label(
        repo=str(given["repo"]),
        path=str(given["path"]),
        line=line,
        end=int(str(given.get("end", line))),
        rule=str(given["rule"]),
        verdict=Verdict(given["verdict"]),
        cat=str(given.get("cat", "")),
        why=str(given.get("why", "")),
    )
    if not label.repo.startswith(PIN):
        raise ValueError(f"'repo' has to be '{PIN}name==version', not '{label.repo}'")
    return label


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScoreError(f"cannot read {path}: {error}") from error


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None


def _shown(number: float | None) -> str:
    return "-" if number is None else f"{number:.3f}"


if __name__ == "__main__":
    sys.exit(main())
