"""Do the intervals that are cheap agree with those of very many resamples, where both should?"""

from __future__ import annotations

import pytest

from benchmarks.rows.evaluation import (
    NAMES,
    SCORES,
    by_resamples,
    by_scikit_learn,
    draw,
    draw_scores,
    predictions_of,
    scores_by_resamples,
    scores_by_scikit_learn,
)
from statewise.evaluation import evaluate


@pytest.mark.parametrize(("steps", "resamples"), [(1, 400_000), (3, 100_000)])
def test_ends_over_many_sequences_lie_within_2_percent_of_the_width_from_those_of_resamples(steps: int, resamples: int) -> None:
    actual, predicted, of_unit = draw(steps)
    metrics = evaluate(predictions_of({"key": of_unit, "target": actual, "prediction": predicted}, steps), positive="1").metrics
    again, theirs = by_resamples(actual, predicted, of_unit, resamples), by_scikit_learn(actual, predicted)
    for name, value in zip(NAMES, theirs, strict=True):
        found, (resampled, low, high) = metrics[name], again[name]
        assert found.value == pytest.approx(value, rel=1e-12) == resampled
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.02 * (high - low)), name


@pytest.mark.parametrize("steps", [1, 3])
def test_ends_of_scores_lie_within_2_percent_of_the_width_from_those_of_resamples(steps: int) -> None:
    """The calibration error, a sum of absolute gaps, is larger in each resample than in the rows: its ends have no such counterpart."""
    actual, score, of_unit = draw_scores(steps, 12_000)
    metrics = evaluate(predictions_of({"key": of_unit, "target": actual, "score": score}, steps), positive="1").metrics
    theirs = scores_by_scikit_learn(actual, score)
    assert [metrics[name].value for name in SCORES] == pytest.approx(theirs, rel=1e-9)
    for name, (low, high) in scores_by_resamples(actual, score, of_unit, 10_000).items():
        assert (metrics[name].low, metrics[name].high) == pytest.approx((low, high), abs=0.02 * (high - low)), name
