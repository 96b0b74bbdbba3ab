"""Unified diffs of bytes, as `git apply` and `patch -p1` read them."""

from __future__ import annotations

import os
from difflib import diff_bytes, unified_diff

_NO_END = b"\n\\ No newline at end of file\n"


def unified(filename: str, before: bytes, after: bytes) -> bytes:
    """What makes one text of the other: encoding, line ends and a missing last one are in it as they are.

    What came from standard input without a name has none here, as with ruff.
    """
    # Absolute paths too have their first part taken away by `-p1`.
    name = filename.replace(os.sep, "/").removeprefix("/").encode("utf-8", "surrogateescape")
    old, new = _quoted(b"a/" + name), _quoted(b"b/" + name)
    lines = list(diff_bytes(unified_diff, _lines(before), _lines(after), old, new))
    shown = lines[2:] if filename == "-" else lines
    return b"".join(line if line.endswith(b"\n") else line + _NO_END for line in shown)


def _lines(data: bytes) -> list[bytes]:
    """The lines with their ends, split at `\\n` alone."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _quoted(name: bytes) -> bytes:
    """A name as git writes it: between quotes where it holds what ends a name, with a tab behind a space."""
    if any(byte < 0x20 or byte in b'"\\' or byte == 0x7F for byte in name):
        return b'"' + b"".join(_escaped(byte) for byte in name) + b'"'
    return name + b"\t" if b" " in name else name


def _escaped(byte: int) -> bytes:
    if byte in b'"\\':
        return b"\\" + bytes((byte,))
    return b"\\%03o" % byte if byte < 0x20 or byte == 0x7F else bytes((byte,))
