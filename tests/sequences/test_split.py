"""Are parts and folds whole, disjoint, balanced, and the same for the same seed?"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from statewise.errors import DataError, OptionError
from statewise.sequences import Ragged, Sequences, folds, split

FRACTIONS = st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.5), (0.8, 0.2), (0.6, 0.3, 0.1), (1 / 3, 1 / 3, 1 / 3)])


def labelled(classes: list[int], **more: Any) -> Sequences:
    """Return sequences of these classes, one step each, whose value is their number."""
    n = len(classes)
    inputs = Ragged(torch.arange(float(n))[:, None], torch.ones(n, dtype=torch.int64))
    return Sequences(inputs=inputs, targets=torch.tensor(classes, dtype=torch.int64), class_names=["a", "b", "c"], each="sequence", **more)


def rows(part: Sequences) -> list[int]:
    """Return the numbers of the sequences in a part."""
    return [int(value) for value in part.parts["x"].values.flatten()]


@settings(max_examples=60)
@given(st.lists(st.integers(0, 2), min_size=30, max_size=90), FRACTIONS, st.integers(0, 2**31), st.booleans())
def test_parts_are_disjoint_complete_and_right_in_size_and_classes(
    classes: list[int],
    fractions: tuple[float, ...],
    seed: int,
    stratify: bool,  # noqa: FBT001
) -> None:
    data = labelled(classes, source="claims.csv")
    parts = split(data, fractions=fractions, seed=seed, stratify=stratify)
    assert sorted(row for part in parts for row in rows(part)) == list(range(len(classes)))
    for part, fraction in zip(parts, fractions, strict=True):
        assert rows(part) == sorted(rows(part))
        assert abs(len(part) - fraction * len(data)) < (2 if stratify else 1)
        assert (part.source, part.class_names, part.num_classes) == ("claims.csv", ("a", "b", "c"), 3)
        assert isinstance(part.targets, torch.Tensor)
        assert part.targets.tolist() == [classes[row] for row in rows(part)]
        for label in range(3) if stratify else ():
            assert abs(int((part.targets == label).sum()) - fraction * classes.count(label)) < 1


@settings(max_examples=15)
@given(st.integers(0, 2**31))
def test_the_cut_depends_on_the_seed_alone(seed: int) -> None:
    data = labelled([0, 1, 2] * 20, groups=[str(i // 4) for i in range(60)])
    for by in ("sequence", "group"):
        first = [rows(part) for part in split(data, by=by, seed=seed)]
        torch.manual_seed(seed + 1)
        np.random.seed(seed % 1000)  # noqa: NPY002
        state = np.random.get_state()[1][:3].tolist(), torch.get_rng_state().sum().item()  # type: ignore[index]  # noqa: NPY002
        assert [rows(part) for part in split(data, by=by, seed=seed)] == first
        assert (np.random.get_state()[1][:3].tolist(), torch.get_rng_state().sum().item()) == state  # type: ignore[index]  # noqa: NPY002


def test_another_seed_gives_another_cut() -> None:
    data = labelled([0, 1, 2] * 20, groups=[str(i // 4) for i in range(60)])
    for by in ("sequence", "group"):
        assert len({tuple(rows(split(data, by=by, seed=seed)[1])) for seed in range(8)}) > 4


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=12, max_size=80), FRACTIONS, st.integers(0, 99))
def test_a_group_is_never_split(pairs: list[tuple[int, int]], fractions: tuple[float, ...], seed: int) -> None:
    pairs += [(0, 0), (1, 1), (2, 2)]
    data = labelled([label for _, label in pairs], groups=[group for group, _ in pairs])
    parts = split(data, fractions=fractions, seed=seed)
    assert sorted(row for part in parts for row in rows(part)) == list(range(len(pairs)))
    groups = [set(part.groups or ()) for part in parts]
    assert sum(len(each) for each in groups) == len(set().union(*groups))
    assert all(groups)


def test_groups_are_placed_so_that_sizes_and_classes_come_out_near_the_shares() -> None:
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 60, size=900)
    classes = ((groups % 3 == 0) & (generator.random(900) < 0.8)).astype(int)
    data = labelled(classes.tolist(), groups=groups.tolist())
    for seed in range(5):
        for part, fraction in zip(split(data, by="group", seed=seed), (0.7, 0.15, 0.15), strict=True):
            assert isinstance(part.targets, torch.Tensor)
            assert len(part) / 900 == pytest.approx(fraction, abs=0.02)
            assert float(part.targets.double().mean()) == pytest.approx(classes.mean(), abs=0.03)


def test_groups_of_steps_are_balanced_by_the_labels_of_their_steps() -> None:
    n = 200
    inputs = Ragged(torch.arange(2.0 * n)[:, None], torch.full((n,), 2))
    groups = [str(i % 40) for i in range(n)]
    targets = [label for i in range(n) for label in ([1, 0] if i % 4 == 0 else [0, 0])]
    data = Sequences(inputs=inputs, targets=torch.tensor(targets), groups=groups)
    assert data.each == "step"
    for part, fraction in zip(split(data, by="group"), (0.7, 0.15, 0.15), strict=True):
        assert isinstance(part.targets, torch.Tensor)
        assert int(part.targets.sum()) == pytest.approx(50 * fraction, abs=5)
        assert len(part) == pytest.approx(n * fraction, abs=5)


def test_many_groups_are_cut_in_one_order() -> None:
    data = labelled([0, 1] * 1500, groups=[str(i) for i in range(3000)])
    assert [len(part) for part in split(data, by="group")] == pytest.approx([2100, 450, 450], abs=3)
    assert [len(part) for part in split(data, by="group", stratify=False)] == pytest.approx([2100, 450, 450], abs=3)


def test_groups_are_kept_whole_by_default_and_cutting_them_is_noted() -> None:
    data = labelled([0, 1] * 10, groups=["g", "h", "i", "j"] * 5)
    first, second = split(data, fractions=(0.5, 0.5))
    assert not set(first.groups or ()) & set(second.groups or ())
    assert first.notes == ()
    cut, _ = split(data, by="sequence", fractions=(0.5, 0.5))
    assert cut.notes == ("cut by sequence although there are groups: the same group may be in several parts",)
    assert next(folds(data, by="sequence", n=2))[0].notes == cut.notes


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2), min_size=10, max_size=60), st.integers(2, 6), st.integers(0, 99))
def test_each_sequence_is_tested_in_one_fold(classes: list[int], n: int, seed: int) -> None:
    data = labelled(classes)
    tested = []
    for train, test in folds(data, n=n, seed=seed):
        assert sorted(rows(train) + rows(test)) == list(range(len(classes)))
        assert isinstance(test.targets, torch.Tensor)
        for label in range(3):
            assert abs(int((test.targets == label).sum()) - classes.count(label) / n) < 1
        tested += rows(test)
    assert sorted(tested) == list(range(len(classes)))


@settings(max_examples=15)
@given(st.lists(st.integers(0, 6), min_size=8, max_size=60), st.integers(0, 99))
def test_a_group_is_tested_in_one_fold(groups: list[int], seed: int) -> None:
    groups += [7, 8]
    data = labelled([0] * len(groups), groups=groups)
    each = list(folds(data, n="each"))
    assert [set(test.groups or ()) for _, test in each] == [{str(group)} for group in dict.fromkeys(groups)]
    for train, test in (*each, *folds(data, by="group", n=2, seed=seed)):
        assert not set(train.groups or ()) & set(test.groups or ())
        assert len(train) + len(test) == len(data)
        assert len(train)
        assert len(test)


def test_each_sequence_can_be_left_out_alone() -> None:
    assert [rows(test) for _, test in folds(labelled([0, 1, 2]), n="each")] == [[0], [1], [2]]


@pytest.mark.parametrize("fractions", [(0.7, 0.2), (1.0,), (1.2, -0.2), (0.5, 0.5, 0.0), (), (float("nan"), 0.5)])
def test_fractions_that_are_no_shares_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(OptionError, match=r"split\(data\): fractions: .*Give one positive fraction a part, together 1"):
        split(labelled([0, 1] * 9), fractions=fractions)


def test_a_part_that_would_be_empty_is_refused() -> None:
    with pytest.raises(DataError, match=r"part \d of 3 \(fraction 0\.15\): it would be empty: the data has 2 sequences\. Give each part"):
        split(labelled([0, 0]))
    assert [len(part) for part in split(labelled([0, 0, 0]))] == [1, 1, 1], "a share of less than one still is one"
    with pytest.raises(DataError, match=r"part \d of 3 .*: it would be empty: the data has 2 groups"):
        split(labelled([0] * 3, groups=["a", "a", "b"]))
    with pytest.raises(DataError, match="it would be empty: the data has 0 sequences"):
        split(labelled([]))
    with pytest.raises(DataError, match="it would be empty: the data has 0 groups"):
        split(labelled([], groups=[]))


# `inspect.unwrap` gives the function as users call it, without the run-time types of the tests.


@pytest.mark.parametrize("n", [1, 0, True, 2.5, "all"])
def test_a_number_of_folds_that_is_none_is_refused(n: Any) -> None:
    with pytest.raises(OptionError, match=r"folds\(data\): n: .*Give a whole number of at least 2, or 'each'"):
        inspect.unwrap(folds)(labelled([0] * 9), n=n)


@pytest.mark.parametrize(("classes", "n"), [([0, 1], 3), ([0], "each"), ([], "each")])
def test_more_folds_than_units_are_refused(classes: list[int], n: Any) -> None:
    with pytest.raises(
        DataError, match=rf"folds\(data\): n: {len(classes)} sequences for \d folds\. Each fold needs a sequence of its own"
    ):
        folds(labelled(classes), n=n)


def test_cutting_by_what_is_not_there_is_refused() -> None:
    data = labelled([0, 1] * 9, source="claims.csv")
    for cut in (split, folds):
        with pytest.raises(DataError, match=r"by='group': claims\.csv has no groups\. .*group='\.\.\.' \(--group\)"):
            cut(data, by="group")
        with pytest.raises(OptionError, match=r"by: 'person'\. Give 'sequence', 'group'"):
            inspect.unwrap(cut)(data, by="person")
        with pytest.raises(OptionError, match=r"seed: -1\. Give a whole number of 0 or more"):
            cut(data, seed=-1)


def test_several_labels_are_shared_out_by_their_combinations() -> None:
    labels = torch.tensor([[True, False], [False, True], [True, True]] * 20)
    data = Sequences(inputs=Ragged(torch.zeros(60, 1), torch.ones(60, dtype=torch.int64)), targets=labels)
    for part in split(data, fractions=(0.6, 0.2, 0.2)):
        assert isinstance(part.targets, torch.Tensor)
        combinations = (part.targets * torch.tensor([1, 2])).sum(1).bincount().tolist()
        assert combinations[0] == 0
        assert max(combinations[1:]) == min(combinations[1:])
