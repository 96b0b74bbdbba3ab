"""The options that a configuration file may hold: the only list of them.

What is validated, what `torchlint config` tells, the schema for editors and the list in the documentation are
made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from torchlint.files import EXCLUDED, INCLUDED


class Kind(Enum):
    """What the value of an option is, in words."""

    FLAG = "true or false"
    CODES = "a list of rule codes, prefixes or names"
    PATTERNS = "a list of patterns"
    NAMES = "a list of function names"
    FILE_CODES = "a table of patterns and rule codes"
    PATH = "a path"
    RELEASE = "a release such as '1.13'"
    COUNT = "a whole number from 1"
    FORMAT = "an output format"
    RULES = "a table for each rule"


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    `default` is what holds where nobody gives it, `example` a line of TOML, `since` the first torchlint that
    knows it. `whole_run` says that what holds in the working folder decides for all files of a run.
    """

    name: str
    kind: Kind
    default: object
    doc: str
    example: str
    since: str = "0.2.0"
    whole_run: bool = False


_LIST = (
    Option(
        "extend",
        Kind.PATH,
        None,
        "Another configuration file, whose values hold where this one says nothing. The path is taken from "
        "the folder of this file.",
        'extend = "../torchlint.toml"',
    ),
    Option(
        "select",
        Kind.CODES,
        None,
        "The rules that run, instead of those that are on by default. `ALL` means every rule. Of two "
        "prefixes the longer one decides, and of two equal ones `ignore`.",
        'select = ["TL1", "TL301", "graph-kept"]',
    ),
    Option("extend-select", Kind.CODES, (), "Rules that run besides.", 'extend-select = ["TL204", "TL404"]'),
    Option(
        "ignore",
        Kind.CODES,
        (),
        "Rules that do not run. An empty list takes back what the file that is extended ignores.",
        'ignore = ["TL201"]',
    ),
    Option(
        "extend-ignore",
        Kind.CODES,
        (),
        "Rules that do not run either; of several files that extend each other, each adds its own.",
        'extend-ignore = ["TL4"]',
    ),
    Option(
        "per-file-ignores",
        Kind.FILE_CODES,
        (),
        "Rules that do not run in the files that a pattern means; `!` before the pattern means all others.",
        'per-file-ignores = { "experiments/**" = ["TL4"], "!src/**" = ["TL101"] }',
    ),
    Option(
        "extend-per-file-ignores",
        Kind.FILE_CODES,
        (),
        "The same, beside what `per-file-ignores` says, here or in the file that is extended.",
        'extend-per-file-ignores = { "tests/**" = ["TL"] }',
    ),
    Option(
        "exclude",
        Kind.PATTERNS,
        EXCLUDED,
        "Files and folders that a walk leaves out, instead of the usual ones. A pattern without a slash "
        "means any part of that name, one with a slash a path from the folder of this file; `*` crosses "
        "folders.",
        'exclude = [".venv", "third_party/*"]',
    ),
    Option(
        "extend-exclude",
        Kind.PATTERNS,
        (),
        "Files and folders that a walk leaves out besides.",
        'extend-exclude = ["notebooks"]',
    ),
    Option(
        "include",
        Kind.PATTERNS,
        INCLUDED,
        "The files that a walk takes.",
        'include = ["*.py", "src/*.pyw"]',
    ),
    Option(
        "force-exclude",
        Kind.FLAG,
        False,
        "Leave excluded files out even where they are named on the command line, as pre-commit does.",
        "force-exclude = true",
        whole_run=True,
    ),
    Option(
        "respect-gitignore",
        Kind.FLAG,
        True,
        "Leave out of a walk what git ignores: `.gitignore`, `.git/info/exclude` and the user's own file. "
        "Needs git; what git tracks is never ignored.",
        "respect-gitignore = false",
        whole_run=True,
    ),
    Option(
        "project",
        Kind.FLAG,
        True,
        "Read what a file imports from its project, and who calls it there.",
        "project = false",
    ),
    Option(
        "log-functions",
        Kind.NAMES,
        (),
        "Functions that log what they are given, and do nothing else with it. A dotted name is spelled as "
        "it is imported, `.name` is a method of anything, `package.*` all of a package, and a name without a "
        "dot a function wherever it comes from.",
        'log-functions = ["metrics.report", ".emit"]',
    ),
    Option(
        "eval-functions",
        Kind.NAMES,
        (),
        "Functions that put the modules they are given in evaluation mode, and methods that do so with their "
        "object. Where a `with` statement enters what one gives, the modes are put back at its end.",
        'eval-functions = ["freeze_for_eval", "engine.evaluating"]',
    ),
    Option(
        "model-loaders",
        Kind.NAMES,
        (),
        "Functions that return a module in evaluation mode.",
        'model-loaders = ["zoo.load", ".load_for_inference"]',
    ),
    Option(
        "target-torch",
        Kind.RELEASE,
        None,
        "The oldest torch that the code is to run on. Below 1.9, which brought `inference_mode`, TL401 and "
        "TL404 stay silent; nothing else depends on it.",
        'target-torch = "1.8"',
    ),
    Option(
        "baseline",
        Kind.PATH,
        None,
        "A file of known findings, which are not reported; `torchlint baseline FILE` writes it. The path is "
        "taken from the folder of this file; an empty one means none.",
        'baseline = "torchlint-baseline.json"',
        whole_run=True,
    ),
    Option("fix", Kind.FLAG, False, "Make the safe fixes.", "fix = true", whole_run=True),
    Option(
        "unsafe-fixes",
        Kind.FLAG,
        False,
        "Make also the fixes that may change what the program does.",
        "unsafe-fixes = true",
        whole_run=True,
    ),
    Option(
        "fixable",
        Kind.CODES,
        None,
        "The rules whose fixes are offered and made, instead of all.",
        'fixable = ["TL2", "TL401"]',
    ),
    Option("extend-fixable", Kind.CODES, (), "Rules whose fixes are, besides.", 'extend-fixable = ["TL301"]'),
    Option(
        "unfixable",
        Kind.CODES,
        (),
        "Rules whose findings are told without a fix. Of two prefixes here and in `fixable` the longer one "
        "decides, and of two equal ones this one.",
        'unfixable = ["TL401"]',
    ),
    Option(
        "extend-safe-fixes",
        Kind.CODES,
        (),
        "Rules whose fixes count as safe, whatever they may change.",
        'extend-safe-fixes = ["TL101"]',
    ),
    Option(
        "extend-unsafe-fixes",
        Kind.CODES,
        (),
        "Rules whose fixes are made only with `unsafe-fixes`.",
        'extend-unsafe-fixes = ["TL401"]',
    ),
    Option(
        "output-format",
        Kind.FORMAT,
        "full",
        "How findings are shown.",
        'output-format = "concise"',
        whole_run=True,
    ),
    Option(
        "jobs",
        Kind.COUNT,
        None,
        "How many processes check files; without it one for each core, where there are many files.",
        "jobs = 4",
        whole_run=True,
    ),
    Option(
        "rules",
        Kind.RULES,
        (),
        "What single rules ask, under their codes or names: see the options of their pages.",
        "rules.TL202.graph-nodes = false",
    ),
)

OPTIONS: dict[str, Option] = {option.name: option for option in _LIST}


def unknown(key: str) -> str:
    """The error about a key that no option has."""
    from torchlint.spelling import meant

    return f"unknown key '{key}'; {meant(key, OPTIONS, otherwise='`torchlint config` lists them')}"
