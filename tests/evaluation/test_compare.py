"""Are two models compared on the same rows, whatever their order, and is the answer that of a calculation by hand?"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle  # type: ignore[import-untyped]

from statewise.errors import DataError, OptionError, RunError
from statewise.evaluation import Predictions, compare, evaluate, write_comparison
from statewise.models import build
from statewise.sequences import Ragged, Sequences

if TYPE_CHECKING:
    from pathlib import Path


def classes(predicted: np.ndarray, actual: np.ndarray, **columns: Any) -> Predictions:
    key = columns.pop("key", [f"k{row}" for row in range(len(actual))])
    return Predictions.from_columns({"key": key, "target": actual, "prediction": predicted, **columns})


def drawn(seed: int, n: int = 300, wrong: float = 0.2, num_classes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    actual = rng.integers(0, num_classes, n)
    a, b = (np.where(rng.random(n) < wrong, (actual + 1) % num_classes, actual) for _ in range(2))
    return actual, a, b


def values(seed: int = 0, n: int = 200) -> tuple[Predictions, Predictions]:
    rng = np.random.default_rng(seed)
    target = rng.normal(size=n) * 10
    hard = rng.normal(size=n) * 3
    rows = {"key": [f"k{row}" for row in range(n)], "target": target}
    return tuple(Predictions.from_columns(rows | {"prediction": target + hard + rng.normal(size=n) * each}) for each in (2.0, 0.5))  # type: ignore[return-value]


def shuffled(predictions: Predictions, seed: int) -> Predictions:
    order = np.random.default_rng(seed).permutation(len(predictions))
    columns = {name: column[order] for name, column in predictions.columns().items() if not name.startswith("baseline_")}
    return Predictions.from_columns(columns, task=predictions.task, class_names=predictions.class_names or None)


@given(seed=st.integers(0, 10_000), num_classes=st.integers(2, 5))
@settings(max_examples=8, deadline=None)
def test_figures_are_those_of_each_alone_and_of_scikit_learn(seed: int, num_classes: int) -> None:
    actual, a, b = drawn(seed, num_classes=num_classes)
    one, other = classes(a, actual), classes(b, actual)
    found = compare(one, other)
    alone = evaluate(one, by=()).metrics, evaluate(other, by=()).metrics
    for name, each in found.differences.items():
        assert each.a == pytest.approx(alone[0][name].value), name
        assert each.b == pytest.approx(alone[1][name].value), name
        assert each.difference.value == pytest.approx(alone[1][name].value - alone[0][name].value), name
        assert each.difference.low is not None
        assert each.difference.low <= each.difference.value <= (each.difference.high or 0), name
    assert found.differences["accuracy"].b == pytest.approx(oracle.accuracy_score(actual, b))
    assert found.differences["mcc"].a == pytest.approx(oracle.matthews_corrcoef(actual, a))
    assert found.num_alike == int((a == b).sum())


@given(seed=st.integers(0, 10_000))
@settings(max_examples=5, deadline=None)
def test_order_of_rows_changes_nothing_and_swapping_sides_changes_the_sign(seed: int) -> None:
    actual, a, b = drawn(seed)
    one, other = classes(a, actual), classes(b, actual)
    found, moved, swapped = compare(one, other), compare(one, shuffled(other, seed)), compare(other, one)
    assert moved.differences == found.differences
    for name, each in found.differences.items():
        back = swapped.differences[name].difference
        assert back.value == pytest.approx(-each.difference.value)
        assert back.low == pytest.approx(-(each.difference.high or 0.0), abs=1e-9)


def test_a_paired_interval_is_narrower_than_the_errors_of_two_apart() -> None:
    """Both err on the same hard rows: side by side the intervals overlap, and the difference is sure all the same."""
    a, b = values()
    alone = evaluate(a).metrics["mae"], evaluate(b).metrics["mae"]
    assert (alone[0].low or 0) < (alone[1].high or 0), "side by side nothing could be told"
    found = compare(a, b).differences["mae"]
    assert found.answer == "better"
    assert found.lower_is_better
    assert found.difference.value == pytest.approx(alone[1].value - alone[0].value)


def test_the_interval_of_a_mean_is_that_of_a_paired_t_test() -> None:
    """Of an error that is a mean over independent rows, the jackknife of the difference is the textbook's error of a mean."""
    a, b = values(3)
    assert a.actual is not None
    gap = np.abs(b.predicted - a.actual) - np.abs(a.predicted - a.actual)
    textbook = 1.972 * gap.std(ddof=1) / np.sqrt(len(gap))
    found = compare(a, b).differences["mae"].difference
    assert found.value == pytest.approx(gap.mean())
    assert ((found.high or 0) - (found.low or 0)) / 2 == pytest.approx(textbook, rel=0.15)


