"""Where the rules' pages are: in the wheel beside this file, in a checkout in its folder `rules`."""

from __future__ import annotations

from pathlib import Path

from torchlint.errors import ConfigError

_HERE = Path(__file__).resolve().parent
_FOLDERS = (_HERE / "rulebook", _HERE.parent / "rules")


def page(code: str) -> str:
    """The Markdown page of the rule with this code. Raises ConfigError where there is none."""
    for folder in _FOLDERS:
        path = folder / f"{code}.md"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ConfigError(f"there is no page for {code!r}")
