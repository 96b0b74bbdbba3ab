"""Whatever the source, `check` answers: it never raises, never fails inside, and leaves no trace."""

from __future__ import annotations

import ast
import gc
import importlib.util
import locale
import logging
import os
import pickle
import random
import re
import subprocess
import sys
import sysconfig
import warnings
from multiprocessing import get_context
from pathlib import Path

import pytest
from fixture_files import REPOSITORY, situations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import torchlint
from torchlint import fixes
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.engine import check
from torchlint.source import Source

EVERY_RULE = Config(select=("TL",), project=False)

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
TORCH = importlib.util.find_spec("torch")

# Odd but valid syntax is everywhere in the standard library, torch is not: these words put it there.
DISGUISES = {
    "open": "torch.no_grad",
    "len": "torch.relu",
    "isinstance": "torch.matmul",
    "str": "nn.Dropout",
    "repr": "nn.Linear",
    "getattr": "F.cross_entropy",
    ".append": ".item",
    ".get": ".train",
    ".close": ".eval",
    ".write": ".backward",
    ".read": ".detach",
    ".join": ".forward",
    ".add": ".add_",
    ".update": ".mul_",
    ".lower": ".sigmoid",
    ".items": ".step",
    ".startswith": ".requires_grad_",
    "@property": "@torch.no_grad()",
    "@classmethod": "@torch.inference_mode()",
    "(object):": "(nn.Module):",
    "(Exception):": "(nn.Module):",
    "with self._lock:": "with torch.no_grad():",
}
HEADER = "import torch; import torch.nn as nn; from torch.nn import functional as F\n"


def disguised(text: str) -> str:
    for word, torch_word in DISGUISES.items():
        called = word[-1].isalpha() and not word.startswith("@")
        free = "" if word.startswith((".", "@", "(")) else r"(?<![\w.])(?<!def )"
        text = re.sub(free + re.escape(word) + (r"(?=\()" if called else ""), torch_word, text)
    return HEADER + text


def is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def own_failures(found: list[Diagnostic]) -> list[str]:
    return [f"{one.line}: {one.code} {one.message}" for one in found if one.code.startswith("TL0")]


