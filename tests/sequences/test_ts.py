"""Is a `.ts` file read as it stands, and is a bad line named?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from statewise.errors import StatewiseError
from statewise.sequences import read

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "#about\n@problemName p\n@univariate false\n@classLabel true no yes\n@data\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "data.ts"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(StatewiseError) as error:
        read(path, **options)
    assert error.value.asked == f"read {path}"
    assert all((error.value.where, error.value.arrived, error.value.hint))
    return str(error.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("series")


@settings(max_examples=40)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), channels=st.integers(1, 4), seed=st.integers(0, 2**16))
def test_what_was_written_is_read(folder: Path, lengths: list[int], channels: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    series = [generator.normal(size=(length, channels)).astype(np.float32) for length in lengths]
    labels = generator.choice(["no", "yes"], size=len(lengths))
    lines = [
        ":".join([*(",".join(map(str, one[:, c])) for c in range(channels)), label]) for one, label in zip(series, labels, strict=True)
    ]
    data = read(written(folder, HEADER + "\n".join(lines)))
    for found, wanted in zip(data.parts["x"], series, strict=True):
        assert torch.equal(found, torch.from_numpy(wanted))
    assert isinstance(data.targets, torch.Tensor)
    assert [(data.class_names or ())[number] for number in data.targets.tolist()] == labels.tolist()
    assert data.keys == tuple(str(number) for number in range(1, len(lengths) + 1))
    assert data.feature_names == tuple(f"channel_{number}" for number in range(1, channels + 1))


def test_blank_lines_comments_and_capitals_in_the_header_do_not_matter(tmp_path: Path) -> None:
    data = read(written(tmp_path, "@CLASSLABEL TRUE b a\n\n@Data\n1,2:a\n\n#x\n3:b\n"))
    assert (data.class_names, data.lengths.tolist()) == (("b", "a"), [2, 1])


def test_without_stated_classes_they_are_those_found(tmp_path: Path) -> None:
    assert read(written(tmp_path, "@data\n1:10\n1:9\n")).class_names == ("9", "10")


def test_a_file_without_labels_has_no_targets(tmp_path: Path) -> None:
    data = read(written(tmp_path, "@classLabel false\n@data\n1,2:3,4\n"))
    assert (data.targets, data.parts["x"].values.tolist()) == (None, [[1.0, 3.0], [2.0, 4.0]])


def test_the_classes_of_the_training_file_can_be_used(tmp_path: Path) -> None:
    data = read(written(tmp_path, HEADER + "1:yes\n"), class_names=["yes", "maybe"])
    assert isinstance(data.targets, torch.Tensor)
    assert (data.targets.tolist(), data.class_names) == ([0], ("yes", "maybe"))


def test_channels_can_be_chosen_and_parted(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "1:2:3:yes\n")
    assert read(path, features=["channel_3", "channel_1"]).parts["x"].values.tolist() == [[3.0, 1.0]]
    data = read(path, features={"a": ["channel_2"], "b": ["channel_1", "channel_3"]})
    assert {name: part.values.tolist() for name, part in data.parts.items()} == {"a": [[2.0]], "b": [[1.0, 3.0]]}
    assert data.feature_names == {"a": ("channel_2",), "b": ("channel_1", "channel_3")}
    assert "features, column 'channel_4': no such channel. Did you mean 'channel_" in refused(path, features=["channel_4"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("@problemName p\n", "no line '@data'. A .ts file has lines '@name value'"),
        (HEADER, "no series after @data. Choose a file with one series a line"),
        ("@targetLabel true\n@data\n1:many\n", "line 3 (series 1), target: 'many', which is no finite number"),
        ("@timeStamps true\n@data\n(0,1):a\n", "header: a time stamp with each value"),
        (HEADER + "1,2:3,4:yes\n1,?:3,4:no\n", "line 7 (series 2), channel_1, value 2: a missing value (?). Fill or drop"),
        (HEADER + "1,2:3,NaN:yes\n", "line 6 (series 1), channel_2, value 2: 'NaN', which is no finite number"),
        (HEADER + "1,2:3,1e39:yes\n", "line 6 (series 1), channel_2, value 2: '1e39', which is no finite number"),
        (HEADER + "1,x:3,4:yes\n", "line 6 (series 1), channel_1, value 2: 'x', which is no finite number"),
        (HEADER + ":3:yes\n", "line 6 (series 1), channel_1, value 1: '', which is no finite number"),
        (HEADER + "yes\n", "line 6 (series 1): no channel before the label. Write channel:channel"),
        (HEADER + "1,2:3:yes\n", "line 6 (series 1), channel_2: 1 values, but channel_1 has 2"),
        (HEADER + "1:2:yes\n1:no\n", "line 7 (series 2): 1 channels, but the first series has 2. Give each series"),
        (HEADER + "1:yess\n", "line 6 (series 1), label: 'yess', which is none of the classes. Did you mean 'yes'?"),
        (HEADER + "1:\n", "line 6 (series 1), label: no label after the last ':'. Put the class"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, text: str, told: str) -> None:
    assert told in refused(written(tmp_path, text))


@pytest.mark.parametrize("option", ["key", "time", "target", "group", "categorical", "static"])
def test_an_option_about_columns_is_refused(tmp_path: Path, option: str) -> None:
    told = refused(written(tmp_path, HEADER + "1:yes\n"), **{option: "a"})
    assert "'data.ts' has no columns. A .ts file has one series a line with its label last: leave the option out" in told
    assert f"{option}=" in told


def test_one_label_a_step_and_several_files_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "1:yes\n")
    assert "task='tag': 'data.ts' has one label a sequence. Write one row a step" in refused(path, task="tag")
    assert "each='step': 'data.ts' has one label a sequence" in refused(path, each="step")
    (tmp_path / "more.ts").write_bytes(path.read_bytes())
    assert "2 files of .ts. Read several files of one format, such as '*.csv'; of .ts and .npz one file" in refused(tmp_path / "*.ts")
