"""Measures the installed torch and writes what it does to the tables; with `--check` only compares.

    python scripts/measure_torch.py [--check] [--only ops|modules] [--jobs N] [--samples N]

Exit code: 0, 1 when `--check` finds a difference, 2 on wrong use or without torch.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

TABLES = Path(__file__).resolve().parent.parent / "torchlint" / "tables"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Measure the tables of what torch does.")
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    parser.add_argument("--only", choices=["ops", "modules"], help="only this table")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (1)")
    parser.add_argument("--samples", type=int, default=60, metavar="N", help="samples an entry (60)")
    parser.add_argument("--tables", type=Path, default=TABLES, metavar="DIR", help="where the tables are")
    given = parser.parse_args(arguments)
    try:
        import expecttest  # noqa: F401  # torch's operator database needs it
        import torch
    except ImportError as error:
        print(f"measure_torch: {error.name} is not installed: pip install torch expecttest", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    differs = [
        _renew(name, given.tables, torch.__version__.partition("+")[0], given)
        for name in ([given.only] if given.only else ["ops", "modules"])
    ]
    return 1 if given.check and any(differs) else 0


def _renew(name: str, folder: Path, version: str, given: argparse.Namespace) -> bool:
    """Measure one table, write it unless `--check`, print what differs; whether anything does."""
    from measuring import by_hand, tables

    old = tables.read(folder / f"{name}.tsv")
    corrections = by_hand.read(folder / "by_hand.tsv")
    rows, idle = by_hand.apply(corrections, name, old.columns, _measured(name, given))
    new = tables.renewed(old, rows, version)
    found = [f"{name}.tsv {line}" for line in tables.differences(old, new)]
    found += [f"by_hand.tsv out of date: {correction}" for correction in idle]
    print("\n".join(found) if found else f"{name}.tsv is what torch {version} does")
    if not given.check:
        tables.write(folder / f"{name}.tsv", new)
    return bool(found)


def _measured(name: str, given: argparse.Namespace) -> list[list[str]]:
    if name == "ops":
        from measuring.operations.rows import rows as operations

        return operations(given.jobs, given.samples)
    from measuring.layers.rows import rows as layers

    return layers(given.jobs)


if __name__ == "__main__":
    sys.exit(main())
