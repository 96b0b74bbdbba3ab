"""torchlint inside python-lsp-server: a document in, diagnostics of the protocol out.

What a text that is no Python is worth saying of is said by others there. Nothing that takes long is imported
before a document says `torch`.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pylsp import hookimpl as _hookimpl

from torchlint.config import Config, Selection
from torchlint.errors import ConfigError
from torchlint.rules import RULES, rule
from torchlint.rules.base import Group
from torchlint.settings import Overrides, forget, settings_of
from torchlint.source import Source, units_of_column

if TYPE_CHECKING:
    from torchlint.diagnostic import Diagnostic, Span
    from torchlint.session import Session

_Hook = TypeVar("_Hook", bound=Callable[..., Any])
hookimpl: Callable[[_Hook], _Hook] = _hookimpl

_NAME = "torchlint"
_OURS = ("enabled", "config")  # settings that are no options of a configuration file
_ERROR, _WARNING, _INFORMATION, _HINT = 1, 2, 3, 4
_SEVERITIES = {
    Group.CORRECTNESS: _ERROR,
    Group.SUSPICIOUS: _WARNING,
    Group.PERFORMANCE: _INFORMATION,
    Group.LOGGING: _INFORMATION,
    Group.PEDANTIC: _HINT,
    Group.NURSERY: _HINT,
}

# The server asks from a thread for each document; what is kept is for one at a time.
_turn = threading.Lock()
_held: dict[str, dict[str, str]] = {}  # by workspace: the texts that the session has of open files
_complaints: dict[str, str] = {}  # by workspace: the last that was told
_log = logging.getLogger(__name__)


@hookimpl
def pylsp_settings() -> dict[str, Any]:
    """Our part of the server's settings before the user changes them."""
    return {"plugins": {_NAME: {"enabled": True}}}


@hookimpl
def pylsp_lint(config: Any, workspace: Any, document: Any, is_saved: bool) -> list[dict[str, Any]]:
    """What is found in a document, less what the server's flake8 shows; all of it in UTF-16 columns."""
    with _turn:
        if is_saved:
            forget()
            _session().forget()
        if "torch" not in document.source:
            return []
        is_file = document.uri.startswith("file:")
        path = os.path.abspath(document.path if is_file else os.path.join(_root(workspace), "untitled.py"))
        settled = _settled(config, workspace, document, path)
        if settled is None:
            return []
        settled = _less(settled, _told_by_flake8(config, workspace, document))
        if not is_file:
            settled = replace(settled, project=False)
        _hold(workspace)
        source = Source.from_text(document.source if is_file else _as_python(document.source), path)
        try:
            found = _session().check(source, settled)
        except ConfigError as error:
            _complain(workspace, str(error))
            return []
        return [_shown(one, source) for one in found if one.code != "TL001"]


@cache
def _session() -> Session:
    from torchlint.session import Session

    return Session()


def _root(workspace: Any) -> str:
    return os.path.abspath(workspace.root_path or os.curdir)


def _settled(config: Any, workspace: Any, document: Any, path: str) -> Config | None:
    """What configuration files and the server's settings say of a file; None where it is left out."""
    given = config.plugin_settings(_NAME, document_path=document.path)
    try:
        overrides = _overrides(given)
        if _is_left_out(path, _root(workspace), overrides):
            return None
        settled = settings_of(os.path.dirname(path), overrides).config
    except ConfigError as error:
        _complain(workspace, str(error))
        return Config()
    _complaints.pop(_root(workspace), None)
    return settled


def _overrides(given: Mapping[str, Any]) -> Overrides:
    """Settings as options: `extendSelect` is `extend-select` there. Raises ConfigError."""
    values = {
        "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name): value
        for name, value in given.items()
        if name not in _OURS and value is not None
    }
    file = given.get("config")
    if file is not None and not isinstance(file, str):
        raise ConfigError(f"'config' of pylsp.plugins.torchlint is a path, not {file!r}")
    return Overrides.of(values, "pylsp.plugins.torchlint", file=file and os.path.expanduser(file))


