"""What a class saves for backward, as the cells of modules.tsv say it, from the trials of its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from measuring.layers.conditions import TooFewSamples
from measuring.layers.forwards import PARAMETERS
from measuring.layers.runs import Observation
from measuring.layers.trials import Trial, Write
from torchlint.tables import Argument, Saved, Saves
from torchlint.tables.rows import saved, verdict

LONGEST = 2
"""So many names may stand behind the `?` of a condition."""


def saves(observations: Sequence[Observation], args: Sequence[str]) -> str:
    """`input?parameters,hx~`: the arguments that backward needs, and when. `args` are those of a call."""
    cells = [_saved(arg, trials, args) for arg in args if (trials := _with(arg, observations))]
    return ",".join(cell for cell in cells if cell) or "-"


def saves_state(observations: Sequence[Observation], args: Sequence[str]) -> str:
    """`weight?input,bias`: the layer's own parameters that backward needs, however the layer was built."""
    trials = [trial for one in observations for trial in one.state_trials]
    targets = dict.fromkeys(write.target for trial in trials for write in trial.writes)
    return ",".join(cell for target in targets if (cell := _state_saved(target, trials, args))) or "-"


def saves_result(observations: Sequence[Observation]) -> str:
    """`no`, `yes`, `sometimes`, or `yes:0` where the others of several outputs are never saved."""
    seen = {write.target for one in observations for trial in one.trials for write in trial.writes}
    answers = {}
    for output in sorted(target for target in seen if target.startswith("output ")):
        trials = _with(output, observations)
        raised = set().union(*(raised for _, raised in trials))
        if any(True in _raised(output, trial) for one in observations for trial in one.trials):
            raised.add(True)  # if only by an optional argument: `varies` can weaken a `yes`, but not a `no`
        answers[output] = Saves.SOMETIMES if len(raised) > 1 else Saves.YES if True in raised else Saves.NO
    if Saves.SOMETIMES in answers.values():
        return "sometimes"
    always = [output for output, answer in answers.items() if answer is Saves.YES]
    if not always:
        return "no"
    numbers = ",".join(output.removeprefix("output ") for output in always)
    return "yes" if len(always) == len(answers) else f"yes:{numbers}"


def varies(
    observations: Sequence[Observation], saves_cell: str, result_cell: str, arguments: Sequence[str]
) -> str:
    """Which `arguments` of the constructor change what the two cells say; `padding=same` is one value."""
    found: list[str] = []
    while True:
        uncovered = [one for one in observations if not _covered(one, found)]
        wrong = [one for one in uncovered if _contradicts(one, saves_cell, result_cell)]
        if not wrong:
            found.sort(key=lambda condition: (arguments.index(condition.partition("=")[0]), condition))
            return ",".join(found) or "-"
        fewest = min(len(one.deviations) for one in wrong)
        if not fewest:
            raise TooFewSamples("two samples of the usual construction contradict the cells made of them")
        simple = [one for one in wrong if len(one.deviations) == fewest]
        count = Counter(name for one in simple for name in one.deviations)
        innocent = Counter(name for one in observations for name in one.deviations)
        innocent.subtract(name for one in wrong for name in one.deviations)
        name = max(sorted(count), key=lambda name: (count[name], -innocent[name]))
        guilty = {one.deviations[name] for one in simple if name in one.deviations}
        found += _conditions(name, guilty, observations)


def _conditions(name: str, guilty: set[Argument], observations: Sequence[Observation]) -> list[str]:
    """`padding=same` where other values of the argument change nothing, else `padding`."""
    tried = {one.deviations[name] for one in observations if set(one.deviations) == {name}}
    words = [value for value in guilty if isinstance(value, str)]
    if tried - guilty and len(words) == len(guilty):
        return [f"{name}={word}" for word in sorted(words)]
    return [name]


