"""How often torchlint sees a mistake that is put into code of others: `python benchmarks/mode_mutants.py`.

Two mutations, one site at a time, in all files of the packages under `--packages` (build/accuracy, where
accuracy/run.py unpacks them), or of those that `--package NAME …` names:

- TL101: a statement `X.eval()` before a no_grad or inference_mode region of the same function in which X is
  called becomes `pass`, where nothing else in that function sets the mode of X before the call. Found is a
  TL101 in that function that the file as it is does not have.
- TL401: the inference_mode of a region becomes no_grad. Found is a TL401 at that place.

Files around the mutated one are read as they are. Where taking `X.eval()` away makes no mistake, silence is
right: a caller, the constructor or what the function calls before says `eval()` as well, or X is the object
itself or a part of it and its class is a module that never calls `train()`, so that its users set the mode.
Those sites are counted apart, found or not; `settled.py` tells them by syntax, without torchlint.

So are regions whose tensors go to code out of sight, are stored or trained on, or that update what lives on:
only their author knows that nobody trains on what they give. `handed_on.py` tells them, in the same way.

Other sites that are no mistake, as with layers that have no mode, are not told apart: the rates are lower
bounds, and `--show N` prints the sites to be read; `--rule` makes only one of the mutations. Exit status 2
where a package is not there, or torchlint failed on a mutant.
"""

from __future__ import annotations

import argparse
import ast
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

# The torchlint of this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import handed_on
from settled import reason

from torchlint.config import Config
from torchlint.diagnostic import Diagnostic
from torchlint.engine import check
from torchlint.errors import TorchlintError, UnreadableSource
from torchlint.files import find_files
from torchlint.project import Project
from torchlint.settings import settings_of
from torchlint.source import Source

PACKAGES = Path(__file__).resolve().parents[1] / "build" / "accuracy"
WITHOUT_EVAL, WITH_NO_GRAD = "TL101", "TL401"
TITLES = {WITHOUT_EVAL: "eval() taken away", WITH_NO_GRAD: "inference_mode to no_grad"}
_SAYS = {WITHOUT_EVAL: b".eval()", WITH_NO_GRAD: b"inference_mode"}
FOUND, MISSED, TOLD_BEFORE, FAILED = "found", "missed", "told before", "failed"

Function = ast.FunctionDef | ast.AsyncFunctionDef
With = ast.With | ast.AsyncWith
Place = tuple[int, int]
"""Line and column of the start of a node."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A text in the place of a part of a file, from and to in lines and columns of bytes, as ast counts."""

    start: Place
    end: Place
    text: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One site: what to edit, and the lines in which the rule should speak."""

    rule: str
    line: int
    edits: tuple[Edit, ...]
    first: int
    last: int
    apart: str = ""
    """Why it makes no mistake; empty where nothing says so."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mutant."""

    rule: str
    file: str
    line: int
    result: str
    said: str = ""
    apart: str = ""


def mutants(text: str, package: Path, rules: Sequence[str] = tuple(TITLES)) -> list[Mutant]:
    """The sites for these rules in a file of the package in this folder, in no order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    found = list(_inference_modes(tree, package)) if WITH_NO_GRAD in rules else []
    if WITHOUT_EVAL in rules:
        found += [one for function in functions for one in _evals(function, tree, package)]
    return found


def _evals(function: Function, tree: ast.Module, package: Path) -> Iterator[Mutant]:
    """The sites of the first kind whose `X.eval()` is this function's own."""
    nodes = list(_own(function))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    # A decorator's region is the whole body.
    regions: list[tuple[Place, list[ast.AST]]] = []
    if any(_is_switch(one) for one in function.decorator_list):
        regions.append((_place(function), nodes))
    for node in nodes:
        if isinstance(node, With) and any(_is_switch(item.context_expr) for item in node.items):
            regions.append((_place(node), list(_own(node))))
    for node in nodes:
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            continue
        thing = _dotted_of(node.value, "eval")
        if thing is None or node.value.args or node.value.keywords:
            continue
        runs = [
            _place(call)
            for start, inside in regions
            if start > _place(node) or start == _place(function)
            for call in inside
            if isinstance(call, ast.Call) and _runs(call, thing) and _place(call) > _place(node)
        ]
        if not runs or any(
            _sets_mode(call, thing) and call is not node.value and _place(call) < min(runs) for call in calls
        ):
            continue
        edit = Edit(_place(node), _end(node), "pass" + "\n" * (_end(node)[0] - node.lineno))
        apart = reason(tree, function, thing, min(runs)[0], package)
        yield Mutant(WITHOUT_EVAL, node.lineno, (edit,), function.lineno, _end(function)[0], apart)


