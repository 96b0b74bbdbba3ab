"""`torchlint rule`: the rule book."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torchlint.commands import known
from torchlint.errors import ConfigError

if TYPE_CHECKING:
    from torchlint.rules.base import Rule


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Tell the parser of it."""
    rule = commands.add_parser(
        "rule", help="print the page of a rule, or the list of all", allow_abbrev=False
    )
    rule.add_argument("code", nargs="?", metavar="CODE", help="a code such as TL101, or a name")
    rule.add_argument("--all", action="store_true", help="the pages of all rules; in markdown their table")
    rule.add_argument(
        "--output-format", choices=("text", "markdown", "json"), default="text", help="default: text"
    )
    rule.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from torchlint.rules import SELECTABLE

    if options.code is not None and options.all:
        raise ConfigError("--all goes with no rule code")
    if options.code is not None:
        wanted = {word: rule.code for rule in SELECTABLE for word in (rule.code, rule.name)}
        code = known(options.code, wanted, "rule")
        print(_one(next(rule for rule in SELECTABLE if rule.code == code), options.output_format), end="")
    elif options.all or options.output_format != "text":
        print(_all(SELECTABLE, options.output_format), end="")
    else:
        width = max(len(rule.name) for rule in SELECTABLE)
        for rule in SELECTABLE:
            default = "on" if rule.on_by_default() else "off"
            print(f"{rule.code}  {rule.name:<{width}}  {rule.group.value}, {default} by default")
    return 0


def _one(rule: type[Rule], form: str) -> str:
    from torchlint.rulebook import page

    return _json(_record(rule)) if form == "json" else page(rule.code).rstrip("\n") + "\n"


def _all(rules: Sequence[type[Rule]], form: str) -> str:
    if form == "json":
        return _json([_record(rule) for rule in rules])
    if form == "markdown":
        from torchlint.rulebook import index

        return index()
    return "\n".join(_one(rule, form) for rule in rules)


def _record(rule: type[Rule]) -> dict[str, object]:
    from torchlint.rulebook import page, summary

    text = page(rule.code)
    return {
        "code": rule.code,
        "name": rule.name,
        "group": rule.group.value,
        "default": rule.on_by_default(),
        "summary": summary(text),
        "fix_availability": rule.fixes.value,
        "page": text,
    }


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=2) + "\n"
