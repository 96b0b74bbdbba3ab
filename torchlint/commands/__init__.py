"""The commands, one a module: `add` tells the parser of it, and its function gives the exit status."""

from __future__ import annotations

import sys

from torchlint.errors import ConfigError
from torchlint.spelling import meant


def known(word: str, wanted: dict[str, str], what: str) -> str:
    """What a user's word means, in any case. Raises ConfigError that names the nearest right word."""
    for spelling in (word, word.upper(), word.lower()):
        if spelling in wanted:
            return wanted[spelling]
    hint = meant(word, wanted, otherwise="`torchlint rule` lists them", shortest=len("TL101"))
    raise ConfigError(f"unknown {what} '{word}'; {hint}")


def warn(message: str) -> None:
    """Tell the user something that ends nothing."""
    print(f"warning: {message}", file=sys.stderr)
