"""The command, the Python interface and flake8 say the same of the same bytes: line, column, code, message.

Line and column both count from 1 here, columns in code points, as the command and flake8 print them.
"""

from __future__ import annotations

import codecs
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from fixture_files import FIXTURES, situations
from frontends import Told, by_command, by_flake8

import torchlint
from torchlint.config import Config

PROGRAM = """\
'''Trains, logs and evaluates one small model.'''

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(6, 4), torch.tensor([0, 1, 0, 1, 0, 1])


def train():
    for _ in range(2):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        print("MARK", loss.item())


def evaluate(model):
    hits = 0
    with torch.no_grad():
        print("MARK", hits); hits += (model(x).argmax(-1) == y).sum().item()
    return hits


train()
print(evaluate(model))
w = torch.ones(3, requires_grad=True)
v = w * 2
z = v ** 2
v.mul_(2); print("MARK")
if z.sum() < 0:
    z.sum().backward()
"""

WORDS = {
    "plain": "MARK",
    "accents": "é ü ñ",
    "wide": "損失 \u2014 Verlust",
    "beyond_the_first_plane": "🔥🔥 \U0001d6fc",
    "combining": "e\u0301 \u200d",
}

VARIANTS: dict[str, bytes] = {
    **{name: PROGRAM.replace("MARK", word).encode() for name, word in WORDS.items()},
    "separators_in_a_string": PROGRAM.replace("MARK", "a\u2028b\x85c").encode(),
    "names": PROGRAM.replace("loss", "größe").replace("hits", "число").encode(),
    "tabs": PROGRAM.replace("    ", "\t").encode(),
    "carriage_returns": PROGRAM.replace("\n", "\r\n").encode(),
    "accents_and_carriage_returns": PROGRAM.replace("MARK", "é").replace("\n", "\r\n").encode(),
    "form_feeds": PROGRAM.replace("\n\n\n", "\n\n\f\n").encode(),
    "form_feed_before_a_definition": PROGRAM.replace("\ndef evaluate", "\n\fdef evaluate").encode(),
    "byte_order_mark": codecs.BOM_UTF8 + PROGRAM.replace("MARK", "é").encode(),
    "byte_order_mark_before_code": codecs.BOM_UTF8 + PROGRAM.split("\n", 2)[2].encode(),
    "latin_1": b"# -*- coding: latin-1 -*-\n" + PROGRAM.replace("MARK", "é ü").encode("latin-1"),
    "no_last_line_end": PROGRAM.rstrip("\n").encode(),
    "continued_lines": PROGRAM.replace(
        'print("MARK", loss.item())', 'print("MARK", \\\n loss.item())'
    ).encode(),
    "a_string_over_lines": PROGRAM.replace('"MARK", loss', '"""é\né""", loss').encode(),
    "clean": b"import torch\n\nprint(torch.ones(2).sum().item())\n",
    "without_torch": b"print(1)\n",
    "empty": b"",
}

UNREADABLE = {
    "open_bracket": b"import torch\nwith torch.no_grad():\n    x = (\n",
    "open_bracket_without_a_trigger": b"import torch\nx = (\n",
    "bad_indent": b"import torch\nif x:\ny = torch.ones(1).item()\n",
    "not_utf_8": b"import torch\nx = '\xff'\n",
    "unknown_encoding": b"# coding: nonsense\nimport torch\n",
    "null": b"import torch\nx = 1\x00\n",
    "open_bracket_without_the_word": b"x = (\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every variant and a few fixtures, as files of one folder that no configuration reaches."""
    top = tmp_path_factory.mktemp("agree")
    for name, data in VARIANTS.items():
        (top / f"{name}.py").write_bytes(data)
    for path in situations()[::23]:
        (top / f"{path.parent.name}_{path.name}").write_bytes(path.read_bytes())
    return top


@pytest.fixture(scope="module")
def by_interface(folder: Path) -> dict[str, list[Told]]:
    config = Config(select=("TL",))
    return {
        path.name: sorted(
            (one.line, one.column + 1, one.code, one.message)
            for one in torchlint.check(path.read_bytes(), filename=str(path), config=config)
        )
        for path in sorted(folder.iterdir())
    }


def without_clean(told: dict[str, list[Told]]) -> dict[str, list[Told]]:
    return {name: found for name, found in told.items() if found}


def test_the_plugin_is_installed() -> None:
    names = [point.name for point in entry_points(group="flake8.extension")]
    assert "TL" in names, "flake8 does not know torchlint: pip install -e '.[dev]'"


def test_the_sources_have_something_to_agree_on(by_interface: dict[str, list[Told]]) -> None:
    codes = {code for _, _, code, _ in by_interface["plain.py"]}
    assert codes == {"TL101", "TL201", "TL301", "TL401"}
    silent = {"clean.py", "without_torch.py", "empty.py"}
    for name in (f"{variant}.py" for variant in VARIANTS):
        found = [code for _, _, code, _ in by_interface[name]]
        expected = [] if name in silent else [code for _, _, code, _ in by_interface["plain.py"]]
        assert sorted(found) == sorted(expected), f"{name}: {by_interface[name]}"


def test_columns_are_code_points(by_interface: dict[str, list[Told]]) -> None:
    columns = {
        name: column for name in WORDS for _, column, code, _ in by_interface[f"{name}.py"] if code == "TL201"
    }
    start = PROGRAM.split("\n")[18].index('MARK", ') + 1
    assert columns == {name: start + len(f'{word}", ') for name, word in WORDS.items()}


def test_the_command_agrees(folder: Path, by_interface: dict[str, list[Told]]) -> None:
    assert by_command(".", folder=folder) == without_clean(by_interface)


def test_flake8_agrees(folder: Path, by_interface: dict[str, list[Told]]) -> None:
    assert by_flake8(".", folder=folder) == without_clean(by_interface)


@pytest.mark.parametrize("name", ["beyond_the_first_plane.py", "byte_order_mark.py", "carriage_returns.py"])
def test_standard_input_agrees(name: str, folder: Path, by_interface: dict[str, list[Told]]) -> None:
    data = (folder / name).read_bytes()
    expected = {name: by_interface[name]}
    assert by_command("--stdin-filename", name, "-", folder=folder, stdin=data) == expected
    assert by_flake8("--stdin-display-name", name, "-", folder=folder, stdin=data) == expected


def test_what_cannot_be_read_is_told_alike(tmp_path: Path) -> None:
    """Only by the two: flake8 reports syntax errors itself and asks no plugin."""
    told = {}
    for name, data in UNREADABLE.items():
        (tmp_path / f"{name}.py").write_bytes(data)
        found = torchlint.check(data, filename=f"{name}.py")
        told[f"{name}.py"] = [(one.line, one.column + 1, one.code, one.message) for one in found]
    assert by_command(".", folder=tmp_path) == without_clean(told)
    assert [code for _, _, code, _ in told["open_bracket.py"]] == ["TL001"]


def test_text_and_bytes_agree() -> None:
    config = Config(project=False)
    for path in sorted(FIXTURES.rglob("*.py"))[::17]:
        data = path.read_bytes()
        of_bytes = torchlint.check(data, filename="x.py", config=config)
        assert torchlint.check(data.decode(), filename="x.py", config=config) == of_bytes
