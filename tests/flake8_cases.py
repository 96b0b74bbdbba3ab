"""What users do with flake8 and what it is to show, for any Python and any flake8."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from command import LOGS_A_GRAPH, environment

TOLD = "4:7: TL201 'y.item()' reads a tensor that still requires grad"
"""What flake8 shows of LOGS_A_GRAPH, behind the name of its file."""

AT_THE_BORDER = """import torch


@torch.no_grad()
def gaps(a, b):
    return (a - b).abs()
"""
"""One TL404, which is off by default."""


def _with(comment: str) -> str:
    return LOGS_A_GRAPH.replace("print(y.item())", f"print(y.item())  {comment}")


@dataclass(frozen=True)
class Case:
    """Files, a run of flake8 in their folder, and the codes that it shows of each file."""

    name: str
    files: Mapping[str, str]
    shown: Mapping[str, str]
    arguments: tuple[str, ...] = (".",)
    config: str = ""
    stdin: str = ""
    plugins: tuple[str, ...] = field(default=())
    """Other plugins that it is about."""

    def run(self, python: str | Path, folder: Path, **variables: str) -> dict[str, str]:
        """The codes that this Python's flake8 shows of each file, in the order of lines; E and W left out."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        if self.config:
            (folder / ".flake8").write_text(f"[flake8]\n{self.config}")
        done = subprocess.run(
            [python, "-m", "flake8", *self.arguments],
            cwd=folder,
            input=self.stdin,
            capture_output=True,
            text=True,
            env=environment(**variables),
            timeout=120,
        )
        if done.stderr:
            raise RuntimeError(done.stderr)
        found: dict[str, str] = {}
        for line in done.stdout.splitlines():
            path, _, _, text = line.split(":", 3)
            code = text.split()[0]
            if code[0] not in "EW":
                path = os.path.normpath(path)
                found[path] = f"{found[path]} {code}" if path in found else code
        return found


COMMENTS = {
    "# noqa": False,
    "# NOQA": False,
    "# noqa: TL201": False,
    "# noqa:TL201 a number is the same": False,
    "# noqa: E501, TL2": False,
    "# noqa: TL": False,
    "# noqa : TL101": False,
    "# torchlint: ignore[TL201]": False,
    "# noqa: TL101": True,
    "# noqa: E501": True,
}
"""Comments, and whether the finding is shown nevertheless. Two have no code that flake8 can read."""

_MANY = {f"m{number:02}.py": LOGS_A_GRAPH for number in range(12)}
_COMMENTED = {f"c{number}.py": _with(comment) for number, comment in enumerate(COMMENTS)}

CASES = (
    Case("two processes", _MANY, dict.fromkeys(_MANY, "TL201"), ("-j", "2", ".")),
    Case(
        "per-file-ignores",
        {"a.py": LOGS_A_GRAPH, "lab/b.py": LOGS_A_GRAPH},
        {"a.py": "TL201"},
        config="per-file-ignores =\n    lab/*: TL2\n",
    ),
    Case(
        "ignore, which forgets what is off by default",
        {"a.py": LOGS_A_GRAPH, "b.py": AT_THE_BORDER},
        {"a.py": "TL201"},
        config="ignore = E501, W503\n",
    ),
    Case(
        "extend-select of what is off by default, with ignore",
        {"b.py": AT_THE_BORDER},
        {"b.py": "TL404"},
        config="ignore = E501\nextend-select = TL404\n",
    ),
    Case(
        "standard input by another name",
        {},
        {"lab/a.py": "TL201"},
        ("--per-file-ignores", "b.py:TL", "--stdin-display-name", "lab/a.py", "-"),
        stdin=LOGS_A_GRAPH,
    ),
    Case(
        "standard input, ignored by its name",
        {},
        {},
        ("--per-file-ignores", "lab/*:TL", "--stdin-display-name", "lab/a.py", "-"),
        stdin=LOGS_A_GRAPH,
    ),
    Case("select of a family", {"a.py": LOGS_A_GRAPH}, {"a.py": "TL201"}, ("--select", "TL2", ".")),
    Case("select of others", {"a.py": LOGS_A_GRAPH}, {}, ("--select", "F,TL1", ".")),
    Case(
        "comments",
        _COMMENTED,
        {name: "TL201" for name, stays in zip(_COMMENTED, COMMENTS.values(), strict=True) if stays},
    ),
    Case("a comment for the file", {"a.py": f"# flake8: noqa\n{LOGS_A_GRAPH}"}, {}),
    Case("comments that do not count", {"a.py": _with("# noqa")}, {"a.py": "TL201"}, ("--disable-noqa", ".")),
    Case(
        "no word on comments without use",
        {
            "a.py": "import torch\ntorch.ones(1)  # noqa: TL201\n",
            "pyproject.toml": '[tool.torchlint]\nextend-select = ["TL003"]\n',
        },
        {},
        ("--select", "TL", "."),
    ),
    Case(
        "[tool.torchlint] of pyproject.toml",
        {
            "a.py": LOGS_A_GRAPH,
            "b.py": AT_THE_BORDER,
            "pyproject.toml": '[tool.torchlint]\nignore = ["TL201"]\nextend-select = ["TL404"]\n',
        },
        {"b.py": "TL404"},
    ),
    Case(
        "beside pyflakes and bugbear",
        {"a.py": f"import os\n{LOGS_A_GRAPH}\n\ndef add(x, to=[]):\n    return to + [x]\n"},
        {"a.py": "F401 TL201 B006"},
        plugins=("flake8-bugbear",),
    ),
)
