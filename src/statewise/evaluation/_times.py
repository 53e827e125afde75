"""When was each row? The column `time` as seconds or as days: numbers, dates, or either as text, as a csv file holds them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from statewise.errors import DataError

if TYPE_CHECKING:
    from statewise.evaluation._predictions import Predictions

_SECONDS = (315_532_800, 32_503_680_000)
"""1980 and 3000 as seconds since 1970: a number outside is no date."""


def seconds_of(time: np.ndarray) -> np.ndarray | None:
    """Return times as seconds, those without a zone as in UTC: float64 `[rows]`; None where a time is absent or is none.

    Example:
        >>> seconds_of(np.array(["0", "10"], dtype=object)).tolist(), seconds_of(np.array(["1970-01-02"], dtype=object)).tolist()
        ([0.0, 10.0], [86400.0])
        >>> seconds_of(np.array(["noon"], dtype=object)) is None
        True
    """
    try:
        seconds = time.astype(np.float64) if time.dtype.kind in "iuf" else np.array([_second(each) for each in time.tolist()])
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if np.isfinite(seconds).all() else None


def days_of(predictions: Predictions, *, asked: str) -> int:
    """Return how many days, counted from the first to the last with both, the rows span.

    Raises:
        DataError: no column `time`, or no dates in it.
    """
    where = f"column 'time' of {predictions.source}"
    hint = "Give dates, or seconds since 1970 as 'statewise predict' writes them; or a budget of alerts per thousand."
    if "time" not in predictions.more:
        raise DataError(asked=asked, where=where, arrived="no such column", hint=hint)
    times = predictions.more["time"]
    missing = np.array([each is None or each != each or each == "" for each in times.tolist()], dtype=bool)  # noqa: PLR0124
    if missing.any():
        arrived = f"{int(missing.sum())} of {len(missing)} values are missing, the first in row {int(missing.argmax()) + 1}"
        raise DataError(asked=asked, where=where, arrived=arrived, hint=hint)
    ends = [times.min(), times.max()] if times.dtype.kind in "iuf" else list(set(times.tolist()))
    try:
        days = [_day(each) for each in ends]
    except (TypeError, ValueError, OverflowError) as problem:
        raise DataError(asked=asked, where=where, arrived=f"no date ({problem})", hint=hint) from problem
    return max(days) - min(days) + 1


def _day(value: object) -> int:
    """Return the number of the day of a date, of a time or of seconds since 1970."""
    moment = _moment(value)
    if isinstance(moment, dt.datetime):
        return moment.toordinal()
    if not _SECONDS[0] <= moment < _SECONDS[1]:
        raise ValueError(f"{value}, which as seconds since 1970 is no date after 1980")
    return int(moment // 86_400)


def _second(value: object) -> float:
    moment = _moment(value)
    if isinstance(moment, dt.datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    return moment


def _moment(value: object) -> dt.datetime | float:
    """Return a date, or its text, as the time that it begins; a number, or its text, as that.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    try:
        return float(str(value))
    except ValueError:
        return dt.datetime.fromisoformat(str(value))
