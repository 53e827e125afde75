"""How is each kind of torch module run fastest on this machine, and what does a dense block cost? Measures `engine/costs.toml` anew.

Use `python -m benchmarks.costs [--write]`; without `--write` it prints what it would write. The figures choose where the engine cuts time
and which way it takes, and change nothing of what comes out.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tomllib
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from statewise.engine import _layer, unroll
from statewise.engine._costs import TABLE, Cost, Kind, Way
from statewise.engine._lstm_blocks import run_blocks
from statewise.engine._plan import Plan
from statewise.engine._scans import Weights
from statewise.sequences import Ragged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZE, REPEATS, WARM_UP = 128, 25, 5
# Steps and rows of a block, and how many such blocks follow each other: only a chain tells a block's own cost from that of a call.
SHAPES = {
    "cpu": (
        *((16, 27, 1), (29, 27, 1), (8, 16, 1), (8, 16, 3), (8, 16, 6), (20, 8, 1), (20, 8, 4), (60, 4, 1), (60, 4, 3)),
        *((10, 64, 1), (10, 64, 4), (30, 40, 1), (100, 2, 1), (100, 2, 4), (4, 27, 5)),
    ),
    "cuda": (
        *((50, 64, 1), (50, 64, 4), (200, 64, 1), (200, 64, 3), (400, 8, 1), (400, 8, 2), (20, 8, 1), (20, 8, 6)),
        *((100, 512, 1), (100, 512, 3), (20, 512, 6), (50, 2048, 1), (50, 2048, 3), (800, 4, 1)),
    ),
}
CELLS = {"cpu": (1024, 2048, 4096, 8192, 16384), "cuda": (65536, 131072, 262144, 524288, 1048576)}
WIDTH = {"cpu": 64, "cuda": 512}
CORES: dict[Kind, type[nn.LSTM | nn.GRU | nn.RNN]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
WAYS: dict[str, dict[Kind, tuple[Way, ...]]] = {
    "cpu": {"lstm": ("blocks", "chain"), "gru": ("scan", "chain"), "rnn": ("scan", "chain")},
    "cuda": dict.fromkeys(CORES, ("dense", "packed", "chain")),
}


def block_cost(device: str, kind: Kind, *, train: bool) -> dict[str, float]:
    """Return what a dense block costs: per call, step and cell in microseconds, and the cells beyond which memory is slow."""
    blocks = partial(_blocks_in_turn, device=device, kind=kind, train=train)
    times = 1e6 * np.array(_lower_quartiles([blocks(*shape) for shape in SHAPES[device]]))
    terms = np.array([(1.0, count, count * time, count * time * width) for time, width, count in SHAPES[device]])
    found, *_ = np.linalg.lstsq(terms / times[:, None], np.ones(len(times)), rcond=None)  # relative errors count
    # The first of the four terms, what a whole call costs, is fitted only so that it is not laid on the blocks: no cut changes it.
    call, step, cell = (max(float(figure), 0.001) for figure in found[1:])
    seconds = _lower_quartiles([blocks(cells // WIDTH[device], WIDTH[device], 1) for cells in CELLS[device]])
    per_cell = [each / cells for each, cells in zip(seconds, CELLS[device], strict=True)]
    within = [cells for cells, cost in zip(CELLS[device], per_cell, strict=True) if cost <= 1.15 * min(per_cell)]
    return {"call": round(call, 1), "step": round(step, 2), "cell": round(cell, 4), "most_cells": max(within)}


def fastest_way(device: str, kind: Kind) -> tuple[Way, dict[Way, float]]:
    """Return how a kind of module trains fastest over log-normal lengths, and the seconds of each way."""
    source = torch.Generator().manual_seed(0)
    lengths = torch.empty(64).log_normal_(3.5, 0.9, generator=source).round().clamp(3, 800).long()
    module = CORES[kind](SIZE, SIZE).to(device)
    values = torch.randn(int(lengths.sum()), SIZE, device=device, requires_grad=True)
    inputs = Ragged(values, lengths)

    def step() -> None:
        outputs, _ = unroll(module, inputs, return_state=False)
        torch.autograd.grad(outputs.values.sum(), [values, *module.parameters()])
        if device == "cuda":
            torch.cuda.synchronize()

    def step_by(way: Way) -> None:
        with mock.patch.object(_layer, "way_of", return_value=way):
            step()

    ways = WAYS[device][kind]
    seconds = dict(zip(ways, _lower_quartiles([partial(step_by, way) for way in ways]), strict=True))
    return min(seconds, key=seconds.__getitem__), seconds


def _blocks_in_turn(time: int, width: int, count: int, *, device: str, kind: Kind, train: bool) -> Callable[[], None]:
    """Return what runs some blocks, one after another, with their backward pass where there is training."""
    module = CORES[kind](SIZE, SIZE).to(device)
    own = tuple(module.parameters())
    weights, layer = Weights(*own), _layer.Layer(mode=module.mode.lower(), weights=own, has_biases=True)
    plan = Plan(np.full(width, count * time), Cost(call=0.0, step=0.0, cell=1.0, most_cells=time * width))
    data = torch.randn(count * time * width, SIZE, device=device, requires_grad=train)
    zeros = torch.zeros(width, SIZE, device=device)
    state = (zeros, zeros) if kind == "lstm" else (zeros,)

    def outputs_of() -> Tensor:
        if device == "cpu":
            return run_blocks(data, (zeros, zeros), weights, plan, ends=None, dtype=torch.float32)[0]
        with mock.patch.object(_layer, "way_of", return_value="dense"):
            return layer.run(data, state, plan, None)[0]

    def step() -> None:
        with torch.set_grad_enabled(train):
            outputs = outputs_of()
            if train:
                torch.autograd.grad(outputs.sum(), [data, *weights])
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def _lower_quartiles(works: Sequence[Callable[[], None]]) -> list[float]:
    """Return the lower quartile of the seconds of each work; they take turns, so that what else the machine does falls on all of them.

    Whatever that is, it only makes a work slower: medians jumped by a third between runs.
    """
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(WARM_UP + REPEATS):
        for work, seconds in zip(works, taken, strict=True):
            begin = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - begin)
    return [statistics.quantiles(seconds[WARM_UP:])[0] for seconds in taken]


def written(table: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the table as its file holds it, under the remarks that stand there now."""
    head = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    lines = [*head]
    for device, kinds in table.items():
        for kind, entry in kinds.items():
            lines += ["", f"[{device}.{kind}]"]
            for name, value in entry.items():
                shown = ", ".join(f"{part} = {figure}" for part, figure in value.items()) if isinstance(value, dict) else ""
                lines.append(f"{name} = {{ {shown} }}" if shown else f'{name} = "{value}"')
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure this machine's devices and print the table, or write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name} instead of printing it")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
        for kind in CORES:
            way, seconds = fastest_way(device, kind)
            print(f"{device} {kind}: " + ", ".join(f"{name} {1e3 * figure:.1f} ms" for name, figure in seconds.items()), flush=True)
            entry: dict[str, Any] = {"path": way}
            if way in {"blocks", "dense"}:
                entry |= {"train": block_cost(device, kind, train=True), "infer": block_cost(device, kind, train=False)}
            table[device][kind] = entry
    if options.write:
        TABLE.write_text(written(table), encoding="utf-8")
        print(f"written: {TABLE}")
    else:
        print(written(table), end="")


if __name__ == "__main__":
    main()
