"""Are runs of steps matched as the rule says? Against a matching by brute force, and hand counts."""

from __future__ import annotations

import datetime as dt
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statewise.errors import OptionError
from statewise.evaluation import EventRules, Events, Predictions, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable


def _events(
    target: list[int], prediction: list[int], *, lengths: list[int] | None = None, rules: EventRules | None = None, **more: object
) -> Events:
    lengths = lengths or [len(target)]
    columns = {
        "key": np.repeat(np.arange(len(lengths)), lengths),
        "step": np.concatenate([np.arange(length) for length in lengths]),
        "target": target,
        "prediction": prediction,
        **more,
    }
    found = evaluate(Predictions.from_columns(columns, class_names=("0", "1")), positive="1", events=rules, by=()).events
    assert found is not None
    return found


def _runs(steps: list[int]) -> list[tuple[int, int]]:
    """Return the first and last place of each run of 1, slowly."""
    found, at = [], 0
    for value, members in groupby(steps):
        size = len(list(members))
        if value:
            found.append((at, at + size - 1))
        at += size
    return found


@settings(max_examples=75, deadline=None)
@given(
    sequences=st.lists(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=14), min_size=1, max_size=4),
    tolerance=st.integers(0, 3),
    least=st.integers(1, 3),
)
def test_events_and_alarms_are_matched_as_by_brute_force(sequences: list[list[tuple[int, int]]], tolerance: int, least: int) -> None:
    events = alarms = found = right = delay = 0
    for pairs in sequences:
        true = _runs([actual for actual, _ in pairs])
        said = [run for run in _runs([answer for _, answer in pairs]) if run[1] - run[0] + 1 >= least]
        touches = [[a <= d + tolerance and c <= b + tolerance for c, d in said] for a, b in true]
        events, alarms = events + len(true), alarms + len(said)
        found += sum(map(any, touches))
        right += sum(any(row[at] for row in touches) for at in range(len(said)))
        delay += sum(max(said[row.index(True)][0] - run[0], 0) for run, row in zip(true, touches, strict=True) if any(row))
    flat = [pair for pairs in sequences for pair in pairs]
    rules = EventRules(tolerance=tolerance, min_length=least)
    told = _events([a for a, _ in flat], [p for _, p in flat], lengths=[len(pairs) for pairs in sequences], rules=rules)
    assert (told.num_events, told.num_found, told.num_alarms, told.num_right) == (events, found, alarms, right)
    if found:
        assert told.metrics["delay"].value == pytest.approx(delay / found)
    assert told.metrics["false_alarms"].value == pytest.approx(1000 * (alarms - right) / len(flat))


def test_a_run_ends_with_its_sequence() -> None:
    told = _events([0, 1, 1, 0], [0, 1, 0, 0], lengths=[2, 2])
    assert (told.num_events, told.num_found) == (2, 1)


def test_false_alarms_are_told_an_hour_and_delays_in_seconds_where_there_is_a_time() -> None:
    target, prediction = [0] * 60 + [1] * 30 + [0] * 30, [0, 1, *[0] * 68, *[1] * 20, *[0] * 30]
    told = _events(target, prediction, time=[60.0 * step for step in range(120)])
    assert (told.per, told.delay_in) == ("hour", "seconds")
    assert told.metrics["delay"].value == 600.0  # ten steps of a minute
    assert told.metrics["false_alarms"].value == pytest.approx(1 / 2)  # one in 120 minutes


@pytest.mark.parametrize("written", [str, lambda time: dt.datetime.fromtimestamp(time, dt.UTC).isoformat()], ids=["digits", "dates"])
def test_times_that_are_text_as_in_a_csv_file_are_seconds_too(written: Callable[[float], str]) -> None:
    target, prediction = [0] * 60 + [1] * 30 + [0] * 30, [0, 1, *[0] * 68, *[1] * 20, *[0] * 30]
    told = _events(target, prediction, time=[written(60.0 * step) for step in range(120)])
    assert (told.per, told.delay_in, told.metrics["delay"].value) == ("hour", "seconds", 600.0)
    assert _events(target, prediction, time=["soon"] * 120).delay_in == "steps"


def test_figures_without_an_alarm_or_a_mistake_have_intervals_with_a_width() -> None:
    silent = _events([0, 1] * 10, [0, 0] * 10, lengths=[2] * 10)
    assert np.isnan(silent.metrics["event_precision"].value)
    assert silent.metrics["event_recall"].value == 0
    assert silent.metrics["event_f1"].value == 0
    assert silent.metrics["event_recall"].high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert silent.metrics["false_alarms"].value == 0
    assert silent.metrics["false_alarms"].high is not None
    assert silent.metrics["false_alarms"].high > 0
    perfect = _events([0, 1] * 10, [0, 1] * 10, lengths=[2] * 10)
    assert perfect.metrics["event_f1"].low == pytest.approx(0.025 ** (1 / 10))


