"""What holds for a subject: the configuration files around it, and above these what the client has set."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pygls import uris

from torchlint import settings as files
from torchlint.baseline import load
from torchlint.config import Config
from torchlint.errors import ConfigError
from torchlint.files import is_excluded
from torchlint.lsp.subjects import Subject
from torchlint.options import OPTIONS
from torchlint.settings import NO_OVERRIDES, Overrides, settings_for, settings_of

SECTION = "torchlint"
_WHO = "the editor"
# What extensions keep in the same section for themselves: how they start the server.
_OF_EDITORS = ("enable", "baseline", "configuration")
_OF_CLIENTS = frozenset({"path", "interpreter", "trace"})


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a client has set for one folder: options, and what only an editor is asked."""

    enable: bool = True
    baseline: str | None = None
    overrides: Overrides = NO_OVERRIDES


class Choices:
    """The configurations of all subjects. What cannot be used is told once, and what held before holds."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._given: dict[str, Any] = {}
        self._given_in: dict[str, dict[str, Any]] = {}  # by the uri of a folder
        self._wishes: dict[str, Wishes] = {}
        self._known: dict[str, Config | None] = {}  # by the uri of a subject
        self._good: dict[str, Config | None] = {}  # the same, and by the uri of a folder; never forgotten
        self._said: dict[str, str] = {}

    def choose(self, given: Mapping[str, Any]) -> None:
        """The client has set this for all that it opens."""
        self._given = dict(given)
        self._settle()

    def choose_in(self, given: Mapping[str, Mapping[str, Any]]) -> None:
        """The client has set this for its folders, by their uris; these are all of them."""
        self._given_in = {uri: dict(one) for uri, one in given.items()}
        self._settle()

    def forget(self) -> None:
        """Some configuration file was changed, made or removed."""
        files.forget()
        self._known.clear()

    def is_other(self, subjects: Iterable[Subject]) -> bool:
        """Look at all files again, and say whether that changes what holds for any of these."""
        before = {subject: self.config_for(subject) for subject in subjects}
        self.forget()
        return any(self.config_for(subject) != config for subject, config in before.items())

    def config_for(self, subject: Subject) -> Config | None:
        """What holds for a subject; None where nothing is to be said of it."""
        uri = subject.uri
        if uri not in self._known:
            home = self._home(uri)
            try:
                config = self._good[uri] = _config_for(subject, self._wishes.get(home, Wishes()), _path(home))
            except ConfigError as error:
                self._complain(os.path.dirname(subject.filename), str(error))
                config = self._good.get(uri, self._good.get(home, Config(project=subject.is_file)))
            else:
                self._said.pop(os.path.dirname(subject.filename), None)
                if config is not None and subject.is_file:
                    self._good[home] = config
            self._known[uri] = config
        return self._known[uri]

    def _settle(self) -> None:
        self._known.clear()
        for home in ("", *self._given_in):
            try:
                self._wishes[home] = _wishes({**self._given, **self._given_in.get(home, {})}, _path(home))
            except ConfigError as error:
                self._complain(home, str(error))
            else:
                self._said.pop(home, None)

    def _home(self, uri: str) -> str:
        """The folder of the client that a subject lies in, the innermost; empty for none."""
        around = [one for one in self._given_in if uri.startswith(one.rstrip("/") + "/")]
        if not around and not uri.startswith("file:"):
            return next(iter(self._given_in), "")  # it may be saved there
        return max(around, key=len, default="")

    def _complain(self, about: str, message: str) -> None:
        if message not in self._said.values():
            self._tell(message)
        self._said[about] = message


def section(given: Any) -> dict[str, Any]:
    """The settings in what a client hands over: the object itself, or what it holds under our name."""
    if not isinstance(given, Mapping):
        return {}
    inner = given.get(SECTION, given.get("settings", given))
    return dict(inner) if isinstance(inner, Mapping) else {}


def _config_for(subject: Subject, wishes: Wishes, folder: str | None) -> Config | None:
    overrides = wishes.overrides
    if not wishes.enable:
        return None
    if subject.is_file:
        config = settings_for(subject.filename, overrides).config
        if is_excluded(subject.filename, lambda above: settings_of(above, overrides), folder or os.sep):
            return None
    else:
        isolated = replace(overrides, isolated=folder is None)
        config = replace(settings_for(folder or os.sep, isolated).config, project=False)
    if wishes.baseline is None:
        return config
    load(wishes.baseline)  # what is wrong with it is told now
    return replace(config, baseline=wishes.baseline)


def _wishes(given: Mapping[str, Any], folder: str | None) -> Wishes:
    """Read settings. Raises ConfigError for one that cannot be used."""
    values: dict[str, Any] = {}
    enable = given.get("enable")
    for key, value in given.items():
        name = re.sub("[A-Z]", lambda capital: f"-{capital[0].lower()}", key)
        if name not in (*_OF_EDITORS, *_OF_CLIENTS) and not _is_default(name, value):
            values[name] = value
    if enable is not None and not isinstance(enable, bool):
        raise ConfigError(f"'enable' of {_WHO} wants true or false, not '{enable}'")
    folder = folder or os.getcwd()
    baseline, file = (_path_in(given, name, folder) for name in ("baseline", "configuration"))
    if file is not None and not os.path.isfile(file):
        raise ConfigError(f"'configuration' of {_WHO} names {file}, where there is no file")
    return Wishes(enable is not False, baseline, Overrides.of(values, _WHO, file=file, folder=folder))


def _path_in(given: Mapping[str, Any], name: str, folder: str) -> str | None:
    """A path that a client has set, from a folder; None where it is not set, or empty."""
    path = given.get(name)
    if path is not None and not isinstance(path, str):
        raise ConfigError(f"'{name}' of {_WHO} wants a path, not '{path}'")
    return os.path.join(folder, os.path.expanduser(path)) if path else None


def _is_default(name: str, value: Any) -> bool:
    """Whether a value says nothing: clients send the defaults of all settings that nobody has set."""
    if name not in OPTIONS:
        return False
    default = OPTIONS[name].default
    return value is None or (tuple(value) if isinstance(value, list | dict) else value) == default


def _path(uri: str) -> str | None:
    return (uris.to_fs_path(uri) if uri.startswith("file:") else None) or None
