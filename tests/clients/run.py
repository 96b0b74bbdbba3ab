"""Real clients of the language server, each told by what stands on its screen.

    python tests/clients/run.py [--install] [neovim] [emacs] [vscode] [efm] [vim]

`--install` gets what is missing from Debian and npm (as root, about 400 MB); torchlint and pygls come by pip
in any case. The default tests do not come here. Exit status 0 where all that was looked for was seen.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
EXTENSION = REPOSITORY / "editors" / "vscode"
IMAGES = REPOSITORY / "docs" / "images"
PACKAGES = {
    "neovim": ["neovim"],
    "emacs": ["emacs-nox", "elpa-eglot"],
    "efm": ["neovim", "efm-langserver"],
    "vim": ["vim", "vim-ale"],
    "vscode": ["chromium", "ripgrep", "libkrb5-dev", "fonts-dejavu-core"],
}
# The last code-server for Node 20; VS Code 1.100.3.
CODE_SERVER, PLAYWRIGHT = "code-server@4.100.3", "playwright-core"
LONGEST = 400  # seconds, for one client

# As docs/editors.md has it.
EFM = """\
version: 2
tools:
  torchlint: &torchlint
    lint-command: torchlint check --output-format concise --stdin-filename ${INPUT} -
    lint-stdin: true
    lint-ignore-exit-code: true
    lint-severity: 2
    lint-formats: ["%f:%l:%c: %m"]
languages:
  python:
    - <<: *torchlint
"""

PROGRAM = """\
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def step(rows, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(rows), labels)
    loss.backward()
    optimizer.step()
    print(f"loss {loss.item():.3f}")


def evaluate(rows):
    with torch.no_grad():
        print(model(rows).argmax(-1))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Try the language server with real clients.")
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"{', '.join(CLIENTS)}; default: all")
    parser.add_argument("--install", action="store_true", help="get what a client needs first")
    parser.add_argument(
        "--work", type=Path, default=Path("/tmp/torchlint-clients"), help="where things are put"
    )
    options = parser.parse_args()
    wanted = options.clients or list(CLIENTS)
    if unknown := [one for one in wanted if one not in CLIENTS]:
        parser.error(f"no client '{unknown[0]}'; there are {', '.join(CLIENTS)}")
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if options.install:
        packages = [name for one in wanted for name in PACKAGES[one]]
        run(["apt-get", "update", "-q"])
        run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages])
    failed = 0
    for one in wanted:
        version, seen = CLIENTS[one](work, install=options.install)
        print(f"== {version}", flush=True)
        count = 0
        for line in seen:
            outcome, claim, text = [*line.split("\t"), "", ""][:3]
            count += outcome == "ok"
            failed += outcome != "ok"
            print(
                f"{outcome:6}  {claim}" + (f"\n          {text.strip()}" if text.strip() else ""), flush=True
            )
        print(f"== {count} seen", flush=True)
        failed += count == 0
    return 1 if failed else 0


def neovim(work: Path, *, install: bool) -> tuple[str, Iterator[str]]:
    command = ["nvim", "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", f"luafile {HERE / 'neovim.lua'}"]
    return first_line(["nvim", "--version"]), seen(command, editing(work, "neovim"))


def emacs(work: Path, *, install: bool) -> tuple[str, Iterator[str]]:
    elpa = sorted(Path("/usr/share/emacs/site-lisp/elpa").glob("*-*"))
    eglot = next((one.name for one in elpa if one.name.startswith("eglot-")), "its own eglot")
    folders = [word for one in elpa for word in ("-L", str(one))]
    command = ["emacs", "-Q", "--batch", *folders, "-l", str(HERE / "eglot.el")]
    return f"{first_line(['emacs', '--version'])}, {eglot}", seen(command, editing(work, "emacs"))


def efm(work: Path, *, install: bool) -> tuple[str, Iterator[str]]:
    surroundings = with_command(editing(work, "efm"), work)
    config = work / "efm" / "config.yaml"
    config.write_text(EFM, encoding="utf-8")
    server = "\n".join(["efm-langserver", "-c", str(config)])
    command = ["nvim", "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", f"luafile {HERE / 'neovim.lua'}"]
    version = first_line(["dpkg-query", "-W", "efm-langserver"]).replace("\t", " ")
    return f"{version} in {first_line(['nvim', '--version'])}", seen(
        command, {**surroundings, "SERVER": server, "LINTER": "1"}
    )


def vim(work: Path, *, install: bool) -> tuple[str, Iterator[str]]:
    command = ["vim", "-es", "-u", "NONE", "-S", str(HERE / "vim.vim")]
    ale = first_line(["dpkg-query", "-W", "vim-ale"]).replace("\t", " ")
    version = first_line(["vim", "--version"]).partition(" (")[0]
    return f"{version}, {ale}", seen(command, with_command(editing(work, "vim"), work))


