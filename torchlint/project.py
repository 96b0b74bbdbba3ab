"""The files around those that are checked: imports of one project lead to what they define.

Everything here is bounded and silent. A file that cannot be read, or lies outside, is one that nobody shows.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from torchlint.errors import UnreadableSource
from torchlint.names import ImportMap
from torchlint.skeleton import Skeleton, outline
from torchlint.source import Source
from torchlint.tables.effects import NO_NAMES, OwnNames

if TYPE_CHECKING:
    from torchlint.flow.file import FileFlow
    from torchlint.flow.neighbours import Found

_MARKERS = frozenset(("pyproject.toml", "setup.py", "setup.cfg", ".git", ".hg"))
"""What the top folder of a project holds."""

_LEFT_OUT = frozenset(("build", "dist", "node_modules", "site-packages", "venv", "__pycache__"))
_HIGHEST = 12  # folders above a file in which its project is looked for
_MOST_FILES = 6_000  # of one project, when it is asked who says a name
_MOST_OPEN = 400  # files that are kept as they were read
MOST_USERS = 24  # files that say a name; what more say is nobody's in particular
_LARGEST = 1_000_000  # bytes of a file that is read for its neighbours' sake
_MOST_STARS = 16  # star imports of one file that are followed
_UNSAID = 3  # folders without an `__init__.py` in a package
_LONGEST_WAY = 8  # imports of imports that lead to a definition


class Project:
    """The files that one run reads, each once as long as they are not too many to keep.

    `check` gives it every source that it looks at. What it has made of them holds for one user's own names;
    `knowing` gives the one for others.
    """

    def __init__(self, own: OwnNames = NO_NAMES) -> None:
        self._own = own
        self._others: dict[OwnNames, Project] = {own: self}
        self._flows: dict[str, FileFlow | None] = {}
        self._listings: dict[str, frozenset[str]] = {}
        self._layouts: dict[str, Layout] = {}
        self._roots: dict[str, list[str]] = {}
        self._said: dict[tuple[str, str, str], list[str]] = {}
        self._saying: dict[tuple[str, str], bool] = {}
        self.reading: list[str] = []

    def outline(self, source: Source) -> Skeleton:
        """The skeleton of a source that is checked. Raises UnreadableSource."""
        return outline(source)

    def remember(self, key: Hashable, make: Callable[[], bool]) -> bool:
        """Whether something is so that depends on the key alone; kept where it will be asked again."""
        return make()

    def open(self, source: Source, skeleton: Skeleton) -> FileFlow:
        """The flow of a source that is checked, in the place of what the disk holds under its name."""
        path = os.path.abspath(source.filename)
        self.reading.clear()  # what a defect may have left
        flow = self._flows.get(path)
        if flow is not None and flow.units.source.text == source.text:
            return flow  # with what its callers in other files, played already, have set up
        if flow is not None or len(self._flows) > _MOST_OPEN:
            self._flows.clear()  # the others know the old text, or are too many to keep
        flow = self._flows[path] = self._make(path, source, skeleton)
        return flow

    def knowing(self, own: OwnNames) -> Project:
        """The project of the same files for a user with these names; always the same one."""
        known = self._others.get(own)
        if known is None:
            known = self._others[own] = Project(own)
            known._others = self._others
            # What lies on the disk is the same for all.
            known._listings, known._layouts, known._roots = self._listings, self._layouts, self._roots
            known._said, known._saying = self._said, self._saying
        return known

    def at(self, path: str) -> FileFlow | None:
        """The flow of the file at a path."""
        if path not in self._flows:
            self._flows[path] = self._read(path)
        return self._flows[path]

    def listing(self, folder: str) -> frozenset[str]:
        """The names in a folder; none where there is no such folder."""
        known = self._listings.get(folder)
        if known is None:
            try:
                known = frozenset(os.listdir(folder))
            except OSError:
                known = frozenset()
            self._listings[folder] = known
        return known

    def layout(self, folder: str) -> Layout:
        """Where the files of a folder look for what they import."""
        known = self._layouts.get(folder)
        if known is None:
            known = self._layouts[folder] = Layout.of(self, folder)
        return known

    def module(self, base: str, parts: list[str]) -> tuple[str, list[str]] | None:
        """The file of a dotted name below a folder, and what of the name is left for the file to define."""
        folder = base
        for number, part in enumerate(parts):
            names = self.listing(folder)
            if f"{part}.py" in names:
                return os.path.join(folder, f"{part}.py"), parts[number + 1 :]
            if part not in names:
                if number and "__init__.py" in names:
                    return os.path.join(folder, "__init__.py"), parts[number:]
                return None
            folder = os.path.join(folder, part)
        return (os.path.join(folder, "__init__.py"), []) if "__init__.py" in self.listing(folder) else None

    def saying(self, root: str, name: str, beside: str) -> list[str]:
        """The files under a folder that hold both words; none where they are too many."""
        key = (root, name, beside)
        known = self._said.get(key)
        if known is None:
            known = self._said[key] = self._search(root, name, beside)
        return known

    def imported(self, filename: str, skeleton: Skeleton, said: re.Pattern[str]) -> list[str]:
        """The files with such text that a source imports from, or that lie in a package it imports from."""
        around = Around(self, os.path.abspath(filename))
        imports = ImportMap(skeleton, around.layout.package)
        targets = [imports.resolve(name) for name in skeleton.imports]
        targets += [imports.absolute(star) for star in skeleton.stars[:_MOST_STARS]]
        places = [around.place(target) for target in targets if target]
        # Many names come from few files.
        sides = dict.fromkeys((place[0], bool(place[1])) for place in places if place is not None)
        paths = dict.fromkeys(one for path, on in sides for one in self._around(path, hands_on=on))
        return [path for path in paths if self._says(path, said)]

    def _around(self, path: str, *, hands_on: bool) -> list[str]:
        """A file; where it is that of a package which hands a name on, those beside it."""
        folder, name = os.path.split(path)
        if name != "__init__.py" or not hands_on:
            return [path]
        return [os.path.join(folder, one) for one in sorted(self.listing(folder)) if one.endswith(".py")]

    def _says(self, path: str, said: re.Pattern[str]) -> bool:
        key = (path, said.pattern)
        if key not in self._saying:
            data = self._data(path)
            text = data.decode("utf-8", "replace") if data is not None else ""
            self._saying[key] = said.search(text) is not None
        return self._saying[key]

    def _search(self, root: str, name: str, beside: str) -> list[str]:
        said = Words.of(name, beside)
        found: list[str] = []
        for path in self._files(root):
            data = self._data(path)
            if data is not None and said.stand_in(data):
                found.append(path)
                if len(found) > MOST_USERS:
                    return []
        return found

    def _data(self, path: str) -> bytes | None:
        """The beginning of a file, all of it unless it is very long; None where it cannot be read."""
        try:
            with open(path, "rb") as file:
                return file.read(_LARGEST)
        except OSError:
            return None

    def _files(self, root: str) -> list[str]:
        """The sources under a folder; none where they are too many."""
        known = self._roots.get(root)
        if known is None:
            known = []
            for path in _walk(root):
                known.append(path)
                if len(known) > _MOST_FILES:
                    known = []
                    break
            self._roots[root] = known
        return known

    def _read(self, path: str) -> FileFlow | None:
        try:
            if os.path.getsize(path) > _LARGEST:
                return None
            with open(path, "rb") as file:
                source = Source.from_bytes(file.read(), path)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._make(path, source, outline(source))
        except (OSError, UnreadableSource):
            return None

    def _make(self, path: str, source: Source, skeleton: Skeleton) -> FileFlow:
        # The engine costs LibCST: only who comes this far pays.
        from torchlint.flow.file import FileFlow
        from torchlint.units import Units

        around = Around(self, path)
        return FileFlow(
            skeleton, Units(source, skeleton), path=path, package=around.layout.package, neighbours=around
        )


@dataclass(frozen=True, slots=True)
class Words:
    """Two words, of which the first is to stand by itself, as they are looked for in files."""

    words: tuple[bytes, ...]
    pattern: re.Pattern[bytes]

    @classmethod
    def of(cls, name: str, beside: str) -> Words:
        """A name, and what is to stand in the same file."""
        words = (name.encode(), beside.encode())
        return cls(words, re.compile(rb"\b%s\b" % re.escape(words[0])))

    def stand_in(self, data: bytes) -> bool:
        """Whether a file says both."""
        return all(word in data for word in self.words) and self.pattern.search(data) is not None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the files of one folder find others.

    `roots` are the folders that absolute imports may start from, nearest meaning first; `package` is the
    dotted name of the folder; `top` the folder that holds all files of the project.
    """

    roots: tuple[str, ...]
    package: str
    top: str

    @classmethod
    def of(cls, project: Project, folder: str) -> Layout:
        """Read the folders above: packages have an `__init__.py`, a project has a marker at its top."""
        base = _packaged(project, folder)  # what holds the outermost package, where the folder is one
        while "__init__.py" in project.listing(base) and os.path.dirname(base) != base:
            base = os.path.dirname(base)
        marked = _marked(project, folder)
        roots = _up_to(base, marked)
        if base == folder:
            base = top = marked or folder
        elif marked is not None and _is_within(base, marked):
            top = marked
        else:
            top = _first_package(folder, base)
        if marked is not None and "src" in project.listing(marked):
            roots.append(os.path.join(marked, "src"))
        package = os.path.relpath(folder, base).replace(os.sep, ".")
        return cls(tuple(dict.fromkeys([*roots, folder])), "" if package == "." else package, top)


