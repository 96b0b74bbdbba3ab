"""Reads of what lies on a device, in each step of a loop: there the program waits for the device.

Where there is no accelerator nothing waits, and still it can be seen what would: what was moved to a
`torch.device`, which is how a program names one that it chooses when it runs, and all that is computed of
it, counts as lying there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import torch

from torchlint.prove.observations import Kind, Observation, Site
from torchlint.prove.observers.calls import Call, Observer, tensors_in
from torchlint.prove.observers.frames import Program

_READS = {
    "item": ".item()",
    "tolist": ".tolist()",
    "numpy": ".numpy()",
    "cpu": ".cpu()",
    "to": ".to('cpu')",
    "__float__": "float()",
    "__int__": "int()",
    "__index__": "an index",
    "__bool__": "the truth of a tensor",
    "__complex__": "complex()",
    "__format__": "a text",
    "__repr__": "a text",
}
_FEWEST = 3  # calls of backward: between fewer, every read would stand in each step


@dataclass(slots=True)
class _Seen:
    """One line that reads: in which steps it did, by the line that runs backward, and who had called it."""

    text: str
    steps: defaultdict[Site, set[int]] = field(default_factory=lambda: defaultdict(set))
    callers: dict[Site, None] = field(default_factory=dict)


class DeviceWaits(Observer):
    """Counts calls of backward, and the reads between them."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._moved: WeakValueDictionary[int, torch.Tensor] = WeakValueDictionary()
        self._backwards: dict[Site, int] = {}
        self._seen: dict[Site, _Seen] = {}

    def before(self, call: Call) -> None:
        if call.name in ("backward", "grad"):
            self._backwards[call.site] = self._backwards.get(call.site, 0) + 1
        elif call.name in _READS and any(map(self._is_apart, call.tensors[:1])):
            if call.name == "to" and not _goes_back(call):
                return
            seen = self._seen.setdefault(call.site, _Seen(_READS[call.name]))
            seen.callers.update(dict.fromkeys(self.program.callers()))
            for backward, number in self._backwards.items():
                seen.steps[backward].add(number)

    def after(self, call: Call) -> None:
        made = tensors_in(call.result)
        if call.name == "cpu" or _goes_back(call):
            for tensor in made:
                self._moved.pop(id(tensor), None)
        elif call.name == "cuda" or _names_a_device(call) or any(map(self._is_apart, call.tensors)):
            for tensor in made:
                self._moved[id(tensor)] = tensor

    def observations(self) -> Iterable[Observation]:
        for site, seen in self._seen.items():
            for backward, steps in seen.steps.items():
                last = self._backwards[backward]
                if last >= _FEWEST and steps >= set(range(1, last)):
                    text = f"{seen.text} reads from a device between any two calls of backward"
                    yield Observation(
                        Kind.DEVICE_WAIT, site, text, times=len(steps), callers=tuple(seen.callers)
                    )
                    break

    def _is_apart(self, tensor: torch.Tensor) -> bool:
        return tensor.device.type != "cpu" or self._moved.get(id(tensor)) is tensor


def _names_a_device(call: Call) -> bool:
    return any(isinstance(one, torch.device) for one in call.given)


def _goes_back(call: Call) -> bool:
    return call.name == "to" and "cpu" in [one for one in call.given if isinstance(one, str)]
