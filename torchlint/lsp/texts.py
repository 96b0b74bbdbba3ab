"""What a subject says at one time: the source that is checked, and the parts that findings are shown in.

A document is one part, which is the source itself. The parts of a notebook are its cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torchlint.diagnostic import Diagnostic
from torchlint.notebook import PYTHON, Notebook
from torchlint.source import Source


@dataclass(frozen=True, slots=True)
class Found:
    """A diagnostic as it stands in the source, and as it stands in the part that it is shown in."""

    there: Diagnostic
    here: Diagnostic

    @property
    def part(self) -> int:
        """The number of that part, from 0."""
        return (self.here.cell or 1) - 1


@dataclass(frozen=True, slots=True)
class Text:
    """One state of the text of a subject."""

    source: Source
    parts: tuple[Source, ...]
    _notebook: Notebook | None = None

    @classmethod
    def of_document(cls, text: str, filename: str) -> Text:
        """The text of a document."""
        source = Source.from_text(text.removeprefix("\ufeff"), filename)
        return cls(source, (source,))

    @classmethod
    def of_cells(cls, cells: Sequence[str], filename: str) -> Text:
        """The texts of the Python cells of a notebook."""
        return cls._of(Notebook.from_cells(((text, PYTHON) for text in cells), filename))

    @classmethod
    def _of(cls, notebook: Notebook) -> Text:
        return cls(notebook.source, tuple(notebook.cells.values()), notebook)

    def after(self, source: Source) -> Text:
        """The same after fixes of its source. Raises InternalError where they broke the cells."""
        if self._notebook is None:
            return Text(source, (source,))
        return self._of(self._notebook.with_source(source))

    def kept(self, found: Iterable[Diagnostic]) -> list[Diagnostic]:
        """What is found in the source and stands in a part; fixes stay in theirs."""
        return list(found) if self._notebook is None else self._notebook.kept(found)

    def placed(self, found: Diagnostic) -> Diagnostic:
        """A diagnostic of the source as one of its part."""
        return found if self._notebook is None else self._notebook.placed(found)

    def told(self, found: Iterable[Diagnostic]) -> tuple[Found, ...]:
        """All there is to show: what is found in the source, and the cells that cannot be read."""
        told = [Found(one, self.placed(one)) for one in self.kept(found)]
        if self._notebook is not None and any("torch" in part.text for part in self.parts):
            told += [Found(one, one) for one in self._notebook.problems()]
        return tuple(sorted(told, key=lambda one: one.here.sort_key()))

    def fixed(self, check: Callable[[Source], Iterable[Diagnostic]]) -> Text:
        """The same with the safe fixes made; `check` says what is found in a source."""
        from torchlint.fixes import fix

        return self.after(fix(self.source, lambda source: self.after(source).kept(check(source))).source)