def _covered(one: Observation, found: list[str]) -> bool:
    """Whether a condition among those found holds for it."""
    return any(
        name in one.deviations and (not value or one.deviations[name] == value)
        for name, _, value in (condition.partition("=") for condition in found)
    )


def contradicts(trial: Trial, arguments: Iterable[Saved], result: Saves, outputs: tuple[int, ...]) -> bool:
    """Whether a write of the trial raised though nothing it moved is saved, or did not though it is."""
    surely: set[str] = set()
    perhaps: set[str] = set()
    for argument in arguments:
        if not argument.when or trial.requiring.intersection(argument.when):
            (perhaps if argument.sometimes else surely).add(argument.arg)
    kept = {write.target for write in trial.writes if write.target.startswith("output ")}
    if outputs:
        kept &= {f"output {number}" for number in outputs}
    if result is not Saves.NO:
        (surely if result is Saves.YES else perhaps).update(kept)
    return any(
        bool(write.moved & surely) if not write.raised else not write.moved & (surely | perhaps)
        for write in trial.writes
    )


def _contradicts(one: Observation, saves_cell: str, result_cell: str) -> bool:
    cells = (saved(saves_cell), *verdict(result_cell))
    return any(contradicts(trial, *cells) for trial in one.trials)


def _with(target: str, observations: Sequence[Observation]) -> list[tuple[Trial, set[bool]]]:
    """The trials that write a tensor, and whether backward broke.

    They are those of the usual construction, or of all where the tensor stands in none of those.
    """
    for chosen in ([one for one in observations if not one.deviations], observations):
        trials = ((trial, _raised(target, trial)) for one in chosen for trial in one.trials)
        if found := [(trial, raised) for trial, raised in trials if raised]:
            return found
    return []


def _raised(target: str, trial: Trial) -> set[bool]:
    """Whether a write to it broke backward: both if it has several tensors, empty if none was written alone.

    A result that is a view of an argument, or two arguments that are one tensor, do not tell which is saved.
    """
    raised = set()
    for write in trial.writes:
        others = write.moved - {target}
        is_output = target.startswith("output ")
        if write.target == target and not (others if is_output else _arguments(others)):
            raised.add(write.raised)
    return raised


def _state_saved(target: str, trials: Sequence[Trial], args: Sequence[str]) -> str:
    """The same of a parameter, which every write moves alone; with `!` where backward never notices."""

    def when(seen: Callable[[Write], bool]) -> str:
        found = ((trial, {seen(one) for one in trial.writes if one.target == target}) for trial in trials)
        return _saved(target, [(trial, answers) for trial, answers in found if answers], args)

    noticed, unnoticed = when(lambda write: write.raised), when(lambda write: write.unnoticed)
    if noticed and unnoticed:
        raise TooFewSamples(f"a write to {target} raises only sometimes where it changes the gradients")
    return noticed or (unnoticed and f"{unnoticed.rstrip('~')}!")


def _arguments(names: frozenset[str]) -> set[str]:
    return {name for name in names if not name.startswith("output ")}


def _saved(arg: str, trials: Sequence[tuple[Trial, set[bool]]], args: Sequence[str]) -> str:
    """`arg`, `arg?when`, `arg~`, `arg?when~`, or nothing if it is never saved."""
    if all(raised == {True} for _, raised in trials):
        return arg
    if all(raised == {False} for _, raised in trials):
        return ""
    able = set().union(*(trial.able for trial, _ in trials))
    names = [name for name in (*args, PARAMETERS) if name in able]
    conditions = [when for count in range(1, LONGEST + 1) for when in combinations(names, count)]
    for when in conditions:
        if all(raised == {bool(trial.requiring.intersection(when))} for trial, raised in trials):
            return f"{arg}?{'|'.join(when)}"
    for when in conditions:
        without = [raised for trial, raised in trials if not trial.requiring.intersection(when)]
        if without and all(raised == {False} for raised in without):
            return f"{arg}?{'|'.join(when)}~"
    return f"{arg}~"
