"""The values of options: what a file or the command line gives, as it is used, or what is wrong with it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NoReturn

from torchlint.config import from_folder
from torchlint.options import Kind, Option
from torchlint.spelling import meant

_NAME = re.compile(r"\.?[^\W\d]\w*(?:\.[^\W\d]\w*)*(?:\.\*)?")
_RELEASE = re.compile(r"\d+(?:\.\d+){1,3}")
_RULE_FILE = re.compile(r"(tl\d{3})_(\w+)\.py")
_HERE = "\0"  # where a message names the option, which the command line and a file spell differently


class Unfit(Exception):
    """A value that no option can have; `keys` lead to it below the option, and `word` stands in its text."""

    def __init__(self, message: str, *keys: str, word: str = "") -> None:
        super().__init__(message)
        self.keys = keys
        self.word = word

    def of(self, name: str) -> str:
        """What is wrong, with the option named as its user has."""
        return str(self).replace(_HERE, name)


def read(option: Option, given: object, folder: str) -> Any:
    """The value of an option as it is used; paths are taken from a folder. Raises Unfit."""
    return _READERS[option.kind](option, given, folder)


@cache
def code_words() -> dict[str, str]:
    """Every word that names rules, and the code prefix that it means."""
    from torchlint.rules import SELECTABLE

    return _words((rule.code, rule.name) for rule in SELECTABLE)


@cache
def _words_of_files() -> dict[str, str]:
    """The same without importing the rules, which costs more than all the rest of a run over other files."""
    try:
        files = os.listdir(os.path.join(os.path.dirname(__file__), "rules"))
    except OSError:
        return {}  # the package is not unpacked
    found = [match for match in map(_RULE_FILE.fullmatch, files) if match is not None]
    return _words((match[1].upper(), match[2].replace("_", "-")) for match in found)


def _words(rules: Iterable[tuple[str, str]]) -> dict[str, str]:
    words = {"ALL": "TL"}
    for code, name in rules:
        words.update({code[:length]: code[:length] for length in range(2, len(code) + 1)})
        words[name] = code
    return words


def code(word: str) -> str:
    """The code prefix that a word means, in any case. Raises Unfit that names the nearest right word."""
    words = _words_of_files()
    if not {word, word.upper(), word.lower()} & words.keys():
        words = code_words()
    for spelling in (word, word.upper(), word.lower()):
        if spelling in words:
            return words[spelling]
    hint = meant(word, words, otherwise="`torchlint rule` lists them", shortest=len("TL101"))
    raise Unfit(f"unknown rule code '{word}' in {_HERE}; {hint}", word=word)


def _flag(option: Option, given: object, folder: str) -> bool:
    return given if isinstance(given, bool) else _refuse(option, given)


def _strings(option: Option, given: object) -> list[str]:
    if not isinstance(given, (list, tuple)):
        _refuse(option, given)
    return [one if isinstance(one, str) else _refuse(option, one) for one in given]


def _codes(option: Option, given: object, folder: str) -> tuple[str, ...]:
    return tuple(code(word) for word in _strings(option, given))


def _patterns(option: Option, given: object, folder: str) -> tuple[str, ...]:
    return from_folder(_strings(option, given), folder)


def _names(option: Option, given: object, folder: str) -> tuple[str, ...]:
    for name in (found := _strings(option, given)):
        if _NAME.fullmatch(name) is None:
            raise Unfit(
                f"'{name}' in {_HERE} is no name of a function, such as 'package.name' or '.name'", word=name
            )
    return tuple(found)


def _file_codes(option: Option, given: object, folder: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(given, Mapping):
        _refuse(option, given)
    found: list[tuple[str, tuple[str, ...]]] = []
    for pattern, codes in given.items():
        try:
            found.append((from_folder([pattern], folder)[0], _codes(option, codes, folder)))
        except Unfit as unfit:
            raise Unfit(str(unfit), pattern, *unfit.keys, word=unfit.word) from None
    return tuple(found)


def _path(option: Option, given: object, folder: str) -> str:
    if not isinstance(given, str):
        _refuse(option, given)
    if option.name == "extend":  # a file beside its own, whatever other paths are taken from
        return given or _refuse(option, given)
    return os.path.join(folder, os.path.expanduser(given)) if given else ""


def _release(option: Option, given: object, folder: str) -> tuple[int, ...]:
    if not isinstance(given, str) or _RELEASE.fullmatch(given) is None:
        _refuse(option, given)
    return tuple(int(part) for part in given.split("."))


def _count(option: Option, given: object, folder: str) -> int:
    return given if isinstance(given, int) and given is not True and given > 0 else _refuse(option, given)


def _format(option: Option, given: object, folder: str) -> str:
    from torchlint.reports import FORMATS

    if not isinstance(given, str):
        _refuse(option, given)
    if given not in FORMATS:
        hint = meant(given, FORMATS, otherwise=f"there are {', '.join(FORMATS)}")
        raise Unfit(f"unknown output format '{given}' in {_HERE}; {hint}", word=given)
    return given


def _rules(option: Option, given: object, folder: str) -> tuple[tuple[str, str, bool], ...]:
    from torchlint.rules import RULES, rule

    if not isinstance(given, Mapping):
        _refuse(option, given)
    found = []
    for word, table in given.items():
        owner = rule(word) or rule(word.upper())
        if owner is None:
            hint = meant(word, [one.code for one in RULES], otherwise="`torchlint rule` lists them")
            raise Unfit(f"unknown rule '{word}' in {_HERE}; {hint}", word)
        if not isinstance(table, Mapping):
            raise Unfit(f"'{option.name}.{word}' wants a table of options, not {_shown(table)}", word)
        defaults = {one.name: one.default for one in owner.options}
        for name, value in table.items():
            if name not in defaults:
                known = f"it has {', '.join(defaults)}" if defaults else "it has none"
                raise Unfit(
                    f"unknown option '{name}' of {owner.code}; {meant(name, defaults, otherwise=known)}",
                    word,
                    name,
                )
            if not isinstance(value, bool):
                raise Unfit(
                    f"'{name}' of {owner.code} wants {Kind.FLAG.value}, not {_shown(value)}", word, name
                )
            found.append((owner.code, name, value))
    return tuple(found)


def _refuse(option: Option, given: object) -> NoReturn:
    raise Unfit(
        f"{_HERE} wants {option.kind.value}, not {_shown(given)}",
        word=given if isinstance(given, str) else "",
    )


def _shown(value: object) -> str:
    """A value as its user wrote it, nearly."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)


_READERS: dict[Kind, Callable[[Option, object, str], Any]] = {
    Kind.FLAG: _flag,
    Kind.CODES: _codes,
    Kind.PATTERNS: _patterns,
    Kind.NAMES: _names,
    Kind.FILE_CODES: _file_codes,
    Kind.PATH: _path,
    Kind.RELEASE: _release,
    Kind.COUNT: _count,
    Kind.FORMAT: _format,
    Kind.RULES: _rules,
}
