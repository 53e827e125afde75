"""What are the checks of data given? The parts of a data set, and what is known of how a model was made from them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from statewise.auditing._content import Content, bits_of, content_of
from statewise.auditing._needs import Examined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from statewise.auditing._fitted import Fitted
    from statewise.sequences import Sequences

_T = TypeVar("_T")
_MEASURED = 200
"""Different numbers from which on a feature counts as measured, and a repeat of it as no habit of a language."""
_LOOKED_AT = 50_000
_OFTEN = 3
"""Sequences of one key on the average, from which on it says whom they are about, as of windows."""


@dataclass(frozen=True, kw_only=True)
class Parts(Examined):
    """Training, validation and test part.

    Attributes:
        train: the training part.
        others: the parts after it by name, `"validation"` and `"test"`, where there are some; a part without a step is left out.
        fitted: the statistics that a model scales its inputs by, by input.
        vocabulary: the entries that a model knows, by categorical input.
        is_stated: whether the vocabulary was given, or that of a run, and not what the data were read with.
        may_be_refitted: whether the statistics are those of a model of ours, which a refit fits on the validation part too.
        score: the accuracy that a model reaches on the last part.
        make_features: what made the features of the raw parts.
        raw: the training part before that.
        seed: of draws, where there is too much to look at.
    """

    train: Sequences
    others: Mapping[str, Sequences]
    fitted: Mapping[str, Fitted] = field(default_factory=dict)
    vocabulary: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_stated: bool = False
    may_be_refitted: bool = False
    score: float | None = None
    make_features: Callable[[Sequences], Sequences] | None = None
    raw: Sequences | None = None
    seed: int = 0
    _known: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], _T]) -> _T:
        """Return what is computed once and read by several checks."""
        if name not in self._known:
            self._known[name] = make()
        found: _T = self._known[name]
        return found

    @property
    def last(self) -> str:
        """The name of the part that is scored last."""
        return list(self.others)[-1]

    @property
    def all(self) -> dict[str, Sequences]:
        """Every part by name, the training part first."""
        return {"training": self.train, **self.others}

    def fresh(self, name: str) -> Sequences:
        """Return what is new in a part: without the steps or sequences of weight 0, which only warm a state up; all of the training."""
        data = self.all[name]
        if name == "training" or data.weights is None:
            return data
        return self.once(f"fresh {name}", lambda: _weighed(data))

    def content(self, name: str) -> Content:
        """Return the marks of what is new in a part."""
        return self.once(f"content {name}", lambda: content_of(self.fresh(name)))

    def bits(self, name: str) -> NDArray[np.float64]:
        """Return how many bits each new step of a part carries."""
        found = self.once("bits", lambda: bits_of([self.content(each) for each in self.all]))
        return found[list(self.all).index(name)]

    def sequence_bits(self, name: str) -> NDArray[np.float64]:
        """Return how many bits each new sequence of a part carries."""
        offsets = self.content(name).offsets
        total = np.concatenate([[0.0], np.cumsum(self.bits(name))])
        return np.asarray(total[offsets[1:]] - total[offsets[:-1]])

    def targets(self, name: str) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return the targets of what is new in a part, and which of them are known and count."""
        data = self.fresh(name)
        targets = np.asarray(data.targets)
        return targets, np.asarray(data.scored) & np.isfinite(targets.astype(np.float64))

    @property
    def numbers(self) -> list[torch.Tensor]:
        """The training part's inputs that hold numbers."""
        return list(numbers_of(self.train).values())

    @property
    def is_measured(self) -> bool:
        """Whether some feature holds measured numbers, and not only codes and small counts, of which like ones occur by themselves."""
        return self.once("is measured", lambda: any(_is_measured(numbers) for numbers in numbers_of(self.train).values()))

    def entities(self, name: str) -> NDArray[np.str_] | None:
        """Return whom each new sequence of a part is about: its group, or its key where all parts have keys that are no mere numbers."""
        parts = self.all.values()
        data = self.fresh(name)
        if all(part.groups is not None for part in parts):
            return np.array(data.groups, dtype=str)
        if _are_mere_numbers([part.keys or () for part in parts]):
            return None
        return np.array(data.keys, dtype=str)

    def without(self, rows: Mapping[str, NDArray[np.bool_]]) -> Parts | None:
        """Return the parts without some sequences of the fresh later ones; None where a part would be empty."""
        others = {name: self.fresh(name) for name in self.others}
        for name, gone in rows.items():
            if bool(gone.all()):
                return None
            others[name] = others[name].select(torch.from_numpy(~gone))
        return replace(self, others=others, _known={})


