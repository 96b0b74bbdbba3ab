"""What a client sets, as the configuration of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchlint.commands import known
from torchlint.config import Config
from torchlint.errors import ConfigError
from torchlint.rules import RULES

SECTION = "torchlint"
_KEYS = {"select", "ignore", "project", "enable"}


def section(given: Any) -> dict[str, Any]:
    """The settings in what a client hands over: the object itself, or what it holds under our name."""
    if not isinstance(given, Mapping):
        return {}
    inner = given.get(SECTION, given.get("settings", given))
    return dict(inner) if isinstance(inner, Mapping) else {}


def config_for(settings: Mapping[str, Any], path: str | None) -> Config:
    """The configuration for a file; `path` is None where the text is no file.

    Raises ConfigError for a setting that cannot be used.
    """
    for key, value in settings.items():
        if key not in _KEYS:
            raise ConfigError(f"unknown setting '{key}'; known are {', '.join(sorted(_KEYS))}")
        if key in ("project", "enable") and not isinstance(value, bool):
            raise ConfigError(f"setting '{key}' is true or false, not {value!r}")
    select, ignore = settings.get("select"), settings.get("ignore")
    return Config(
        None if select is None else _codes(select, "select"),
        _codes(ignore or (), "ignore"),
        project=settings.get("project", True) and path is not None,
    )


def is_on(settings: Mapping[str, Any]) -> bool:
    """Whether a client wants anything to be said."""
    return settings.get("enable") is not False


def _codes(given: Any, key: str) -> tuple[str, ...]:
    words = given.split(",") if isinstance(given, str) else given
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise ConfigError(f"setting '{key}' is a list of rule codes, not {given!r}")
    wanted = {"ALL": "TL"}
    for rule in RULES:
        wanted.update({rule.code[:length]: rule.code[:length] for length in range(2, len(rule.code) + 1)})
        wanted[rule.name] = rule.code
    return tuple(known(word.strip(), wanted, f"rule code in '{key}'") for word in words if word.strip())
