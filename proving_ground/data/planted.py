"""Which leaks are planted, and how strong? For each check of data one, from the weakest that matters upwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from proving_ground.data.making import Case, both, clocks, codes_of, data_of, many, walk
from statewise.sequences import Ragged, Sequences, fit_statistics

if TYPE_CHECKING:
    from collections.abc import Callable

_N, _M = 800, 200


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A leak that can be made of any strength.

    Attributes:
        code: of the check that must find it.
        what: in words, with what a strength counts.
        strengths: from the weakest that matters.
        make: makes the parts, from a random generator and a strength.
    """

    code: str
    what: str
    strengths: tuple[float, ...]
    make: Callable[[np.random.Generator, float], Case]


def _copied(rng: np.random.Generator, strength: float) -> Case:
    train, test = both(rng)
    for place in range(int(strength)):
        test[place] = train[place]
    return Case(train=data_of(train), test=data_of(test))


def _copied_tokens(rng: np.random.Generator, strength: float) -> Case:
    train, test = ([rng.integers(0, 50, int(rng.integers(10, 30))) for _ in range(n)] for n in (_N, _M))
    test[: int(strength)] = train[: int(strength)]
    return Case(train=codes_of(train, 50), test=codes_of(test, 50))


def _near(rng: np.random.Generator, strength: float) -> Case:
    train, test = both(rng)
    for place in range(int(strength)):
        test[place] = train[place] + 0.01 * rng.standard_normal(train[place].shape)
    return Case(train=data_of(train), test=data_of(test))


def _overlapping(rng: np.random.Generator, strength: float) -> Case:
    """Windows of 20 steps, of which so many of the test part begin 10 steps after one of training."""
    streams = many(rng, _N, steps=(30, 31))
    train = [each[:20] for each in streams]
    test = many(rng, _M, steps=(20, 21))
    for place in range(int(strength)):
        test[place] = streams[place][10:30]
    return Case(train=data_of(train), test=data_of(test))


def _shared_steps(rng: np.random.Generator, strength: float) -> Case:
    """One test window shares so many steps with one of training."""
    train, test = (many(rng, n, steps=(20, 21)) for n in (_N, _M))
    test[0][: int(strength)] = train[0][-int(strength) :]
    return Case(train=data_of(train), test=data_of(test))


def _overlapping_tokens(rng: np.random.Generator, strength: float) -> Case:
    """Windows of 40 tokens from one stream, every 20 steps; so many of them change sides, the others were cut by stream."""
    streams = [rng.integers(0, 50, 60) for _ in range(_N)]
    train, test = [each[:40] for each in streams], [rng.integers(0, 50, 40) for _ in range(_M)]
    for place in range(int(strength)):
        test[place] = streams[place][20:60]
    return Case(train=codes_of(train, 50), test=codes_of(test, 50))


def _groups(rng: np.random.Generator, strength: float) -> Case:
    train, test = both(rng)
    names = [f"p{each % 160}" for each in range(_N)]
    others = [f"p{160 + each % 40}" for each in range(_M)]
    others[: int(strength)] = names[: int(strength)]
    return Case(train=data_of(train, groups=names), test=data_of(test, groups=others))


def _future(rng: np.random.Generator, strength: float) -> Case:
    """Streams that are cut at one date, of which so many have a piece of the past in the test part."""
    train, test = both(rng, 200, 200)
    keys = [f"s{each}" for each in range(200)]
    early = [torch.arange(len(each)) * 60.0 + 1.5e9 for each in train]
    late = [torch.arange(len(each)) * 60.0 + (1.5e9 - 9e4 if place < strength else 1.5e9 + 9e4) for place, each in enumerate(test)]
    return Case(train=data_of(train, keys=keys, times=torch.cat(early)), test=data_of(test, keys=keys, times=torch.cat(late)))


def _scaled(rng: np.random.Generator, strength: float) -> Case:
    """A test part that lies so many spreads away, and statistics of all."""
    train, test = both(rng)
    parts = data_of(train), data_of([each + strength for each in test])
    return Case(train=parts[0], test=parts[1], options={"scaling": fit_statistics(Sequences.concatenate(*parts))})


