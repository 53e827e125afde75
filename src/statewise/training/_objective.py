"""What does training make smaller? The loss of the scored targets of a batch, each with its weight; one loss for each kind of target.

Cross-entropy for classes, the same for each of several labels, squared error in units of the training targets' spread for values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

from statewise.contracts import class_probabilities
from statewise.errors import ContractError, OptionError, kind_of, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from statewise.sequences import Sequences
    from statewise.tasks import Holds


@dataclass(frozen=True)
class Scored:
    """The loss of some targets, as sums, so that batches add up to the mean over targets and not to a mean of means.

    Attributes:
        loss_sum: weighted sum.
        weight_sum: sum of the weights.
        correct: for classes, whether the largest output of each scored target is the right one; None for values and labels.
        scored: which rows of the batch were scored; with the usual loss of a forecast which of its values, `[rows * ahead]`.
    """

    loss_sum: Tensor
    weight_sum: Tensor
    correct: Tensor | None
    scored: Tensor

    @property
    def loss(self) -> Tensor:
        """The weighted mean over the targets."""
        return self.loss_sum / self.weight_sum


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The loss that fits what a target holds, or a loss of one's own.

    Attributes:
        output: what the module's outputs are, as in its contract.
        holds: what a target is; None for the task `"other"`, of which only the loss knows.
        class_weights: `[classes]`, for several labels `[labels]`: how much a present label counts against an absent one.
        label_smoothing: share of each label spread evenly.
        loss: `loss(outputs, targets)` of the scored rows, one value a row or their mean.
        scale: spread of the training targets, for values: the loss is in units of it, so that it does not depend on the unit.
    """

    output: str | None
    holds: Holds | None = "classes"
    class_weights: Tensor | None = None
    label_smoothing: float = 0.0
    loss: Callable[[Tensor, Tensor], Tensor] | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a loss that cannot be called."""
        if self.loss is not None and not callable(self.loss):
            raise OptionError(asked="fit", where="loss", arrived=kind_of(self.loss), hint="Give a function: loss(outputs, targets).")

    def __call__(
        self, values: Float[Tensor, "rows out"], targets: Shaped[Tensor, "rows *more"], weights: Float[Tensor, "rows *ahead"] | None = None
    ) -> Scored:
        """Return the loss of the targets whose weight is not 0, summed, and which classes the largest output gets right."""
        weights = weights if weights is not None else values.new_ones(targets.shape if self.holds == "values" else targets.shape[:1])
        if self.holds == "values" and values.numel() == targets.numel():
            values = values.view(targets.shape)  # [rows, 1] beside [rows] would spread to [rows, rows] in a loss of one's own
        if self.holds == "values" and self.loss is None:
            values, targets, weights = _flat(values, targets, weights)
        scored = (weights if weights.ndim == 1 else weights.amin(dim=1)) > 0
        if not bool(scored.all()):
            values, targets, weights = values[scored], targets[scored], weights[scored]
        weights = weights.to(values)
        correct = None
        if not len(targets):
            return Scored(values.sum() * 0, values.new_zeros(()), targets.bool() if self.holds == "classes" else None, scored)
        if self.holds == "classes":
            chosen = values.argmax(1) if values.shape[1] > 1 else class_probabilities(values.detach().float(), self.output).argmax(1)
            correct = chosen == targets
            weights = weights if self.class_weights is None else weights * self.class_weights.to(values)[targets]
        losses = self._losses(values, targets)
        weights = _matching(weights, losses)
        return Scored((losses * weights).sum(), weights.sum(), correct, scored)

    def _losses(self, values: Tensor, targets: Tensor) -> Tensor:
        if self.loss is not None:
            found: object = self.loss(values, targets)
            if not isinstance(found, Tensor):
                hint = "Return a tensor: one value a row of the outputs, or their mean."
                raise ContractError(asked="fit", where="loss", arrived=f"{kind_of(found)}, which has no gradient", hint=hint)
            return found
        if self.holds == "values":
            return ((values - targets) / self.scale).square()
        if self.holds == "labels":
            return self._label_losses(values, targets)
        smoothing = self.label_smoothing
        if self.output == "probabilities":
            values = class_probabilities(values, self.output).clamp_min(torch.finfo(values.dtype).tiny).log()
        elif values.shape[1] == 1:
            wanted = targets.to(values.dtype) * (1 - smoothing) + smoothing / 2
            return functional.binary_cross_entropy_with_logits(values[:, 0], wanted, reduction="none")
        return functional.cross_entropy(values, targets, reduction="none", label_smoothing=smoothing)

    def _label_losses(self, values: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the labels of each row's cross-entropies."""
        wanted = targets.to(values.dtype) * (1 - self.label_smoothing) + self.label_smoothing / 2
        if self.output == "probabilities":
            values = values.clamp(1e-7, 1 - 1e-7).logit()
        weights = None if self.class_weights is None else self.class_weights.to(values)
        return functional.binary_cross_entropy_with_logits(values, wanted, reduction="none", pos_weight=weights).mean(dim=1)


