"""Rows of modules.tsv: how a layer of torch.nn acts in training and evaluation, and what it saves.

The header of modules.tsv explains every column. A row becomes a `Layer` only when it is asked for.
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache

from torchlint.tables.rows import Argument, Given, Saved, Saves, parts, read, saved, signature, verdict


class Answer(Enum):
    """What a row says of one layer, given the arguments it was built with."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"  # an argument that decides it is no literal
    CHILDREN = "children"  # the modules that were handed to it decide


@dataclass(frozen=True, slots=True)
class Layer:
    """One class of torch.nn."""

    name: str
    args: tuple[str, ...]
    keywords: tuple[str, ...]
    """Arguments of the constructor that can only be given by name."""
    variadic: bool
    """The last of `args` takes all positional arguments that follow."""
    mode: str
    parameters: str
    forward: tuple[str, ...]
    """The positional arguments of a call."""
    saves: tuple[Saved, ...]
    """What a call saves of its arguments; `parameters` in a condition are the layer's own."""
    saves_result: Saves
    saved_outputs: tuple[int, ...]
    saves_state: tuple[Saved, ...]
    """What a call saves of its own parameters, however it was built; `parameters` stands for some of them."""
    statistics: str
    statistics_unnoticed: bool
    """Backward never notices that training wrote statistics: it gives wrong gradients and does not raise."""
    varies: tuple[str, ...]
    inplace: str
    _defaults: tuple[tuple[str, Argument], ...]

    def differs(self, positional: Sequence[Argument], keywords: Mapping[str, Argument]) -> Answer:
        """Whether it acts differently in training and evaluation when built with these arguments."""
        return self._answer(self.mode, positional, keywords)

    def has_parameters(self, positional: Sequence[Argument], keywords: Mapping[str, Argument]) -> Answer:
        """Whether it has parameters, which require grad from the start, when built with these arguments."""
        return self._answer(self.parameters, positional, keywords)

    def keeps_statistics(self, positional: Sequence[Argument], keywords: Mapping[str, Argument]) -> Answer:
        """Whether a forward in evaluation mode saves buffers that one in training mode writes."""
        return self._answer(self.statistics, positional, keywords)

    def built(self, positional: Sequence[Argument], keywords: Mapping[str, Argument]) -> Layer:
        """The layer with every save only possible, when one of these arguments varies what it saves."""
        given = dict(zip(self.args, positional, strict=False)) | dict(keywords)
        if not any(self._is_given(condition, given) for condition in self.varies):
            return self
        possible = tuple(Saved(arg, sometimes=True) for arg in self.forward)
        return replace(self, saves=possible, saves_result=self.saves_result.made_uncertain())

    def writes_input(
        self, positional: Sequence[Argument], keywords: Mapping[str, Argument], *, training: bool = True
    ) -> Answer:
        """Whether a call writes its argument in place when the layer was built with these arguments."""
        if self.inplace in ("-", "ignored") or (self.inplace == "training" and not training):
            return Answer.NO
        return self._answer("inplace", positional, keywords)

    def _is_given(self, condition: str, given: Mapping[str, Argument]) -> bool:
        name, _, value = condition.partition("=")
        if value:
            return given.get(name) == value
        return name in given and (name, given[name]) not in self._defaults

    @property
    def saves_result_in_place(self) -> Saves:
        """What `saves_result` becomes when a call writes its argument; its argument is then not saved."""
        return Saves.YES if self.inplace == "result" else Saves.NO

    def _answer(self, cell: str, positional: Sequence[Argument], keywords: Mapping[str, Argument]) -> Answer:
        if cell in ("yes", "no", "children"):
            return Answer(cell)
        given = dict(self._defaults) | dict(zip(self.args, positional, strict=False)) | dict(keywords)
        answers = [_all(part, given) for part in cell.split(" or ")]
        if Answer.YES in answers:
            return Answer.YES
        return Answer.UNKNOWN if Answer.UNKNOWN in answers else Answer.NO


def module(name: str) -> Layer | None:
    """The layer with this class name, or with this dotted name under torch.nn; None for a stranger."""
    package, _, last = name.rpartition(".")
    return _module(last) if package in ("", "nn") or f"{package}.".startswith("torch.nn.") else None


@cache
def _index() -> dict[str, list[str]]:
    return {row[0].rpartition(".")[2]: row for row in read("modules.tsv")}


@cache
def _module(name: str) -> Layer | None:
    row = _index().get(name)
    if row is None:
        return None
    dotted, arguments, mode, parameters, forward, saves, saves_result, state, buffers, varies, inplace = row
    args = signature(arguments)
    saved_result, saved_outputs = verdict(saves_result)
    return Layer(
        name=dotted,
        args=args.args,
        keywords=args.keywords,
        variadic=args.variadic,
        mode=mode,
        parameters=parameters,
        forward=tuple(name.lstrip("*") for name in parts(forward)),
        saves=saved(saves),
        saves_result=saved_result,
        saved_outputs=saved_outputs,
        saves_state=saved(state),
        statistics="no" if buffers == "-" else buffers.removesuffix("!"),
        statistics_unnoticed=buffers.endswith("!"),
        varies=tuple(parts(varies)),
        inplace=inplace,
        _defaults=tuple((name, _literal(text)) for name, text in args.defaults),
    )


def _literal(text: str) -> Argument:
    try:
        value: Argument = literal_eval(text)
    except ValueError:
        return Given.ANYTHING
    return value


def _all(condition: str, given: Mapping[str, Argument]) -> Answer:
    """`dropout>0 and num_layers>1`: one NO is enough, then one UNKNOWN."""
    answers = [_test(part, given) for part in condition.split(" and ")]
    if Answer.NO in answers:
        return Answer.NO
    return Answer.UNKNOWN if Answer.UNKNOWN in answers else Answer.YES


def _test(condition: str, given: Mapping[str, Argument]) -> Answer:
    """`name`, `name>number`, `name!=number` or `name!=name`."""
    for sign in ("!=", ">"):
        if sign in condition:
            left, right = (_value(side, given) for side in condition.split(sign))
            if isinstance(left, (int, float)) and isinstance(right, (int, float)):
                return Answer.YES if (left != right if sign == "!=" else left > right) else Answer.NO
            return Answer.UNKNOWN
    value = _value(condition, given)
    if isinstance(value, Given):
        return Answer.UNKNOWN
    return Answer.YES if value else Answer.NO


def _value(word: str, given: Mapping[str, Argument]) -> Argument:
    return given.get(word, Given.ANYTHING) if word.isidentifier() else _literal(word)
