"""Which inputs and states does none of torch's modules and cells read?"""

from __future__ import annotations

import torch
from torch import Tensor

from statewise.errors import ShapeError
from statewise.state import described
from statewise.types import State


def check_values(values: Tensor, *, name: str, input_size: int, weight: Tensor) -> None:
    """Refuse values that are not `[steps, input_size]` on the device and in the dtype of the weights.

    Raises:
        ShapeError: what was expected, what came, and the likely cause.
    """
    shape = tuple(values.shape)
    if values.ndim != 2 or shape[1] != input_size:
        features = f"{shape[1]} features a step" if values.ndim == 2 else f"steps of shape {shape[1:]}"
        raise ShapeError(
            asked=f"unroll({name}, inputs)",
            where="inputs, features",
            arrived=f"{features}, but the module reads {input_size} (its input_size)",
            hint=f"Build the module with input_size={shape[-1]}, or give the {input_size} features that it was built for."
            if values.ndim == 2
            else f"Give one list of {input_size} numbers a step.",
        )
    if values.device != weight.device:
        raise ShapeError(
            asked=f"unroll({name}, inputs)",
            where="inputs, device",
            arrived=f"values on {values.device} for weights on {weight.device}",
            hint=f"Use inputs.to('{weight.device}'), or move the module to where the inputs are.",
        )
    if not _fits(values, weight.dtype):
        raise ShapeError(
            asked=f"unroll({name}, inputs)",
            where="inputs, dtype",
            arrived=f"{values.dtype} values for {weight.dtype} weights",
            hint=f"Use inputs.to({weight.dtype}); numbers of words or categories go through an nn.Embedding first.",
        )


def checked_state(state: State, shapes: tuple[tuple[int, ...], ...], *, weight: Tensor, name: str, axes: str) -> State:
    """Return the state, h or (h, c), each of its shape, on the device and in the dtype of the weights.

    Under autocast it may be of any precision, and keeps its own.

    Args:
        state: what was given.
        shapes: of h, and for an LSTM of c.
        weight: one of the weights.
        name: the module as a message shows it.
        axes: what the axes of a shape are.

    Raises:
        ShapeError: another state.
    """
    parts = (state,) if len(shapes) == 1 else state
    fits = isinstance(parts, tuple | list) and len(parts) == len(shapes)
    if not fits or any(not isinstance(part, Tensor) or part.shape != shape for part, shape in zip(parts, shapes, strict=True)):
        wanted = " and ".join(f"{letter} {shape}" for letter, shape in zip("hc", shapes, strict=False))
        given = ", ".join(described(part) for part in parts) if isinstance(parts, tuple | list) else described(state)
        raise ShapeError(
            asked=f"unroll({name}, inputs, state)",
            where="state",
            arrived=given or "nothing",
            hint=f"Give {wanted} ({axes}; one row a sequence or lane), or None for zeros."
            + (" An LSTM carries two tensors, (h, c)." if len(shapes) == 2 else ""),
        )
    for letter, part in zip("hc", parts, strict=False):
        if part.device != weight.device or not _fits(part, weight.dtype):
            is_elsewhere = part.device != weight.device
            was, needed = (part.device, weight.device) if is_elsewhere else (part.dtype, weight.dtype)
            raise ShapeError(
                asked=f"unroll({name}, inputs, state)",
                where=f"state, {'device' if is_elsewhere else 'dtype'} of {letter}",
                arrived=f"{was}, where the weights are {f'on {needed}' if is_elsewhere else needed}",
                hint=f"Use {letter}.to({repr(str(needed)) if is_elsewhere else needed}), or None for zeros.",
            )
    return tuple(parts) if len(shapes) == 2 else state


def _fits(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether a tensor has the dtype of the weights; under autocast any floating one will do."""
    return tensor.dtype == dtype or (tensor.dtype.is_floating_point and torch.is_autocast_enabled(tensor.device.type))
