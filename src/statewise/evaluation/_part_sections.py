"""Which tables tell of parts of the rows, of other averages, and of runs of steps? Shared by the terminal, a notebook and the report."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from statewise.evaluation._facts import FACTS, metric_words
from statewise.evaluation._table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statewise.evaluation._part_records import Events, Slice
    from statewise.evaluation._records import Evaluation

MOST_SLICES = 12
"""No more parts of one kind are listed: those that are worst."""

_FIRST = {"classes": "accuracy", "values": "rmse", "labels": "subset_accuracy", "next": "bits"}
_SECOND = {"classes": ("recall", "f1"), "values": ("mae",), "labels": ("hamming_accuracy",), "next": ("accuracy",)}
_TITLES = {
    "length": "By length of the sequence",
    "position": "By place in the sequence",
    "since_reset": "By steps since the state began",
    "group": "By group",
}
_HEADS = {"length": "steps", "position": "step", "since_reset": "steps since"}


def part_tables(evaluation: Evaluation) -> Iterator[Table]:
    """Yield the tables that an evaluation has something for."""
    if evaluation.averages:
        yield _averages(evaluation)
    if evaluation.by_sequence:
        yield _by_sequence(evaluation)
    if evaluation.events is not None:
        yield _events(evaluation.events)
    for by, members in groupby(evaluation.slices, key=lambda each: each.by):
        yield _slices(evaluation, by, list(members))


def _averages(evaluation: Evaluation) -> Table:
    """Return precision, recall and f1 averaged in each way."""
    ways = tuple(evaluation.averages)
    names = tuple(next(iter(evaluation.averages.values())))
    rows = tuple((name, *(evaluation.averages[way][name].written for way in ways)) for name in names)
    return Table("averages", "Averages over classes" if evaluation.holds == "classes" else "Averages over labels", ("", *ways), rows)


def _by_sequence(evaluation: Evaluation) -> Table:
    """Return the figures in which each row counts once beside those in which each sequence does."""
    rows = []
    for name, each in evaluation.by_sequence.items():
        step = evaluation.metrics.get(name)
        told = ("", "") if step is None else (step.written, step.interval or "none")
        rows.append((metric_words(name).partition(" (")[0], *told, each.written, each.interval or "none"))
    row = {"steps": "step", "forecasts": "forecast", "tokens": "token"}.get(evaluation.counted, "row")
    header = ("", f"by {row}", "95 %", "by sequence", "95 %")
    return Table("by_sequence", f"Each {row} counting once, or each sequence", header, tuple(rows))


def _events(events: Events) -> Table:
    """Return how well events are found."""
    rules = events.rules
    told = [f"any overlap{f', {rules.tolerance} steps off allowed' if rules.tolerance else ''}"]
    told += [f"alarms of {rules.min_length} steps or more"] if rules.min_length > 1 else []
    names = {"delay": f"delay, {events.delay_in}", "false_alarms": f"false alarms/{events.per}"}
    counts = {
        "event_recall": f"{events.num_found:,} of {events.num_events:,} events found",
        "event_precision": f"{events.num_right:,} of {events.num_alarms:,} alarms right",
    }
    rows = tuple(
        (names.get(name, metric_words(name)), each.written, each.interval or "none", counts.get(name, ""))
        for name, each in events.metrics.items()
    )
    return Table("events", f"Events: runs of steps ({', '.join(told)})", ("", "value", "95 % interval", ""), rows)


def _slices(evaluation: Evaluation, by: str, slices: list[Slice]) -> Table:
    """Return a row a part: of many the worst, else in their order."""
    kind = "next" if evaluation.task == "next" else evaluation.holds
    first, second = _FIRST[kind], next(name for name in _SECOND[kind] if name in slices[0].metrics)
    shown = slices
    if len(slices) > MOST_SLICES:
        shown = sorted((each for each in slices if not each.others), key=lambda each: _badness(each, first))[:MOST_SLICES]
    named = sum(not each.others for each in slices)
    among = f"{named}" if named == len(slices) else f"the {named} largest"
    of = "" if len(shown) == len(slices) else f": the {len(shown)} of {among} whose {metric_words(first)} is surest to be bad"
    rows = tuple(
        (each.name, f"{each.num_scored:,}", f"{each.num_units:,}{' (few)' if each.few else ''}", *_figures(each, first, second))
        for each in shown
    )
    header = (_HEADS.get(by, by), evaluation.counted, "units", metric_words(first), "95 % interval", metric_words(second))
    return Table("slices", _TITLES.get(by, f"By {by}") + of, header, rows)


def _figures(part: Slice, first: str, second: str) -> tuple[str, str, str]:
    """Return the first figure with its interval, and the second."""
    main = part.metrics[first]
    return main.written, main.interval or "none", part.metrics[second].written


def _badness(part: Slice, first: str) -> float:
    """Return how good a part may be, by the better end of its interval: of many small ones the worst figures are chance."""
    found = part.metrics[first]
    if FACTS[first].lower_is_better:
        return -(found.value if found.low is None else found.low)
    return found.value if found.high is None else found.high
