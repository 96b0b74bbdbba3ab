"""A session answers as a check does that knows nothing of earlier ones, whatever was typed before."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from fixture_files import name, situations

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.engine import check
from torchlint.errors import UnreadableSource
from torchlint.noqa import unsuppressed
from torchlint.outlines import Outlines, mark
from torchlint.project import Project
from torchlint.session import Interrupted, Session
from torchlint.skeleton import Skeleton, outline
from torchlint.source import Source

ALONE = Config(select=("TL",), project=False)
TOGETHER = Config(select=("TL",))
TYPED = ["x", "_", "1", ".eval()", ".detach()", " ", " + 1", "\n", "", "(", "#", "'''"]


@pytest.mark.limit(120)
def test_what_is_typed_at_random_is_answered_as_by_a_fresh_check() -> None:
    chance = random.Random(88)
    paths = [path for path in situations() if path.stat().st_size < 1_500]
    edits = told = 0
    while edits < 320:
        text = "\n".join(path.read_text("utf-8") for path in chance.sample(paths, 2))
        spare = [path.read_text("utf-8") for path in chance.sample(paths, 2)]
        pool = [line for other in spare for line in other.split("\n")]
        session = Session()
        for _ in range(20):
            edits += 1
            source = Source.from_text(_typed(chance, text, pool), "buffer.py")
            found = session.check(source, ALONE)
            assert found == _fresh(source, ALONE), source.text
            told += len(found)
            if not any(one.code == "TL001" for one in found) or chance.random() < 0.3:
                text = source.text
    assert told > 150


def _typed(chance: random.Random, text: str, pool: list[str]) -> str:
    """The text after something that happens in an editor."""
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    match chance.randrange(8):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, chance.choice(pool))
        case 2:
            lines.insert(at, chance.choice(lines))
        case 3:
            lines.insert(at, "")
        case _:
            line = lines[at]
            column = chance.randrange(len(line) + 1)
            indent = line[: len(line) - len(line.lstrip())]
            new = chance.choice(TYPED)
            rest = line[column + chance.choice((0, 0, 1, 3)) :]
            lines[at] = line[:column] + (new + indent if new == "\n" else new) + rest
    return "\n".join(lines)


def _fresh(source: Source, config: Config) -> list[Diagnostic]:
    return unsuppressed(source, check(source, config, project=Project() if config.project else None))


NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        return self.drop(x)
"""
MAKE = """\
from nets import Net


def make(ready):
    net = Net()
    if ready:
        net.eval()
    return net
"""
RUN = """\
import torch
from make import make


def run(loader):
    net = make(True)
    with torch.no_grad():
        return [net(x).argmax() for x in loader]
"""


