"""The options of the command that stand above configuration files, and what holds with both."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torchlint.commands import warn
from torchlint.errors import ConfigError

if TYPE_CHECKING:
    from torchlint.config import Config
    from torchlint.settings import Given, Overrides

_LAYER = "the options"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Tell the parser of what is checked, by files and rules; `None` stands for not given."""
    add: Callable[..., Any] = parser.add_argument
    parser.set_defaults(stdin_filename=None, ignore_noqa=False, baseline=None)
    add(
        "paths",
        nargs="*",
        default=[os.curdir],
        metavar="PATH",
        help="files, folders, - for standard input, or @FILE that holds paths, one a line (default: .)",
    )
    codes, patterns = {"action": "append", "metavar": "CODES"}, {"action": "append", "metavar": "PATTERNS"}
    pairs = {"action": "append", "metavar": "PATTERN:CODE,..."}
    switch = {"action": argparse.BooleanOptionalAction}
    add(
        "--config",
        action="append",
        metavar="FILE | KEY=VALUE",
        help="this configuration file instead of those around the files; or one value, as in TOML",
    )
    add("--isolated", action="store_true", help="read no configuration file")
    add("--select", **codes, help="only these rules: codes, prefixes or names")
    add("--extend-select", **codes, help="these rules besides")
    add("--ignore", **codes, help="not these rules; the longer prefix wins")
    add("--extend-ignore", **codes, help="nor these")
    add("--per-file-ignores", **pairs, help="not these rules in the files that a pattern means")
    add("--extend-per-file-ignores", **pairs, help="nor these")
    add("--target-torch", metavar="RELEASE", help="the oldest torch that the code is to run on")
    add("--exclude", **patterns, help="leave these out instead of the usual folders")
    add("--extend-exclude", **patterns, help="leave these out too")
    add("--force-exclude", **switch, help="leave them out even where they are named as PATH")
    add("--respect-gitignore", **switch, help="leave out what git ignores (default)")
    add(
        "--project",
        **switch,
        help="read what a file imports and who calls it (default)",
    )
    add("--jobs", "-j", type=_count, metavar="N", help="processes (default: one for each core)")


def settle(options: argparse.Namespace) -> Overrides:
    """What stands above configuration files; what those say of the whole run is put where the options are.

    Those around standard input's name decide, or else those around the working folder. Raises ConfigError.
    """
    from torchlint.files import relative
    from torchlint.options import OPTIONS, Kind
    from torchlint.settings import NO_OVERRIDES, Overrides, given_by, settings_for

    file, given = _configured(options.config or ())
    for name, option in OPTIONS.items():
        value = getattr(options, name.replace("-", "_"), None)
        if value is None or name == "extend":
            continue
        flag = f"--{name}"
        if option.kind in (Kind.CODES, Kind.PATTERNS):
            value = split(value)
        elif option.kind is Kind.FILE_CODES:
            value = _pairs(value, flag)
        given.append(given_by(name, value, flag, label=flag, layer=_LAYER))
    overrides = Overrides(tuple(given), file, options.isolated)
    if overrides == NO_OVERRIDES:
        overrides = NO_OVERRIDES
    around = settings_for(options.stdin_filename or os.curdir, overrides)
    for name, option in OPTIONS.items():
        if option.whole_run:
            setattr(options, name.replace("-", "_"), around.value(name))
    options.baseline = relative(options.baseline) if options.baseline else None
    return overrides


def config_of(filename: str, options: argparse.Namespace, overrides: Overrides) -> Config:
    """What decides what is found in a file. Raises ConfigError."""
    from torchlint.settings import settings_for

    config = settings_for(filename, overrides).config
    wanted = replace(
        config,
        unsafe_fixes=options.unsafe_fixes,
        noqa=not options.ignore_noqa,
        baseline=options.baseline,
    )
    return config if wanted == config else wanted  # one object for many files is compared faster


def files_of(
    options: argparse.Namespace, overrides: Overrides, *, tell: Callable[[str], None] = warn
) -> tuple[list[str], list[Config]]:
    """The files that the options name, and what decides in each. Raises ConfigError."""
    files = find(options.paths, options, overrides, tell=tell)
    if not files:
        tell("no Python files found under the given path(s)")
    return files, [config_of(name, options, overrides) for name in files]


def find(
    paths: Iterable[str],
    options: argparse.Namespace,
    overrides: Overrides,
    *,
    tell: Callable[[str], None] = warn,
) -> list[str]:
    """The files to check. Raises ConfigError."""
    from torchlint.files import find_files
    from torchlint.settings import settings_of

    return find_files(
        paths,
        sieve_of=lambda folder: settings_of(folder, overrides),
        force_exclude=options.force_exclude,
        respect_gitignore=options.respect_gitignore,
        warn=tell,
    )


def split(given: Iterable[str]) -> list[str]:
    """The words of an option that may be given several times, each time with several words."""
    return [piece.strip() for text in given for piece in text.split(",") if piece.strip()]


def _configured(texts: Iterable[str]) -> tuple[str | None, list[Given]]:
    """The file that `--config` names, and the values that it gives."""
    from torchlint import tomlfile
    from torchlint.settings import given_by

    file: str | None = None
    given: list[Given] = []
    for text in texts:
        if os.path.isfile(text):
            if file is not None:
                raise ConfigError(f"--config names two files, '{file}' and '{text}'")
            file = os.path.abspath(text)
        elif "=" not in text:
            raise ConfigError(f"--config '{text}' is neither a file nor KEY = VALUE")
        else:
            where = f"--config '{text}'"
            for name, value in tomlfile.parse(text, where).items():
                given.append(given_by(name, value, where, label=f"'{name}' of --config", layer="--config"))
    return file, given


def _pairs(given: Iterable[str], flag: str) -> dict[str, list[str]]:
    """`tests/*:TL1,tests/*:TL2` as a configuration file has it."""
    found: dict[str, list[str]] = {}
    for pair in split(given):
        pattern, colon, code = pair.rpartition(":")
        if not colon or not pattern.strip() or not code.strip():
            raise ConfigError(f"{flag} wants PATTERN:CODE, not '{pair}'")
        found.setdefault(pattern.strip(), []).append(code.strip())
    return found


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 is wanted, not '{text}'")
    return number
