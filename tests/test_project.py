"""Reading across files: what a file imports, who calls it from elsewhere, and every way to ask for that."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import run
from expectations import expectations
from fixture_files import PROJECT, project_files
from frontends import Told, by_command, by_flake8
from matching import Found, differences, report

import torchlint
from torchlint.config import Config

EVERY_RULE = Config(select=("TL",))
ALONE = Config(select=("TL",), project=False)

MODELS = '''
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
'''

USE = '''
import torch
{imports}


def show(x):
    trains, ready, plain = {at}build(), {at}ready(), {at}Plain()
    with torch.inference_mode():
        print(trains(x).shape)  # want TL101 "'trains' runs"
        print(ready(x).shape)
        print(plain(x).shape)
'''

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


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def lint(path: Path, config: Config = EVERY_RULE, text: str | None = None) -> list[Found]:
    text = path.read_text(encoding="utf-8") if text is None else text
    found = torchlint.check(text, filename=str(path), config=config)
    return [Found(one.line, one.code, one.message) for one in found]


def hold(folder: Path) -> int:
    """Each file tells what its comments announce; how many findings that are."""
    wanted = 0
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        said = expectations(text, path.name)
        told = differences(said, lint(path))
        assert not told, report(str(path.relative_to(folder)), text, told)
        wanted += len(said.wants)
    return wanted


def is_silent_alone(folder: Path) -> None:
    assert not [(path.name, lint(path, ALONE)) for path in folder.rglob("*.py") if lint(path, ALONE)]


@pytest.mark.parametrize("form", IMPORTS)
def test_an_import_leads_to_what_it_names(form: str, tmp_path: Path) -> None:
    folder = written(tmp_path, IMPORTS[form])
    assert hold(folder)
    is_silent_alone(folder)


ELSEWHERE = used(f"from pkg.models import {NAMES}").replace("  # want TL101 \"'trains' runs\"", "")


@pytest.mark.parametrize(
    "files",
    [
        {"use.py": ELSEWHERE},
        {"pkg/__init__.py": "", "use.py": ELSEWHERE},
        {"pkg/__init__.py": "", "pkg/models/__init__.py": "", "use.py": ELSEWHERE},
        {"pkg/__init__.py": "", "pkg/models.py": "", "use.py": ELSEWHERE},
        {"pkg/__init__.py": "", "pkg/models.py": "from missing import *\n", "use.py": ELSEWHERE},
        {"pkg/__init__.py": "", "pkg/models.py": f"from .models import {NAMES}\n", "use.py": ELSEWHERE},
        {
            "pkg/__init__.py": "",
            "pkg/models.py": f"from .more import {NAMES}\n",
            "pkg/more.py": f"from .models import {NAMES}\n",
            "use.py": ELSEWHERE,
        },
        {
            "pkg/__init__.py": "",
            "pkg/models.py": "from .more import *\n",
            "pkg/more.py": "from .models import *\n",
            "use.py": ELSEWHERE,
        },
        {"other/__init__.py": "", "other/models.py": MODELS, "use.py": ELSEWHERE},
        PACKAGE | {"use.py": ELSEWHERE.replace("from pkg", "from .pkg.missing")},
    ],
    ids=[
        "no_package",
        "no_module",
        "an_empty_package",
        "an_empty_module",
        "a_star_out_of_sight",
        "it_imports_itself",
        "names_go_round",
        "stars_go_round",
        "another_package",
        "beyond_the_top",
    ],
)
def test_what_nobody_shows_is_unknown(files: dict[str, str], tmp_path: Path) -> None:
    assert hold(written(tmp_path, files)) == 0


SITUATIONS: dict[str, dict[str, str]] = {
    "files_that_import_each_other": {
        "pkg/__init__.py": "",
        "pkg/models.py": "from pkg import use\n" + MODELS + "\n\ndef shown(x):\n    use.show(x)\n",
        "pkg/use.py": used("from pkg import models", "models."),
    },
    "a_base_in_another_file": {
        "bases.py": """
