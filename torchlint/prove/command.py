"""`torchlint prove`: rule pages and scripts, run on the torch that is installed here.

Exit status: for codes 0 where torch does what the pages say, else 1; for a script 1 where a finding is
confirmed or a fault was seen without one, else 0; 2 where nothing could be run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from torchlint.errors import ConfigError, ProveError, TorchlintError
from torchlint.prove.versions import TESTED
from torchlint.rules import RULES


def main(words: Sequence[str]) -> int:
    """Prove what the words name; gives the exit status. What stops it is one line on stderr, and 2."""
    try:
        codes = {word: rule.code for rule in RULES for word in (rule.code, rule.code.lower(), rule.name)}
        script = None if all(word in codes for word in words) else _script(words[0])
        _require_torch()
        if script is not None:
            from torchlint.prove.script_report import prove_script

            return prove_script(script, words[1:], name=words[0])
        from torchlint.prove.page_report import prove_page

        wanted = dict.fromkeys([codes[word] for word in words] or [rule.code for rule in RULES])
        differing = [code for code in wanted if prove_page(code)]
        return int(bool(differing))
    except TorchlintError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _script(word: str) -> Path:
    path = Path(os.path.abspath(word))
    if path.is_file():
        return path
    if path.is_dir():
        raise ConfigError(f"'{word}' is a folder; prove runs one script, or rule codes")
    raise ConfigError(f"'{word}' is neither a rule code nor a file")


def _require_torch() -> None:
    if find_spec("torch") is None:
        raise ProveError(
            f"prove runs torch, and there is none for {sys.executable}; install it there:\n"
            f"  {sys.executable} -m pip install torch\n"
            f"(the tables of torchlint are measured on torch {TESTED})"
        )
