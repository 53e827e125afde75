"""How is a batch of unequal sequences held without padding?

`Ragged` keeps all steps of all sequences one after another. Other layouts are made and read at the edge, in `_layouts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from statewise.errors import ShapeError
from statewise.sequences import _layouts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa  # type: ignore[import-untyped]
    from torch.nn.utils.rnn import PackedSequence


@dataclass(frozen=True, eq=False, repr=False)
class Ragged:
    """A batch of sequences of unequal lengths, without padding.

    Args:
        values: `[steps, *rest]`, the steps of all sequences, one sequence after another.
        lengths: `[n]`, int64 on the CPU or where the values are; zero is allowed.

    Raises:
        ShapeError: the lengths are not whole numbers, are negative, or do not add up to the number of steps.

    Example:
        >>> r = Ragged(torch.arange(5.0), torch.tensor([2, 0, 3]))
        >>> r.offsets.tolist()
        [0, 2, 2, 5]
        >>> [part.tolist() for part in r.to_list()]
        [[0.0, 1.0], [], [2.0, 3.0, 4.0]]
    """

    values: Shaped[Tensor, "steps *rest"]
    lengths: Int[Tensor, " n"]

    def __post_init__(self) -> None:
        """Refuse lengths that do not describe the values."""
        asked = "Ragged(values, lengths)"
        lengths = _layouts.as_lengths(self.lengths, asked=asked)
        object.__setattr__(self, "lengths", lengths)
        total = sum(lengths.tolist())  # as in `as_lengths`: Python is faster than a call of torch on a few hundred numbers
        if self.values.ndim < 1 or total != self.values.shape[0]:
            raise ShapeError(
                asked=asked,
                where="lengths",
                arrived=f"they add up to {total} steps, but values has shape {tuple(self.values.shape)}",
                hint="values holds all steps one after another, [steps, ...]; from a padded tensor use Ragged.from_padded(x, lengths).",
            )

    @cached_property
    def offsets(self) -> Int[Tensor, " n_plus_one"]:
        """Where each sequence begins in `values`, and the total at the end: `[n + 1]`, as Arrow lists and `cu_seqlens`."""
        return torch.nn.functional.pad(self.lengths.cumsum(0), (1, 0))

    @cached_property
    def rows(self) -> Int[Tensor, " steps"]:
        """The number of the sequence that each step belongs to: `[steps]`."""
        return _layouts.rows_of(self.lengths)

    @cached_property
    def positions(self) -> Int[Tensor, " steps"]:
        """The position of each step in its own sequence, from 0: `[steps]`."""
        return _layouts.positions_of(self.lengths)

    @property
    def num_steps(self) -> int:
        """Number of steps of all sequences together."""
        return int(self.values.shape[0])

    def __len__(self) -> int:
        """Return the number of sequences."""
        return int(self.lengths.shape[0])

    def __getitem__(self, row: int) -> Shaped[Tensor, "time *rest"]:
        """Return the steps of one sequence; a negative row counts from the end."""
        row = range(len(self))[row]
        start, end = self.offsets[row : row + 2].tolist()
        return self.values[start:end]

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the steps of each sequence."""
        return iter(self.to_list())

    def __repr__(self) -> str:
        """Return the sizes, not the numbers."""
        span = f"{int(self.lengths.min())}-{int(self.lengths.max())}" if len(self) else "none"
        values = f"values {list(self.values.shape)} {self.values.dtype}"
        return f"Ragged({len(self)} sequences, {self.num_steps} steps, lengths {span}, {values})"

    def with_values(self, values: Shaped[Tensor, "steps *other"]) -> Ragged:
        """Return other values for the same steps."""
        if values.ndim < 1 or values.shape[0] != self.num_steps:
            return Ragged(values, self.lengths)  # which refuses them
        made = object.__new__(type(self))
        vars(made).update(vars(self), values=values)  # with the offsets, where they are known
        return made

    def select(self, rows: Int[Tensor, " k"] | Bool[Tensor, " n"] | Sequence[int]) -> Ragged:
        """Return the given sequences, in the order asked; a row may be asked for twice, and a mask keeps the rows that are true.

        Raises:
            ShapeError: a row that does not exist, or a mask of another length.
        """
        index = as_rows(rows, len(self), asked="Ragged.select(rows)").to(self.lengths.device)
        return self.taken(index, self.steps_of(index))

    def taken(self, rows: Int[Tensor, " k"], steps: Int[Tensor, " steps"]) -> Ragged:
        """Return the given sequences, whose steps are known from `steps_of`."""
        made = object.__new__(Ragged)  # what is taken from something that fits fits: it is not looked at again
        vars(made).update(values=self.values.index_select(0, steps.to(self.values.device)), lengths=self.lengths[rows])
        return made

    def steps_of(self, rows: Int[Tensor, " k"]) -> Int[Tensor, " steps"]:
        """Return the numbers of the steps of the given sequences, in the order asked."""
        lengths = self.lengths[rows]
        gaps = self.offsets[:-1][rows] - (lengths.cumsum(0) - lengths)
        return gaps.repeat_interleave(lengths) + torch.arange(int(lengths.sum()), device=lengths.device)

    def to(self, device: torch.device | str | torch.dtype | None = None, dtype: torch.dtype | None = None) -> Ragged:
        """Return the same sequences on another device, or their values in another dtype, as a tensor's `to`; lengths stay whole numbers.

        Example:
            >>> Ragged(torch.ones(3), torch.tensor([2, 1])).to(torch.float64).values.dtype
            torch.float64
        """
        device, dtype = (None, device) if isinstance(device, torch.dtype) else (device, dtype)
        values = self.values.to(device=device, dtype=dtype)
        lengths = self.lengths if device is None else self.lengths.to(device)
        return self if values is self.values and lengths is self.lengths else Ragged(values, lengths)

    @staticmethod
    def concatenate(parts: Sequence[Ragged]) -> Ragged:
        """Return the sequences of all parts, one part after another.

        Raises:
            ShapeError: there is no part, or the steps of two parts have different sizes.
        """
        values, _ = _layouts.from_list([part.values for part in parts], asked="Ragged.concatenate(parts)", item="part")
        return Ragged(values, torch.cat([part.lengths for part in parts]))

    @classmethod
    def from_list(cls, sequences: Sequence[Shaped[Tensor, "..."]]) -> Ragged:
        """Return the ragged batch of a list of tensors `[time_i, *rest]`; an empty list has no shape and is refused."""
        return cls(*_layouts.from_list(sequences))

    def to_list(self) -> list[Tensor]:
        """Return one tensor `[time_i, *rest]` a sequence."""
        return list(torch.split(self.values, self.lengths.tolist()))

    @classmethod
    def from_padded(
        cls, padded: Shaped[Tensor, "a b *rest"], lengths: Int[Tensor, " n"] | Sequence[int], *, batch_first: bool = True
    ) -> Ragged:
        """Return the real steps of a right-padded tensor, `[batch, time, *rest]` or with `batch_first=False` `[time, batch, *rest]`."""
        return cls(*_layouts.from_padded(padded, lengths, batch_first=batch_first))

    def to_padded(self, *, batch_first: bool = True, padding: float = 0.0) -> tuple[Shaped[Tensor, "a b *rest"], Int[Tensor, " n"]]:
        """Return `(padded, lengths)`, padded on the right with `padding`."""
        return _layouts.to_padded(self.values, self.lengths, batch_first=batch_first, padding=padding)

    @classmethod
    def from_packed(cls, packed: PackedSequence) -> Ragged:
        """Return the sequences of a `PackedSequence`, in the order in which they were packed."""
        return cls(*_layouts.from_packed(packed))

    def to_packed(self) -> PackedSequence:
        """Return a `PackedSequence`; torch allows no sequence of length 0 in it, so one is refused."""
        return _layouts.to_packed(self.values, self.lengths)

    @classmethod
    def from_nested(cls, nested: Tensor) -> Ragged:
        """Return the sequences of a nested tensor with the jagged layout."""
        return cls(*_layouts.from_nested(nested))

    def to_nested(self) -> Tensor:
        """Return a nested tensor with the jagged layout, sharing the values."""
        return _layouts.to_nested(self.values, self.lengths)

    @classmethod
    def from_arrow(cls, array: pa.ListArray | pa.LargeListArray | pa.ChunkedArray) -> Ragged:
        """Return the sequences of an Arrow list array: one list a sequence, of numbers or of equally long lists of numbers."""
        return cls(*_layouts.from_arrow(array))

    def to_arrow(self) -> pa.LargeListArray:
        """Return an Arrow list array: one list a sequence, its items numbers or fixed-size lists."""
        return _layouts.to_arrow(self.values, self.lengths)


