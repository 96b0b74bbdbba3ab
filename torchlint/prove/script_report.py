"""`torchlint prove SCRIPT`: what the linter says of a script, and what its run says of that."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from torchlint import check
from torchlint.diagnostic import Diagnostic
from torchlint.errors import ProveError, UnreadableSource
from torchlint.prove.observations import CLAIMED, Observation, Site
from torchlint.prove.proof import Proof, observe
from torchlint.prove.scripts import runner
from torchlint.prove.verdicts import NOT_RUN, Answer, Verdict, unannounced, verdicts
from torchlint.prove.versions import torch_version
from torchlint.source import Source

_ORDER = list(Answer)
_WIDTH = max(len(answer.value) for answer in Answer) + 2


def prove_script(script: Path, arguments: Sequence[str], *, name: str) -> int:
    """Run the script under observers and print what became of each finding; gives the exit status.

    Raises `ProveError` where the script cannot be read, or its process ends before it told what was seen.
    """
    _require_python(script, name)
    findings = _findings(script)
    print(
        f"torchlint prove executes {name}: once as it is, and again with no_grad regions as inference_mode",
        file=sys.stderr,
        flush=True,
    )
    started = time.monotonic()
    proof = observe(runner(script, arguments), lines=True, quiet=False)
    for file in sorted({file for file, _ in proof.record.lines} - {str(script)}):
        findings += _findings(Path(file))
    found = verdicts(findings, proof.record.observations, proof.record.lines)
    faults = unannounced(found, proof.record.observations)
    for trouble in proof.record.troubles:
        print(f"warning: {trouble}; please report it", file=sys.stderr)
    print(_headline(name, proof, time.monotonic() - started))
    for line in _lines(found, faults):
        print(line)
    return int(bool(faults) or any(one.answer is Answer.CONFIRMED for one in found))


def _require_python(script: Path, name: str) -> None:
    try:
        source = Source.from_bytes(script.read_bytes(), name)
        compile(source.text, name, "exec", dont_inherit=True)
    except OSError as error:
        raise ProveError(f"cannot read {name}: {error.strerror}") from error
    except UnreadableSource as error:
        raise ProveError(f"{name}:{error.line}: {error.reason}") from error
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ProveError(f"{name}:{line}: {getattr(error, 'msg', error)}") from error


def _findings(path: Path) -> list[Diagnostic]:
    found = check(path.read_bytes(), filename=str(path))
    # TL001 and TL002 are torchlint's own and say nothing that a run could confirm.
    return [one for one in found if one.code in CLAIMED]


def _headline(name: str, proof: Proof, seconds: float) -> str:
    record = proof.record
    ended = "was interrupted" if record.interrupted else record.error or "ran to its end"
    runs = "1 run" if proof.runs == 1 else f"{proof.runs} runs"
    saved = f"graphs held {record.saved_bytes:,} bytes of saved tensors at most"
    return f"\n{name} on {torch_version()}: {ended}\n{runs} in {seconds:.1f} s; {saved}\n"


def _lines(found: Sequence[Verdict], faults: Sequence[Observation]) -> Iterator[str]:
    for verdict in sorted(found, key=lambda one: _ORDER.index(one.answer)):
        finding = verdict.finding
        place = _place(finding.filename, finding.line)
        yield f"{verdict.answer.value:<{_WIDTH}}{place} {finding.code} {finding.message}"
        if verdict.why != NOT_RUN:
            yield from _seen(verdict.why, verdict.observation)
    for fault in faults:
        yield f"{'seen':<{_WIDTH}}{_at(fault.site)} no finding stands here"
        yield from _seen(fault.text, fault)
    counts = Counter(verdict.answer for verdict in found)
    said = [f"{counts[answer]} {answer.value}" for answer in Answer]
    if found or faults:
        yield ""
    yield f"{len(found)} findings: {', '.join(said)}; seen without a finding: {len(faults)}"


def _seen(why: str, observation: Observation | None) -> Iterator[str]:
    times = "" if observation is None or observation.times == 1 else f" ({observation.times} times)"
    yield f"{'':<{_WIDTH}}{why}{times}"
    for remark in observation.remarks if observation is not None else ():
        yield f"{'':<{_WIDTH}}  {_at(remark.site)} {remark.text}"


def _at(site: Site) -> str:
    return _place(site.file, site.line)


def _place(file: str | Path, line: int) -> str:
    """As short as it can be opened from here."""
    try:
        shown = os.path.relpath(file)
    except ValueError:  # another drive
        shown = str(file)
    return f"{shown if not shown.startswith('..') else file}:{line}"
