"""`torchlint rule`: the rule book."""

from __future__ import annotations

import argparse

from torchlint.commands import known


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Tell the parser of it."""
    rule = commands.add_parser(
        "rule", help="print the page of a rule, or the list of all", allow_abbrev=False
    )
    rule.add_argument("code", nargs="?", metavar="CODE", help="a code such as TL101, or a name")
    rule.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from torchlint.rulebook import page
    from torchlint.rules import SELECTABLE

    if options.code is None:
        width = max(len(rule.name) for rule in SELECTABLE)
        for rule in SELECTABLE:
            default = "on" if rule.on_by_default() else "off"
            print(f"{rule.code}  {rule.name:<{width}}  {rule.group.value}, {default} by default")
        return 0
    wanted = {word: rule.code for rule in SELECTABLE for word in (rule.code, rule.name)}
    print(page(known(options.code, wanted, "rule")).rstrip("\n"))
    return 0
