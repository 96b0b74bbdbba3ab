"""The rows of modules.tsv, measured: every class of torch.nn, built and called in many ways."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from multiprocessing import get_context

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from measuring.layers.children import HOLDERS
from measuring.layers.conditions import Case, TooFewSamples, condition
from measuring.layers.runs import Observation, observe
from measuring.layers.samples import samples
from measuring.layers.saves import saves, saves_result, saves_state, varies
from measuring.layers.signatures import call, cell, constructor
from measuring.layers.state import Stale
from torchlint.tables import Argument
from torchlint.tables.rows import parts


def rows(jobs: int = 1) -> list[list[str]]:
    """The cells of every row, sorted; `jobs` processes measure.

    Raises TooFewSamples where the samples of a class leave a cell open.
    """
    names = [dotted(cls) for cls in classes() if _is_called(cls)]
    if jobs > 1:
        with get_context("spawn").Pool(jobs) as pool:
            measured = pool.map(row, names, chunksize=1)
    else:
        measured = [row(name) for name in names]
    known = {found[0]: found for found in measured}
    return sorted([*measured, *(abstract(cls, known) for cls in classes() if not _is_called(cls))])


def classes() -> list[type[nn.Module]]:
    """Every public class of torch.nn, and the one of torch.nn.parallel that is not among them."""
    public = [value for name, value in vars(nn).items() if inspect.isclass(value) and name[0] != "_"]
    return [*(value for value in public if issubclass(value, nn.Module)), DistributedDataParallel]


def dotted(cls: type[nn.Module]) -> str:
    """The name under which users import it."""
    package = "torch.nn" if hasattr(nn, cls.__name__) else "torch.nn.parallel"
    return f"{package}.{cls.__name__}"


def row(name: str, *, database: bool = True) -> list[str]:
    """The cells of one class, by its dotted name; with `database` also from torch's own samples."""
    (cls,) = (one for one in classes() if dotted(one) == name)
    observations = observed(cls, database=database)
    if not any(not one.deviations for one in observations):
        raise TooFewSamples(f"{name} was never called as it is usually built")
    signature = call(cls)
    forward = list(signature.parameters) if signature else []
    plain = [one for one in observations if not one.writes_in_place]
    saved, result = saves(plain, forward), saves_result(plain)
    return [
        name,
        cell(constructor(cls), defaults=True),
        _condition(cls, observations, lambda one: one.differs, lambda one: one.children_differ),
        _condition(cls, observations, lambda one: one.parameters, lambda one: one.children_have_parameters),
        cell(signature, defaults=False),
        saved,
        result,
        saves_state(observations, forward),
        _statistics(cls, observations),
        varies(plain, saved, result, list(constructor(cls).parameters)),
        _inplace(cls, observations),
    ]


def abstract(cls: type[nn.Module], known: dict[str, list[str]]) -> list[str]:
    """The row of a class that leaves `forward` to its subclasses: what those of torch.nn have in common."""
    heirs = [known[dotted(one)] for one in classes() if issubclass(one, cls) and one is not cls]
    _, _, mode, parameters, forward, _, _, _, statistics, _, inplace = heirs[0]
    if any(heir[2:5] + heir[8:9] != [mode, parameters, forward, statistics] for heir in heirs):
        raise TooFewSamples(f"the subclasses of {dotted(cls)} differ in more than in what they save")
    results = {heir[6] for heir in heirs}
    return [
        dotted(cls),
        cell(constructor(cls), defaults=True),
        mode,
        parameters,
        forward,
        _shared([parts(heir[5]) for heir in heirs]),
        results.pop() if len(results) == 1 else "sometimes",
        _shared([parts(heir[7]) for heir in heirs]),
        statistics,
        "-",
        inplace,
    ]


def observed(cls: type[nn.Module], *, database: bool) -> list[Observation]:
    """What torch does with each sample of a class that it accepts. Leaves torch's random state changed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # sums are then added in the same order on every machine
        found = [one for sample in samples(cls, database=database) if (one := observe(sample))]
        torch.set_num_threads(threads)
    return found


def _is_called(cls: type[nn.Module]) -> bool:
    return call(cls) is not None or cls in HOLDERS


def _condition(
    cls: type[nn.Module],
    observations: Sequence[Observation],
    seen: Callable[[Observation], bool],
    children: Callable[[Observation], bool | None],
) -> str:
    """The condition on the constructor under which something is seen. One input that shows it is enough."""
    cases: dict[str, Case] = {}
    for one in observations:
        key = f"{sorted(one.given.items())} {children(one)}"
        before = key in cases and cases[key].seen
        cases[key] = Case(one.given, before or seen(one), children(one))
    parameters = constructor(cls).parameters
    defaults: dict[str, Argument] = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is None or isinstance(parameter.default, (bool, int, float))
    }
    try:
        return condition(list(cases.values()), defaults)
    except TooFewSamples as error:
        raise TooFewSamples(f"{dotted(cls)}: {error}") from error


def _statistics(cls: type[nn.Module], observations: Sequence[Observation]) -> str:
    """When it has statistics that training writes and evaluation saves; `!` where backward never notices."""
    shown = [one for one in observations if one.statistics is not Stale.UNSEEN]
    found = _condition(
        cls, shown, lambda one: one.statistics is not Stale.HARMLESS, lambda one: one.children_keep_statistics
    )
    if found in ("no", "children"):
        return found.replace("no", "-")
    ways = {one.statistics for one in shown} - {Stale.HARMLESS}
    if len(ways) > 1:
        raise TooFewSamples(f"{dotted(cls)}: backward notices only sometimes that training wrote statistics")
    return f"{found}!" if ways == {Stale.UNNOTICED} else found


def _inplace(cls: type[nn.Module], observations: Sequence[Observation]) -> str:
    """What `inplace=True` does; `-` for a class without the argument."""
    if "inplace" not in constructor(cls).parameters:
        return "-"
    # Dropout with p=0 leaves its input alone; Dropout1d and 3d reshape an unbatched one in both modes.
    built = [one for one in observations if one.writes_in_place and set(one.deviations) == {"inplace"}]
    writes = tuple(all(moves) for moves in zip(*(one.moves_input for one in built), strict=True))
    if writes != (True, True):
        return "training" if writes[0] else "ignored"
    writes_after = [write for one in built for trial in one.trials for write in trial.writes]
    return "result" if any(write.raised for write in writes_after) else "none"


def _shared(heirs: Sequence[list[str]]) -> str:
    """Each name in the one way in which all heirs have it, or as one that may be saved."""
    found: list[str] = []
    for name in dict.fromkeys(_bare(part) for heir in heirs for part in heir):
        ways = {next((part for part in heir if _bare(part) == name), "") for heir in heirs}
        found.append(ways.pop() if len(ways) == 1 else f"{name}~")
    return ",".join(found) or "-"


def _bare(part: str) -> str:
    return part.partition("?")[0].rstrip("~!")
