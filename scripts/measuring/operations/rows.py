"""The rows of ops.tsv, measured."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import torch

from measuring.operations import calls
from measuring.operations.binding import bind, main_signature, signatures
from measuring.operations.calls import Call
from measuring.operations.cells import Cells, Sample, cells, overlap
from measuring.operations.forms import forms
from measuring.operations.grouping import OWN, aliases, groups, plain_twin
from measuring.operations.names import APART, SPELLINGS, function
from measuring.operations.observing import Unmeasurable, observe
from measuring.operations.out_argument import with_measured_out
from measuring.operations.overlap import refusals
from measuring.operations.signatures import METHODS, Signature

Row = list[str]


def rows(jobs: int = 1, count: int = 60, only: Iterable[str] | None = None) -> list[Row]:
    """The cells of every row, sorted; `count` samples of each entry of torch's database are taken."""
    names = sorted(set(only) if only is not None else groups())
    if jobs == 1:
        found = [_measured(name, count) for name in names]
    else:
        with multiprocessing.get_context("spawn").Pool(jobs, _alone) as pool:
            found = pool.map(partial(_measured, count=count), names, chunksize=4)
    return _with_aliases([row for group in found for row in group])


def _alone() -> None:
    torch.set_num_threads(1)


def _measured(name: str, count: int = 60) -> list[Row]:
    torch.set_num_threads(1)
    group = groups()[name]
    every = [call for entry in group.entries for call in calls.from_database(entry, count)]
    every += [calls.from_line(line) for line in group.lines]
    if not every:
        return []
    plain = [call for call in every if not call.in_place]
    written = [call for call in every if call.in_place]
    signature = main_signature(name, every)
    if signature is None:
        widest = max(every, key=lambda call: len(call.args))
        signature = Signature("", tuple(["input", "index", "value"][: len(widest.args)]), (), False, 0)
    signature = with_measured_out(name, signature, plain)
    twin = bool(plain)
    samples = _samples(name, signature, plain or written)
    writing = None
    if twin:
        variants = written + [found for call in plain if (found := _in_place_variant(name, call))]
        writing = [sample for sample in _samples(name, signature, variants) if sample.seen.written] or None
    return _rows(name, signature, samples, writing, twin=twin)


def _samples(name: str, signature: Signature, found: Sequence[Call]) -> list[Sample]:
    samples = []
    for call in found:
        bound, used = bind(name, signature, call)
        if bound is None:
            print(f"not measured: {calls.shown(call)}: no signature fits", file=sys.stderr)
            continue
        try:
            seen = observe(call, bound)
        except Unmeasurable as error:
            if not call.in_place:
                print(f"not measured: {calls.shown(call)}: {str(error)[:100]}", file=sys.stderr)
            continue
        refused = refusals(call, bound) if seen.written else None
        samples.append(Sample(bound, used, call.method, seen, call.glance, refused))
    return samples


def _in_place_variant(name: str, call: Call) -> Call | None:
    """The same call, written in place: `exp_`, or `inplace=True`."""
    last = name.rpartition(".")[2]
    if name in APART.values() or f"{last}_" in OWN or "." in name:
        return None
    keywords = {key: value for key, value in call.keywords.items() if key not in ("out", "inplace")}
    method = function(f"{METHODS}.{last}_")
    if method is not None and plain_twin(f"{last}_") == last:
        return Call(f"{METHODS}.{last}_", method, call.args, keywords, in_place=True)
    written = getattr(torch, f"{last}_", None)
    if written is not None and plain_twin(f"{last}_") == last:
        return Call(f"torch.{last}_", written, call.args, keywords, in_place=True)
    functional = f"torch.nn.functional.{last}"
    if any("inplace" in found.names for found in signatures(last)):
        return Call(functional, function(functional), call.args, keywords | {"inplace": True}, in_place=True)
    return None


def _rows(
    name: str, signature: Signature, samples: list[Sample], writing: list[Sample] | None, *, twin: bool
) -> list[Row]:
    order = (*signature.names, *signature.keywords)
    makes = "requires_grad" in order

    def measure(part: Sequence[Sample]) -> Cells:
        return cells(part, None, order, makes=makes)

    found = []
    for form in forms(samples, signature, measure):
        if twin:
            variants = [sample for sample in writing or () if form.takes(sample)]
            measured = cells(form.samples, variants or None, order, makes=makes)
        else:
            variants = [sample for sample in form.samples if sample.seen.written]
            writes = form.samples if variants else None
            measured = replace(cells(form.samples, writes, order, makes=makes), saves="-", saves_result="no")
        if name == "setitem":  # a statement
            measured = replace(measured, result="nothing")
        row = [name, form.condition, "-", form.signature.cell(), measured.saves, measured.saves_result]
        row += [measured.result, measured.view, measured.inplace]
        found.append([*row, "-" if measured.inplace == "-" else _overlap(row, variants, writing or samples)])
    return found


def _overlap(row: Row, form: Sequence[Sample], whole: Sequence[Sample]) -> str:
    """What the calls of a form show, or those of all its operation where they show nothing."""
    cell = next((cell for part in (form, whole) if (cell := overlap(part)) != "-"), "-")
    if cell == "-":
        print(f"not measured: {' '.join(row[:2])}: overlap: no call shows it", file=sys.stderr)
    return cell


def _with_aliases(found: list[Row]) -> list[Row]:
    names = {row[0] for row in found}
    spellings: dict[str, set[str]] = {}
    for alias, target in aliases().items():
        if alias not in names:
            spellings.setdefault(target, set()).add(alias)
    for row in found:
        if row[1] == "-":
            last = row[0].rpartition(".")[2]
            others = {*spellings.get(row[0], ()), *SPELLINGS.get(row[0], ())}
            if row[0].startswith(("linalg.", "fft.")) and last not in names:
                others.add(last)
            row[2] = ",".join(sorted(others)) or "-"
    return sorted(found)