def as_rows(rows: Tensor | Sequence[int], num_rows: int, *, asked: str) -> Int[Tensor, " k"]:
    """Return the numbers of the chosen rows, from 0, of numbers (negative ones count from the end) or of a mask.

    Raises:
        ShapeError: a row that does not exist, or a mask of another length.

    Example:
        >>> as_rows(torch.tensor([True, False, True]), 3, asked="select").tolist(), as_rows([-1], 3, asked="select").tolist()
        ([0, 2], [2])
    """
    index = torch.as_tensor(rows)
    if index.dtype == torch.bool and index.shape == (num_rows,):
        return index.nonzero().flatten()
    index = index.to(torch.int64) if index.numel() == 0 else index
    whole = not (index.dtype.is_floating_point or index.dtype.is_complex or index.dtype == torch.bool)
    if index.ndim != 1 or not whole or bool(((index < -num_rows) | (index >= num_rows)).any()):
        raise ShapeError(
            asked=asked,
            where="rows",
            arrived=f"{index.dtype} of shape {tuple(index.shape)}" + (f", from {index.min()} to {index.max()}" if whole else ""),
            hint=f"Give row numbers below {num_rows}, or a mask of {num_rows} true or false.",
        )
    index = index.to(torch.int64)
    return torch.where(index < 0, index + num_rows, index)


def mean_per_sequence(values: Float[Tensor, "steps *rest"], lengths: Int[Tensor, " n"]) -> Float[Tensor, "n *rest"]:
    """Mean over each sequence's own steps; a sequence without steps gives NaN, never zero.

    Example:
        >>> mean_per_sequence(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([2, 1])).tolist()
        [2.0, 5.0]
    """
    counts = lengths.to(values.device, torch.int64)
    totals = values.new_zeros(counts.shape[0], *values.shape[1:]).index_add(0, _layouts.rows_of(counts), values)
    return totals / counts.view(-1, *([1] * (values.ndim - 1))).to(values.dtype)
