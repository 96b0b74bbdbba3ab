"""Which rules are on, what patterns mean, and what configuration files may say."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest
from fixture_files import REPOSITORY

import torchlint
from torchlint.commands.config import chapter
from torchlint.config import Config, Patterns, Selection, from_folder
from torchlint.errors import ConfigError
from torchlint.options import OPTIONS, Kind
from torchlint.rules import RULES
from torchlint.schema import schema
from torchlint.settings import Overrides, forget, settings_for, settings_of

LOGS = "import torch\ny = torch.ones(1, requires_grad=True).sum()\nprint(y.item())\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    forget()
    return tmp_path


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    forget()
    return path


def on(config: Config) -> str:
    """The numbers of the rules that are on."""
    return " ".join(one.code[2:] for one in RULES if config.enables(one.code, default=one.on_by_default()))


class TestSelection:
    def test_one_layer(self) -> None:
        assert on(Config(select=("TL2",))) == "201 202 203 204"
        assert on(Config(select=("TL2",), ignore=("TL201", "TL"))) == "202 203 204"
        assert on(Config(select=("TL1",), extend_select=("TL204",), ignore=("TL2",))) == "101 102 103 204"
        assert "204" not in on(Config()).split()
        assert "204" in on(Config(extend_select=("TL204",))).split()
        assert "204" not in on(Config(extend_select=("TL2",), ignore=("TL204",))).split()

    def test_a_layer_decides_against_those_below(self) -> None:
        below = (Selection(select=("TL201", "TL301")),)
        assert on(Config(below=below, ignore=("TL2",))) == "301"
        assert on(Config(below=below, extend_select=("TL1",))) == "101 102 103 201 301"
        assert on(Config(below=below, select=("TL4",), ignore=("TL401",))) == "402 403 404"
        assert on(Config(below=(Selection(ignore=("TL201",)),), select=("TL201",))) == "201"

    def test_what_a_file_name_turns_off(self, folder: Path) -> None:
        pairs = (("*_test.py", ("TL201",)), (str(folder / "a" / "*"), ("TL2",)), ("!*.py", ("TL",)))
        config = Config(select=("TL201", "TL301"), per_file_ignores=pairs)
        assert [on(config.for_file(name)) for name in ("b.py", "b_test.py", "a/b.py", "b.pyi")] == [
            "201 301",
            "301",
            "301",
            "",
        ]
        assert config.for_file("b.py").for_file("a/b.py") == config.for_file("b.py")
        assert [one.code for one in torchlint.check(LOGS, filename="b.py", config=config)] == ["TL201"]
        assert torchlint.check(LOGS, filename="b_test.py", config=config) == []

    def test_a_config_is_a_value(self) -> None:
        config = Config(per_file_ignores=(("a", ("TL",)),), rule_options=(("TL202", "graph-nodes", False),))
        assert pickle.loads(pickle.dumps(config)) == config
        assert len({config, pickle.loads(pickle.dumps(config))}) == 1


def test_patterns() -> None:
    def means(pattern: str, path: str) -> bool:
        return Patterns(from_folder([pattern], "/x/[y]")).matching(path)[0]

    assert means("a", "/anywhere/a")
    assert not means("a", "/anywhere/ab")
    assert means("a/b.py", "/x/[y]/a/b.py")
    assert not means("a/b.py", "/x/y/a/b.py")
    assert means("./*.py", "/x/[y]/b.py")
    assert means("a/*", "/x/[y]/a/b/c.py")
    assert means("a/**/c.py", "/x/[y]/a/c.py")
    assert means("a/**/c.py", "/x/[y]/a/b/b/c.py")
    assert not means("a/**/c.py", "/x/[y]/a/bc.py")
    assert means("!a/*", "/x/[y]/b.py")
    assert not means("!a/*", "/x/[y]/a/b.py")


class TestDiscovery:
    def test_the_nearest_file_holds(self, folder: Path) -> None:
        top = put(folder / "pyproject.toml", '[tool.torchlint]\nselect = ["TL1"]\n')
        put(folder / "a" / "pyproject.toml", '[project]\nname = "torchlint-user"\n')
        put(folder / "a" / "b" / "pyproject.toml", '[tool]\ntorchlint = { select = ["TL2"] }\n')
        put(folder / "c" / "pyproject.toml", "[tool.torchlint]\n")
        shorter = put(folder / "c" / "torchlint.toml", 'select = ["TL3"]')
        assert settings_for("a/x.py").file == str(top)
        assert on(settings_for("a/missing/x.py").config) == "101 102 103"
        assert on(settings_for("a/b/x.py").config) == "201 202 203 204"
        assert settings_for("c").file == str(shorter)
        hidden = put(folder / "c" / ".torchlint.toml", "")
        assert settings_for(str(folder / "c" / "x.py")).file == str(hidden)

    def test_what_was_read_is_kept_until_it_is_forgotten(self, folder: Path) -> None:
        path = put(folder / "torchlint.toml", "project = false")
        before = settings_for("x.py")
        path.write_text("project = true")
        assert settings_for("y.py") is before
        forget()
        assert settings_for("y.py").config.project

    def test_a_file_extends_others(self, folder: Path) -> None:
        put(
            folder / "base" / "torchlint.toml",
            'exclude = ["b/c"]\nignore = ["TL3"]\nextend-exclude = ["d"]\n',
        )
        put(folder / "pyproject.toml", '[tool.torchlint]\nextend = "base/torchlint.toml"\nselect = ["TL30"]')
        put(
            folder / "a" / "torchlint.toml",
            'extend = "../pyproject.toml"\nextend-exclude = ["e/"]\nfix = true',
        )
        settings = settings_for("a/x.py")
        assert on(settings.config) == "301 302 303 304"
        assert settings.excluded.patterns == (str(folder / "base" / "b" / "c"), "d", "e")
        assert settings.value("fix") is True
        assert settings.origin("extend-exclude") == "base/torchlint.toml:3, a/torchlint.toml:2"
        put(folder / "a" / "torchlint.toml", 'extend = "../base/torchlint.toml"\nignore = []')
        assert "301" in on(settings_for("a/x.py").config)

    def test_overrides_stand_above(self, folder: Path) -> None:
        put(folder / "torchlint.toml", 'select = ["TL1"]\nproject = false\nexclude = ["a/b"]')
        above = Overrides.of({"ignore": ["TL101"], "project": True}, "the editor")
        assert on(settings_for("x.py", above).config) == "102 103"
        assert settings_for("x.py", above).config.project
        assert settings_for("x.py", above).origin("project") == "the editor"
        isolated = Overrides.of({}, "the editor", isolated=True)
        assert settings_for("x.py", isolated).config == Config()
        named = Overrides(file=str(put(folder / "else" / "mine.toml", 'exclude = ["a/b"]')))
        assert settings_for("x.py", named).excluded.patterns == (str(folder / "a" / "b"),)
        with pytest.raises(ConfigError, match="the editor: unknown key 'selct'; did you mean 'select'"):
            Overrides.of({"selct": []}, "the editor")
        with pytest.raises(ConfigError, match="'project' of the editor wants true or false, not 'no'"):
            Overrides.of({"project": "no"}, "the editor")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('a = 1\n"b c" = ', "torchlint.toml:2: not valid TOML: invalid value"),
        ('\nselct = ["TL1"]', "torchlint.toml:2: unknown key 'selct'; did you mean 'select'?"),
        (
            "extend_select = []",
            "torchlint.toml:1: unknown key 'extend_select'; did you mean 'extend-select'?",
        ),
        ("zzz = 1", "torchlint.toml:1: unknown key 'zzz'; `torchlint config` lists them"),
        (
            'select = [\n  "TL1",\n  "TL301", "TL305",\n]',
            "torchlint.toml:3: unknown rule code 'TL305' in 'select'; did you mean",
        ),
        (
            "select = 'TL1'",
            "torchlint.toml:1: 'select' wants a list of rule codes, prefixes or names, not 'TL1'",
        ),
        ("ignore = [1]", "torchlint.toml:1: 'ignore' wants a list of rule codes, prefixes or names, not 1"),
        ('# a\nfix = "yes"', "torchlint.toml:2: 'fix' wants true or false, not 'yes'"),
        ("jobs = 0", "torchlint.toml:1: 'jobs' wants a whole number from 1, not 0"),
        ("jobs = true", "torchlint.toml:1: 'jobs' wants a whole number from 1, not true"),
        ("target-torch = 1.8", "torchlint.toml:1: 'target-torch' wants a release such as '1.13', not 1.8"),
        (
            'output-format = "concis"',
            "torchlint.toml:1: unknown output format 'concis' in 'output-format'; did you mean 'concise'?",
        ),
        (
            '[per-file-ignores]\n"a/*" = ["TL1"]\n"b.py" = ["TL1", "TLX"]',
            "torchlint.toml:3: unknown rule code 'TLX' in 'per-file-ignores'",
        ),
        (
            'log-functions = ["a", "b()"]',
            "torchlint.toml:1: 'b()' in 'log-functions' is no name of a function",
        ),
        (
            "[rules]\n[rules.TL202]\ngraph-node = true",
            "torchlint.toml:3: unknown option 'graph-node' of TL202; did you mean 'graph-nodes'?",
        ),
        (
            "rules.graph-kept.graph-nodes = 1",
            "torchlint.toml:1: 'graph-nodes' of TL202 wants true or false, not 1",
        ),
        ("rules.TL301.x = true", "torchlint.toml:1: unknown option 'x' of TL301; it has none"),
        ("\nrules.TL205 = {}", "torchlint.toml:2: unknown rule 'TL205' in 'rules'; did you mean 'TL20"),
        ('extend = "b.toml"', "torchlint.toml:1: 'extend' names b.toml, where there is no file"),
        ('extend = "./torchlint.toml"', "torchlint.toml extends itself, by way of torchlint.toml"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str, folder: Path) -> None:
    put(folder / "torchlint.toml", text)
    with pytest.raises(ConfigError) as raised:
        settings_for("x.py")
    assert str(raised.value).startswith(told)
    if not text.startswith(("a =", "extend =")):
        path = put(
            folder / "sub" / "pyproject.toml",
            "[tool.torchlint]\n" + text.replace("[r", "[tool.torchlint.r").replace("[p", "[tool.torchlint.p"),
        )
        with pytest.raises(ConfigError) as raised:
            settings_of(str(path.parent))
        further = re.sub(r":(\d+):", lambda line: f":{int(line[1]) + 1}:", told)
        assert str(raised.value).startswith(further.replace("torchlint.toml", "sub/pyproject.toml"))


class TestWithoutAReader:
    """Python 3.10, where nobody has installed tomli."""

    @pytest.fixture
    def bare(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for name in ("tomllib", "tomli"):
            monkeypatch.setitem(__import__("sys").modules, name, None)
        return folder

    def test_a_configuration_is_an_error(self, bare: Path) -> None:
        put(bare / "pyproject.toml", '[project]\nname = "x"\n[ tool."torchlint" ]\nfix = true\n')
        with pytest.raises(ConfigError, match=r"pyproject.toml can be read from .* `pip install tomli`"):
            settings_for("x.py")

    def test_a_file_that_is_about_others_is_none(self, bare: Path) -> None:
        put(bare / "pyproject.toml", '[project]\ndependencies = ["torchlint"]\n')
        assert settings_for("x.py").file is None


def follows(value: object, form: dict[str, object], root: dict[str, object]) -> bool:
    """Whether a value has the form of a schema, as far as ours goes."""
    if "allOf" in form or "$ref" in form:
        ref = form["allOf"][0]["$ref"] if "allOf" in form else form["$ref"]  # type: ignore[index]
        return follows(value, root["definitions"][str(ref).rpartition("/")[2]], root)  # type: ignore[index]
    if isinstance(value, dict):
        inner = form.get("properties", {})
        other = form.get("additionalProperties", {})
        return form["type"] == "object" and all(
            follows(one, inner.get(name, other), root) if name in inner or other else False  # type: ignore[attr-defined, union-attr]
            for name, one in value.items()
        )
    if isinstance(value, list):
        return form["type"] == "array" and all(follows(one, form["items"], root) for one in value)  # type: ignore[arg-type]
    types: dict[object, type] = {"boolean": bool, "integer": int, "string": str}
    return (
        isinstance(value, types[form["type"]])
        and (value in form["enum"] if "enum" in form else True)  # type: ignore[operator]
        and (re.search(str(form["pattern"]), str(value)) is not None if "pattern" in form else True)
    )


class TestTheListOfOptions:
    def test_each_example_holds(self, folder: Path) -> None:
        import tomllib

        form = schema()
        for option in OPTIONS.values():
            put(folder / "torchlint.toml", "")
            put(folder / "a" / "torchlint.toml", option.example)
            settings = settings_for("a/x.py")
            assert option.name == "extend" or settings.value(option.name) != option.default, option.name
            assert follows(tomllib.loads(option.example), form, form), option.name
        assert not follows({"select": ["TL999"]}, form, form)
        assert not follows({"selct": []}, form, form)
        assert not follows({"rules": {"TL202": {"x": True}}}, form, form)

    def test_the_schema_in_the_documentation(self) -> None:
        written = json.loads((REPOSITORY / "docs" / "torchlint.schema.json").read_text(encoding="utf-8"))
        assert written == json.loads(json.dumps(schema())), (
            "torchlint config --schema > docs/torchlint.schema.json"
        )

    def test_the_list_in_the_documentation(self) -> None:
        text = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
        wanted = "\n".join(line for option in OPTIONS.values() for line in (*chapter(option), "")).rstrip()
        assert text.partition("\n## Options\n\n")[2].rstrip() == wanted, (
            "torchlint config --output-format markdown"
        )

    def test_the_pages_of_the_rules(self) -> None:
        for one in RULES:
            text = (REPOSITORY / "rules" / f"{one.code}.md").read_text(encoding="utf-8")
            section = text.partition("## Options\n\n")[2]
            assert section.startswith("None") is not bool(one.options), one.code
            for option in one.options:
                assert f"`{option.name}` (default {str(option.default).lower()}): " in section
                assert f"[tool.torchlint.rules.{one.code}]\n{option.name} = " in section
                assert option.doc[1:] in section

    def test_what_the_command_calls_them(self) -> None:
        assert all(option.kind in Kind for option in OPTIONS.values())
        assert [name for name in OPTIONS if re.fullmatch(r"[a-z]+(-[a-z]+)*", name) is None] == []


STEPS = """\
import torch
from torch import nn

