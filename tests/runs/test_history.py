"""Is a history read back as it was written, and a stranger's csv as what it says?"""

from __future__ import annotations

from pathlib import Path

import pytest

from statewise.errors import DataError
from statewise.runs import Ended, Epoch, History, Lags, Started, Update, encode_records, read_history

RECORDS = (
    Started(model="Model", task="classify", num_parameters=7, num_epochs=2, num_train=3, num_valid=1, steps_per_epoch=20),
    Update(update=1, epoch=1, loss=None, gradient_norm=2.0, norms={"head": None}, clipped=True, learning_rate=0.1, steps=20),
    Epoch(epoch=1, train_loss=0.5, valid_accuracy=0.25, best=True),
    Lags(epoch=1, lags=(0, 1, 7), norms=(1.0, 0.5, None), counts=(3, 3, 1), factor=0.5, num_cut=1, cut_after=4, cut="detached"),
    Epoch(epoch=1, train_loss=0.4, phase="refit"),
    Lags(epoch=1, lags=(), norms=(), counts=(), both_ways=True, phase="refit"),
    Ended(reason="early_stop", best_epoch=1, seconds=2.0),
)


def test_records_come_back_as_they_went(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(encode_records(RECORDS))
    assert read_history(path).records == RECORDS


def test_a_line_that_a_killed_process_left_half_written_is_not_a_record(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(encode_records(RECORDS)[:-9])
    assert read_history(path).records == RECORDS[:-1]


def test_a_history_from_before_gradients_by_lag_were_measured_is_read(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"record":"epoch","epoch":1,"train_loss":0.5}\n{"record":"ended","reason":"finished","best_epoch":1,"seconds":1}\n')
    history = read_history(path)
    assert len(history.epochs()) == 1
    assert history.lags() == []


def test_phases_are_kept_apart() -> None:
    history = History(records=RECORDS)
    assert [epoch.train_loss for epoch in history.epochs()] == [0.5]
    assert [epoch.train_loss for epoch in history.epochs("refit")] == [0.4]
    assert len(history.updates()) == 1
    assert [found.num_sequences for found in history.lags()] == [3]
    assert [found.num_sequences for found in history.lags("refit")] == [0]
    assert history.ended() == RECORDS[-1]
    assert history.ended("refit") is None


def test_a_csv_of_any_training_is_a_history(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text("epoch, loss ,accuracy,val_loss\n1,1.2,0.35,1.3\n2,nan,,\n")
    first, second = read_history(path).epochs()
    assert (first.epoch, first.train_loss, first.train_accuracy, first.valid_loss) == (1, 1.2, 0.35, 1.3)
    assert (second.epoch, second.train_loss, second.train_accuracy, second.valid_loss) == (2, None, None, None)


@pytest.mark.parametrize(
    ("content", "where", "arrived"),
    [
        ("lss,accuracy\n1,2\n", "h.csv'", "'lss'"),
        ("loss,accuracy\n", "h.csv'", "no rows"),
        ("loss\n1\nlow\n", "line 3, column 'loss'", "'low'"),
    ],
)
def test_a_csv_that_is_no_history_is_refused_by_place(tmp_path: Path, content: str, where: str, arrived: str) -> None:
    path = tmp_path / "h.csv"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_history(path)
    assert caught.value.where.endswith(where)
    assert arrived in caught.value.arrived


def test_a_csv_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_bytes(b"loss,accuracy\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="no UTF-8 text"):
        read_history(path)


def test_a_missing_file_and_a_damaged_line_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_history(tmp_path / "none.csv")
    path = tmp_path / "history.jsonl"
    path.write_bytes(encode_records(RECORDS[:1]) + b'{"record": "epoch"}\n')
    with pytest.raises(DataError, match="line 2"):
        read_history(path)
