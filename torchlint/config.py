"""What the user asked for, as far as it decides what is found: which rules are on, and what they know."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlint.tables.effects import OwnNames

RuleOptions = tuple[tuple[str, str, bool], ...]
"""Options of rules: code, name, value."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Code prefixes that one layer of a configuration turns on and off, as `Config` has them."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def enables(self, code: str, *, default: bool) -> bool:
        """Whether the rule with this code is on; `default` is what the layers below say."""
        ignored = _longest(self.ignore, code)
        if _longest((*(self.select or ()), *self.extend_select), code) > ignored:
            return True
        return default and self.select is None and ignored < 0


@dataclass(frozen=True, slots=True)
class Config:
    """The options that decide what is found.

    `select`, `extend_select` and `ignore` hold code prefixes (`TL`, `TL3`, `TL301`); `None` for `select`
    means each rule's own default. The longest prefix that matches a code decides, `ignore` before
    `select` when both are equally long. `below` are selections that this one changes, the lowest first.
    `per_file_ignores` are pairs of a pattern for file names and the prefixes that are off there.
    Without `project` each file is read by itself. With `unsafe_fixes` fixes are made that may change what a
    program does. `log_functions`, `eval_functions` and `model_loaders` are the user's own names,
    `target_torch` the oldest torch that the code is to run on, and `rule_options` what rules are told.
    `fixable` are selections of the rules whose findings keep their fixes, the lowest first; `safe` and
    `unsafe` are prefixes of rules whose fixes count as that, the longer one before the other.
    Without `noqa` no comment silences anything. `baseline` names a file of findings that are known and not
    told again.
    """

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    project: bool = True
    unsafe_fixes: bool = False
    noqa: bool = True
    baseline: str | None = None
    extend_select: tuple[str, ...] = ()
    below: tuple[Selection, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    log_functions: tuple[str, ...] = ()
    eval_functions: tuple[str, ...] = ()
    model_loaders: tuple[str, ...] = ()
    target_torch: tuple[int, ...] | None = None
    rule_options: RuleOptions = ()
    fixable: tuple[Selection, ...] = ()
    safe: tuple[str, ...] = ()
    unsafe: tuple[str, ...] = ()

    def enables(self, code: str, *, default: bool) -> bool:
        """Whether the rule with this code runs; `default` is what the rule itself says."""
        for layer in (*self.below, Selection(self.select, self.extend_select, self.ignore)):
            default = layer.enables(code, default=default)
        return default

    def for_file(self, filename: str) -> Config:
        """The same for one file: what its name turns off is off, and no name is asked any more."""
        if not self.per_file_ignores:
            return self
        matches = Patterns(tuple(pattern for pattern, _ in self.per_file_ignores)).matching(filename)
        ignored = tuple(
            code
            for (_, codes), match in zip(self.per_file_ignores, matches, strict=True)
            for code in codes
            if match
        )
        if not ignored:
            return replace(self, per_file_ignores=())
        here = Selection(self.select, self.extend_select, self.ignore)
        return replace(
            self,
            select=None,
            extend_select=(),
            ignore=ignored,
            below=(*self.below, here),
            per_file_ignores=(),
        )

    def supports(self, since: tuple[int, ...] | None) -> bool:
        """Whether every torch that the code is to run on has what came with a release."""
        return since is None or self.target_torch is None or self.target_torch >= since

    def fixes(self, code: str) -> bool:
        """Whether the findings of the rule with this code keep their fixes."""
        kept = True
        for layer in self.fixable:
            kept = layer.enables(code, default=kept)
        return kept

    def counts_as_safe(self, code: str, *, safe: bool) -> bool:
        """Whether a fix of the rule with this code is made without `unsafe_fixes`; `safe` says the rule."""
        yes, no = _longest(self.safe, code), _longest(self.unsafe, code)
        return safe if yes == no == -1 else yes > no

    def options_of(self, code: str) -> dict[str, bool]:
        """What the user told one rule."""
        return {name: value for owner, name, value in self.rule_options if owner == code}

    @property
    def own_names(self) -> OwnNames:
        """The names that have a meaning for this user alone."""
        from torchlint.tables.effects import OwnNames

        return OwnNames(self.log_functions, self.eval_functions, self.model_loaders)


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns for the names of files and folders.

    One with a slash means the whole absolute path, one without its last part; `*` crosses folders. One that
    starts with `!` means all paths that the rest does not.
    """

    patterns: tuple[str, ...]

    def matching(self, path: str) -> list[bool]:
        """Which of the patterns mean a path."""
        full = os.path.abspath(path)
        return [_means(pattern, full) for pattern in self.patterns]

    def match(self, path: str) -> bool:
        """Whether any of the patterns, none of which starts with `!`, means an absolute path."""
        whole, last = _compiled(self.patterns)
        return bool(
            (last is not None and last.match(os.path.basename(path)))
            or (whole is not None and whole.match(path))
        )


def from_folder(patterns: Iterable[str], folder: str) -> tuple[str, ...]:
    """Patterns as a configuration in a folder spells them, made to hold anywhere."""
    found = []
    for pattern in filter(None, patterns):
        negated, bare = pattern[: pattern.startswith("!")], pattern[pattern.startswith("!") :].rstrip("/")
        if "/" in bare or os.sep in bare:
            bare = os.path.normpath(os.path.join(_escaped(folder), bare))
        found.append(negated + bare)
    return tuple(found)


def _means(pattern: str, full: str) -> bool:
    return not _means(pattern[1:], full) if pattern.startswith("!") else Patterns((pattern,)).match(full)


@lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """What is asked of whole paths, and what of their last parts."""
    whole = [_translated(pattern) for pattern in patterns if "/" in pattern or os.sep in pattern]
    last = [_translated(pattern) for pattern in patterns if not ("/" in pattern or os.sep in pattern)]
    return (
        re.compile("|".join(whole)) if whole else None,
        re.compile("|".join(last)) if last else None,
    )


def _translated(pattern: str) -> str:
    # `a/**/b` means `a/b` too, which fnmatch does not know.
    return fnmatch.translate(pattern.replace("/**/", "/\ue000")).replace("\ue000", "(?:.*/)?")


def _escaped(folder: str) -> str:
    """A folder's name in a pattern: what stands in it means itself."""
    return re.sub(r"([*?[])", r"[\1]", folder)


def _longest(prefixes: tuple[str, ...], code: str) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=-1)
