"""Which trainings go wrong, how much, and which go well? Histories drawn at random, each mistake at several strengths."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from proving_ground.evaluation.planted import Clean, Planted
from statewise.auditing import audit_history
from statewise.runs import Ended, Epoch, History, Update

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator

    from statewise.auditing import Audit


def curve(source: Generator, epochs: int, *, begin: float, end: float, speed: float, noise: float) -> np.ndarray:
    """Return an exponential fall with noise, whose standard deviation is a share of the fall."""
    time = np.arange(epochs)
    fall = (begin - end) * np.exp(-time / speed)
    return np.maximum(end + fall + noise * (begin - end) * source.standard_normal(epochs), 1e-3)


def history(
    losses: Sequence[float] | np.ndarray,
    *,
    valid: Sequence[float] | np.ndarray | None = None,
    accuracies: Sequence[float] | np.ndarray | None = None,
    updates: Sequence[Update] = (),
    best: int | None = None,
) -> History:
    """Return a history of these figures."""

    def at(values: Sequence[float] | np.ndarray | None, place: int) -> float | None:
        return None if values is None or not math.isfinite(values[place]) else float(values[place])

    epochs = [
        Epoch(epoch=place + 1, train_loss=at(losses, place), valid_loss=at(valid, place), train_accuracy=at(accuracies, place))
        for place in range(len(losses))
    ]
    end = () if best is None else (Ended(reason="finished", best_epoch=best, seconds=1.0),)
    return History(records=(*updates, *epochs, *end))


def updates_of(losses: np.ndarray, norms: np.ndarray, *, clip: float = math.inf) -> list[Update]:
    """Return the records of updates with these losses and norms."""
    return [
        Update(
            update=place + 1, epoch=1, loss=float(loss) if math.isfinite(loss) else None, gradient_norm=float(norm), norms={},
            clipped=bool(norm > clip), learning_rate=1e-3, steps=100,
        )
        for place, (loss, norm) in enumerate(zip(losses, norms, strict=True))
    ]  # fmt: skip


def healthy(source: Generator, *, epochs: int | None = None) -> dict[str, np.ndarray]:
    """Return the figures of a training that goes well: it falls, validation follows, norms fall many-fold as it converges."""
    number = int(source.integers(8, 60)) if epochs is None else epochs
    begin, end = source.uniform(0.7, 3.0), source.uniform(0.02, 0.4)
    speed = source.uniform(0.15, 0.5) * number
    losses = curve(source, number, begin=begin, end=end, speed=speed, noise=source.uniform(0.0, 0.025))
    valid = curve(source, number, begin=begin * 0.97, end=end + source.uniform(0, 0.3), speed=speed, noise=source.uniform(0.0, 0.025))
    right = 1 - source.uniform(0.4, 0.7) * losses / losses.max() + 0.005 * source.standard_normal(number)
    steps = int(source.integers(60, 400))
    scale = source.uniform(0.05, 3.0)
    norms = scale * np.exp(-np.linspace(0, source.uniform(0, 4), steps)) * np.exp(source.uniform(0.1, 0.6) * source.standard_normal(steps))
    step_losses = begin * np.exp(-np.linspace(0, 2, steps)) * np.exp(source.uniform(0, 0.3) * source.standard_normal(steps))
    return {"losses": losses, "valid": valid, "accuracies": np.clip(right, 0, 1), "norms": norms, "step_losses": step_losses}


def _well(source: Generator) -> History:
    made = healthy(source)
    updates = updates_of(made["step_losses"], made["norms"], clip=float(np.median(made["norms"]) * 2))
    return history(made["losses"], valid=made["valid"], accuracies=made["accuracies"], updates=updates)


def _dropout(source: Generator) -> History:
    """Training looks worse than validation all along, since dropout is on in training alone."""
    made = healthy(source)
    return history(made["losses"] * 1.5 + 0.2, valid=made["valid"], accuracies=made["accuracies"] * 0.9)


def _noisy_validation(source: Generator) -> History:
    """A small validation part: its loss has converged, and moves by several percent from epoch to epoch."""
    made = healthy(source)
    level = made["losses"].min() + 0.3
    wobble = np.convolve(source.standard_normal(len(made["losses"]) + 2), (0.3, 0.6, 0.3), mode="valid")
    return history(made["losses"], valid=level * (1 + source.uniform(0.01, 0.06) * wobble) + made["losses"] * 0.3)


def _kept(source: Generator) -> History:
    """It overfits, and the weights from before were kept."""
    made = healthy(source, epochs=30)
    valid = made["valid"] + np.maximum(np.arange(30) - 15, 0) * 0.03
    return history(made["losses"], valid=valid, best=int(valid.argmin()) + 1)


def _rare(source: Generator) -> History:
    """Fraud: accuracy stands at 0.99 from the first epoch on, as it must."""
    made = healthy(source)
    return history(made["losses"], valid=made["valid"], accuracies=0.99 + 0.001 * source.standard_normal(len(made["losses"])))


def _stuck(source: Generator, fall: float) -> History:
    number = int(source.integers(10, 40))
    return history(0.69 * (1 - fall * np.linspace(0, 1, number)) + 0.69 * 0.01 * source.standard_normal(number))


def _swinging(source: Generator, size: float) -> History:
    made = healthy(source, epochs=30)["losses"]
    fall = made[0] - made.min()
    return history(made + size * fall * (np.arange(30) % 2) * (np.arange(30) > 3))


def _diverging(source: Generator, size: float) -> History:
    made = healthy(source, epochs=30)["losses"]
    fall = made[0] - made.min()
    return history(made + size * fall * np.clip((np.arange(30) - 12) / 10, 0, 1))


def _not_finite(source: Generator, place: float) -> History:
    made = healthy(source, epochs=30)
    made["losses"][-int(place) :] = math.nan
    return history(made["losses"], valid=made["valid"])


def _accuracy(source: Generator, climb: float) -> History:
    made = healthy(source, epochs=30)
    return history(made["losses"], accuracies=0.5 + np.linspace(0, climb, 30) + 0.003 * source.standard_normal(30))


def _overfitting(source: Generator, rise: float) -> History:
    """Validation rises by a share of its lowest loss over the second half of 40 epochs."""
    made = healthy(source, epochs=40)
    level = curve(source, 40, begin=1.5, end=0.6, speed=5.0, noise=0.015)
    return history(made["losses"], valid=level + 0.6 * rise * np.clip((np.arange(40) - 20) / 16, 0, 1))


def _high_rate(source: Generator, blow: float) -> History:
    made = healthy(source, epochs=20)
    steps = made["step_losses"]
    steps[10:] = steps[0] * blow * np.exp(0.2 * source.standard_normal(len(steps) - 10))
    return history(made["losses"], updates=updates_of(steps, made["norms"]))


def _low_rate(source: Generator, fall: float) -> History:
    return history(1.1 * (1 - fall * np.linspace(0, 1, 20)) + 1.1 * 0.0005 * source.standard_normal(20))


def _norms(source: Generator, norm: float) -> History:
    made = healthy(source)
    norms = norm * np.exp(0.4 * source.standard_normal(len(made["step_losses"])))
    return history(made["losses"], updates=updates_of(made["step_losses"], norms))


def _spikes(source: Generator, share: float) -> History:
    made = healthy(source)
    norms = np.exp(0.3 * source.standard_normal(400))
    norms[source.random(400) < share] *= 40
    return history(made["losses"], updates=updates_of(np.linspace(1, 0.5, 400), norms))


def _clipped(source: Generator, share: float) -> History:
    made = healthy(source)
    limit = float(np.quantile(made["norms"], 1 - share)) if share < 1 else 0.0
    shuffled = source.permutation(made["norms"])
    return history(made["losses"], updates=updates_of(made["step_losses"], shuffled, clip=limit))


def _same(source: Generator, share: float) -> History:
    made = healthy(source, epochs=20)
    return history(made["losses"], valid=np.where(np.arange(20) < share * 20, made["losses"], made["valid"]))


def _tested(source: Generator, _: float) -> History:
    made = healthy(source)
    epochs = [Epoch(epoch=place + 1, train_loss=float(loss), metrics={"test_accuracy": 0.5}) for place, loss in enumerate(made["losses"])]
    return History(records=tuple(epochs))


def _case(code: str, says: str, make: Callable[[Generator, float], History], strengths: tuple[float, ...], weakest: float) -> Planted:
    def audit(source: Generator, strength: float, select: str) -> Audit:
        return audit_history(make(source, strength), select=[select])

    return Planted(code=code, says=says, strengths=strengths, weakest=weakest, audit=audit, is_told=code == "SW913")


PLANTED = (
    _case("SW901", "the last epochs have a loss of NaN (how many)", _not_finite, (1, 2, 5), 1),
    _case("SW902", "the loss falls by a share of itself, with noise of 1 %", _stuck, (0.1, 0.05, 0.02, 0.01, 0.0), 0.0),
    _case("SW903", "every other epoch lies higher, by a share of the whole fall", _swinging, (0.1, 0.2, 0.3, 0.5, 1.0), 0.5),
    _case("SW904", "the loss climbs back, by a share of the fall", _diverging, (0.25, 0.5, 0.75, 1.0, 2.0), 0.75),
    _case("SW905", "accuracy climbs so much over 30 epochs while the loss falls", _accuracy, (0.1, 0.03, 0.01, 0.0), 0.0),
    _case("SW906", "validation rises by a share of its lowest loss", _overfitting, (0.03, 0.06, 0.1, 0.2, 0.5), 0.2),
    _case("SW907", "the loss stays at so many times its beginning", _high_rate, (1.5, 2.0, 3.0, 10.0), 3.0),
    _case("SW908", "the loss falls in a straight line, by a share of itself, over 20 epochs", _low_rate, (0.1, 0.06, 0.04, 0.02), 0.04),
    _case("SW909", "the median norm", _norms, (1e-5, 5e-5, 1.0, 15.0, 100.0), 15.0),
    _case("SW910", "a share of the updates has 40 times the norm", _spikes, (0.005, 0.01, 0.02, 0.05), 0.05),
    _case("SW911", "a share of the updates is clipped", _clipped, (0.5, 0.9, 0.95, 1.0), 1.0),
    _case("SW912", "a share of the epochs has the same loss in training and validation", _same, (0.1, 0.5, 0.9, 1.0), 1.0),
    _case("SW913", "the test part is scored in every epoch", _tested, (1.0,), 1.0),
)

CLEAN = (
    Clean(name="trainings that go well", audit=lambda source: audit_history(_well(source))),
    Clean(name="dropout makes training look worse", audit=lambda source: audit_history(_dropout(source))),
    Clean(name="a small validation part", audit=lambda source: audit_history(_noisy_validation(source))),
    Clean(name="overfitting, and the best weights kept", audit=lambda source: audit_history(_kept(source))),
    Clean(name="rare positives: accuracy high from the beginning", audit=lambda source: audit_history(_rare(source))),
    Clean(name="short histories", audit=lambda source: audit_history(history(healthy(source, epochs=4)["losses"]))),
)
