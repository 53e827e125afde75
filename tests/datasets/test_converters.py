"""Does each converter make the table that it promises, of members written as the published ones are?"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import pickle
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from statewise.datasets import DATASETS, get, japanese_vowels
from statewise.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def convert(name: str, **members: bytes | str) -> pl.DataFrame:
    """Convert members, which are given by any name."""
    return DATASETS[name].convert({path: each.encode() if isinstance(each, str) else each for path, each in members.items()})


def test_japanese_vowels_holds_each_number_of_the_vendored_files(tmp_path: Path) -> None:
    table = pl.read_parquet(get("japanese-vowels", folder=tmp_path))
    assert table.columns == ["key", "step", *(f"channel_{number}" for number in range(1, 13)), "target", "split"]
    for file, split in zip(japanese_vowels(), ("train", "test"), strict=True):
        lines = file.read_text(encoding="utf-8").split("@data\n")[1].splitlines()
        part = table.filter(pl.col("split") == split)
        assert part["key"].n_unique() == len(lines) == {"train": 270, "test": 370}[split]
        for number in (0, len(lines) // 2, len(lines) - 1):
            *channels, label = lines[number].split(":")
            series = part.filter(pl.col("key") == f"{split}-{number + 1}")
            assert series["target"].unique().to_list() == [label]
            assert series["step"].to_list() == list(range(series.height))
            wanted = np.array([channel.split(",") for channel in channels], dtype=np.float32).T
            assert np.array_equal(series.select(pl.col("^channel_.*$")).to_numpy(), wanted)


BEIJING = """No,year,month,day,hour,pm2.5,DEWP,TEMP,PRES,cbwd,Iws,Is,Ir\r
1,2010,1,1,23,NA,-21,-11,1021,NW,1.79,0,0\r
2,2010,1,2,0,129,-16,-4,1020.5,SE,2.68,1,2\r
"""


def test_beijing_keeps_what_was_not_measured_empty() -> None:
    table = convert("beijing-pm25", csv=BEIJING)
    assert table.columns[:3] == ["key", "time", "pm2.5"]
    assert table["time"].cast(pl.String).to_list() == ["2010-01-01 23:00:00.000000", "2010-01-02 00:00:00.000000"]
    assert table["pm2.5"].to_list() == [None, 129.0]
    assert table["wind_direction"].to_list() == ["NW", "SE"]
    assert table.row(1)[3:9] == (-16.0, -4.0, 1020.5, pytest.approx(2.68), 1.0, 2.0)
    assert table["key"].n_unique() == 1


POWER = """Date,Time,Global_active_power,Global_reactive_power,Voltage,Global_intensity,Sub_metering_1,Sub_metering_2,Sub_metering_3\r
31/12/2006,23:59:00,4.216,0.418,234.840,18.400,0.000,1.000,17.000\r
1/1/2007,00:00:00,?,?,?,?,?,?,\r
"""


def test_household_power_has_a_row_for_a_minute_that_was_not_measured() -> None:
    table = convert("household-power", xz=lzma.compress(POWER.encode()))
    assert table["time"].cast(pl.String).to_list() == ["2006-12-31 23:59:00.000000", "2007-01-01 00:00:00.000000"]
    assert table["global_active_power"].to_list() == [pytest.approx(4.216), None]
    assert table.null_count().row(0) == (0, 0, *[1] * 7)


RETAIL = """Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country
500,1,"A ""B"", C",2,12/1/2009 7:45,1.5,13085.0,France
C501,1,A,-2,12/3/2009 19:45,1.5,13085.0,France
600,1,A,1,12/1/2009 7:45,1.0,,France
502,2,B,1,12/2/2009 7:45,4.0,12346.0,Spain
500,2,B,1,12/1/2009 7:46,4.0,13085.0,France
503,2,B,9,1/4/2010 7:45,4.0,13085.0,Spain
"""


def test_an_invoice_is_a_row_and_its_target_is_whether_the_next_one_is_a_cancellation() -> None:
    table = convert("online-retail", xz=lzma.compress(RETAIL.encode()))
    assert table["key"].to_list() == ["12346", "13085", "13085", "13085"]
    assert table["target"].to_list() == [None, 1, 0, None]
    assert table["cancellation"].to_list() == [0, 0, 1, 0]
    assert table["lines"].to_list() == [1, 2, 1, 1]
    assert table["quantity"].to_list() == [1, 3, -2, 9]
    assert table["value"].to_list() == [4.0, 7.0, -3.0, 36.0]
    assert table["days_since_previous"].to_list() == [0.0, 0.0, 2.5, 31.5]
    assert table["country"].to_list() == ["Spain", "France", "France", "Spain"]


def test_the_characters_of_a_play_joined_are_its_file_to_the_byte() -> None:
    plays = {"plays/b/zeno.md": "# Zeno\n\n  \t—é\n", "plays/c/anna.md": "Anna\r\n"}
    table = convert("shakespeare", **plays)
    assert table.columns == ["key", "step", "token"]
    assert table["key"].unique(maintain_order=True).to_list() == ["anna", "zeno"]
    for path, text in plays.items():
        play = table.filter(pl.col("key") == path[8:-3])
        assert "".join(play["token"]) == text
        assert play["step"].to_list() == list(range(len(text)))


def watch(**changes: Any) -> bytes:
    """Return three recordings as the published file holds its 140."""
    data = {
        "X": [np.full((length, 6), length, dtype=np.float64) for length in (3, 1, 2)],
        "y": np.array([1, 0, 1]),
        "side": np.array([1.0, 0.0, 1.0]),
        "subject": np.array([7, 7, 9]),
        "X_labels": ["ax", "ay", "az", "wx", "wy", "wz"],
        "y_labels": ["PEN", "ABD"],
    }
    file = io.BytesIO()
    np.save(file, np.array({**data, **changes}, dtype=object), allow_pickle=True)
    return file.getvalue()


def test_a_recording_is_a_sequence_and_a_person_a_group() -> None:
    table = convert("shoulder-watch", npy=watch())
    assert table["key"].to_list() == [1, 1, 1, 2, 3, 3]
    assert table["step"].to_list() == [0, 1, 2, 0, 0, 1]
    assert table["target"].to_list() == ["ABD", "ABD", "ABD", "PEN", "ABD", "ABD"]
    assert table["group"].to_list() == [7, 7, 7, 7, 9, 9]
    assert table["side"].to_list() == ["right"] * 3 + ["left"] + ["right"] * 2
    assert table["wz"].to_list() == [3.0, 3.0, 3.0, 1.0, 2.0, 2.0]


class Mischief:
    """What makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what to call, and with what."""
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_asks_for_more_than_arrays_is_refused_and_does_nothing(tmp_path: Path) -> None:
    mischief = Mischief(tmp_path / "harm")
    content = watch(side=mischief)
    with pytest.raises(DataError, match=r"it asks for (posix|nt)\.mkdir"):
        convert("shoulder-watch", npy=content)
    assert not mischief.folder.exists()
    pickle.loads(content[128:])  # noqa: S301 - the control: an unrestricted reader would have done it
    assert mischief.folder.exists()


def test_the_reader_of_the_pickle_writes_arrays_that_need_no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    from statewise.datasets import _unpickle

    written = io.BytesIO()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(watch())))
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=written))
    _unpickle.main()
    written.seek(0)
    with np.load(written, allow_pickle=False) as arrays:
        assert arrays["lengths"].tolist() == [3, 1, 2]
        assert arrays["exercises"].tolist() == ["PEN", "ABD"]
    assert _unpickle.encode("\xe9", "latin1") == b"\xe9"


def test_a_file_that_is_no_pickle_is_refused() -> None:
    with pytest.raises(DataError, match="cannot be read as arrays"):
        convert("shoulder-watch", npy=b"nothing of the kind")


def test_a_pickle_is_not_read_before_its_sum_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the two is what keeps a stranger's pickle out: sums are checked where members are taken out."""
    dataset = DATASETS["shoulder-watch"]
    assert hashlib.sha256(watch()).hexdigest() not in dataset.members.values()
    from statewise.datasets._wheel import check

    with pytest.raises(DataError, match="SHA-256"):
        check(dict.fromkeys(dataset.members, watch()), dataset.members, where="a wheel", asked="data get shoulder-watch")
