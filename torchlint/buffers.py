"""A project that is open in an editor: texts that are not on the disk, and walks that are remembered."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchlint.errors import UnreadableSource
from torchlint.outlines import Outlines
from torchlint.project import MOST_USERS, Around, Project, Words
from torchlint.source import Source
from torchlint.tables.effects import NO_NAMES, OwnNames

if TYPE_CHECKING:
    from torchlint.flow.file import FileFlow
    from torchlint.flow.tracedfile import TracedFlow
    from torchlint.flow.tracing import Tracer
    from torchlint.skeleton import Skeleton

_MOST_FILES = 400  # that are kept as they were read
_MOST_REMEMBERED = 10_000


@dataclass(slots=True, eq=False)
class Buffer:
    """A file that is open: its text, the text whose outline is known, and that outline."""

    source: Source
    outlines: Outlines = field(default_factory=Outlines)
    outlined: Source | None = None
    seen: Source | None = None  # of which the flow speaks
    skeleton: Skeleton | None = None
    data: bytes | None = None


class Buffers(Project):
    """What is open stands for the disk; the rest is read once, until somebody says that it has changed.

    One that is `alone` holds a single text and looks for no other files.
    """

    def __init__(self, own: OwnNames = NO_NAMES, *, alone: bool = False) -> None:
        super().__init__(own)
        self._alone = alone
        self._buffers: dict[str, Buffer] = {}
        self._traced: dict[str, TracedFlow] = {}
        self._tracer: Tracer | None = None
        self._declared = True  # nothing that files declare has changed since the last check
        self._remembered: dict[Hashable, bool] = {}
        self._remembered_before: dict[Hashable, bool] = {}
        self._matches: dict[tuple[str, str, str], list[str] | None] = {}
        self._places: dict[str, dict[str, int]] = {}

    def knowing(self, own: OwnNames) -> Buffers:
        """Itself: a session has one for each set of names."""
        return self

    def hold(self, source: Source) -> None:
        """Let a text stand for what the disk has under its name."""
        path = self._path(source.filename)
        buffer = self._buffers.get(path)
        if buffer is None:
            self._buffers[path] = Buffer(source)
            self._forget_words()
        elif buffer.source.text != source.text:
            buffer.source, buffer.data = source, None

    def release(self, filename: str) -> None:
        """Let the disk speak for a file again."""
        path = self._path(filename)
        if self._buffers.pop(path, None) is not None:
            self._drop_flows()
            self._forget_words()

    def _drop_flows(self) -> None:
        """Walks that are remembered ask the very flow that they once asked, so one is never dropped alone."""
        self._flows.clear()
        self._traced.clear()
        self.tracer.forget()
        self._declared = False

    @property
    def tracer(self) -> Tracer:
        """What the walks ask, written down."""
        if self._tracer is None:
            from torchlint.flow.tracing import Tracer

            self._tracer = Tracer()
        return self._tracer

    def outline(self, source: Source) -> Skeleton:
        """The skeleton of a source that is checked. Raises UnreadableSource."""
        self.hold(source)
        buffer = self._buffers[self._path(source.filename)]
        skeleton = self._outline(buffer)
        for path, other in self._buffers.items():
            if other is not buffer and path in self._flows and other.seen is not other.source:
                self._bring_up_to_date(path, other)
        return skeleton

    def open(self, source: Source, skeleton: Skeleton) -> FileFlow:
        """The flow of a source that is checked; here a check begins."""
        path = self._path(source.filename)
        self.reading.clear()
        if len(self._flows) > _MOST_FILES:
            self._drop_flows()
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered_before, self._remembered = self._remembered, {}
        tracer = self.tracer
        tracer.begin()
        flow = self._traced.get(path)
        if flow is None:
            self._declared = False  # somebody may have asked for it when it could not be read
            flow = self._make(path, source, skeleton)
        elif flow.units.source is not source:
            flow.change(source, skeleton)
        if not self._declared:
            tracer.facts += 1
        for other in self._traced.values():
            other.begin(declared=self._declared)
        self._declared = True
        self._flows[path] = flow
        return flow

    def remember(self, key: Hashable, make: Callable[[], bool]) -> bool:
        """As in any project; what nobody asks for in a while is forgotten."""
        known = self._remembered.get(key)
        if known is None:
            known = self._remembered_before.get(key)
            known = self._remembered[key] = make() if known is None else known
        return known

    def saying(self, root: str, name: str, beside: str) -> list[str]:
        """As in any project; what is open is searched anew each time."""
        key = (root, name, beside)
        if key not in self._matches:
            self._matches[key] = self._on_disk(root, name, beside)
        found = self._matches[key]
        if found is None:
            return []
        words, places = Words.of(name, beside), self._place(root)
        opened = [path for path in self._buffers if path in places and words.stand_in(self._bytes(path))]
        both = sorted((*found, *opened), key=places.__getitem__)
        return both if len(both) <= MOST_USERS else []

    def _on_disk(self, root: str, name: str, beside: str) -> list[str] | None:
        words = Words.of(name, beside)
        found: list[str] = []
        for path in self._files(root):
            data = self._data(path) if path not in self._buffers else None
            if data is not None and words.stand_in(data):
                found.append(path)
                if len(found) > MOST_USERS:
                    return None
        return found

    def _place(self, root: str) -> dict[str, int]:
        if root not in self._places:
            self._places[root] = {path: number for number, path in enumerate(self._files(root))}
        return self._places[root]

    def _forget_words(self) -> None:
        self._matches.clear()
        self._saying.clear()

    def _says(self, path: str, said: re.Pattern[str]) -> bool:
        if path in self._buffers:
            return said.search(self._buffers[path].source.text) is not None
        return super()._says(path, said)

    def imported(self, filename: str, skeleton: Skeleton, said: re.Pattern[str]) -> list[str]:
        """As in any project."""
        return [] if self._alone else super().imported(filename, skeleton, said)

    def _bytes(self, path: str) -> bytes:
        buffer = self._buffers[path]
        if buffer.data is None:
            try:
                buffer.data = buffer.source.to_bytes()
            except (UnicodeError, LookupError):
                buffer.data = buffer.source.text.encode(errors="replace")
        return buffer.data

    def _path(self, filename: str) -> str:
        return filename if self._alone else os.path.abspath(filename)

    def _outline(self, buffer: Buffer) -> Skeleton:
        if buffer.skeleton is None or buffer.outlined is not buffer.source:
            buffer.skeleton = None  # what is known may be half of it where the text cannot be read
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                skeleton = buffer.outlines.outline(buffer.source)
            if buffer.outlines.changed:
                self._declared = False
                flow = self._traced.get(self._path(buffer.source.filename))
                if flow is not None:
                    flow.facts += 1
            buffer.skeleton, buffer.outlined = skeleton, buffer.source
        return buffer.skeleton

    def _bring_up_to_date(self, path: str, buffer: Buffer) -> None:
        """Let a file that is open beside the one that is checked say what it says now, if it can be read."""
        flow = self._traced.get(path)
        buffer.seen = buffer.source
        try:
            if flow is None:
                raise UnreadableSource("nothing is known of it")
            flow.change(buffer.source, self._outline(buffer))
        except UnreadableSource:
            # Whoever asks for it reads it again, and finds no file where that fails.
            self._drop_flows()

    def _read(self, path: str) -> FileFlow | None:
        buffer = self._buffers.get(path)
        if buffer is None:
            return super()._read(path)
        try:
            return self._make(path, buffer.source, self._outline(buffer))
        except UnreadableSource:
            return None

    def _make(self, path: str, source: Source, skeleton: Skeleton) -> TracedFlow:
        from torchlint.flow.neighbours import Alone
        from torchlint.flow.tracedfile import TracedFlow

        around = Around(self, path)
        flow = self._traced[path] = TracedFlow(
            self.tracer,
            skeleton,
            source,
            path="" if self._alone else path,
            package=None if self._alone else around.layout.package,
            neighbours=Alone if self._alone else lambda: Around(self, path),
        )
        return flow
