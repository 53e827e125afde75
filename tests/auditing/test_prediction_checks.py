"""Are predictions that look better than they are found, from columns, a file and four counts, and good ones left alone?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import statewise as sw
from proving_ground.evaluation.predictions import CLEAN, PLANTED, forecasts
from statewise.errors import DataError
from tests._unchecked import unchecked
from tests.auditing._asked import status_of

if TYPE_CHECKING:
    from proving_ground.evaluation.planted import Clean, Planted

DRAWS = 5


@pytest.mark.parametrize("case", PLANTED, ids=lambda case: case.code)
def test_what_matters_is_found_and_less_of_it_less_often(case: Planted) -> None:
    shares = [case.found(strength, DRAWS) for strength in case.strengths]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert case.found(min(case.strengths), DRAWS) == 1.0


@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.name)
def test_good_predictions_are_accused_of_nothing(case: Clean) -> None:
    assert not case.accused(DRAWS)


def test_the_fraud_model_of_98_percent_is_found_from_every_door(tmp_path: Path) -> None:
    counts = sw.Counts(tp=12, fn=88, fp=112, tn=9788)
    target = np.repeat(["yes", "yes", "no", "no"], [12, 88, 112, 9788])
    answer = np.repeat(["yes", "no", "yes", "no"], [12, 88, 112, 9788])
    rows = "\n".join(f"{at},{true},{said}" for at, (true, said) in enumerate(zip(target, answer, strict=True)))
    (tmp_path / "fraud.csv").write_text(f"key,target,prediction\n{rows}\n")
    doors: list[Any] = [counts, sw.evaluate(counts), tmp_path / "fraud.csv", sw.read_predictions(tmp_path / "fraud.csv")]
    for door in doors:
        audit = sw.audit_predictions(door)
        assert [each.code for each in audit.findings] == ["SW821"]
        assert "0.980" in audit.findings[0].evidence
        assert status_of(audit, "SW801") == "not_applicable"


def test_a_forecast_of_the_last_value_has_no_skill_and_lags() -> None:
    audit = sw.audit_predictions(forecasts(np.random.default_rng(0), memory=1.0, known=0.0))
    assert [each.code for each in audit.findings] == ["SW822"]
    assert {each.code: each.explained_by for each in audit.outcomes if each.explained_by} == {"SW823": "SW822"}


def test_a_forecast_that_lags_and_has_skill_is_only_told_of() -> None:
    audit = sw.audit_predictions(forecasts(np.random.default_rng(0), memory=1.0, known=0.2))
    assert status_of(audit, "SW823") == "observed"
    assert not audit.findings


def test_classes_that_are_guessed_have_no_skill() -> None:
    audit = sw.audit_predictions(sw.Counts(tp=250, fn=250, fp=255, tn=245))
    assert [each.code for each in audit.findings] == ["SW822"]


def test_what_is_no_prediction_is_refused() -> None:
    with unchecked(), pytest.raises(DataError, match="an int"):
        sw.audit_predictions(3)  # type: ignore[arg-type]


def test_a_rare_class_of_which_too_few_were_tested_is_told_and_not_passed() -> None:
    audit = sw.audit_predictions(sw.Counts(tp=0, fn=3, fp=0, tn=97))
    assert status_of(audit, "SW821") == "observed"