def with_command(surroundings: dict[str, str], work: Path) -> dict[str, str]:
    """The same with `torchlint` on the PATH."""
    return {**surroundings, "PATH": f"{work / 'venv' / 'bin'}:{surroundings['PATH']}"}


def vscode(work: Path, *, install: bool) -> tuple[str, Iterator[str]]:
    modules = work / "modules"
    if install:
        install_code_server(modules)
    package = work / "torchlint.vsix"
    run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], EXTENSION)
    run(["npm", "run", "--silent", "package", "--", "--out", str(package)], EXTENSION)
    folder = fresh(work / "vscode")
    project, user, extensions = (folder / name for name in ("project", "user", "extensions"))
    for one in (project, user, extensions):
        one.mkdir()
    (user / "config.yaml").touch()
    (project / "train.py").write_text(PROGRAM, encoding="utf-8")
    (project / "train.ipynb").write_text(notebook(), encoding="utf-8")
    where = ["--user-data-dir", str(user), "--extensions-dir", str(extensions)]
    code = ["node", str(modules / "node_modules/code-server"), "--config", str(user / "config.yaml"), *where]
    run([*code, "--install-extension", str(package)])
    bare = environment(work / "bare", None)
    half = environment(fresh(folder / "half"), str(REPOSITORY))
    IMAGES.mkdir(exist_ok=True)
    paths = [modules, project, user, extensions, bare, half, IMAGES]
    command = ["node", str(HERE / "vscode.mjs"), *map(str, paths)]
    version = subprocess.run([*code, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"with Code (\S+)", version)
    chromium = first_line(["chromium", "--version"])
    shown = f"VS Code {found[1] if found else 'of unknown version'} ({CODE_SERVER}), {chromium}"
    return shown, seen(command, clean())


CLIENTS = {"neovim": neovim, "emacs": emacs, "vscode": vscode, "efm": efm, "vim": vim}


def editing(work: Path, client: str) -> dict[str, str]:
    """What the script of an editor is told: its own file, and the server of an environment like a user's."""
    python = environment(work / "venv", f"{REPOSITORY}[lsp]")
    folder = fresh(work / client)
    (folder / "train.py").write_text(PROGRAM, encoding="utf-8")
    command = "\n".join([str(python), "-m", "torchlint", "server"])
    return {**clean(), "SERVER": command, "FILE": str(folder / "train.py")}


def environment(folder: Path, requirement: str | None) -> Path:
    """The interpreter of an environment with torchlint as it is in the checkout, or with nothing."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=requirement is not None)
    if requirement is not None:
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        run([*pip, requirement])
        # The version is the same from day to day, and pip would leave an older checkout where it is.
        run([*pip, "--force-reinstall", "--no-deps", str(REPOSITORY)])
    return python


def install_code_server(modules: Path) -> None:
    """code-server without what its installation gets from elsewhere: the terminal's library and ripgrep."""
    modules.mkdir(exist_ok=True)
    (modules / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    install = ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
    run([*install, CODE_SERVER, PLAYWRIGHT], modules)
    inside = modules / "node_modules/code-server/lib/vscode"
    run([*install, "--omit=dev"], inside)
    run(
        ["npm", "rebuild", "--silent", "@vscode/spdlog", "@parcel/watcher", "native-watchdog", "kerberos"],
        inside,
    )
    ripgrep = inside / "node_modules/@vscode/ripgrep/bin/rg"
    ripgrep.parent.mkdir(exist_ok=True)
    ripgrep.unlink(missing_ok=True)
    ripgrep.symlink_to("/usr/bin/rg")
    run(["npm", "rebuild", "--silent", "argon2"], modules)


def notebook() -> str:
    """The same program in two cells, below a title."""
    above, below = PROGRAM.rstrip("\n").split("\n\n\n", 1)
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# Train"]}
    ]
    for name, text in (("b", above), ("c", below)):
        source = text.splitlines(keepends=True)
        code = {"cell_type": "code", "execution_count": None, "id": name, "metadata": {}, "outputs": []}
        cells.append({**code, "source": source})
    metadata = {"language_info": {"name": "python"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def clean() -> dict[str, str]:
    """The surroundings without what would show the checkout to any Python."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def first_line(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def run(command: list[str], folder: Path | None = None) -> None:
    """Run it, and end with what it printed where it fails."""
    done = subprocess.run(
        command, cwd=folder, env=clean(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(command)} ended with {done.returncode}")


def seen(command: list[str], surroundings: dict[str, str]) -> Iterator[str]:
    """The lines `ok<tab>claim<tab>text` that a client's script prints."""
    try:
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired as late:
        yield f"not ok\tthe client came to its end in {LONGEST} s\t{late.stdout!r}"
        return
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok\t", "not ok\t"))]
    yield from lines
    if not lines:
        yield f"not ok\tthe client said anything\t{done.stderr[-300:]!r}"


if __name__ == "__main__":
    sys.exit(main())
