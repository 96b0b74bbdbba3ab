"""The house keeps its own order: one stem a rule, floors that import downwards, words as agreed."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from expectations import expectations
from fixture_files import FIXTURES, REPOSITORY, name, situations
from pages import page_paths, read_page

import torchlint
from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.flow import events
from torchlint.rules import RULES, SELECTABLE, rule
from torchlint.rules.base import Fixes, Group, Rule

PACKAGE = REPOSITORY / "torchlint"

FLOORS: dict[str, int] = {
    **dict.fromkeys(("source", "diagnostic", "errors", "spelling"), 0),
    **dict.fromkeys(
        (
            "skeleton",
            "outlines",
            "definitions",
            "annotations",
            "constructs",
            "nodes",
            "units",
            "names",
            "tables",
            "notebook",
            "ipynb",
            "magics",
        ),
        1,
    ),
    "flow": 2,
    "rules": 3,
    **dict.fromkeys(
        (
            "engine",
            "runner",
            "files",
            "cache",
            "project",
            "config",
            "noqa",
            "baseline",
            "fixes",
            "cures",
            "fingerprints",
            "by_cell",
        ),
        4,
    ),
    **dict.fromkeys(("comments", "silence"), 4),
    **dict.fromkeys(("gitignored", "tomlfile", "progress"), 4),
    # Of fixes.
    **dict.fromkeys(("leftovers", "diffs", "saving", "signals"), 4),
    **dict.fromkeys(("buffers", "session"), 4),
    "rulebook": 4,  # reads the pages for the command and for editors
    **dict.fromkeys(("cli", "commands", "flake8_plugin", "lsp", "pylsp_plugin", "reports"), 5),
    **dict.fromkeys(("options", "values", "settings", "schema"), 5),  # name the formats of reports
    **dict.fromkeys(("__init__", "__main__"), 5),
    "prove": 6,
}

# What a rule sees of the floors below; a trailing dot means everything inside.
A_RULE_IMPORTS = (
    "torchlint.rules.base",
    "torchlint.rules.answers",
    "torchlint.rules.regions",  # what rules about the same events share
    "torchlint.rules.detaching",  # the same
    "torchlint.flow.events",
    "torchlint.flow.domain",  # what events carry: modes and grads
    "torchlint.flow.things",  # what events carry: modules
    "torchlint.tables.",
    "torchlint.diagnostic",
)

# Who may import what is not the standard library, or is but has one home.
HOMES: dict[str, dict[str, str]] = {
    "libcst": {
        "units": "parses the slices",
        "flow": "walks the slices",
    },
    "ast": {
        "skeleton": "its work",
        "definitions": "the functions and classes of the skeleton",
        "annotations": "the annotations of the skeleton",
        "constructs": "the expressions of the skeleton",
        "nodes": "the nodes of the skeleton",
        "outlines": "the skeleton of a text that changes",
        "tables": "reads literals in cells",
        "flake8_plugin": "the type of the tree that flake8 hands over",
        "engine": "the type of that tree on its way to the skeleton",
        "runner": "the same",
    },
    "torch": {"prove": "watches real runs"},
    "pygls": {"lsp": "speaks the protocol"},
    "lsprotocol": {"lsp": "speaks the protocol"},
    "flake8": {"flake8_plugin": "asks which codes are selected"},
    "pylsp": {"pylsp_plugin": "is its plugin"},
}

# Words that a message leaves open; those that stand for source text are quoted.
SOURCE_TEXT = frozenset({"place", "op", "switch"})
OTHER_WORDS = frozenset({"verb", "what"})

# Whether the fixes that a rule offers are safe.
SAFETY = {
    Fixes.NONE: set(),
    Fixes.SAFE: {True},
    Fixes.UNSAFE: {False},
    Fixes.SAFE_OR_UNSAFE: {True, False},
}

CODES = tuple(one.code for one in RULES)
EVERY_RULE = Config(select=("TL",), project=False)


def stem(of: type[Rule]) -> str:
    return f"{of.code.lower()}_{of.name.replace('-', '_')}"


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def our_files() -> Iterator[Path]:
    """Everything that people wrote, by the folders of DESIGN's plan."""
    yield from (path for path in REPOSITORY.iterdir() if path.is_file())
    for folder in ("torchlint", "rules", "tests", "scripts", "benchmarks", "docs", "editors", ".ci"):
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.is_file() and not any(
                part in ("__pycache__", "node_modules", "out") or (part.startswith(".") and part != ".ci")
                for part in path.relative_to(REPOSITORY).parts[:-1]
            ):
                yield path


def our_code() -> list[Path]:
    return [path for path in our_files() if path.suffix == ".py" and FIXTURES not in path.parents]


