"""How the server starts and ends: without pygls, as the protocol wants it, and when its client dies."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from command import LOGS_A_GRAPH, command, environment
from fixture_files import REPOSITORY

HELLO = {"id": 1, "method": "initialize", "params": {"capabilities": {}}}
OPENED = {
    "method": "textDocument/didOpen",
    "params": {
        "textDocument": {
            "uri": "untitled:one",
            "languageId": "python",
            "version": 1,
            "text": LOGS_A_GRAPH * 20,
        }
    },
}


def messages(*given: dict[str, Any]) -> bytes:
    data = [json.dumps({"jsonrpc": "2.0", **one}).encode() for one in given]
    return b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(one), one) for one in data)


def ended(*given: dict[str, Any]) -> tuple[int, bytes, bytes]:
    """Status and output of a server that is told this, and nothing after it."""
    done = subprocess.run(
        command("server"), input=messages(*given), capture_output=True, env=environment(), timeout=25
    )
    return done.returncode, done.stdout, done.stderr


def test_the_end_is_0_where_it_was_asked_for_and_1_where_not() -> None:
    asked = ended(HELLO, {"id": 2, "method": "shutdown"}, {"method": "exit"})
    assert (asked[0], asked[2]) == (0, b"")
    assert b'"id":2' in asked[1].replace(b" ", b"")
    assert b'"error"' not in asked[1]
    not_asked = ended(HELLO, {"method": "exit"})
    assert (not_asked[0], not_asked[2]) == (1, b"")


def test_a_client_that_dies_leaves_no_server_and_no_log_behind() -> None:
    server = subprocess.Popen(
        command("server"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stderr is not None
    server.stdin.write(messages(HELLO))
    server.stdin.flush()
    assert server.stdout.readline().startswith(b"Content-Length")
    server.stdout.close()  # whatever it says from now on, nobody reads
    server.stdin.write(messages({"method": "initialized", "params": {}}, OPENED, OPENED))
    server.stdin.close()
    said = server.stderr.read()
    server.stderr.close()
    assert server.wait(timeout=20) == 1
    assert said == b""


def test_without_pygls_it_says_what_to_install(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=sys.platform != "win32")
    folder = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    done = subprocess.run(
        [folder / "python", "-m", "torchlint", "server", "--stdio"],
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=str(REPOSITORY)),
        timeout=25,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the server needs pygls: pip install 'torchlint[lsp]'\n"
