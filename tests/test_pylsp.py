"""torchlint inside a real python-lsp-server, spoken to by an editor that knows JSON alone.

What the server says of itself, the library that the other editors are built on cannot read.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import BROKEN, CURED, LOGS_A_GRAPH, environment

# The column of `y` behind an emoji, in UTF-16 units.
MODEL, COLUMN = LOGS_A_GRAPH.replace("print(", 'print("😀", '), 12
LOADS = """\
import torch
from nets import build
model = build()
with torch.no_grad():
    model(torch.ones(1, 2))
"""
TRAINS = "import torch\ndef build():\n    return torch.nn.Dropout(0.5)\n"
EVALUATES = TRAINS.replace("Dropout(0.5)", "Dropout(0.5).eval()")


_PATIENCE = 20  # seconds


class Editor:
    """One client with one folder open."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self._shown: dict[str, list[Any]] = {}
        self._versions: dict[str, int] = {}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "pylsp"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        self._answered = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        self._ask("initialize", rootUri=folder.as_uri(), capabilities={})
        self._tell("initialized")

    def end(self) -> None:
        """Say goodbye."""
        self._ask("shutdown")
        self._tell("exit")
        assert self._server.wait(_PATIENCE) == 0

    def set_up(self, **plugins: Any) -> None:
        """The user changes settings."""
        self._tell("workspace/didChangeConfiguration", settings={"pylsp": {"plugins": plugins}})

    def type(self, uri: str, text: str) -> None:
        """Open a document, or give it another text."""
        version = self._versions[uri] = self._versions.get(uri, 0) + 1
        document = {"uri": uri, "version": version}
        if version == 1:
            self._tell(
                "textDocument/didOpen", textDocument={**document, "languageId": "python", "text": text}
            )
        else:
            self._tell("textDocument/didChange", textDocument=document, contentChanges=[{"text": text}])

    def save(self, uri: str) -> None:
        """Save it as it is."""
        self._tell("textDocument/didSave", textDocument={"uri": uri})

    def close(self, uri: str) -> None:
        """Close it."""
        del self._versions[uri]
        self._tell("textDocument/didClose", textDocument={"uri": uri})

    def open_notebook(self, uri: str, cells: dict[str, str]) -> None:
        """Open a notebook of code cells, by their uris."""
        items = [
            {"uri": cell, "languageId": "python", "version": 1, "text": text} for cell, text in cells.items()
        ]
        known = {
            "uri": uri,
            "notebookType": "jupyter-notebook",
            "version": 1,
            "cells": [{"kind": 2, "document": cell} for cell in cells],
        }
        self._tell("notebookDocument/didOpen", notebookDocument=known, cellTextDocuments=items)

    def told(self, uri: str, *wanted: str) -> list[Any]:
        """Our diagnostics, once they are as wanted, written `source code`."""
        until = time.monotonic() + _PATIENCE
        while True:
            shown = [one for one in self._shown.get(uri, [{}]) if _is_ours(one)]
            names = [f"{one['source']} {one['code']}" for one in shown if one]
            if (names == list(wanted) and shown != [{}]) or time.monotonic() > until:
                assert names == list(wanted)
                # The same again would be no news.
                self._shown.pop(uri)
                return shown
            time.sleep(0.02)

    def _ask(self, method: str, **params: Any) -> None:
        self._answered.clear()
        self._send({"id": 1, "method": method, "params": params})
        assert self._answered.wait(_PATIENCE), method

    def _tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._server.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._server.stdin.flush()

    def _listen(self) -> None:
        assert self._server.stdout is not None
        while head := self._server.stdout.readline():
            length = int(head.rpartition(b":")[2])
            while self._server.stdout.readline().strip():
                pass
            message = json.loads(self._server.stdout.read(length))
            params = message.get("params", {})
            if message.get("method") == "textDocument/publishDiagnostics":
                self._shown[params["uri"]] = params["diagnostics"]
            elif message.get("method") == "window/showMessage":
                self.said.append(params["message"])
            elif "result" in message:
                self._answered.set()


