"""Do `statewise data get`, `list` and `convert` do what they say, and refuse what they cannot do?"""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from statewise.cli._convert import table_of
from statewise.datasets import DATASETS, japanese_vowels
from statewise.sequences import Ragged, Sequences, read
from tests._documents import ROOT
from tests.cli.conftest import CLAIMS, write_claims, write_ts

PARTS = ROOT / "tests" / "data"


@pytest.fixture(autouse=True)
def _no_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no command of these tests reach a package index, and none find another test's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")


def test_the_list_tells_of_each_set_what_it_is_and_its_terms(statewise: Any) -> None:
    ended = statewise("data", "list")
    assert ended.code == 0
    for dataset in DATASETS.values():
        assert f"{dataset.name}  " in ended.out
        assert dataset.says in ended.out
        assert dataset.licence in ended.out
    assert "comes with statewise" in ended.out
    assert "22.7 MB to download" in ended.out


def test_a_set_is_written_with_all_that_one_should_know_of_it(statewise: Any, tmp_path: Path) -> None:
    ended = statewise("data", "get", "japanese-vowels", "--out", "here")
    assert ended.code == 0, ended.err
    dataset = DATASETS["japanese-vowels"]
    for fact in (dataset.licence, dataset.citation, dataset.source, "9,961 rows in 640 sequences", *dataset.notes):
        assert fact in ended.out
    data = read(tmp_path / "here" / "japanese-vowels.parquet", **dataset.reading)
    whole = [read(path) for path in japanese_vowels()]
    assert torch.equal(data.parts["x"].values, torch.cat([part.parts["x"].values for part in whole]))
    assert "fetched already" in statewise("data", "list").out


def test_the_file_stays_in_the_cache_where_no_folder_is_named(statewise: Any, tmp_path: Path) -> None:
    ended = statewise("data", "get", "japanese-vowels")
    assert str(tmp_path / "cache" / "statewise" / "tables" / "japanese-vowels-1.parquet") in ended.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]


@pytest.mark.parametrize("name", DATASETS)
def test_the_command_that_is_shown_has_words_that_fit_understands(name: str) -> None:
    from statewise.cli._app import _make_app

    words = shlex.split(DATASETS[name].command(Path("some where/x.parquet")))[1:]
    _, bound, _ = _make_app().parse_args(words, exit_on_error=False, print_error=False)
    assert str(bound.arguments["data"]) == "some where/x.parquet"


def test_an_unknown_set_is_told_the_nearest(statewise: Any) -> None:
    ended = statewise("data", "get", "shakespear")
    assert ended.code == 2
    assert "Did you mean 'shakespeare'?" in ended.err


