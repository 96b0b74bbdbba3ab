"""The torch that is installed, and the one that the tables were measured on."""

from __future__ import annotations

from importlib import metadata

TESTED = "2.13.0"
"""The torch that the tables were measured on."""


def torch_version() -> str:
    """The installed torch, in words for a headline."""
    version = metadata.version("torch")
    plain = version.partition("+")[0]
    return f"torch {version}" if plain == TESTED else f"torch {version} (the tables are of {TESTED})"
