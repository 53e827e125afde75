"""Which inputs and flags are refused, because the order of their axes or what they mean is not clear?

Features and states are each kernel's own to check.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from statewise.engine._kernels import Kernel
from statewise.errors import ContractError, ShapeError, kind_of
from statewise.sequences import Ragged


def check_dense(kernel: Kernel, inputs: Any) -> None:
    """Refuse inputs that are no tensor, or one whose axes are not clearly `[time, batch, *feature]`.

    Raises:
        ContractError: neither a `Ragged` nor a tensor.
        ShapeError: too few or too many axes, or a torch module that reads the batch first.
    """
    asked = f"unroll({kernel.name}, inputs)"
    if not isinstance(inputs, Tensor):
        raise ContractError(
            asked=asked,
            where="inputs",
            arrived=kind_of(inputs),
            hint="Use Ragged.from_packed(inputs)."
            if isinstance(inputs, PackedSequence)
            else "Give a Ragged (Ragged.from_list, from_padded, ...) or a dense tensor [time, batch, *feature].",
        )
    if inputs.ndim < 2 or inputs.ndim != (kernel.num_axes or inputs.ndim):
        raise ShapeError(
            asked=asked,
            where="inputs",
            arrived=f"a tensor of shape {tuple(inputs.shape)}, in which time, batch and feature cannot be told apart",
            hint="Give [time, batch, feature]; for one sequence [time, feature] use Ragged.from_list([inputs]).",
        )
    if kernel.is_batch_first:
        raise ShapeError(
            asked=asked,
            where="inputs, order of axes",
            arrived=f"a dense tensor of shape {tuple(inputs.shape)}, which unroll reads as [time, batch, feature], "
            "for a module that says batch_first=True",
            hint="If it is [batch, time, feature] use Ragged.from_padded(inputs, lengths); "
            "if it is [time, batch, feature] build the module with batch_first=False.",
        )


def check_flags(kernel: Kernel, inputs: Ragged | Tensor, is_first: Any) -> None:
    """Refuse flags that are not one boolean a step and lane of dense inputs.

    Raises:
        ShapeError: flags of another shape or type, or beside a `Ragged`.
    """
    if is_first is None:
        return
    asked = f"unroll({kernel.name}, inputs, is_first=...)"
    if isinstance(inputs, Ragged):
        raise ShapeError(
            asked=asked,
            where="is_first",
            arrived="flags beside a Ragged, whose lengths already say where each sequence begins",
            hint="Leave is_first out, or give dense inputs [time, batch, *feature].",
        )
    if not isinstance(is_first, Tensor) or is_first.dtype != torch.bool or is_first.shape != inputs.shape[:2]:
        given = f"{is_first.dtype} tensor of shape {tuple(is_first.shape)}" if isinstance(is_first, Tensor) else type(is_first).__name__
        raise ShapeError(
            asked=asked,
            where="is_first",
            arrived=f"a {given}",
            hint=f"Give one boolean a step and lane, shape {tuple(inputs.shape[:2])}, true at the first step of a sequence.",
        )
