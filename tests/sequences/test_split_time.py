"""Does a cut by time keep the future out of training, warm the state up with the past, and score each step in one part?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from statewise.errors import DataError, OptionError, ShapeError
from statewise.sequences import Ragged, Sequences, aligned, in_pieces, split


def streams(starts: list[int], lengths: list[int], **more: Any) -> Sequences:
    """Return streams that begin at different times, one step a second; each step's value is its time."""
    times = torch.cat([torch.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)]).double()
    whole: dict[str, Any] = {
        "inputs": Ragged(times.float()[:, None], torch.tensor(lengths)),
        "times": times,
        "targets": times.float(),
        "each": "step",
    }
    return Sequences(**{**whole, **more})


def scored_times(part: Sequences) -> list[float]:
    assert part.scored is not None
    assert part.times is not None
    return sorted(part.times[part.scored].tolist())


def cut_before(part: Sequences, every: list[float]) -> float:
    """Return the first time that a part has nothing of: the cut at its end."""
    assert part.times is not None
    last = float(part.times.max())
    return min(time for time in every if time > last)


@given(
    shape=st.lists(st.tuples(st.integers(0, 40), st.integers(10, 40)), min_size=1, max_size=5),
    embargo=st.sampled_from([0.0, 2.0]),
    warm_up=st.sampled_from([None, 0, 3]),
)
def test_every_step_is_scored_in_the_part_of_its_time_and_nowhere_else(
    shape: list[tuple[int, int]], embargo: float, warm_up: int | None
) -> None:
    starts, lengths = [start for start, _ in shape], [length for _, length in shape]
    data = streams(starts, lengths)
    try:
        parts = split(data, by="time", fractions=(0.6, 0.2, 0.2), embargo=embargo, warm_up=warm_up)
    except DataError as error:
        assert "nothing in it would be scored" in str(error)  # noqa: PT017 - few steps at few times, and an embargo over all of them
        return
    train, valid, test = parts
    assert data.times is not None
    every = data.times.tolist()
    first, second = cut_before(train, every), cut_before(valid, every)
    assert scored_times(train) == sorted(time for time in every if time < first)
    assert scored_times(valid) == sorted(time for time in every if first + embargo <= time < second)
    assert scored_times(test) == sorted(time for time in every if time >= second + embargo)
    for part in (valid, test):
        for row in range(len(part)):
            one = part.select([row])
            assert one.times is not None
            assert torch.equal(one.times.diff(), torch.ones(len(one.times) - 1, dtype=torch.float64)), "history has no hole"


def test_what_lies_before_the_cut_is_fed_from_the_beginning_or_from_some_steps_before() -> None:
    data = streams([0], [100])
    train, test = split(data, by="time", fractions=(0.7, 0.3))
    assert (train.num_steps, test.num_steps) == (70, 100)
    assert isinstance(test.weights, torch.Tensor)
    assert test.weights.tolist() == [0.0] * 70 + [1.0] * 30
    _, short = split(data, by="time", fractions=(0.7, 0.3), warm_up=5, embargo=4)
    assert isinstance(short.weights, torch.Tensor)
    assert short.weights.tolist() == [0.0] * 9 + [1.0] * 26
    assert "cut by time at 70; what lies before a cut warms the state up and is not scored, nothing is scored for 4" in short.notes[-1]


def test_a_forecast_is_scored_by_the_time_it_is_about() -> None:
    train, test = split(streams([0], [10], task="forecast"), by="time", fractions=(0.7, 0.3))
    assert aligned(train, "forecast", 2).weights.sum() == 6 + 5
    weights = aligned(test, "forecast", 2).weights
    assert weights[6].tolist() == [1, 1], "made before the cut, about what comes after it"
    assert weights[4].tolist() == [0, 0]
    assert weights[:6].sum() == 1


def test_weights_of_before_stay() -> None:
    data = streams([0], [10], weights=np.array([1.0] * 8 + [0.0, 3.0]))
    _, test = split(data, by="time", fractions=(0.7, 0.3))
    assert isinstance(test.weights, torch.Tensor)
    assert test.weights.tolist() == [0.0] * 7 + [1, 0, 3]


