"""Which rows of the batch does each row's answer come from? Measured once, read by several checks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from statewise.auditing._probe import spread
from statewise.auditing._subject import gap, size_of

if TYPE_CHECKING:
    from statewise.auditing._probe import Probe
    from statewise.auditing._subject import Subject


@dataclass(frozen=True, kw_only=True)
class Influence:
    """The effect of replacing each row on each answer.

    Attributes:
        effects: `[answer, replaced]`.
        is_effect: whether an effect is more than rounding, by entry.
    """

    effects: Float[Tensor, "rows rows"]
    subject: Subject
    size: float

    def is_effect(self, effects: Float[Tensor, "rows rows"]) -> Bool[Tensor, "rows rows"]:
        """Return which effects are more than rounding, and no vanishing share of the largest."""
        return torch.tensor([[self.subject.is_real(float(each), self.own, self.size) for each in row] for row in effects])

    @property
    def own(self) -> float:
        """The largest effect there is."""
        return float(self.effects.max())

    @property
    def is_alive(self) -> bool:
        """Whether anything has an effect."""
        return self.subject.is_real(self.own, 0.0, self.size)


def influence_of(subject: Subject) -> Influence:
    """Return which rows change which answers."""
    return subject.once("influence", lambda: _measured(subject, subject.probe))


def _measured(subject: Subject, probe: Probe) -> Influence:
    before = subject.ask(probe)
    effects = torch.zeros(probe.num_rows, probe.num_rows, dtype=torch.float64)
    for replaced in range(probe.num_rows):
        x = probe.x.clone()
        x[replaced] = torch.where(spread(probe.valid[replaced], x[replaced]), subject.donor.x[replaced], x[replaced])
        static = probe.static
        if static is not None and subject.donor.static is not None:
            static = static.clone()
            static[replaced] = subject.donor.static[replaced]
        after = subject.ask(replace(probe.with_x(x), static=static)).outputs
        for row in range(probe.num_rows):
            effects[row, replaced] = gap(subject.row(after, probe, row), subject.row(before.outputs, probe, row))
    return Influence(effects=effects, subject=subject, size=size_of(subject.real(before, probe)))
