"""What is a metric asked about? Sequences with targets and answers, drawn once, that can be made perfect, noisy, longer or permuted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

EPSILON = 1e-4
"""What a probability leaves to the classes that are not answered."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Sequences with their targets and what is answered.

    Attributes:
        targets: one array a sequence, `[steps]`; of tasks with one target a sequence `[1]`.
        answers: likewise; classes or values.
        num_classes: 0 for values.
        by_step: whether there is a target a step.
        chances: of answers that are made from scores: the score of each, `[steps]`; None gives 1 - epsilon to what is answered.
    """

    targets: tuple[np.ndarray, ...]
    answers: tuple[np.ndarray, ...]
    num_classes: int
    by_step: bool
    chances: tuple[np.ndarray, ...] | None = None

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each sequence."""
        return np.array([len(each) for each in self.targets])

    def perfect(self) -> Answers:
        """Return the same with every answer right."""
        return replace(self, answers=self.targets, chances=None)

    def rows(self, places: Sequence[int] | np.ndarray) -> Answers:
        """Return some of the sequences, in this order."""
        chosen = [int(place) for place in places]
        return replace(self, targets=tuple(self.targets[place] for place in chosen), answers=tuple(self.answers[place] for place in chosen))

    def wrong_at(self, place: int) -> Answers:
        """Return the same with every answer of one sequence wrong."""
        answers = list(self.answers)
        off = self.targets[place] + 1
        answers[place] = off % self.num_classes if self.num_classes else off.astype(float)
        return replace(self, answers=tuple(answers))

    def with_targets(self, targets: Sequence[np.ndarray]) -> Answers:
        """Return the same answers to other targets."""
        return replace(self, targets=tuple(targets))

    def scaled(self, factor: float) -> Answers:
        """Return values in other units."""
        return replace(self, targets=tuple(factor * each for each in self.targets), answers=tuple(factor * each for each in self.answers))

    def random(self, source: np.random.Generator) -> Answers:
        """Return answers that know nothing of the targets: uniform classes, or the values in another order."""
        if self.num_classes:
            return replace(self, answers=tuple(source.integers(0, self.num_classes, len(each)) for each in self.targets))
        everything = source.permutation(np.concatenate(self.targets))
        return replace(self, answers=tuple(np.split(everything, np.cumsum(self.lengths)[:-1])))


def draw(
    seed: int, *, num: int, num_classes: int, by_step: bool, right: float = 0.65, steps: tuple[int, int] = (3, 9), equal: bool = False
) -> Answers:
    """Return sequences whose answers are right with some probability, and less often in every other sequence.

    Args:
        seed: of the draw.
        num: sequences.
        num_classes: 0 for values.
        by_step: whether there is a target a step.
        right: share of right answers; of values, one minus the noise.
        steps: the least and the most of a sequence.
        equal: whether all have the most.
    """
    source = np.random.default_rng(seed)
    lengths = source.integers(steps[0], steps[1] + 1, num) if by_step else np.ones(num, dtype=int)
    lengths = np.full(num, steps[1]) if equal and by_step else lengths
    targets, answers = [], []
    for place, length in enumerate(lengths):
        share = right * (1.0 if place % 2 else 0.75) if by_step and length < steps[1] else right
        if num_classes:
            true = (np.arange(length) * 2 + place + source.integers(0, 2, length)) % num_classes
            wrong = (true + 1 + source.integers(0, max(num_classes - 1, 1), length)) % num_classes
            answers.append(np.where(source.random(length) < share, true, wrong))
        else:
            true = source.normal(3.0, 2.0, length)
            answers.append(true + (1.2 - share) * source.standard_normal(length))
        targets.append(true)
    return Answers(targets=tuple(targets), answers=tuple(answers), num_classes=num_classes, by_step=by_step)


def segments(seed: int, *, shuffled: bool) -> Answers:
    """Return a binary series in which events last long, and random answers that name 5 % of the steps; `shuffled` takes the order away."""
    source = np.random.default_rng(seed)
    true = np.zeros(1000, dtype=np.int64)
    for begin in (60, 250, 440, 630, 820):
        true[begin : begin + 50] = 1
    chance = source.random(1000)
    order = source.permutation(1000) if shuffled else np.arange(1000)
    true, chance = true[order], chance[order]
    columns = {"targets": true, "answers": (chance > 0.95).astype(np.int64), "chances": chance}
    return Answers(num_classes=2, by_step=False, **{name: tuple(column[:, None]) for name, column in columns.items()})


def square(num_classes: int, *, by_step: bool) -> Answers:
    """Return perfect answers of as many sequences (and steps) as classes, each class once: a cycle, whose other axis says other classes."""
    places = np.arange(num_classes)
    targets = tuple(((place + 1 + places) % num_classes if by_step else (place + 1 + places[:1]) % num_classes) for place in places)
    return Answers(targets=targets, answers=targets, num_classes=num_classes, by_step=by_step)


def probabilities(answers: Answers) -> list[np.ndarray]:
    """Return the probability of each class for each step: `[steps, classes]` a sequence."""
    found = []
    for place, each in enumerate(answers.answers):
        if answers.chances is not None:
            chance = np.clip(answers.chances[place], EPSILON, 1 - EPSILON)
            found.append(np.stack([1 - chance, chance], axis=-1))
            continue
        spread = np.full((len(each), answers.num_classes), EPSILON / max(answers.num_classes - 1, 1))
        spread[np.arange(len(each)), each] = 1 - EPSILON
        found.append(spread)
    return found


def padded(arrays: Sequence[np.ndarray], time: int, fill: np.ndarray | float) -> np.ndarray:
    """Return arrays of several lengths in one, `[n, time, ...]`; what is beyond their end is `fill`."""
    whole = np.empty((len(arrays), time, *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    whole[:] = fill
    for place, each in enumerate(arrays):
        whole[place, : len(each)] = each
    return whole
