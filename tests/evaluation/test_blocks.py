"""Are groups and sequences the units, and blocks of steps only where those are few?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter  # type: ignore[import-untyped]

from statewise.evaluation import Predictions
from statewise.evaluation._blocks import MIN_UNITS, units_of


def steps_of(lengths: list[int], *, ahead: int = 0, group: bool = False) -> Predictions:
    key = np.repeat([f"s{number}" for number in range(len(lengths))], lengths)
    step = np.concatenate([np.arange(length) for length in lengths])
    if ahead:
        key, step = np.repeat(key, ahead), np.repeat(step, ahead)
    rows = len(key)
    return Predictions(
        task="forecast" if ahead else "regress",
        key=key,
        step=step,
        ahead=np.tile(np.arange(1, ahead + 1), rows // ahead) if ahead else None,
        predicted=np.zeros(rows),
        group=np.array(["all"] * rows) if group else None,
    )


def noise(rows: int, coefficient: float = 0.0) -> np.ndarray:
    found: np.ndarray = lfilter([1.0], [1.0, -coefficient], np.random.default_rng(0).normal(size=rows))
    return found


def test_eight_sequences_are_units_and_seven_are_cut_into_blocks() -> None:
    whole = units_of(steps_of([100] * MIN_UNITS), noise(800))
    assert (whole.num_units, whole.unit, whole.words, whole.notes) == (8, "sequence", "sequences", ())
    cut = units_of(steps_of([100] * 7), noise(700))
    assert (cut.num_units, cut.unit, cut.words) == (70, "block", "blocks of 10 steps")
    assert "7 sequences of ordered steps" in cut.notes[0]
    assert "70 blocks of 10" in cut.notes[0]
    assert "not of others" in cut.notes[0]


def test_sequences_without_steps_are_never_cut() -> None:
    rows = Predictions(task="regress", key=np.array(list("abc")), predicted=np.zeros(3))
    assert units_of(rows, noise(3)).num_units == 3


@given(st.lists(st.integers(1, 120), min_size=1, max_size=7), st.integers(0, 4))
def test_a_block_is_consecutive_steps_of_one_stream_at_least_as_long_as_ten_horizons(lengths: list[int], ahead: int) -> None:
    rows = steps_of(lengths, ahead=ahead)
    found = units_of(rows, noise(len(rows)))
    assert sorted(set(found.of_unit.tolist())) == list(range(found.num_units))
    assert (np.diff(found.of_unit) >= 0).all()
    assert rows.step is not None
    for unit in range(found.num_units):
        inside = found.of_unit == unit
        assert len(set(rows.key[inside].tolist())) == 1
        steps = np.unique(rows.step[inside])
        if found.unit == "block":
            (of_stream,) = (length for number, length in enumerate(lengths) if rows.key[inside][0] == f"s{number}")
            assert len(steps) >= min(10 * max(ahead, 1), of_stream)
            assert (np.diff(steps) == 1).all()


def test_blocks_are_as_long_as_errors_depend_on_each_other() -> None:
    rows = steps_of([20_000])
    for coefficient in (0.9, 0.98):
        found = units_of(rows, noise(20_000, coefficient))
        told = int(found.words.removeprefix("blocks of ").removesuffix(" steps"))
        assert told == pytest.approx(np.log(0.1) / np.log(coefficient), rel=0.3)  # where the autocorrelation is one tenth
        assert found.num_units == 20_000 // told


def test_a_stream_too_short_for_two_blocks_is_one_unit() -> None:
    found = units_of(steps_of([19]), noise(19))
    assert (found.num_units, found.unit, found.notes) == (1, "sequence", ())
    assert units_of(steps_of([20]), noise(20)).num_units == 2
    assert units_of(steps_of([60]), np.zeros(60)).num_units == 6


def test_rows_in_any_order_get_the_same_units() -> None:
    rows, error = steps_of([50, 40], ahead=2), noise(180)
    turned = np.random.default_rng(1).permutation(180)
    columns: dict[str, Any] = {name: getattr(rows, name)[turned] for name in ("key", "step", "ahead", "predicted")}
    again = Predictions(task="forecast", **columns)
    first, second = units_of(rows, error), units_of(again, error[turned])
    pairs = set(zip(first.of_unit[turned].tolist(), second.of_unit.tolist(), strict=True))
    assert len(pairs) == first.num_units == second.num_units


def test_pieces_of_one_group_are_cut_as_one_stream() -> None:
    found = units_of(steps_of([5] * 40, group=True), noise(200))
    assert (found.num_units, found.unit) == (20, "block")


def test_text_as_steps_keeps_its_order() -> None:
    rows = steps_of([40])
    dated = Predictions(task="regress", key=rows.key, step=np.array([f"2024-01-01 {n:02}" for n in range(40)]), predicted=rows.predicted)
    assert units_of(dated, noise(40)).of_unit.tolist() == units_of(rows, noise(40)).of_unit.tolist()