def library_sample(count: int) -> list[Path]:
    """Files spread evenly over the standard library without its tests, none of them long."""
    skipped = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "__pycache__"}
    paths = [
        path
        for path in sorted(STANDARD_LIBRARY.rglob("*.py"))
        if not skipped & set(path.relative_to(STANDARD_LIBRARY).parts) and 300 < path.stat().st_size < 16_000
    ]
    return paths[:: max(1, len(paths) // count)]


def torch_files() -> list[Path]:
    if TORCH is None or TORCH.origin is None:
        return []
    package = Path(TORCH.origin).parent
    return [path for folder in ("nn", "optim") for path in sorted((package / folder).rglob("*.py"))]


@pytest.mark.limit(120)
def test_the_standard_library_in_disguise_is_read_without_failure() -> None:
    paths = library_sample(100)
    assert len(paths) > 90
    told = {}
    for path in paths:
        text = disguised(Source.from_bytes(path.read_bytes(), str(path)).text)
        failures = own_failures(torchlint.check(text, filename=path.name, config=EVERY_RULE))
        if failures and is_python(text):
            told[path.name] = failures
    assert not told


@pytest.mark.limit(120)
@pytest.mark.skipif(TORCH is None, reason="torch is not installed here; its own sources are read where it is")
def test_torch_itself_is_read_without_failure() -> None:
    paths = torch_files()
    assert len(paths) > 50
    told = {}
    for path in paths:
        failures = own_failures(torchlint.check(path.read_bytes(), filename=path.name, config=EVERY_RULE))
        if failures:
            told[path.name] = failures
    assert not told


FIXTURE_TEXTS = [path.read_text(encoding="utf-8") for path in situations()]

fuzzed = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def answers(text: str) -> None:
    """A broken source gives one TL001 and nothing else, a readable one gives findings only."""
    found = torchlint.check(text, filename="x.py", config=EVERY_RULE)
    codes = {one.code for one in found}
    assert "TL002" not in codes, own_failures(found)
    assert "TL001" not in codes or len(found) == 1
    for one in found:
        assert 1 <= one.line <= text.count("\n") + 1
        assert one.span.start_column >= 0


@fuzzed
@given(data=st.data())
def test_a_fixture_that_lost_lines_is_answered(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(FIXTURE_TEXTS)).split("\n")
    gone = data.draw(st.sets(st.integers(0, len(lines) - 1), min_size=1, max_size=4))
    answers("\n".join(line for number, line in enumerate(lines) if number not in gone))


@fuzzed
@given(data=st.data())
def test_a_fixture_cut_anywhere_is_answered(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(FIXTURE_TEXTS))
    start = data.draw(st.sampled_from([0, text.find("\n\n"), text.find("import torch")]))
    answers(text[max(start, 0) : data.draw(st.integers(0, len(text)))])


@fuzzed
@given(data=st.data())
def test_a_fixture_with_lines_moved_is_answered(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(FIXTURE_TEXTS)).split("\n")
    taken = data.draw(st.integers(0, len(lines) - 1))
    put = data.draw(st.integers(0, len(lines) - 1))
    lines.insert(put, lines.pop(taken))
    answers("\n".join(lines))


@fuzzed
@given(text=st.text(), data=st.binary())
def test_any_text_and_any_bytes_are_answered(text: str, data: bytes) -> None:
    for source in (f"import torch\n{text}", b"import torch\n" + data, text, data):
        found = torchlint.check(source, filename="x.py", config=EVERY_RULE)
        assert {one.code for one in found} <= {"TL001"}


@fuzzed
@given(data=st.data())
def test_all_fixes_together_leave_python(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(FIXTURE_TEXTS)).split("\n")
    del lines[data.draw(st.integers(0, len(lines) - 1))]
    source = Source.from_text("\n".join(lines), "x.py")
    fixed = fixes.fix(source, lambda changed: check(changed, EVERY_RULE), unsafe=True)
    assert not any("please report" in said for said in fixed.failures)


@pytest.mark.parametrize(
    "text",
    [
        "import torch\n" + "x = " + "(" * 300 + "1" + ")" * 300 + "\n",
        "import torch\n" + "x = " + "-" * 20_000 + "1\n",
        "import torch\nx = " + " + ".join(["torch.relu(x)"] * 3_000) + "\n",
        "import torch\nx = model" + ".eval()" * 1_500 + "\n",
        "import torch\n"
        + "".join(f"{'    ' * depth}if x:\n" for depth in range(90))
        + "    " * 90
        + "x.add_(1)\n",
        "import torch\n"
        + "".join(f"{' ' * depth}for x in y:\n" for depth in range(19))
        + " " * 19
        + "x.add_(1)\n",
        "import torch\n"
        + "".join(f"{' ' * depth}while x:\n" for depth in range(19))
        + " " * 19
        + "x = x.relu()\n",
        "import torch\nif x:\n    pass\n" + "elif x:\n    x = x.relu_()\n" * 800,
        "import torch\n" + "".join(f"def f{n}(x): return f{n + 1}(x).item()\n" for n in range(1_500)),
        "import torch\ndef f(x): return g(x)\ndef g(x): return f(x).item()\n",
        "import torch\nclass A(A): pass\nclass B(C): pass\nclass C(B): pass\nC().eval()\n",
        "import torch\nx = \x00\n",
        "import torch\nx = '\ud800'\n",
        "\ufeffimport torch\n",
        "import torch\n\\",
        "import torch\nprint('a' 'b\n",
        "import torch\n\tx = 1\n        y = 2\n",
        "import torch\nmatch x:\n    case nn.Linear(weight=w) | [*_, w] if w.item(): w.add_(1)\n",
        "import torch\nasync def f():\n  async with a, torch.no_grad():\n    [await m(x) async for x in y]\n",
        "import torch\nlambda *a, k=torch.no_grad(), **b: (yield)\n",
        "import torch\n(x := torch.ones(1)).item()[...][1:2, ::3] += y\n",
        "import torch\ndel x, (y.z, [w[0]])\nglobal q\nreturn\nbreak\nyield\n",
    ],
    ids=range(22),
)
def test_extreme_sources_are_answered(text: str) -> None:
    found = torchlint.check(text, filename="x.py", config=EVERY_RULE)
    assert "TL002" not in {one.code for one in found}, own_failures(found)


@pytest.mark.limit(120)
def test_answers_are_the_same_twice_and_survive_pickling() -> None:
    for text in FIXTURE_TEXTS[::13]:
        first = torchlint.check(text, filename="x.py", config=EVERY_RULE)
        assert first == torchlint.check(text, filename="x.py", config=EVERY_RULE)
        assert pickle.loads(pickle.dumps(first)) == first
        assert first == sorted(first, key=Diagnostic.sort_key)


@pytest.mark.limit(120)
def test_answers_do_not_hang_on_the_hash_seed() -> None:
    command = [
        sys.executable,
        "-m",
        "torchlint",
        "check",
        "--no-project",  # a fixture is a program by itself
        "--select",
        "TL",
        "--output-format",
        "json",
        "tests/fixtures/TL102",
        "tests/fixtures/TL303",
        "tests/fixtures/TL402",
    ]
    outputs = [
        subprocess.run(
            command, capture_output=True, cwd=REPOSITORY, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert len(outputs[0]) > 100
    assert outputs[0] == outputs[1]


@pytest.mark.limit(120)
def test_checking_changes_nothing_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def surroundings() -> list[object]:
        return [
            os.getcwd(),
            dict(os.environ),
            list(sys.path),
            sys.getrecursionlimit(),
            sys.gettrace(),
            list(warnings.filters),
            locale.setlocale(locale.LC_ALL),
            logging.root.level,
            list(logging.root.handlers),
            random.getstate(),
            gc.isenabled(),
            gc.get_threshold(),
            sorted(tmp_path.iterdir()),
        ]

    torchlint.check(FIXTURE_TEXTS[0], config=EVERY_RULE)  # what is imported on first use stays imported
    before = surroundings()
    for text in (*FIXTURE_TEXTS[::13], "import torch\nx = (\n", "import torch\nx = '\\d'\n"):
        torchlint.check(text, filename="x.py", config=EVERY_RULE)
    assert surroundings() == before


def test_a_source_is_not_warned_about() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        for body in ("x = '\\d'", "x is 1", "assert (x, 'y')", "1 if x else 2()", "return 1"):
            torchlint.check(f"import torch\n{body}\n", config=EVERY_RULE)
    assert not [str(one.message) for one in shown]


def test_a_source_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    text = f"import torch\nopen({str(trace)!r}, 'w').close()\nwith torch.no_grad():\n    exit(3)\n"
    torchlint.check(text, config=EVERY_RULE)
    assert not trace.exists()


@pytest.mark.limit(120)
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.skipif(os.name == "nt", reason="fork is not there")
def test_two_processes_answer_as_one(method: str) -> None:
    texts = FIXTURE_TEXTS[::23]
    with get_context(method).Pool(2) as pool:
        words = {"filename": "x.py", "config": EVERY_RULE}
        answered = [
            task.get() for task in [pool.apply_async(torchlint.check, (text,), words) for text in texts]
        ]
    assert answered == [torchlint.check(text, filename="x.py", config=EVERY_RULE) for text in texts]
