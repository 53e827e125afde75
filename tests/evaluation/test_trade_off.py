"""Does the trade-off hold what scikit-learn counts at every threshold, its ends exactly, and what the answers really follow?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve  # type: ignore[import-untyped]

import statewise as sw
from statewise.evaluation import TradeOff
from statewise.evaluation._trade_off import NEVER, curve_of, trade_off_of

SCORES = st.one_of(st.integers(0, 5).map(lambda tenth: tenth / 5), st.floats(0, 1))


def at_every(trade_off: TradeOff, score: np.ndarray, actual: np.ndarray) -> bool:
    """Whether the four counts of each threshold are those recomputed from the rows."""
    for threshold, *cells in zip(trade_off.thresholds, trade_off.tn, trade_off.fp, trade_off.fn, trade_off.tp, strict=True):
        if confusion_matrix(actual, score >= threshold, labels=[False, True]).ravel().tolist() != cells:
            return False
    return True


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=2, max_size=60).filter(lambda rows: len({row[1] for row in rows}) == 2))
def test_the_whole_curve_is_scikit_learns(rows: list[tuple[float, bool]]) -> None:
    score, actual = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    trade_off = trade_off_of(curve_of(score, actual), "yes", used=None)
    assert at_every(trade_off, score, actual)
    precision, recall, thresholds = precision_recall_curve(actual, score)
    place = [trade_off.thresholds.index(each) for each in thresholds]
    assert [trade_off.precision[each] for each in place] == pytest.approx(precision[:-1].tolist())
    assert [trade_off.recall[each] for each in place] == pytest.approx(recall[:-1].tolist())
    rates, recalls, falling = roc_curve(actual, score, drop_intermediate=False)
    for rate, found, each in zip(rates[1:], recalls[1:], falling[1:], strict=True):
        at = trade_off.thresholds.index(each)
        assert (trade_off.false_positive_rate[at], trade_off.recall[at]) == pytest.approx((rate, found))
    assert set(trade_off.thresholds) == {*score.tolist(), 0.5, NEVER}
    assert (trade_off.tp[-1], trade_off.fp[-1]) == (0, 0)


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_a_long_curve_is_thinned_and_stays_exact_where_it_is_kept(share: float) -> None:
    random = np.random.default_rng(0)
    actual = random.random(20_000) < share
    score = 1 / (1 + np.exp(-random.normal(2.0 * actual - 2, 1.0)))
    trade_off = trade_off_of(curve_of(score, actual), "yes", used=0.123456)
    assert len(trade_off.thresholds) <= 300
    assert trade_off.num_distinct == 20_000
    assert at_every(trade_off, score, actual)
    assert trade_off.thresholds[0] == score.min()
    assert trade_off.thresholds[-1] == NEVER
    assert trade_off.used is not None
    assert trade_off.thresholds[trade_off.used] == 0.123456
    assert max(-np.diff(trade_off.recall)) <= 0.02
    assert max(-np.diff(trade_off.alerts_per_thousand)) <= 20


def test_costs_add_up_at_each_threshold() -> None:
    random = np.random.default_rng(0)
    actual, score = random.random(500) < 0.3, np.round(random.random(500), 2)
    miss, false_alarm = random.lognormal(size=500), random.lognormal(size=500)
    trade_off = trade_off_of(curve_of(score, actual, (miss, false_alarm)), "yes", used=0.5)
    for threshold, cost in zip(trade_off.thresholds, trade_off.cost, strict=True):
        called = score >= threshold
        assert cost == pytest.approx(miss[actual & ~called].sum() + false_alarm[~actual & called].sum(), abs=1e-9)


@pytest.mark.parametrize(
    ("columns", "options", "used"),
    [
        ({"score": [0.1, 0.6, 0.7, 0.2]}, {}, 0.5),
        ({"score": [0.1, 0.6, 0.7, 0.2]}, {"threshold": 0.15}, 0.15),
        ({"score": [0.1, 0.6, 0.7, 0.2], "prediction": [0, 1, 1, 0]}, {}, 0.5),
        ({"score": [0.1, 0.6, 0.7, 0.2], "prediction": [0, 1, 1, 1]}, {}, 0.2),
        ({"score": [0.1, 0.6, 0.7, 0.2], "prediction": [0, 1, 0, 1]}, {}, None),
        ({"p_0": [0.9, 0.4, 0.3, 0.8], "p_1": [0.1, 0.6, 0.7, 0.2]}, {}, 0.5),
    ],
)
def test_the_threshold_that_answers_follow_is_marked(columns: dict[str, list[float]], options: dict[str, Any], used: float | None) -> None:
    evaluation = sw.evaluate(sw.Predictions.from_columns({"target": [0, 1, 0, 1], **columns}, **options))
    assert evaluation.trade_off is not None
    assert evaluation.threshold == used
    place = evaluation.trade_off.used
    assert (None if place is None else evaluation.trade_off.thresholds[place]) == used
    assert ("(used)" in str(evaluation)) == (used is not None)
    if place is not None:
        cells = [
            (evaluation.trade_off.tn[place], evaluation.trade_off.fp[place]),
            (evaluation.trade_off.fn[place], evaluation.trade_off.tp[place]),
        ]
        assert [tuple(row) for row in evaluation.confusion.counts] == cells


def test_without_scores_or_with_several_classes_there_is_none() -> None:
    assert sw.evaluate(sw.Counts(tp=5, fn=1, fp=1, tn=5)).trade_off is None
    assert sw.evaluate(sw.Predictions.from_columns({"target": [0, 1], "prediction": [0, 1]})).trade_off is None
    columns = {"target": ["a", "b", "c"], "p_a": [0.6, 0.2, 0.2], "p_b": [0.2, 0.6, 0.2], "p_c": [0.2, 0.2, 0.6]}
    assert sw.evaluate(sw.Predictions.from_columns(columns)).trade_off is None
