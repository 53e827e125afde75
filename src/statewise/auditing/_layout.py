"""How do several inputs travel as one tensor, so that every probe is changed in the same way?

A step of all inputs is one row of float64, which holds codes as exactly as numbers; they part again where the module is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of several inputs.

    Attributes:
        name: of the input.
        rest: the shape of one of its steps.
        is_code: whether it holds codes, and not numbers.
    """

    name: str
    rest: tuple[int, ...]
    is_code: bool


@dataclass(frozen=True)
class Layout:
    """The inputs, in the order in which their columns lie beside each other."""

    parts: tuple[Part, ...]

    @staticmethod
    def of(values: Mapping[str, Tensor]) -> Layout:
        """Return the layout of inputs `[steps, *rest]`."""
        return Layout(
            tuple(Part(name=name, rest=tuple(each.shape[1:]), is_code=not each.is_floating_point()) for name, each in values.items())
        )

    def joined(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return inputs `[steps, *rest]` as `[steps, columns]` in float64."""
        return torch.cat(
            [values[part.name].to(torch.float64).flatten(1) if part.rest else values[part.name].double()[:, None] for part in self.parts], 1
        )

    def parted(self, x: Tensor, dtype: torch.dtype | None) -> dict[str, Tensor]:
        """Return the inputs `[rows, time, *rest]` of `[rows, time, columns]`, numbers in `dtype` (None: float32)."""
        columns = torch.split(x, [prod(part.rest) for part in self.parts], -1)
        shaped = {part.name: each.reshape(*x.shape[:2], *part.rest) for part, each in zip(self.parts, columns, strict=True)}
        codes = {part.name for part in self.parts if part.is_code}
        return {name: each.detach().round().long() if name in codes else each.to(dtype or torch.float32) for name, each in shaped.items()}

    @property
    def holds_numbers(self) -> bool:
        """Whether no input holds codes."""
        return not any(part.is_code for part in self.parts)
