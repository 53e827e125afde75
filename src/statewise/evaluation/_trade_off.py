"""What does each threshold trade? Counts, and where it is told what mistakes cost, at every score that occurs.

A row counts as positive from the threshold on: score >= threshold. Choosing one is `_threshold`'s, how sure the figures are `_decision`'s.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from statewise.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

NEVER = math.nextafter(1.0, 2.0)
"""The threshold that no probability reaches: nothing is called positive."""

MOST_POINTS = 300
"""No more thresholds than this are kept in a record."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one mistake costs, in any unit: a number, or the column that holds what it costs in each row.

    Args:
        miss: of a positive that is called negative, such as 500, or `"amount"`.
        false_alarm: of a negative that is called positive.

    Raises:
        OptionError: a cost below 0 or not finite, or two of 0, under which every answer is as good.

    Example:
        >>> Cost(miss="amount", false_alarm=3).says
        "a miss costs its 'amount', a false alarm 3"
    """

    miss: float | str
    false_alarm: float | str

    def __post_init__(self) -> None:
        """Refuse what cannot be a cost."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not isinstance(value, str) and not 0 <= value < math.inf:
                raise _error(name, f"{value:g}", "A cost is a number of 0 or more, or the name of a column.")
        if self.miss == self.false_alarm == 0:
            raise _error("both", "0", "Say what a miss costs for each false alarm: under two costs of 0 every answer is as good.")

    @property
    def says(self) -> str:
        """Both costs in words."""
        miss, false_alarm = (f"its {each!r}" if isinstance(each, str) else f"{each:g}" for each in (self.miss, self.false_alarm))
        return f"a miss costs {miss}, a false alarm {false_alarm}"


class TradeOff(msgspec.Struct, frozen=True, kw_only=True):
    """What each threshold gives, from the lowest score, at which all rows are positive, to one that no score reaches.

    Attributes:
        positive: the class that is looked for.
        thresholds: rising; the last is above 1, where nothing is called positive.
        tp, fp, fn, tn: the four counts at each.
        cost: what all mistakes together cost at each; empty where nobody has told.
        used: the place of the threshold that the answers were given at; None where they follow none.
        num_distinct: how many different scores there are; some hundreds of their thresholds are kept, the ends always.
    """

    positive: str
    thresholds: tuple[float, ...]
    tp: tuple[int, ...]
    fp: tuple[int, ...]
    fn: tuple[int, ...]
    tn: tuple[int, ...]
    cost: tuple[float, ...] = ()
    used: int | None = None
    num_distinct: int = 0

    @property
    def precision(self) -> tuple[float, ...]:
        """Share of the alerts that are right at each threshold; NaN where there is none."""
        return _shares(self.tp, self.fp)

    @property
    def recall(self) -> tuple[float, ...]:
        """Share of the positives that are found at each threshold; NaN where there is none."""
        return _shares(self.tp, self.fn)

    @property
    def false_positive_rate(self) -> tuple[float, ...]:
        """Share of the negatives that raise an alert at each threshold; NaN where there is none."""
        return _shares(self.fp, self.tn)

    @property
    def alerts_per_thousand(self) -> tuple[float, ...]:
        """Rows of each thousand that are called positive at each threshold."""
        return tuple(1000 * (tp + fp) / self.num_scored for tp, fp in zip(self.tp, self.fp, strict=True))

    @property
    def cost_per_case(self) -> tuple[float, ...]:
        """What mistakes cost a row at each threshold; empty where nobody has told."""
        return tuple(cost / self.num_scored for cost in self.cost)

    @property
    def num_scored(self) -> int:
        """Number of rows."""
        return self.tp[0] + self.fp[0] + self.fn[0] + self.tn[0]


