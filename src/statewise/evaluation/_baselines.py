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

_HALF = 0.5 + 1e-6
"""How many usual steps a time may be off, with some room for rounding."""

Baseline: TypeAlias = dict[str, float | list[float]]
"""What naive methods have learnt in training: `mean`, the `unigram` probability of each class, or the usual `change` of a series."""


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
    if task == "forecast":
        change = _usual_change(train)
        return {} if change is None else {"change": change}
    return {}


def _usual_change(train: Sequences) -> float | None:
    """Return the mean absolute change of the series from each step to the next, or to a season later: what MASE divides by."""
    assert isinstance(train.targets, Tensor)
    values, back = train.targets.double().numpy(), train.season or 1
    rows = next(iter(train.parts.values())).rows.numpy()
    inside = rows[back:] == rows[:-back]
    changes = np.abs(values[back:] - values[:-back])[inside] if len(values) > back else np.zeros(0)
    known = changes[np.isfinite(changes)]
    return float(known.mean()) if len(known) and known.mean() > 0 else None


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
    phase in the last whole season that was known then. Where the data has times that rise, a season is as many usual steps (the median
    one) by the clock: the value within half a step of that time is taken, and where a hole in time has swallowed it there is none.

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
        source = _a_season_ago(data, horizon, begins)
        inside = source >= 0
        found["seasonal"] = np.where(inside, values[np.where(inside, source, 0)] if len(values) else math.nan, math.nan)
    return found


def _a_season_ago(data: Sequences, horizon: int, begins: np.ndarray) -> np.ndarray:
    """Return the step, no later than each, that has the phase of the steps ahead of it: `[steps, horizon]`, -1 where there is none."""
    assert data.season is not None
    clock = _clock(data)
    if clock is not None:
        return _by_the_clock(clock, data, horizon, begins)
    ahead = np.arange(1, horizon + 1)
    source = np.arange(len(begins))[:, None] + ahead - data.season * np.ceil(ahead / data.season).astype(np.int64)
    return np.where(source >= begins[:, None], source, -1)


def _clock(data: Sequences) -> np.ndarray | None:
    """Return the time of each step, in usual steps since its sequence began; None without times that rise in each sequence."""
    if not isinstance(data.times, Tensor):
        return None
    times, rows = data.times.double().numpy(), next(iter(data.parts.values())).rows.numpy()
    gaps = np.diff(times)[np.diff(rows) == 0]
    usual = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else math.nan
    if not usual > 0 or not (gaps >= 0).all():
        return None
    begins = (data.lengths.cumsum(0) - data.lengths).repeat_interleave(data.lengths).numpy()
    return np.asarray((times - times[begins]) / usual)


def _by_the_clock(clock: np.ndarray, data: Sequences, horizon: int, begins: np.ndarray) -> np.ndarray:
    """Return `_a_season_ago` of steps whose times are known; after its last step a sequence goes on by usual steps."""
    assert data.season is not None
    now = np.arange(len(clock))[:, None]
    last = (begins + data.lengths.repeat_interleave(data.lengths).numpy() - 1)[:, None]
    later = now + np.arange(1, horizon + 1)
    wanted = clock[np.minimum(later, last)] + np.maximum(later - last, 0)
    wanted = wanted - data.season * np.maximum(np.ceil((wanted - clock[now] - _HALF) / data.season), 1)
    first, beyond = np.broadcast_to(begins[:, None], wanted.shape), np.broadcast_to(now + 1, wanted.shape)
    place = _first_from(clock, wanted, low=first, high=beyond)
    before, after = np.maximum(place - 1, first), np.minimum(place, now)
    nearer = np.where(np.abs(clock[after] - wanted) <= np.abs(clock[before] - wanted), after, before)
    return np.where(np.abs(clock[nearer] - wanted) <= _HALF, nearer, -1)


def _first_from(clock: np.ndarray, wanted: np.ndarray, *, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the first step from `low` on whose time is not before what is wanted, `high` where there is none: bisected, all at once."""
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) // 2
        before = (low < high) & (clock[np.minimum(middle, len(clock) - 1)] < wanted)
        low, high = np.where(before, middle + 1, low), np.where(before, high, middle)
    return low


def _last_known(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Return at each step the last value up to it, inside its sequence, that is not NaN."""
    places = np.where(np.isnan(values), -1, np.arange(len(values)))
    last = np.maximum.accumulate(places) if len(places) else places
    return np.where(last >= begins, values[last] if len(values) else math.nan, math.nan)
