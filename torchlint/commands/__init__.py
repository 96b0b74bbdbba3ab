"""The commands, one a module: `add` tells the parser of it, and its function gives the exit status."""

from __future__ import annotations

import sys

from torchlint.errors import ConfigError


def known(word: str, wanted: dict[str, str], what: str) -> str:
    """What a user's word means, in any case. Raises ConfigError that names the nearest right word."""
    for spelling in (word, word.upper(), word.lower()):
        if spelling in wanted:
            return wanted[spelling]
    from difflib import get_close_matches

    alike = {key.lower(): key for key in wanted if len(key) >= min(len(word), len("TL101"))}
    near = get_close_matches(word.lower(), alike, n=3, cutoff=0.6)
    # Of codes equally alike the one of the same topic.
    near.sort(key=lambda key: not word.lower().startswith(key[: len("TL1")]))
    hint = f"did you mean '{alike[near[0]]}'?" if near else "`torchlint rule` lists them"
    raise ConfigError(f"unknown {what} '{word}'; {hint}")


def warn(message: str) -> None:
    """Tell the user something that ends nothing."""
    print(f"warning: {message}", file=sys.stderr)
