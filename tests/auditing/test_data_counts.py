"""Which steps, sequences and names of the parts of a data set count for their checks, and which do not?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import statewise as sw
from proving_ground.data.making import data_of, many, walk
from statewise.errors import DataError, OptionError
from statewise.sequences import fit_statistics
from tests._unchecked import unchecked
from tests.auditing._asked import said

if TYPE_CHECKING:
    from collections.abc import Iterator

RNG = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def _without_checks_of_types() -> Iterator[None]:
    with unchecked():
        yield


def test_a_vocabulary_that_is_told_says_nothing_of_what_the_scaling_was_fitted_on() -> None:
    train, valid = (data_of([each + level for each in many(RNG, 60)]) for level in (0.0, 1.0))
    scaling = fit_statistics(sw.Sequences.concatenate(train, valid))
    assert said("SW706", train, valid, scaling=scaling, vocabulary={}).status == "fail"


def test_statistics_of_the_whole_test_part_are_found_where_its_beginning_only_warms_a_state_up() -> None:
    signals = [[each + level for each in many(RNG, 60)] for level in (0.0, 2.0)]
    train, test = (data_of(each, targets=torch.zeros(sum(map(len, each))), each="step") for each in signals)
    is_first = torch.cat([(torch.arange(len(each)) >= 3).float() for each in signals[1]])
    warm = replace(test, weights=is_first)
    for scored in (test, warm.select_steps(is_first > 0)):
        assert said("SW706", train, None, warm, scaling=fit_statistics(sw.Sequences.concatenate(train, scored))).status == "fail"


def test_sequences_without_a_label_are_of_no_class() -> None:
    signals = many(RNG, 200)
    targets, weights = torch.arange(200) % 2, torch.ones(200)
    targets[100:150], weights[100:150] = 0, 0.0
    copies = [*signals[:50], *signals[50:100], *signals[:50], *signals[150:]]
    data = replace(data_of(copies, targets=targets), weights=weights)
    assert said("SW712", data).status == "pass"
    assert said("SW712", replace(data, weights=torch.ones(200))).status == "warn"
    long = [walk(RNG, 30, 3) if place < 40 else each for place, each in enumerate(signals)]
    placed = replace(data_of(long, targets=torch.ones(200, dtype=torch.int64)), weights=(torch.arange(200) >= 40).float())
    assert "1 classes" in said("SW710", placed, None, placed).evidence


@pytest.mark.parametrize("other", [{"class_names": ["b", "a"]}, {"feature_names": ["two", "one", "three"]}])
def test_parts_that_number_classes_or_columns_otherwise_are_refused(other: dict[str, Any]) -> None:
    train = data_of(many(RNG, 20), targets=torch.arange(20) % 2)
    train = replace(train, class_names=["a", "b"], feature_names=["one", "two", "three"])
    with pytest.raises(DataError, match=f"other {next(iter(other))} than the training part"):
        sw.audit_data(train, test=replace(train, **other))


def test_a_name_that_is_missing_in_places_is_no_other_name() -> None:
    who = [np.full(20, place % 7, dtype=float) for place in range(30)]
    for each in who[::10]:
        each[5] = np.nan
    signals = [np.column_stack([walk(RNG, 20, 1), each]) for each in who]
    named = data_of(signals, feature_names=["a", "customer_id"])
    assert said("SW711", named).status == "pass"
    who[4][10:] = 99
    torn = data_of([np.column_stack([walk(RNG, 20, 1), each]) for each in who], feature_names=["a", "customer_id"])
    assert said("SW711", torn).status == "warn"


def test_a_step_of_the_same_moment_is_no_earlier_one() -> None:
    def people(begin: float) -> sw.Sequences:
        times = (torch.arange(20.0).double() * 60 + begin).repeat(12) + torch.arange(12).double().repeat_interleave(20)
        return data_of(many(RNG, 12, steps=(20, 21)), groups=[f"p{place}" for place in range(12)], times=times)

    train = people(0.0)
    assert said("SW705", train, None, people(19 * 60.0)).status == "pass"
    assert said("SW705", train, None, people(18 * 60.0)).status == "fail"


def test_a_vocabulary_is_any_mapping_and_no_text() -> None:
    train = data_of(many(RNG, 9))
    with pytest.raises(OptionError, match="the text abc"):
        sw.audit_data(train, test=train, vocabulary="abc")


def test_copies_are_named_by_their_keys() -> None:
    signals = many(RNG, 60)
    train = data_of(signals, keys=[f"a{place}" for place in range(60)])
    test = data_of([*signals[:5], *many(RNG, 5)], keys=[f"b{place}" for place in range(10)])
    assert "(b0, b1, b2, ...)" in said("SW701", train, None, test).evidence


def test_parts_that_are_each_scaled_by_their_own_are_a_warning() -> None:
    def own(level: float) -> sw.Sequences:
        values = np.concatenate(signals := many(RNG, 60)) + level
        lengths = np.cumsum([len(each) for each in signals])[:-1]
        return data_of(np.split((values - values.mean(0)) / values.std(0), lengths))

    found = said("SW706", own(0.0), None, own(5.0))
    assert (found.status, found.where) == ("warn", "test")