class Curve(NamedTuple):
    """The same for every threshold, as arrays `[thresholds]`; the last threshold is `NEVER`.

    Attributes:
        thresholds: the different scores, rising, and `NEVER`.
        tp, fp: counts of rows from each on.
        cost: what the misses below and the false alarms from there on cost; None where nobody has told.
        num_positives, num_negatives: numbers of rows.
    """

    thresholds: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    cost: np.ndarray | None
    num_positives: int
    num_negatives: int

    def places(self, thresholds: Iterable[float]) -> np.ndarray:
        """Return the place of the first score that each threshold lets through: there are the counts of the threshold itself."""
        places: np.ndarray = np.searchsorted(self.thresholds, np.minimum(np.asarray(list(thresholds), dtype=np.float64), NEVER))
        return places


def curve_of(score: np.ndarray, actual: np.ndarray, costs: tuple[np.ndarray, np.ndarray] | None = None) -> Curve:
    """Return the counts at every threshold.

    Args:
        score: probability of the positive class, `[rows]`.
        actual: whether a row is positive, bool `[rows]`.
        costs: what a miss and what a false alarm costs in each row.

    Example:
        >>> curve = curve_of(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False]))
        >>> curve.thresholds[:-1].tolist(), curve.tp.tolist(), curve.fp.tolist()
        ([0.1, 0.4, 0.9], [2, 2, 1, 0], [2, 1, 0, 0])
    """
    order = np.argsort(score, kind="stable")
    rising, is_positive = score[order], actual[order]
    first = np.flatnonzero(np.concatenate([[True], rising[1:] != rising[:-1]]))
    thresholds = np.append(rising[first], NEVER)
    tp, fp = (_from_there_on(each.astype(np.int64), first) for each in (is_positive, ~is_positive))
    cost = None
    if costs is not None:
        missed = np.where(is_positive, costs[0][order], 0.0)
        alarmed = np.where(is_positive, 0.0, costs[1][order])
        cost = np.append(0.0, np.cumsum(missed))[np.append(first, len(rising))] + _from_there_on(alarmed, first)
    return Curve(thresholds, tp, fp, cost, int(actual.sum()), int((~actual).sum()))


def trade_off_of(curve: Curve, positive: str, *, used: float | None, most: int = MOST_POINTS) -> TradeOff:
    """Return a record of at most `most` thresholds: the ends, 0.5 and the used one exactly, the others spread over alerts and recall."""
    at = {float(curve.thresholds[place]): place for place in _spread(curve, most - 2)}
    for told in (0.5, *(() if used is None else (used,))):
        at[min(told, NEVER)] = int(curve.places([told])[0])
    thresholds = sorted(at)
    places = np.array([at[each] for each in thresholds])
    tp, fp = curve.tp[places], curve.fp[places]
    return TradeOff(
        positive=positive,
        thresholds=tuple(thresholds),
        tp=tuple(tp.tolist()),
        fp=tuple(fp.tolist()),
        fn=tuple((curve.num_positives - tp).tolist()),
        tn=tuple((curve.num_negatives - fp).tolist()),
        cost=() if curve.cost is None else tuple(curve.cost[places].tolist()),
        used=None if used is None else thresholds.index(min(used, NEVER)),
        num_distinct=len(curve.thresholds) - 1,
    )


def _spread(curve: Curve, most: int) -> list[int]:
    """Return places along the curve, half of them evenly over the alerts and half over the positives found; the ends are among them."""
    number = len(curve.thresholds)
    if number <= most:
        return list(range(number))
    chosen = {0, number - 1}
    for falling in (curve.tp + curve.fp, curve.tp):
        wanted = np.linspace(0, int(falling[0]), most // 2 - 1)
        chosen |= set(np.minimum(np.searchsorted(-falling, -wanted), number - 1).tolist())
    return sorted(chosen)


def _from_there_on(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the sums of values from each place on, and 0 at the end."""
    before = np.append(values[:0].sum(), np.cumsum(values))
    sums: np.ndarray = before[-1] - before[np.append(first, len(values))]
    return sums


def _shares(part: tuple[int, ...], rest: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(one / (one + other) if one + other else math.nan for one, other in zip(part, rest, strict=True))


def _error(where: str, arrived: str, hint: str) -> OptionError:
    return OptionError(asked="say what mistakes cost", where=where, arrived=arrived, hint=hint)
