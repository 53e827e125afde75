"""Which inputs and states does none of torch's modules and cells read?"""

from __future__ import annotations

import torch
from torch import Tensor

from statewise.errors import ShapeError
from statewise.state import described
from statewise.types import State


def check_values(values: Tensor, *, name: str, input_size: int, dtype: torch.dtype) -> None:
    """Refuse values that are not `[steps, input_size]` in the dtype of the weights.

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
    if not values.dtype.is_floating_point or (values.dtype != dtype and not torch.is_autocast_enabled(values.device.type)):
        raise ShapeError(
            asked=f"unroll({name}, inputs)",
            where="inputs, dtype",
            arrived=f"{values.dtype} values for {dtype} weights",
            hint=f"Use inputs.to({dtype}); numbers of words or categories go through an nn.Embedding first.",
        )


def checked_state(state: State, shapes: tuple[tuple[int, ...], ...], *, name: str, axes: str) -> State:
    """Return the state, h or (h, c), each of its shape.

    Args:
        state: what was given.
        shapes: of h, and for an LSTM of c.
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
    return tuple(parts) if len(shapes) == 2 else state
