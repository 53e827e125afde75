"""Which way of running is fastest, by device and kind of module, and what does a dense block cost? One table, `costs.toml`.

The figures decide only where time is cut and which path is taken, never what comes out.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

Way: TypeAlias = Literal["blocks", "scan", "dense", "packed", "chain"]
Kind: TypeAlias = Literal["lstm", "gru", "rnn"]

TABLE = Path(__file__).with_name("costs.toml")
_REFERENCE = 128 * (128 + 128)
"""The size of the cells that the table speaks of: units times what each of them reads."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a dense block costs, in microseconds.

    Args:
        call: whatever its size.
        step: each of its steps.
        cell: each step of each row.
        most_cells: the largest block; beyond it memory is what takes long.
    """

    call: float
    step: float
    cell: float
    most_cells: int = 2**62

    def for_size(self, input_size: int, hidden_size: int, *, is_gpu: bool = False) -> Cost:
        """Return the cost of cells of another size than 128 inputs and 128 units.

        Part of each figure follows the matrix product, part the number of units. The shares of a CPU were fitted to sizes from 16 to 512.
        On a GPU a call and a step take about as long whatever the size: it waits for them, not for the arithmetic.
        """
        work = hidden_size * (input_size + hidden_size) / _REFERENCE
        units = hidden_size / 128
        return Cost(
            call=self.call if is_gpu else self.call * (0.7 + 0.3 * work),
            step=self.step if is_gpu else self.step * (0.45 + 0.55 * work**0.5),
            cell=self.cell * (0.55 * work + 0.45 * units),
            most_cells=max(64, int(self.most_cells / units)),
        )


def way_of(device: str, kind: Kind) -> Way:
    """Return how a kind of module is run on a type of device; `"chain"` where nothing was measured."""
    found: Way = _table().get(device, {}).get(kind, {}).get("path", "chain")
    return found


@cache
def cost_of(device: str, kind: Kind, *, train: bool, input_size: int, hidden_size: int) -> Cost | None:
    """Return what a block costs with its backward pass or without; None where nothing was measured."""
    entry = _table().get(device, {}).get(kind, {}).get("train" if train else "infer")
    return None if entry is None else Cost(**entry).for_size(input_size, hidden_size, is_gpu=device == "cuda")


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))
