"""Is one label one class, however a framework writes it, and is the positive class the one that the rule names?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statewise.errors import OptionError
from statewise.evaluation._labels import choose_positive, label_text, match_class, numbered, truth_as_numbers


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_whole_number_is_one_label_in_every_type(number: int) -> None:
    values = [number, float(number), np.int64(number), np.float64(number), str(number), f"{number}.0", f" {number} "]
    assert {label_text(value) for value in values} == {str(number)}


@pytest.mark.parametrize("value", [True, np.True_, "true", "True", "TRUE", " true "])
def test_true_is_one_label_however_it_is_written(value: object) -> None:
    assert label_text(value) == "true"


@pytest.mark.parametrize("value", [None, float("nan"), np.float64("nan"), np.float32("nan"), "", "  "])
def test_a_missing_value_is_no_label(value: object) -> None:
    assert label_text(value) is None


def test_other_texts_stay_as_they_are() -> None:
    values = ["01", "Cat", "cat", "1.5", "1e3", 0.5, float("inf"), "nan"]
    assert [label_text(value) for value in values] == ["01", "Cat", "cat", "1.5", "1e3", "0.5", "inf", "nan"]


def test_true_is_1_only_where_both_stand_together() -> None:
    assert truth_as_numbers(["true", "0", "false"]) == {"true": "1", "false": "0"}
    assert truth_as_numbers(["true", "false"]) == {}
    assert truth_as_numbers(["1", "0", None]) == {}


@given(st.lists(st.sampled_from(["a", "b", 3, None])))
def test_numbers_lead_back_to_the_values(values: list[object]) -> None:
    codes, different = numbered(np.array(values, dtype=object))
    assert [different[code] for code in codes] == values


@pytest.mark.parametrize(
    ("names", "support", "chosen"),
    [
        (("0", "1"), (1, 99), "1"),
        (("No", "YES"), (1, 99), "YES"),
        (("Pos", "other"), (99, 1), "Pos"),
        (("ham", "spam"), (99, 1), "spam"),
        (("ham", "spam"), (1, 99), "ham"),
        (("ham", "spam"), (50, 50), "spam"),
        (("1", "yes"), (10, 90), "1"),
    ],
)
def test_the_positive_class_is_named_so_or_rarer_or_last(names: tuple[str, str], support: tuple[int, int], chosen: str) -> None:
    assert choose_positive(names, support, None)[0] == chosen


def test_a_told_class_is_matched_as_labels_are() -> None:
    assert match_class("True", ("false", "true")) == "true"
    assert match_class("1.0", ("0", "1")) == "1"
    assert match_class("true", ("0", "1")) == "1"
    assert match_class("True", ("False", "True")) == "True"
    assert choose_positive(("ham", "spam"), (1, 99), "spam")[0] == "spam"


def test_a_told_class_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError) as caught:
        match_class("spma", ("ham", "spam"))
    assert (caught.value.where, caught.value.hint) == ("positive", "Did you mean 'spam'?")
    assert "'spma'" in caught.value.arrived
    with pytest.raises(OptionError):
        match_class(" ", ("ham", "spam"))