def test_an_index_that_cannot_be_reached_is_an_error_of_four_facts(statewise: Any, tmp_path: Path) -> None:
    ended = statewise("data", "get", "beijing-pm25", "--out", "here")
    assert ended.code == 2
    for fact in ("error: data get beijing-pm25", "the package index", "it cannot be reached (Connection refused)", "PIP_FIND_LINKS"):
        assert fact in ended.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_full_disk_is_an_error_of_four_facts(statewise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    for words in (("data", "get", "japanese-vowels"), ("data", "convert", japanese_vowels()[0], "x.csv")):
        ended = statewise(*words)
        assert ended.code == 2
        assert "No space left on device" in ended.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_bar_is_drawn_where_someone_looks(statewise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from statewise.cli._data import _bar

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with _bar(DATASETS["beijing-pm25"]) as watch:
        assert watch is not None
        watch(10, 100)


@pytest.mark.parametrize("words", [("gte", "x"), ("get",), ("get", "japanese-vowels", "--uot", "x")])
def test_words_that_fit_no_command_are_refused(statewise: Any, words: tuple[str, ...]) -> None:
    assert statewise("data", *words).code == 2


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_ts_file_becomes_one_row_a_step_and_is_read_back_the_same(statewise: Any, tmp_path: Path, suffix: str) -> None:
    before = read(write_ts(tmp_path / "levels.ts"))
    ended = statewise("data", "convert", "levels.ts", f"levels{suffix}")
    assert ended.code == 0, ended.err
    assert f"30 sequences, {before.num_steps} rows" in ended.out
    rows = pl.read_parquet(tmp_path / "levels.parquet") if suffix == ".parquet" else pl.read_csv(tmp_path / "levels.csv")
    assert rows.columns == ["key", "step", "channel_1", "channel_2", "target"]
    after = read(tmp_path / f"levels{suffix}", key="key", time="step", target="target")
    assert torch.equal(after.parts["x"].values, before.parts["x"].values)
    assert torch.equal(after.lengths, before.lengths)
    assert torch.equal(after.targets, before.targets)  # type: ignore[arg-type]
    assert (after.class_names, after.keys) == (before.class_names, before.keys)


def test_columns_get_the_names_of_what_they_mean(statewise: Any, tmp_path: Path) -> None:
    before = read(write_claims(tmp_path / "claims.csv"), key="account", time="day", target="label", group="owner", categorical=["shop"])
    assert statewise("data", "convert", "claims.csv", "claims.parquet", *CLAIMS).code == 0
    rows = pl.read_parquet(tmp_path / "claims.parquet")
    assert rows.columns == ["key", "time", "amount", "age", "shop", "target", "group"]
    after = read(tmp_path / "claims.parquet", key="key", time="time", target="target", group="group")
    for name, part in before.parts.items():
        assert torch.equal(after.parts[name].values, part.values)
    assert (after.groups, after.keys, after.class_names) == (before.groups, before.keys, before.class_names)
    assert torch.equal(after.times, before.times)  # type: ignore[arg-type]


def test_the_hours_of_a_stream_stay_dates_and_its_gaps_stay_empty(statewise: Any, tmp_path: Path) -> None:
    words = ("--target", "pm2.5", "--task", "forecast", "--features", "pm2.5", "temperature")
    ended = statewise("data", "convert", PARTS / "beijing_pm25_part.npz", "hours.csv", *words)
    assert ended.code == 0
    assert "missing stay empty: 1,397 of 'pm2.5', 1,397 of 'target'" in ended.err
    assert "mean of the training part" not in ended.err
    rows = pl.read_csv(tmp_path / "hours.csv", try_parse_dates=True)
    assert rows.columns == ["key", "time", "pm2.5", "temperature", "target"]
    assert str(rows["time"][1]) == "2010-01-01 01:00:00"
    with np.load(PARTS / "beijing_pm25_part.npz") as arrays:
        assert rows["pm2.5"].null_count() == rows["target"].null_count() == int(np.isnan(arrays["values"][:, 0]).sum())


def test_a_folder_of_files_becomes_one_file(statewise: Any, tmp_path: Path) -> None:
    words = ("--key", "subject", "--time", "step", "--target", "exercise", "--task", "tag")
    assert statewise("data", "convert", PARTS / "shoulder_watch_part", "watch.parquet", *words).code == 0
    rows = pl.read_parquet(tmp_path / "watch.parquet")
    assert rows.columns == ["key", "time", "ax", "ay", "az", "wx", "wy", "wz", "target"]
    assert rows["key"].n_unique() == 6


def test_nothing_is_overwritten_without_force(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "levels.ts")
    (tmp_path / "mine.csv").write_text("mine")
    refused = statewise("data", "convert", "levels.ts", "mine.csv")
    assert refused.code == 2
    assert "--force" in refused.err
    assert (tmp_path / "mine.csv").read_text() == "mine"
    assert statewise("data", "convert", "levels.ts", "mine.csv", "--force").code == 0
    assert (tmp_path / "mine.csv").read_text().startswith("key,step,channel_1")


def test_a_file_is_not_written_over_itself(statewise: Any, tmp_path: Path) -> None:
    write_claims(tmp_path / "claims.csv")
    before = (tmp_path / "claims.csv").read_text()
    assert statewise("data", "convert", "claims.csv", "claims.csv", *CLAIMS).code == 2
    assert (tmp_path / "claims.csv").read_text() == before


def test_another_format_to_write_is_refused(statewise: Any, tmp_path: Path) -> None:
    write_ts(tmp_path / "levels.ts")
    ended = statewise("data", "convert", "levels.ts", "levels.xlsx")
    assert ended.code == 2
    assert ".parquet or .csv" in ended.err


def inputs(*lengths: int, size: int = 1) -> Ragged:
    return Ragged.from_list([torch.arange(length * size).reshape(length, size).float() for length in lengths])


def test_what_has_no_name_gets_a_number_and_a_sequence_without_steps_no_row() -> None:
    data = Sequences(inputs={"a": inputs(2, 0, 1, size=2), "b": inputs(2, 0, 1)}, static=torch.tensor([[5.0], [6.0], [7.0]]))
    rows = table_of(data, asked="convert")
    assert rows.columns == ["key", "step", "a_1", "a_2", "b_1", "static_1"]
    assert rows["key"].to_list() == ["0", "0", "2"]
    assert rows["static_1"].to_list() == [5.0, 5.0, 7.0]


def test_each_kind_of_target_has_its_columns_and_an_unknown_one_is_empty() -> None:
    x = inputs(2, 1)
    weights = torch.tensor([1.0, 0.0, 2.0])
    values = table_of(Sequences(inputs=x, targets=torch.tensor([0.5, float("nan"), 1.5]), weights=weights, each="step"), asked="convert")
    assert values["target"].to_list() == [0.5, None, 1.5]
    assert values["weight"].to_list() == [1.0, 0.0, 2.0]
    labels = torch.tensor([[True, False], [False, False]])
    several = table_of(Sequences(inputs=x, targets=labels, class_names=["hot", "wet"]), asked="convert")
    assert several.select("target_hot", "target_wet").rows() == [(True, False), (True, False), (False, False)]
    numbered = table_of(Sequences(inputs=x, targets=torch.tensor([1, 0])), asked="convert")
    assert numbered["target"].to_list() == [1, 1, 0]


def test_two_columns_of_one_name_are_refused(statewise: Any, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("id,target,label\na,1,x\na,2,x\nb,3,y\n")
    ended = statewise("data", "convert", "odd.csv", "out.csv", "--key", "id", "--target", "label")
    assert ended.code == 2
    assert "two columns of this name" in ended.err
    assert not (tmp_path / "out.csv").exists()