model = nn.Linear(3, 1)
total = 0
for x in torch.randn(4, 5, 3):
    loss = model(x.to({device})).mean()
    loss.backward()
    total += loss{detach}
    print({read})
"""
KEEPS = STEPS.format(device='"cpu"', detach="", read="0")
WAITS = STEPS.format(
    device='"cuda" if torch.cuda.is_available() else "cpu"', detach=".detach()", read="loss.detach().item()"
)
HANDED = """\
import torch


def predict(model, x):
    with torch.inference_mode():
        return model(x)
"""


def codes(source: str, **options: object) -> list[str]:
    return [one.code for one in torchlint.check(source, config=Config(**options))]  # type: ignore[arg-type]


class TestRules:
    @pytest.mark.parametrize(
        ("code", "option", "source"),
        [("TL202", "graph-nodes", KEEPS), ("TL204", "uncertain-devices", WAITS)],
    )
    def test_options(self, code: str, option: str, source: str) -> None:
        assert codes(source, select=(code,)) == [code]
        assert codes(source, select=(code,), rule_options=((code, option, True),)) == [code]
        assert codes(source, select=(code,), rule_options=((code, option, False),)) == []

    def test_an_option_of_missing_eval(self) -> None:
        assert codes(HANDED, select=("TL101",)) == ["TL101"]
        assert codes(HANDED, select=("TL101",), rule_options=(("TL101", "unseen-callers", False),)) == []

    @pytest.mark.parametrize(("release", "shown"), [((1, 8, 1), False), ((1, 9), True), ((2, 13, 0), True)])
    def test_what_a_torch_lacks(self, release: tuple[int, ...], shown: bool) -> None:
        source = "import torch\nwith torch.no_grad():\n    print(torch.ones(2) + 1)\n"
        assert codes(source, target_torch=release) == (["TL401"] if shown else [])