def _flat(values: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return values, targets and weights one below the other: `[rows * ahead]` each."""
    if values.shape != targets.shape:
        raise ContractError(
            asked="fit",
            where="outputs",
            arrived=f"{values.shape[-1]} a row, while a row has {targets.numel() // max(len(targets), 1)} targets",
            hint="Give one output a value to be predicted, a forecast one for each step ahead.",
        )
    return values.flatten(), targets.flatten(), weights.flatten()


def _matching(weights: Tensor, losses: Tensor) -> Tensor:
    """Return the weights in the shape of the losses: one a value, one a row, or their mean."""
    if losses.ndim == 0 or losses.shape == weights.shape:
        return weights
    if losses.shape == weights.shape[:1]:
        return weights.mean(dim=1)
    raise ContractError(
        asked="fit",
        where="loss",
        arrived=f"values of shape {tuple(losses.shape)} for {len(weights)} rows",
        hint="Return one value a row of the outputs, or their mean.",
    )


def resolve_class_weights(given: Any, train: Sequences, class_names: Sequence[str]) -> Tensor | None:
    """Return one weight a class, with mean 1 over the scored training targets; for several labels, one a present label.

    Args:
        given: None, `"balanced"` (each class counts the same in total; of a label, present as much as absent), a weight a class in
            order, or a dict by name.
        train: the training part.
        class_names: the classes or labels, in order.

    Raises:
        OptionError: another word, an unknown class, a wrong number of weights, one that is negative or not finite, or targets that
            are values.
    """
    if given is None:
        return None
    assert isinstance(train.targets, Tensor)
    if train.holds == "values":
        hint = "Leave class_weights out; weights= of the data says how much each target counts."
        raise OptionError(asked="fit", where="class_weights", arrived=f"{given!r}, and the targets are values", hint=hint)
    targets = train.targets[train.scored]
    if train.holds == "labels":
        present = targets.sum(dim=0).double()
        balanced = (len(targets) - present) / present.clamp_min(1)
        weights = balanced if given == "balanced" else torch.tensor(_listed(given, class_names), dtype=torch.float64)
        _require_usable(weights, given, whole=float(weights.sum()))
        return weights.float()
    counts = torch.bincount(targets, minlength=len(class_names)).double()
    if given == "balanced":
        weights = torch.where(counts > 0, counts.sum() / counts.clamp_min(1), 0.0)
    else:
        weights = torch.tensor(_listed(given, class_names), dtype=torch.float64)
    _require_usable(weights, given, whole=float((weights * counts).sum()))
    return (weights * counts.sum() / (weights * counts).sum()).float()


def _require_usable(weights: Tensor, given: Any, *, whole: float) -> None:
    if given == "balanced" and not whole:
        arrived = "'balanced', and no label is ever absent in the training part"
        raise OptionError(asked="fit", where="class_weights", arrived=arrived, hint="Leave it out: there is nothing to balance.")
    if not bool(weights.isfinite().all()) or bool((weights < 0).any()) or not whole:
        raise OptionError(asked="fit", where="class_weights", arrived=repr(given), hint="Give positive numbers, one a class.")


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
