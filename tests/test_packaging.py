"""What is shipped and how it is started: manifest, entry points, wheel, import cost, the test command."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from command import LOGS_A_GRAPH, environment, run, write
from fixture_files import REPOSITORY

import torchlint
from torchlint.rulebook import page
from torchlint.rules import SELECTABLE


def distribution() -> importlib.metadata.Distribution:
    return importlib.metadata.distribution("torchlint")


def test_the_version_stands_once_more_in_the_manifest() -> None:
    assert distribution().version == torchlint.__version__
    manifest = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{torchlint.__version__}"\n' in manifest


def test_what_it_needs() -> None:
    requires = distribution().requires or []
    assert [line for line in requires if "extra ==" not in line] == ["libcst>=1.5.1"]
    development = [line.partition(";")[0].strip() for line in requires if re.search("extra == .dev", line)]
    assert "torch==2.13.0" in development
    assert distribution().metadata["Requires-Python"] == ">=3.10"


def test_entry_points() -> None:
    points = {(point.group, point.name): point for point in distribution().entry_points}
    assert set(points) == {
        ("console_scripts", "torchlint"),
        ("flake8.extension", "TL"),
        ("pylsp", "torchlint"),
    }
    for point in points.values():
        found = point.load()
        assert callable(found.pylsp_lint if point.group == "pylsp" else found)


def test_the_command_and_the_module_are_the_same(tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH)
    script = Path(sys.executable).parent / "torchlint"
    done = subprocess.run([script, "check"], cwd=tmp_path, capture_output=True, text=True, env=environment())
    assert (done.returncode, done.stdout) == (1, run("check", cwd=tmp_path).out)


def test_pages_are_found() -> None:
    for rule in SELECTABLE:
        assert page(rule.code).startswith(f"# {rule.name} ({rule.code})\n")
    with pytest.raises(torchlint.errors.ConfigError, match="no page for 'TL999'"):
        page("TL999")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as pip builds it for a user of this folder."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "wheel", "--no-deps"]
    done = subprocess.run([*pip, "-w", folder, REPOSITORY], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel(wheel: Path, tmp_path: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    own = {f"torchlint/{path.relative_to(REPOSITORY / 'torchlint')}" for path in sources()}
    assert own <= set(names)
    pages = {f"torchlint/rulebook/{name}.md" for name in ("README", *(rule.code for rule in SELECTABLE))}
    assert pages <= set(names)
    rest = set(names) - own - pages
    assert all(name.startswith("torchlint-") for name in rest), sorted(rest)


def sources() -> list[Path]:
    return [
        path
        for path in (REPOSITORY / "torchlint").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


def test_the_wheel_works_by_itself(wheel: Path, tmp_path: Path) -> None:
    """Unpacked far from the repository, so that pages come from the wheel."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = "from torchlint.cli import main; import sys; sys.exit(main(['rule', 'TL101']))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=str(tmp_path / "site")),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip("\n") == page("TL101").rstrip("\n")


def imported(program: str, cwd: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}


@pytest.mark.parametrize(
    "program",
    [
        "import torchlint",
        "import torchlint.cli",
        "from torchlint.cli import main; assert main(['check', 'a.py']) == 0",
        "from torchlint.cli import main; assert main(['check', '--select', 'TL1', '--fix', 'a.py']) == 0",
        "import torchlint; torchlint.check('x = 1')",
    ],
)
def test_libcst_and_torch_stay_out(program: str, tmp_path: Path) -> None:
    write(tmp_path, a="x = 1\n")
    names = imported(program, tmp_path)
    assert "torchlint" in names
    assert not {name for name in names if name.split(".")[0] in ("libcst", "torch", "numpy")}


def test_torch_is_never_imported(tmp_path: Path) -> None:
    write(tmp_path, a=LOGS_A_GRAPH)
    names = imported("from torchlint.cli import main; assert main(['check']) == 1", tmp_path)
    assert "libcst" in names
    assert not {name for name in names if name.split(".")[0] == "torch"}
    assert not names & {"libcst.matchers", "libcst.codemod"}


def hooks() -> dict[str, dict[str, str]]:
    """The manifest of hooks; it is plain enough to be read without a YAML parser."""
    text = (REPOSITORY / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    found = {}
    for block in text.split("- ")[1:]:
        keys = dict(line.strip().split(": ", 1) for line in block.splitlines() if line.strip())
        found[keys["id"]] = keys
    return found


def test_the_hooks() -> None:
    assert list(hooks()) == ["torchlint", "torchlint-fix"]
    for hook in hooks().values():
        assert hook["language"] == "python"
        assert hook["types_or"] == "[python, pyi, jupyter]"
        assert hook["require_serial"] == "true"
        assert hook["args"] == "[]"
        assert hook["minimum_pre_commit_version"] == '"2.9.2"'


def test_what_the_hooks_start(tmp_path: Path) -> None:
    """With files as pre-commit hands them over: excluded ones and notebooks among them."""
    write(tmp_path, a=LOGS_A_GRAPH, build__b=LOGS_A_GRAPH)
    (tmp_path / "n.ipynb").write_text("{}")
    files = ("a.py", "build/b.py", "n.ipynb")
    for name, status in (("torchlint", 1), ("torchlint-fix", 0), ("torchlint", 0)):
        program, *arguments = hooks()[name]["entry"].split()
        assert program == "torchlint"
        assert run(*arguments, *files, cwd=tmp_path).status == status
    assert (tmp_path / "build/b.py").read_text() == LOGS_A_GRAPH


def test_the_readme_and_the_check_of_a_clone_are_one_command() -> None:
    done = subprocess.run([REPOSITORY / ".ci" / "run", "--show"], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"```sh\n{done.stdout}```\n" in readme
    assert "pip install -e '.[dev]'" in done.stdout
    assert "-m tests" in done.stdout
