"""Is the vendored data set the one that it says it is?"""

from __future__ import annotations

import hashlib

import pytest

from statewise.datasets import japanese_vowels
from statewise.sequences import class_counts, read

SUMS = {
    "JapaneseVowels_TRAIN.ts": "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    "JapaneseVowels_TEST.ts": "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
}


def test_the_files_are_the_published_ones() -> None:
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in japanese_vowels()} == SUMS


@pytest.mark.parametrize(("which", "num_sequences", "span"), [(0, 270, (7, 26)), (1, 370, (7, 29))])
def test_the_sizes_are_the_published_ones(which: int, num_sequences: int, span: tuple[int, int]) -> None:
    data = read(japanese_vowels()[which])
    assert len(data) == num_sequences
    assert data.parts["x"].values.shape[1] == 12
    assert (int(data.lengths.min()), int(data.lengths.max())) == span
    assert data.class_names == tuple("123456789")
    counts = class_counts(data)
    assert min(counts.values()) >= 24
    assert set(counts.values()) == {30} if which == 0 else max(counts.values()) == 88


def test_the_source_is_named_beside_the_files() -> None:
    text = (japanese_vowels()[0].parent / "ATTRIBUTION.txt").read_text(encoding="utf-8")
    assert all(word in text for word in ("Kudo", "Toyama", "Shimbo", "1999", "UCI", "CC BY 4.0", *SUMS, *SUMS.values()))
