"""How well are runs of steps found, each run counting once however long? Alarms, their delay, and how often they are false.

An event is a run of consecutive steps of one sequence whose target is the class; a step that is not scored, or that is missing where
the others are evenly spaced, ends it. An alarm is such a run of answers, of `min_length` steps or more. They belong together where
they overlap by any step, or come as near as `tolerance` steps. Several alarms may find one event, and one alarm several.

event_recall       events that an alarm touches, of all
event_precision    alarms that touch an event, of all
event_f1           their harmonic mean
delay              from the first step of a found event to the first step of the first alarm that touches it; an earlier one has 0
false_alarms       alarms that touch no event: a thousand steps, or an hour where the rows have a time
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from statewise.errors import OptionError, nearest
from statewise.evaluation._estimate import Estimate
from statewise.evaluation._intervals import clopper_pearson
from statewise.evaluation._jackknife import Metric, UnitSums, estimate, ratio
from statewise.evaluation._labels import step_numbers
from statewise.evaluation._metrics import divide
from statewise.evaluation._part_records import EventRules, Events
from statewise.evaluation._scored import is_scored
from statewise.evaluation._times import seconds_of

if TYPE_CHECKING:
    from statewise.evaluation._blocks import RowUnits
    from statewise.evaluation._predictions import Predictions

_SHARES = (
    Metric("event_precision", ratio("right", "alarms"), scale="logit", is_share=True, rests_on="alarms"),
    Metric("event_recall", ratio("found", "events"), scale="logit", is_share=True, rests_on="events"),
    Metric("event_f1", lambda sums: _harmonic(sums["right"], sums["alarms"], sums["found"], sums["events"]), scale="logit", is_share=True),
)
_DELAY = Metric("delay", ratio("delay", "found"), scale="linear", rests_on="found")
_FALSE = Metric("false_alarms", ratio("false", "exposure"))
_HOUR = 3600.0
_EVEN = 0.5
"""Of the gaps between rows, so many are of one size where a clock ticks evenly."""


class _Steps(NamedTuple):
    """The rows in the order of sequence and step: the sequence and the place of each, and where a run cannot go on."""

    sequence: np.ndarray
    place: np.ndarray
    ends: np.ndarray


class _Runs(NamedTuple):
    """Runs of steps: the places of their first and last rows, in the order of sequence and step."""

    first: np.ndarray
    last: np.ndarray


def events_of(
    predictions: Predictions, units: RowUnits, *, positive: str | None, rules: EventRules | None, among: Predictions | None = None
) -> Events | None:
    """Return how well events are found; None where no class is told to have any.

    Args:
        predictions: rows of steps that are scored.
        units: their independent units.
        positive: the class of a binary task that events are of, unless `rules` names others.
        rules: when an event is found.
        among: the rows with those that are not scored between them; by default there are none.

    Raises:
        OptionError: `rules` names a class that is none.

    Example:
        >>> from statewise.evaluation import Predictions, evaluate
        >>> columns = {"step": range(8), "target": [0, 1, 1, 0, 0, 0, 1, 1], "prediction": [0, 0, 1, 0, 1, 0, 0, 0]}
        >>> found = evaluate(Predictions.from_columns(columns)).events
        >>> found.num_events, found.num_found, found.num_alarms, found.num_right, found.metrics["delay"].value
        (2, 1, 2, 1, 1.0)
    """
    rules = rules or EventRules()
    wanted = [_place(predictions, name) for name in rules.of] or ([] if positive is None else [predictions.class_names.index(positive)])
    if not wanted or predictions.task != "tag":
        return None
    place = _places(predictions, among)
    order = np.argsort(place, kind="stable")
    of_key, place = predictions.key_numbers[order], place[order]
    is_next = (np.diff(of_key) == 0) & (np.diff(place) == 1)
    steps = _Steps(of_key, place, np.flatnonzero(~is_next) + 1)
    seconds = seconds_of(predictions.more["time"]) if "time" in predictions.more else None
    time = None if seconds is None else seconds[order]
    parts = {name: np.zeros(units.num_units) for name in ("events", "found", "alarms", "right", "false", "delay", "exposure", "rows")}
    of_unit = units.of_unit[order]
    assert predictions.actual is not None
    for number in wanted:
        there = predictions.actual[order] == number, predictions.predicted[order] == number
        _count(parts, *there, steps=steps, of_unit=of_unit, rules=rules, time=time)
    in_hours = time is not None
    parts["exposure"] = _exposure(of_unit, is_next, time, units.num_units) * len(wanted)
    parts["rows"] = np.bincount(of_unit, minlength=units.num_units).astype(np.float64)
    sums = UnitSums(parts, units.words)
    metrics = {metric.name: _share(metric, sums) for metric in _SHARES} | {"delay": estimate(_DELAY, sums), "false_alarms": _rate(sums)}
    total = {name: int(part.sum()) for name, part in parts.items() if name in ("events", "found", "alarms", "right")}
    return Events(
        rules=rules, num_events=total["events"], num_found=total["found"], num_alarms=total["alarms"], num_right=total["right"],
        metrics={name: each if name.startswith("event") else _plain(each) for name, each in metrics.items()},
        per="hour" if in_hours else "1,000 steps", delay_in="seconds" if in_hours else "steps",
    )  # fmt: skip


def _place(predictions: Predictions, name: str) -> int:
    if name not in predictions.class_names:
        hint = nearest(name, predictions.class_names)
        raise OptionError(asked="evaluate events", where="of", arrived=f"{name!r}, which is no class here", hint=hint)
    return predictions.class_names.index(name)


def _places(predictions: Predictions, among: Predictions | None) -> np.ndarray:
    """Return the place of each row in the order of sequence and step, among all rows and those that a regular clock misses."""
    whole = predictions if among is None else among
    rank = np.arange(len(whole)) if whole.step is None else step_numbers(whole.step)
    order = np.lexsort((rank, whole.key_numbers))
    goes_on = np.diff(whole.key_numbers[order]) == 0
    missing = np.zeros(len(goes_on), dtype=np.int64)
    seconds = seconds_of(whole.more["time"]) if "time" in whole.more else None
    for clock in (whole.step, seconds):
        if clock is not None and clock.dtype.kind in "iuf":
            missing = np.maximum(missing, _missed(np.diff(clock[order].astype(np.float64)), goes_on))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.concatenate([[0], np.cumsum(1 + missing)])
    return place if len(whole) == len(predictions) else place[is_scored(whole)]


def _missed(gaps: np.ndarray, goes_on: np.ndarray) -> np.ndarray:
    """Return how many ticks of a clock lie between two rows of one sequence; of a clock that does not tick evenly, none."""
    usual = float(np.median(gaps[goes_on])) if goes_on.any() else 0.0
    if usual <= 0 or np.mean(np.abs(gaps[goes_on] - usual) <= 0.01 * usual) < _EVEN:
        return np.zeros(len(gaps), dtype=np.int64)
    return np.where(goes_on, np.maximum(np.rint(gaps / usual) - 1, 0), 0).astype(np.int64)


def _count(
    parts: dict[str, np.ndarray], actual: np.ndarray, predicted: np.ndarray, *, steps: _Steps, of_unit: np.ndarray, rules: EventRules,
    time: np.ndarray | None,
) -> None:  # fmt: skip
    """Add the events and alarms of one class to what each unit has."""
    events, alarms = _runs(actual, steps.ends, 1), _runs(predicted, steps.ends, rules.min_length)
    of_event, of_alarm = _touching(events, alarms, steps, rules.tolerance)
    found = of_event >= 0
    at = steps.place.astype(np.float64) if time is None else time
    begins, alarmed = at[events.first[found]], at[alarms.first[of_event[found]]]
    unit_of = {"event": of_unit[events.first], "alarm": of_unit[alarms.first]}
    size = len(parts["events"])
    for name, of, weights in (
        ("events", unit_of["event"], None), ("found", unit_of["event"][found], None), ("alarms", unit_of["alarm"], None),
        ("right", unit_of["alarm"][of_alarm], None), ("false", unit_of["alarm"][~of_alarm], None),
        ("delay", unit_of["event"][found], np.maximum(alarmed - begins, 0.0)),
    ):  # fmt: skip
        parts[name] += np.bincount(of, weights=weights, minlength=size)


def _runs(there: np.ndarray, ends: np.ndarray, least: int) -> _Runs:
    """Return the runs of True of at least so many steps; none goes on over a place in `ends`."""
    before = np.concatenate([[False], there[:-1]])
    after = np.concatenate([there[1:], [False]])
    before[ends], after[ends - 1] = False, False
    first, last = np.flatnonzero(there & ~before), np.flatnonzero(there & ~after)
    long = last - first + 1 >= least
    return _Runs(first[long], last[long])


def _touching(events: _Runs, alarms: _Runs, steps: _Steps, tolerance: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each event the first alarm that touches it, -1 where none does, and for each alarm whether it touches any."""
    sequence, place = steps.sequence, steps.place
    spread = place + np.cumsum(np.concatenate([[False], np.diff(sequence) != 0])) * (tolerance + 1)  # no tolerance reaches a neighbour

    def first_touching(mine: _Runs, others: _Runs) -> np.ndarray:
        if not len(others.first):
            return np.full(len(mine.first), -1)
        # Runs are in order and apart, so the first of the others that ends late enough is the only one to look at.
        at = np.searchsorted(spread[others.last], spread[mine.first] - tolerance)
        there = at < len(others.first)
        candidate = np.where(there, at, 0)
        touches = (
            there
            & (place[others.first[candidate]] <= place[mine.last] + tolerance)
            & (sequence[others.first[candidate]] == sequence[mine.first])
        )
        return np.where(touches, candidate, -1)

    return first_touching(events, alarms), first_touching(alarms, events) >= 0


