"""Is a later file of a run read as the training part was: the same columns, indicators, gaps and classes, but whole?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import torch

from statewise.cli._fit_options import SplitOptions
from statewise.cli._reading import Columns, read_for_run, read_parts, reading_of
from statewise.models import build
from statewise.runs import load
from statewise.sequences import Sequences, read
from statewise.training import fit

if TYPE_CHECKING:
    from pathlib import Path


def table(seed: int = 0, *, holes: bool = True) -> pl.DataFrame:
    generator = torch.Generator().manual_seed(seed)
    steps = 160
    draw = torch.rand(steps, 3, generator=generator).tolist()
    return pl.DataFrame(
        {
            "key": [f"{seed}-{step // 8}" for step in range(steps)],
            "t": [float(step % 8) * 60 for step in range(steps)],
            "amount": [None if holes and first < 0.2 else first for first, *_ in draw],
            "kind": ["ab"[second < 0.5] for _, second, _ in draw],
            "load": [third for *_, third in draw],
            "p": [step // 8 % 2 for step in range(steps)],
            "q": [1 - step // 8 % 2 for step in range(steps)],
            "w": [1.0 + step // 8 % 3 for step in range(steps)],
        }
    )


def later(folder: Path, columns: Columns, train: Path, new: Path, *, labelled: bool = True, **given: Any) -> tuple[Sequences, Sequences]:
    """Train for an epoch, write the run down, and return the training part and a later file as the run reads it."""
    data = read(train, **columns.given())
    model = build("gru", data=data, hidden_size=4, seed=0, horizon=2 if columns.task == "forecast" else None)
    fit(model, data, data, epochs=1, directory=folder / "run", reading=reading_of(data, columns))
    return data, read_for_run(load(folder / "run"), new, Columns(**given), labelled=labelled)


def test_a_file_to_predict_need_not_hold_what_naive_methods_answer(tmp_path: Path) -> None:
    options: dict[str, Any] = {"key": "key", "time": "t", "target": ("load",), "task": "regress", "features": ("amount",)}
    table(holes=False).with_columns(pl.col("load").alias("naive") + 0.1).write_csv(tmp_path / "train.csv")
    table(1, holes=False).drop("load").write_csv(tmp_path / "unlabelled.csv")
    table(1, holes=False).write_csv(tmp_path / "labelled.csv")
    columns = Columns(**options, baselines=("naive",))
    data, new = later(tmp_path, columns, tmp_path / "train.csv", tmp_path / "unlabelled.csv", labelled=False)
    assert list(data.baselines) == ["naive"]
    assert (new.targets, new.baselines) == (None, {})
    labelled = read_for_run(load(tmp_path / "run"), tmp_path / "labelled.csv", Columns(), labelled=False)
    assert labelled.baselines == {}
    assert isinstance(labelled.targets, torch.Tensor)


SCENARIOS: dict[str, dict[str, Any]] = {
    "regress": {"target": ("load",), "task": "regress", "missing": "indicator", "time": "t", "time_gaps": True, "weight": "w"},
    "multilabel": {"target": ("p", "q"), "missing": "mean", "max_gap": "90s"},
    "forecast": {"target": ("load",), "task": "forecast", "known": ("p",), "missing": "indicator", "time": "t"},
    "next": {"target": ("kind",), "task": "next", "missing": "mean", "features": ("kind", "amount")},
    "tag": {"target": ("kind",), "task": "tag", "missing": "indicator", "features": ("amount", "load")},
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_later_file_has_the_inputs_of_the_training_part(tmp_path: Path, name: str) -> None:
    options = {"key": "key", "time": "t", **SCENARIOS[name]}
    table().write_csv(tmp_path / "train.csv")
    table(1, holes=False).with_columns(pl.lit("new").alias("another")).write_csv(tmp_path / "new.csv")
    data, new = later(tmp_path, Columns(**options, max_steps=3), tmp_path / "train.csv", tmp_path / "new.csv")
    assert int(data.lengths.max()) == 3
    assert set(new.lengths.tolist()) == {8}
    for kept in ("feature_names", "categories", "class_names", "task", "each", "known", "season", "missing"):
        assert getattr(new, kept) == getattr(data, kept), kept


def test_a_training_part_without_gaps_makes_no_indicators_later(tmp_path: Path) -> None:
    table(holes=False).write_csv(tmp_path / "train.csv")
    table(1).write_csv(tmp_path / "new.csv")
    columns = Columns(key="key", target=("p",), missing="indicator", features=("amount",))
    data, new = later(tmp_path, columns, tmp_path / "train.csv", tmp_path / "new.csv")
    assert (data.feature_names, new.feature_names) == (("amount",), ("amount",))
    assert bool(new.parts["x"].values.isnan().any())


def test_a_file_to_predict_need_not_have_what_is_predicted(tmp_path: Path) -> None:
    table().write_csv(tmp_path / "train.csv")
    table(1).drop("w", "load").write_parquet(tmp_path / "new.parquet")
    columns = Columns(key="key", target=("load",), task="regress", weight="w", missing="mean", features=("amount", "kind"))
    _, new = later(tmp_path, columns, tmp_path / "train.csv", tmp_path / "new.parquet", labelled=False)
    assert (new.targets, new.weights, len(new)) == (None, None, 20)
    table(1).with_columns(load=None).write_ndjson(tmp_path / "new.jsonl")
    unknown = read_for_run(load(tmp_path / "run"), tmp_path / "new.jsonl", Columns(), labelled=False)
    assert len(unknown) == 20


def test_an_option_of_the_command_goes_before_that_of_the_run(tmp_path: Path) -> None:
    table().write_csv(tmp_path / "train.csv")
    columns = Columns(key="key", target=("p",), features=("load",), max_steps=3)
    _, new = later(tmp_path, columns, tmp_path / "train.csv", tmp_path / "train.csv", max_steps=5)
    assert set(new.lengths.tolist()) == {5, 3}


def test_texts_arrays_and_series_are_read_later_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("to be or not to be " * 9, encoding="utf-8")
    (tmp_path / "b.txt").write_text("to bee!", encoding="utf-8")
    data, new = later(tmp_path, Columns(task="next", max_steps=20), tmp_path / "a.txt", tmp_path / "b.txt", labelled=False)
    assert (new.class_names, new.lengths.tolist()) == (data.class_names, [7])
    lines = "@classLabel true a b\n@data\n" + "1,2:?,4:a\n3,4:5,6:b\n" * 8
    (tmp_path / "a.ts").write_text(lines, encoding="utf-8")
    (tmp_path / "b.ts").write_text(lines.replace("?", "7"), encoding="utf-8")
    folder = tmp_path / "series"
    data, new = later(folder, Columns(missing="indicator"), tmp_path / "a.ts", tmp_path / "b.ts")
    assert data.feature_names == new.feature_names == ("channel_1", "channel_2", "channel_2_missing")


def test_what_is_trained_with_is_cut_into_pieces_and_all_else_is_whole(tmp_path: Path) -> None:
    for name, seed in (("train", 0), ("valid", 1), ("test", 2)):
        table(seed).write_csv(tmp_path / f"{name}.csv")
    columns = Columns(key="key", target=("p",), features=("load",), max_steps=3)
    paths = {name: tmp_path / f"{name}.csv" for name in ("train", "valid", "test")}
    parts = read_parts(data=None, columns=columns, cut=SplitOptions(), seed=0, **paths)
    assert parts.test is not None
    assert [int(part.lengths.max()) for part in (parts.train, parts.valid, parts.test)] == [3, 8, 8]