from torch import nn


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)


class Straight(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
""",
        "use.py": """
import torch
import bases
from bases import Straight


class A(bases.Normed):
    def forward(self, x):
        return self.norm(x)


class B(Straight):
    def forward(self, x):
        return self.linear(x)


def show(x):
    a, b = A(), B()
    with torch.inference_mode():
        print(a(x).shape)  # want TL101 "'a' runs"
        print(b(x).shape)
""",
    },
    "a_base_of_a_base_behind_an_export": {
        "pkg/__init__.py": "from .low import Low\n",
        "pkg/low.py": """
from torch import nn


class Low(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, training=self.training)
""",
        "pkg/middle.py": "from pkg import Low\n\n\nclass Middle(Low):\n    pass\n",
        "use.py": """
import torch
from pkg.middle import Middle


class High(Middle):
    pass


def show(x):
    high, evaled = High(), High().eval()
    with torch.inference_mode():
        print(high(x).shape)  # want TL101 "'high' runs"
        print(evaled(x).shape)
""",
    },
    "callers_in_another_file": {
        "models.py": MODELS,
        "scores.py": """
import torch


def _fresh(model, x):
    with torch.inference_mode():
        return model(x)  # want TL101 "'model' runs"


def _both(model, x):
    with torch.inference_mode():
        return model(x)  # want TL101 "'model' may run"


def _evaled(model, x):
    with torch.inference_mode():
        return model(x)


def _plain(model, x):
    with torch.inference_mode():
        return model(x)


def _nobody(model, x):
    with torch.inference_mode():
        return model(x)
""",
        "main.py": """
import torch
from models import Plain, build, ready
from scores import _both, _evaled, _fresh, _plain

x = torch.ones(2, 4)
fresh, evaled, plain = build(), ready(), Plain()
print(_fresh(fresh, x), _both(fresh, x), _both(evaled, x), _evaled(evaled, x), _plain(plain, x))
""",
    },
    "callers_of_callers_in_other_files": {
        "models.py": MODELS,
        "low.py": """
import torch


def _low(model, x):
    with torch.inference_mode():
        return model(x)  # want TL101 "'model' runs"


def _lower(model, x):
    with torch.inference_mode():
        return model(x)
""",
        "middle.py": """
from low import _low, _lower


def fresh(model, x):
    return _low(model, x)


def evaled(model, x):
    return _lower(model, x)
""",
        "main.py": """
import torch
from middle import evaled, fresh
from models import build, ready

print(fresh(build(), torch.ones(2, 4)), evaled(ready(), torch.ones(2, 4)))
""",
    },
    "a_function_elsewhere_sets_the_mode": {
        "models.py": MODELS,
        "modes.py": "def still(model):\n    model.eval()\n\n\ndef look(model):\n    print(model)\n",
        "use.py": """
import torch
from models import Net
from modes import look, still


def show(x):
    a, b = Net(), Net()
    look(a)
    still(b)
    with torch.inference_mode():
        print(a(x).shape)  # want TL101 "'a' runs"
        print(b(x).shape)
""",
    },
    "an_attribute_holds_an_object_of_another_file": {
        "models.py": MODELS,
        "boxes.py": """
from models import build, ready


class Box:
    def __init__(self):
        self.model = build()


class StillBox:
    def __init__(self):
        self.model = ready()
""",
        "use.py": """
import torch
from boxes import Box, StillBox


class Runner:
    def __init__(self):
        self.box = Box()
        self.still = StillBox()

    def show(self, x):
        with torch.inference_mode():
            print(self.box.model(x).shape)  # want TL101 "'self.box.model' runs"
            print(self.still.model(x).shape)
""",
    },
    "an_object_of_another_file_runs_what_it_is_given": {
        "models.py": MODELS,
        "runners.py": """
import torch


class Runner:
    def __init__(self, model):
        self.model = model

    def run(self, x):
        with torch.inference_mode():
            return self.model(x)  # want TL101 "'self.model' runs"


class StillRunner:
    def __init__(self, model):
        self.model = model

    def walk(self, x):
        with torch.inference_mode():
            return self.model(x)
""",
        "main.py": """
import torch
from models import build, ready
from runners import Runner, StillRunner

x = torch.ones(2, 4)
print(Runner(build()).run(x), StillRunner(ready()).walk(x))
""",
    },
    "a_helper_elsewhere_gives_a_tensor_with_a_graph": {
        "losses.py": """
import torch.nn.functional as F


def loss_of(model, x, y):
    return F.cross_entropy(model(x), y)


def value_of(model, x, y):
    return F.cross_entropy(model(x), y).detach()
""",
        "use.py": """
import torch
from torch import nn
from losses import loss_of, value_of

model = nn.Linear(4, 3)
x, y = torch.ones(2, 4), torch.tensor([0, 1])
print(loss_of(model, x, y).item())  # want TL201
print(value_of(model, x, y).item())
""",
    },
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_is_true_of_several_files(situation: str, tmp_path: Path) -> None:
    folder = written(tmp_path, SITUATIONS[situation])
    assert hold(folder)
    is_silent_alone(folder)


def test_a_neighbour_that_is_no_python_is_as_if_missing(tmp_path: Path) -> None:
    folder = written(tmp_path, IMPORTS["scripts_side_by_side"])
    written(folder, {"other.py": ELSEWHERE.replace("pkg.models", "broken")})
    for data in (b"def build(:\n    return 1\n", b"def build(): return '\xff'\n", b"x = 1\x00\n"):
        (folder / "broken.py").write_bytes(data)
        assert lint(folder / "other.py") == []
        assert [one.code for one in lint(folder / "use.py")] == ["TL101"]


def test_a_folder_and_a_link_that_leads_nowhere_are_no_neighbours(tmp_path: Path) -> None:
    folder = written(tmp_path, {"use.py": ELSEWHERE.replace("pkg.models", "models")})
    (folder / "models.py").mkdir()
    assert lint(folder / "use.py") == []
    (folder / "models.py").rmdir()
    (folder / "models.py").symlink_to(folder / "nowhere.py")
    assert lint(folder / "use.py") == []


def test_a_file_that_is_not_written_yet_has_neighbours(tmp_path: Path) -> None:
    folder = written(tmp_path, {"models.py": MODELS})
    text = used(f"from models import {NAMES}")
    assert [one.code for one in lint(folder / "use.py", text=text)] == ["TL101"]
    assert torchlint.check(text) == torchlint.check(text, config=Config(project=False))


def test_a_buffer_counts_and_not_what_the_disk_holds(tmp_path: Path) -> None:
    folder = written(tmp_path, SITUATIONS["callers_in_another_file"])
    path = folder / "scores.py"
    text = path.read_text(encoding="utf-8")
    assert len(lint(path)) == 2
    cured = text.replace("    with torch", "    model.eval()\n    with torch")
    assert lint(path, text=cured) == []
    assert len(lint(path, text=text)) == 2
    main = (folder / "main.py").read_text(encoding="utf-8")
    (folder / "main.py").write_text(main.replace("build()", "ready()"), encoding="utf-8")
    assert lint(path, text=text) == []


@pytest.fixture(scope="module")
def by_interface() -> dict[str, list[Told]]:
    """What an editor shows of each file of the project, with every rule on."""
    return {path.name: told_of(path, EVERY_RULE) for path in project_files()}


def told_of(path: Path, config: Config) -> list[Told]:
    found = torchlint.check(path.read_text(encoding="utf-8"), filename=str(path), config=config)
    return sorted((one.line, one.column + 1, one.code, one.message) for one in found)


def without_clean(told: dict[str, list[Told]]) -> dict[str, list[Told]]:
    return {name: found for name, found in told.items() if found}


def test_the_project_tells_what_it_announces() -> None:
    assert hold(PROJECT) >= 5


@pytest.mark.parametrize("where", ["here", "at_its_top", "file_by_file", "backwards", "in_processes"])
def test_the_command_tells_the_same(where: str, by_interface: dict[str, list[Told]]) -> None:
    files = [str(path.relative_to(PROJECT)) for path in project_files()]
    told: dict[str, list[Told]] = {}
    match where:
        case "here":
            told = by_command(".", folder=PROJECT)
        case "at_its_top":
            told = by_command(str(PROJECT), folder=PROJECT.parents[2])
        case "file_by_file":
            for file in files:
                told |= by_command(file, folder=PROJECT)
        case "backwards":
            told = by_command(*reversed(files), folder=PROJECT)
        case _:
            told = by_command("--jobs", "2", ".", folder=PROJECT)
    assert told == without_clean(by_interface)


def test_flake8_tells_the_same(by_interface: dict[str, list[Told]]) -> None:
    assert by_flake8("-j1", ".", folder=PROJECT) == without_clean(by_interface)
    assert by_flake8("-j2", ".", folder=PROJECT) == without_clean(by_interface)


def test_standard_input_is_read_in_its_place(by_interface: dict[str, list[Told]]) -> None:
    data = (PROJECT / "digits" / "evaluate.py").read_bytes()
    name = "digits/evaluate.py"
    expected = {"evaluate.py": by_interface["evaluate.py"]}
    assert by_command("--stdin-filename", name, "-", folder=PROJECT, stdin=data) == expected
    assert by_flake8("--stdin-display-name", name, "-", folder=PROJECT, stdin=data) == expected


def test_without_the_project_each_file_is_alone(by_interface: dict[str, list[Told]]) -> None:
    alone = {path.name: told_of(path, ALONE) for path in project_files()}
    assert by_command("--no-project", ".", folder=PROJECT) == without_clean(alone)
    assert by_flake8("--torchlint-no-project", ".", folder=PROJECT) == without_clean(alone)
    announced = {
        path.name: expectations(path.read_text(encoding="utf-8")).wants for path in project_files()
    }
    for name, found in alone.items():
        # A public function that is given a model says so of itself; what only others know, is gone.
        assert not [one for one in found if not one[3].endswith("no caller in sight puts it in evaluation mode")]
        assert not announced[name] or found != by_interface[name]


def test_a_fix_in_one_file_leaves_the_others_known(tmp_path: Path) -> None:
    folder = written(tmp_path, SITUATIONS["callers_in_another_file"])
    logged = "\n\ndef _logged(model, x):\n    print(model(x).sum().item())\n"
    text = (folder / "scores.py").read_text(encoding="utf-8") + logged
    (folder / "scores.py").write_text(text, encoding="utf-8")
    main = (folder / "main.py").read_text(encoding="utf-8").replace("_evaled, ", "_evaled, _logged, ")
    (folder / "main.py").write_text(
        main + "_logged(fresh, x)\nprint(fresh(x).sum().item())\n", encoding="utf-8"
    )
    before = by_command(".", folder=folder)
    assert run("check", "--select", "TL", "--fix", ".", cwd=folder).status == 1
    after = by_command(".", folder=folder)
    assert "fresh(x).sum().detach().item()" in (folder / "main.py").read_text(encoding="utf-8")
    kept = [one for one in before["scores.py"] if one[2] == "TL101"]
    assert [one for one in after["scores.py"] if one[2] == "TL101"] == kept
    assert len(kept) == 2


def test_a_copy_elsewhere_tells_the_same(tmp_path: Path, by_interface: dict[str, list[Told]]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__", "pyproject.toml"))
    assert by_command(".", folder=copy) == without_clean(by_interface)
