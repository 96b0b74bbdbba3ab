"""What holds for a file: the options of its configuration files, with those that stand above every file.

The nearest folder upward decides that has a `.torchlint.toml`, a `torchlint.toml` or a pyproject.toml with a
table `[tool.torchlint]`; what other folders say is not mixed in. The command, the flake8 plugin and the
language server all ask here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torchlint.config import Config, Patterns, Selection
from torchlint.errors import ConfigError
from torchlint.options import OPTIONS, unknown

FILES = (".torchlint.toml", "torchlint.toml", "pyproject.toml")
"""What a configuration file is called; of one folder the first counts."""

_LONGEST_CHAIN = 32  # files that extend each other

# What takes codes alone, what takes them besides, what takes them away.
_CHOSEN = ("select", "extend-select", "ignore", "extend-ignore")
_FIXED = ("fixable", "extend-fixable", "unfixable")


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave an option; `where` is the option of the command, or file and line.

    What is given in one `layer`, a file or the options of the command, is weighed together.
    """

    name: str
    value: Any
    where: str
    layer: str


@dataclass(frozen=True, slots=True)
class Overrides:
    """What stands above every configuration file, the lowest first.

    With `file` it is read for all files, instead of those around them, and its paths are taken from `folder`,
    or from here; `isolated` reads none.
    """

    given: tuple[Given, ...] = ()
    file: str | None = None
    isolated: bool = False
    folder: str | None = None

    @classmethod
    def of(
        cls,
        values: Mapping[str, object],
        where: str,
        *,
        file: str | None = None,
        isolated: bool = False,
        folder: str | None = None,
    ) -> Overrides:
        """Values by the names of their options, as a configuration file has them.

        Paths are taken from a folder, or from here. Raises ConfigError, which says where.
        """
        given = [
            given_by(name, value, where, label=f"'{name}' of {where}", layer=where, folder=folder)
            for name, value in values.items()
        ]
        return cls(tuple(given), file, isolated, folder if file is not None else None)


NO_OVERRIDES = Overrides()


@dataclass(frozen=True, slots=True)
class Settings:
    """All options as they hold for the files of one folder, and the file that they were read from."""

    file: str | None
    given: tuple[Given, ...]
    """Where no default holds, the lowest first."""
    config: Config
    excluded: Patterns
    included: Patterns

    def value(self, name: str) -> Any:
        """What one option says in the end; of those that add up, the last that was given."""
        return next((one.value for one in reversed(self.given) if one.name == name), OPTIONS[name].default)

    def origin(self, name: str) -> str | None:
        """Who gave it, all of them where values add up; None for the default."""
        found = [one.where for one in self.given if one.name == name]
        return ", ".join(found if _adds_up(name) else found[-1:]) or None

    def resolved(self, name: str) -> Any:
        """The same as `value`, with all parts of what adds up."""
        parts = [one.value for one in self.given if one.name == name]
        return tuple(part for value in parts for part in value) if _adds_up(name) else self.value(name)


def settings_for(path: str, overrides: Overrides = NO_OVERRIDES) -> Settings:
    """What holds for a file, or for the files of a folder, which need not exist.

    Everything read is kept until `forget`. Raises ConfigError, which names file, line and key.
    """
    full = os.path.abspath(path)
    folder = full if os.path.isdir(full) else os.path.dirname(full)
    return settings_of(folder, overrides)


def settings_of(folder: str, overrides: Overrides = NO_OVERRIDES) -> Settings:
    """The same for the files of a folder, by its absolute path."""
    file = overrides.file
    if overrides.isolated:
        file = None
    elif file is None:
        file = _nearest(folder)
    key = (file, overrides)
    known = _settled.get(key)
    if known is None:
        base = (overrides.folder or os.getcwd()) if overrides.file is not None else None
        given = _read(file, base) if file is not None else ()
        known = _settled[key] = _settle(file, (*given, *overrides.given))
    return known


def forget() -> None:
    """Read everything anew from now on: a configuration file was changed, made or removed."""
    for known in (_homes, _settled, _opened):
        known.clear()


def files_read() -> list[str]:
    """The configuration files that were read since `forget`, broken ones too."""
    return sorted(_opened)


def given_by(
    name: str, value: object, where: str, *, label: str, layer: str, folder: str | None = None
) -> Given:
    """A value of the command line or an editor, which errors call by the label. Raises ConfigError.

    Paths are taken from a folder, or from here.
    """
    from torchlint.values import Unfit, read

    if name not in OPTIONS or name == "extend":
        raise ConfigError(f"{where}: {unknown(name)}")
    try:
        return Given(name, read(OPTIONS[name], value, folder or os.getcwd()), where, layer)
    except Unfit as unfit:
        raise ConfigError(unfit.of(label)) from None


_homes: dict[str, str | None] = {}
_settled: dict[tuple[str | None, Overrides], Settings] = {}
_opened: set[str] = set()


