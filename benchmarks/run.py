"""Which rows are there, what did each measure, and is a floor broken? Prints one table and writes one JSON file.

Use `python -m benchmarks.run [ROW ...] [--json FILE]`. It ends with 0, or with 1 when a floor is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import platform
import statistics
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import rows as found_rows
from benchmarks.row import Measured, Row, measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows asked for (all, when none is named) and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Time statewise beside its peers, against floors.")
    known = {row.name: row for row in find_rows()}
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"rows to measure: {', '.join(known)} (default: all)")
    parser.add_argument("--json", type=Path, default=HERE / "results.json", help="where the figures go (default: %(default)s)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.rows if name not in known]
    if unknown:
        parser.error(f"no row is called {unknown[0]!r}; there are: {', '.join(known)}")
    floors = tomllib.loads((HERE / "floors.toml").read_text(encoding="utf-8"))
    return run([known[name] for name in options.rows or known], floors, options.json)


def run(rows: Iterable[Row], floors: Mapping[str, Mapping[str, float]], results: Path) -> int:
    """Measure `rows`, print the table, write `results`, and return 1 when a floor is broken, else 0."""
    taken = []
    print(_line("row", "median", "quartile", "floor", "peer", "ratio", ""))
    for row in rows:
        taken.append(measure(row, floors.get(row.name, {})))
        print(_shown(taken[-1]), flush=True)
    broken = [each.row.name for each in taken if each.broken]
    print("quartile: the worse one, which the floor judges; ratio: our median over the peer's")
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps({"schema": 1, "machine": _machine(), "rows": [each.record() for each in taken]}, indent=1) + "\n")
    print(f"figures: {results}")
    if broken:
        print(f"broken: {', '.join(broken)}", file=sys.stderr)
    return int(bool(broken))


def find_rows() -> list[Row]:
    """Return the `ROW` of each module in `benchmarks/rows`, by name."""
    names = sorted(each.name for each in pkgutil.iter_modules(found_rows.__path__))
    return [import_module(f"{found_rows.__name__}.{name}").ROW for name in names]


def _shown(taken: Measured) -> str:
    row, limits = taken.row, {"at_most": "<= ", "at_least": ">= "}
    floor = " ".join(f"{limits[name]}{limit:g} {row.unit}" for name, limit in taken.floor.items()) or "none"
    figures = (statistics.median(taken.ours), taken.worse_quartile, statistics.median(taken.peer))
    ours, worse, peer = (f"{figure:.4g} {row.unit}" for figure in figures)
    return _line(row.name, ours, worse, floor, peer, f"{taken.ratio:.3g}", "BROKEN" if taken.broken else "ok")


def _line(*cells: str) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, (18, 12, 12, 14, 12, 7, 6), strict=True)).rstrip()


def _machine() -> dict[str, str | int | None]:
    return {"python": platform.python_version(), "system": platform.platform(), "processors": os.cpu_count()}


if __name__ == "__main__":
    sys.exit(main())
