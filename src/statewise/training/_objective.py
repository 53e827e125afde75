"""What does training make smaller? Cross-entropy over the real items of a batch, each class with its weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from statewise.contracts import class_probabilities
from statewise.errors import OptionError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from statewise.sequences import Sequences


@dataclass(frozen=True)
class Scored:
    """The loss of some items, as sums, so that batches add up to the mean over items and not to a mean of means."""

    loss_sum: Tensor
    weight_sum: Tensor
    correct: Tensor

    @property
    def loss(self) -> Tensor:
        """The weighted mean over the items."""
        return self.loss_sum / self.weight_sum


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Cross-entropy, or a loss of one's own `loss(outputs, targets)` that gives one value an item, or their mean."""

    output: str | None
    class_weights: Tensor | None = None
    label_smoothing: float = 0.0
    loss: Callable[[Tensor, Tensor], Tensor] | None = None

    def __call__(self, values: Float[Tensor, "rows out"], targets: Int[Tensor, " rows"]) -> Scored:
        """Return the loss of each item, summed, and which items the largest output gets right."""
        correct = class_probabilities(values.detach().float(), self.output).argmax(1) == targets
        weights = torch.ones_like(targets, dtype=values.dtype) if self.class_weights is None else self.class_weights.to(values)[targets]
        losses = self._losses(values, targets)
        return Scored((losses * weights).sum(), weights.sum(), correct)

    def _losses(self, values: Tensor, targets: Tensor) -> Tensor:
        if self.loss is not None:
            return self.loss(values, targets)
        smoothing = self.label_smoothing
        if self.output == "probabilities":
            values = class_probabilities(values, self.output).clamp_min(torch.finfo(values.dtype).tiny).log()
        elif values.shape[1] == 1:
            wanted = targets.to(values.dtype) * (1 - smoothing) + smoothing / 2
            return functional.binary_cross_entropy_with_logits(values[:, 0], wanted, reduction="none")
        return functional.cross_entropy(values, targets, reduction="none", label_smoothing=smoothing)


def resolve_class_weights(given: Any, train: Sequences, class_names: Sequence[str]) -> Tensor | None:
    """Return one weight a class, with mean 1 over the training targets.

    Args:
        given: None, `"balanced"` (each class counts the same in total), a weight a class in order, or a dict by name.
        train: the training part.
        class_names: the classes, in order.

    Raises:
        OptionError: another word, an unknown class, a wrong number of weights, or one that is negative or not finite.
    """
    if given is None:
        return None
    assert isinstance(train.targets, Tensor)
    counts = torch.bincount(train.targets, minlength=len(class_names)).double()
    if given == "balanced":
        weights = torch.where(counts > 0, counts.sum() / counts.clamp_min(1), 0.0)
    else:
        weights = torch.tensor(_listed(given, class_names), dtype=torch.float64)
    if not bool(weights.isfinite().all()) or bool((weights < 0).any()) or not float((weights * counts).sum()):
        raise OptionError(asked="fit", where="class_weights", arrived=repr(given), hint="Give positive numbers, one a class.")
    return (weights * counts.sum() / (weights * counts).sum()).float()


def _listed(given: Mapping[str, float] | Sequence[float] | str, class_names: Sequence[str]) -> list[float]:
    if isinstance(given, str):
        raise OptionError(asked="fit", where="class_weights", arrived=repr(given), hint="Write 'balanced', or give a number a class.")
    if hasattr(given, "keys"):
        unknown = [str(name) for name in given if str(name) not in class_names]
        if unknown:
            raise OptionError(asked="fit", where="class_weights", arrived=f"class {unknown[0]!r}", hint=nearest(unknown[0], class_names))
        by_name = {str(name): float(weight) for name, weight in given.items()}  # type: ignore[union-attr]
        return [by_name.get(name, 1.0) for name in class_names]
    if len(given) != len(class_names):
        raise OptionError(
            asked="fit",
            where="class_weights",
            arrived=f"{len(given)} weights for {len(class_names)} classes",
            hint=f"Give one for each of {list(class_names)[:12]}.",
        )
    return [float(weight) for weight in given]
