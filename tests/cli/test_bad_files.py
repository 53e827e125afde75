"""Is every unusable file told in four facts, and is every unusual one that can be read trained on?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from tests.cli.conftest import CLAIMS, write_claims
from tests.cli.test_bad_input import refused

if TYPE_CHECKING:
    from collections.abc import Callable

LITTLE = ("--epochs", "1", "--hidden-size", "4")
LABELS = ("--key", "account", "--time", "day", "--target", "label", "--features", "amount", "--features", "age")
VALUES = ("--key", "account", "--target", "y", "--task", "regress", "--each", "step", "--features", "amount")


@pytest.fixture
def claims(tmp_path: Path) -> pl.DataFrame:
    frame = pl.read_csv(write_claims(tmp_path / "good.csv"))
    (tmp_path / "good.csv").unlink()
    return frame


def fit(file: str, *columns: str) -> tuple[str, ...]:
    return ("fit", "rnn", "--data", file, *(columns or CLAIMS), *LITTLE, "--out", "run")


def sixth(value: Any, other: Any = "amount") -> pl.Expr:
    """Return a column whose sixth value is another."""
    return pl.when(pl.int_range(pl.len()) == 5).then(pl.lit(value)).otherwise(other if isinstance(other, pl.Expr) else pl.col(other))


@pytest.mark.parametrize(("encoding", "line"), [("utf-16", "line 1"), ("latin-1", "line 2"), ("cp1252", "line 2")])
def test_a_wrong_encoding(statewise: Any, claims: pl.DataFrame, tmp_path: Path, encoding: str, line: str) -> None:
    text = claims.with_columns(shop=pl.lit("nörth")).write_csv()
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    refused(statewise, tmp_path, fit("a.csv"), "not UTF-8", line, "Write the file as UTF-8")


def test_two_columns_of_one_name(statewise: Any, claims: pl.DataFrame, tmp_path: Path) -> None:
    header, rest = claims.write_csv().split("\n", 1)
    (tmp_path / "a.csv").write_text(f"{header.replace('age', 'amount')}\n{rest}")
    refused(statewise, tmp_path, fit("a.csv"), "'amount' 2 times")


def test_text_among_numbers(statewise: Any, claims: pl.DataFrame, tmp_path: Path) -> None:
    claims.with_columns(age=sixth("old", pl.col("age").cast(str))).write_csv(tmp_path / "a.csv")
    refused(statewise, tmp_path, fit("a.csv"), "'age', line 7", "'old' among numbers")


def test_lists_among_numbers(statewise: Any, tmp_path: Path) -> None:
    row = '{"account":"a","amount":%s,"label":"f"}\n'
    (tmp_path / "a.jsonl").write_text(row % "1" + row % "[1]")
    refused(statewise, tmp_path, fit("a.jsonl", "--key", "account", "--target", "label"), "line 1, 'amount'", "Write lists in every line")


@pytest.mark.parametrize("date", ["0000-00-00", "2024-02-31", "9999-99-99", "99999999-01-01", "yesterday"])
def test_a_date_that_never_was(statewise: Any, claims: pl.DataFrame, tmp_path: Path, date: str) -> None:
    days = pl.concat_str(pl.lit("2024-01-0"), pl.col("day") + 1)
    claims.with_columns(day=sixth(date, days)).write_csv(tmp_path / "a.csv")
    refused(statewise, tmp_path, fit("a.csv"), "'day', line 7", date, "Write numbers, or dates such as")


def test_a_key_with_a_fraction(statewise: Any, claims: pl.DataFrame, tmp_path: Path) -> None:
    claims.with_columns(account=pl.col("account").rank("dense") + 0.5).write_parquet(tmp_path / "a.parquet")
    refused(statewise, tmp_path, fit("a.parquet"), "key, column 'account', row 1", "has a fraction")


def test_a_key_that_is_missing_everywhere(statewise: Any, claims: pl.DataFrame, tmp_path: Path) -> None:
    claims.with_columns(account=pl.lit(float("nan"))).write_parquet(tmp_path / "a.parquet")
    refused(statewise, tmp_path, fit("a.parquet"), "column 'account', row 1", f"{claims.height} of {claims.height} values are missing")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e39", "1e300"])
def test_a_number_that_cannot_be_computed_with(statewise: Any, claims: pl.DataFrame, tmp_path: Path, value: str) -> None:
    claims.with_columns(amount=sixth(float(value))).write_parquet(tmp_path / "a.parquet")
    refused(statewise, tmp_path, fit("a.parquet"), "'amount', row 6", f"1 of {claims.height} values")


def test_a_column_without_any_value(statewise: Any, claims: pl.DataFrame, tmp_path: Path) -> None:
    claims.with_columns(amount=pl.lit(None, dtype=pl.Float64)).write_parquet(tmp_path / "a.parquet")
    refused(statewise, tmp_path, fit("a.parquet"), "'amount', row 1", f"{claims.height} of {claims.height} values are missing", "--missing")


def test_a_column_without_any_value_is_read_where_that_is_asked_for(statewise: Any, claims: pl.DataFrame, tmp_path: Path) -> None:
    claims.with_columns(amount=pl.lit(None, dtype=pl.Float64)).write_parquet(tmp_path / "a.parquet")
    ended = statewise(*fit("a.parquet"), "--missing", "mean")
    assert ended.code == 0, ended.err
    assert "'amount'" in ended.out


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_value_to_predict_that_is_none(statewise: Any, claims: pl.DataFrame, tmp_path: Path, value: str) -> None:
    claims.with_columns(y=sixth(float(value), "age")).write_parquet(tmp_path / "a.parquet")
    refused(statewise, tmp_path, fit("a.parquet", *VALUES), "column 'y', row 6", "--unlabelled")


@pytest.mark.parametrize(("options", "says"), [((), "column 'y'"), (("--unlabelled", "skip"), "no target that is scored")])
def test_targets_that_are_all_missing(statewise: Any, claims: pl.DataFrame, tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    claims.with_columns(y=pl.lit(None, dtype=pl.Float64)).write_parquet(tmp_path / "a.parquet")
    refused(statewise, tmp_path, (*fit("a.parquet", *VALUES), *options), says)


def narrow(frame: pl.DataFrame, kind: np.dtype[Any]) -> pa.Table:
    """Return the table with its amounts in another type."""
    table = frame.to_arrow()
    amounts = np.clip(frame["amount"].to_numpy() * 10, -100, 100).astype(kind)
    return table.set_column(table.schema.get_field_index("amount"), "amount", pa.array(amounts))


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int8", "uint8"])
def test_numbers_of_any_width_are_read(statewise: Any, claims: pl.DataFrame, tmp_path: Path, kind: str) -> None:
    """Converted rather than trained on: the same reading, and the numbers come back."""
    table = narrow(claims.with_columns(pl.col("amount").abs()), np.dtype(kind))
    pq.write_table(table, tmp_path / "a.parquet")
    ended = statewise("data", "convert", "a.parquet", "b.parquet", *LABELS)
    assert ended.code == 0, ended.err
    written = pl.read_parquet(tmp_path / "b.parquet")["amount"].sort().to_numpy()
    assert np.array_equal(written, np.sort(table["amount"].to_numpy()).astype(np.float32))


# None and one of everything


def first_of_each(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.group_by("account", maintain_order=True).first()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame.clear(), "no row"),
        (lambda frame: frame.head(1), "one row only"),
        (lambda frame: frame.filter(pl.col("account") == "a0"), "the data has 1 sequences"),
        (lambda frame: frame.filter(pl.col("account").is_in(["a0", "a1"])), "the data has 2 sequences"),
        (lambda frame: frame.with_columns(label=pl.lit("fine")), "'fine'"),
        (lambda frame: frame.with_columns(label=pl.col("account")), "for 60 classes"),
        (lambda frame: frame.head(20).with_columns(label=pl.col("account")), "3 sequences for"),
        (lambda frame: frame.select("account", "day", "label"), "'amount'"),
    ],
    ids=["no row", "one row", "one sequence", "two sequences", "one class", "a class each", "a class each of few", "no feature"],
)
def test_too_little_of_something(
    statewise: Any, claims: pl.DataFrame, tmp_path: Path, change: Callable[[pl.DataFrame], pl.DataFrame], says: str
) -> None:
    change(claims).write_parquet(tmp_path / "a.parquet")
    refused(statewise, tmp_path, fit("a.parquet", *LABELS), says)


def test_a_file_that_holds_nothing_to_read_at_each_step(statewise: Any, claims: pl.DataFrame, tmp_path: Path) -> None:
    claims.select("account", "day", "label").write_csv(tmp_path / "a.csv")
    refused(statewise, tmp_path, fit("a.csv", "--key", "account", "--time", "day", "--target", "label"), "no column")


def test_sequences_of_one_step_and_one_feature_are_trained_on(statewise: Any, claims: pl.DataFrame, tmp_path: Path) -> None:
    first_of_each(claims).write_parquet(tmp_path / "a.parquet")
    ended = statewise(*fit("a.parquet", "--key", "account", "--target", "label", "--features", "amount"))
    assert ended.code == 0, ended.err


def test_one_sequence_is_enough_to_be_scored(statewise: Any, claims: pl.DataFrame, tmp_path: Path) -> None:
    claims.write_csv(tmp_path / "a.csv")
    one = claims.filter(pl.col("account") == "a0")
    one.with_columns(pl.col("amount") + 1).write_csv(tmp_path / "b.csv")
    one.head(1).drop("label").write_csv(tmp_path / "c.csv")
    assert statewise(*fit("a.csv", *LABELS)).code == 0
    ended = statewise("evaluate", "run", "--data", "b.csv")
    assert ended.code == 0, ended.err
    assert "1 sequence" in " ".join(ended.out.split())
    assert statewise("predict", "run", "--data", "c.csv", "--out", "p.csv").code == 0
    assert pl.read_csv(tmp_path / "p.csv").height == 1


def test_a_million_steps_among_short_sequences(statewise: Any, tmp_path: Path) -> None:
    """They are read and predicted, without a batch as wide as the longest."""
    number = 1_000_000
    generator = np.random.default_rng(0)
    lengths = [number, *[3] * 40]
    keys = np.repeat([f"s{place}" for place in range(len(lengths))], lengths)
    labels = np.repeat([("low", "high")[place % 2] for place in range(len(lengths))], lengths)
    table = pl.DataFrame({"key": keys, "x": generator.normal(size=len(keys)).astype(np.float32), "label": labels})
    table.write_parquet(tmp_path / "long.parquet")
    table.filter(pl.col("key") != "s0").write_parquet(tmp_path / "short.parquet")
    assert statewise(*fit("short.parquet", "--key", "key", "--target", "label")).code == 0
    ended = statewise("predict", "run", "--data", "long.parquet", "--out", "p.parquet")
    assert ended.code == 0, ended.err
    assert pl.read_parquet(tmp_path / "p.parquet").height == len(lengths)