def test_files_around_it_count_as_they_are_in_the_editor(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    texts = {"nets.py": NET, "make.py": MAKE, "run.py": RUN}
    session = Session()
    changes: list[tuple[str, Callable[[str], str]]] = [
        ("make.py", lambda text: text.replace("    if ready:\n        net.eval()", "    net.eval()")),
        ("make.py", lambda text: text.replace("    net.eval()\n", "    net.train()\n")),
        ("nets.py", lambda text: text.replace("nn.Dropout(0.1)", "nn.ReLU()")),
        ("nets.py", lambda text: "# a line above\n" + text),
        ("nets.py", lambda text: text.replace("nn.ReLU()", "nn.Dropout(0.5)")),
        ("run.py", lambda text: text.replace("net = make(True)", "net = make(False)  # here")),
        ("make.py", lambda text: text.replace("def make(", "def make_it(")),
        ("make.py", lambda text: text.replace("def make_it(", "def make(")),
        ("nets.py", lambda text: text.replace("class Net", "class Net(")),
        ("nets.py", lambda text: text.replace("class Net(", "class Net")),
    ]
    kinds = set()
    for number, (filename, change) in enumerate([("run.py", str), *changes]):
        texts[filename] = change(texts[filename])
        for one, text in texts.items():
            (tmp_path / one).write_text(text)  # for the fresh check; the session never looks again
            session.hold(Source.from_text(text, str(tmp_path / one)))
        for one, text in texts.items():
            source = Source.from_text(text, str(tmp_path / one))
            found = session.check(source, TOGETHER)
            assert found == _fresh(source, TOGETHER), (number, filename, one)
            kinds.add((one, any(said.code in ("TL101", "TL001") for said in found)))
    assert {("run.py", True), ("run.py", False), ("nets.py", True)} <= kinds
    # What is closed counts as the disk has it, and what changed there once somebody says so.
    session.release(str(tmp_path / "make.py"))
    (tmp_path / "make.py").write_text(MAKE.replace("    if ready:\n        net.eval()\n", ""))
    session.forget()
    source = Source.from_text(texts["run.py"], str(tmp_path / "run.py"))
    assert session.check(source, TOGETHER) == _fresh(source, TOGETHER)


def test_a_neighbour_counts_as_the_disk_has_it_once_it_is_closed_or_torn(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    evaluates = MAKE.replace("    if ready:\n        net.eval()", "    net.eval()")
    for name_, text in {"nets.py": NET, "make.py": evaluates, "run.py": RUN}.items():
        (tmp_path / name_).write_text(text)
    session, config = Session(), Config(select=("TL101",))
    source = Source.from_text(RUN, str(tmp_path / "run.py"))
    make = str(tmp_path / "make.py")
    assert not session.check(source, config)
    session.hold(Source.from_text(MAKE, make))
    assert session.check(source, config)
    session.release(make)
    assert not session.check(source, config)
    for text, tells in ((MAKE, True), (MAKE + "(", None), (evaluates, False)):
        session.hold(Source.from_text(text, make))
        found = session.check(source, config)
        assert tells is None or bool(found) == tells


SHOWN = """\
class Net(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.layer = nn.Linear(size, 2)
        self.act = nn.ReLU()

    def forward(self, x):
        y = self.layer(x)
        return self.act(y)
"""


@pytest.mark.parametrize(
    ("old", "new", "is_shown"),
    [
        ("return self.act(y)", "return self.act(y + 1)", False),
        ("y = self.layer(x)", "\n        y = self.layer(x)", False),
        ("nn.Linear(size, 2)", "nn.Linear(sizes, 2)", False),
        ("nn.Linear(size, 2)", "nn.Linear(size, 3)", True),
        ("nn.ReLU()", "nn.ReLU(True)", True),
        ("nn.ReLU()", "nn.GELU()", True),
        ("self.act(y)", "self.act.forward(y)", True),
        ("forward(self, x)", "forward(self, x=1)", True),
        ("y = self", "z = self", False),
        ("y = self.layer(x)", "y = self.layer(x)  # no Parameter", True),
        ("y = self.layer(x)", "self.y = self.layer(x)", True),
        ("return", "yield", True),
    ],
)
def test_others_are_asked_again_only_for_what_a_class_shows(old: str, new: str, *, is_shown: bool) -> None:
    outlines = Outlines()
    outlines.outline(Source.from_text(SHOWN, "buffer.py"))
    outlines.outline(Source.from_text(SHOWN.replace(old, new), "buffer.py"))
    assert outlines.changed is is_shown
    outlines.outline(Source.from_text(SHOWN, "buffer.py"))
    assert outlines.changed is is_shown


def test_a_keystroke_walks_little_again() -> None:
    text = "\n".join(path.read_text("utf-8") for path in situations("TL101")[:8])
    session = Session()
    session.check(Source.from_text(text, "buffer.py"), ALONE)
    project = session._by_itself("buffer.py", ALONE)
    everything, project.tracer.made = project.tracer.made, 0
    session.check(Source.from_text(text + "\n", "buffer.py"), ALONE)
    session.check(Source.from_text(text.replace("return ", "return  ", 1), "buffer.py"), ALONE)
    assert 0 < project.tracer.made <= everything / 2


def test_a_check_that_is_given_up_leaves_nothing_wrong_behind() -> None:
    paths = situations("TL301")[:10]
    session = Session()
    given_up = 0
    for count, path in enumerate(paths):
        source = Source.from_bytes(path.read_bytes(), "buffer.py")
        steps = iter(range(count * 11))  # some statements
        try:
            session.check(source, ALONE, stop=lambda steps=steps: next(steps, None) is None)
        except Interrupted:
            given_up += 1
        assert session.check(source, ALONE) == _fresh(source, ALONE), name(path)
    assert given_up > 2


def _outlined(make: Callable[[Source], Skeleton], source: Source) -> tuple[Skeleton | None, str]:
    try:
        return make(source), ""
    except UnreadableSource as error:
        return None, f"{error.line}:{error.column}: {error}"


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_an_outline_grows_with_its_text() -> None:
    chance = random.Random(8)
    pieces = [
        "def f(a):\n    return a\n",
        "class A:\n    x = 1\n    def g(self):\n        self.y = torch.f(2)\n",
    ]
    pieces += [
        "import torch\n",
        "y = torch.f(1)\n",
        "if y:\n    def f(): pass\n",
        "else:\n",
        "\n",
        "    ",
        "(",
        ")",
    ]
    pieces += ["'''", "\\\n", "@torch.g\n", "from a import b\n", "x = 1; z = 2\n", "# said\n", "\f"]
    outlines, text, readable = Outlines(), "", 0
    for _ in range(1_000):
        at = chance.choice([0, len(text), *(number for number, one in enumerate(text) if one == "\n")][-60:])
        at = min(at + chance.randrange(2), len(text))
        gone = chance.choice((0, 0, 0, 1, 12, 60))
        source = Source.from_text(text[:at] + chance.choice(pieces) + text[at + gone :], "buffer.py")
        plain, said = _outlined(outline, source)
        grown, says = _outlined(outlines.outline, source)
        assert said == says
        if plain is None or grown is None:
            continue
        readable, text = readable + 1, source.text
        assert list(grown.imports.items()) == list(plain.imports.items())
        assert [(*mark(one), one.first_line) for one in grown.definitions.values()] == [
            (*mark(one), one.first_line) for one in plain.definitions.values()
        ]
        assert list(grown.classes) == list(plain.classes)
        assert grown.constants == plain.constants
        assert sorted(grown.blanked) == sorted(plain.blanked)
        assert {name: grown.call_sites.get(name) for name in plain.call_sites} == plain.call_sites
        assert grown.import_end("b", "a.b") == plain.import_end("b", "a.b")
    assert readable > 250
