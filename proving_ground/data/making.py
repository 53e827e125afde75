"""How are the sets of the ground made? Smooth or rough signals of persons who differ, drawn anew from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from statewise.sequences import Ragged, Sequences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Case:
    """What `audit_data` is asked.

    Attributes:
        train: the training part.
        test: the test part.
        valid: the validation part.
        options: its other arguments.
    """

    train: Sequences
    test: Sequences
    valid: Sequences | None = None
    options: dict[str, Any] = field(default_factory=dict)


def walk(rng: np.random.Generator, steps: int, features: int, smooth: float = 0.9) -> NDArray[np.float64]:
    """Return a signal in which each step keeps a share of the one before, with a spread of 1."""
    noise = rng.standard_normal((steps, features)) * (1 - smooth**2) ** 0.5
    noise[0] = rng.standard_normal(features)
    for step in range(1, steps):
        noise[step] += smooth * noise[step - 1]
    return np.asarray(noise)


def many(rng: np.random.Generator, n: int, *, steps: tuple[int, int] = (12, 40), features: int = 3) -> list[NDArray[np.float64]]:
    """Return so many signals of random lengths."""
    return [walk(rng, int(rng.integers(*steps)), features) for _ in range(n)]


def data_of(signals: Sequence[NDArray[np.float64]], **others: Any) -> Sequences:
    """Return sequences of these signals."""
    values = torch.from_numpy(np.concatenate(signals).astype(np.float32))
    return Sequences(inputs=Ragged(values, torch.tensor([len(each) for each in signals])), **others)


def codes_of(tokens: Sequence[NDArray[np.int64]], entries: int, **others: Any) -> Sequences:
    """Return sequences of tokens."""
    inputs = Ragged(torch.from_numpy(np.concatenate(tokens).astype(np.int64)), torch.tensor([len(each) for each in tokens]))
    return Sequences(inputs={"token": inputs}, categories={"token": [f"t{each}" for each in range(entries)]}, **others)


def clocks(rng: np.random.Generator, lengths: Sequence[int], step: float = 1.0) -> torch.Tensor:
    """Return times of sequences that begin at random days, with a regular clock."""
    days = rng.integers(0, 1000, len(lengths)) * 86_400.0 + 1.5e9
    return torch.from_numpy(np.concatenate([day + step * np.arange(length) for day, length in zip(days, lengths, strict=True)]))


def both(
    rng: np.random.Generator, n: int = 800, m: int = 200, **others: Any
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return signals of a training and of a test part."""
    return many(rng, n, **others), many(rng, m, **others)
