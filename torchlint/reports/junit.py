"""A test report in the XML of JUnit, for services that show those: each finding is a test that failed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from torchlint.diagnostic import Diagnostic
from torchlint.files import named_from
from torchlint.reports import Run
from torchlint.reports.places import explained, place_of
from torchlint.reports.severity import severity
from torchlint.runner import Checked

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}


def write(results: Sequence[Checked], run: Run) -> Iterator[str]:
    """A suite for each file with findings; one test that passed where there is none."""
    results = [result for result in results if result.diagnostics]
    count = sum(len(result.diagnostics) for result in results)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield _tag("testsuites", 0, name="torchlint", **_counts(count))
    for result in results:
        counts = _counts(len(result.diagnostics))
        yield _tag("testsuite", 1, name=_name(result.filename), **counts, package="org.torchlint")
        for found in result.diagnostics:
            yield from _case(found)
        yield "    </testsuite>\n"
    if not results:
        yield _tag("testsuite", 1, name="torchlint", **_counts(0), package="org.torchlint")
        yield _tag("testcase", 2, end="/", name="No errors found", classname="torchlint")
        yield "    </testsuite>\n"
    yield "</testsuites>\n"


def _counts(failures: int) -> dict[str, str]:
    return {"tests": str(failures or 1), "skipped": "0", "failures": str(failures), "errors": "0"}


def _case(found: Diagnostic) -> Iterator[str]:
    place = place_of(found)
    name = _name(found.filename)
    column = {} if place.column is None else {"column": str(place.column)}
    yield _tag(
        "testcase",
        2,
        name=f"org.torchlint.{found.code}",
        classname=os.path.splitext(name)[0],
        file=name,
        line=str(place.line),
        **column,
    )
    yield "            <properties>\n"
    yield _tag("property", 4, end="/", name="severity", value=severity(found.code).value)
    yield "            </properties>\n"
    opened = _tag("failure", 3, message=found.message).rstrip("\n")
    where = place.within or f"line {found.line}, col {found.column + 1}, "
    text = "\n".join((where + found.message, *explained(found)))
    # What is not ASCII is written by number, so that no encoding of a pipe can break it.
    yield f"{opened}{_escaped(text).replace('&#10;', chr(10))}</failure>\n"
    yield "        </testcase>\n"


def _name(filename: str) -> str:
    return filename if filename == "-" else named_from(filename, os.curdir)


def _tag(tag: str, depth: int, *, end: str = "", **attributes: str) -> str:
    words = "".join(f' {key}="{_escaped(value)}"' for key, value in attributes.items())
    return f"{' ' * 4 * depth}<{tag}{words}{end}>\n"


def _escaped(text: str) -> str:
    clean = "".join(_ENTITIES.get(character, character) for character in _NO_XML.sub("\ufffd", text))
    return clean.encode("ascii", "xmlcharrefreplace").decode()
