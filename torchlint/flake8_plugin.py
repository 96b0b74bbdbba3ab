"""torchlint inside flake8: tree and lines in, tuples out.

`# noqa`, `--per-file-ignores` and syntax errors are flake8's own affair. What torchlint's configuration files
say of a file holds here too; of what is found flake8 shows what its own options select. Nothing beyond the
standard library is imported before a file says `torch`.
"""

from __future__ import annotations

import ast
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from torchlint import __version__
from torchlint.config import Config
from torchlint.errors import ConfigError
from torchlint.rules import RULES
from torchlint.settings import NO_OVERRIDES, Overrides, settings_for


class Plugin:
    """One file of a flake8 run."""

    name = "torchlint"
    version = __version__
    selected: ClassVar[tuple[str, ...]] = ()
    """The codes of the rules to run, from flake8's options."""
    named: ClassVar[tuple[str, ...]] = ()
    """Those that are off by default, and that flake8's options name."""
    project: ClassVar[bool] = True
    """Whether other files of the project are read, if torchlint's configuration lets them."""
    overrides: ClassVar[Overrides] = NO_OVERRIDES
    """Stands above torchlint's configuration files."""

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
        manager.add_option(
            "--torchlint-isolated",
            action="store_true",
            parse_from_config=True,
            help="let torchlint read none of its own configuration files",
        )
        # flake8 drops what is in this list whatever we say of it, so what our configuration turns on is not.
        try:
            here = settings_for(".").config
        except ConfigError:
            here = None  # `parse_options` tells of it, unless nothing is to be read
        manager.extend_default_ignore(
            [
                rule.code
                for rule in RULES
                if not rule.on_by_default()
                and not (here is not None and here.enables(rule.code, default=False))
            ]
        )

    @classmethod
    def parse_options(cls, options: Namespace) -> None:
        """Settle which rules run; flake8 calls this in every process that does not inherit it."""
        cls.overrides = Overrides(isolated=bool(getattr(options, "torchlint_isolated", False)))
        here = _settled(".", cls.overrides)
        cls.named = tuple(
            rule.code for rule in RULES if not rule.on_by_default() and _names(rule.code, options)
        )
        cls.selected = tuple(
            rule.code
            for rule in RULES
            if _is_selected(rule.code, options)
            and (rule.on_by_default() or rule.code in cls.named or here.enables(rule.code, default=False))
        )
        cls.project = not getattr(options, "torchlint_no_project", False)

    def run(self) -> Iterator[tuple[int, int, str, type]]:
        """Line from 1, column from 0 in code points, text: flake8 adds one to the column."""
        if not self.selected or not any("torch" in line for line in self.lines):
            return
        from torchlint.engine import check
        from torchlint.noqa import unsuppressed
        from torchlint.runner import shared_project
        from torchlint.source import Source

        # Never the file itself: flake8 may have read it from standard input.
        source = Source.from_text("".join(self.lines), self.filename)
        config = self._config()
        project = shared_project() if config.project else None
        found = check(source, config, tree=self.tree, project=project)
        for diagnostic in unsuppressed(source, found, noqa=False):
            text = f"{diagnostic.code} {diagnostic.message}"
            yield diagnostic.line, diagnostic.column, text, type(self)

    def _config(self) -> Config:
        """What our configuration says of the file, with nothing on that flake8 does not show."""
        config = _settled(self.filename, self.overrides)
        on = tuple(
            rule.code
            for rule in RULES
            if rule.code in self.selected
            and config.enables(rule.code, default=rule.on_by_default() or rule.code in self.named)
        )
        project = config.project and self.project
        return replace(config, select=on, extend_select=(), ignore=(), below=(), project=project)


def _names(code: str, options: Namespace) -> bool:
    """Whether flake8's options name a rule that is off by default.

    Any `ignore = …` of the user replaces flake8's list of codes that are off, so that alone says nothing.
    """
    chosen = (*(options.select or ()), *(options.extend_select or ()))
    return any(code.startswith(prefix) for prefix in chosen)


def _is_selected(code: str, options: Namespace) -> bool:
    """Whether flake8 would show this code."""
    try:
        from flake8.style_guide import Decision, DecisionEngine

        return bool(DecisionEngine(options).decision_for(code) is Decision.Selected)
    except (ImportError, AttributeError, TypeError):
        # Not a public interface: without it flake8 drops what is not selected when it reports.
        return True


def _settled(path: str, overrides: Overrides) -> Config:
    """What torchlint's configuration says of a file; an error in it ends flake8 with its one line."""
    try:
        return settings_for(path, overrides).config
    except ConfigError as error:
        from flake8.exceptions import ExecutionError

        raise ExecutionError(f"torchlint: {error}") from None