def numbers_of(data: Sequences) -> dict[str, torch.Tensor]:
    """Return the inputs that hold numbers, `[steps, feature]`, by name."""
    parts = {name: part.values for name, part in data.parts.items() if name not in data.categories}
    return {name: each.reshape(len(each), -1) for name, each in parts.items() if each.dtype.is_floating_point}


def owners_of(data: Sequences) -> NDArray[np.int64]:
    """Return the place of the sequence of each step."""
    return next(iter(data.parts.values())).rows.cpu().numpy()


def groups_of(data: Sequences) -> NDArray[np.int64]:
    """Return the number of the group of each sequence; without groups its own."""
    return np.arange(len(data)) if data.groups is None else np.unique(np.array(data.groups, dtype=str), return_inverse=True)[1]


def names_of(data: Sequences) -> list[str]:
    """Return the names of all features that hold numbers, in the order of `columns_of`."""
    named = []
    for name, values in numbers_of(data).items():
        titles = data.feature_names_of(name)
        width = values.shape[1]
        plain = [f"feature {place + 1}" if name == "x" else f"{name} {place + 1}" for place in range(width)]
        named += list(titles) if titles is not None and len(titles) == width else plain
    return named


def columns_of(data: Sequences) -> NDArray[np.float64]:
    """Return all features that hold numbers side by side, `[steps, features]`, in float64; NaN for what is not finite."""
    blocks = [values.detach().cpu().to(torch.float64).numpy() for values in numbers_of(data).values()]
    table = np.concatenate(blocks, axis=1) if blocks else np.zeros((data.num_steps, 0))
    return np.where(np.isfinite(table), table, np.nan)


def moments_of(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and spread of each column of what is known in it; of nothing they are 0.

    Example:
        >>> moments_of(np.array([[1.0, np.nan], [3.0, np.nan]]))
        (array([2., 0.]), array([1., 0.]))
    """
    known = np.isfinite(table)
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, table, 0.0).sum(axis=0) / counts
    gaps = np.where(known, table - mean, 0.0)
    return mean, np.sqrt((gaps * gaps).sum(axis=0) / counts)


def _is_measured(values: torch.Tensor) -> bool:
    """Whether a column has many different values that are no whole numbers, as counts, codes and places are."""
    table = values[:_LOOKED_AT].detach().cpu().numpy()
    fractions = [column[np.isfinite(column) & (column != np.round(column))] for column in table.T]
    return any(len(np.unique(column)) >= _MEASURED for column in fractions)


def _are_mere_numbers(parts: Sequence[Sequence[str]]) -> bool:
    """Whether keys may be places in a file: whole numbers, no larger than there are sequences, each there once or twice and no more."""
    total, often = sum(map(len, parts)), _OFTEN * len(set(parts[0]))
    return all(key.isdecimal() and int(key) <= total for part in parts for key in part) and len(parts[0]) < often


def _weighed(data: Sequences) -> Sequences:
    """Return the steps or sequences whose weight is not 0; all of them where that is none."""
    weights = torch.as_tensor(data.weights)
    if not bool((weights > 0).any()):
        return data
    if not data.weighs_steps:
        return data.select(weights > 0)
    kept = data.select_steps(weights > 0)
    return kept.select(kept.lengths > 0)