class Around:
    """The neighbours of one file."""

    def __init__(self, project: Project, path: str) -> None:
        self._project = project
        self._path = path
        self._found: dict[str, Found | None] = {}
        self.reading = project.reading

    @cached_property
    def layout(self) -> Layout:
        """The folders of the file."""
        return self._project.layout(os.path.dirname(self._path))

    def at(self, path: str) -> FileFlow | None:
        """The file at a path."""
        return self._project.at(path)

    def find(self, dotted: str) -> Found | None:
        """Where the project defines what a dotted name stands for."""
        if dotted not in self._found:
            self._found[dotted] = None  # an import that leads back to itself defines nothing
            self._found[dotted] = self._follow(dotted, _LONGEST_WAY)
        return self._found[dotted]

    def place(self, dotted: str) -> tuple[str, list[str]] | None:
        """The file that a dotted name leads to, and what of the name is left for the file to define."""
        parts = dotted.split(".")
        for root in self.layout.roots:
            place = self._project.module(root, parts)
            if place is not None:
                return place
        return None

    def users(self, name: str, beside: str) -> list[FileFlow]:
        """The other files of the project that say both words."""
        paths = self._project.saying(self.layout.top, name, beside)
        flows = [self._project.at(path) for path in paths if path != self._path]
        return [flow for flow in flows if flow is not None]

    def _follow(self, dotted: str, steps: int) -> Found | None:
        from torchlint.flow.neighbours import Found

        for _ in range(steps):
            place = self.place(dotted)
            if place is None:
                return None
            path, rest = place
            home = self._project.at(path)
            if home is None or not rest:
                return None
            name = rest[0]
            skeleton = home.skeleton
            if name in skeleton.definitions or name in skeleton.classes or name in skeleton.constants:
                return Found(home, name) if len(rest) == 1 else None
            target = home.imports.resolve(".".join(rest))
            if target is None:
                return self._starred(home, rest, steps)
            dotted = target
        return None

    def _starred(self, home: FileFlow, rest: list[str], steps: int) -> Found | None:
        for star in home.skeleton.stars[:_MOST_STARS]:
            found = self._follow(".".join([home.imports.absolute(star), *rest]), steps // 2)
            if found is not None:
                return found
        return None


def _walk(root: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name for name in folders if name not in _LEFT_OUT and not name.startswith((".", "venv"))
        )
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(folder, name)


def _marked(project: Project, folder: str) -> str | None:
    """The nearest folder above that has a marker of a project; none beyond installed packages."""
    for _ in range(_HIGHEST):
        if os.path.basename(folder) in ("site-packages", "dist-packages"):
            return None
        if not _MARKERS.isdisjoint(project.listing(folder)):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return None


def _packaged(project: Project, folder: str) -> str:
    """The nearest folder from here upwards that says it is a package; the folder itself where none does."""
    above = folder
    for _ in range(_UNSAID):
        if "__init__.py" in project.listing(above):
            return above
        above = os.path.dirname(above)
    return folder


def _first_package(folder: str, base: str) -> str:
    """The folder right below `base` on the way to `folder`."""
    return os.path.join(base, os.path.relpath(folder, base).split(os.sep)[0])


def _up_to(folder: str, top: str | None) -> list[str]:
    """A folder and those above it, up to the top of its project."""
    found = [folder]
    while top is not None and folder != top and _is_within(folder, top):
        folder = os.path.dirname(folder)
        found.append(folder)
    return found


def _is_within(folder: str, top: str) -> bool:
    return folder == top or folder.startswith(top.rstrip(os.sep) + os.sep)
