"""Does each layout of arrays become the sequences that it holds, and is no array trusted that need not be?"""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from statewise.sequences import read
from tests.sequences.reading import numbers, refused, refused_data

PADDED = np.arange(24.0).reshape(2, 4, 3)
"""Two sequences of which the first has 4 steps and the second 2."""
FLAT = np.concatenate([PADDED[0], PADDED[1, :2]])


@pytest.mark.parametrize(
    "arrays",
    [
        {"values": FLAT, "lengths": np.array([4, 2])},
        {"x": PADDED, "lengths": np.array([4, 2])},
        {"x": FLAT, "lengths": np.array([4, 2], dtype=np.uint8)},
        {"values": torch.from_numpy(FLAT), "lengths": torch.tensor([4, 2])},
        {"anything": PADDED, "lengths": np.array([4, 2])},
    ],
)
def test_each_layout_of_arrays_gives_the_same_sequences(tmp_path: Path, arrays: dict[str, Any]) -> None:
    plain: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(tmp_path / "a.npz", **plain)
    for data in [read(tmp_path / "a.npz"), *([read(arrays)] if "anything" not in arrays else [])]:
        assert [part.tolist() for part in data.parts["x"]] == [PADDED[0].tolist(), PADDED[1, :2].tolist()]
        assert (data.keys, data.feature_names, data.targets) == (("1", "2"), ("feature_1", "feature_2", "feature_3"), None)


def test_arrays_without_lengths_are_one_stream_or_sequences_of_one_length() -> None:
    assert read({"values": FLAT}).lengths.tolist() == [6]
    assert read({"x": PADDED}).lengths.tolist() == [4, 4]
    assert read({"x": np.ones((3, 5)), "lengths": [5, 0, 1]}).lengths.tolist() == [5, 0, 1]
    assert read({"values": np.ones(3), "lengths": [3]}).parts["x"].values.shape == (3, 1)
    empty = read({"values": np.ones((0, 2)), "lengths": [0, 0]})
    assert (len(empty), empty.num_steps) == (2, 0)


def test_arrays_say_what_belongs_to_sequences_and_steps(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "values": FLAT,
        "lengths": np.array([4, 2]),
        "targets": np.array([1, 0]),
        "class_names": np.array(["no", "yes"]),
        "keys": np.array([b"p", b"q"]),
        "groups": np.array([7, 7]),
        "times": np.array([0.0, 2, 1, 3, 5, 6]),
        "weights": np.array([1.0, 0.0], dtype=np.float16),
        "static": np.array([[30.0], [40.0]]),
        "static_names": np.array(["age"]),
        "feature_names": np.array(["u", "v", "w"]),
    }
    np.savez(tmp_path / "all.npz", **arrays)
    data = read(tmp_path / "all.npz")
    assert (data.keys, data.groups, data.class_names, numbers(data.targets)) == (("p", "q"), ("7", "7"), ("no", "yes"), [1, 0])
    assert (numbers(data.weights), numbers(data.static), data.static_names) == ([1.0, 0.0], [[30.0], [40.0]], ["age"])
    assert data.feature_names == ("u", "v", "w")
    assert data.parts["x"][0][:, 0].tolist() == [0.0, 6.0, 3.0, 9.0]
    assert numbers(data.times) == [0, 1, 2, 3, 5, 6]
    forecast = read(tmp_path / "all.npz", target="w", task="forecast", known=["u"])
    assert (numbers(forecast.targets), forecast.feature_names, forecast.known) == (
        [2.0, 8.0, 5.0, 11.0, 14.0, 17.0],
        ("u", "v", "w"),
        ("u",),
    )
    per_step = read({**arrays, "targets": np.array([0, 1, 0, 1, 0, 1]), "weights": np.ones(6)})
    assert (per_step.each, numbers(per_step.targets)) == ("step", [0, 0, 1, 1, 0, 1])
    padded = read({"x": PADDED, "lengths": [4, 2], "y": np.arange(8).reshape(2, 4), "task": np.ones(2)}, task="tag")
    assert numbers(padded.targets) == [0, 1, 2, 3, 4, 5]