def test_groups_are_the_units_and_may_stand_in_one_file_alone() -> None:
    actual, a, b = drawn(1)
    group = [f"g{row // 10}" for row in range(len(actual))]
    found = compare(classes(a, actual), classes(b, actual, group=group))
    assert (found.unit, found.num_units) == ("group", 30)
    assert found.differences["accuracy"].difference.units == 30


def test_rows_in_one_alone_are_counted_and_left_out() -> None:
    actual, a, b = drawn(2)
    key = np.array([f"k{row}" for row in range(len(actual))])
    found = compare(classes(a, actual), classes(b[20:], actual[20:], key=key[20:]))
    assert (found.a.num_only, found.b.num_only, found.num_shared) == (20, 0, 280)
    assert any("left out: 20 of A" in note for note in found.notes)
    assert found.differences["accuracy"].a == pytest.approx((a == actual)[20:].mean())


def test_too_few_rows_in_common_are_refused_with_a_key_of_each() -> None:
    actual, a, b = drawn(2)
    with pytest.raises(DataError, match=r"30 of 300 in A and 300 in B; .*key 'k0'.*key 'z0'"):
        compare(classes(a, actual), classes(b, actual, key=[f"z{row}" if row < 270 else f"k{row}" for row in range(300)]))


def test_targets_that_disagree_are_refused_and_the_first_is_named() -> None:
    actual, a, b = drawn(2)
    other = actual.copy()
    other[7] = (actual[7] + 1) % 3
    with pytest.raises(DataError, match=rf"key 'k7'.*{actual[7]} in A.*{other[7]} in B.*; 1 of 300 shared rows"):
        compare(classes(a, actual), classes(b, other))
    one, two = values()
    assert two.actual is not None
    assert compare(one, replace(two, actual=two.actual * (1 + 1e-8))).num_shared == 200, "fewer digits are no other truth"
    with pytest.raises(DataError, match="shared rows disagree"):
        compare(one, replace(two, actual=two.actual + 1e-3))


def test_steps_and_horizons_are_matched_too() -> None:
    rng = np.random.default_rng(0)
    rows = {"key": np.repeat(["a", "b", "c"], 80), "step": np.tile(np.repeat(np.arange(40), 2), 3), "ahead": np.tile([1, 2], 120)}
    series = rng.normal(size=(3, 43)).cumsum(axis=1)
    target = np.array([series["abc".index(k), s + h] for k, s, h in zip(*rows.values(), strict=True)])
    a, b = (
        Predictions.from_columns(rows | {"target": target, "prediction": target + rng.normal(size=240) * each}, task="forecast")
        for each in (1, 0.3)
    )
    found = compare(a, shuffled(b, 1))
    assert found.differences["mae"].answer == "better"
    assert found.differences["mase"].b is not None
    assert found.unit == "block"
    assert any("blocks of" in note for note in found.notes)
    with pytest.raises(DataError, match="column 'step' of B"):
        compare(a, replace(b, step=None))


def test_a_row_twice_is_refused() -> None:
    a, b = values()
    twice = replace(b, key=np.where(b.key == "k1", "k0", b.key))
    with pytest.raises(DataError, match=r"rows of B .*key 'k0' again \(1 such rows\)"):
        compare(a, twice)


