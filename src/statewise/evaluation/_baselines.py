"""What would be answered without a model? The mean, the value of now or of a season ago, the usual frequency of each token.

What must be learnt for it is learnt from the training part alone, and written down with the run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from statewise.sequences import aligned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statewise.sequences import Sequences
    from statewise.types import Task

Baseline: TypeAlias = dict[str, float | list[float]]
"""What naive methods have learnt from the training part: `mean`, or the `unigram` probability of each class."""


def training_baseline(train: Sequences, task: Task) -> Baseline:
    """Return what the naive methods of a task learn from its training part; nothing for a task without any.

    A token that never occurs gets the probability of one occurrence among one more of each (add-one smoothing), so that no text is
    impossible.
    """
    if task == "regress":
        assert isinstance(train.targets, Tensor)
        return {"mean": float(train.targets[train.scored].double().mean())}
    if task == "next":
        items = aligned(train, task)
        counts = torch.bincount(items.targets[items.weights > 0], minlength=train.num_classes or 0).double() + 1
        return {"unigram": (counts / counts.sum()).tolist()}
    return {}


def naive_answers(baseline: Mapping[str, float | Sequence[float]], actual: np.ndarray | None, num_rows: int) -> dict[str, np.ndarray]:
    """Return what the naive methods answer for each row: the mean, or the nll (nats) that unigrams give to the token that came."""
    found = {}
    mean, unigram = baseline.get("mean"), baseline.get("unigram")
    if isinstance(mean, (int, float)):
        found["mean"] = np.full(num_rows, float(mean))
    if unigram is not None and not isinstance(unigram, (int, float)) and actual is not None:
        found["unigram"] = -np.log(np.asarray(unigram, dtype=np.float64))[actual]
    return found


def naive_forecasts(data: Sequences, horizon: int) -> dict[str, np.ndarray]:
    """Return what the naive forecasts say at each step for each step ahead: float64 `[steps, horizon]`, NaN where they cannot.

    `persistence`: the last value that was known at that step. `seasonal` (where the data has a season): the value of the same
    phase in the last whole season that was known then.

    Example:
        >>> from statewise.sequences import Ragged, Sequences
        >>> series = Sequences(inputs=Ragged(torch.zeros(3, 1), torch.tensor([3])), targets=[5.0, 6.0, 7.0], season=2)
        >>> naive_forecasts(series, 2)["seasonal"].tolist()
        [[nan, 5.0], [5.0, 6.0], [6.0, 7.0]]
    """
    assert isinstance(data.targets, Tensor)
    values = data.targets.double().numpy()
    begins = (data.lengths.cumsum(0) - data.lengths).repeat_interleave(data.lengths).numpy()
    found = {"persistence": np.repeat(_last_known(values, begins)[:, None], horizon, axis=1)}
    if data.season is not None:
        ahead = np.arange(1, horizon + 1)
        back = ahead - data.season * np.ceil(ahead / data.season).astype(np.int64)
        source = np.arange(len(values))[:, None] + back
        inside = source >= begins[:, None]
        found["seasonal"] = np.where(inside, values[np.where(inside, source, 0)] if len(values) else math.nan, math.nan)
    return found


def _last_known(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Return at each step the last value up to it, inside its sequence, that is not NaN."""
    places = np.where(np.isnan(values), -1, np.arange(len(values)))
    last = np.maximum.accumulate(places) if len(places) else places
    return np.where(last >= begins, values[last] if len(values) else math.nan, math.nan)
