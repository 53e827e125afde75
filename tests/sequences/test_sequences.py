"""Does a labelled set keep what belongs together, and refuse what does not fit?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from statewise.errors import DataError, OptionError, ShapeError
from statewise.sequences import Ragged, Sequences, aligned, class_counts, in_pieces, natural, require_two_classes, steps_ahead

LENGTHS = torch.tensor([2, 0, 3])


def example(**changes: Any) -> Sequences:
    """Return three sequences that have everything."""
    whole: dict[str, Any] = {
        "inputs": {"x": Ragged(torch.arange(10.0).view(5, 2), LENGTHS), "kind": Ragged(torch.tensor([0, 1, -1, 0, 1]), LENGTHS)},
        "targets": ["b", "a", "b"],
        "keys": ["k0", "k1", "k2"],
        "groups": ["g", "g", "h"],
        "times": torch.arange(5.0, dtype=torch.float64),
        "static": torch.tensor([[0.0], [1.0], [2.0]]),
        "feature_names": ["u", "v"],
        "static_names": ["age"],
        "categories": {"kind": ("m", "n")},
    }
    return Sequences(**{**whole, **changes})


@given(st.lists(st.integers(-3, 2), max_size=6))
def test_a_part_takes_everything_that_belongs_to_its_sequences(rows: list[int]) -> None:
    data, starts = example(), [0, 2, 2, 5]
    part = data.select(rows)
    numbers = [range(3)[row] for row in rows]
    steps = [step for row in numbers for step in range(starts[row], starts[row + 1])]
    assert isinstance(part.times, torch.Tensor)
    assert isinstance(part.targets, torch.Tensor)
    assert isinstance(part.static, torch.Tensor)
    assert part.times.tolist() == steps
    assert part.parts["x"].values[:, 0].tolist() == [2.0 * step for step in steps]
    assert part.parts["kind"].values.tolist() == [[0, 1, -1, 0, 1][step] for step in steps]
    assert part.targets.tolist() == [[1, 0, 1][row] for row in numbers]
    assert part.static.flatten().tolist() == numbers
    assert (part.keys, part.groups) == (tuple(f"k{row}" for row in numbers), tuple("ggh"[row] for row in numbers))
    assert (part.class_names, part.feature_names, part.categories) == (("a", "b"), {"x": ("u", "v")}, {"kind": ("m", "n")})


def test_targets_of_steps_go_with_their_steps() -> None:
    data = example(targets=["a", "b", "a", "a", "b"])
    assert data.each == "step"
    assert isinstance(data.targets, torch.Tensor)
    picked = data.select(torch.tensor([False, False, True])).targets
    assert isinstance(picked, torch.Tensor)
    assert picked.tolist() == [0, 0, 1]


def test_the_two_halves_make_the_whole_again() -> None:
    data = example(source="one file", notes=("seen",))
    whole = Sequences.concatenate(data.select([0]), data.select([1, 2]))
    assert torch.equal(whole.parts["x"].values, data.parts["x"].values)
    assert (whole.keys, whole.groups, whole.source, whole.notes) == (data.keys, data.groups, "one file", ("seen",))
    plain = Sequences(inputs=Ragged(torch.zeros(1, 1), torch.tensor([1])), source="other")
    assert Sequences.concatenate(plain, plain.with_notes("new")).notes == ("new",)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"class_names": ["b", "a"]}, r"class_names: \('a', 'b'\) and \('b', 'a'\)\. Read both with the same"),
        ({"groups": None}, r"groups: the second has none\. Give them to both"),
        ({"inputs": {"x": Ragged(torch.zeros(5, 2), LENGTHS)}}, r"inputs: x, kind and x\. Read both with the same features"),
    ],
)
def test_sets_that_differ_are_not_joined(change: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=rf"Sequences\.concatenate\(first, second\): {told}"):
        Sequences.concatenate(example(), example(**change))


def test_a_single_input_is_called_x_and_keys_are_numbers_when_absent() -> None:
    data = Sequences(inputs=Ragged(torch.zeros(5, 2), LENGTHS), feature_names=["u", "v"])
    assert (list(data.parts), data.keys, data.units, data.num_steps, len(data)) == (["x"], ("0", "1", "2"), ("0", "1", "2"), 5, 3)
    assert (data.feature_names_of("x"), data.feature_names_of("y"), data.num_classes) == (("u", "v"), None, None)
    assert repr(data) == "Sequences(3 sequences, 5 steps, x [5, 2], no targets, from data in memory)"
    assert data.select([2]).feature_names == ("u", "v")


def test_the_unit_is_the_group_where_there_are_groups() -> None:
    data = example()
    assert data.units == ("g", "g", "h")
    assert (data.feature_names_of("x"), data.feature_names_of("kind")) == (("u", "v"), None)
    assert repr(data).endswith("x [5, 2], kind [5], one target a sequence, 2 classes, 2 groups, from data in memory)")


def test_class_numbers_may_be_given_as_a_tensor_or_an_array() -> None:
    for targets in (torch.tensor([0, 2, 1], dtype=torch.int32), np.array([0, 2, 1])):
        data = example(targets=targets)
        assert isinstance(data.targets, torch.Tensor)
        assert (data.targets.tolist(), data.targets.dtype, data.class_names, data.num_classes) == ([0, 2, 1], torch.int64, None, 3)
    assert example(targets=None, class_names=["1", "2"]).class_names == ("1", "2")
    empty = Sequences(inputs=Ragged(torch.zeros(0, 1), torch.zeros(0, dtype=torch.int64)), targets=torch.zeros(0, dtype=torch.int64))
    assert empty.num_classes is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"inputs": {}}, "inputs: no input at all. Give a Ragged"),
        (
            {"inputs": {"x": Ragged(torch.zeros(5, 2), LENGTHS), "y": Ragged(torch.zeros(5), LENGTHS.flip(0))}},
            "input 'y': its lengths differ from the first input's",
        ),
        ({"keys": ["a"]}, "keys: 1 of them for 3 sequences. Give one a sequence"),
        ({"groups": ["a"]}, "groups: 1 of them for 3 sequences"),
        ({"targets": ["a"]}, "targets: a shape of (1,) for 3 sequences with 5 steps. Give one target a sequence"),
        ({"each": "step"}, "targets: a shape of (3,) for 3 sequences with 5 steps, and one a step was stated"),
        ({"feature_names": ["u"]}, "feature_names: 1 names for 2 features of input 'x'. Give one name a feature"),
        ({"feature_names": {"y": ["u"]}}, "feature_names: an input 'y'. The inputs are: x, kind"),
        ({"times": torch.zeros(3)}, "times: a shape of (3,) for 5 steps. Give one time a step"),
        ({"static": torch.zeros(3)}, "static: a shape of (3,) for 3 sequences. Give [n, static]"),
        ({"static_names": ["a", "b"]}, "static_names: 2 names for 1 features. Give one name a feature"),
    ],
)
def test_sizes_that_do_not_fit_together_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ShapeError) as error:
        example(**change)
    assert f"Sequences(...): {told}" in str(error.value)


def test_a_padded_tensor_is_refused_with_the_way_to_a_ragged_one() -> None:
    data = example()
    object.__setattr__(data, "inputs", torch.zeros(3, 2, 2))  # past the run-time types of the tests
    with pytest.raises(ShapeError, match=r"input 'x': a Tensor\. Give a Ragged: Ragged\.from_padded\(x, lengths\)"):
        data.__post_init__()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"targets": torch.tensor([0.0, math.nan, 0.0])},
            "targets, entry 1: 1 of 3 values that are NaN or infinite",
        ),
        ({"targets": torch.tensor([[0, 1], [2, 1], [1, 1]])}, "targets, entry [1, 0]: 2. Several labels at once are columns of True and"),
        ({"targets": torch.eye(3) > 0, "class_names": ["a"]}, "class_names: 1 names for 3 labels. Give one name a column of targets"),
        ({"weights": [1.0, -1.0, 0.0]}, "weights, entry 1: -1.0. A weight is 0 (fed, not scored) or more"),
        ({"targets": torch.tensor([0, -1, 0])}, "targets: class numbers from -1 to 0. Class numbers count from 0"),
        ({"targets": torch.tensor([0, 2, 0]), "class_names": ["a", "b"]}, "targets: class numbers from 0 to 2 for 2 class names"),
        (
            {"targets": ["a", "yess", "no"], "class_names": ["a", "yes", "no"]},
            "targets, entry 1: the label 'yess', which is not in class_names. Did you mean 'yes'?",
        ),
    ],
)
def test_labels_that_are_no_classes_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError) as error:
        example(**change)
    assert f"Sequences(...): {told}" in str(error.value)


def test_natural_order_is_numbers_by_size_then_words() -> None:
    assert sorted(["b", "nan", "10", "9", "-1", "inf", "2.5"], key=natural) == ["-1", "2.5", "9", "10", "b", "inf", "nan"]


def test_classes_are_counted_in_their_order() -> None:
    assert class_counts(example()) == {"a": 1, "b": 2}
    assert class_counts(example(targets=torch.tensor([0, 2, 2]))) == {"0": 1, "1": 0, "2": 2}
    assert class_counts(example(targets=None)) == {}


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        (["a", "a", "a"], "only the class 'a', 3 times. Telling classes apart needs at least two"),
        (None, "there are none. Name the column of labels when reading, with target='...' (--target)"),
    ],
)
def test_one_class_only_is_refused_where_two_are_needed(targets: list[str] | None, told: str) -> None:
    require_two_classes(example(), "fit")
    with pytest.raises(DataError) as error:
        require_two_classes(example(targets=targets, source="claims.csv"), "fit")
    assert f"fit: targets of claims.csv: {told}" in str(error.value)


def test_no_target_at_all_is_refused_where_two_classes_are_needed() -> None:
    with pytest.raises(DataError, match="there are none"):
        require_two_classes(example(class_names=["a", "b"]).select([]), "fit")


def test_floating_targets_are_values_and_two_axes_are_several_labels() -> None:
    values, labels = example(targets=torch.tensor([0.5, 1, 2])), example(targets=torch.eye(3) > 0, class_names=["p", "q", "r"])
    assert (values.holds, values.task, values.num_classes, values.class_names) == ("values", "regress", None, None)
    assert (labels.holds, labels.task, labels.num_classes, labels.class_names) == ("labels", "multilabel", 3, ("p", "q", "r"))
    assert "one target a sequence, values" in repr(values)
    picked = labels.select([2]).targets
    assert isinstance(picked, torch.Tensor)
    assert picked.tolist() == [[False, False, True]]


def test_a_task_that_looks_ahead_has_the_series_itself_as_targets() -> None:
    data = example(targets=torch.arange(5.0), task="forecast")
    assert (data.task, data.each) == ("forecast", "step")
    found = aligned(data, "forecast", 2)
    assert found.weights.tolist() == [[1, 0], [0, 0], [1, 1], [1, 0], [0, 0]]
    assert [row[0] for row in found.targets.tolist()] == [1, 1, 3, 4, 4]


@given(st.lists(st.integers(0, 6), max_size=6), st.integers(1, 4))
def test_an_output_is_held_against_the_steps_after_it(lengths: list[int], horizon: int) -> None:
    steps, inside = steps_ahead(torch.tensor(lengths, dtype=torch.int64), horizon)
    expected = [[t + ahead < length for ahead in range(1, horizon + 1)] for length in lengths for t in range(length)]
    assert inside.tolist() == expected
    starts = [sum(lengths[:row]) for row in range(len(lengths)) for _ in range(lengths[row])]
    places = [t for length in lengths for t in range(length)]
    for start, t, row, valid in zip(starts, places, steps.tolist(), expected, strict=True):
        assert [step for step, ok in zip(row, valid, strict=True) if ok] == [start + t + a for a, ok in enumerate(valid, 1) if ok]


def test_weights_follow_their_targets_and_those_of_sequences_are_spread_over_steps() -> None:
    data = example(targets=["a", "b", "a", "a", "b"], weights=[1.0, 2.0, 0.0])
    assert isinstance(data.weights, torch.Tensor)
    assert data.weights.tolist() == [1, 1, 0, 0, 0]
    assert data.scored is not None
    assert data.scored.tolist() == [True, True, False, False, False]
    part = data.select([2, 0])
    assert isinstance(part.weights, torch.Tensor)
    assert part.weights.tolist() == [0, 0, 0, 1, 1]
    both = Sequences.concatenate(data.select([0]), example(targets=["a", "b", "a", "a", "b"]).select([2]))
    assert isinstance(both.weights, torch.Tensor)
    assert both.weights.tolist() == [1, 1, 1, 1, 1]


@given(st.lists(st.booleans(), min_size=5, max_size=5), st.lists(st.integers(0, 2), min_size=1, max_size=4), st.booleans())
def test_what_a_naive_method_answers_stays_with_its_target(kept: list[bool], rows: list[int], each_step: bool) -> None:  # noqa: FBT001  # drawn
    values = torch.arange(5.0 if each_step else 3.0)
    data = example(targets=values, baselines={"ten more": (values + 10).tolist(), "minus": -values})
    made = [data.select(rows), data.select_steps(torch.tensor(kept)), in_pieces(data, 1), Sequences.concatenate(data, data.select(rows))]
    for part in made:
        assert isinstance(part.targets, torch.Tensor)
        assert torch.equal(torch.as_tensor(part.baselines["ten more"]), part.targets + 10)
        assert torch.equal(torch.as_tensor(part.baselines["minus"]), -part.targets)


def test_without_targets_there_are_no_naive_answers() -> None:
    data = example(targets=torch.arange(3.0), baselines={"now": [0.0, 0.0, 0.0]})
    assert list(data.baselines) == ["now"]
    assert replace(data, targets=None, each=None).baselines == {}


def test_sets_with_other_baselines_are_not_joined() -> None:
    data = example(targets=torch.arange(3.0), baselines={"now": [0.0, 0.0, 0.0]})
    with pytest.raises(DataError, match=r"baselines: now and none\. Give the same ones to both"):
        Sequences.concatenate(data, example(targets=torch.arange(3.0)))


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ({"baselines": {"now": [0.0] * 3}}, OptionError, "baselines: the task 'classify'. They hold what could be answered instead of"),
        (
            {"targets": torch.zeros(3), "baselines": {"now": [0.0] * 5}},
            ShapeError,
            "baselines['now']: a shape of (5,) for 3 targets. Give one number a target, NaN where there is none",
        ),
        ({"targets": torch.zeros(3), "baselines": {"now": [0.0, math.inf, 0.0]}}, DataError, "baselines['now']: an infinite number"),
        ({"task": "tag"}, OptionError, "task='tag': targets that are classes, one a sequence. The task wants classes, one a step"),
        (
            {"task": "regress"},
            OptionError,
            "targets that are classes, one a sequence. The task wants numbers (float), one a sequence or a step",
        ),
        ({"weights": [1.0, 1.0]}, ShapeError, "weights: a shape of (2,) for 3 sequences with 5 steps. Give one weight a target"),
        ({"known": ["w"]}, ShapeError, "known: 'w', which is no feature that holds numbers. There are: 'u', 'v'."),
        ({"season": 0}, ShapeError, "season: 0. A season is a number of steps"),
    ],
)
def test_tasks_weights_and_what_is_known_must_fit_the_data(change: dict[str, Any], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind) as error:
        example(**change)
    assert told in str(error.value)
