"""What the classes of a source are: modules or not, what they hold, whether their mode matters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torchlint.flow.domain import Sensitivity
from torchlint.names import ImportMap
from torchlint.skeleton import ClassOutline, Construct, Skeleton
from torchlint.tables import Answer, Argument, Given, Layer, module
from torchlint.tables.effects import says


@dataclass(frozen=True, slots=True)
class Made:
    """A module as its constructor call tells: its class, whether its mode matters, whether it learns."""

    cls: str
    sensitivity: Sensitivity
    parameters: bool | None
    layer: Layer | None = None
    inplace: bool = False
    statistics: bool = False


class Classes:
    """The classes of one source."""

    def __init__(self, skeleton: Skeleton, imports: ImportMap) -> None:
        self._outlines = skeleton.classes
        self._imports = imports
        self._sensitivities: dict[str, Sensitivity] = {}
        self._fills: dict[str, bool] = {}
        self._attributes: dict[str, dict[str, list[object]]] = {}
        self._uses: dict[str, dict[str, set[str]]] = {}

    def outline(self, name: str | None) -> ClassOutline | None:
        """The outline of a class of this source."""
        return self._outlines.get(name) if name is not None else None

    def lineage(self, name: str) -> list[ClassOutline]:
        """The class and its bases in this source, nearest first."""
        found: list[ClassOutline] = []
        waiting = [name]
        while waiting:
            outline = self._outlines.get(waiting.pop(0))
            if outline is not None and outline not in found:
                found.append(outline)
                waiting.extend(outline.bases)
        return found

    def is_module(self, name: str) -> bool:
        """Whether a class of this source derives from nn.Module, as far as the source shows."""
        for outline in self.lineage(name):
            for base in outline.bases:
                if base in self._outlines:
                    continue
                dotted = self._imports.resolve(base) or base
                if dotted.startswith("torch.nn.") or "module" in says("base", dotted.rpartition(".")[2]):
                    return True
                # A base nobody shows, and a forward: torch code has no other use for the word. Or
                # layers built into the object itself.
                if dotted == "torch.autograd.Function" or self._known_base(base):
                    continue
                if "forward" in outline.methods or self._holds_layers(outline):
                    return True
                if any(module(star) for star in self._imports.starred(base)):
                    return True
        return False

    def _holds_layers(self, outline: ClassOutline) -> bool:
        for values in self._assigned(outline).values():
            for value in values:
                if not isinstance(value, Construct):
                    continue
                if not (self._imports.resolve(value.callee) or "").startswith("torch.nn."):
                    continue
                made = self.made(value)
                if made is not None and (made.parameters or made.sensitivity is Sensitivity.YES):
                    return True
        return False

    def is_opaque(self, name: str) -> bool:
        """Whether a class has a base that the source does not show, so that it may be anything."""
        return any(
            base not in self._outlines and not self._known_base(base)
            for outline in self.lineage(name)
            for base in outline.bases
        )

    def method(self, name: str, method: str) -> tuple[ClassOutline, str] | None:
        """The class of this source that defines a method, and the method's qualified name."""
        for outline in self.lineage(name):
            if method in outline.methods:
                return outline, outline.methods[method].qualname
        return None

    def attribute(self, name: str, attribute: str) -> list[object]:
        """What `self.<attribute>` is assigned in a class and its bases: constructs and literals."""
        found: list[object] = []
        for outline in self.lineage(name):
            found.extend(self._assigned(outline).get(attribute, ()))
        return found

    def uses(self, name: str, attribute: str) -> set[str]:
        """The methods called on `self.<attribute>` in a class and its bases; `()` for a call of it."""
        return {use for outline in self.lineage(name) for use in self._used(outline).get(attribute, ())}

    def made(self, construct: Construct) -> Made | None:
        """The module that a constructor call makes; None where it makes none that is known."""
        outline = self._outlines.get(construct.callee)
        if outline is not None:
            if not self.is_module(outline.name):
                return None
            return Made(outline.name, self.sensitivity(outline.name), True)
        dotted = self._imports.resolve(construct.callee)
        candidates = [dotted] if dotted else list(self._imports.starred(construct.callee))
        layer = next((known for name in candidates if (known := module(name)) is not None), None)
        if layer is None:
            return None
        positional = [_argument(item) for item in construct.arguments]
        keywords = {name: _argument(item) for name, item in construct.keywords}
        parts = [
            self._sensitivity_of(item) for item in (*construct.arguments, *dict(construct.keywords).values())
        ]
        return make(layer, positional, keywords, [part for part in parts if part is not None])

    def fills_itself(self, name: str) -> bool:
        """Whether the forward of a module class of this source stores something on the module."""
        known = self._fills.get(name)
        if known is None:
            found = self.method(name, "forward")
            known = found is not None and found[0].methods["forward"].stores_on_self()
            self._fills[name] = known
        return known

    def sensitivity(self, name: str) -> Sensitivity:
        """Whether a module class of this source computes differently in training mode."""
        known = self._sensitivities.get(name)
        if known is None:
            self._sensitivities[name] = Sensitivity.NO  # a class that holds itself adds nothing
            known = self._sensitivities[name] = self._judge(name)
        return known

    def _judge(self, name: str) -> Sensitivity:
        parts: list[Sensitivity] = []
        for outline in self.lineage(name):
            if outline.mentions_training():
                return Sensitivity.YES
            for base in outline.bases:
                if base not in self._outlines and not self._known_base(base):
                    parts.append(Sensitivity.UNKNOWN)
            for made in map(self.made, outline.calls()):
                if made is not None:
                    parts.append(made.sensitivity)
            for attribute, values in self._assigned(outline).items():
                parts.extend(self._of_attribute(outline, attribute, values))
        return Sensitivity.of_parts(parts)

    def _of_attribute(
        self, outline: ClassOutline, attribute: str, values: list[object]
    ) -> Iterable[Sensitivity]:
        called = "()" in self.uses(outline.name, attribute)
        for value in values:
            if isinstance(value, Construct):
                if self.made(value) is None and self._may_build_module(value.callee, called=called):
                    yield Sensitivity.UNKNOWN
            elif called and not isinstance(value, str | int | float | bool | tuple | None):
                yield Sensitivity.UNKNOWN  # a module that was handed in

    def _may_build_module(self, callee: str, *, called: bool) -> bool:
        dotted = self._imports.resolve(callee) or callee
        if dotted.startswith("torch."):
            return False
        if callee.startswith(("self.", "super.")):
            return False  # the layers stand in the method itself, which is read as well
        return called or (dotted.rpartition(".")[2][:1].isupper() and callee not in self._outlines)

    def _known_base(self, base: str) -> bool:
        dotted = self._imports.resolve(base) or base
        return dotted in (
            "object",
            "ABC",
            "abc.ABC",
            "Generic",
            "typing.Generic",
            "Protocol",
        ) or dotted.startswith(("torch.nn.", "torch.utils.data.", "torch.optim.", "torch.autograd."))

    def _sensitivity_of(self, item: object) -> Sensitivity | None:
        if isinstance(item, Construct):
            made = self.made(item)
            if made is not None:
                return made.sensitivity
            return (
                None
                if self._imports.resolve(item.callee or "") == "collections.OrderedDict"
                else Sensitivity.UNKNOWN
            )
        if isinstance(item, tuple):
            parts = [part for inner in item if (part := self._sensitivity_of(inner)) is not None]
            return Sensitivity.of_parts(parts) if parts else None
        return None

    def _assigned(self, outline: ClassOutline) -> dict[str, list[object]]:
        if outline.name not in self._attributes:
            self._attributes[outline.name] = outline.attributes()
        return self._attributes[outline.name]

    def _used(self, outline: ClassOutline) -> dict[str, set[str]]:
        if outline.name not in self._uses:
            self._uses[outline.name] = outline.attribute_uses()
        return self._uses[outline.name]


def make(
    layer: Layer,
    positional: Sequence[Argument],
    keywords: Mapping[str, Argument],
    children: list[Sensitivity],
) -> Made:
    """The module that a row of the table makes with these arguments and children."""
    differs = layer.differs(positional, keywords)
    if differs is Answer.CHILDREN:
        sensitivity = Sensitivity.of_parts(children)
    else:
        sensitivity = {Answer.YES: Sensitivity.YES, Answer.NO: Sensitivity.NO}.get(
            differs, Sensitivity.UNKNOWN
        )
    parameters = {Answer.YES: True, Answer.NO: False}.get(layer.has_parameters(positional, keywords))
    inplace = layer.writes_input(positional, keywords) is Answer.YES
    statistics = layer.keeps_statistics(positional, keywords) is Answer.YES
    return Made(layer.name, sensitivity, parameters, layer.built(positional, keywords), inplace, statistics)


def _argument(item: object) -> Argument:
    if isinstance(item, str | int | float | bool | None):
        return item
    return Given.ANYTHING
