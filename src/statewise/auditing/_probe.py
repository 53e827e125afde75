"""What is a module asked, and how is the question changed? A few short sequences, padded, of which everything is known.

Probes are short, since the effects of a wrong state fade within a few dozen steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from statewise.contracts import Batch
from statewise.state import map_tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.auditing._layout import Layout
    from statewise.types import State


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe:
    """A padded batch, batch first.

    Attributes:
        x: `[rows, time, *rest]`.
        lengths: `[rows]`, int64.
        side: where the padding is.
        state: what the rows go on from; None begins anew.
        is_first: `[rows, time]`; None marks the first real step of each row, or none where there is a state.
        static: `[rows, static]`, or None.
        layout: of several inputs, which lie beside each other in `x`; None for one.
        shares_state: whether the module is given the state itself, and not a copy.
    """

    x: Tensor
    lengths: Tensor
    side: Literal["right", "left"] = "right"
    state: State = None
    is_first: Tensor | None = None
    static: Tensor | None = None
    layout: Layout | None = None
    shares_state: bool = False

    @property
    def num_rows(self) -> int:
        """Number of sequences."""
        return int(self.x.shape[0])

    @property
    def time(self) -> int:
        """Number of steps, padding included."""
        return int(self.x.shape[1])

    @property
    def holds_numbers(self) -> bool:
        """Whether every step is made of numbers, and not of codes."""
        return self.x.is_floating_point() if self.layout is None else self.layout.holds_numbers

    @property
    def valid(self) -> Tensor:
        """Which steps are real: `[rows, time]`."""
        steps = torch.arange(self.time)
        return steps < self.lengths[:, None] if self.side == "right" else steps >= self.time - self.lengths[:, None]

    def batch(self, dtype: torch.dtype | None = None) -> Batch:
        """Return what a module is given; numbers in `dtype`. Nothing in it is shared with the probe, unless the state is meant to be."""
        valid = self.valid
        is_first = self.is_first
        if is_first is None:
            begins = torch.zeros_like(self.lengths) if self.side == "right" else self.time - self.lengths
            is_first = (torch.arange(self.time) == begins[:, None]) & valid & (self.state is None)
        return Batch(
            x=_as(self.x, dtype) if self.layout is None else self.layout.parted(self.x.clone(), dtype),
            lengths=self.lengths.clone(),
            mask=valid,
            state=self.state if self.shares_state else map_tensors(torch.clone, self.state),
            is_first=is_first.clone(),
            static=None if self.static is None else _as(self.static, dtype),
        )

    def rows(self, rows: Sequence[int]) -> Probe:
        """Return some of the rows, still as long as they were padded, in the order asked."""
        index = torch.tensor(rows)
        return replace(
            self,
            x=self.x[index],
            lengths=self.lengths[index],
            is_first=None if self.is_first is None else self.is_first[index],
            static=None if self.static is None else self.static[index],
        )

    def alone(self, row: int) -> Probe:
        """Return one row, trimmed to its own steps."""
        one = self.rows([row])
        return replace(
            one,
            x=one.x[one.valid].unsqueeze(0),
            is_first=None if one.is_first is None else one.is_first[one.valid].unsqueeze(0),
        )

    def steps(self, begin: int, end: int) -> Probe:
        """Return the steps from `begin` to before `end` of rows that are all as long as the probe."""
        assert bool((self.lengths == self.time).all()), "only whole rows are cut"
        return replace(
            self,
            x=self.x[:, begin:end],
            lengths=torch.full_like(self.lengths, end - begin),
            is_first=None if self.is_first is None else self.is_first[:, begin:end],
        )

    def end_to_end(self, times: int) -> Probe:
        """Return the steps of rows that are all as long as the probe so many times over."""
        assert bool((self.lengths == self.time).all()), "only whole rows are laid end to end"
        return replace(self, x=torch.cat([self.x] * times, 1), lengths=self.lengths * times)

    def padded(self, more: int, values: Tensor | None = None) -> Probe:
        """Return the same rows with `more` steps of padding, zeros or the given ones `[rows, more, *rest]`."""
        filling = self.x.new_zeros((self.num_rows, more, *self.x.shape[2:])) if values is None else values
        flags = torch.zeros((self.num_rows, more), dtype=torch.bool)

        def joined(own: Tensor, added: Tensor) -> Tensor:
            return torch.cat([own, added] if self.side == "right" else [added, own], 1)

        return replace(self, x=joined(self.x, filling), is_first=None if self.is_first is None else joined(self.is_first, flags))

    def going_on(self, state: State) -> Probe:
        """Return the same rows as the next window of what ended in a state: no row begins in it."""
        return replace(self, state=state, is_first=torch.zeros(self.x.shape[:2], dtype=torch.bool))

    def real_step(self, back: int) -> Tensor:
        """Return where the step is that lies so many before the end of each row, its last one at 1: `[rows]`."""
        return self.lengths - back if self.side == "right" else torch.full_like(self.lengths, self.time - back)

    def padded_with(self, values: Tensor) -> Probe:
        """Return the same rows with these values, in the shape of all steps, where the padding is."""
        return self.with_x(torch.where(spread(self.valid, self.x), self.x, values))

    def with_x(self, x: Tensor) -> Probe:
        """Return the same rows with other values."""
        return replace(self, x=x)


def spread(flags: Tensor, values: Tensor) -> Tensor:
    """Return flags of the first axes as they lie beside values that have more of them."""
    return flags.view(*flags.shape, *([1] * (values.ndim - flags.ndim)))


def _as(values: Tensor, dtype: torch.dtype | None) -> Tensor:
    return values.to(dtype).clone() if dtype is not None and values.dtype.is_floating_point else values.clone()
