"""`torchlint baseline`: what is found, into a file; and what a check says of such a file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from torchlint.commands import overriding, warn
from torchlint.errors import ConfigError

if TYPE_CHECKING:
    from torchlint.config import Config
    from torchlint.runner import Checked


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Tell the parser of it."""
    baseline = commands.add_parser(
        "baseline",
        help="write what is found to a file, so that `check --baseline` tells of new findings only",
        allow_abbrev=False,
    )
    baseline.set_defaults(run=_run)
    baseline.add_argument("file", metavar="FILE", help="the baseline; one that is there is replaced")
    overriding.add_options(baseline)


def tell_gone(results: Iterable[Checked], configs: Iterable[Config], here: Config) -> None:
    """Say how much of the baseline is no longer there. Files that could not be read are not counted.

    `configs` are those of the results, `here` is that of the working folder, for files that are gone.
    """
    from torchlint.baseline import load

    assert here.baseline is not None, "asked for with a baseline only"
    baseline = load(here.baseline)
    count = baseline.gone_with_files(here)
    for result, config in zip(results, configs, strict=True):
        lost = any(one.about_file for one in result.diagnostics)
        if not lost and os.path.exists(result.filename):
            count += baseline.gone(result.filename, result.known, config.for_file(result.filename))
    if count:
        verb = "is" if count == 1 else "are"
        command = f"torchlint baseline {here.baseline}"
        print(f"{count} of the baseline {verb} gone; `{command}` writes a new one", file=sys.stderr)


def _run(options: argparse.Namespace) -> int:
    from torchlint.baseline import gather, require_place, save
    from torchlint.runner import check_files

    if "-" in options.paths:
        raise ConfigError("a baseline is about files, not about standard input")
    require_place(options.file)
    overrides = overriding.settle(options)
    options.baseline = None  # a new one has everything, whatever a configuration file says is known
    files, configs = overriding.files_of(options, overrides)
    results = list(check_files(files, configs, jobs=options.jobs))
    told = [one for result in results for one in result.diagnostics if one.about_file]
    for one in told:
        warn(f"{one.filename}:{one.line}: {one.code} {one.message}")
    baseline = gather(options.file, ((result.filename, result.keys) for result in results))
    save(options.file, baseline)
    count = sum(sum(counts.values()) for counts in baseline.files.values())
    findings = "finding" if count == 1 else "findings"
    homes = "file" if len(baseline.files) == 1 else "files"
    print(f"Wrote {count} {findings} of {len(baseline.files)} {homes} to {options.file}.")
    return 2 if any(one.code == "TL002" for one in told) else 0