def _is_left_out(path: str, root: str, overrides: Overrides) -> bool:
    """Whether a file or a folder around it, up to the workspace, is excluded."""
    while path.startswith(os.path.join(root, "")):
        above = os.path.dirname(path)
        if settings_of(above, overrides).excluded.match(path):
            return True
        path = above
    return False


def _complain(workspace: Any, error: str) -> None:
    # Each keystroke finds the same error again.
    if _complaints.get(_root(workspace)) != error:
        _complaints[_root(workspace)] = error
        workspace.show_message(f"torchlint: {error}", _ERROR)


def _less(config: Config, codes: tuple[str, ...]) -> Config:
    """The same with some rules off."""
    here = Selection(config.select, config.extend_select, config.ignore)
    return replace(config, select=None, extend_select=(), ignore=codes, below=(*config.below, here))


def _told_by_flake8(config: Any, workspace: Any, document: Any) -> tuple[str, ...]:
    """The rules whose findings the server shows as those of flake8."""
    plugin = config.plugin_manager.get_plugin("flake8")
    if plugin is None or plugin in config.disabled_plugins:
        return ()
    given = config.plugin_settings("flake8", document_path=document.path)
    if not _has_our_plugin(given.get("executable") or "flake8", _root(workspace)):
        return ()
    select = _codes(given.get("select"))
    shown = Selection(
        select or None,
        _codes(given.get("extendSelect")),
        (*_codes(given.get("ignore")), *_codes(given.get("extendIgnore"))),
    )
    return tuple(one.code for one in RULES if shown.enables(one.code, default=True))


def _codes(given: Any) -> tuple[str, ...]:
    words = given.split(",") if isinstance(given, str) else given or ()
    return tuple(str(word).strip() for word in words)


@cache
def _has_our_plugin(executable: str, folder: str) -> bool:
    """Whether the flake8 that the server starts in a folder has torchlint; it may live in another Python."""
    if not os.path.isfile(executable) and os.sep in executable:
        executable = os.path.abspath(os.path.expanduser(os.path.expandvars(executable)))
    for command in ([executable], [sys.executable, "-m", "flake8"]):
        try:
            done = subprocess.run(
                [*command, "--version"], cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=30
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            _log.info("%s cannot be asked for its plugins: %s", command[0], error)
            continue
        return b"torchlint:" in done.stdout
    return False


def _hold(workspace: Any) -> None:
    """Let what is open in a workspace stand for what the disk has."""
    held = _held.setdefault(_root(workspace), {})
    texts = {
        os.path.abspath(one.path): one.source
        for one in list(workspace.documents.values())
        # A notebook is among them, and has neither path nor text.
        if getattr(one, "path", None) and one.uri.startswith("file:")
    }
    for path in held.keys() - texts.keys():
        del held[path]
        _session().release(path)
    for path, text in texts.items():
        if held.get(path) != text:
            held[path] = text
            _session().hold(Source.from_text(text, path))


def _as_python(text: str) -> str:
    """A text that may be the cells of a notebook, which the server joins: with its magics replaced."""
    from torchlint.magics import replacements

    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in replacements("\n".join(lines)).items():
        lines[number - 1] = line
    return "\n".join(lines)


def _shown(found: Diagnostic, source: Source) -> dict[str, Any]:
    known = rule(found.code)
    return {
        "source": _NAME,
        "code": found.code,
        "message": found.message if found.help is None else f"{found.message}\n{found.help}",
        "severity": _WARNING if known is None else _SEVERITIES[known.group],
        "range": _range(found.span, source),
    }


def _range(span: Span, source: Source) -> dict[str, dict[str, int]]:
    ends = {"start": (span.start_line, span.start_column), "end": (span.end_line, span.end_column)}
    return {
        name: {
            "line": line - 1,
            "character": units_of_column(source.line(line), column, "utf-16"),
        }
        for name, (line, column) in ends.items()
    }
