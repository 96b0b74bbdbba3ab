"""The exceptions of torchlint, as one tree.

TorchlintError
├── ConfigError        the user's options are wrong: exit 2
├── ProveError         a program could not be run to prove anything: exit 2
├── UnreadableSource   a file is not readable Python: one TL001, the run goes on
└── InternalError      torchlint itself failed: one TL002, the run goes on
"""

from __future__ import annotations


class TorchlintError(Exception):
    """The root: everything torchlint raises on purpose."""


class ConfigError(TorchlintError):
    """An option or a configuration key that cannot be used; says key, value and what is allowed."""


class ProveError(TorchlintError):
    """A program that was to be run and watched could not be, or ended without a word; says which, and how."""


class UnreadableSource(TorchlintError):
    """Bytes that are not readable Python source.

    `line` counts from 1 and `column` from 0, in code points, where the reader gave up.
    """

    def __init__(self, reason: str, *, line: int = 1, column: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


class InternalError(TorchlintError):
    """A defect of torchlint, met while it read one file."""
