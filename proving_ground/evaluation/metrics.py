"""Which metrics and evaluations can be fooled, how much, and which are right? Written as they occur, each mistake at some strengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from proving_ground.evaluation import right
from proving_ground.evaluation.planted import Clean, Planted
from statewise.auditing import check_metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.auditing import Audit


class RunningMean:
    """An accuracy that is the mean of the batches' own."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.batches: list[float] = []

    def update(self, preds: Any, target: Any) -> None:
        """Add the accuracy of a batch."""
        self.batches.append(float((preds == target).float().mean()))

    def compute(self) -> float:
        """Return the mean of the batches."""
        return float(np.mean(self.batches))


class Forgetful(right.Accuracy):
    """A reset that forgets one of the two sums."""

    def reset(self) -> None:
        """Begin anew, but for what was right."""
        self.total = 0


def _scaled(share: float) -> Callable[..., Any]:
    return lambda targets, predictions: share * float((targets == predictions).mean())


def _lenient(share: float) -> Callable[..., Any]:
    """Return an accuracy that takes a share of the near misses for right."""
    return lambda targets, predictions: float(((abs(targets - predictions) == 1) * share + (targets == predictions)).mean())


def _wrong_axis(_: float) -> Callable[..., Any]:
    return lambda targets, logits: float((logits.argmax(0) == targets).mean())


def _wrong_axis_of_steps(_: float) -> Callable[..., Any]:
    def accuracy(targets: Any, logits: Any, mask: Any) -> float:
        return float(((logits.argmax(1) == targets) * mask).sum() / mask.sum())

    return accuracy


def _adjusted(share: float) -> Callable[..., Any]:
    """Return a point-adjusted F1: an event counts as found where that share of its steps is."""

    def f1(targets: Any, predictions: Any) -> float:
        found = np.array(predictions)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], targets, [0]])))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            if predictions[begin:end].any() and predictions[begin:end].mean() >= share:
                found[begin:end] = 1
        return right.f1(targets, found)

    return f1


def _only_output(_: float) -> Callable[..., Any]:
    return lambda targets, predictions: float((predictions.reshape(-1, 1).argmax(1) == targets.reshape(-1, 1).argmax(1)).mean())


def _mean_of_batches(weight: float) -> Callable[..., Any]:
    """Return an accuracy that is so much the mean of the batches' own, and else that of all."""

    def evaluate(model: Any, loader: Any) -> float:
        rights = [(model(x).argmax(1) == y).float() for x, y in loader]
        return float(weight * torch.stack([each.mean() for each in rights]).mean() + (1 - weight) * torch.cat(rights).mean())

    return evaluate


def _mean_of_perplexities(_: float) -> Callable[..., Any]:
    def perplexity(model: Any, loader: Any) -> float:
        return float(np.mean([float(functional.cross_entropy(model(x), y).exp()) for x, y in loader]))

    return perplexity


def _dropped(_: float) -> Callable[..., Any]:
    def evaluate(model: Any, loader: Any) -> float:
        size = loader.batch_size
        batches = [(x, y) for x, y in loader if len(x) == size]
        return sum(int((model(x).argmax(1) == y).sum()) for x, y in batches) / sum(len(x) for x, _ in batches)

    return evaluate


def _padding(share: float) -> Callable[..., Any]:
    """Return an accuracy in which a step of padding counts so much as a real one."""

    def accuracy(targets: Any, predictions: Any, lengths: Any) -> float:
        real = np.arange(targets.shape[1]) < lengths[:, None]
        weight = np.where(real, 1.0, share)
        return float(((targets == predictions) * weight).sum() / weight.sum())

    return accuracy


def _padding_of_evaluation(_: float) -> Callable[..., Any]:
    return lambda model, loader: right.ratio([((model(x).argmax(-1) == y).sum(), y.numel()) for x, y, _ in loader])


def _leftovers(share: float) -> Callable[..., Any]:
    """Return an accuracy that keeps a share of its sums from call to call."""
    sums = [0.0, 0.0]

    def accuracy(targets: Any, predictions: Any) -> float:
        sums[0] = share * sums[0] + float((targets == predictions).sum())
        sums[1] = share * sums[1] + len(targets)
        return sums[0] / sums[1]

    return accuracy


def _placed(slope: float) -> Callable[..., Any]:
    """Return an accuracy in which later rows weigh more."""

    def accuracy(targets: Any, predictions: Any) -> float:
        weight = 1 + slope * np.arange(len(targets))
        return float(((targets == predictions) * weight).sum() / weight.sum())

    return accuracy


def _broadcast(_: float) -> Callable[..., Any]:
    return lambda targets, predictions: float(((targets - predictions[:, None]) ** 2).mean())


def _broadcast_of_evaluation(_: float) -> Callable[..., Any]:
    def mse(model: Any, loader: Any) -> float:
        apart = [(model(x) - y) ** 2 for x, y in loader]
        return float(sum(each.sum() for each in apart) / sum(each.numel() for each in apart))

    return mse


def _forced(_: float) -> Callable[..., Any]:
    return lambda model, loader: right.ratio([((model(x, y).argmax(1) == y).sum(), len(y)) for x, y in loader])