def test_two_axes_of_targets_are_several_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=PADDED, targets=np.eye(2, dtype=np.int64), class_names=np.array(["p", "q"]))
    data = read(tmp_path / "a.npz")
    assert (data.task, data.each, data.class_names, numbers(data.targets)) == (
        "multilabel",
        "sequence",
        ("p", "q"),
        [[True, False], [False, True]],
    )
    assert read({"x": PADDED, "targets": np.eye(2)}).class_names == ("label_1", "label_2")


@pytest.mark.parametrize("task", ["regress", "classify", "forecast", "tag"])
@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        (
            {"x": PADDED, "targets": np.eye(2)},
            "a shape of (2, 2) for 2 sequences of 4 steps. Give one number a sequence, [2], or one a step, [2, 4].",
        ),
        ({"x": PADDED, "lengths": [4, 1], "targets": np.ones((2, 3))}, "a shape of (2, 3) for 2 sequences of 4 steps."),
        ({"values": FLAT, "lengths": [4, 2], "targets": np.ones((6, 3))}, "a shape of (6, 3) for 2 sequences, 6 steps in all."),
    ],
)
def test_several_columns_of_targets_are_refused_where_the_task_has_one(arrays: dict[str, Any], told: str, task: str) -> None:
    message = refused_data(arrays, task=task)
    assert f"array 'targets': {arrays['targets'].shape[1]} columns for the task '{task}': {told}" in message
    assert "Several columns of 0 and 1 are the task 'multilabel'" in message
    labels = read({**arrays, "targets": arrays["targets"] > 2}, task="multilabel")
    assert numbers(labels.targets) == np.zeros(arrays["targets"].shape).tolist()
    measured = refused_data({**arrays, "targets": arrays["targets"] / 3})
    assert f"columns that are no labels of 0 and 1: {told}" in measured


@pytest.mark.parametrize("lengths", [[4, 2], [4, 4]])
def test_two_axes_of_which_the_second_is_time_are_one_target_a_step(lengths: list[int]) -> None:
    y = np.array([[0, 1, 1, 0], [1, 1, 0, 0]])
    for name in ("y", "targets"):
        data = read({"x": PADDED, "lengths": lengths, name: y})
        assert (data.task, data.each, data.class_names) == ("tag", "step", ("0", "1"))
        assert numbers(data.targets) == [*y[0].tolist(), *y[1, : lengths[1]].tolist()]
        told = refused_data({"x": PADDED, "lengths": lengths, name: y / 4})
        assert f"target, column '{name}', sequence 1, step 2: the number 0.25, which has a fraction" in told
        assert "say task='regress'" in told


def test_targets_are_told_by_the_name_of_their_array() -> None:
    assert "array 'y': a shape of (3,) for 2 sequences" in refused_data({"x": PADDED, "y": np.ones(3)})
    assert "array 'y': 3 columns for the task 'regress'" in refused_data({"x": PADDED, "y": np.ones((2, 3))}, task="regress")
    assert "array 'y': class numbers from 0 to 2" in refused_data({"x": PADDED, "y": np.array([0, 2]), "class_names": np.array(["a", "b"])})
    for target in ("y", "targets", None):
        assert numbers(read({"x": PADDED, "y": np.array([1.5, 2])}, target=target, task="regress").targets) == [1.5, 2.0]
    clash = {"x": PADDED, "y": np.array([1.5, 2]), "feature_names": np.array(["x", "y", "z"])}
    assert numbers(read(clash, task="regress").targets) == [1.5, 2.0]


def test_the_values_of_an_array_can_be_tokens() -> None:
    data = read({"values": np.array([3, 1, 3]), "lengths": [2, 1]}, task="next")
    assert (data.class_names, list(data.parts), numbers(data.targets)) == (("1", "3", "<unknown>"), ["feature_1"], [1, 0, 1])


