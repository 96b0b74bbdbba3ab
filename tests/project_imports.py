"""Small projects, each with one way to name what another file defines, or what no file shows."""

from __future__ import annotations

MODELS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))

    def forward(self, x):
        return self.body(x)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)

    def forward(self, x):
        return self.body(x)


def build():
    return Net()


def ready():
    model = build()
    model.eval()
    return model
"""

USE = """
import torch
{imports}


def show(x):
    trains, ready, plain = {at}build(), {at}ready(), {at}Plain()
    with torch.inference_mode():
        print(trains(x).shape)  # want TL101 "'trains' runs"
        print(ready(x).shape)
        print(plain(x).shape)
"""

NAMES = "Plain, build, ready"
PACKAGE = {"pkg/__init__.py": "", "pkg/models.py": MODELS}


def used(imports: str, at: str = "") -> str:
    return USE.format(imports=imports, at=at)


IMPORTS: dict[str, dict[str, str]] = {
    "absolute": PACKAGE | {"pkg/use.py": used(f"from pkg.models import {NAMES}")},
    "from_a_script_beside_the_package": PACKAGE | {"use.py": used(f"from pkg.models import {NAMES}")},
    "one_dot": PACKAGE | {"pkg/use.py": used(f"from .models import {NAMES}")},
    "two_dots": PACKAGE
    | {"pkg/inner/__init__.py": "", "pkg/inner/use.py": used(f"from ..models import {NAMES}")},
    "a_dot_alone": PACKAGE | {"pkg/use.py": used("from . import models", "models.")},
    "two_dots_alone": PACKAGE
    | {"pkg/inner/__init__.py": "", "pkg/inner/use.py": used("from .. import models", "models.")},
    "as_another_name": PACKAGE | {"pkg/use.py": used("import pkg.models as m", "m.")},
    "by_the_dotted_name": PACKAGE | {"pkg/use.py": used("import pkg.models", "pkg.models.")},
    "a_module_of_the_package": PACKAGE | {"pkg/use.py": used("from pkg import models", "models.")},
    "exported_by_the_package": PACKAGE
    | {"pkg/__init__.py": f"from .models import {NAMES}\n", "use.py": used(f"from pkg import {NAMES}")},
    "exported_under_another_name": PACKAGE
    | {
        "pkg/__init__.py": "from .models import Plain, build as make, ready\n",
        "use.py": used("from pkg import Plain, make as build, ready"),
    },
    "exported_with_a_star": PACKAGE
    | {"pkg/__init__.py": "from .models import *\n", "use.py": used(f"from pkg import {NAMES}")},
    "exported_twice_with_stars": PACKAGE
    | {
        "pkg/__init__.py": "from .zoo import *\n",
        "pkg/zoo/__init__.py": "from .small import *\n",
        "pkg/zoo/small.py": "from ..models import *\n",
        "use.py": used("import pkg", "pkg."),
    },
    "src_layout": {f"src/{name}": text for name, text in PACKAGE.items()}
    | {
        "pyproject.toml": '[project]\nname = "pkg"\n',
        "src/pkg/use.py": used(f"from pkg.models import {NAMES}"),
        "scripts/use.py": used(f"from pkg.models import {NAMES}"),
    },
    "scripts_side_by_side": {"models.py": MODELS, "use.py": used(f"from models import {NAMES}")},
    "a_folder_without_init": {"parts/models.py": MODELS, "use.py": used(f"from parts.models import {NAMES}")},
}

ELSEWHERE = used(f"from pkg.models import {NAMES}").replace("  # want TL101 \"'trains' runs\"", "")

OUT_OF_SIGHT: dict[str, dict[str, str]] = {
    "no_package": {"use.py": ELSEWHERE},
    "no_module": {"pkg/__init__.py": "", "use.py": ELSEWHERE},
    "an_empty_package": {"pkg/__init__.py": "", "pkg/models/__init__.py": "", "use.py": ELSEWHERE},
    "an_empty_module": {"pkg/__init__.py": "", "pkg/models.py": "", "use.py": ELSEWHERE},
    "a_star_out_of_sight": {
        "pkg/__init__.py": "",
        "pkg/models.py": "from missing import *\n",
        "use.py": ELSEWHERE,
    },
    "it_imports_itself": {
        "pkg/__init__.py": "",
        "pkg/models.py": f"from .models import {NAMES}\n",
        "use.py": ELSEWHERE,
    },
    "names_go_round": {
        "pkg/__init__.py": "",
        "pkg/models.py": f"from .more import {NAMES}\n",
        "pkg/more.py": f"from .models import {NAMES}\n",
        "use.py": ELSEWHERE,
    },
    "stars_go_round": {
        "pkg/__init__.py": "",
        "pkg/models.py": "from .more import *\n",
        "pkg/more.py": "from .models import *\n",
        "use.py": ELSEWHERE,
    },
    "another_package": {"other/__init__.py": "", "other/models.py": MODELS, "use.py": ELSEWHERE},
    "beyond_the_top": PACKAGE | {"use.py": ELSEWHERE.replace("from pkg", "from .pkg.missing")},
}
