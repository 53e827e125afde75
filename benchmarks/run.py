"""Which rows are there, what did each measure, and is a floor broken? Prints one table and writes one JSON file.

Use `python -m benchmarks.run [ROW ...] [--quick] [--list] [--json FILE]`; a row may be a pattern, such as `'lstm-*'`. It ends with 0,
or with 1 when a floor is broken or a row could not be measured. STATEWISE_DEVICE=cuda measures the rows of layers and lanes there.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import pkgutil
import platform
import sys
import time
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import rows as found_rows
from benchmarks.contest import DEVICE
from benchmarks.judging import Floors, Judged, judge
from benchmarks.measuring import FULL, QUICK, Effort, measure
from benchmarks.table import LEGEND, head, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.contest import Row

HERE = Path(__file__).parent
THREADS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows asked for (all, when none is named) and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measure statewise beside its peers, against floors.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to measure, or patterns of them such as 'lstm-*' (default: all)")
    parser.add_argument("--list", action="store_true", help="say which rows there are, and measure nothing")
    parser.add_argument("--quick", action="store_true", help=f"seed 0 and {QUICK.repeats} rounds, to try something out")
    parser.add_argument("--threads", type=int, default=THREADS, help="threads of torch (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=HERE / "results.json", help="where the figures go (default: %(default)s)")
    options = parser.parse_args(arguments)
    known = {row.name: row for row in find_rows()}
    if options.list:
        print("\n".join(f"{row.name:<24}{row.says}" for row in known.values()))
        return 0
    chosen: dict[str, Row] = {}
    for pattern in options.rows or ["*"]:
        matching = fnmatch.filter(known, pattern)
        if not matching:
            parser.error(f"no row is called {pattern!r}; there are: {', '.join(known)}")
        chosen |= {name: known[name] for name in matching}
    torch.set_num_threads(options.threads)
    floors = tomllib.loads((HERE / "floors.toml").read_text(encoding="utf-8"))
    return run(chosen.values(), floors, options.json, QUICK if options.quick else FULL)


def run(rows: Iterable[Row], floors: Mapping[str, Floors], results: Path, effort: Effort = FULL) -> int:
    """Measure `rows`, print the table, write `results`, and return 1 when a floor is broken or a row fails, else 0."""
    begin = time.perf_counter()
    machine = _machine()
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print(f"seeds {', '.join(map(str, effort.seeds))}; at most {effort.repeats} rounds" if effort != FULL else _said(effort))
    print(head())
    done: list[Judged] = []
    failed: dict[str, str] = {}
    for row in rows:
        try:
            done.append(judge(measure(row, effort), floors.get(row.name, {})))
        except AssertionError as problem:
            failed[row.name] = str(problem)
            print(f"\n{row.name}: {row.says}\n  NOT TIMED: {problem}", flush=True)
        else:
            print("\n".join(lines_of(done[-1])), flush=True)
    broken = [each.measured.row.name for each in done if each.is_broken]
    print(f"\n{LEGEND}")
    results.parent.mkdir(parents=True, exist_ok=True)
    document = {"schema": 2, "machine": machine, "seeds": effort.seeds, "rows": [each.record() for each in done], "failed": failed}
    results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"figures: {results} ({time.perf_counter() - begin:.0f} s)")
    if broken or failed:
        print(f"broken: {', '.join([*broken, *failed])}", file=sys.stderr)
    return int(bool(broken or failed))


def find_rows() -> list[Row]:
    """Return the `ROWS` of each module in `benchmarks/rows`, module by module."""
    names = sorted(each.name for each in pkgutil.iter_modules(found_rows.__path__))
    return [row for name in names for row in import_module(f"{found_rows.__name__}.{name}").ROWS]


def _said(effort: Effort) -> str:
    return f"seeds {', '.join(map(str, effort.seeds))}; 5 rounds to warm up and 15 that count, unless the row says otherwise"


def _machine() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(DEVICE) if DEVICE.type == "cuda" else str(DEVICE),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _cpu() -> str:
    """Return the name of the processor, as far as the system tells."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