def _scaled_already(rng: np.random.Generator, strength: float) -> Case:
    """The same, and nothing given but the scaled numbers."""
    train, test = both(rng)
    test = [each + strength for each in test]
    whole = np.concatenate([*train, *test])
    center, spread = whole.mean(0), whole.std(0)
    scaled = [[(each - center) / spread for each in part] for part in (train, test)]
    return Case(train=data_of(scaled[0]), test=data_of(scaled[1]))


def _vocabulary(rng: np.random.Generator, strength: float) -> Case:
    """A vocabulary of 100 entries that training uses, and so many that the test part alone does."""
    train = [rng.integers(0, 100, 20) for _ in range(_N)]
    test = [rng.integers(0, 100 + int(strength), 20) for _ in range(_M)]
    entries = 100 + int(strength)
    return Case(
        train=codes_of(train, entries), test=codes_of(test, entries), options={"vocabulary": [f"t{each}" for each in range(entries)]}
    )


def _target_inside(rng: np.random.Generator, strength: float) -> Case:
    """A feature that is the target of so many steps later, in another unit."""
    late = int(strength)
    return _with_target(rng, lambda target, _: 3.0 + 2.0 * np.concatenate([target[late:], np.zeros(late)]))


def _target_noisy(rng: np.random.Generator, strength: float) -> Case:
    """A feature that is the target and so much noise."""
    return _with_target(rng, lambda target, noise: target + strength * noise)


