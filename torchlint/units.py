"""Slices of a source as LibCST trees: one definition, or the module's own top-level statements.

Parsing with LibCST is what costs, so only the definitions that somebody asks for are parsed, and
positions are computed only for a unit that has findings.
"""

from __future__ import annotations

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
        self, definition: Definition | None, tree: cst.Module, line_offset: int, filename: str = ""
    ) -> None:
        self.definition = definition
        self.filename = filename
        self.tree = tree
        self._line_offset = line_offset

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
        start, end, offset = place.start, place.end, self._line_offset
        return Span(start.line + offset, start.column, end.line + offset, end.column)

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


class Units:
    """The units of one source, each parsed at most once."""

    def __init__(self, source: Source, skeleton: Skeleton) -> None:
        self.source = source
        self._skeleton = skeleton
        self._parsed: dict[str, Unit] = {}

    def text(self, qualname: str) -> str:
        """The source lines of a definition; of the module level, with definitions blanked out."""
        if not qualname:
            return self._module_level
        definition = self._skeleton.definitions[qualname]
        return self.source.lines(definition.first_line, definition.last_line)

    def unit(self, qualname: str) -> Unit:
        """The parsed unit of a definition, or of the module level for "". Raises UnreadableSource."""
        unit = self._parsed.get(qualname)
        if unit is None:
            unit = self._parsed[qualname] = self._parse(qualname)
        return unit

    def _parse(self, qualname: str) -> Unit:
        text = self.text(qualname)
        definition = self._skeleton.definitions.get(qualname) if qualname else None
        offset = 0
        if definition is not None:
            offset = definition.first_line - 1
            if text.lstrip("\f")[:1] in (" ", "\t"):
                text = _PREFIX + text
                offset -= 1
        try:
            return Unit(definition, cst.parse_module(text), offset, self.source.filename)
        except cst.ParserSyntaxError as error:
            raise UnreadableSource(
                error.message, line=max(error.raw_line + offset, 1), column=error.raw_column
            ) from None

    @cached_property
    def _module_level(self) -> str:
        lines = self.source.text.split("\n")
        for first, last, indent in self._skeleton.blanked:
            lines[first - 1] = lines[first - 1][:indent] + "pass"
            for number in range(first, last):
                lines[number] = ""
        return "\n".join(lines)
