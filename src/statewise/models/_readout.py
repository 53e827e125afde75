"""How do the outputs of all steps become one value a sequence? Each readout sees real steps only; there are no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from statewise.sequences import Ragged, mean_per_sequence

if TYPE_CHECKING:
    from statewise.models._config import ReadoutName


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


class Attention(nn.Module):
    """The mean over a sequence's own steps, each with a weight that the outputs themselves give.

    A step has the score `v . tanh(W h)`, and its weight is the softmax of the scores over its own sequence: the additive form of
    Bahdanau, Cho and Bengio (2015), without a query. No padding takes part, since there is none.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(size, size)
        self.score = nn.Linear(size, 1, bias=False)

    def forward(self, outputs: Ragged) -> Float[Tensor, "rows out"]:
        """Return `[n, out]`. No sequence may be empty."""
        weighted = outputs.values * self.weights(outputs)[:, None]  # under autocast the weights are the wider of the two
        return weighted.new_zeros((len(outputs), weighted.shape[1])).index_add(0, outputs.rows, weighted)

    def weights(self, outputs: Ragged) -> Float[Tensor, " steps"]:
        """Return the weight of each step; those of a sequence add up to 1."""
        scores = self.score(torch.tanh(self.hidden(outputs.values)))[:, 0]
        highest = torch.segment_reduce(scores.detach(), "max", lengths=outputs.lengths, axis=0)
        raised = (scores - highest.index_select(0, outputs.rows)).exp()
        total = raised.new_zeros(len(outputs)).index_add(0, outputs.rows, raised)
        shares: Tensor = raised / total.index_select(0, outputs.rows)
        return shares
