"""Do the intervals that are cheap agree with those of very many resamples, where both should?"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rows.evaluation import NAMES, by_resamples, by_scikit_learn, draw
from statewise.evaluation import Predictions, evaluate


@pytest.mark.parametrize(("steps", "resamples"), [(1, 400_000), (3, 100_000)])
def test_ends_over_many_sequences_lie_within_2_percent_of_the_width_from_those_of_resamples(steps: int, resamples: int) -> None:
    actual, predicted, of_unit = draw(steps)
    columns = {"key": of_unit, "target": actual, "prediction": predicted}
    if steps > 1:
        columns["step"] = np.arange(len(actual)) % steps
    metrics = evaluate(Predictions.from_columns(columns), positive="1").metrics
    again, theirs = by_resamples(actual, predicted, of_unit, resamples), by_scikit_learn(actual, predicted)
    for name, value in zip(NAMES, theirs, strict=True):
        found, (resampled, low, high) = metrics[name], again[name]
        assert found.value == pytest.approx(value, rel=1e-12) == resampled
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.02 * (high - low)), name