def short(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def home(module: Path) -> str:
    """The part of the package that a module belongs to: `flow`, `engine`, `__init__`."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(module: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, at the top, in a function, or for types only."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=base, names=names, level=0) if base:
                for alias in names:
                    inner = REPOSITORY.joinpath(*base.split("."), alias.name)
                    is_module = inner.is_dir() or inner.with_suffix(".py").exists()
                    yield node.lineno, f"{base}.{alias.name}" if is_module else base
            case ast.ImportFrom():
                yield node.lineno, "." * node.level


def is_inside(dotted: str, package: str) -> bool:
    return dotted == package or dotted.startswith(f"{package}.")


@cache
def diagnostics_of_fixtures() -> tuple[Diagnostic, ...]:
    return tuple(
        one
        for path in situations()[::2]
        for one in torchlint.check(path.read_bytes(), filename=name(path), config=EVERY_RULE)
    )


def test_registry_pages_fixtures_and_files_name_the_same_rules() -> None:
    assert list(CODES) == sorted(set(CODES))
    assert [path.stem for path in page_paths()] == [one.code for one in SELECTABLE]
    assert sorted({path.parent.name for path in situations()} - {"flow"}) == list(CODES)
    shared = {"__init__", "base", "answers", "regions", "detaching"}
    files = {path.stem for path in (PACKAGE / "rules").glob("*.py")} - shared
    assert files == {stem(one) for one in SELECTABLE}
    for one in SELECTABLE:
        assert one.__module__ == f"torchlint.rules.{stem(one)}"
        assert rule(one.code) is one


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.code)
def test_a_rule_says_what_it_is(one: type[Rule]) -> None:
    assert re.fullmatch(r"TL[1-9]\d\d", one.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", one.name)
    assert not one.name.startswith(("use-", "avoid-", "prefer-", "missing-call-to-")), "a name says the fault"
    assert isinstance(one.group, Group)
    assert one.triggers
    assert all(re.compile(trigger).search("") is None for trigger in one.triggers), "a trigger fits anything"
    listened = {attribute for attribute in vars(one) if attribute.startswith(("visit_", "leave_"))}
    heard = {attribute.replace("visit_", "").replace("leave_", "Leave") for attribute in listened}
    assert heard
    assert heard <= {event.__name__ for event in events.Event.__args__}


@pytest.mark.parametrize("one", SELECTABLE, ids=lambda one: one.code)
def test_name_and_title_of_the_page_agree(one: type[Rule]) -> None:
    page = read_page(next(path for path in page_paths() if path.stem == one.code))
    assert page.headings[0].text == f"{one.name} ({one.code})"


@pytest.mark.parametrize("one", SELECTABLE, ids=lambda one: one.code)
def test_a_message_follows_the_style(one: type[Rule]) -> None:
    assert style(one.message) is None, f"{one.message!r} {style(one.message)}"
    words = {word for _, word, _, _ in string.Formatter().parse(one.message) if word is not None}
    assert words <= SOURCE_TEXT | OTHER_WORDS, f"unknown: {sorted(words - SOURCE_TEXT - OTHER_WORDS)}"
    unquoted = re.sub(r"'[^']*'", "", one.message)
    assert not [word for word in SOURCE_TEXT if f"{{{word}" in unquoted], "source text is quoted"
    if one.help is not None:
        assert style(one.help) is None, f"{one.help!r} {style(one.help)}"


@pytest.mark.limit(300)  # all fixtures, and there are more of them with each rule
def test_what_is_said_about_the_fixtures_follows_the_style() -> None:
    said = {
        text
        for one in diagnostics_of_fixtures()
        for text in (
            one.message,
            *((one.help,) if one.help else ()),
            *(note.message for note in one.notes),
            *((one.fix.title,) if one.fix else ()),
        )
    }
    assert said
    assert not [f"{text!r} {style(text)}" for text in sorted(said) if style(text)]
    assert not [text for text in said if re.search(r"[{}]", re.sub(r"'[^\n]*'", "", text))]
    # Asked here, since the fixtures take a minute.
    for each in RULES:
        fixes = {one.fix.safe for one in diagnostics_of_fixtures() if one.code == each.code and one.fix}
        assert fixes <= SAFETY[each.fixes], f"{each.code} does not say that it has such fixes"
        assert bool(fixes) == bool(SAFETY[each.fixes]), f"{each.code} has other fixes than it says"


def style(text: str) -> str | None:
    """What is wrong with a message, a note, a help or a fix title; quoted source text is free."""
    plain = re.sub(r"'.*'", "'…'", text, flags=re.DOTALL)
    first = plain.lstrip("'…{")[:1]
    if not text or text != text.strip() or "\n" in text or "  " in plain:
        return "is not one clean line"
    if text.endswith((".", "!", ",", ":")):
        return "ends with a stop"
    if plain[0].isupper() or not (first == "" or first.isalpha() or first in " ("):
        return "must start in lower case"
    if re.search(r"[.;!?] ", plain):
        return "is more than one clause"
    return None


@pytest.mark.parametrize("code", CODES)
def test_a_rule_has_enough_fixtures_and_near_misses(code: str) -> None:
    paths = situations(code)
    silent = [path for path in paths if not expectations(path.read_text("utf-8"), name(path)).wanted(code)]
    assert len(paths) >= 25, f"{code} has {len(paths)} fixtures"
    assert len(silent) >= 0.4 * len(paths), f"{code}: {len(silent)} of {len(paths)} are near misses"


@pytest.mark.parametrize("module", modules(), ids=short)
def test_a_module_imports_only_downwards(module: Path) -> None:
    mine = FLOORS.get(home(module))
    assert mine is not None, f"{home(module)} is on no floor: put it into FLOORS and the plan"
    for line, dotted in imported(module):
        where = f"{short(module)}:{line}"
        assert not dotted.startswith("."), f"{where}: relative import"
        if is_inside(dotted, "torchlint"):
            theirs = FLOORS[dotted.split(".")[1] if "." in dotted else "__init__"]
            assert theirs <= mine, f"{where}: floor {mine} imports {dotted} of floor {theirs}"


@pytest.mark.parametrize("module", modules(), ids=short)
def test_a_library_is_seen_only_at_its_homes(module: Path) -> None:
    for line, dotted in imported(module):
        top = dotted.split(".")[0]
        where = f"{short(module)}:{line}: {dotted}"
        if top in HOMES:
            assert home(module) in HOMES[top], f"{where} belongs to {', '.join(HOMES[top])}"
        else:
            assert top == "torchlint" or top in sys.stdlib_module_names, f"{where} is no dependency"
        assert not dotted.startswith(("libcst.matchers", "libcst.codemod")), f"{where} costs 200 ms and more"


@pytest.mark.parametrize("one", SELECTABLE, ids=lambda one: one.code)
def test_a_rule_sees_events_and_tables_only(one: type[Rule]) -> None:
    module = PACKAGE / "rules" / f"{stem(one)}.py"
    for line, dotted in imported(module):
        if is_inside(dotted, "torchlint"):
            allowed = any(
                dotted.startswith(open_) if open_.endswith(".") else dotted == open_
                for open_ in A_RULE_IMPORTS
            )
            assert allowed, f"{short(module)}:{line}: a rule does not import {dotted}"
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert docstring is not None
    assert "\n" not in docstring, f"{short(module)}: the docstring is one line"


@pytest.mark.parametrize("path", our_code(), ids=short)
def test_a_file_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    longest = 150 if path.parent == PACKAGE / "rules" else 400
    assert text.count("\n") <= longest, f"{short(path)}: {text.count(chr(10))} lines"
    assert ast.get_docstring(ast.parse(text)), f"{short(path)}: no docstring"


def test_no_file_is_empty() -> None:
    marker = PACKAGE / "py.typed"  # empty by PEP 561
    assert not [short(path) for path in our_files() if path != marker and not path.read_bytes().strip()]


def test_nothing_is_left_to_do() -> None:
    left = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b|^ *# ?[-=#*~]{4,}", re.MULTILINE)
    told = []
    for path in our_files():
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".tsv"}:
            text = path.read_text(encoding="utf-8")
            told += [
                f"{short(path)}:{text.count(chr(10), 0, m.start()) + 1}: {m[0]}" for m in left.finditer(text)
            ]
    assert not told


def test_no_name_is_a_drawer_for_everything() -> None:
    drawer = re.compile(r"(?:^|_)(?:utils?|helpers?|manager|misc|common)(?:$|_)|(?:Utils?|Helpers?|Manager)$")
    named = [path for path in our_files() if FIXTURES not in path.parents]
    told = [short(path) for path in named if drawer.search(path.name.split(".")[0])]
    for path in our_code():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and drawer.search(
                node.name
            ):
                told.append(f"{short(path)}:{node.lineno}: {node.name}")
    assert not told


def test_the_changelog_names_each_rule() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert torchlint.__version__ in text
    assert not [one.code for one in SELECTABLE if one.code not in text or one.name not in text]


@pytest.mark.parametrize("path", our_code(), ids=short)
def test_torchlint_lints_itself(path: Path) -> None:
    found = torchlint.check(path.read_bytes(), filename=short(path), config=EVERY_RULE)
    assert not [f"{one.filename}:{one.line}: {one.code} {one.message}" for one in found]


@pytest.mark.parametrize("module", ["cli", "rules", "engine", "flake8_plugin", "runner"])
def test_importing_costs_neither_libcst_nor_torch(module: str) -> None:
    command = [sys.executable, "-X", "importtime", "-c", f"import torchlint.{module}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stderr
    names = {line.rsplit("|", 1)[1].strip() for line in shown.splitlines() if line.startswith("import time:")}
    assert f"torchlint.{module}" in names
    assert not {one for one in names if one.split(".")[0] in ("libcst", "torch", "yaml", "numpy")}
