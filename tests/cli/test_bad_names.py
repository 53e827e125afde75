"""Do names that look like markup, paths or code stay what they are, from the file to the page?"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from statewise.runs import RunFiles
from tests.cli.conftest import CLAIMS, write_claims
from tests.cli.test_bad_input import refused

LITTLE = ("--epochs", "1", "--hidden-size", "4")
HOSTILE = (
    "[bold]x[/bold]", "[/]", "[red]", "a\nb", "a\tb", 'quo"te', "com,ma", "x" * 3000, "日本語🙂", "../../x", "/etc/passwd",
    "<script>alert(1)</script>", "</style>", "$(touch made)", "`touch made`", "{0}", "%s", "{{ 7 * 7 }}", "\x1b[31m", "\u202e", "NaN",
    "null", "=1+1", "-1",
)  # fmt: skip
FRAUD, FINE = "[bold]fr\nau[/bold]", "../../[/]<b>日本"
AMOUNT, AGE = "[bold]amount[/bold]<script>", "../../" + "y" * 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write accounts whose keys, groups, columns, labels and categories have hostile names."""
    frame = pl.read_csv(write_claims(tmp_path / "claims.csv"))
    (tmp_path / "claims.csv").unlink()
    place = pl.col("account").str.slice(1).cast(pl.Int64)
    names = pl.Series(HOSTILE).gather(frame.select(place % len(HOSTILE))["account"])
    first = {f"a{number}" for number in range(len(HOSTILE))}
    given = list(zip(names, frame["account"], strict=True))
    frame.with_columns(
        account=pl.Series([name if account in first else f"{name}{account}" for name, account in given]),
        owner=pl.concat_str(pl.lit("[/]"), pl.col("owner"), pl.lit("\n<b>")),
        label=pl.col("label").replace_strict({"fraud": FRAUD, "fine": FINE}),
        shop=pl.col("shop").replace_strict({"north": "[/]", "south": "<b>&amp;"}),
    ).rename({"amount": AMOUNT, "age": AGE}).write_parquet(tmp_path / "claims.parquet")
    return tmp_path


def test_names_go_through_every_command_unchanged(statewise: Any, folder: Path) -> None:
    words = ("fit", "rnn", "--data", "claims.parquet", *CLAIMS, *LITTLE, "--positive", FRAUD, "--out", "run")
    ended = statewise(*words)
    assert ended.code == 0, ended.err
    assert "[bold]fr" in ended.out, "what looks like markup is shown as it is"
    keys = set(pl.read_parquet(folder / "claims.parquet")["account"])

    for key in ("[/]", "a\nb", "../../x", "日本語🙂", "x" * 3000):
        shown = statewise("trace", "run", "--data", "claims.parquet", "--sequence", key, "--out", "trace.html")
        assert shown.code == 0, shown.err
    assert statewise("evaluate", "run", "--positive", FINE).code == 0
    assert statewise("evaluate", "run", "--data", "claims.parquet").code == 0
    assert statewise("judge", "run").code in (0, 1, 3)
    assert statewise("report", "run").code == 0
    for page in (RunFiles(folder / "run").report, folder / "trace.html"):
        text = page.read_text()
        assert "<script>alert(1)" not in text
        assert not re.search(r"<b>(日本|&amp;)", text)

    for suffix in ("csv", "jsonl", "parquet"):
        assert statewise("predict", "run", "--data", "claims.parquet", "--out", f"p.{suffix}").code == 0
        assert statewise("evaluate", f"p.{suffix}").code == 0
    with (folder / "p.csv").open(newline="") as file:
        assert {row["key"] for row in csv.DictReader(file)} == keys
    assert {json.loads(line)["key"] for line in (folder / "p.jsonl").read_text().splitlines()} == keys
    assert set(pl.read_parquet(folder / "p.parquet")["key"]) == keys
    assert sorted(path.name for path in folder.iterdir()) == ["claims.parquet", "p.csv", "p.jsonl", "p.parquet", "run", "trace.html"]


@pytest.mark.parametrize("name", ["[/bold]", "[bold]", "a\nb", "x" * 3000, "日本語", "../../x", "\x1b[31m", "<b>", "{0}", "%s"])
def test_a_hostile_word_is_refused_as_any_other(statewise: Any, folder: Path, name: str) -> None:
    for words in (
        (name,),
        ("fit", name, "--data", "claims.parquet"),
        ("fit", "--data", f"{name}.parquet"),
        ("fit", "--data", "claims.parquet", "--key", name, "--target", "label"),
        ("fit", "--data", "claims.parquet", "--key", "account", "--target", "label", "--features", name),
        ("judge", name),
        ("judge", "--tp", "1", "--fn", "1", "--fp", "1", "--tn", "1", "--policy", name),
        ("predict", name, "--data", "claims.parquet", "--out", "p.csv"),
        ("trace", name),
        ("report", name),
        ("data", "get", name),
    ):
        refused(statewise, folder, words)