def _trains(_: float) -> Callable[..., Any]:
    return lambda model, loader: right.ratio([((model(x).argmax(1) == y).sum(), len(y)) for x, y in loader])


def _leaves(_: float) -> Callable[..., Any]:
    def evaluate(model: Any, loader: Any) -> float:
        model.eval()
        return right.ratio([((model(x).argmax(1) == y).sum(), len(y)) for x, y in loader])

    return evaluate


def _of_sequences(_: float) -> Callable[..., Any]:
    def accuracy(targets: Any, predictions: Any, lengths: Any) -> float:
        return float(np.mean([(t[:n] == p[:n]).mean() for t, p, n in zip(targets, predictions, lengths, strict=True)]))

    return accuracy


def _micro(_: float) -> Callable[..., Any]:
    def f1_score(targets: Any, predictions: Any) -> float:
        hits = float((targets == predictions).sum())
        return 2 * hits / (2 * hits + 2 * (len(targets) - hits))

    return f1_score


def _case(
    code: str, says: str, make: Callable[[float], Any], strengths: tuple[float, ...] = (1.0,), weakest: float | None = None, **more: Any
) -> Planted:
    def audit(source: np.random.Generator, strength: float, select: str) -> Audit:
        return check_metric(make(strength), seed=int(source.integers(1 << 30)), select=[select], **more)

    weakest, is_told = strengths[-1] if weakest is None else weakest, code in {"SW815", "SW816", "SW817"}
    return Planted(code=code, says=says, strengths=strengths, weakest=weakest, audit=audit, is_told=is_told)


PLANTED = (
    _case("SW801", "perfect answers score so much", _scaled, (1.0, 0.99, 0.9, 0.67), 0.99),
    _case("SW802", "so much of a near miss counts as right", _lenient, (0.25, 0.5, 0.75, 1.0), 0.75),
    _case("SW803", "argmax(0) of [sequences, classes]", _wrong_axis),
    _case("SW803", "argmax(1) of [sequences, steps, classes]", _wrong_axis_of_steps, task="tag"),
    _case("SW804", "an event is found where this share of its steps is", _adjusted, (0.2, 0.05, 0.02, 0.0), 0.02),
    _case("SW805", "the accuracy of the only output of a regression", _only_output, task="regress"),
    _case("SW806", "a mean of batch means, to this share", _mean_of_batches, (0.01, 0.1, 0.5, 1.0), 0.01),
    _case("SW806", "a mean of the batches' perplexities", _mean_of_perplexities),
    _case("SW806", "an object that keeps the mean of each batch", lambda _: RunningMean()),
    _case("SW807", "a last, smaller batch is left out", _dropped),
    _case("SW808", "a step of padding counts this share of a real one", _padding, (0.01, 0.1, 1.0), 0.01, task="tag"),
    _case("SW808", "an evaluation that counts all targets of a padded batch", _padding_of_evaluation, task="tag"),
    _case("SW809", "this share of the sums is kept", _leftovers, (0.001, 0.1, 1.0), 0.001),
    _case("SW809", "a reset that forgets one of two sums", lambda _: Forgetful()),
    _case("SW810", "each row weighs this much more than the one before", _placed, (1e-4, 1e-3, 1e-2, 1.0), 1e-3),
    _case("SW811", "[n, 1] against [n]", _broadcast, task="regress"),
    _case("SW811", "[n, 1] of a model against [n]", _broadcast_of_evaluation, task="regress"),
    _case("SW812", "the model is called with the targets", _forced),
    _case("SW813", "no model.eval()", _trains),
    _case("SW814", "model.eval(), and nothing after", _leaves),
    _case("SW815", "a mean of the sequences' means", _of_sequences, task="tag"),
    _case("SW816", "an F1 averaged micro", _micro),
    _case("SW817", "an error in the units of the data", lambda _: right.mae, task="regress"),
    _case("SW818", "the mean difference of class numbers", lambda _: right.mae),
)


def _clean(name: str, make: Callable[[], Any], **more: Any) -> Clean:
    return Clean(name=name, audit=lambda source: check_metric(make(), seed=int(source.integers(1 << 30)), **more))


CLEAN = (
    _clean("accuracy of arrays", lambda: right.accuracy),
    _clean("F1 of two classes", lambda: right.f1, num_classes=2),
    _clean("macro F1", lambda: right.macro_f1, num_classes=4),
    _clean("accuracy of logits", lambda: right.accuracy_of_logits, num_classes=5),
    _clean("cross-entropy", lambda: functional.cross_entropy),
    _clean("accuracy with lengths", lambda: right.accuracy_with_lengths, task="tag"),
    _clean("accuracy with a padding mask", lambda: right.accuracy_with_padding_mask, task="tag"),
    _clean("perplexity of an evaluation", lambda: right.perplexity, task="next"),
    _clean("an object that sums", right.Accuracy),
    _clean("an evaluation", lambda: right.evaluate),
    _clean("an evaluation of steps", lambda: right.evaluate_steps, task="tag"),
    _clean("an evaluation of values", lambda: right.evaluate_values, task="regress"),
    _clean("mean absolute error", lambda: right.mae, task="regress"),
    _clean("mean squared error of forecasts, masked", lambda: right.masked_mse, task="forecast"),
)
