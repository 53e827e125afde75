"""What does a user's `call=` get to see, and how do padded tensors come from ragged ones and go back?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from statewise.errors import ContractError

if TYPE_CHECKING:
    from typing import Literal

    from statewise.sequences import Ragged, Sequences
    from statewise.types import State


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One batch as the outside world knows it: padded, batch first.

    Attributes:
        x: `[batch, time, *rest]`, or a dict of them with several inputs; padded with zeros.
        lengths: `[batch]`, int64.
        mask: `[batch, time]`, True at real steps.
        state: the state that the batch begins from, or None.
        is_first: `[batch, time]`, True at the first real step of each row; nowhere where there is a state: then the rows go on.
        static: `[batch, static]`, or None.
    """

    x: Tensor | dict[str, Tensor]
    lengths: Tensor
    mask: Tensor
    state: State
    is_first: Tensor
    static: Tensor | None


@dataclass(frozen=True, kw_only=True)
class Watched(Batch):
    """A batch that remembers what of it was read.

    Attributes:
        read: the names of the fields that were.
    """

    read: set[str]

    def __getattribute__(self, name: str) -> Any:
        """Return a field, and note that it was asked for."""
        if name in _FIELDS:
            object.__getattribute__(self, "read").add(name)
        return object.__getattribute__(self, name)


_FIELDS = frozenset(Batch.__dataclass_fields__)


def watched(batch: Batch) -> Watched:
    """Return the batch as one that remembers what of it is read."""
    return Watched(**{name: getattr(batch, name) for name in _FIELDS}, read=set())


class Padding:
    """Where each real step lies in a padded `[batch, time]` tensor: made once a batch, used for every part of it."""

    def __init__(self, lengths: Tensor, side: Literal["right", "left"] = "right") -> None:
        self.lengths = lengths
        self.time = int(lengths.max()) if len(lengths) else 0
        steps = torch.arange(self.time, device=lengths.device).expand(len(lengths), self.time)
        self.mask = steps < lengths[:, None] if side == "right" else steps >= self.time - lengths[:, None]
        begins = torch.zeros_like(lengths) if side == "right" else self.time - lengths
        self.is_first = (steps == begins[:, None]) & self.mask

    def pad(self, values: Tensor) -> Tensor:
        """Return `[batch, time, *rest]` from the flat real steps `[steps, *rest]`; padded entries are zero."""
        padded = values.new_zeros((len(self.lengths), self.time, *values.shape[1:]))
        padded[self.mask] = values
        return padded

    def unpad(self, padded: Tensor) -> Tensor:
        """Return the flat real steps `[steps, *rest]` of `[batch, time, *rest]`."""
        return padded[self.mask]


def make_batch(data: Sequences, padding: Padding, state: State = None, device: torch.device | str = "cpu") -> Batch:
    """Return the padded batch of some sequences."""

    def pad(part: Ragged) -> Tensor:
        return padding.pad(part.values).to(device)

    parts = data.parts
    return Batch(
        x=pad(parts["x"]) if set(parts) == {"x"} else {name: pad(part) for name, part in parts.items()},
        lengths=padding.lengths.to(device),
        mask=padding.mask.to(device),
        state=state,
        is_first=(padding.is_first if state is None else torch.zeros_like(padding.is_first)).to(device),
        static=None if data.static is None else data.static.to(device),
    )


def single_input(batch: Batch, module: str) -> Tensor:
    """Return the one input of a batch; several have no agreed order of arguments, so they need `call=`."""
    if isinstance(batch.x, Tensor):
        return batch.x
    raise ContractError(
        asked=f"call {module}",
        where="inputs",
        arrived=f"several of them ({', '.join(batch.x)})",
        hint="Say how they go in: call=lambda module, batch: module(batch.x['...'], ...).",
    )
