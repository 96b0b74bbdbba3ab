"""How long an editor waits: from a keystroke to its diagnostics, from the start to the first of them.

    python benchmarks/editor_latency.py FILE [FILE ...]

Keystrokes are typed into functions drawn at random, each at a random place of its body, and taken back
by the next one; the debounce is left out. Two draws are told apart: one in which each function is as likely
as any other, and one in which each line is, so that long functions count for more. Memory is that of the
process after 200 and after 2,000 keystrokes. The server is started as an editor does, which needs `lsp`.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torchlint.config import Config
from torchlint.session import Session
from torchlint.source import Source

KEYS = "abcxyz_01 .(\n"


def main() -> None:
    """Measure each file and print a few lines of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--keystrokes", type=int, default=200)
    parser.add_argument("--long", type=int, default=2_000, help="keystrokes after which memory is read again")
    parser.add_argument("--alone", action="store_true", help="do not read the files around")
    options = parser.parse_args()
    for path in options.files:
        measure(path.resolve(), options)


def measure(path: Path, options: argparse.Namespace) -> None:
    """Print what one file gives."""
    text = path.read_text(encoding="utf-8")
    gc.disable()  # as in the server, which collects in pauses
    config = Config(project=not options.alone)
    session = Session()
    print(f"{path.name}: {text.count(chr(10))} lines")
    begun = time.perf_counter()
    session.check(Source.from_text(text, str(path)), config)
    print(f"  first check, libcst imported by it   {time.perf_counter() - begun:8.2f} s")

    def check(changed: str) -> None:
        session.check(Source.from_text(changed, str(path)), config)

    chance = random.Random(0)
    draws = {"by function": by_function(text, chance), "by line": by_line(text, chance)}
    for name, places in draws.items():
        wall, busy = type_in(text, places, options.keystrokes, chance, check)
        print(f"  {options.keystrokes} keystrokes, places {name:12} wall {shown(wall)}   CPU {shown(busy)}")
    few = memory()
    type_in(text, draws["by function"], options.long - 2 * options.keystrokes, chance, check)
    many = memory()
    print(f"  memory {few:.0f} MB, after {options.long} keystrokes {many:.0f} MB ({many / few:.2f} times)")
    start_server(path, text)


def by_function(text: str, chance: random.Random) -> Iterator[int]:
    """Lines of bodies, each function as often as any other."""
    bodies = [range(node.body[0].lineno, (node.end_lineno or 0) + 1) for node in functions(text)]
    while True:
        yield chance.choice(chance.choice(bodies))


def by_line(text: str, chance: random.Random) -> Iterator[int]:
    """Lines of bodies, each as often as any other."""
    lines = sorted(
        {n for one in functions(text) for n in range(one.body[0].lineno, (one.end_lineno or 0) + 1)}
    )
    while True:
        yield chance.choice(lines)


def functions(text: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a text."""
    nodes = ast.walk(ast.parse(text))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def type_in(
    text: str, places: Iterator[int], count: int, chance: random.Random, check: Callable[[str], None]
) -> tuple[list[float], list[float]]:
    """Seconds of each keystroke, on the clock and of this process."""
    lines = text.split("\n")
    wall, busy = [], []
    for number in range(count):
        changed = text
        if number % 2 == 0:
            row = next(places) - 1
            column = chance.randrange(len(lines[row]) + 1)
            line = lines[row][:column] + chance.choice(KEYS) + lines[row][column:]
            changed = "\n".join((*lines[:row], line, *lines[row + 1 :]))
        began, used = time.perf_counter(), time.process_time()
        check(changed)
        wall.append(time.perf_counter() - began)
        busy.append(time.process_time() - used)
        gc.collect(1 if number % 100 else 2)
    return wall, busy


def shown(seconds: list[float]) -> str:
    """Median and the 95th percentile."""
    p95 = sorted(seconds)[int(len(seconds) * 0.95)]
    return f"median {statistics.median(seconds) * 1e3:4.0f} ms, p95 {p95 * 1e3:5.0f} ms"


def memory() -> float:
    """What this process holds now, in MB; where nothing says that, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def start_server(path: Path, text: str) -> None:
    """From the start of `torchlint server` to its answer, and to the first diagnostics of a file."""
    text += "\nimport torch\nx = torch.ones(1, requires_grad=True)\nprint((x * 2).item())\n"
    for name, given in (
        ("four lines", text[-len(text.split("import torch\n")[-1]) - 13 :]),
        (path.name, text),
    ):
        begun = time.perf_counter()
        command = [sys.executable, "-m", "torchlint", "server"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            send(server, {"id": 1, "method": "initialize", "params": {"capabilities": {}}})
            receive(server, lambda message: message.get("id") == 1)
            answered = time.perf_counter() - begun
            send(server, {"method": "initialized", "params": {}})
            item = {
                "uri": (path.parent / "x.py").as_uri(),
                "languageId": "python",
                "version": 1,
                "text": given,
            }
            send(server, {"method": "textDocument/didOpen", "params": {"textDocument": item}})
            receive(server, lambda message: message.get("method") == "textDocument/publishDiagnostics")
            first = time.perf_counter() - begun
            send(server, {"id": 2, "method": "shutdown", "params": None})
            receive(server, lambda message: message.get("id") == 2)
            send(server, {"method": "exit", "params": None})
            server.wait()
        print(f"  server: answers after {answered:.2f} s, first diagnostics of {name} after {first:.2f} s")


def send(server: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    """Send one message."""
    data = json.dumps({"jsonrpc": "2.0", **message}).encode()
    assert server.stdin is not None
    server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
    server.stdin.flush()


def receive(server: subprocess.Popen[bytes], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read messages up to one that is wanted."""
    assert server.stdout is not None
    while True:
        length = 0
        while line := server.stdout.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(server.stdout.read(length))
        if wanted(message):
            return message


if __name__ == "__main__":
    main()
