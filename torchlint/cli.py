"""The command: arguments in, a report and an exit status out.

Exit status: 0 nothing found, 1 something found, 2 wrong usage or a defect of torchlint (TL002 too),
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Sequence

from torchlint import __version__
from torchlint.commands import baseline, check, completion, config, prove, rule, server
from torchlint.errors import TorchlintError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status. Nothing that goes wrong shows a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # File names and sources may hold what the terminal's encoding lacks.
            stream.reconfigure(errors="backslashreplace")
    # A source's own syntax warnings are for Python to show when it runs.
    warnings.simplefilter("ignore")
    try:
        options = _parser().parse_args(words := _spelled(argv))
        if vars(options).get("paths") == [os.curdir] and _is_an_empty_list(words):
            options.paths = []
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        # What processes have begun is ended before the exit; a second Ctrl-C does not wait for it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        return check.INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough. Python would complain of the closed pipe again while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except TorchlintError as error:
        return _failed(str(error))
    except Exception as error:
        return _failed(f"torchlint failed: {type(error).__name__}: {error}")


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def _spelled(argv: Sequence[str] | None) -> list[str]:
    """The words for the parser: a value that may be left out stands behind '=' and is never the next word."""
    words = list(sys.argv[1:] if argv is None else argv)
    end = words.index("--") if "--" in words else len(words)
    optional = check.OPTIONAL_VALUES if words[:1] == ["check"] else ()
    return [f"{word}=" if word in optional and at < end else word for at, word in enumerate(words)]


def _is_an_empty_list(words: Sequence[str]) -> bool:
    """Whether the paths were to come from files and none did; that is not the working folder."""
    return (
        words[:1] == ["check"]
        and os.curdir not in words
        and any(word.startswith("@") and len(word) > 1 for word in words)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torchlint",
        description="Find the mistakes in PyTorch code that torch itself stays silent about.",
        epilog="Exit status: 0 nothing found, 1 something found, 2 wrong usage or a defect of torchlint.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"torchlint {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (check, baseline, rule, config, prove, server, completion):
        command.add(commands)
    return parser