def _inference_modes(tree: ast.Module, package: Path) -> Iterator[Mutant]:
    """The sites of the second kind; a switch with arguments is left alone."""
    nodes = list(ast.walk(tree))
    has_torch = any(
        alias.name.partition(".")[0] == "torch" and alias.asname is None
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
    )
    by_name = [
        alias
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "torch" and not node.level
        for alias in node.names
        if alias.name == "inference_mode"
    ]
    for node in nodes:
        switches: list[ast.expr] = []
        if isinstance(node, With):
            switches = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
        elif isinstance(node, Function):
            switches = node.decorator_list
        for switch in switches:
            if isinstance(switch, ast.Call) and (switch.args or switch.keywords):
                continue
            callee = switch.func if isinstance(switch, ast.Call) else switch
            name = ast.unparse(callee) if isinstance(callee, ast.Name | ast.Attribute) else ""
            imported = [alias for alias in by_name if (alias.asname or alias.name) == name]
            if name == "torch.inference_mode" or (imported and has_torch):
                edits = [Edit(_place(callee), _end(callee), "torch.no_grad")]
            elif imported:
                edits = [Edit(_place(callee), _end(callee), "no_grad")]
                edits += [Edit(_end(alias), _end(alias), ", no_grad") for alias in imported]
            else:
                continue
            apart = handed_on.reason(tree, node, package)
            yield Mutant(WITH_NO_GRAD, switch.lineno, tuple(edits), switch.lineno, _end(switch)[0], apart)


def _own(top: ast.AST) -> Iterator[ast.AST]:
    """What stands in the body of a statement and in no function or class inside."""
    waiting: list[ast.AST] = list(getattr(top, "body", ()))
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.ClassDef | ast.Lambda):
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _is_switch(node: ast.expr) -> bool:
    callee = node.func if isinstance(node, ast.Call) else node
    name = callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")
    return name in ("no_grad", "inference_mode") and not (isinstance(node, ast.Call) and node.args)


def _dotted_of(call: ast.Call, method: str) -> str | None:
    """The X of `X.method(…)`; `None` where X is more than names and dots."""
    function = call.func
    if not (isinstance(function, ast.Attribute) and function.attr == method):
        return None
    inner = function.value
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return ast.unparse(function.value) if isinstance(inner, ast.Name) else None


def _runs(call: ast.Call, thing: str) -> bool:
    return ast.unparse(call.func) in (thing, f"{thing}.forward", f"{thing}.generate")


def _sets_mode(call: ast.Call, thing: str) -> bool:
    """Whether a call sets the mode of a place, or of an object that the place is a part of."""
    setter = _dotted_of(call, "eval") or _dotted_of(call, "train")
    return setter is not None and f"{thing}.".startswith(f"{setter}.")


