"""Which sets hold no leak, and look as if they did? Constants, coarse values, short texts, persons who differ, and the like."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from proving_ground.data.making import Case, both, clocks, codes_of, data_of, many, walk
from statewise.sequences import Sequences, fit_statistics, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def _cut(data: Sequences, seed: int, by: str | None = None) -> Case:
    train, valid, test = split(data, by=by, fractions=(0.6, 0.2, 0.2), seed=seed)  # type: ignore[arg-type]
    return Case(train=train, valid=valid, test=test)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(0, 2**31))


def signals(rng: np.random.Generator) -> Case:
    """Signals of three features, with labels that a level tells, and the statistics of training."""
    case = _cut(data_of(many(rng, 500), targets=torch.from_numpy(rng.integers(0, 4, 500))), _seed(rng))
    return replace(case, options={"scaling": fit_statistics(case.train)})


def constants(rng: np.random.Generator) -> Case:
    """Sequences that never change, at one of a few levels or at one of their own."""
    levels = np.where(rng.random(400) < 0.5, rng.integers(0, 3, 400), rng.standard_normal(400))
    return _cut(data_of([np.full((int(rng.integers(1, 30)), 1), level) for level in levels]), _seed(rng))


def still_sensors(rng: np.random.Generator) -> Case:
    """Sensors that mostly stand at 0, and of persons of whom some never move."""
    groups, parts = [], []
    for person in range(40):
        active = rng.random() < 0.6
        for _ in range(10):
            signal = walk(rng, int(rng.integers(10, 40)), 2)
            parts.append(np.where(np.abs(signal) > 1.5, signal, 0.0) if active else np.zeros_like(signal))
            groups.append(f"p{person}")
    return _cut(data_of(parts, groups=groups), _seed(rng), "group")


def coarse(rng: np.random.Generator) -> Case:
    """Slow signals of one or two features, rounded to a few levels."""
    features = int(rng.integers(1, 3))
    return _cut(data_of([np.round(walk(rng, int(rng.integers(5, 60)), features, 0.95) * 2) for _ in range(400)]), _seed(rng))


def counts(rng: np.random.Generator) -> Case:
    """Small counts of four features, independent from step to step."""
    return _cut(data_of([rng.poisson(1.5, (int(rng.integers(5, 40)), 4)).astype(float) for _ in range(400)]), _seed(rng))


def short_tokens(rng: np.random.Generator) -> Case:
    """Texts of one to six words, of which some are said often, with labels by chance."""
    phrases = [rng.integers(0, 40, int(rng.integers(1, 5))) for _ in range(30)]
    texts = [phrases[int(rng.integers(0, 30))] if rng.random() < 0.3 else rng.integers(0, 40, int(rng.integers(1, 7))) for _ in range(600)]
    return _cut(codes_of(texts, 40, targets=torch.from_numpy(rng.integers(0, 2, 600))), _seed(rng))


def listed_tokens(rng: np.random.Generator) -> Case:
    """Texts over a list of 200 words that was there before, of which some are used nowhere and some in one part alone."""
    weights = np.where(np.arange(200) < 190, 1 / np.arange(1, 201), 0.0)
    texts = [rng.choice(200, 20, p=weights / weights.sum()) for _ in range(200)]
    case = _cut(codes_of(texts, 200), _seed(rng))
    return replace(case, options={"vocabulary": [f"t{each}" for each in range(200)]})


def standing(rng: np.random.Generator) -> Case:
    """Ten persons whose class, age and height never change."""
    facts = [(float(rng.integers(0, 2)), rng.standard_normal()) for _ in range(10)]
    signals = [np.column_stack([walk(rng, 20, 1), np.full((20, 2), facts[place // 40])]) for place in range(400)]
    labels = np.repeat([int(fact[0]) for fact in facts], 40 * 20)
    data = data_of(signals, targets=torch.from_numpy(labels), each="step", groups=[f"p{place // 40}" for place in range(400)])
    return _cut(data, _seed(rng), "group")


def phrases(rng: np.random.Generator) -> Case:
    """Long texts in which phrases of up to 40 words come back, by habit."""
    weights = 1 / np.arange(1, 61)
    sayings = [rng.choice(60, int(rng.integers(5, 40)), p=weights / weights.sum()) for _ in range(20)]
    texts = []
    for _ in range(150):
        pieces = [
            sayings[int(rng.integers(0, 20))] if rng.random() < 0.15 else rng.choice(60, 8, p=weights / weights.sum()) for _ in range(20)
        ]
        texts.append(np.concatenate(pieces))
    return _cut(codes_of(texts, 60), _seed(rng))


def routines(rng: np.random.Generator) -> Case:
    """Logs of eight routines, each always the same events in the same order."""
    known = [rng.integers(0, 30, int(rng.integers(4, 12))) for _ in range(8)]
    logs = [np.concatenate([known[int(each)] for each in rng.integers(0, 8, int(rng.integers(1, 8)))]) for _ in range(500)]
    return _cut(codes_of(logs, 30), _seed(rng))


def drifted(rng: np.random.Generator) -> Case:
    """Persons at levels and spreads of their own, cut by person, each with several recordings on days of their own."""
    parts: list[NDArray[np.float64]] = []
    for _ in range(40):
        level, spread = 3 * rng.standard_normal(3), np.exp(rng.standard_normal(3))
        parts += [level + spread * each for each in many(rng, 10)]
    groups = [f"p{each // 10}" for each in range(400)]
    return _cut(data_of(parts, groups=groups, times=clocks(rng, [len(each) for each in parts])), _seed(rng), "group")


def drifted_constants(rng: np.random.Generator) -> Case:
    """Persons at coarse levels of their own that they hardly leave."""
    parts = [(rng.integers(0, 5) + 0.3 * walk(rng, 20, 2)).round().astype(np.float64) for _ in range(40) for _ in range(8)]
    return _cut(data_of(parts, groups=[f"p{each // 8}" for each in range(320)]), _seed(rng), "group")


def one_feature(rng: np.random.Generator) -> Case:
    """One smooth feature, whose next value is the target of each step."""
    streams = [walk(rng, 60, 1, 0.999) for _ in range(200)]
    targets = np.concatenate([each[1:, 0] for each in streams]).astype(np.float32)
    return _cut(data_of([each[:-1] for each in streams], targets=torch.from_numpy(targets), each="step", task="regress"), _seed(rng))


def one_step(rng: np.random.Generator) -> Case:
    """Sequences of one step."""
    return _cut(data_of([rng.standard_normal((1, 3)) for _ in range(500)], targets=torch.from_numpy(rng.integers(0, 2, 500))), _seed(rng))


def one_coarse_step(rng: np.random.Generator) -> Case:
    """Sequences of one step of rounded numbers, as prices are."""
    parts = [np.exp(rng.standard_normal((1, 2))).round(1).astype(np.float64) for _ in range(500)]
    return _cut(data_of(parts, targets=torch.from_numpy(rng.standard_normal(500)), task="regress"), _seed(rng))


def long_streams(rng: np.random.Generator) -> Case:
    """Three streams of 5,000 steps with a season, cut at one date, of which the next value is the target."""
    streams = [np.sin(np.arange(5_000) / 24 * 2 * np.pi)[:, None] + walk(rng, 5_000, 2) for _ in range(3)]
    times = torch.cat([torch.arange(5_000.0) * 3_600 + 1.5e9] * 3).double()
    targets = np.concatenate([each[:, 0] for each in streams]).astype(np.float32)
    data = data_of(streams, times=times, keys=["a", "b", "c"], targets=torch.from_numpy(targets), each="step", task="forecast")
    return _cut(data, 0, "time")


def later_season(rng: np.random.Generator) -> Case:
    """Weeks of one place in order of time, whose level drifts, cut by time."""
    drift = np.linspace(0, 3, 300)
    parts = [each + drift[week] for week, each in enumerate(many(rng, 300, steps=(42, 43)))]
    times = torch.cat([torch.arange(42.0) * 14_400 + 1.5e9 + 604_800 * week for week in range(300)]).double()
    targets = torch.from_numpy(rng.standard_normal(300))
    return _cut(data_of(parts, times=times, keys=[f"w{each}" for each in range(300)], targets=targets), 0, "time")


def lengths_that_tell_a_little(rng: np.random.Generator) -> Case:
    """Classes of slightly different lengths, and a model that knows more."""
    labels = rng.integers(0, 3, 600)
    parts = [walk(rng, int(rng.integers(8, 20)) + int(label), 2) for label in labels]
    case = _cut(data_of(parts, targets=torch.from_numpy(labels)), _seed(rng))
    return replace(case, options={"score": 0.95})


def padded(rng: np.random.Generator) -> Case:
    """Windows filled up with zeros, whatever their class."""
    parts = [np.concatenate([walk(rng, length, 2), np.zeros((30 - length, 2))]) for length in rng.integers(10, 30, 400).tolist()]
    return _cut(data_of(parts, targets=torch.from_numpy(rng.integers(0, 2, 400))), _seed(rng))


def proper_windows(rng: np.random.Generator) -> Case:
    """Windows that overlap, of streams that were cut first."""
    parts, groups = [], []
    for stream in range(60):
        signal = walk(rng, 60, 3)
        parts += [signal[at : at + 20] for at in range(0, 41, 5)]
        groups += [f"s{stream}"] * 9
    return _cut(data_of(parts, groups=groups), _seed(rng), "group")


def irregular(rng: np.random.Generator) -> Case:
    """Purchases at any time, of customers who are in one part each."""
    parts = [np.exp(walk(rng, int(rng.integers(1, 12)), 2)).round(2).astype(np.float64) for _ in range(500)]
    times = [1.5e9 + np.sort(rng.exponential(1e6, len(each)).cumsum()) for each in parts]
    data = data_of(parts, keys=[f"c{each}" for each in range(500)], times=torch.from_numpy(np.concatenate(times)))
    return _cut(data, _seed(rng))


def lags_inside(rng: np.random.Generator) -> Case:
    """Features that are earlier values of the series, beside it, and a class of each step that the next value tells."""
    streams = [walk(rng, 42, 1, 0.9) for _ in range(200)]
    parts = [np.column_stack([each[2:-1], each[1:-2], each[:-3]]) for each in streams]
    targets = torch.from_numpy(np.concatenate([(each[3:, 0] > 0).astype(np.int64) for each in streams]))
    return _cut(data_of(parts, targets=targets, each="step"), _seed(rng))


def features_of_the_past(rng: np.random.Generator) -> Case:
    """Means over the last three steps, made by a function that is given."""

    def make(data: Sequences) -> Sequences:
        past = [
            np.stack([each[max(0, at - 2) : at + 1].mean(0) for at in range(len(each))])
            for each in map(np.asarray, data.parts["x"].to_list())
        ]
        return replace(data, inputs=data.parts["x"].with_values(torch.from_numpy(np.concatenate(past))))

    train, test = both(rng, 100, 40)
    return Case(train=data_of(train), test=data_of(test), options={"make_features": make})


CLEAN: tuple[Callable[[np.random.Generator], Case], ...] = (
    signals, constants, still_sensors, coarse, counts, short_tokens, listed_tokens, standing, phrases, routines, drifted,
    drifted_constants, one_feature, one_step, one_coarse_step, long_streams, later_season, lengths_that_tell_a_little, padded,
    proper_windows, irregular, lags_inside, features_of_the_past,
)  # fmt: skip