def test_events_of_named_classes_are_counted_class_by_class() -> None:
    columns = {"step": range(8), "target": list("aabbccaa"), "prediction": list("aabbbbca")}
    found = evaluate(Predictions.from_columns(columns), events=EventRules(of=("b", "c")), by=()).events
    assert found is not None
    assert (found.num_events, found.num_found, found.num_alarms, found.num_right) == (2, 1, 2, 1)
    assert evaluate(Predictions.from_columns(columns), by=()).events is None


def test_rules_that_cannot_be_kept_are_refused() -> None:
    with pytest.raises(OptionError, match="tolerance"):
        EventRules(tolerance=-1)
    with pytest.raises(OptionError, match="min_length"):
        EventRules(min_length=0)
    columns = {"step": range(4), "target": list("abca"), "prediction": list("abca")}
    with pytest.raises(OptionError, match="no class here"):
        evaluate(Predictions.from_columns(columns), events=EventRules(of=("d",)))
    with pytest.raises(OptionError, match="runs of steps"):
        evaluate(Predictions.from_columns({"target": [0, 1], "prediction": [0, 1]}), events=EventRules())


def test_rows_in_any_order_have_the_same_events_where_a_time_orders_them() -> None:
    target, prediction = [0] * 60 + [1] * 30 + [0] * 30, [0, 1, *[0] * 68, *[1] * 20, *[0] * 30]
    columns = {"key": np.zeros(120), "time": np.arange(120) * 60.0, "target": np.array(target), "prediction": np.array(prediction)}
    mixed = np.random.default_rng(0).permutation(120)
    found = []
    for rows in (np.arange(120), mixed):
        chosen = {name: column[rows].tolist() for name, column in columns.items()}
        evaluation = evaluate(Predictions.from_columns(chosen, class_names=("0", "1")), positive="1", by=())
        found.append((evaluation.events, evaluation.num_units))
    assert found[0] == found[1]
    assert found[0][0] is not None
    assert found[0][0].metrics["delay"].value == 600.0


def test_steps_that_are_not_scored_part_events_and_count_in_delays() -> None:
    target, prediction = [0, 1, 1, 1, 1, 1, 1, 0], [0, 1, 0, 0, 0, 0, 1, 0]
    weight = [1.0, 1, 0, 0, 1, 1, 1, 1]
    told = _events(target, prediction, weight=weight)
    assert (told.num_events, told.num_found, told.num_alarms) == (2, 2, 2)
    assert told.metrics["delay"].value == pytest.approx((0 + 2) / 2)
    far = _events([0, 1, 1, 1, 1, 0, 0, 0], [0] * 6 + [1, 0], weight=[1, 1, 1, 0, 0, 0, 1, 1], rules=EventRules(tolerance=2))
    assert (far.num_events, far.num_found) == (1, 0), "the alarm is four steps from the event, three of which are not scored"


def test_a_time_that_is_none_is_told_and_its_order_is_kept() -> None:
    columns = {"key": ["a"] * 4, "time": ["soon 1", "soon 2", "soon 3", "soon 4"], "target": [0, 1, 1, 0], "prediction": [0, 0, 1, 0]}
    found = evaluate(Predictions.from_columns(columns, class_names=("0", "1")), positive="1", by=())
    assert found.events is not None
    assert found.events.delay_in == "steps"
    assert any("holds something that is no time" in note for note in found.notes)


@pytest.mark.parametrize("clock", ["step", "time"])
def test_a_hole_in_an_even_clock_parts_events_and_one_in_an_uneven_clock_none(clock: str) -> None:
    def found(places: list[int]) -> Events | None:
        columns: dict[str, list[Any]] = {"key": ["a"] * 6, "target": [0, 1, 1, 1, 1, 0], "prediction": [0, 1, 1, 0, 0, 0]}
        columns[clock] = [60 * place for place in places]
        return evaluate(Predictions.from_columns(columns, class_names=("0", "1")), positive="1", by=()).events

    holed, uneven = found([0, 1, 2, 62, 63, 64]), found([0, 1, 5, 62, 64, 70])
    assert holed is not None
    assert uneven is not None
    assert (holed.num_events, holed.num_found) == (2, 1)
    assert (uneven.num_events, uneven.num_found) == (1, 1)
