"""torchlint inside flake8: tree and lines in, tuples out.

`# noqa`, `--per-file-ignores` and syntax errors are flake8's own affair. Nothing beyond the standard
library is imported before a file says `torch`.
"""

from __future__ import annotations

import ast
from argparse import Namespace
from collections.abc import Iterator
from typing import Any, ClassVar

from torchlint import __version__
from torchlint.rules import RULES


class Plugin:
    """One file of a flake8 run."""

    name = "torchlint"
    version = __version__
    selected: ClassVar[tuple[str, ...]] = ()
    """The codes of the rules to run, from flake8's options."""
    project: ClassVar[bool] = True
    """Whether other files of the project are read."""

    def __init__(self, tree: ast.Module, filename: str, lines: list[str]) -> None:
        self.tree = tree
        self.filename = filename
        self.lines = lines

    @staticmethod
    def add_options(manager: Any) -> None:
        """Tell flake8 our options, and which rules are off by default."""
        manager.add_option(
            "--torchlint-no-project",
            action="store_true",
            parse_from_config=True,
            help="let torchlint read each file by itself, not what it imports or who calls it",
        )
        manager.extend_default_ignore([rule.code for rule in RULES if not rule.on_by_default()])

    @classmethod
    def parse_options(cls, options: Namespace) -> None:
        """Settle which rules run; flake8 calls this in every process that does not inherit it."""
        cls.selected = tuple(
            rule.code for rule in RULES if _is_selected(rule.code, options, default=rule.on_by_default())
        )
        cls.project = not getattr(options, "torchlint_no_project", False)

    def run(self) -> Iterator[tuple[int, int, str, type]]:
        """Line from 1, column from 0 in code points, text: flake8 adds one to the column."""
        if not self.selected or not any("torch" in line for line in self.lines):
            return
        from torchlint.config import Config
        from torchlint.engine import check
        from torchlint.noqa import unsuppressed
        from torchlint.runner import shared_project
        from torchlint.source import Source

        # Never the file itself: flake8 may have read it from standard input.
        source = Source.from_text("".join(self.lines), self.filename)
        project = shared_project() if self.project else None
        found = check(source, Config(select=self.selected), tree=self.tree, project=project)
        for diagnostic in unsuppressed(source, found, noqa=False):
            text = f"{diagnostic.code} {diagnostic.message}"
            yield diagnostic.line, diagnostic.column, text, type(self)


def _is_selected(code: str, options: Namespace, *, default: bool) -> bool:
    """Whether flake8 would show this code.

    Any `ignore = …` of the user replaces flake8's list of codes that are off by default, so a rule
    that is off runs only where `select` or `extend-select` names it.
    """
    if not default:
        chosen = (*(options.select or ()), *(options.extend_select or ()))
        if not any(code.startswith(prefix) for prefix in chosen):
            return False
    try:
        from flake8.style_guide import Decision, DecisionEngine

        return bool(DecisionEngine(options).decision_for(code) is Decision.Selected)
    except (ImportError, AttributeError, TypeError):
        # Not a public interface: without it flake8 drops what is not selected when it reports.
        return True
