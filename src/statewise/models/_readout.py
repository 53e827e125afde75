"""How do the outputs of all steps become one value a sequence? Each readout sees real steps only; there are no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from statewise.sequences import mean_per_sequence

if TYPE_CHECKING:
    from statewise.models._config import ReadoutName
    from statewise.sequences import Ragged


def read_out(outputs: Ragged, readout: ReadoutName, *, bidirectional: bool = False) -> Float[Tensor, "rows out"]:
    """Return `[n, out]`, or for `"step"` the outputs of every step as they are, `[steps, out]`.

    `"last"` takes the forward half at the last step and the backward half at the first: where each direction has seen
    the whole sequence. No sequence may be empty.
    """
    values, ends = outputs.values, outputs.offsets
    if readout == "step":
        return values
    if readout == "mean":
        return mean_per_sequence(values, outputs.lengths)
    if readout == "max":
        return torch.segment_reduce(values, "max", lengths=outputs.lengths, axis=0)
    if not bidirectional:
        return values.index_select(0, ends[1:] - 1)
    half = values.shape[1] // 2
    return torch.cat([values[:, :half].index_select(0, ends[1:] - 1), values[:, half:].index_select(0, ends[:-1])], dim=1)
