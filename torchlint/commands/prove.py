"""`torchlint prove`: what the installed torch does."""

from __future__ import annotations

import argparse
import signal
import sys


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Tell the parser of it."""
    prove = commands.add_parser(
        "prove",
        help="run the examples of rules, or a script, on the installed torch, and say what torch did",
        description="Run rule pages or one script on the installed torch and hold the findings against what "
        "torch did. A script is executed, more than once where it has no_grad regions.",
        allow_abbrev=False,
    )
    prove.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="CODE ... | SCRIPT [ARGS ...]",
        help="rule codes or names (default: all), or a script with its own arguments",
    )
    prove.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import subprocess

    # A process of its own: it imports torch and runs programs, which the linter itself never does.
    command = [sys.executable, "-m", "torchlint.prove", *options.words]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.run(command).returncode
    finally:
        signal.signal(signal.SIGINT, before)
