"""What does a module say about sequences, what is each output held against, and what is the loss?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from statewise.contracts import answers, device_of
from statewise.sequences import Aligned, aligned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statewise.contracts import Adapted
    from statewise.sequences import Sequences
    from statewise.training._objective import Objective, Scored
    from statewise.training._options import Precision


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Calls a module on sequences, and scores what it says.

    Attributes:
        adapted: the module and how it is called.
        objective: what is made smaller.
        precision: of the matrix products.
    """

    adapted: Adapted
    objective: Objective
    precision: Precision = "float32"

    def autocast(self) -> torch.autocast:
        """Return the context in which the module is called."""
        return torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")

    def answers(self, data: Sequences, steps: int) -> Iterator[tuple[Tensor, Aligned, Tensor]]:
        """Yield the outputs `[rows, out]` on some sequences, what each is held against, and the places `[rows]` they belong to."""
        for outputs, at in answers(self.adapted, data, steps, within=self.autocast):
            yield outputs.values.float(), self._items(data, at), at

    def score(self, batch: Sequences) -> Scored:
        """Return the loss of a batch."""
        with self.autocast():
            outputs = self.adapted(batch, return_state=False)
        return self.scored(outputs.values, batch, None)

    def scored(self, values: Tensor, data: Sequences, at: Tensor | None) -> Scored:
        """Return the loss of outputs `[rows, out]` that belong to the places `[rows]` in some sequences, or to each in turn."""
        items = self._items(data, at)
        return self.objective(values.float(), items.targets, items.weights)

    def _items(self, data: Sequences, at: Tensor | None) -> Aligned:
        device, contract = self._device, self.adapted.contract
        items = aligned(data, contract.task or "classify", contract.horizon or 1, at=at)
        return Aligned(targets=items.targets.to(device), weights=items.weights.to(device))

    @cached_property
    def _device(self) -> torch.device:
        """Where the module lies: it does not move while it is trained."""
        return device_of(self.adapted.module)
