"""Does the data summary say what is in the data, in 80 columns?"""

from __future__ import annotations

import io
import re

import torch
from rich.console import Console

from statewise.datasets import japanese_vowels
from statewise.sequences import DataSummary, Ragged, Sequences, describe, read


def shown(summary: DataSummary) -> str:
    """Return what the terminal shows."""
    file = io.StringIO()
    Console(file=file, width=80).print(summary)
    return file.getvalue()


def test_the_figures_can_be_read_back_from_what_is_shown() -> None:
    data = read(japanese_vowels()[1])
    summary = describe(data)
    text = shown(summary)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    flat = re.sub(r"\s+", " ", text)
    assert "sequences 370" in flat
    assert "steps 5,687 (7 to 29 a sequence, median 15)" in flat
    assert "features 12: channel_1, channel_2" in flat
    counts = dict(re.findall(r"(\d): (\d+)", flat.split("one a sequence; ")[1]))
    assert isinstance(data.targets, torch.Tensor)
    assert counts == {name: str(int((data.targets == number).sum())) for number, name in enumerate(data.class_names or ())}
    assert re.sub(r"\s+", " ", str(summary)).strip() == flat.replace("TRAI N", "TRAIN").strip() or "JapaneseVowels_TEST" in str(summary)


def test_everything_that_a_set_can_have_is_shown() -> None:
    lengths = torch.tensor([2, 0, 4])
    data = Sequences(
        inputs={"x": Ragged(torch.zeros(6, 2), lengths), "kind": Ragged(torch.zeros(6, dtype=torch.int64), lengths)},
        targets=["no", "yes", "no"],
        groups=["g", "g", "h"],
        static=torch.zeros(3, 1),
        categories={"kind": ("m", "[n]")},
        notes=("3 blank lines were skipped",),
    )
    assert str(describe(data)).splitlines() == [
        "data           data in memory",
        "sequences      3",
        "steps          6 (0 to 4 a sequence, median 2)",
        "features       2: 1, 2",
        "category kind  2: m, [n]",
        "of a sequence  1: 1",
        "groups         2",
        "classes        2, one a sequence; no: 2 (66.7%), yes: 1 (33.3%)",
        "note           3 blank lines were skipped",
    ]
    assert "[n]" in shown(describe(data))


def test_no_targets_no_sequences_and_many_names_are_told() -> None:
    empty = Sequences(inputs=Ragged(torch.zeros(0, 20), torch.zeros(0, dtype=torch.int64)))
    text = str(describe(empty))
    assert "steps" not in text
    assert "no targets" in text
    assert "20: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ..." in text
    bare = Sequences(inputs={"kind": Ragged(torch.zeros(2, dtype=torch.int64), torch.tensor([2]))}, categories={"kind": ()}, targets=[5])
    assert "category kind  none" in str(describe(bare))
    many = Sequences(inputs=Ragged(torch.zeros(21, 1), torch.ones(21, dtype=torch.int64)), targets=[*range(20), 0])
    assert "0: 2, 1: 1, 2: 1" in str(describe(many))
    assert str(describe(many)).endswith("11: 1, ...")


def test_of_many_classes_the_most_frequent_are_told_and_blanks_are_seen() -> None:
    letters = "aaa\n\n  bcdefghijklmn"
    data = Sequences(inputs=Ragged(torch.zeros(len(letters), 1), torch.tensor([len(letters)])), targets=list(letters), each="step")
    shown = str(describe(data))
    assert "16, one a step; most often a: 3, '\\n': 2, ' ': 2, " in shown
    assert shown.count("\n") == len(describe(data).lines()) - 1, "no name breaks the line"
