"""Saved tensors: which line saved, which line wrote afterwards, and whether backward met the result.

torch's own check compares the version counter of a saved tensor at save and at use, and forgets both lines.
Hooks for saved tensors switch that check off (torch/csrc/autograd/saved_variable.cpp), so it is made here,
in torch's words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from weakref import WeakSet

import torch

from torchlint.prove.fingerprint import fingerprint
from torchlint.prove.observations import Kind, Observation, Remark, Site
from torchlint.prove.observers.calls import Call, CallWatch, Observer
from torchlint.prove.observers.frames import Program
from torchlint.prove.observers.shared import memory_of, version_of

_POLLED = 1 << 16
"""Bytes of saved tensors up to which they are compared after each line: it costs a fingerprint of each."""

_COMPARED = 1 << 20
"""Elements up to which the values of a saved tensor are compared: a hash costs what an operation does."""


@dataclass(eq=False)
class Save:
    """One tensor that one operation saved; it lives as long as the graph holds it."""

    tensor: torch.Tensor
    """Shares memory and version counter with what was saved, and holds no graph."""
    version: int
    site: Site
    operation: str
    values: str | None
    """A fingerprint of the elements; None where there are too many."""
    gone: Callable[[], None]
    """Called once the graph lets go of it."""
    copy: torch.Tensor | None = None
    """What was saved, where it is to be repaired."""
    written: Site | None = None
    """The first call since then that wrote the memory."""
    callers: tuple[Site, ...] = ()
    """The lines that had called the function in which it was written."""

    def __del__(self) -> None:
        self.gone()

    @property
    def is_stale(self) -> bool:
        """Whether torch would refuse it."""
        return self.tensor._version != self.version

    @property
    def is_changed(self) -> bool:
        """Whether it holds other values than were saved, as far as they were compared."""
        return self.values is not None and _values(self.tensor) != self.values


@dataclass(slots=True)
class _Fault:
    """A pair of lines: saved here, written there; `met` once backward came to it."""

    save: Site
    operation: str
    met: Site | None = None
    noticed: bool = True
    times: int = 0
    callers: tuple[Site, ...] = ()


class SavedMemory:
    """How much memory graphs hold through saved tensors; what is saved twice counts once."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[int, int]] = {}
        self.held_bytes = 0
        self.peak = 0
        """The most bytes held at once."""

    def held(self, tensor: torch.Tensor) -> Callable[[], None]:
        """One more save of this memory; call what is returned when the save is gone."""
        memory = memory_of(tensor)
        if memory is None:
            return _nothing
        count, size = self._held.get(memory, (0, tensor.untyped_storage().nbytes()))
        self._held[memory] = count + 1, size
        if not count:
            self.held_bytes += size
            self.peak = max(self.peak, self.held_bytes)
        return partial(self._let_go, memory)

    def _let_go(self, memory: int) -> None:
        count, size = self._held.pop(memory)
        if count > 1:
            self._held[memory] = count - 1, size
        else:
            self.held_bytes -= size