def _place(node: ast.expr | ast.stmt | ast.AST) -> Place:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _end(node: ast.AST) -> Place:
    return getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made."""
    lines = text.encode().split(b"\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    data = text.encode()
    for edit in sorted(edits, key=lambda one: one.start, reverse=True):
        start, end = (starts[line - 1] + column for line, column in (edit.start, edit.end))
        data = data[:start] + edit.text.encode() + data[end:]
    return data.decode()


def outcomes(file: Path, root: Path, rules: Sequence[str] = tuple(TITLES)) -> list[Outcome]:
    """What becomes of the mutants of a file for these rules; none for a file that cannot be read."""
    data = file.read_bytes()
    if b"torch" not in data or not any(_SAYS[rule] in data for rule in rules):
        return []
    try:
        source = Source.from_bytes(data, str(file))
        sites = mutants(source.text, root / file.relative_to(root).parts[0], rules)
    except (UnreadableSource, SyntaxError, ValueError, RecursionError):
        return []
    before = {rule: _said(source, rule) for rule in {site.rule for site in sites}}
    name = str(file.relative_to(root))
    return [_outcome(source, site, before[site.rule], name) for site in sites]


def _outcome(source: Source, site: Mutant, before: Sequence[Diagnostic], name: str) -> Outcome:
    after = _said(source.with_text(edited(source.text, site.edits)), site.rule)
    for one in after:
        if one.code != site.rule:
            return Outcome(site.rule, name, site.line, FAILED, one.message)
    known = {(one.line, one.message) for one in before}
    new = [one for one in after if (one.line, one.message) not in known]
    here = [one for one in new if site.first <= one.line <= site.last]
    if here:
        return Outcome(site.rule, name, site.line, FOUND, here[0].message, site.apart)
    if any(site.first <= one.line <= site.last for one in before):
        return Outcome(site.rule, name, site.line, TOLD_BEFORE)
    elsewhere = ", ".join(f"told in line {one.line}" for one in new)
    return Outcome(site.rule, name, site.line, MISSED, elsewhere, site.apart)


def _said(source: Source, rule: str) -> list[Diagnostic]:
    # Each time anew: what was read for one mutant remembers what that mutant defined.
    return check(source, Config(select=(rule,)), project=Project())


def table(all_outcomes: Sequence[Outcome], rules: Sequence[str] = tuple(TITLES)) -> list[str]:
    """A row for each mutation. Sites apart and those that were told before are left out of the rate."""
    lines = [f"{'rule':6}{'mutation':27}{'sites':>7}{'found':>7}{'rate':>8}{'apart':>7}{'told before':>13}"]
    for rule in rules:
        count = Counter(one.result for one in all_outcomes if one.rule == rule and not one.apart)
        apart = sum(1 for one in all_outcomes if one.rule == rule and one.apart)
        asked = count[FOUND] + count[MISSED]
        rate = f"{count[FOUND] / asked:.1%}" if asked else "-"
        lines.append(
            f"{rule:6}{TITLES[rule]:27}{asked:7}{count[FOUND]:7}{rate:>8}{apart:7}{count[TOLD_BEFORE]:13}"
        )
    return lines


def main() -> int:
    """Print the table, and the sites that are asked for."""
    options = _options()
    folders = sorted(path for path in options.packages.glob("*") if path.is_dir())
    if options.package:
        named = {name: [one for one in folders if _is_named(one, name)] for name in options.package}
        for name, found in named.items():
            if not found:
                print(f"error: no package {name} in {options.packages}", file=sys.stderr)
                return 2
        folders = list(dict.fromkeys(one for found in named.values() for one in found))
    if not folders:
        print(f"error: no packages in {options.packages}", file=sys.stderr)
        return 2
    try:
        files = [Path(file) for file in find_files(map(str, folders), sieve_of=settings_of, warn=_warn)]
    except TorchlintError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found_all: list[Outcome] = []
    rules = (options.rule,) if options.rule else tuple(TITLES)
    with get_context("spawn").Pool(options.jobs) as pool:
        for some in pool.imap(partial(outcomes, root=options.packages, rules=rules), files, chunksize=4):
            found_all += some
            for one in some:
                if options.verbose:
                    print(
                        f"{one.file}:{one.line}: {one.rule} {one.result} {one.apart or one.said}".rstrip(),
                        flush=True,
                    )
    print(*table(found_all, rules), sep="\n")
    for rule in TITLES:
        missed = [one for one in found_all if one.rule == rule and one.result == MISSED and not one.apart]
        for one in missed[: options.show]:
            print(f"{one.file}:{one.line}: {rule} missed {one.said}".rstrip())
    failed = [one for one in found_all if one.result == FAILED]
    for one in failed:
        print(f"error: {one.file}:{one.line}: {one.rule} {one.said}", file=sys.stderr)
    return 2 if failed else 0


def _is_named(folder: Path, name: str) -> bool:
    return name in (folder.name, folder.name.rpartition("-")[0])


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--packages", type=Path, default=PACKAGES, metavar="FOLDER", help="build/accuracy")
    add("--package", nargs="+", metavar="NAME", help="folders, with or without version (all)")
    add("--rule", choices=sorted(TITLES), help="only the mutation for this rule (both)")
    add("--show", type=int, default=0, metavar="N", help="missed sites of each mutation to print")
    add("--jobs", type=int, default=1, metavar="N", help="processes (1)")
    add("--verbose", action="store_true", help="print each site as it is done")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
