"""Where tensors and modules may lie: what moves them to a device, and what is computed of them.

A thing is named by the node that made it, and so lies in one place: what is known of it holds wherever it
is used, and needs no part in the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torchlint.flow.domain import Device
from torchlint.flow.things import Dotted, Module, Opaque, Scalar, Tensor, Thing, Value
from torchlint.tables import Result, op
from torchlint.tables.effects import effect, says

if TYPE_CHECKING:
    import libcst as cst

    from torchlint.flow.arguments import Arguments
    from torchlint.flow.walk import Walk

_LIKE = ("_like", "new_")  # constructors that take the device of what they are given


class Devices:
    """The devices of one walk."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._known: dict[Thing, Device] = {}

    def of(self, thing: Thing) -> Device:
        """Where a thing may lie; a part lies where its whole does."""
        whole: Thing | None = thing
        while whole is not None:
            known = self._known.get(whole)
            if known is not None:
                return known
            match whole:
                case Module(built=built, parent=None) if built is not None:
                    return Device.CPU
                case Module() | Opaque():
                    whole = whole.parent
                case Tensor():
                    whole = whole.holder
                case _:
                    break
        return Device(0)

    def made(self, tensor: Thing, operands: Iterable[Thing]) -> None:
        """A tensor is computed of others, or of a module's parameters and others."""
        self._known[tensor] = self._joint(operands)

    def called(self, target: Value, name: str, arguments: Arguments, node: cst.Call, value: Value) -> None:
        """A call has given a value; `target` is what was called, or whose method `name` was."""
        walk = self._walk
        moved = self._moved(target, name, arguments, node)
        if moved is not None:
            for thing in (*value, *walk.tensors_within(value)):
                self._put(thing, moved)
            return
        made = [thing for thing in walk.tensors_within(value) if not _is_place(thing) and not self.of(thing)]
        if not made:
            return
        operands = [*target, *(item for one in arguments.all() for item in walk.tensors_within(one))]
        for thing in made:
            if thing not in operands and not self.of(thing):  # the whole may be known since
                modules = walk.now().tensor(thing).modules
                self._known[thing] = self._joint((*operands, *modules))

    def _put(self, thing: Thing, device: Device) -> None:
        if isinstance(thing, Module):
            for part in self._walk.parts(thing):
                self._known[part] = device
        elif isinstance(thing, Tensor | Opaque):
            self._known[thing] = device

    def _joint(self, operands: Iterable[Thing]) -> Device:
        """Numbers on the CPU may meet what lies on a device, and the result lies there."""
        joint, unknown = Device(0), False
        for thing in operands:
            if isinstance(thing, Tensor | Opaque | Module):
                one = self.of(thing)
                joint |= one
                unknown |= not one
        if joint.is_apart:
            return joint & ~Device.CPU
        return Device(0) if unknown else joint

    def _moved(self, target: Value, name: str, arguments: Arguments, node: cst.Call) -> Device | None:
        """Where a call puts what it gives; None where it moves nothing."""
        place = self._walk.text(node.func)
        operation = op(name)
        if operation is not None and any(isinstance(thing, Tensor | Opaque | Module) for thing in target):
            if operation.name == "cpu":
                return Device.CPU
            if operation.name == "cuda":
                return Device.ACCELERATOR
            if operation.name == "to":
                return self._named(arguments, node, 0)
        for thing in target:
            full = f"{thing.name}.{name}" if isinstance(thing, Dotted) and name else thing.place
            made = op(full) if isinstance(thing, Dotted) else operation
            if made is not None and made.result is Result.FRESH:
                chosen = self._named(arguments, node)
                if chosen is None and not any(word in made.name for word in _LIKE):
                    return Device.CPU
                return chosen
            if isinstance(thing, Dotted):
                known = effect(full)
                if known is not None and known.kind == "data":
                    return Device.CPU
        if "device" in says("place", place) or "device" in says("callee", place.rpartition(".")[2]):
            return Device.CHOSEN
        return self._named(arguments, node)

    def _named(self, arguments: Arguments, node: cst.Call, position: int | None = None) -> Device | None:
        """The device that an argument names; None for a dtype, or where no argument is one."""
        given = arguments.get("device", position)
        if given is None:
            return None
        keyed = [item.value for item in node.args if item.keyword and item.keyword.value == "device"]
        spelled = keyed or [item.value for item in node.args[:1]]
        named = Device(0)
        for thing in given:
            match thing:
                case Scalar(constant=str() as text):
                    named |= Device.CPU if text == "cpu" else Device.ACCELERATOR
                case Scalar(constant=int()):
                    named |= Device.ACCELERATOR
                case Scalar(place="none") | Dotted():
                    pass
                case Scalar():
                    named |= Device.CHOSEN
                case Tensor():
                    named |= self.of(thing)
                case _ if keyed or any("device" in says("place", self._walk.text(one)) for one in spelled):
                    named |= Device.CHOSEN
        if Device.CPU in named and named.is_apart:
            named = Device.CHOSEN  # the one or the other, whatever there is
        return named or None


def _is_place(thing: Thing) -> bool:
    """Whether a thing belongs to a caller, and so was not made by a call."""
    return isinstance(thing.key, tuple) and thing.key[0] == "entry"
