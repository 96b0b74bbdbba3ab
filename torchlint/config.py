"""What the user asked for: which rules are on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """The options of one run.

    `select` and `ignore` hold code prefixes (`TL`, `TL3`, `TL301`); `None` for `select` means
    each rule's own default. The longest prefix that matches a code decides, `ignore` before
    `select` when both are equally long. Without `project` each file is read by itself.
    With `unsafe_fixes` fixes are made that may change what a program does. Without `noqa` no comment silences
    anything. `baseline` names a file of findings that are known and not told again.
    """

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    project: bool = True
    unsafe_fixes: bool = False
    noqa: bool = True
    baseline: str | None = None

    def enables(self, code: str, *, default: bool) -> bool:
        """Whether the rule with this code runs; `default` is what the rule itself says."""
        ignored = _longest(self.ignore, code)
        if self.select is None:
            return default and ignored < 0
        return _longest(self.select, code) > ignored


def _longest(prefixes: tuple[str, ...], code: str) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=-1)
