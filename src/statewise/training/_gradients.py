"""How large are the gradients of each layer, and are they clipped? Measured at every update, before clipping."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

_RECURRENT = re.compile(r"(?:weight|bias)_(?:ih|hh|hr)_(l\d+)(_reverse)?$")


def layer_of(parameter: str) -> str:
    """Return the layer that a parameter belongs to: its module, and in a recurrent one the layer and direction.

    Example:
        >>> [layer_of(name) for name in ("core.weight_ih_l0", "core.bias_hh_l1_reverse", "head.weight", "scale")]
        ['core.l0', 'core.l1.reverse', 'head', 'scale']
    """
    module, _, name = parameter.rpartition(".")
    found = _RECURRENT.match(name)
    if found is None:
        return module or name
    return ".".join(part for part in (module, found[1], "reverse" if found[2] else "") if part)


class GradientNorms:
    """The gradient norm of each layer of one model and of all together, with one transfer to the host an update."""

    def __init__(self, model: nn.Module) -> None:
        self.layers: dict[str, list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                self.layers.setdefault(layer_of(name), []).append(parameter)

    def measure_and_clip(self, limit: float) -> tuple[float, dict[str, float], bool]:
        """Return the norm of all gradients before clipping, that of each layer, and whether they were scaled down to `limit`.

        A limit of 0 clips nothing; gradients that are not finite are left as they are.
        """
        gradients = [[each.grad for each in layer if each.grad is not None] for layer in self.layers.values()]
        flat = [gradient for layer in gradients for gradient in layer]
        if not flat:
            return 0.0, dict.fromkeys(self.layers, 0.0), False
        squares = torch.stack(torch._foreach_norm(flat)).double().square().tolist()  # noqa: SLF001  # what clip_grad_norm_ itself uses
        norms, place = {}, 0
        for name, layer in zip(self.layers, gradients, strict=True):
            norms[name] = math.sqrt(sum(squares[place : place + len(layer)]))
            place += len(layer)
        total = math.sqrt(sum(squares))
        clipped = 0 < limit < total < math.inf
        if clipped:
            torch._foreach_mul_(flat, limit / total)
        return total, norms, clipped


def finite(value: float) -> float | None:
    """Return the value, or None for one that is not finite: the form in which records hold it."""
    return value if math.isfinite(value) else None
