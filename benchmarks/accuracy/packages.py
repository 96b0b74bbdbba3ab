"""Packages from PyPI as folders of source, `name-version/` each, without what they depend on.

Apart from the command, so that what downloads is in one place and neither the scoring nor its users need a
network. pip chooses the file: a wheel where it finds one, else an sdist, whose setup.py it may run to learn
the metadata.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

_PINNED = re.compile(r"[A-Za-z0-9][\w.-]*==[\w.!+-]+")


class PackageError(Exception):
    """A package that cannot be had; the text is for the user."""


def pins(path: Path) -> list[str]:
    """The lines `name==version` of a file; what follows a `#` is left out."""
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise PackageError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        if line and not _PINNED.fullmatch(line):
            raise PackageError(f"{path}:{number}: 'name==version' is wanted, not '{line}'")
    return [line for line in lines if line]


def present(pin: str, root: Path) -> Path | None:
    """The folder of a package under the root, however its name is spelled; `None` where there is none."""
    wanted = _spelled(pin.replace("==", "-"))
    for folder in _folders(root):
        if _spelled(folder.name) == wanted:
            # An sdist that was unpacked as it is has a folder of its own name inside.
            inside = [one for one in _folders(folder) if _spelled(one.name) == wanted]
            return inside[0] if inside else folder
    return None


def fetched(pin: str, root: Path) -> Path:
    """The folder of a package under the root; downloaded and unpacked where it is not there yet."""
    folder = present(pin, root)
    if folder is not None:
        return folder
    root.mkdir(parents=True, exist_ok=True)
    # A folder that has the final name is whole: the work is done beside it and moved in one step.
    with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as beside:
        unpacked = Path(beside) / "unpacked"
        _unpack(_downloaded(pin, Path(beside)), unpacked)
        top = list(unpacked.iterdir())
        if len(top) == 1 and top[0].is_dir() and _spelled(top[0].name) == _spelled(pin.replace("==", "-")):
            unpacked = top[0]
        folder = root / pin.replace("==", "-")
        shutil.move(unpacked, folder)
    return folder


def _downloaded(pin: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--dest", str(folder), pin]
    done = subprocess.run(command, capture_output=True, text=True)
    files = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode or len(files) != 1:
        said = [
            line
            for line in done.stderr.splitlines()
            if re.match(r"\s*error|.*No module named pip", line, re.I)
        ]
        raise PackageError(f"pip cannot download {pin}: {said[-1].strip() if said else 'it gave no reason'}")
    return files[0]


def _unpack(file: Path, folder: Path) -> None:
    try:
        if file.name.endswith((".whl", ".zip")):
            with zipfile.ZipFile(file) as archive:
                archive.extractall(folder)
        else:
            with tarfile.open(file) as sdist:
                # Pythons before 3.10.12 and 3.11.4 have no filters; the files are those of pinned packages.
                if hasattr(tarfile, "data_filter"):
                    sdist.extractall(folder, filter="data")
                else:
                    sdist.extractall(folder)
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise PackageError(f"cannot unpack {file.name}: {error}") from error


def _folders(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from sorted(path for path in root.iterdir() if path.is_dir())


def _spelled(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
