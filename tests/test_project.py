"""Reading across files: what a file imports, who calls it from elsewhere, and every way to ask for that."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command import run
from expectations import expectations
from fixture_files import PROJECT, project_files
from frontends import Told, by_command, by_flake8
from matching import Found, differences, report
from project_imports import ELSEWHERE, IMPORTS, MODELS, NAMES, OUT_OF_SIGHT, used
from project_situations import GUESSED_ALONE, SITUATIONS

import torchlint
from torchlint.config import Config

EVERY_RULE = Config(select=("TL",))
ALONE = Config(select=("TL",), project=False)


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


@pytest.mark.parametrize("form", OUT_OF_SIGHT)
def test_what_nobody_shows_is_unknown(form: str, tmp_path: Path) -> None:
    assert hold(written(tmp_path, OUT_OF_SIGHT[form])) == 0


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_is_true_of_several_files(situation: str, tmp_path: Path) -> None:
    folder = written(tmp_path, SITUATIONS[situation])
    assert hold(folder)
    alone = {path.name: lint(path, ALONE) for path in folder.rglob("*.py")}
    together = {path.name: lint(path) for path in folder.rglob("*.py")}
    assert alone != together
    if situation in GUESSED_ALONE:
        assert sum(map(len, alone.values())) > sum(map(len, together.values()))
    else:
        assert not any(alone.values())


HOLDER = """
import torch
from torch import nn

class Holder:
    def __init__(self):
        self.encoder = nn.Dropout(0.5)

    @torch.no_grad()
    def speak(self, x):
        return self.encoder(x)
"""


CALLS = """
import torch
from holder import Holder

with torch.no_grad():
    Holder().speak(torch.ones(2))
"""


def test_what_is_said_of_a_file_is_the_same_after_another_has_led_to_it(tmp_path: Path) -> None:
    written(tmp_path, {"calls.py": CALLS, "holder.py": HOLDER})
    ask = ("check", "--select", "TL101", "--output-format", "json", "--jobs", "1")
    after, alone = (run(*ask, *names, cwd=tmp_path) for names in (("calls.py", "holder.py"), ("holder.py",)))
    (found,) = json.loads(alone.out)
    assert found["code"] == "TL101"
    assert found["fix"] is not None
    assert json.loads(after.out) == [found]


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
    announced = {path.name: expectations(path.read_text(encoding="utf-8")).wants for path in project_files()}
    for name, found in alone.items():
        # A public function that is given a model says so of itself, and so does a region whose tensors
        # it returns; what only others know, is gone.
        unseen = ("no caller in sight puts it in evaluation mode", "if no caller trains on the result")
        assert not [one for one in found if not one[3].endswith(unseen)]
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
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert by_command(".", folder=copy) == without_clean(by_interface)


def test_without_a_marker_only_the_package_is_asked_for_callers(
    tmp_path: Path, by_interface: dict[str, list[Told]]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__", "pyproject.toml"))
    assert told_of(copy / "main.py", EVERY_RULE) == by_interface["main.py"]
    # TL404 is about callers out of sight, as main.py is now.
    assert {code for _, _, code, _ in told_of(copy / "digits" / "data.py", EVERY_RULE)} <= {"TL404"}
