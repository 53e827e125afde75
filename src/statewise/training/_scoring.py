"""What does a batch of whole sequences give: the outputs, what each is held against, and the loss?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from statewise.contracts import device_of
from statewise.sequences import Aligned, aligned

if TYPE_CHECKING:
    from statewise.contracts import Adapted
    from statewise.sequences import Sequences
    from statewise.training._objective import Objective, Scored
    from statewise.training._options import Precision


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Calls a module on whole sequences, and scores what it says.

    Attributes:
        adapted: the module and how it is called.
        objective: what is made smaller.
        precision: of the matrix products.
    """

    adapted: Adapted
    objective: Objective
    precision: Precision = "float32"

    def outputs(self, batch: Sequences) -> tuple[Tensor, Aligned]:
        """Return the outputs `[rows, out]` of a batch, and what each is held against."""
        device = device_of(self.adapted.module)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"):
            outputs = self.adapted(batch)
        contract = self.adapted.contract
        items = aligned(batch, contract.task or "classify", contract.horizon or 1)
        return outputs.values.float(), Aligned(targets=items.targets.to(device), weights=items.weights.to(device))

    def score(self, batch: Sequences) -> Scored:
        """Return the loss of a batch."""
        values, items = self.outputs(batch)
        return self.objective(values, items.targets, items.weights)
