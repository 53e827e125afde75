"""Where in memory does cuDNN want the weights of one layer, so that it neither copies them at every call nor warns that it does?

In one buffer, in an order of its own. A module of one layer and direction has them there. Of a larger one a single layer has not, and
without biases torch would even read what follows the two matrices as biases: there the weights are moved, in one differentiable copy.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from statewise.engine._transforms import is_transformed


class Layout(NamedTuple):
    """Where the weights lie: how many numbers the buffer holds, and at which of them each weight begins."""

    size: int
    offsets: tuple[int, ...]


def flat_weights(mode: str, weights: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the weights of one layer as they are where cuDNN takes them so, or where it is not asked; else the same ones moved.

    Args:
        mode: `"lstm"`, `"gru"`, `"rnn_tanh"` or `"rnn_relu"`.
        weights: two matrices, then two biases where there are some, then a projection, all of one dtype.
    """
    first = weights[0]
    if first.device.type != "cuda" or not torch.backends.cudnn.is_acceptable(first):
        return weights
    if is_transformed():  # a storage cannot be asked for there; one of its own has no room for biases that are none
        return weights if len(weights) >= 4 else (first.clone(), *weights[1:])
    layout = _layout(mode, tuple(tuple(weight.shape) for weight in weights), first.dtype, first.device)
    return weights if layout is None or lie_flat(weights, layout) else moved(weights, layout)


def lie_flat(weights: tuple[Tensor, ...], layout: Layout) -> bool:
    """Whether the weights fill one buffer as the layout says, and nothing else is in it."""
    storage = weights[0].untyped_storage()
    return storage.nbytes() == layout.size * weights[0].element_size() and all(
        weight.untyped_storage().data_ptr() == storage.data_ptr() and weight.storage_offset() == offset and weight.is_contiguous()
        for weight, offset in zip(weights, layout.offsets, strict=True)
    )


def moved(weights: tuple[Tensor, ...], layout: Layout) -> tuple[Tensor, ...]:
    """Return the weights as parts of one new buffer, zeros where the layout leaves room; gradients go back to each."""
    order = sorted(range(len(weights)), key=layout.offsets.__getitem__)
    parts: list[Tensor] = []
    places: dict[int, int] = {}
    for number, following in pairwise([*order, None]):
        assert number is not None
        places[number] = len(parts)
        parts.append(weights[number].reshape(-1))
        end = layout.size if following is None else layout.offsets[following]
        if room := end - layout.offsets[number] - weights[number].numel():
            parts.append(weights[number].new_zeros(room))
    views = torch.cat(parts).split([len(part) for part in parts])
    return tuple(views[places[number]].view(weight.shape) for number, weight in enumerate(weights))


@cache
def _layout(mode: str, shapes: tuple[tuple[int, ...], ...], dtype: torch.dtype, device: torch.device) -> Layout | None:
    """Return the layout that cuDNN gives to weights of these shapes, found by letting torch lay out some of no account."""
    if not torch._use_cudnn_rnn_flatten_weight():  # noqa: SLF001  # as nn.RNNBase.flatten_parameters asks
        return None
    from torch.backends.cudnn import rnn  # what flatten_parameters imports, where there is cuDNN only

    weights = [torch.zeros(shape, dtype=dtype, device=device) for shape in shapes]
    units = shapes[1][0] // {"lstm": 4, "gru": 3}.get(mode, 1)
    projection = shapes[1][1] if shapes[1][1] != units else 0
    with torch.no_grad(), torch.cuda.device(device):
        buffer = torch._cudnn_rnn_flatten_weight(  # noqa: SLF001
            weights, len(weights), shapes[0][1], rnn.get_cudnn_mode(mode.upper()), units, projection, 1, False, False  # noqa: FBT003
        )  # fmt: skip
    return Layout(len(buffer), tuple(int(weight.storage_offset()) for weight in weights))
