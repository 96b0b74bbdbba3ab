"""Slices of a source as LibCST trees: one definition, or the module's own top-level statements.

Parsing with LibCST is what costs, so only the definitions that somebody asks for are parsed, and
positions are computed only for a unit that has findings.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property

import libcst as cst

from torchlint.definitions import Definition
from torchlint.diagnostic import Span
from torchlint.errors import UnreadableSource
from torchlint.skeleton import Skeleton
from torchlint.source import Source

# An indented definition is parsed behind this line, with its own indentation: columns stay true.
_PREFIX = "if 1:\n"


class Unit:
    """One parsed slice; `definition` is None for the module level."""

    def __init__(
        self,
        definition: Definition | None,
        tree: cst.Module,
        path: str = "",
        *,
        is_prefixed: bool = False,
        kept: Sequence[int] = (),
    ) -> None:
        self.definition = definition
        self.path = path
        self.tree = tree
        self.kept = kept  # the lines of the source that the module level is made of
        self._is_prefixed = is_prefixed

    def line(self, number: int) -> int:
        """The line of the source that a line of the slice is."""
        if self.definition is not None:
            return max(number + self.definition.first_line - 1 - self._is_prefixed, 1)
        # What was cut out at the end of the file may leave the end of the tree behind the last line.
        return self.kept[min(number, len(self.kept)) - 1] if self.kept else number

    @property
    def name(self) -> str:
        """The qualified name; "" for the module level."""
        return self.definition.qualname if self.definition else ""

    @property
    def is_constructor(self) -> bool:
        """Whether it makes an object, so that what it stores on `self` is new."""
        return self.definition is not None and self.definition.name == "__init__"

    @cached_property
    def function(self) -> cst.FunctionDef | None:
        """The definition's node; None for the module level."""
        if self.definition is None:
            return None
        node: cst.CSTNode = self.tree.body[0]
        if isinstance(node, cst.If):
            node = node.body.body[0]
        assert isinstance(node, cst.FunctionDef)
        return node

    @property
    def body(self) -> Sequence[cst.BaseStatement | cst.BaseSmallStatement]:
        """The statements to walk."""
        return self.tree.body if self.function is None else self.function.body.body

    def text(self, node: cst.CSTNode) -> str:
        """The source text of a node."""
        return self.tree.code_for_node(node).strip()

    def span(self, node: cst.CSTNode) -> Span:
        """Where a node stands in the file."""
        place = self._positions[node]
        start, end = place.start, place.end
        return Span(self.line(start.line), start.column, self.line(end.line), end.column)

    def binds(self, node: cst.CSTNode) -> bool:
        """Whether a name or attribute is bound or deleted where it stands, and not read."""
        from libcst.metadata import ExpressionContext

        return self._contexts.get(node, ExpressionContext.LOAD) is not ExpressionContext.LOAD

    @cached_property
    def _positions(self):  # type: ignore[no-untyped-def]
        # libcst.metadata costs a further 40 ms to import: only a file with findings pays.
        from libcst.metadata import MetadataWrapper, PositionProvider

        return MetadataWrapper(self.tree, unsafe_skip_copy=True).resolve(PositionProvider)

    @cached_property
    def _contexts(self):  # type: ignore[no-untyped-def]
        from libcst.metadata import ExpressionContextProvider, MetadataWrapper

        return MetadataWrapper(self.tree, unsafe_skip_copy=True).resolve(ExpressionContextProvider)


_MOST_EARLIER = 8  # of what is kept in case that a change is taken back


class Units:
    """The units of one source, each parsed at most once; what is typed and taken back is not parsed again."""

    def __init__(self, source: Source, skeleton: Skeleton) -> None:
        self.source = source
        self._skeleton = skeleton
        self._parsed: dict[str, Unit] = {}
        self._texts: dict[str, str] = {}  # of which the units were parsed
        self._earlier: dict[tuple[str, str], Unit] = {}

    @property
    def path(self) -> str:
        """The file, from the root of the disk: who came here from another file knows no other name."""
        return os.path.abspath(self.source.filename)

    def change(self, source: Source, skeleton: Skeleton) -> None:
        """Go on with another text of the same file; units whose text has stayed the same stay."""
        before, self.source, self._skeleton = self._skeleton, source, skeleton
        self.__dict__.pop("_module_level", None)
        for name, unit in list(self._parsed.items()):
            if not name:
                unit.kept = self._module_level[1]
                stays = self._module_level[0] == self._texts[name]
            else:
                definition = skeleton.definitions.get(name)
                stays = definition is not None and (
                    definition is before.definitions.get(name) or self.text(name) == self._texts[name]
                )
                unit.definition = definition if stays else unit.definition
            if not stays:
                self._earlier[name, self._texts.pop(name)] = self._parsed.pop(name)
        for key in list(self._earlier)[:-_MOST_EARLIER]:
            del self._earlier[key]

    def text(self, qualname: str) -> str:
        """The source lines of a definition; of the module level, those outside of definitions."""
        if not qualname:
            return self._module_level[0]
        definition = self._skeleton.definitions[qualname]
        return self.source.lines(definition.first_line, definition.last_line)

    def unit(self, qualname: str) -> Unit:
        """The parsed unit of a definition, or of the module level for "". Raises UnreadableSource."""
        unit = self._parsed.get(qualname)
        if unit is None:
            text = self.text(qualname)
            unit = self._earlier.pop((qualname, text), None)
            if unit is None:
                unit = self._parse(qualname)
            elif qualname:
                unit.definition = self._skeleton.definitions[qualname]
            else:
                unit.kept = self._module_level[1]
            self._parsed[qualname], self._texts[qualname] = unit, text
        return unit

    def _parse(self, qualname: str) -> Unit:
        text = self.text(qualname)
        definition = self._skeleton.definitions.get(qualname) if qualname else None
        is_prefixed = definition is not None and text.lstrip("\f")[:1] in (" ", "\t")
        kept = self._module_level[1] if definition is None else ()
        try:
            tree = cst.parse_module(_PREFIX + text if is_prefixed else text)
        except cst.ParserSyntaxError as error:
            line, column = error.raw_line, error.raw_column
            unit = Unit(definition, cst.Module([]), is_prefixed=is_prefixed, kept=kept)
            raise UnreadableSource(error.message, line=unit.line(line), column=column) from None
        return Unit(definition, tree, self.path, is_prefixed=is_prefixed, kept=kept)

    @cached_property
    def _module_level(self) -> tuple[str, list[int]]:
        """The lines outside of definitions, of each of which a `pass` is left, and their numbers.

        What is cut out leaves no empty lines, so that the text stays the same where a function grows.
        """
        lines = self.source.text.split("\n")
        kept: list[str] = []
        numbers: list[int] = []
        next_line = 1
        for first, last, indent in sorted(self._skeleton.blanked):
            kept += lines[next_line - 1 : first - 1]
            numbers += range(next_line, first)
            kept.append(lines[first - 1][:indent] + "pass")
            numbers.append(first)
            next_line = last + 1
        kept += lines[next_line - 1 :]
        numbers += range(next_line, len(lines) + 1)
        return "\n".join(kept), numbers
