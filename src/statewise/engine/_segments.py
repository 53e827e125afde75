"""Which pieces of the input are run each on its own: whole ragged sequences, or what lies between resets of a lane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from statewise.engine._transforms import is_transformed
from statewise.sequences import Ragged


@dataclass(frozen=True, eq=False, kw_only=True)
class Segments:
    """Pieces of flat values; step t of piece s is at `first[s] + t * stride`.

    All arithmetic on lengths is numpy's, whose calls on a few hundred numbers cost a tenth of torch's.

    Args:
        first: `[pieces]`, where each begins in the flat values.
        stride: how far apart two steps of a piece are.
        lengths: `[pieces]`, number of steps; zero for an empty sequence.
        row: `[pieces]`, the row of the given state to which each belongs.
        is_new: `[pieces]`, whether it begins from the initial state, not from the given one.
        last: `[rows]`, the piece whose final state is the row's.
    """

    first: Int[np.ndarray, " pieces"]
    stride: int
    lengths: Int[np.ndarray, " pieces"]
    row: Int[np.ndarray, " pieces"]
    is_new: Bool[np.ndarray, " pieces"]
    last: Int[np.ndarray, " rows"]

    @property
    def is_one_a_row(self) -> bool:
        """Whether pieces and rows are the same, in the same order."""
        return len(self.last) == len(self.row)


def of_sequences(inputs: Ragged) -> Segments:
    """Return one piece a sequence; each continues the state that is given for its row."""
    lengths = _numbers(inputs.lengths)
    rows = np.arange(len(lengths))
    first = lengths.cumsum() - lengths
    return Segments(first=first, stride=1, lengths=lengths, row=rows, is_new=np.zeros(len(rows), dtype=bool), last=rows)


def of_lanes(time: int, batch: int, is_first: Bool[Tensor, "time batch"] | None) -> Segments:
    """Return the pieces of dense `[time, batch]` lanes, cut at every flag; one that begins without a flag continues.

    Example:
        >>> pieces = of_lanes(3, 2, torch.tensor([[True, False], [False, False], [False, True]]))
        >>> pieces.lengths.tolist(), pieces.row.tolist(), pieces.is_new.tolist(), pieces.last.tolist()
        ([3, 2, 1], [0, 1, 1], [True, False, True], [0, 2])
    """
    flags = np.zeros((time, batch), dtype=bool) if is_first is None else _numbers(is_first)
    begins = flags.T.copy()
    begins[:, :1] = True
    if time == 0:  # A lane without a step is one piece of length 0, which keeps its state.
        begins = np.ones((batch, 1), dtype=bool)
    lane, start = begins.nonzero()
    last = begins.sum(1).cumsum() - 1
    end = np.concatenate([start[1:], start[:1]])
    end[last] = time
    return Segments(
        first=start * batch + lane,
        stride=batch,
        lengths=end - start,
        row=lane,
        is_new=flags[start, lane] if time else np.zeros(batch, dtype=bool),
        last=last,
    )


def _numbers(tensor: Tensor) -> np.ndarray:
    """Return whole numbers or flags as an array; a tensor that torch.func made has no memory to share."""
    if is_transformed():
        return np.array(tensor.tolist(), dtype=bool if tensor.dtype == torch.bool else np.int64)
    found: np.ndarray = tensor.cpu().numpy()
    return found
