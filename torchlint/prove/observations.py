"""What observers report: values without torch in them, which can leave the process that was watched."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What torch was seen to do."""

    TRAINING_FORWARD = "training-forward"
    """A forward without gradients in training mode, which would differ in evaluation mode."""
    EVAL_LEFT = "eval-left"
    """A module was trained, put into evaluation mode, and trained on in it."""
    GRAPH_UNUSED = "graph-unused"
    """A forward in evaluation mode built a graph that no backward came to."""
    GRAD_READ = "grad-read"
    """`.item()` of a tensor that requires grad."""
    GRAD_CONVERSION = "grad-conversion"
    """Another conversion of a tensor that requires grad, which torch warns about or refuses: `float()` …"""
    DEVICE_WAIT = "device-wait"
    """A value was read from a device in each step of a loop that runs backward."""
    STALE_SAVE = "stale-save"
    """Backward met a saved tensor that had been written in place."""
    UNREACHED_SAVE = "unreached-save"
    """A saved tensor was written in place, and no backward came to it while the program ran."""
    SILENT_WRITE = "silent-write"
    """Backward met a saved tensor with other values than were saved, and torch did not notice."""
    GRAPH_KEPT = "graph-kept"
    """The graphs of earlier steps stay alive, more with each step."""
    LEAF_WRITTEN = "leaf-written"
    """A write in place to a leaf that requires grad, or to a view of one, was refused."""
    VIEW_WRITTEN = "view-written"
    """A write in place to a view that must not be written was refused."""
    INFERENCE_SAFE = "inference-safe"
    """A no_grad region that does inference gives the same results as inference_mode."""
    INFERENCE_UNSAFE = "inference-unsafe"
    """A no_grad region gives other results, or an error, as inference_mode."""
    INFERENCE_TENSOR = "inference-tensor"
    """A tensor made under inference_mode was refused by autograd."""
    IDLE_SWITCH = "idle-switch"
    """A grad-mode switch was never entered, could not be, covered no coroutine, or also covered a caller."""
    GRAD_LEFT_OFF = "grad-left-off"
    """Grad mode was off when the program ended."""


CLAIMED: dict[str, Kind] = {
    "TL101": Kind.TRAINING_FORWARD,
    "TL102": Kind.EVAL_LEFT,
    "TL103": Kind.GRAPH_UNUSED,
    "TL201": Kind.GRAD_READ,
    "TL202": Kind.GRAPH_KEPT,
    "TL203": Kind.GRAD_CONVERSION,
    "TL204": Kind.DEVICE_WAIT,
    "TL301": Kind.STALE_SAVE,
    "TL302": Kind.LEAF_WRITTEN,
    "TL303": Kind.VIEW_WRITTEN,
    "TL304": Kind.SILENT_WRITE,
    "TL401": Kind.INFERENCE_SAFE,
    "TL402": Kind.INFERENCE_TENSOR,
    "TL403": Kind.IDLE_SWITCH,
    "TL404": Kind.INFERENCE_SAFE,
}
"""What a finding of each rule says that torch does there."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """Lines of a program, from 1; `end_line` equals `line` where Python tells no more."""

    file: str
    line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Remark:
    """One more place that belongs to an observation."""

    site: Site
    text: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that torch did at one site, however often."""

    kind: Kind
    site: Site
    text: str
    """What happened, in one clause."""
    remarks: tuple[Remark, ...] = ()
    times: int = 1
    callers: tuple[Site, ...] = ()
    """The lines of the program that had called the function it happened in, the nearest first."""

    def is_at(self, file: str, line: int, end_line: int) -> bool:
        """Whether it happened in these lines of the file, or in what they called."""
        return any(
            site.file == file and line <= site.end_line and site.line <= end_line
            for site in (self.site, *self.callers)
        )


def as_json(observation: Observation) -> dict[str, object]:
    """Plain values, for another process; `from_json` reads them."""
    return {
        "kind": observation.kind.value,
        "site": plain_site(observation.site),
        "text": observation.text,
        "remarks": [[plain_site(remark.site), remark.text] for remark in observation.remarks],
        "times": observation.times,
        "callers": [plain_site(site) for site in observation.callers],
    }


def from_json(value: dict[str, object]) -> Observation:
    """The observation that `as_json` wrote; raises `KeyError`, `TypeError` or `ValueError` for others."""
    remarks, callers, times = value["remarks"], value["callers"], value["times"]
    if not (isinstance(remarks, list) and isinstance(callers, list) and isinstance(times, int)):
        raise TypeError(f"not an observation: {value}")
    return Observation(
        Kind(value["kind"]),
        site_from(value["site"]),
        str(value["text"]),
        tuple(Remark(site_from(at), str(said)) for at, said in remarks),
        times,
        tuple(map(site_from, callers)),
    )


def plain_site(site: Site) -> list[object]:
    """Plain values; `site_from` reads them."""
    return [site.file, site.line, site.end_line]


def site_from(value: object) -> Site:
    """The site that `plain_site` wrote; raises `TypeError` or `ValueError` for anything else."""
    if not (isinstance(value, list) and len(value) == 3):
        raise TypeError(f"not a site: {value}")
    file, line, end_line = value
    return Site(str(file), int(line), int(end_line))
