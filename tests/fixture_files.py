"""Where the fixtures are: one situation a file, and the twin that safe fixes make of some."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FIXTURES = REPOSITORY / "tests" / "fixtures"
PROJECT = FIXTURES / "project"
"""No situations, but files that are read together."""

_TWIN = ".fixed.py"


def all_files() -> list[Path]:
    """Every fixture and every twin."""
    return sorted(path for path in FIXTURES.rglob("*.py") if PROJECT not in path.parents)


def project_files() -> list[Path]:
    """The files of the project, which are checked together and run as one program."""
    return sorted(PROJECT.rglob("*.py"))


def situations(folder: str | None = None) -> list[Path]:
    """Every fixture that is no twin; of one folder such as `TL101` where one is given."""
    return [path for path in all_files() if not is_twin(path) and folder in (None, path.parent.name)]


def is_twin(path: Path) -> bool:
    """Whether the file is what fixes make of another one."""
    return path.name.endswith(_TWIN)


def twin(path: Path) -> Path:
    """Where the twin of a fixture stands, if it has one."""
    return path.with_name(path.name.removesuffix(".py") + _TWIN)


def original(path: Path) -> Path:
    """The fixture that a twin was made from."""
    return path.with_name(path.name.removesuffix(_TWIN) + ".py")


def twins() -> Iterator[Path]:
    """Every twin."""
    return (path for path in all_files() if is_twin(path))


def name(path: Path) -> str:
    """`TL101/mode_set_in_one_branch`: how a test and its messages call a fixture."""
    return path.relative_to(FIXTURES).as_posix().removesuffix(".py")