def test_a_sequence_with_one_target_belongs_to_the_part_in_which_it_ends() -> None:
    data = streams([0, 5, 20, 40, 60, 80], [10] * 6, targets=[1.0, 2, 3, 4, 5, 6], each="sequence")
    train, test = split(data, by="time", fractions=(0.5, 0.5))
    assert (train.keys, test.keys) == (("0", "1", "2"), ("3", "4", "5"))
    _, later = split(data, by="time", fractions=(0.5, 0.5), embargo=10)
    assert later.keys == ("4", "5")


def test_times_that_are_dates_are_told_as_dates() -> None:
    data = streams([1_388_534_400], [10])
    assert "cut by time at 2014-01-01 00:00:07" in split(data, by="time", fractions=(0.7, 0.3))[0].notes[-1]


@pytest.mark.parametrize(
    ("data", "options", "kind", "told"),
    [
        (streams([0], [9], times=None), {}, DataError, "has no times. Name the column of times when reading, with time='...' (--time)"),
        (streams([0], [9]), {"embargo": -1.0}, OptionError, "embargo=-1.0, warm_up=None. Both are 0 or more"),
        (streams([0], [9]), {"warm_up": -1}, OptionError, "warm_up=-1"),
        (streams([0], [9]), {"embargo": 100.0}, DataError, "part 2 of 2 (fraction 0.3): nothing in it would be scored; the cuts are 6"),
        (streams([0, 9], [9, 9], targets=["a", "b"], each="sequence"), {"warm_up": 3}, OptionError, "sequences stay whole"),
        (streams([0], [9]), {"by": "sequence", "embargo": 1.0}, OptionError, "They belong to a cut by time"),
    ],
)
def test_what_cannot_be_cut_by_time_is_refused(data: Sequences, options: dict[str, Any], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind) as error:
        split(data, **{"by": "time", "fractions": (0.7, 0.3), **options})
    assert told in str(error.value)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.randoms())
def test_steps_that_are_left_out_leave_no_trace(lengths: list[int], random: Any) -> None:
    kept = torch.tensor([random.random() < 0.5 for _ in range(sum(lengths))], dtype=torch.bool)
    data = streams([10 * row for row in range(len(lengths))], lengths)
    part = data.select_steps(kept)
    for whole, some, mask in zip(data.parts["x"].to_list(), part.parts["x"].to_list(), kept.split(lengths), strict=True):
        assert torch.equal(whole[mask], some)
    assert isinstance(part.targets, torch.Tensor)
    assert part.targets.tolist() == part.parts["x"].values[:, 0].tolist()
    with pytest.raises(ShapeError, match="Give a mask of one entry a step"):
        data.select_steps(torch.ones(data.num_steps + 1))


def test_streams_cut_by_time_first_keep_their_history_and_pieces_do_not_and_say_so() -> None:
    data = streams([0], [100])
    train, test = split(data, by="time", fractions=(0.7, 0.3))
    assert in_pieces(train, 20).lengths.tolist() == [20, 20, 20, 10]
    assert test.num_steps == 100
    assert not any("pieces" in note for note in test.notes)
    _, cold = split(in_pieces(data, 20), by="time", fractions=(0.7, 0.3))
    assert cold.num_steps == 40
    assert any("each begins without what came before it" in note for note in cold.notes)


def test_pieces_that_share_a_target_stay_in_one_part() -> None:
    data = in_pieces(streams([0, 30, 60, 90], [50] * 4, targets=[1.0, 2, 3, 4], each="sequence"), 10)
    parts = split(data, by="time", fractions=(0.5, 0.5))
    groups = [set(part.groups or ()) for part in parts]
    assert not groups[0] & groups[1]
    assert groups[0] | groups[1] == {"0", "1", "2", "3"}


def test_weights_of_whole_sequences_without_targets_are_spread() -> None:
    data = streams([0], [10], targets=None, each=None, weights=[2.0])
    _, test = split(data, by="time", fractions=(0.7, 0.3))
    assert isinstance(test.weights, torch.Tensor)
    assert test.weights.tolist() == [0.0] * 7 + [2.0] * 3