class SavedTensors(Observer):
    """Watches what operations save, until it is written or used."""

    def __init__(self, program: Program, *, carry_on: bool, repair: bool) -> None:
        """With `carry_on` backward goes on with a stale tensor instead of raising: later faults show too.

        With `repair` backward gets what was saved where torch would not notice that it has changed.
        """
        super().__init__(program)
        self._carry_on = carry_on
        self._repair = repair
        self._calls: CallWatch | None = None
        self._alive: defaultdict[int | None, WeakSet[Save]] = defaultdict(WeakSet)
        self._faults: dict[tuple[Site, Site, bool], _Fault] = {}
        self._before: list[list[tuple[int | None, int | None]]] = []
        self._fresh: list[Save] = []
        self.memory = SavedMemory()

    def hooks(self, calls: CallWatch) -> torch.autograd.graph.saved_tensors_hooks:
        """The context in which saves are watched; `calls` knows the operation that is running."""
        self._calls = calls
        return torch.autograd.graph.saved_tensors_hooks(self._pack, self._unpack)

    def before(self, call: Call) -> None:
        self._before.append([(version_of(tensor), memory_of(tensor)) for tensor in call.tensors])

    def after(self, call: Call) -> None:
        for save in self._fresh:  # batch_norm saves statistics, and then writes them itself
            save.values = _values(save.tensor)
            save.copy = save.tensor.clone() if self._repair else None
        self._fresh.clear()
        before = self._before.pop()
        for tensor, (version, memory) in zip(call.tensors, before, strict=True):
            # What is fused (`_fused_adam_`) writes without moving a version; set_ gives another memory.
            if version_of(tensor) != version or call.name.endswith("_"):
                self._wrote(memory, call.site)

    def failed(self, call: Call, error: Exception) -> None:
        self._fresh.clear()
        self._before.pop()

    def observations(self) -> Iterable[Observation]:
        for (written, _, _), fault in self._faults.items():
            remarks = [Remark(fault.save, f"{fault.operation} saved it here")]
            kind, text = Kind.UNREACHED_SAVE, "a saved tensor is written, and no backward came to it"
            if fault.met is not None:
                remarks.append(Remark(fault.met, "backward needed it here"))
                kind, text = Kind.STALE_SAVE, "a saved tensor is written, and backward needs it unchanged"
            if not fault.noticed:
                kind = Kind.SILENT_WRITE
                text = "a saved tensor is written, torch does not notice, and the gradients are wrong"
            yield Observation(kind, written, text, tuple(remarks), fault.times, fault.callers)

    def _pack(self, tensor: torch.Tensor) -> Save | torch.Tensor:
        site = self.program.here()
        if site is None:
            return tensor
        with torch._C.DisableTorchFunction():
            try:
                # Holding the result itself would close a circle: node, save, tensor, node.
                alias = tensor.detach()
            except RuntimeError:  # a view whose base was written: torch itself will refuse it
                return tensor
            running = self._calls.current if self._calls is not None else []
            operation = f"'{running[-1].name}'" if running else "an operation"
            values = None if running else _values(alias)
            gone = self.memory.held(alias)
            save = Save(alias, version_of(alias) or 0, site, operation, values, gone)
            if running:
                self._fresh.append(save)
            self._alive[memory_of(alias)].add(save)
        return save

    def _unpack(self, save: Save | torch.Tensor) -> torch.Tensor:
        if isinstance(save, torch.Tensor):
            return save
        with torch._C.DisableTorchFunction():
            here = self.program.here() or save.site
            if save.is_stale:
                self._met(save, here, noticed=True)
                if not self._carry_on:
                    raise RuntimeError(_words(save))
            elif save.is_changed:
                self._met(save, here, noticed=False)
                if save.copy is not None:
                    return save.copy
        return save.tensor

    def line_ran(self, site: Site) -> None:
        """A line of the program has run: what it changed without a call of torch is its doing."""
        if self.memory.held_bytes > _POLLED:
            return
        for saves in self._alive.values():
            for save in saves:
                if save.written is None and not save.is_stale and save.is_changed:
                    save.written, save.callers = site, self.program.callers()

    def _wrote(self, memory: int | None, site: Site) -> None:
        for save in self._alive.get(memory, ()):
            if save.written is None and (save.is_stale or save.is_changed):
                save.written, save.callers = site, self.program.callers()
                if save.is_stale:
                    key = site, save.site, True
                    fault = self._faults.setdefault(key, _Fault(save.site, save.operation))
                    fault.times += 1
                    fault.callers = save.callers

    def _met(self, save: Save, here: Site, *, noticed: bool) -> None:
        key = save.written or save.site, save.site, noticed
        fault = self._faults.setdefault(key, _Fault(save.site, save.operation, times=1, callers=save.callers))
        fault.met, fault.noticed = here, noticed


def _nothing() -> None:
    """What has no memory of its own holds none."""


def _values(tensor: torch.Tensor) -> str | None:
    return fingerprint(tensor) if tensor.numel() <= _COMPARED else None


def _words(save: Save) -> str:
    kind = save.tensor.type()
    sizes = list(save.tensor.shape)
    return (
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{kind} {sizes}], saved by {save.operation} in line {save.site.line}, is at version "
        f"{save.tensor._version}; expected version {save.version} instead."
    )