def _with_target(rng: np.random.Generator, leak: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Case:
    parts = []
    for n in (200, 100):
        signals, targets = many(rng, n), []
        for place, each in enumerate(signals):
            target = walk(rng, len(each), 1, 0.5)[:, 0]
            targets.append(target)
            signals[place] = np.column_stack([each, leak(target, rng.standard_normal(len(each)))])
        parts.append(data_of(signals, targets=torch.from_numpy(np.concatenate(targets)), each="step", task="regress"))
    return Case(train=parts[0], test=parts[1])


def _target_class(rng: np.random.Generator, strength: float) -> Case:
    """A feature that stands for the class at each step, another number in each of so many classes."""
    names = rng.permutation(int(strength)) * 1.0
    parts = []
    for n in (200, 100):
        signals = many(rng, n)
        targets = [rng.integers(0, int(strength), len(each)) for each in signals]
        signals = [np.column_stack([each, names[target]]) for each, target in zip(signals, targets, strict=True)]
        parts.append(data_of(signals, targets=torch.from_numpy(np.concatenate(targets)), each="step"))
    return Case(train=parts[0], test=parts[1])


def _class_noisy(rng: np.random.Generator, strength: float) -> Case:
    """A feature that is the number of its sequence's class at each step, with so much noise."""
    parts = []
    for n in (300, 100):
        signals, targets = many(rng, n), rng.integers(0, 3, n)
        copies = [target + strength * rng.standard_normal(len(each)) for each, target in zip(signals, targets, strict=True)]
        signals = [np.column_stack(pair) for pair in zip(signals, copies, strict=True)]
        parts.append(data_of(signals, targets=torch.from_numpy(targets)))
    return Case(train=parts[0], test=parts[1])


def _look_ahead(rng: np.random.Generator, strength: float) -> Case:
    """A mean that reaches so many steps beyond its own."""
    reach = int(strength)

    def make(data: Sequences) -> Sequences:
        parts = [each[:, :1].numpy() for each in data.parts["x"].to_list()]
        ahead = [np.stack([each[max(0, at - 3) : at + reach + 1].mean(0) for at in range(len(each))]) for each in parts]
        columns = torch.from_numpy(np.concatenate(ahead).astype(np.float32))
        return replace(data, inputs=data.parts["x"].with_values(torch.cat([data.parts["x"].values, columns], dim=1)))

    train, test = both(rng, 100, 50)
    return Case(train=data_of(train), test=data_of(test), options={"make_features": make})


def _lengths(rng: np.random.Generator, strength: float) -> Case:
    """Two classes whose lengths differ by so many steps, around 20 and with a spread of 4; the model reaches what the lengths do."""
    parts = []
    for n in (_N, _M):
        labels = rng.integers(0, 2, n)
        signals = [walk(rng, max(2, int(rng.normal(20 + strength * label, 4))), 3) for label in labels]
        parts.append(data_of(signals, targets=torch.from_numpy(labels)))
    return Case(train=parts[0], test=parts[1], options={"score": 0.5})


def _padding(rng: np.random.Generator, strength: float) -> Case:
    """The same lengths, filled up with zeros to 80 steps."""
    case = _lengths(rng, strength)

    def padded(data: Sequences) -> Sequences:
        values, _ = data.parts["x"].to_padded()
        values = torch.nn.functional.pad(values, (0, 0, 0, 80 - values.shape[1]))[:, :80]
        return replace(data, inputs=Ragged(values.flatten(0, 1), torch.full((len(values),), 80)))

    return replace(case, train=padded(case.train), test=padded(case.test))


def _borders(rng: np.random.Generator, strength: float) -> Case:
    """Windows of 20 steps from entities one below the other, of which so many run over a border."""
    train, test = (many(rng, n, steps=(20, 21)) for n in (_N, _M))
    times = [torch.arange(20.0) + 20 * (each % 40) for each in range(_N)]
    for place in range(int(strength)):
        times[place] = torch.cat([torch.arange(780.0, 790.0), torch.arange(10.0)])
    return Case(train=data_of(train, times=torch.cat(times)), test=data_of(test, times=torch.arange(20.0).repeat(_M)))


def _whose(rng: np.random.Generator, strength: float) -> Case:
    """The same, told by a column of whose step it is alone."""
    parts = [many(rng, n, steps=(20, 21)) for n in (_N, _M)]
    for number, signals in enumerate(parts):
        for place, each in enumerate(signals):
            whose = np.full(20, float(place // 8))
            if number == 0 and place < strength:
                whose[10:] += 1
            signals[place] = np.column_stack([each, whose])
    names = ["a", "b", "c", "engine_id"]
    return Case(train=data_of(parts[0], feature_names=names), test=data_of(parts[1], feature_names=names))


def _conflicts(rng: np.random.Generator, strength: float) -> Case:
    train, test = both(rng)
    labels = rng.integers(0, 3, _N)
    for place in range(int(strength)):
        train[place + 400] = train[place]
        labels[place + 400] = (labels[place] + 1) % 3
    others = {"targets": torch.from_numpy(rng.integers(0, 3, _M)), "class_names": ["a", "b", "c"]}
    return Case(train=data_of(train, targets=torch.from_numpy(labels), class_names=["a", "b", "c"]), test=data_of(test, **others))


def _shifted(rng: np.random.Generator, strength: float) -> Case:
    """One of three features lies so many spreads higher in the test part."""
    train, test = both(rng)
    return Case(train=data_of(train), test=data_of([each + np.array([0.0, strength, 0.0]) for each in test]))


def _faster(rng: np.random.Generator, strength: float) -> Case:
    """A clock in the test part that is so many times as fast, of ten persons and two."""
    train, test = both(rng, 100, 20)
    times = [clocks(rng, [len(each) for each in part], step) for part, step in ((train, 0.02), (test, 0.02 / strength))]
    groups = [[f"p{each % 10}" for each in range(100)], [f"q{each % 2}" for each in range(20)]]
    parts = [data_of(part, times=time, groups=who) for part, time, who in zip((train, test), times, groups, strict=True)]
    return Case(train=parts[0], test=parts[1])


def _one_person(rng: np.random.Generator, strength: float) -> Case:
    """A test part of so many sequences of one person."""
    train, test = both(rng, 100, int(strength))
    return Case(train=data_of(train, groups=[f"p{each % 10}" for each in range(100)]), test=data_of(test, groups=["q"] * int(strength)))


def _few_positives(rng: np.random.Generator, strength: float) -> Case:
    """A test part of 200 with so many of the rarer class."""
    train, test = both(rng)
    labels = [torch.from_numpy(rng.integers(0, 2, _N)), (torch.arange(_M) < int(strength)).long()]
    names = ["no", "yes"]
    return Case(train=data_of(train, targets=labels[0], class_names=names), test=data_of(test, targets=labels[1], class_names=names))


def _validated(rng: np.random.Generator, strength: float) -> Case:
    train, test = both(rng)
    valid = many(rng, _M)
    valid[: int(strength)] = test[: int(strength)]
    return Case(train=data_of(train), test=data_of(test), valid=data_of(valid))


_FEW = (1, 2, 5, 10)
PLANTED = (
    Planted(code="SW701", what="test sequences of 200 that are training sequences", strengths=_FEW, make=_copied),
    Planted(
        code="SW701", what="test sequences of 200 that are training sequences, of 10 to 29 tokens", strengths=_FEW, make=_copied_tokens
    ),
    Planted(code="SW702", what="test sequences of 200 that are training sequences with 1 % noise", strengths=_FEW, make=_near),
    Planted(code="SW703", what="test windows of 200 that overlap with one of training by half", strengths=_FEW, make=_overlapping),
    Planted(
        code="SW703", what="steps that one test window of 200 shares with one of training", strengths=(4, 6, 8, 12), make=_shared_steps
    ),
    Planted(code="SW703", what="test windows of 200 that overlap by half, of tokens", strengths=_FEW, make=_overlapping_tokens),
    Planted(code="SW704", what="test sequences of 200 of a person in training", strengths=_FEW, make=_groups),
    Planted(code="SW705", what="test streams of 200 that begin before the end of training", strengths=_FEW, make=_future),
    Planted(
        code="SW706", what="spreads that the test part lies away, statistics of all given", strengths=(0.0, 0.01, 0.1, 1.0), make=_scaled
    ),
    Planted(code="SW706", what="the same, numbers scaled by all and nothing given", strengths=(0.0, 0.01, 0.1, 1.0), make=_scaled_already),
    Planted(code="SW707", what="entries that the test part alone uses, of a vocabulary of all", strengths=_FEW, make=_vocabulary),
    Planted(code="SW708", what="steps by which a copy of the target comes before it", strengths=(0, 1, 3), make=_target_inside),
    Planted(code="SW708", what="noise of a copy of the target, in its spreads", strengths=(0.1, 0.03, 0.01, 0.001), make=_target_noisy),
    Planted(code="SW708", what="classes, each told by one number", strengths=(2, 3, 9), make=_target_class),
    Planted(code="SW708", what="noise of the number of a sequence's class, at each step", strengths=(0.3, 0.2, 0.1), make=_class_noisy),
    Planted(code="SW709", what="steps that a mean reaches ahead", strengths=(1, 2, 5), make=_look_ahead),
    Planted(code="SW710", what="steps between the mean lengths of two classes, spread 4", strengths=(2, 4, 8, 16), make=_lengths),
    Planted(code="SW710", what="the same, filled up with zeros", strengths=(2, 4, 8, 16), make=_padding),
    Planted(code="SW711", what="windows of 800 whose times go back", strengths=_FEW, make=_borders),
    Planted(code="SW711", what="windows of 800 about two engines", strengths=_FEW, make=_whose),
    Planted(code="SW712", what="pairs of equal sequences with two labels", strengths=_FEW, make=_conflicts),
    Planted(code="SW713", what="spreads by which a feature is higher in the test part", strengths=(0.1, 0.2, 0.4, 0.8), make=_shifted),
    Planted(code="SW714", what="times as fast a clock in the test part", strengths=(1.005, 1.02, 1.1, 2.0), make=_faster),
    Planted(code="SW715", what="test sequences, all of one person", strengths=(2, 20, 200), make=_one_person),
    Planted(code="SW715", what="of the rarer class among 200", strengths=(4, 3, 1), make=_few_positives),
    Planted(code="SW716", what="test sequences of 200 in the validation part", strengths=_FEW, make=_validated),
)
