"""What the classes of a source are: modules or not, what they hold, whether their mode matters.

A class is known by its key: its name in a file that is read alone, else the path of its file, a colon and
its name. Names as the source spells them have to be looked up first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from torchlint.constructs import Construct, Named
from torchlint.definitions import LEARNS, ClassOutline, Definition
from torchlint.flow import factories
from torchlint.flow.domain import Mode, Sensitivity
from torchlint.flow.events import Origin
from torchlint.flow.made import LISTS, Made, argument, is_filled, make
from torchlint.flow.neighbours import Callee
from torchlint.tables import module, op
from torchlint.tables.effects import effect, says

if TYPE_CHECKING:
    from torchlint.flow.file import FileFlow

_MOST_BASES = 32  # of one class, all together
_LOADING = {"saved": Mode.UNKNOWN, "holder": Mode.EVAL}  # as it was saved; what it holds was loaded so


class Kin(NamedTuple):
    """A class or one of its bases, among the classes of its file."""

    classes: Classes
    outline: ClassOutline

    @property
    def key(self) -> str:
        """The key of the class."""
        return self.classes.own(self.outline.name)


class Classes:
    """The classes of one source."""

    def __init__(self, home: FileFlow) -> None:
        self.home = home
        self.imports = home.imports
        self._outlines = home.skeleton.classes
        self._prefix = f"{home.path}:" if home.path else ""
        self._lineages: dict[str, tuple[Kin, ...]] = {}
        self._modules: dict[str, bool] = {}
        self._sensitivities: dict[str, Sensitivity] = {}
        self._fills: dict[str, bool] = {}
        self._given: dict[str, dict[str, list[str]]] = {}
        self._learning: dict[str, bool] = {}
        self.making: list[Definition] = []  # functions whose calls are being looked at

    def own(self, name: str) -> str:
        """The key of a class that this source defines."""
        return self._prefix + name

    def find(self, spelled: str) -> str | None:
        """The key of the class that a name of this source stands for; None where it is out of sight."""
        if spelled in self._outlines:
            return self.own(spelled)
        head, _, rest = spelled.partition(".")
        if rest in self._outlines and head in self.home.skeleton.itself:
            return self.own(rest)
        dotted = self.imports.resolve(spelled)
        found = self.home.neighbours.find(dotted) if dotted is not None else None
        if found is None or found.name not in found.home.skeleton.classes:
            return None
        return found.home.classes.own(found.name)

    def outline(self, key: str | None) -> ClassOutline | None:
        """The outline of a class in sight."""
        kin = self._kin(key) if key is not None else None
        return kin.outline if kin is not None else None

    def is_in_sight(self, key: str | None) -> bool:
        """Whether a class has an outline."""
        return self.outline(key) is not None

    def is_buffer(self, key: str, attribute: str) -> bool:
        """Whether a class or a base of it registers a buffer of this name."""
        return any(attribute in kin.outline.buffers for kin in self.lineage(key))

    def lineage(self, key: str) -> tuple[Kin, ...]:
        """The class and its bases in sight, nearest first."""
        known = self._lineages.get(key)
        if known is None:
            found: dict[str, Kin] = {}
            waiting: list[str | None] = [key]
            while waiting and len(found) < _MOST_BASES:
                one = waiting.pop(0)
                kin = self._kin(one) if one is not None else None
                if kin is not None and kin.key not in found:
                    found[kin.key] = kin
                    waiting.extend(map(kin.classes.find, kin.outline.bases))
            known = self._lineages[key] = tuple(found.values())
        return known

    def fields(self, key: str) -> tuple[str, ...]:
        """What a record of this class holds, in the order of the arguments that make one."""
        names = [name for kin in reversed(self.lineage(key)) for name in kin.outline.fields]
        return tuple(dict.fromkeys(names))

    def is_module(self, key: str) -> bool:
        """Whether a class in sight derives from nn.Module, as far as the sources show."""
        known = self._modules.get(key)
        if known is None:
            lineage = self.lineage(key)
            known = any(kin.classes.looks_like_module(kin) for kin in lineage)
            # A base nobody shows, and a forward or layers anywhere between it and the class.
            known = known or (
                self.is_opaque(key) and any(kin.classes.is_built_like_module(kin.outline) for kin in lineage)
            )
            self._modules[key] = known
        return known

    def looks_like_module(self, kin: Kin) -> bool:
        """Whether a class of this source says by itself that it is a module."""
        for base in kin.outline.bases:
            if self.find(base) is not None:
                continue
            dotted = self.imports.resolve(base) or base
            if dotted.startswith("torch.nn.") or "module" in says("base", dotted.rpartition(".")[2]):
                return True
            if any(module(star) for star in self.imports.starred(base)):
                return True
        return False

    def is_built_like_module(self, outline: ClassOutline) -> bool:
        """Whether a class has a forward, which says module in torch code, or builds layers into itself."""
        if "forward" in outline.methods:
            return True
        for values in outline.attributes.values():
            for value in values:
                if not isinstance(value, Construct):
                    continue
                if not (self.imports.resolve(value.callee) or "").startswith("torch.nn."):
                    continue
                made = self.made(value)
                if made is not None and (made.parameters or made.sensitivity is Sensitivity.YES):
                    return True
        return False

    def is_opaque(self, key: str) -> bool:
        """Whether a class has a base that nobody in sight shows, so that it may be anything."""
        return any(
            kin.classes.find(base) is None and not kin.classes._known_base(base)
            for kin in self.lineage(key)
            for base in kin.outline.bases
        )

    def method(self, key: str, method: str) -> Callee | None:
        """The method that a class has or inherits."""
        for kin in self.lineage(key):
            if method in kin.outline.methods:
                return Callee(kin.classes.home, kin.outline.methods[method])
        return None

    def attribute(self, key: str, attribute: str) -> list[tuple[Classes, object]]:
        """What a class and its bases assign to `self.<attribute>`, constructs as their files spell them."""
        return [
            (kin.classes, value)
            for kin in self.lineage(key)
            for value in kin.outline.attributes.get(attribute, ())
        ]

    def inference(self, key: str, attribute: str) -> frozenset[Origin]:
        """Where the inference tensor was made that an attribute holds; empty where it may hold anything else.

        A buffer is moved with its module, and what is moved is no inference tensor any more.
        """
        lineage = self.lineage(key)
        storing = [
            (kin.classes.home, one) for kin in lineage for one in kin.outline.storing.get(attribute, ())
        ]
        if not any(one.qualname in home.inferring for home, one in storing):
            return frozenset()
        if self.is_buffer(key, attribute):
            return frozenset()
        found = [dict(home.summary(one.qualname).infers).get(attribute) for home, one in storing]
        origins = frozenset(origin for each in found if each for origin in each)
        return origins if all(found) else frozenset()

    def uses(self, key: str, attribute: str) -> set[str]:
        """The methods called on `self.<attribute>` in a class and its bases; `()` for a call of it."""
        names = (attribute, *self._properties(key).get(attribute, ()))
        uses = [kin.outline.attribute_uses for kin in self.lineage(key)]
        return {use for each in uses for name in names for use in each.get(name, ())}

    def leads_to(self, key: str, attribute: str) -> tuple[str, ...]:
        """The attributes behind one that is a property, and gives what stands there as it is."""
        found = self.method(key, attribute)
        way = found.definition.leads_to if found is not None else ()
        return way if attribute not in way else ()

    def _properties(self, key: str) -> dict[str, list[str]]:
        """For each attribute of a class the properties that give it."""
        known = self._given.get(key)
        if known is None:
            known = self._given[key] = {}
            for kin in self.lineage(key):
                for name in kin.outline.methods:
                    if len(way := self.leads_to(key, name)) == 1:
                        known.setdefault(way[0], []).append(name)
        return known

    def is_snapshot(self, key: str, attribute: str) -> bool:
        """Whether methods store copies of a model in `self.<attribute>` as it comes, and none sets a mode."""
        if self.uses(key, attribute) & {"eval", "train"}:
            return False
        copied = False
        for kin in self.lineage(key):
            callee = kin.outline.snapshots.get(attribute)
            known = effect(kin.classes.imports.resolve(callee) or "") if callee is not None else None
            copied |= known is not None and known.kind == "copy"
        values = [value for _, value in self.attribute(key, attribute)]
        return copied and all(value is None or isinstance(value, Construct) for value in values)

    def loaded(self, key: str, attribute: str) -> Mode | None:
        """The mode of what libraries load into `self.<attribute>`; None where nothing shows that they do."""
        mode: Mode | None = None
        for home, value in self.attribute(key, attribute):
            known = effect(home.imports.resolve(value.callee) or "") if isinstance(value, Construct) else None
            if known is not None and known.kind in _LOADING:
                mode = _LOADING[known.kind] | (mode or Mode(0))
        return mode

    def made(self, construct: Construct) -> Made | None:
        """The module that a constructor call of this source makes; None where it makes none that is known."""
        key = self.find(construct.callee)
        if key is not None:
            return Made(key, self.sensitivity(key), self.learns(key)) if self.is_module(key) else None
        function = factories.function(self, construct.callee)
        if function is not None:
            joint = Sensitivity.of_parts(factories.parts(self, construct, function) or [Sensitivity.UNKNOWN])
            # What may as well be a loss or None is left to how it is used.
            return Made(None, joint, None) if joint is not Sensitivity.UNKNOWN else None
        dotted = self.imports.resolve(construct.callee)
        candidates = [dotted] if dotted else list(self.imports.starred(construct.callee))
        layer = next((known for name in candidates if (known := module(name)) is not None), None)
        if layer is None:
            return None
        positional = [argument(item) for item in construct.arguments]
        keywords = {name: argument(item) for name, item in construct.keywords}
        given = (*construct.arguments, *dict(construct.keywords).values())
        children = [part for part in map(self._sensitivity_of, given) if part is not None]
        wrapper = effect(layer.name)
        if not children and wrapper is not None and wrapper.kind == "same":
            children = [Sensitivity.UNKNOWN]  # DataParallel around something by its name
        return make(layer, positional, keywords, children)

    def learns(self, key: str) -> bool:
        """Whether a module class in sight may hold parameters; False where it shows that it holds none."""
        known = self._learning.get(key)
        if known is None:
            self._learning[key] = False  # a class that holds itself adds nothing
            known = self._learning[key] = self.is_opaque(key) or any(
                kin.classes._holds_parameters(kin) for kin in self.lineage(key)
            )
        return known

    def is_bare(self, key: str) -> bool:
        """Whether a module class in sight shows that it holds neither parameters nor buffers."""
        return not self.learns(key) and not any(kin.outline.buffers for kin in self.lineage(key))

    def _holds_parameters(self, kin: Kin) -> bool:
        bases = [self.imports.resolve(base) or base for base in kin.outline.bases if self.find(base) is None]
        layers = [module(base) for base in bases if base != "torch.nn.Module"]
        if any(layer is not None and layer.parameters != "no" for layer in layers):
            return True
        texts = (self.home.units.text(one.qualname) for one in kin.outline.methods.values())
        made = map(self.made, kin.outline.calls)
        if any(LEARNS in text for text in texts) or any(one and one.parameters is not False for one in made):
            return True
        for attribute, values in kin.outline.attributes.items():
            uses = self.uses(kin.key, attribute)
            for value in values:
                if isinstance(value, Construct):
                    called = "()" in uses
                    if self.made(value) is None and self._may_build_module(value.callee, called=called):
                        return True
                elif uses and not isinstance(value, str | int | float | bool | tuple):
                    return True  # a module that was handed in
        return False

    def fills_itself(self, key: str) -> bool:
        """Whether the forward of a module class in sight stores something on the module."""
        known = self._fills.get(key)
        if known is None:
            found = self.method(key, "forward")
            known = self._fills[key] = found is not None and found.definition.stores_on_self()
        return known

    def sensitivity(self, key: str) -> Sensitivity:
        """Whether a module class in sight computes differently in training mode."""
        kin = self._kin(key)
        if kin is not None and kin.classes is not self:
            return kin.classes.sensitivity(key)
        known = self._sensitivities.get(key)
        if known is None:
            self._sensitivities[key] = Sensitivity.NO  # a class that holds itself adds nothing
            known = self._sensitivities[key] = self._judge(key)
        return known

    def _kin(self, key: str) -> Kin | None:
        path, _, name = key.rpartition(":")
        if path == self.home.path:
            outline = self._outlines.get(name)
            return Kin(self, outline) if outline is not None else None
        home = self.home.neighbours.at(path) if path else None
        outline = home.skeleton.classes.get(name) if home is not None else None
        return Kin(home.classes, outline) if home is not None and outline is not None else None

    def _judge(self, key: str) -> Sensitivity:
        parts: list[Sensitivity] = []
        for kin in self.lineage(key):
            if kin.outline.mentions_training:
                return Sensitivity.YES
            parts.extend(kin.classes._of_parts(kin))
        judged = Sensitivity.of_parts(parts)
        forward = self.method(key, "forward")
        is_open = forward.definition.is_abstract if forward is not None else self._begins_nowhere(key)
        return Sensitivity.UNKNOWN if judged is Sensitivity.NO and is_open else judged

    def _begins_nowhere(self, key: str) -> bool:
        """Whether nothing that a class derives from says what its forward does: its subclasses do."""
        kins = self.lineage(key)
        bases = {kin.classes.imports.resolve(base) for kin in kins for base in kin.outline.bases}
        return "torch.nn.Module" in bases and not any("__call__" in kin.outline.methods for kin in kins)

    def _of_parts(self, kin: Kin) -> Iterable[Sensitivity]:
        for base in kin.outline.bases:
            if self.find(base) is None and not self._known_base(base):
                yield Sensitivity.UNKNOWN
        built = [made for made in map(self.made, kin.outline.calls) if made is not None]
        yield from (made.sensitivity for made in built)
        for attribute, values in kin.outline.attributes.items():
            uses = self.uses(kin.key, attribute)
            called = "()" in uses
            for value in values:
                if isinstance(value, Construct):
                    made = self.made(value)
                    if made is not None:
                        unseen = made.cls in LISTS and is_filled(kin.outline.calls, attribute, built)
                    else:
                        unseen = self._may_build_module(value.callee, called=called)
                    if unseen:
                        yield Sensitivity.UNKNOWN
                elif called and not self._has_no_mode(value):
                    yield Sensitivity.UNKNOWN  # a module that was handed in

    def _has_no_mode(self, value: object) -> bool:
        """Whether a literal, or an operation of torch that does not ask for a mode."""
        if isinstance(value, Named):
            operation = op(self.imports.resolve(value.name) or "")
            return operation is not None and "training" not in (*operation.args, *operation.keywords)
        return isinstance(value, str | int | float | bool | tuple | None)

    def _may_build_module(self, callee: str, *, called: bool) -> bool:
        dotted = self.imports.resolve(callee) or callee
        if dotted.startswith("torch.") or dotted == "functools.partial":
            return False
        if callee.startswith(("self.", "super.")):
            return False  # the layers stand in the method itself, which is read as well
        return called or (dotted.rpartition(".")[2][:1].isupper() and self.find(callee) is None)

    def _known_base(self, base: str) -> bool:
        dotted = self.imports.resolve(base) or base
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
                if self.imports.resolve(item.callee or "") == "collections.OrderedDict"
                else Sensitivity.UNKNOWN
            )
        if isinstance(item, tuple):
            parts = [part for inner in item if (part := self._sensitivity_of(inner)) is not None]
            return Sensitivity.of_parts(parts) if parts else None
        return None
