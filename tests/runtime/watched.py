"""Small programs under the observers of torchlint.prove."""

from __future__ import annotations

from textwrap import dedent

from execution import restored

from torchlint.prove.observations import Kind, Observation
from torchlint.prove.programs import execute
from torchlint.prove.proof import Proof, Watch, observe
from torchlint.prove.recording import record
from torchlint.prove.records import Record

FILE = "<program>"


def proof(program: str, *, carry_on: bool = False, lines: bool = False) -> Proof:
    """A program behind `import torch` and `from torch import nn`, so its own first line is line 3."""
    text = f"import torch\nfrom torch import nn\n{dedent(program).lstrip()}"

    def run(watch: Watch) -> Record:
        with restored():
            return record(lambda: execute(text, FILE), lambda file: file == FILE, watch, carry_on=carry_on)

    return observe(run, lines=lines)


def seen(program: str, kind: Kind, *, carry_on: bool = False) -> list[Observation]:
    return [one for one in proof(program, carry_on=carry_on).record.observations if one.kind is kind]


def lines(found: list[Observation]) -> list[int]:
    return [one.site.line for one in found]