BAD_ARRAYS: list[tuple[dict[str, Any], str]] = [
    ({"values": np.array([None, {}])}, "array 'values': values of type object. Save numbers, dates or text"),
    ({"values": np.ones((2, 1), dtype=complex)}, "values of type complex128"),
    ({"values": np.array(["a", "b"])}, "array 'values': <U1 of shape (2,). Save values [steps, feature]"),
    ({"values": np.ones((2, 1)), "keys": np.array([b"\xff", b"a"])}, "array 'keys': text that is not UTF-8"),
    ({"other": np.ones(2), "more": np.ones((2, 2, 1)), "again": np.ones((2, 2))}, "no 'values' and no 'x' among them: other, more, again"),
    ({"x": np.ones((1, 1, 1, 1))}, "array 'x': float64 of shape (1, 1, 1, 1)"),
    ({"values": np.ones((3, 1)), "lengths": np.array([2, 2])}, "lengths that add up to 4 steps, but 'values' has shape (3, 1)"),
    ({"values": np.ones((3, 1)), "lengths": np.array([4, -1])}, "array 'lengths': int64 of shape (2,). Give one whole number a sequence"),
    ({"values": np.ones((3, 1)), "lengths": np.array([1.5, 1.5])}, "array 'lengths': float64 of shape (2,)"),
    ({"x": PADDED, "lengths": np.array([5, 1])}, "2 of them, the longest 5, for 'x' of shape (2, 4, 3)"),
    ({"x": PADDED, "lengths": np.array([1])}, "1 of them, the longest 1, for 'x' of shape (2, 4, 3)"),
    ({"x": PADDED, "targets": np.ones(3)}, "array 'targets': a shape of (3,) for 2 sequences of 8 steps. Give one entry a sequence"),
    ({"x": PADDED, "targets": np.array([0, 2]), "class_names": np.array(["a", "b"])}, "class numbers from 0 to 2 for 2 class names"),
    ({"x": PADDED, "feature_names": np.array(["a", "a", "b"])}, "array 'feature_names': 3 names, 2 different, for 3 columns"),
    ({"x": PADDED, "feature_names": np.array(["keys", "a", "b"]), "keys": np.array(["p", "q"])}, "a feature is called 'keys' too"),
    ({"x": PADDED, "keys": np.array(["p", "p"])}, "key, column 'keys', sequence 2: the key 'p' a second time"),
]


@pytest.mark.parametrize(("arrays", "told"), BAD_ARRAYS)
def test_arrays_that_cannot_be_read_are_refused_by_name(tmp_path: Path, arrays: dict[str, Any], told: str) -> None:
    if arrays.get("values", np.ones(1)).dtype != object:
        np.savez(tmp_path / "a.npz", **arrays)
        message = refused(tmp_path / "a.npz")
        assert told in message
    else:
        assert told in refused_data({**arrays, "lengths": [2]})


def test_an_npz_file_of_objects_or_one_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, values=np.array([{}, 1], dtype=object), allow_pickle=True)
    assert "array 'values': Python objects. Save numbers and text only" in refused(path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 8)})
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("values.npy", header.getvalue())
    assert "a header of shape (1000000000000, 8) for 128 bytes" in refused(path)
    path.write_bytes(b"")
    assert "it is empty" in refused(path)
    path.write_bytes(b"PK nothing of the kind")
    assert "no whole .npz file (File is not a zip file). Write it with numpy.savez" in refused(path)


def test_a_small_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewise.sequences._compressed.LARGE", 10_000)
    text = "key,amount\n" + "a,1\n" * 10_000
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert "bytes that unpack to more than" in refused(tmp_path / "a.csv.gz", key="key")
    np.savez_compressed(tmp_path / "a.npz", values=np.zeros((100_000, 1)))
    assert "bytes that unpack to more than" in refused(tmp_path / "a.npz")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(text.encode())[:-9])
    assert "no whole .gz file (" in refused(tmp_path / "cut.csv.gz", key="key")
