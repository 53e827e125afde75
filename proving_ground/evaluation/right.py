"""Metrics and evaluations without a mistake, as they are written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence


def accuracy(targets: Any, predictions: Any) -> float:
    """Return the share of right answers."""
    return float((targets == predictions).mean())


def f1(targets: Any, predictions: Any) -> float:
    """Return the F1 of class 1."""
    hits = float(((targets == 1) & (predictions == 1)).sum())
    return 2 * hits / max(float((targets == 1).sum() + (predictions == 1).sum()), 1.0)


def macro_f1(y_true: Any, y_pred: Any) -> float:
    """Return the mean of the F1 of all classes that occur."""
    return float(np.mean([f1(y_true == each, y_pred == each) for each in np.unique(y_true)]))


def accuracy_of_logits(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of sequences whose class has the largest logit."""
    return (logits.argmax(dim=-1) == labels).double().mean().item()


def accuracy_with_lengths(targets: Any, predictions: Any, lengths: Any) -> float:
    """Return the share of real steps that are right."""
    real = np.arange(targets.shape[1]) < lengths[:, None]
    return float((targets == predictions)[real].mean())


def accuracy_with_padding_mask(outputs: torch.Tensor, targets: torch.Tensor, padding_mask: torch.Tensor) -> float:
    """Return the share of steps that are right, without those whose mask is true."""
    return (outputs == targets)[~padding_mask].double().mean().item()


def mae(targets: Any, predictions: Any) -> float:
    """Return the mean absolute error."""
    return float(abs(targets - predictions).mean())


def masked_mse(prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of the real steps."""
    return (prediction - target)[mask].square().mean()


def ratio(parts: Sequence[tuple[Any, Any]]) -> float:
    """Return the sum of what was counted through the sum of how much."""
    return float(sum(int(part) for part, _ in parts) / sum(int(whole) for _, whole in parts))


class Accuracy:
    """A metric that sums."""

    def __init__(self) -> None:
        self.right, self.total = 0, 0

    def reset(self) -> None:
        """Begin anew."""
        self.right, self.total = 0, 0

    def update(self, preds: torch.Tensor, target: torch.Tensor) -> None:
        """Add a batch."""
        self.right += int((preds == target).sum())
        self.total += len(target)

    def compute(self) -> float:
        """Return the share of right answers."""
        return self.right / self.total


@torch.no_grad()
def evaluate(model: torch.nn.Module, loader: Any) -> float:
    """Return the accuracy of a model, which is left in the mode that it was in."""
    was_training = model.training
    model.eval()
    found = ratio([((model(x).argmax(1) == y).sum(), len(y)) for x, y in loader])
    model.train(was_training)
    return found


@torch.inference_mode()
def evaluate_steps(model: torch.nn.Module, loader: Any) -> float:
    """Return the accuracy over real steps."""
    was_training = model.training
    model.eval()
    parts = []
    for x, y, lengths in loader:
        real = torch.arange(y.shape[1]) < lengths[:, None]
        parts.append((((model(x).argmax(-1) == y) & real).sum(), real.sum()))
    model.train(was_training)
    return ratio(parts)


@torch.no_grad()
def evaluate_values(model: torch.nn.Module, loader: Any) -> float:
    """Return the mean squared error of a model with one output."""
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    for x, y in loader:
        total += float((model(x).reshape(y.shape) - y).double().square().sum())
        count += len(y)
    model.train(was_training)
    return total / count


@torch.no_grad()
def perplexity(model: torch.nn.Module, loader: Any) -> float:
    """Return the perplexity over all real steps."""
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    for x, y, _ in loader:
        total += float(functional.cross_entropy(model(x).transpose(1, 2), y, ignore_index=-100, reduction="sum"))
        count += int((y != -100).sum())
    model.train(was_training)
    return float(np.exp(total / count))