def _is_ours(one: dict[str, Any]) -> bool:
    return not one or one["source"] == "torchlint" or one.get("code", "").startswith("TL")


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    editor = Editor(tmp_path)
    yield editor
    editor.end()


@pytest.mark.limit(120)
def test_findings_come_and_go(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    editor.type(uri, MODEL)
    (found,) = editor.told(uri, "torchlint TL201")
    start, end = {"line": 3, "character": COLUMN}, {"line": 3, "character": COLUMN + len("y.item()")}
    assert found["range"] == {"start": start, "end": end}
    assert found["severity"] == 3
    assert found["message"] == "'y.item()' reads a tensor that still requires grad"
    editor.type(uri, CURED)
    editor.told(uri)
    editor.type(uri, LOGS_A_GRAPH)
    editor.told(uri, "torchlint TL201")
    # Others say that a text is no Python.
    editor.type(uri, BROKEN)
    editor.told(uri)


@pytest.mark.limit(120)
def test_what_is_open_counts_as_it_is_in_the_editor(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(EVALUATES)
    nets, loads = (tmp_path / "nets.py").as_uri(), (tmp_path / "loads.py").as_uri()
    editor.type(loads, LOADS)
    editor.told(loads)
    editor.type(nets, TRAINS)
    editor.told(nets)
    editor.type(loads, LOADS)
    editor.told(loads, "torchlint TL101")
    editor.close(nets)
    editor.type(loads, LOADS)
    editor.told(loads)


@pytest.mark.limit(120)
def test_settings_and_configuration_files(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    editor.type(uri, LOGS_A_GRAPH)
    editor.told(uri, "torchlint TL201")
    editor.set_up(torchlint={"extendIgnore": ["item-without-detach"]})
    editor.told(uri)
    assert not editor.said
    for _ in range(2):
        editor.set_up(torchlint={"ignroe": ["TL201"]})
        editor.told(uri, "torchlint TL201")
    (said,) = editor.said
    assert said == "torchlint: pylsp.plugins.torchlint: unknown key 'ignroe'; did you mean 'ignore'?"
    editor.set_up(torchlint={"enabled": False})
    editor.told(uri)
    editor.set_up()
    editor.told(uri, "torchlint TL201")

    for text in ('ignore = ["TL201"]', 'exclude = ["train.py"]'):
        (tmp_path / "torchlint.toml").write_text(text)
        editor.save(uri)
        editor.told(uri)
    editor.set_up(torchlint={"config": str(tmp_path / "other.toml")})
    (tmp_path / "other.toml").write_text("")
    editor.save(uri)
    editor.told(uri, "torchlint TL201")


@pytest.mark.limit(120)
def test_flake8_of_the_server_and_we_do_not_say_the_same(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    # Where there is no such program, the server takes the flake8 beside it.
    flake8 = {"enabled": True, "executable": "flake8-that-is-not-there"}
    editor.set_up(flake8=flake8)
    editor.type(uri, LOGS_A_GRAPH)
    editor.told(uri, "flake8 TL201")
    for change in ({"extendIgnore": ["TL2"]}, {"select": ["F"]}, {"enabled": False}):
        editor.set_up(flake8={**flake8, **change})
        editor.told(uri, "torchlint TL201")


@pytest.mark.limit(120)
def test_notebooks(editor: Editor, tmp_path: Path) -> None:
    first, *rest = LOGS_A_GRAPH.split("\n", 1)
    cells = {
        f"vscode-notebook-cell:/n.ipynb#{number}": text
        for number, text in enumerate(["%matplotlib inline", first, *rest])
    }
    editor.open_notebook((tmp_path / "n.ipynb").as_uri(), cells)
    (found,) = editor.told(list(cells)[-1], "torchlint TL201")
    assert found["range"]["start"] == {"line": 2, "character": len("print(")}
