"""Is a threshold the best one on the rows it was chosen on, told honestly of others, and refused where there is nothing to choose?"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import statewise as sw
from statewise.errors import DataError, OptionError, StatewiseError
from statewise.evaluation import Threshold, read_evaluation, saving_says, write_evaluation

if TYPE_CHECKING:
    from pathlib import Path

COST = sw.Cost(miss=5, false_alarm=1)


def rows(seed: int = 0, *, number: int = 300, units: int | None = None, share: float = 0.2, **more: Any) -> sw.Predictions:
    """Return predictions whose scores tell something, some of them tied."""
    random = np.random.default_rng(seed)
    actual = random.random(number) < share
    score = np.round(1 / (1 + np.exp(-random.normal(1.5 * actual - 1.5, 1.0))), 3)
    keys = [f"{seed}-{row}" for row in range(number)]
    group = {} if units is None else {"group": random.integers(0, units, number)}
    columns = {"key": keys, "target": actual.astype(int), "score": score, **group, **more}
    return sw.Predictions.from_columns(columns, source=f"part {seed}")


def brute(predictions: sw.Predictions, threshold: float, miss: np.ndarray, false_alarm: np.ndarray) -> float:
    assert predictions.score is not None
    called, actual = predictions.score >= threshold, np.asarray(predictions.actual == 1)
    return float(miss[actual & ~called].sum() + false_alarm[~actual & called].sum())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), miss=st.floats(0, 50), false_alarm=st.floats(0.01, 50), number=st.integers(10, 80))
def test_no_threshold_is_cheaper_than_the_chosen_one(seed: int, miss: float, false_alarm: float, number: int) -> None:
    valid = rows(seed, number=number, share=0.4)
    if len(set(valid.target.tolist() if valid.target is not None else [])) < 2:
        return
    chosen = sw.choose_threshold(valid, cost=sw.Cost(miss=miss, false_alarm=false_alarm))
    prices = np.full(number, miss), np.full(number, false_alarm)
    assert valid.score is not None
    costs = [brute(valid, each, *prices) for each in [*valid.score, math.inf]]
    assert brute(valid, chosen.value, *prices) == pytest.approx(min(costs))
    assert chosen.expected["cost_per_case"].value == pytest.approx(min(costs) / number)


def test_a_miss_can_cost_what_stands_in_its_row() -> None:
    amount = np.random.default_rng(1).lognormal(3, 1, 300)
    valid = rows(amount=amount)
    chosen = sw.choose_threshold(valid, cost=sw.Cost(miss="amount", false_alarm=4))
    assert valid.score is not None
    costs = [brute(valid, each, amount, np.full(300, 4.0)) for each in [*valid.score, math.inf]]
    assert chosen.expected["cost_per_case"].value == pytest.approx(min(costs) / 300)
    assert "a miss costs its 'amount', a false alarm 4" in chosen.why


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), bound=st.floats(0.01, 0.99))
def test_each_bound_is_kept_and_nothing_better_keeps_it(seed: int, bound: float) -> None:
    valid = rows(seed, number=120, share=0.4)
    assert valid.score is not None
    actual = np.asarray(valid.actual == 1)
    points = [(valid.score >= each, each) for each in sorted({*valid.score.tolist(), 2.0})]

    def recall(called: np.ndarray) -> float:
        return float((called & actual).sum() / actual.sum())

    rate = sw.choose_threshold(valid, max_false_positive_rate=bound).value
    allowed = [called for called, _ in points if (called & ~actual).sum() <= bound * (~actual).sum()]
    assert (valid.score >= rate).tolist() in [each.tolist() for each in allowed]
    assert recall(valid.score >= rate) == max(map(recall, allowed))

    alerts = sw.choose_threshold(valid, max_alerts_per_thousand=1000 * bound).value
    allowed = [called for called, _ in points if called.mean() <= bound + 1e-9]
    assert recall(valid.score >= alerts) == max(map(recall, allowed))
    assert (valid.score >= alerts).mean() <= bound + 1e-9

    found = sw.choose_threshold(valid, min_recall=bound).value
    allowed = [called for called, _ in points if recall(called) >= bound]
    assert recall(valid.score >= found) >= bound
    assert (valid.score >= found).sum() == min(called.sum() for called in allowed)

    allowed = [called for called, _ in points if called.any() and actual[called].mean() >= bound]
    if allowed:
        precise = sw.choose_threshold(valid, min_precision=bound).value
        assert actual[valid.score >= precise].mean() >= bound
        assert recall(valid.score >= precise) == max(map(recall, allowed))
    else:
        with pytest.raises(DataError, match="the highest precision there is"):
            sw.choose_threshold(valid, min_precision=bound)


@pytest.mark.parametrize(
    "times",
    [
        [dt.datetime(2026, 1, 1 + row // 30, tzinfo=dt.UTC) for row in range(300)],
        [f"2026-01-{1 + row // 30:02d}T12:00" for row in range(300)],
        np.array([1_767_225_600 + 86_400 * (row // 30) for row in range(300)]),
    ],
    ids=["dates", "text", "seconds"],
)
def test_a_budget_a_day_counts_the_days_from_first_to_last(times: Any) -> None:
    columns = rows().columns() | {"time": times}
    valid = sw.Predictions.from_columns(columns, task="classify")
    chosen = sw.choose_threshold(valid, max_alerts_per_day=3)
    assert valid.score is not None
    assert (valid.score >= chosen.value).sum() <= 30
    assert (valid.score >= chosen.value).sum() > 24
    told = sw.evaluate(valid, threshold=chosen).mistakes["alerts_per_day"]
    assert told.value == pytest.approx((valid.score >= chosen.value).sum() / 10)
    assert told.low is not None
    assert told.low < told.value


@pytest.mark.parametrize(("column", "says"), [({}, "no such column"), ({"time": np.arange(300)}, "is no date after 1980")])
def test_a_budget_a_day_needs_dates(column: dict[str, Any], says: str) -> None:
    valid = sw.Predictions.from_columns(rows().columns() | column, task="classify")
    with pytest.raises(DataError, match=says):
        sw.choose_threshold(valid, max_alerts_per_day=3)


def test_another_share_of_positives_weighs_the_costs() -> None:
    """Copying the positives so often that they have the share gives the same threshold as telling it."""
    random = np.random.default_rng(3)
    target = np.repeat([0, 1], 200)
    score = np.clip(random.normal(0.3 + 0.3 * target, 0.2), 0, 1)
    valid = sw.Predictions.from_columns({"target": target, "score": score})
    rare = sw.Predictions.from_columns(
        {"target": np.append(np.zeros(1800, int), target), "score": np.append(np.tile(score[:200], 9), score)}
    )
    told = sw.choose_threshold(valid, cost=COST, prevalence=200 / 2200)
    assert told.value == sw.choose_threshold(rare, cost=COST).value
    assert told.value > sw.choose_threshold(valid, cost=COST).value
    assert "9.09091 % positives" in told.why


def test_the_chosen_threshold_is_applied_to_other_rows_and_told_with_intervals() -> None:
    valid, test = rows(0, number=2000, units=100), rows(1, number=2000, units=100)
    chosen = sw.choose_threshold(valid, cost=COST)
    evaluation = sw.evaluate(test, threshold=chosen)
    assert evaluation.threshold == chosen.value
    assert evaluation.chosen == chosen
    assert evaluation.cost == COST
    assert test.score is not None
    found = evaluation.confusion.counts[1][1]
    assert found == int(((test.score >= chosen.value) & (test.actual == 1)).sum())
    cost = evaluation.mistakes["cost_per_case"]
    assert cost.value == pytest.approx(brute(test, chosen.value, np.full(2000, 5.0), np.ones(2000)) / 2000)
    half = evaluation.mistakes["cost_per_case_at_half"].value
    assert evaluation.mistakes["saving"].value == pytest.approx(1 - cost.value / half)
    for name in ("cost_per_case", "saving", "false_positive_rate", "alerts_per_thousand"):
        assert evaluation.mistakes[name].low is not None
        assert "jackknife over groups" in evaluation.mistakes[name].method
    assert "and the interval excludes 0" in saving_says(evaluation)
    same = sw.evaluate(test.at(chosen))
    assert same == evaluation
    told = str(evaluation)
    assert "(used)" in told
    assert "chosen on 2,000 rows of part 0" in told


def test_a_saving_that_is_not_shown_is_not_told_as_one() -> None:
    valid, test = rows(0), rows(1, number=60)
    chosen = sw.choose_threshold(valid, cost=sw.Cost(miss=1.1, false_alarm=1))
    says = saving_says(sw.evaluate(test, threshold=chosen))
    assert "the interval holds 0, so that it is not shown to be cheaper" in says
    half = saving_says(sw.evaluate(test, threshold=0.5, cost=COST))
    assert half.endswith("no interval: the same answers as at 0.5")


def test_a_saving_covers_the_true_one() -> None:
    """Simulated with a known truth: of 200 intervals at least 180 hold it."""
    chosen, cost = 0.25, sw.Cost(miss=5, false_alarm=1)
    large = sw.evaluate(rows(99_999, number=200_000), threshold=chosen, cost=cost, by=()).mistakes["saving"].value
    held = 0
    for seed in range(200):
        found = sw.evaluate(rows(seed, number=400, units=80), threshold=chosen, cost=cost, by=()).mistakes["saving"]
        assert found.low is not None
        assert found.high is not None
        held += found.low <= large <= found.high
    assert held >= 180


def test_choosing_and_reporting_on_the_same_rows_is_told() -> None:
    valid, test = rows(0), rows(1)
    chosen = sw.choose_threshold(valid, cost=COST)
    own = sw.evaluate(valid, threshold=chosen)
    assert own.chosen is not None
    assert own.chosen.overlap == 1
    assert any(note.startswith("all of the rows that the threshold was chosen on are among these") for note in own.notes)
    other = sw.evaluate(test, threshold=chosen)
    assert other.chosen is not None
    assert other.chosen.overlap == 0
    assert not any("chosen on are among" in note for note in other.notes)
    assert valid.target is not None
    assert test.target is not None
    mixed = {name: [*valid.columns()[name].tolist()[:60], *test.columns()[name].tolist()] for name in ("key", "target", "score")}
    some = sw.evaluate(sw.Predictions.from_columns(mixed), threshold=chosen)
    assert some.chosen is not None
    assert 0.1 < some.chosen.overlap < 0.3


def test_rows_of_weight_0_are_not_chosen_on() -> None:
    valid = rows(0, number=200)
    columns = valid.columns()
    doubled = {name: [*columns[name].tolist(), *columns[name].tolist()] for name in ("target", "score")}
    doubled["target"] = [*columns["target"].tolist(), *(1 - columns["target"].astype(int)).tolist()]
    doubled["weight"] = [1.0] * 200 + [0.0] * 200
    assert sw.choose_threshold(sw.Predictions.from_columns(doubled), cost=COST).value == sw.choose_threshold(valid, cost=COST).value


def test_the_other_class_can_be_looked_for() -> None:
    valid = rows(0)
    chosen = sw.choose_threshold(valid, cost=COST, positive="0")
    assert chosen.positive == "0"
    evaluation = sw.evaluate(rows(1), threshold=chosen)
    assert evaluation.positive == "0"
    with pytest.raises(OptionError, match="the threshold is for '0'"):
        sw.evaluate(rows(1), threshold=chosen, positive="1")


def test_probabilities_of_both_classes_are_scores_too() -> None:
    one = rows(0)
    assert one.score is not None
    both = sw.Predictions.from_columns({"key": one.key, "target": one.target, "p_0": 1 - one.score, "p_1": one.score})
    assert sw.choose_threshold(both, cost=COST).value == sw.choose_threshold(one, cost=COST).value
    assert sw.evaluate(both, threshold=0.3).confusion == sw.evaluate(one, threshold=0.3).confusion


def test_scores_without_a_threshold_worth_it_alarm_at_nothing() -> None:
    target, score = [0] * 50 + [1], [0.9] * 50 + [0.1]
    chosen = sw.choose_threshold(sw.Predictions.from_columns({"target": target, "score": score}), cost=sw.Cost(miss=1, false_alarm=1))
    assert chosen.value > 1
    assert str(chosen).startswith("above 1 for '1'")
    constant = sw.Predictions.from_columns({"target": target, "score": [0.4] * 51})
    assert sw.choose_threshold(constant, cost=sw.Cost(miss=1, false_alarm=1)).value > 1
    assert sw.choose_threshold(constant, cost=sw.Cost(miss=99, false_alarm=1)).value == 0.4


def several() -> sw.Predictions:
    return sw.Predictions.from_columns({"target": ["a", "b", "c"], "p_a": [0.6, 0.2, 0.2], "p_b": [0.2, 0.6, 0.2], "p_c": [0.2, 0.2, 0.6]})


def with_nan() -> sw.Predictions:
    made = rows(0, number=20)
    score = np.array(made.score)
    score[3] = math.nan
    return sw.Predictions(task="classify", class_names=("0", "1"), key=made.key, predicted=made.predicted, actual=made.actual, score=score)


@pytest.mark.parametrize(
    ("made", "options", "kind", "says"),
    [
        (several, {"cost": COST}, OptionError, "3 classes"),
        (lambda: sw.Predictions.from_columns({"target": [1.5, 2.5], "prediction": [1.0, 2.0]}), {"cost": COST}, OptionError, "values"),
        (
            lambda: sw.Predictions.from_columns({"target": [0, 1], "prediction": [0, 1]}),
            {"cost": COST},
            DataError,
            "no scores, answers alone",
        ),
        (with_nan, {"cost": COST}, DataError, "nan, which is no probability"),
        (lambda: sw.Predictions.from_columns({"target": [1, 1], "score": [0.5, 0.6]}), {"cost": COST}, DataError, "one class only: '1'"),
        (lambda: rows(0), {}, OptionError, "neither a cost nor a bound"),
        (lambda: rows(0), {"max_false_positive_rate": 1.5}, OptionError, "to 1"),
        (lambda: rows(0), {"cost": COST, "prevalence": 1.0}, OptionError, "prevalence"),
        (lambda: rows(0), {"cost": sw.Cost(miss="amount", false_alarm=1)}, DataError, "column 'amount' of part 0: no such column"),
        (lambda: rows(0, amount=[-1.0] * 300), {"cost": sw.Cost(miss="amount", false_alarm=1)}, DataError, "300 of 300"),
        (lambda: rows(0, price=["x"] * 300), {"cost": sw.Cost(miss="price", false_alarm=1)}, DataError, "words, not numbers"),
    ],
)
def test_what_cannot_be_chosen_on_is_refused_in_four_facts(
    made: Any, options: dict[str, Any], kind: type[StatewiseError], says: str
) -> None:
    with pytest.raises(kind, match=says) as caught:
        sw.choose_threshold(made(), **options)
    assert all((caught.value.asked, caught.value.where, caught.value.arrived, caught.value.hint))


@pytest.mark.parametrize(
    "given_costs", [{"miss": -1, "false_alarm": 1}, {"miss": math.inf, "false_alarm": 1}, {"miss": 0, "false_alarm": 0}]
)
def test_what_is_no_cost_is_refused(given_costs: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="say what mistakes cost"):
        sw.Cost(**given_costs)


@pytest.mark.parametrize(
    ("subject", "options"),
    [
        (sw.Counts(tp=1, fn=1, fp=1, tn=1), {"threshold": 0.3}),
        (several(), {"threshold": 0.3}),
        (several(), {"cost": COST}),
        (rows(0), {"threshold": 7.0}),
    ],
)
def test_a_threshold_or_cost_that_means_nothing_is_refused(subject: Any, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        sw.evaluate(subject, **options)


def test_the_records_come_back_from_json(tmp_path: Path) -> None:
    chosen = sw.choose_threshold(rows(0), cost=COST)
    assert msgspec.json.decode(msgspec.json.encode(chosen), type=Threshold) == chosen
    evaluation = sw.evaluate(rows(1), threshold=chosen)
    assert read_evaluation(write_evaluation(evaluation, tmp_path / "e.json")) == evaluation
    never = sw.evaluate(rows(1), threshold=sw.choose_threshold(rows(0), max_alerts_per_thousand=0))
    back = read_evaluation(write_evaluation(never, tmp_path / "never.json"))
    assert math.isnan(back.chosen.expected["precision"].value if back.chosen else 0.0)


def test_rows_are_known_again_by_keys_of_any_length_and_as_numbers_or_text() -> None:
    columns = {"target": [0, 1, 0, 1], "score": [0.1, 0.9, 0.6, 0.4]}
    long = ["x" * 5_000_000, "y" * 5_000_000, "", "\ud800"]
    number = sw.Predictions.from_columns({"key": [7, 8, 9, 10], **columns})
    text = sw.Predictions.from_columns({"key": ["7", "8", "9", "10"], **columns})
    others = [sw.Predictions.from_columns({"key": keys, **columns}) for keys in (long, [*long[1:], long[0]], ["70", "80", "90", "100"])]
    for part, same in ((number, text), (others[0], others[0])):
        chosen = sw.choose_threshold(part, cost=sw.Cost(miss=1, false_alarm=1))
        assert any("all of the rows that the threshold was chosen on" in note for note in sw.evaluate(same, threshold=chosen).notes)
        for other in others[1:]:
            assert not any("the threshold was chosen on are among these" in note for note in sw.evaluate(other, threshold=chosen).notes)


def test_the_highest_precision_is_told_for_the_share_that_was_asked_for() -> None:
    valid = sw.Predictions.from_columns({"target": [0, 0, 0, 1, 1], "score": [0.1, 0.2, 0.9, 0.9, 0.3]})
    with pytest.raises(DataError, match=r"the highest precision is 0\.029"):
        sw.choose_threshold(valid, min_precision=0.5, prevalence=0.01)


def test_a_class_may_be_named_in_any_way_beside_a_threshold() -> None:
    chosen = sw.choose_threshold(rows(0), cost=COST)
    assert sw.evaluate(rows(1), threshold=chosen, positive="1.0").positive == "1"


def test_the_most_that_the_other_bounds_allow_is_told() -> None:
    valid = rows(0)
    with pytest.raises(DataError, match=r"the highest precision with the others is 0\.\d+; the highest recall with the others is") as told:
        sw.choose_threshold(valid, min_precision=0.9, min_recall=0.9)
    assert valid.score is not None
    actual, score = np.asarray(valid.actual == 1), valid.score
    best = max(float(actual[score >= each].mean()) for each in set(score.tolist()) if (score >= each)[actual].mean() >= 0.9)
    assert f"the highest precision with the others is {best:.3f}" in str(told.value)


def test_a_time_that_is_missing_is_named_by_its_row() -> None:
    valid = rows(0, number=60, time=["2020-01-01", None, *["2020-01-02"] * 58])
    with pytest.raises(DataError, match="1 of 60 values are missing, the first in row 2"):
        sw.choose_threshold(valid, max_alerts_per_day=5)
