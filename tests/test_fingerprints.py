"""What names a finding stays the same when other lines come and go."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from golden_reports import results

from torchlint.diagnostic import Diagnostic, Span
from torchlint.fingerprints import Key, keys
from torchlint.runner import Checked
from torchlint.source import Source


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path.resolve()


def given(text: str, *lines: int, suppressed: tuple[int, ...] = (), name: str = "a.py") -> list[Key]:
    def at(line: int) -> Diagnostic:
        return Diagnostic(name, Span(line, 0, line, 1), "TL201", "n", "m")

    source = Source.from_text(text, name)
    result = Checked(name, tuple(map(at, lines)), source, suppressed=tuple(map(at, suppressed)))
    return [key for _, key in keys([result])]


def test_what_moves_keeps_its_key() -> None:
    before = given("a(x)\nb(x)\na(x)\n", 1, 2, 3)
    assert before == [
        Key("a.py", "TL201", "a(x)", 1),
        Key("a.py", "TL201", "b(x)", 1),
        Key("a.py", "TL201", "a(x)", 2),
    ]
    assert given("new\n\n  a(x)\n\tb(x)\nnew\na(x)  \n", 3, 4, 6) == before
    assert len({key.digest() for key in before}) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", key.digest()) for key in before)


def test_what_is_silenced_moves_no_other() -> None:
    text = "a(x)\na(x)\n"
    assert given(text, 2, suppressed=(1,))[0] == given(text, 2)[0]
    assert len(set(given(text, 2, suppressed=(1,)))) == 2


def test_paths_are_named_from_a_root(here: Path) -> None:
    found = results(here)[-1:]
    assert {key.path for _, key in keys(found)} == {"src/train.py"}
    assert {key.path for _, key in keys(found, root=str(here / "src"))} == {"train.py"}
    assert {key.path for _, key in keys(found, root=str(here / "lab"))} == {f"{here}/src/train.py"}


def test_cells_are_told_by_their_text(here: Path) -> None:
    assert [key for _, key in keys(results(here)[3:4])] == [Key("lab/notes.ipynb", "TL101", "net(x)", 1)]


def test_what_has_no_text() -> None:
    gone = Diagnostic("-", Span.at(1, 0), "TL001", "cannot-parse", "m")
    assert [key for _, key in keys([Checked("-", (gone,))])] == [Key("-", "TL001", "", 1)]
