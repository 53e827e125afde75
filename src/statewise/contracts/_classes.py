"""How do a module's raw outputs become probabilities of classes, whatever form it gives them in?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from statewise.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.tasks import Holds


def class_probabilities(values: Float[Tensor, "rows out"], output: str | None) -> Float[Tensor, "rows classes"]:
    """Return one probability a class; a single output is that of the second of two classes.

    Args:
        values: the module's outputs.
        output: `"probabilities"` if that is what they are; anything else is read as logits.

    Example:
        >>> class_probabilities(torch.zeros(1, 1), "logits").tolist()
        [[0.5, 0.5]]
    """
    if values.shape[1] == 1:
        second = values if output == "probabilities" else values.sigmoid()
        return torch.cat([1 - second, second], dim=1)
    return values if output == "probabilities" else values.softmax(dim=1)


def require_outputs(values: Float[Tensor, "rows out"], class_names: Sequence[str], model: str, *, holds: Holds = "classes") -> None:
    """Refuse outputs that are not one a class or label (or a single one for two classes), or no value at all.

    Raises:
        ShapeError: how many there are, and how many were needed.
    """
    if holds == "values" and values.shape[1] > 0:
        return
    if values.shape[1] == len(class_names) or (holds == "classes" and values.shape[1] == 1 and len(class_names) == 2):
        return
    raise ShapeError(
        asked=f"read the outputs of {model}",
        where="the last dimension",
        arrived=f"{values.shape[1]} outputs for {len(class_names)} {holds} ({', '.join(class_names[:6])})",
        hint=f"Build the model with {len(class_names)} outputs{', or 1 for two classes' if len(class_names) == 2 else ''}.",
    )
