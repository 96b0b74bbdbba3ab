"""Findings that are known, in a file: a run tells of new ones only.

One is known by its file, its code and the text of its line, with how many of them there are, so it stays
known when lines move. Files are named from the folder of the baseline.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.errors import ConfigError
from torchlint.files import reason
from torchlint.fingerprints import line_text
from torchlint.saving import put
from torchlint.source import Source

VERSION = 1

Key = tuple[str, str]
"""The code of a finding and the text of its line, with each gap in it as one space."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """How many findings of which kind are known of each file, by its name from the folder."""

    folder: str
    files: dict[str, Counter[Key]]

    def name(self, filename: str) -> str:
        """A file as the baseline names it: from its folder, with forward slashes."""
        full = os.path.abspath(filename)
        with suppress(ValueError):  # another drive of Windows
            full = os.path.relpath(full, self.folder)
        return full.replace(os.sep, "/")

    def split(
        self, source: Source, diagnostics: Iterable[Diagnostic]
    ) -> tuple[list[Diagnostic], list[Diagnostic]]:
        """The diagnostics of one source that are new, and those that are known.

        Of more findings of one kind than are known, the last ones are new.
        """
        new: list[Diagnostic] = []
        known: list[Diagnostic] = []
        left = Counter(self.files.get(self.name(source.filename)))
        for one in diagnostics:
            key = key_of(source, one)
            (known if left[key] > 0 and not one.about_file else new).append(one)
            left[key] -= 1
        return new, known

    def gone(self, filename: str, known: Iterable[Key], config: Config) -> int:
        """How many of what the baseline holds of a file, in rules that were asked, are no longer there."""
        counts = Counter(self.files.get(self.name(filename)))
        counts.subtract(known)
        return sum(count for (code, _), count in counts.items() if count > 0 and _is_asked(code, config))

    def gone_with_files(self, config: Config) -> int:
        """The same of all the files that are no longer there."""
        lost = (name for name in self.files if not os.path.exists(os.path.join(self.folder, name)))
        return sum(self.gone(os.path.join(self.folder, name), (), config) for name in lost)


def key_of(source: Source, found: Diagnostic) -> Key:
    """What a finding is known by within its file."""
    return found.code, line_text(source, found)


def gather(filename: str, found: Iterable[tuple[str, Iterable[Key]]]) -> Baseline:
    """A baseline, for this file name, of the keys of findings by their files."""
    empty = Baseline(_folder(filename), {})
    files: dict[str, Counter[Key]] = {}
    for name, keys in found:
        for key in keys:
            files.setdefault(empty.name(name), Counter())[key] += 1
    return Baseline(empty.folder, files)


def load(filename: str) -> Baseline:
    """Read a baseline, once while it stays as it is. Raises ConfigError that says where it is broken."""
    try:
        held = os.stat(filename)
    except OSError:
        _read(filename)  # says why
        raise
    return _load(filename, _folder(filename), held.st_mtime_ns, held.st_size)


@lru_cache(maxsize=8)
def _load(filename: str, folder: str, _written: int, _size: int) -> Baseline:
    data = _read(filename)
    import json

    try:
        held = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"the baseline is broken: {filename}:{line}: not utf-8 text") from None
    except json.JSONDecodeError as error:
        place = f"{filename}:{error.lineno}:{error.colno}"
        raise ConfigError(f"the baseline is broken: {place}: {error.msg}") from None
    return Baseline(folder, dict(_files(held, filename)))


def require_place(filename: str) -> None:
    """Raise ConfigError where no baseline can be written, or where a file is that is no baseline."""
    folder = _folder(filename)
    if not os.path.isdir(folder):
        raise ConfigError(f"the baseline {filename} cannot be written: there is no folder {folder}")
    if os.path.exists(filename):
        data = _read(filename)
        if data.strip() and not (data.lstrip().startswith(b"{") and b'"findings"' in data):
            raise ConfigError(f"{filename} is no baseline, so it is not written over")


def save(filename: str, baseline: Baseline) -> None:
    """Write a baseline, sorted, one finding a line. Raises ConfigError where it cannot be written."""
    import json

    findings: dict[str, dict[str, dict[str, int]]] = {}
    for name, counts in sorted(baseline.files.items()):
        for (code, text), count in sorted(counts.items()):
            findings.setdefault(name, {}).setdefault(code, {})[text] = count
    text = json.dumps({"version": VERSION, "findings": findings}, indent=2, ensure_ascii=False) + "\n"
    try:
        # Of a file name that is no text this makes the escapes of JSON.
        put(filename, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise ConfigError(f"the baseline {filename} cannot be written: {reason(error)}") from None


def _read(filename: str) -> bytes:
    try:
        with open(filename, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise ConfigError(
            f"there is no baseline {filename}; `torchlint baseline {filename}` writes one"
        ) from None
    except OSError as error:
        raise ConfigError(f"the baseline {filename} cannot be read: {reason(error)}") from None


def _folder(filename: str) -> str:
    return os.path.dirname(os.path.abspath(filename))


def _is_asked(code: str, config: Config) -> bool:
    from torchlint.rules import rule

    known = rule(code)
    return known is None or config.enables(code, default=known.on_by_default())


def _files(held: object, filename: str) -> Iterator[tuple[str, Counter[Key]]]:
    version = _table(held, "it", filename).get("version")
    if version != VERSION:
        raise ConfigError(
            f"the baseline is broken: {filename}: version: {VERSION} is wanted, not {version!r}; "
            f"`torchlint baseline {filename}` writes a new one"
        )
    findings = _table(held, "it", filename).get("findings")
    for name, codes in _table(findings, "findings", filename).items():
        counts: Counter[Key] = Counter()
        for code, texts in _table(codes, f"findings of {name!r}", filename).items():
            for text, count in _table(texts, f"{code} of {name!r}", filename).items():
                if type(count) is not int or count < 1:
                    place = f"{code} of {name!r}, {text!r}"
                    raise _broken(filename, f"{place}: a number from 1 is wanted, not {count!r}")
                counts[code, text] = count
        yield name, counts


def _table(held: object, place: str, filename: str) -> dict[str, object]:
    if isinstance(held, dict):
        return held
    raise _broken(filename, f"{place}: an object is wanted, not {held!r:.40}")


def _broken(filename: str, why: str) -> ConfigError:
    return ConfigError(f"the baseline is broken: {filename}: {why}")