def test_groups_that_disagree_are_refused_and_other_names_of_the_same_are_not() -> None:
    actual, a, b = drawn(3)
    group = np.array([row // 10 for row in range(300)])
    assert compare(classes(a, actual, group=group), classes(b, actual, group=[f"p{each}" for each in group])).num_units == 30
    with pytest.raises(DataError, match="are not the same sequences"):
        compare(classes(a, actual, group=group), classes(b, actual, group=np.roll(group, 5)))


def test_labels_are_matched_by_name_however_they_are_written() -> None:
    actual, a, b = drawn(4, num_classes=2)
    found = compare(classes(a, actual), classes(b.astype(bool), actual.astype(bool)))
    assert found.differences["accuracy"].b == pytest.approx((b == actual).mean())
    assert found.positive == "1"


def test_tasks_that_differ_are_refused() -> None:
    actual, a, _ = drawn(4)
    with pytest.raises(DataError, match=r"'classify' in A .*'regress' in B"):
        compare(classes(a, actual), values()[0])


def test_probabilities_are_compared_where_both_have_them() -> None:
    actual, _, _ = drawn(5, num_classes=2)
    rng = np.random.default_rng(0)
    scores = [np.clip(0.5 + 0.3 * (2 * actual - 1) + rng.normal(size=300) * noise, 0, 1) for noise in (0.5, 0.2)]
    key = [f"k{row}" for row in range(300)]
    a, b = (Predictions.from_columns({"key": key, "target": actual, "score": score}) for score in scores)
    found = compare(a, b).differences
    assert found["roc_auc"].a == pytest.approx(oracle.roc_auc_score(actual, scores[0]))
    assert found["pr_auc"].b == pytest.approx(oracle.average_precision_score(actual, scores[1]))
    assert found["brier"].b == pytest.approx(oracle.brier_score_loss(actual, scores[1]))
    assert found["roc_auc"].answer == found["log_loss"].answer == "better"
    assert {"calibration_error", "mcc"} <= set(found)
    hard = compare(a, classes((scores[1] > 0.5).astype(int), actual))
    assert "log_loss" not in hard.differences
    assert any("only A has probabilities" in note for note in hard.notes)


def test_several_classes_with_probabilities_in_another_order() -> None:
    actual, _, _ = drawn(6)
    names = np.array(["red", "green", "blue"])
    given_ = np.random.default_rng(1).dirichlet([1, 1, 1], 300) * 0.5 + 0.5 * np.eye(3)[actual]
    key = [f"k{row}" for row in range(300)]
    columns = {f"p_{name}": given_[:, at] for at, name in enumerate(names)}
    a = Predictions.from_columns({"key": key, "target": names[actual], **columns}, class_names=("red", "green", "blue"))
    b = Predictions.from_columns({"key": key, "target": names[actual], **columns}, class_names=("blue", "red", "green"))
    found = compare(a, b)
    assert all(each.difference.value == pytest.approx(0, abs=1e-12) for each in found.differences.values())
    assert found.differences["accuracy"].answer == "open"


def test_several_labels_and_next_tokens_are_compared() -> None:
    rng = np.random.default_rng(2)
    actual = rng.random((200, 2)) < 0.4
    key = [f"k{row}" for row in range(200)]
    rows = {"key": key, "target_x": actual[:, 0], "target_y": actual[:, 1]}
    a, b = (
        Predictions.from_columns(rows | {f"prediction_{name}": actual[:, at] ^ (rng.random(200) < wrong) for at, name in enumerate("xy")})
        for wrong in (0.3, 0.1)
    )
    found = compare(a, b).differences
    assert found["subset_accuracy"].b == pytest.approx((b.predicted == actual).all(axis=1).mean())
    assert found["hamming_accuracy"].answer == found["f1"].answer == "better"
    with pytest.raises(DataError, match="'z' in only one of them"):
        compare(a, replace(b, class_names=("x", "z")))

    token = rng.integers(0, 5, 400)
    steps = {"key": np.repeat([f"t{row}" for row in range(20)], 20), "step": np.tile(np.arange(20), 20), "target": token}
    one, other = (Predictions.from_columns(steps | {"prediction": token, "nll": rng.random(400) * most}) for most in (2, 1))
    bits = compare(one, other).differences["bits"]
    assert bits.answer == "better"
    assert bits.a == pytest.approx(float(np.mean(one.nll)) / np.log(2))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="column 'nll' of B"):
        compare(one, replace(other, nll=None))


def test_a_margin_is_kept_missed_or_open() -> None:
    rng = np.random.default_rng(0)
    actual = rng.integers(0, 2, 1000)
    good, bad = (np.where(rng.random(1000) < wrong, 1 - actual, actual) for wrong in (0.05, 0.2))
    a, b = classes(good, actual), classes(bad, actual)
    for worse_by, worse, code in (({"accuracy": 0.05}, "yes", 1), ({"accuracy": 0.15}, "open", 3), ({"accuracy": 0.3}, "no", 0)):
        found = compare(a, b, worse_by=worse_by)
        assert (found.worse, found.exit_code) == (worse, code), worse_by
    assert compare(b, a, worse_by={"accuracy": 0.0}).worse == "no"
    assert compare(a, b, worse_by={"accuracy": 0.3, "recall": 0.01}).worse == "yes", "one that is worse decides"
    assert compare(a, b).exit_code == 0
    assert compare(a, a, worse_by={"accuracy": 0.0}).worse == "no", "the same answers are not worse"
    one, _ = values()
    assert compare(one, one, worse_by={"mae": 0.0}).worse == "no"
    assert "both gave the same answer" in str(compare(one, one, worse_by={"mae": 0.0}))


def test_an_error_is_worse_where_it_is_larger() -> None:
    a, b = values()
    assert compare(b, a, worse_by={"mae": 0.0}).worse == "yes"
    assert compare(b, a).differences["mae"].says == "B is worse"
    assert compare(b, a).differences["r2"].says == "B is worse"


def test_a_margin_of_no_figure_or_below_0_is_refused() -> None:
    a, b = values()
    with pytest.raises(OptionError, match="Did you mean 'rmse'"):
        compare(a, b, worse_by={"rsme": 1})
    with pytest.raises(OptionError, match="mae=-1"):
        compare(a, b, worse_by={"mae": -1})
    with pytest.raises(OptionError, match="positive"):
        compare(a, b, positive="1")


def test_figures_that_cannot_be_are_refused() -> None:
    a, b = values()
    with pytest.raises(DataError, match="column 'prediction' of B"):
        compare(a, replace(b, predicted=np.where(np.arange(200) == 3, np.nan, b.predicted)))
    with pytest.raises(DataError, match="one class only"):
        compare(*(Predictions(task="classify", class_names=("a",), key=a.key, predicted=np.zeros(200), actual=np.zeros(200)),) * 2)


def test_models_are_scored_on_data_and_a_model_without_is_refused() -> None:
    torch.manual_seed(0)
    inputs = Ragged(torch.randn(120, 2), torch.full((40,), 3))
    data = Sequences(inputs=inputs, targets=["no", "yes"] * 20)
    models = [build("gru", task="classify", input_size=2, hidden_size=4, class_names=["no", "yes"]) for _ in range(2)]
    found = compare(models[0], models[1], data)
    assert (found.num_shared, found.num_units) == (40, 40)
    with pytest.raises(OptionError, match=r"compare \(A\)"):
        compare(models[0], models[1])
    from statewise.training import fit

    run = fit(models[0], data, epochs=1)
    with pytest.raises(RunError, match=r"compare \(A\)"):
        compare(run, run)


def test_a_comparison_is_read_in_one_look_and_written_with_its_schema(tmp_path: Path) -> None:
    a, b = values()
    found = compare(a, b, worse_by={"rmse": 0.5})
    text = str(found)
    for line in ("Comparison of B with A on 200 rows", "lower is better for MSE, RMSE, MAE", "B is better", "worse by more"):
        assert line in text
    document = json.loads(write_comparison(found, tmp_path / "c.json").read_text())
    assert document["schema"] == 1
    assert document["differences"]["rmse"]["worse"] == "no"
    assert "mae" in repr(found)


def test_a_model_against_itself_differs_by_nothing_and_no_interval_is_without_width() -> None:
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 60)
    score = np.clip(0.3 * target + 0.7 * random.random(60), 0, 1)
    same = Predictions.from_columns({"key": np.arange(60), "target": target, "score": score, "group": np.arange(60) // 3})
    found = compare(same, same).differences
    assert "mcc" in found
    for name, each in found.items():
        assert each.difference.value == 0, name
        assert each.difference.low is None or (each.difference.high is not None and each.difference.low < each.difference.high), name


@pytest.mark.parametrize("group", [["g"] * 6, ["g"] * 3 + ["h"] * 3])
def test_units_without_which_nothing_is_left_to_correlate_give_no_interval(group: list[str]) -> None:
    actual = np.array([0, 0, 0, 1, 1, 1])
    a, b = (classes(np.array(said), actual, group=group) for said in ([0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 0]))
    found = compare(a, b).differences["mcc"].difference
    assert found.value == pytest.approx(oracle.matthews_corrcoef(actual, b.predicted) - oracle.matthews_corrcoef(actual, a.predicted))
    assert found.low is None


def test_two_that_are_wrong_as_often_on_other_rows_are_not_called_the_same() -> None:
    actual = np.tile([0, 1], 500)
    a, b = actual.copy(), actual.copy()
    a[:20], b[20:40] = 1 - actual[:20], 1 - actual[20:40]
    for other, same in ((b, False), (a, True)):
        text = str(compare(classes(a, actual), classes(other, actual), worse_by={"accuracy": 0.1}))
        assert ("both gave the same answer in every row" in " ".join(text.split())) is same


def test_two_that_look_for_other_classes_are_not_compared_until_it_is_said_which() -> None:
    actual = np.tile([0, 1], 30)
    a, b = (classes(actual, actual, key=[f"k{row}" for row in range(60)]) for _ in range(2))
    a, b = replace(a, positive="1"), replace(b, positive="0")
    with pytest.raises(OptionError, match="'1' in A, '0' in B"):
        compare(a, b)
    assert compare(a, b, positive="0").positive == "0"