def _exposure(of_unit: np.ndarray, is_next: np.ndarray, time: np.ndarray | None, num_units: int) -> np.ndarray:
    """Return how much each unit was watched: thousands of steps, or hours from each step to the next, where that is scored too."""
    if time is None:
        return np.bincount(of_unit, minlength=num_units) / 1000
    gaps = np.where(is_next, np.diff(time), np.nan)
    usual = float(np.nanmedian(gaps)) if np.isfinite(gaps).any() else 0.0
    lasted = np.concatenate([np.where(np.isnan(gaps), usual, gaps), [usual]])
    found: np.ndarray = np.bincount(of_unit, weights=lasted, minlength=num_units) / _HOUR
    return found


def _harmonic(right: np.ndarray, alarms: np.ndarray, found: np.ndarray, events: np.ndarray) -> np.ndarray:
    """Return the harmonic mean of event precision and recall; without any alarm it is 0 where there are events."""
    precision, recall = np.where(np.asarray(alarms) > 0, divide(right, alarms), 0.0), divide(found, events)
    return divide(2 * precision * recall, np.where(precision + recall > 0, precision + recall, np.where(np.isnan(recall), 0.0, 1.0)))


def _share(metric: Metric, sums: UnitSums) -> Estimate:
    """Return a share; one of 0 or 1 gets the interval of as many cases as there are units."""
    found = estimate(metric, sums)
    if found.low is not None or found.units < 2 or not (found.value <= 0 or found.value >= 1):
        return found
    low, high = clopper_pearson(round(found.value) * float(found.units), float(found.units))
    return Estimate(value=found.value, low=low, high=high, units=found.units, method=f"exact for as many cases as there are {sums.words}")


def _rate(sums: UnitSums) -> Estimate:
    """Return false alarms by how long was watched; without any, as many as units of which none has one may hide."""
    found = estimate(_FALSE, sums)
    exposure, units = float(sums.total["exposure"]), len(sums.parts["exposure"])
    if found.value != 0 or exposure <= 0 or units < 2:
        return found
    most = clopper_pearson(0.0, float(units))[1] * units / exposure
    method = f"exact for as many cases as there are {sums.words}"
    return Estimate(value=0.0, low=0.0, high=most, units=units, method=method, is_share=False)


def _plain(found: Estimate) -> Estimate:
    """Return a figure that has a size of its own, is never below 0, and has no interval where all units are alike."""
    low, high, method = found.low, found.high, found.method
    if low is not None and low == high:
        low, high, method = None, None, "no interval: all units are alike"
    low = None if low is None else max(low, 0.0)
    return Estimate(value=found.value, low=low, high=high, units=found.units, method=method, is_share=False)
