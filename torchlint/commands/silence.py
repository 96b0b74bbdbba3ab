"""`torchlint check --add-noqa` and `--add-ignore`: comments instead of a report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchlint.commands import warn
from torchlint.errors import ConfigError

if TYPE_CHECKING:
    from torchlint.runner import Checked
    from torchlint.silence import Silenced


@dataclass(frozen=True, slots=True)
class Adding:
    """Which comments are wanted: `noqa` or torchlint's own, with a reason or none."""

    noqa: bool
    reason: str


def adding(options: argparse.Namespace) -> Adding | None:
    """What the options ask for; `None` where that is a report. Raises ConfigError where they do not agree."""
    given = {
        f"--{name.replace('_', '-')}": value
        for name in ("add_noqa", "add_ignore", "fix", "ignore_noqa")
        if (value := getattr(options, name)) is not None and value is not False
    }
    wanted = [name for name in given if name.startswith("--add")]
    if not wanted:
        return None
    if len(given) > 1:
        other = next(name for name in given if name != wanted[0])
        raise ConfigError(f"{wanted[0]} does not go with {other}")
    reason = given[wanted[0]].strip()
    if len(reason.splitlines()) > 1:
        raise ConfigError(f"the reason of {wanted[0]} is one line")
    return Adding(wanted[0] == "--add-noqa", reason)


def write_comments(results: Iterable[Checked], wanted: Adding) -> int:
    """Silence what was found in some files, write them, and say how many comments that took."""
    from torchlint.saving import write

    count = 0
    for result in results:
        done = _silenced(result, wanted)
        if done is None or result.source is None:
            continue
        try:
            write(result.filename, done.source.to_bytes(), instead_of=result.source.to_bytes())
        except (OSError, UnicodeError) as error:
            warn(f"{result.filename} is left as it was: {_why(error)}")
        else:
            count += done.count
    return _told(count, wanted)


def print_with_comments(result: Checked, data: bytes, wanted: Adding) -> int:
    """The same for standard input, which goes to standard output."""
    done = _silenced(result, wanted)
    sys.stdout.buffer.write(data if done is None else done.source.to_bytes())
    return _told(0 if done is None else done.count, wanted)


def _silenced(result: Checked, wanted: Adding) -> Silenced | None:
    """The source with its comments, where it takes any; what it does not take is told."""
    from torchlint.comments import Spelling
    from torchlint.silence import silence

    for one in result.diagnostics:
        if one.about_file:
            warn(f"{one.filename}:{one.line}: {one.code} {one.message}")
    if result.source is None:
        return None
    if any(one.cell is not None for one in result.diagnostics):
        warn(f"{result.filename} is left as it was: comments are not put into notebooks")
        return None
    spelling = Spelling.NOQA if wanted.noqa else Spelling.IGNORE
    done = silence(result.source, result.diagnostics, spelling, reason=wanted.reason)
    for one in done.left:
        warn(f"{one.filename}:{one.line}: {one.code} is left: no comment can stand there")
    return done if done.count else None


def _why(error: OSError | UnicodeError) -> str:
    from torchlint.files import reason

    if isinstance(error, UnicodeEncodeError):
        return f"its encoding, {error.encoding}, lacks {error.object[error.start : error.end]!r}"
    return reason(error) if isinstance(error, OSError) else str(error)


def _told(count: int, wanted: Adding) -> int:
    kind = "noqa" if wanted.noqa else "ignore"
    print(f"Added {count} {kind} comment{'' if count == 1 else 's'}.", file=sys.stderr)
    return 0
