"""One set of findings in every format, for `tests/formats/`, which `python tests/golden_reports.py` writes.

The findings are made by hand, so that each hard case is there and no change of a rule moves a golden file.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import torchlint
from torchlint.diagnostic import Diagnostic, Edit, Fix, Note, Span
from torchlint.reports import FORMATS, Palette, render
from torchlint.runner import Checked
from torchlint.source import Source

GOLDEN = Path(__file__).resolve().parent / "formats"

TRAIN = """\
import torch
from model import net


def step(x, y):
    scores = net(x).sigmoid()
    größe = "é"; scores *= 0.9
    loss = (scores - y).square().mean()
    loss.backward()
    with torch.no_grad(
    ):
        print(net(x))
    print(loss.item())
    print(loss.item())
    print(loss.item())  # noqa: TL201
"""
ODD = "log({\"a\": x[0](y) < 1 & '\x1b' }, loss)\r\n"
CELL = "x = net(y)\nwith torch.no_grad():\n    net(x)\n"
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "text"]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": CELL.splitlines(keepends=True)},
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
NET = "from torch import nn\n\nnet = nn.Dropout()\n"
FILES = {
    "src/train.py": TRAIN,
    "src/model.py": NET,
    "a b,c;[1]%.py": ODD,
    "lab/notes.ipynb": json.dumps(NOTEBOOK, indent=1) + "\n",
}


def results(here: Path) -> list[Checked]:
    """The findings of a run in the folder `here`, which holds FILES."""
    train, odd = "src/train.py", "a b,c;[1]%.py"
    text = Source.from_text(TRAIN, train)
    detached = [
        Diagnostic(
            train,
            Span(line, 10, line, 21),
            "TL201",
            "item-without-detach",
            "'loss.item()' reads a tensor that still requires grad",
            fix=Fix("put .detach() before .item()", (Edit(Span.at(line, 14), ".detach()"),), safe=True),
        )
        for line in (13, 14, 15)
    ]
    written = Diagnostic(
        train,
        Span(7, 17, 7, 30),
        "TL301",
        "inplace-on-saved",
        "'scores' is written in place after 'net(x).sigmoid()' saved it, so backward will raise",
        "compute a new tensor instead, or write to a clone",
        (Note("'net(x).sigmoid()' saves it for backward here", Span(6, 13, 6, 29)),),
        Fix("compute a new tensor", (Edit(Span(7, 24, 7, 30), "= scores * 0.9"),), safe=True),
    )
    evaluated = Diagnostic(
        train,
        Span(10, 9, 11, 5),
        "TL101",
        "missing-eval",
        "'net' runs without gradients in training mode",
        "call 'net.eval()' before it, and put back the mode that it had",
        (Note("built here", Span(3, 6, 3, 18), filename=str(here / "src" / "model.py")),),
        Fix(
            "call 'net.eval()' first",
            (
                Edit(Span.at(10, 0), "    was_training = net.training\n    net.eval()\n"),
                Edit(Span.at(13, 0), "    net.train(was_training)\n"),
            ),
            safe=False,
        ),
    )
    quoted = Diagnostic(
        odd,
        Span(1, 4, 1, 29),
        "TL204",
        "item-in-hot-loop",
        "'{\"a\": x[0](y) < 1 & '\x1b' }' is 100% read, here; there: ]]>",
    )
    cell = Source.from_text(CELL, "lab/notes.ipynb")
    in_cell = Diagnostic(
        cell.filename,
        Span(3, 4, 3, 10),
        "TL101",
        "missing-eval",
        "'net' runs without gradients in training mode",
        notes=(Note("gradients are off from here on", Span(2, 5, 2, 20), cell=2),),
        fix=Fix("call 'net.eval()' first", (Edit(Span.at(2, 0), "net.eval()\n"),), safe=False),
        cell=2,
    )
    unread = Diagnostic(
        "gone.py", Span.at(1, 0), "TL001", "cannot-parse", "cannot read this file: no such file"
    )
    return [
        Checked(odd, (quoted,), Source.from_text(ODD, odd)),
        Checked("clean.py", fixed=0),
        Checked("gone.py", (unread,)),
        Checked("lab/notes.ipynb", (in_cell,), cells={2: cell}),
        Checked(train, (written, evaluated, *detached[:2]), text, suppressed=tuple(detached[2:])),
    ]


def lay(here: Path) -> None:
    """Write FILES into a folder."""
    for name, text in FILES.items():
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def rendered(form: str, here: Path) -> str:
    """The report in a format; what changes from run to run and from release to release is taken out."""
    shown = "".join(render(form, results(here), palette=Palette(colour=False), status=1))
    shown = shown.replace(str(here), "/here")
    if form == "sarif":
        log = json.loads(shown)
        driver = log["runs"][0]["tool"]["driver"]
        assert driver["version"] == driver["semanticVersion"] == torchlint.__version__
        driver["version"] = driver["semanticVersion"] = "0"
        for rule in driver["rules"]:
            # The pages are long, and not this file's business.
            rule["help"]["markdown"] = rule["help"]["markdown"].split("\n")[0]
        shown = json.dumps(log, indent=2) + "\n"
    return shown


def golden(form: str) -> Path:
    """The file that holds a format."""
    endings = {"junit": ".xml", **dict.fromkeys(("json", "gitlab", "sarif", "rdjson"), ".json")}
    return GOLDEN / (form + endings.get(form, ".txt"))


def main() -> None:
    """Write all golden files."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder).resolve()
        lay(here)
        os.chdir(here)
        for form in FORMATS:
            golden(form).write_text(rendered(form, here), encoding="utf-8", newline="")
        os.chdir("/")


if __name__ == "__main__":
    sys.exit(main())
