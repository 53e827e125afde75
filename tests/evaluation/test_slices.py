"""Are rows cut as they should be, and is each part what the whole would be without the others?"""

from __future__ import annotations

import numpy as np
import pytest

from statewise.errors import DataError, OptionError
from statewise.evaluation import Evaluation, Predictions, Slice, evaluate, read_evaluation, write_evaluation
from statewise.evaluation._part_sections import part_tables


def _steps(seed: int = 0, sequences: int = 40) -> dict[str, np.ndarray]:
    """Return labelled steps of sequences of 1 to 90 steps, in which the first four steps are guessed."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 90, sequences)
    step = np.concatenate([np.arange(length) for length in lengths])
    target = random.integers(0, 2, len(step))
    prediction = np.where((step < 4) & (random.random(len(step)) < 0.5), 1 - target, target)
    key = np.repeat(np.arange(sequences), lengths)
    return {"key": key, "step": step, "target": target, "prediction": prediction, "group": key % 5, "shop": np.array(list("uvw"))[key % 3]}


def _by(evaluation: Evaluation, by: str) -> dict[str, Slice]:
    return {each.name: each for each in evaluation.slices if each.by == by}


def test_each_part_is_what_its_rows_alone_would_give() -> None:
    columns = {name: column for name, column in _steps().items() if name != "group"}  # five groups would be cut into blocks
    whole = evaluate(Predictions.from_columns(columns), by=["shop", "length", "position"])
    assert {each.by for each in whole.slices} == {"shop", "length", "position"}
    for name in "uvw":
        rows = columns["shop"] == name
        alone = evaluate(Predictions.from_columns({each: column[rows] for each, column in columns.items()}), positive="1", by=())
        part = _by(whole, "shop")[name]
        assert part.num_scored == rows.sum()
        assert part.metrics["accuracy"] == alone.metrics["accuracy"]
        assert part.metrics["recall"] == alone.metrics["recall"]
    for by in ("shop", "length", "position"):
        assert sum(each.num_scored for each in whole.slices if each.by == by) == len(columns["key"])


def test_a_cold_start_is_seen_by_place_in_the_sequence() -> None:
    found = _by(evaluate(Predictions.from_columns(_steps())), "position")
    cold, warm = found["1 to 4"].metrics["accuracy"], found["5 to 16"].metrics["accuracy"]
    assert cold.high is not None
    assert cold.high < 0.85
    assert warm.value == 1


def test_a_group_has_its_sequences_as_units_and_few_are_marked() -> None:
    found = _by(evaluate(Predictions.from_columns(_steps())), "group")
    assert {each.num_units for each in found.values()} == {8}
    assert all(each.few for each in found.values())
    many = {name: column for name, column in _steps(sequences=150).items() if name != "group"}
    parts = evaluate(Predictions.from_columns(many), by=["shop"]).slices
    assert [each.num_units for each in parts] == [50, 50, 50]
    assert not any(each.few for each in parts)


def test_numbers_are_cut_at_their_quartiles_and_few_different_ones_are_a_part_each() -> None:
    columns = {"target": [0, 1] * 50, "prediction": [0, 1] * 50, "age": np.arange(100.0), "floor": [1, 2] * 50}
    found = evaluate(Predictions.from_columns(columns), by=["age", "floor"])
    assert [(each.name, each.num_scored) for each in found.slices if each.by == "age"] == [
        ("0 to 24", 25), ("25 to 49", 25), ("50 to 74", 25), ("75 to 99", 25)
    ]  # fmt: skip
    assert [each.name for each in found.slices if each.by == "floor"] == ["1", "2"]


def test_of_many_values_the_most_frequent_are_parts_and_the_rest_is_one() -> None:
    words = [f"w{number % 40}" if number % 2 else f"v{number % 6}" for number in range(400)]
    columns = {"target": [0, 1] * 200, "prediction": [0, 1] * 200, "word": words}
    found = evaluate(Predictions.from_columns(columns), by=["word"]).slices
    assert len(found) == 20
    assert found[-1].name == "4 others"
    assert sum(each.num_scored for each in found) == 400


def test_values_that_are_not_known_are_in_no_part() -> None:
    columns = {"target": [0, 1] * 10, "prediction": [0, 1] * 10, "age": [None, *range(19)]}
    found = evaluate(Predictions.from_columns(columns), by=["age"]).slices
    assert sum(each.num_scored for each in found) == 19


def test_steps_since_a_reset_are_read_off_the_history() -> None:
    columns = {"step": range(30), "target": [0, 1] * 15, "prediction": [0, 1] * 15, "history": [10 + step for step in range(30)]}
    assert set(_by(evaluate(Predictions.from_columns(columns)), "since_reset")) == {"5 to 16", "17 to 40"}


def test_a_column_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError, match="shop"):
        evaluate(Predictions.from_columns(_steps()), by=["shpo"])


def test_parts_of_values_tokens_and_labels_have_their_own_figures() -> None:
    common = {"step": range(8), "key": [1] * 4 + [2] * 4, "kind": list("aabbaabb")}
    values = Predictions.from_columns(common | {"target": np.arange(8) / 3, "prediction": np.arange(8) / 4}, task="regress")
    tokens = Predictions.from_columns(common | {"target": list("xyxyxyxy"), "prediction": list("xxxxyyyy"), "nll": np.ones(8)})
    labels = Predictions.from_columns(common | {"target_u": [0, 1] * 4, "p_u": np.linspace(0, 1, 8), "target_v": [1] * 8, "p_v": [0.9] * 8})
    assert set(evaluate(values, by=["kind"]).slices[0].metrics) == {"rmse", "mae"}
    assert set(evaluate(tokens, by=["kind"]).slices[0].metrics) == {"bits", "accuracy"}
    assert set(evaluate(labels, by=["kind"]).slices[0].metrics) == {"subset_accuracy", "hamming_accuracy"}


def test_parts_events_and_averages_come_back_from_json(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "evaluation.json"
    evaluation = evaluate(Predictions.from_columns(_steps()), by=["shop", "group"])
    write_evaluation(evaluation, path)
    assert read_evaluation(path) == evaluation
    assert evaluation.events is not None


@pytest.mark.parametrize("since", [["soon"] * 3, [None, 1, 5], [-1, -2, -3], [np.nan, 0.0, 7.0]])
def test_a_column_since_reset_of_any_kind_ends_no_evaluation(since: list[object]) -> None:
    columns = {"key": ["a", "b", "c"], "target": [0, 1, 1], "prediction": [0, 1, 0], "since_reset": since}
    parts = _by(evaluate(Predictions.from_columns(columns)), "since_reset")
    known = [each for each in since if isinstance(each, int | float) and each >= 0]
    assert sum(part.num_scored for part in parts.values()) == (len(known) if len(known) > 1 else 0)


def test_a_step_that_is_missing_is_refused_by_its_row() -> None:
    columns = {"key": ["a", "a"], "step": ["2020-01-01", None], "target": [0, 1], "prediction": [0, 1]}
    with pytest.raises(DataError, match="column 'step'"):
        Predictions.from_columns(columns)


def test_the_groups_that_are_not_named_are_counted_by_group_and_are_no_worst_one() -> None:
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(200), 10)
    wrong = (random.random(200) < 0.2)[group]
    target = random.integers(0, 2, len(group))
    found = evaluate(Predictions.from_columns({"group": group, "target": target, "prediction": np.where(wrong, 1 - target, target)}))
    (others,) = [each for each in found.slices if each.others]
    assert (others.name, others.num_units) == ("151 others", 151)
    low, high = others.metrics["accuracy"].low, others.metrics["accuracy"].high
    assert low is not None
    assert high is not None
    assert high - low > 0.08, "groups are wholly right or wrong: 151 of them tell little"
    table = next(each for each in part_tables(found) if each.title.startswith("By group"))
    assert "of the 49 largest" in table.title
    assert "151 others" not in {row[0] for row in table.rows}


def test_steps_that_only_warm_the_state_count_in_places_and_lengths() -> None:
    step = np.tile(np.arange(30), 40)
    weight, target = (step >= 20).astype(float), np.tile([0, 1], 600)
    columns = {"key": np.repeat(np.arange(40), 30), "step": step, "weight": weight, "target": target, "prediction": target}
    found = evaluate(Predictions.from_columns(columns), by=["position", "length"])
    assert set(_by(found, "position")) == {"17 to 30"}
    assert set(_by(found, "length")) == {"30"}
