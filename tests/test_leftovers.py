"""Which names go from the imports once a fix has taken their last use, and which stay."""

from __future__ import annotations

import pytest

from torchlint.config import Config
from torchlint.engine import check
from torchlint.fixes import fix
from torchlint.source import Source

USE = "\nm = nn.Linear(2, 2).eval()\nwith no_grad():\n    print(m(torch.ones(2)).sum())\n"
FIXED = USE.replace("no_grad", "inference_mode")


def fixed(text: str, filename: str = "a.py") -> str:
    config = Config(select=("TL401", "TL402"))
    result = fix(Source.from_text(text, filename), lambda source: check(source, config), unsafe=True)
    assert result.made
    assert not result.failures
    return result.source.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from torch import no_grad", "from torch import inference_mode"),
        ("from torch import nn, no_grad, optim", "from torch import nn, inference_mode, optim"),
        ("from torch import no_grad, nn", "from torch import inference_mode, nn"),
        ("from torch import nn, no_grad", "from torch import nn, inference_mode"),
        ("from torch import (nn, no_grad,)", "from torch import (nn, inference_mode,)"),
        ("from torch import nn, \\\n    no_grad", "from torch import nn, \\\n    inference_mode"),
        ("from torch import inference_mode, no_grad", "from torch import inference_mode"),
        ("from torch import no_grad, inference_mode, nn", "from torch import inference_mode, nn"),
        ("from torch import inference_mode\nfrom torch import no_grad", "from torch import inference_mode"),
        (
            "from torch import inference_mode\nfrom torch import no_grad  # for all",
            "from torch import inference_mode\nfrom torch import no_grad  # for all",
        ),
        (
            "from torch import (\n    inference_mode,\n    no_grad,\n    nn,\n)",
            "from torch import (\n    inference_mode,\n    nn,\n)",
        ),
        (
            "from torch import (\n    inference_mode,  # good\n    no_grad,\n    nn,\n)",
            "from torch import (\n    inference_mode,  # good\n    nn,\n)",
        ),
    ],
)
def test_a_name_without_a_use_goes(before: str, after: str) -> None:
    start = "import torch\nfrom torch import nn\n"
    assert fixed(start + before + USE) == start + after + FIXED


@pytest.mark.parametrize(
    "extra",
    [
        "__all__ = ['no_grad']\n",
        "free = no_grad\n",
        "print(f'{no_grad}')\n",
        "def f(no_grad): return no_grad\n",
        "import os; no_grad()\n",
        "x: 'no_grad'\n",
        "try:\n    from torch import no_grad\nexcept ImportError:\n    no_grad = None\n",
    ],
)
def test_a_name_that_may_have_one_stays(extra: str) -> None:
    text = "import torch\nfrom torch import nn, no_grad\n" + USE + extra
    assert "import nn, no_grad, inference_mode\n" in fixed(text)


@pytest.mark.parametrize(
    "line",
    [
        "from torch import no_grad as no_grad",
        "from torch import no_grad  # noqa: F401",
        "from torch import (\n    no_grad,  # the old way\n)",
        "if True:\n    from torch import no_grad",
    ],
)
def test_an_import_that_is_meant_or_said_something_of_stays(line: str) -> None:
    assert "no_grad" in fixed(f"import torch\nfrom torch import nn\n{line}\n" + USE)


def test_imports_for_others_stay() -> None:
    text = "import torch\nfrom torch import nn, no_grad\n" + USE
    for filename in ("pkg/__init__.py", "a.pyi"):
        assert "nn, no_grad, inference_mode" in fixed(text, filename)


def test_each_name_that_a_round_leaves_goes() -> None:
    text = "import torch\nfrom torch import nn, no_grad, no_grad as off" + USE + USE.replace("no_grad", "off")
    assert fixed(text) == "import torch\nfrom torch import nn, inference_mode" + FIXED + FIXED


def test_a_name_that_had_no_use_before_is_none_of_our_business() -> None:
    text = "import torch\nfrom torch import nn, Tensor, no_grad" + USE
    assert "import nn, Tensor, inference_mode\n" in fixed(text)
