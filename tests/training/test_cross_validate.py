"""Is each row answered by a model that has not seen it, and do the figures say so?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from statewise.errors import DataError, OptionError, RunError
from statewise.evaluation import compare, evaluate, read_predictions
from statewise.models import build
from statewise.sequences import Ragged, Sequences
from statewise.training import Fold, cross_validate

if TYPE_CHECKING:
    from pathlib import Path


def people(num_groups: int = 5, each: int = 8) -> Sequences:
    """Sequences of two classes, a few a person; a person has a number that each of its steps tells."""
    n = num_groups * each
    generator = torch.Generator().manual_seed(0)
    label = torch.arange(n) % 2
    person = torch.arange(n) // each
    steps = torch.stack([label.float() * 2 - 1, person.float()], dim=1).repeat_interleave(3, dim=0)
    inputs = Ragged(steps + 0.1 * torch.randn(steps.shape, generator=generator), torch.full((n,), 3))
    return Sequences(
        inputs=inputs, targets=[("no", "yes")[each] for each in label.tolist()], groups=[f"p{each}" for each in person.tolist()]
    )


def make() -> nn.Module:
    return build("gru", task="classify", input_size=2, hidden_size=3, class_names=["no", "yes"])


QUICK: dict[str, Any] = {"epochs": 2, "lr": 0.02}


class Memory(nn.Module):
    """A model that knows the persons it was built with, and answers yes to them and no to others: an oracle of what was seen."""

    def __init__(self, train: Sequences) -> None:
        super().__init__()
        rows = next(iter(train.parts.values())).values
        self.seen: torch.Tensor
        self.register_buffer("seen", rows[:, 1].round().unique())
        self.scale = nn.Parameter(torch.ones(()))
        self.class_names, self.batch_first = ("no", "yes"), True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        known = torch.isin(x[:, 0, 1].round(), self.seen)
        return torch.stack([-known.float(), known.float()], dim=1) * 9 * self.scale.clamp(min=0.5)


def test_no_group_of_a_fold_was_trained_on_nor_chose_the_epoch() -> None:
    data = people()
    given: list[Sequences] = []

    def make_with_memory(train: Sequences) -> nn.Module:
        given.append(train)
        return Memory(train)

    options = {"epochs": 1, "lr": 1e-4}
    found = cross_validate(make_with_memory, data, by="group", n="each", valid=0, options=options)
    assert found.predictions.prediction.tolist() == ["no"] * len(data), "none was seen"
    assert [set(train.groups or ()) | {part.name} for train, part in zip(given, found.parts, strict=True)] == [set(data.groups or ())] * 5
    seen = cross_validate(Memory, data, by="sequence", n=4, valid=0, options=options)
    assert seen.predictions.prediction.tolist() == ["yes"] * len(data), "a cut by sequence trains on each person"
    assert any("nothing is said of new ones" in note for note in seen.evaluation.notes)
    given.clear()
    chosen = cross_validate(make_with_memory, data, by="group", n="each", valid=0.25, options=options)
    assert all(fold.num_valid == 8 and fold.num_train == 24 for fold in chosen.folds)
    assert all(len(set(train.groups or ())) == 3 for train in given), "a person of its training part validates, and one is the fold"


def test_each_row_is_answered_once_and_the_units_are_groups() -> None:
    data = people()
    told: list[Fold] = []
    found = cross_validate(make, data, by="group", n="each", options=QUICK, callbacks=[told.append])
    assert sorted(found.predictions.key.tolist()) == sorted(data.keys or ())
    assert (found.evaluation.unit, found.evaluation.num_units, found.evaluation.num_scored) == ("group", 5, 40)
    assert [fold.number for fold in told] == [1, 2, 3, 4, 5]
    assert [part.name for part in found.parts] == [f"p{each}" for each in range(5)]
    assert str(told[1]).startswith("fold 2 of 5 (group 'p1' left out): accuracy ")
    assert all(fold.epochs == 2 and fold.best_epoch in (1, 2) for fold in found.folds)
    for part in found.parts:
        mine = found.predictions.group == part.name
        right = found.predictions.predicted[mine] == found.predictions.actual[mine]  # type: ignore[index]
        assert part.value == pytest.approx(float(right.mean()))
    assert found.worst.value == min(part.value for part in found.parts)


def test_fewer_folds_than_groups_still_tell_of_each_group() -> None:
    found = cross_validate(make, people(), n=2, options=QUICK)
    assert (found.by, len(found.folds), len(found.parts)) == ("group", 2, 5)
    assert found.folds[0].left_out.startswith("groups 'p")


def test_the_same_seed_gives_the_same_answers_whatever_was_drawn_before() -> None:
    data = people()
    first = cross_validate(make, data, n=2, options=QUICK, seed=3)
    torch.rand(7)
    again = cross_validate(make, data, n=2, options=QUICK, seed=3)
    other = cross_validate(make, data, n=2, options=QUICK, seed=4)
    assert np.array_equal(first.predictions.score, again.predictions.score)  # type: ignore[arg-type]
    assert not np.array_equal(first.predictions.score, other.predictions.score)  # type: ignore[arg-type]


def test_the_saved_answers_are_evaluated_and_compared_as_any_file(tmp_path: Path) -> None:
    found = cross_validate(make, people(), by="group", n="each", options=QUICK)
    read = read_predictions(found.predictions.save(tmp_path / "oof.parquet"))
    evaluation = evaluate(read)
    assert evaluation.metrics["accuracy"] == found.evaluation.metrics["accuracy"]
    assert any("out of fold: the rows come from 5 folds" in note for note in evaluation.notes)
    assert set(read.split.tolist()) == {f"fold {each}" for each in range(1, 6)}  # type: ignore[union-attr]
    assert compare(read, found.predictions).num_alike == 40


def test_the_run_of_each_fold_is_kept_where_it_is_asked(tmp_path: Path) -> None:
    cross_validate(make, people(), n=2, options=QUICK, directory=tmp_path / "cv")
    assert sorted(each.name for each in (tmp_path / "cv").iterdir()) == ["fold-1", "fold-2"]
    assert (tmp_path / "cv" / "fold-2" / "model.safetensors").is_file()


def series(n: int = 400) -> Sequences:
    value = torch.sin(torch.arange(n) / 5)[:, None]
    return Sequences(
        inputs=Ragged(value, torch.tensor([n])), targets=torch.roll(value[:, 0], -1), times=torch.arange(n).double(), task="regress"
    )


def test_by_time_training_lies_before_its_fold_and_each_step_is_scored_once() -> None:
    given: list[Sequences] = []

    def make_for_values(train: Sequences) -> nn.Module:
        given.append(train)
        return build("gru", task="regress", input_size=1, hidden_size=3, each="step")

    found = cross_validate(make_for_values, series(), by="time", n=3, options={"epochs": 1})
    steps = found.predictions.more["time"]
    assert sorted(steps.tolist()) == list(range(100, 400)), "the first stretch is trained on only, and no other step is lost or told twice"
    for fold, train in enumerate(given, start=1):
        mine = steps[found.predictions.split == f"fold {fold}"]
        assert train.times is not None
        assert float(train.times.max()) < mine.min()
    assert [part.name for part in found.parts] == ["fold 1", "fold 2", "fold 3"]
    assert found.metric == "rmse"
    assert found.folds[0].left_out == "the time from 100 to 200"
    assert found.folds[2].left_out == "the time from 300 on"
    assert found.worst.value == max(part.value for part in found.parts)


def test_a_fold_whose_training_fails_is_named() -> None:
    made = []

    def fails_at_the_second() -> nn.Module:
        made.append(1)
        return build("gru", task="classify", input_size=2 if len(made) < 2 else 5, hidden_size=2, class_names=["no", "yes"])

    with pytest.raises(RunError, match=r"fold 2 of 5 \(group 'p1' left out\): ShapeError: .*2 features a step.*the model reads 5"):
        cross_validate(fails_at_the_second, people(), n="each", options=QUICK)
    with pytest.raises(RunError, match="build"):
        cross_validate(lambda: 3, people(), options=QUICK)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"options": {"epoch": 3}}, "Did you mean 'epochs'"),
        ({"options": {"seed": 3}}, "argument of cross_validate"),
        ({"valid": 1.0}, "share of the training part"),
        ({"embargo": 2.0}, "by='time'"),
        ({"by": "time", "n": "each"}, "stretches"),
        ({"n": 1}, "at least 2"),
    ],
)
def test_options_that_cannot_be_are_refused(words: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        cross_validate(make, people(), **words)


def test_a_module_in_place_of_what_makes_one_is_refused() -> None:
    with pytest.raises(OptionError, match="a module") as raised:
        cross_validate(build("gru", data=people(), hidden_size=2), people())
    assert "lambda: build" in str(raised.value)


def test_data_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(DataError, match="validation of fold 1"):
        cross_validate(make, people(num_groups=2), by="group", n="each", options=QUICK)
    data = people()
    with pytest.raises(DataError, match="no times"):
        cross_validate(make, data, by="time")
    with pytest.raises(DataError, match="no targets"):
        cross_validate(make, Sequences(inputs=data.inputs))


def test_what_it_looks_like() -> None:
    found = cross_validate(make, people(), by="group", n="each", options=QUICK)
    text = str(found)
    for line in ("Cross-validation by group: 5 folds, 40 rows out of fold", "left out", "worst    p", "over 5 groups", "epochs   2 a fold"):
        assert line in text
    assert text.count("worst") == 2
    assert repr(found).startswith("CrossValidation(by group, 5 folds, accuracy ")


def test_a_group_of_which_nothing_is_scored_has_no_figure_and_is_not_the_worst() -> None:
    data = people(5)
    weights = torch.ones(len(data))
    weights[:8] = 0.0
    found = cross_validate(make, replace(data, weights=weights), by="group", n="each", options=QUICK)
    unknown = next(part for part in found.parts if part.name == "p0")
    assert math.isnan(unknown.value)
    assert unknown.num_scored == 0
    assert found.worst.name != "p0"
    assert found.from_worst[-1] is unknown
    assert sum(part.num_scored for part in found.parts) == found.evaluation.num_scored == 32