def _nearest(folder: str) -> str | None:
    """The configuration file that holds for a folder."""
    if folder in _homes:
        return _homes[folder]
    found = None
    for name in FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and (name != "pyproject.toml" or _has_table(path)):
            found = path
            break
    above = os.path.dirname(folder)
    if found is None and above != folder:
        found = _nearest(above)
    _homes[folder] = found
    return found


def _has_table(path: str) -> bool:
    """Whether a pyproject.toml has a table for us; most have none, and cost no parser."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return False
    if b"torchlint" not in data:
        return False
    from torchlint import tomlfile

    if not tomlfile.has_parser() and not tomlfile.names_our_table(data):
        return False
    return _table(tomlfile.read(path)[0], path) is not None


def _table(data: Mapping[str, Any], path: str) -> Any:
    """The part of a file that is about us; None where a pyproject.toml has none."""
    if not _is_shared(path):
        return data
    tool = data.get("tool")
    return tool.get("torchlint") if isinstance(tool, dict) else None


def _is_shared(path: str) -> bool:
    return os.path.basename(path) == "pyproject.toml"


def _read(path: str, base: str | None, chain: tuple[str, ...] = ()) -> tuple[Given, ...]:
    """What a file gives, behind what those give that it extends; paths are from `base`, or its own folder."""
    from torchlint import tomlfile
    from torchlint.values import Unfit, read

    path = os.path.abspath(path)
    name = tomlfile.shown(path)
    if path in chain or len(chain) > _LONGEST_CHAIN:
        raise ConfigError(f"{name} extends itself, by way of {tomlfile.shown(chain[-1])}")
    _opened.add(path)
    data, text = tomlfile.read(path)
    top = ["tool", "torchlint"] if _is_shared(path) else []
    table = _table(data, path)
    if not isinstance(table, dict):
        wrong = "has no table [tool.torchlint]" if table is None else "'tool.torchlint' is no table"
        raise ConfigError(f"{name}: {wrong}")
    given: list[Given] = []
    below: tuple[Given, ...] = ()
    for key, raw in table.items():
        where = f"{name}:{tomlfile.line_of(text, [*top, key])}"
        if key not in OPTIONS:
            raise ConfigError(f"{where}: {unknown(key)}")
        try:
            value = read(OPTIONS[key], raw, base or os.path.dirname(path))
        except Unfit as unfit:
            line = tomlfile.line_of(text, [*top, key, *unfit.keys], unfit.word)
            raise ConfigError(f"{name}:{line}: {unfit.of(repr(key))}") from None
        if key == "extend":
            target = os.path.join(os.path.dirname(path), os.path.expanduser(value))
            if not os.path.isfile(target):
                raise ConfigError(f"{where}: 'extend' names {tomlfile.shown(target)}, where there is no file")
            below = _read(target, None, (*chain, path))
        else:
            given.append(Given(key, value, where, layer=path))
    return (*below, *given)


def _adds_up(name: str) -> bool:
    return name.startswith("extend-") or name == "rules"


def _settle(file: str | None, given: tuple[Given, ...]) -> Settings:
    bare = Settings(file, given, Config(), Patterns(()), Patterns(()))
    *below, top = _selections(given) or [Selection()]
    release = bare.value("target-torch")
    told = {(code, name): answer for code, name, answer in bare.resolved("rules")}
    config = Config(
        select=top.select,
        ignore=top.ignore,
        extend_select=top.extend_select,
        below=tuple(below),
        project=bare.value("project"),
        unsafe_fixes=bare.value("unsafe-fixes"),
        per_file_ignores=(*bare.value("per-file-ignores"), *bare.resolved("extend-per-file-ignores")),
        log_functions=bare.value("log-functions"),
        eval_functions=bare.value("eval-functions"),
        model_loaders=bare.value("model-loaders"),
        target_torch=release,
        fixable=tuple(_selections(given, _FIXED)),
        safe=bare.resolved("extend-safe-fixes"),
        unsafe=bare.resolved("extend-unsafe-fixes"),
        rule_options=tuple((code, name, answer) for (code, name), answer in told.items()),
    )
    excluded = Patterns((*bare.value("exclude"), *bare.resolved("extend-exclude")))
    return Settings(file, given, config, excluded, Patterns(bare.value("include")))


def _selections(given: Iterable[Given], names: tuple[str, ...] = _CHOSEN) -> list[Selection]:
    """What each layer turns on and off: a file, or all options of the command; the last one last."""
    only, besides, *without = names
    layers: dict[str, dict[str, tuple[str, ...]]] = {}
    for one in given:
        if one.name == without[0] and not one.value:
            for layer in layers.values():
                layer.pop(one.name, None)
        if one.name in names:
            layers.setdefault(one.layer, {})[one.name] = one.value
    # Within one layer the longer prefix decides; a later layer decides against an earlier one.
    return [
        Selection(
            layer.get(only),
            layer.get(besides, ()),
            tuple(code for name in without for code in layer.get(name, ())),
        )
        for layer in layers.values()
    ]
