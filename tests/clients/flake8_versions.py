"""torchlint in each flake8 of each Python, beside pyflakes and bugbear.

    python tests/clients/flake8_versions.py FOLDER PYTHON ...

FOLDER takes an environment for each Python, and is used again. Prints for each Python and flake8 what of
`tests/flake8_cases.py` holds; exit 1 where something does not. Needs the registry of PyPI.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from flake8_cases import CASES  # noqa: E402

FLAKE8 = ("6.0.*", "6.1.*", "7.0.*", "7.*")
PLUGINS = ("flake8-bugbear",)


def run(*command: str | Path) -> str:
    """What a command prints. Raises RuntimeError where it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout


def environment_of(python: str, folder: Path, wheel: Path) -> Path:
    """The Python of an environment with torchlint as users install it."""
    version = run(python, "-c", "import platform; print(platform.python_version())").strip()
    place = folder / f"python-{version}"
    inside = place / "bin" / "python"
    if not inside.exists():
        run(python, "-m", "venv", place)
    pip = (inside, "-m", "pip", "-q", "--disable-pip-version-check", "install")
    run(*pip, "--force-reinstall", "--no-deps", wheel)
    run(*pip, f"{wheel}[toml]", *PLUGINS)
    return inside


def main() -> int:
    """The exit status."""
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    run(sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "-w", folder / "wheel", ROOT)
    (wheel,) = (folder / "wheel").glob("*.whl")
    failed = 0
    for python in sys.argv[2:]:
        inside = environment_of(python, folder, wheel)
        for wanted in FLAKE8:
            # An old flake8 has an old bugbear.
            run(inside, "-m", "pip", "-q", "install", "--upgrade", f"flake8=={wanted}", *PLUGINS)
            version = " ".join(run(inside, "-m", "flake8", "--version").split())
            start, wrong = time.perf_counter(), []
            for case in CASES:
                with tempfile.TemporaryDirectory() as place:
                    try:
                        shown = case.run(inside, Path(place), PYTHONPATH="")
                    except RuntimeError as error:
                        shown = {"": str(error)}
                if shown != case.shown:
                    wrong.append(f"        {case.name}: {shown}, not {dict(case.shown)}")
            failed += len(wrong)
            held = f"{len(CASES) - len(wrong)} of {len(CASES)}"
            seconds = time.perf_counter() - start
            print(f"{'NOT OK' if wrong else 'ok':6}  {held} in {seconds:.0f} s: {version}", flush=True)
            print("\n".join(wrong), end="\n" if wrong else "", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
