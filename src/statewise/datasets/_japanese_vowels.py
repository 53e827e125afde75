"""What is `japanese-vowels`, and how does it become a table? 640 utterances of nine speakers; it comes with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.datasets._record import DataSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from statewise.datasets._record import Contents

_CHANNELS = tuple(f"channel_{number}" for number in range(1, 13))


def convert(contents: Contents) -> pl.DataFrame:
    """Return one row a step, the training part first; `split` is the official one."""
    import polars as pl

    texts = {"test" if "TEST" in path else "train": content.decode() for path, content in contents.items()}
    frames = []
    for split in ("train", "test"):
        for number, (channels, label) in enumerate(_series(texts[split]), start=1):
            steps = {"step": range(len(channels[0])), **dict(zip(_CHANNELS, channels, strict=True))}
            frames.append(
                pl.DataFrame(steps).select(pl.lit(f"{split}-{number}").alias("key"), "*", target=pl.lit(label), split=pl.lit(split))
            )
    return pl.concat(frames).with_columns(pl.col(_CHANNELS).cast(pl.Float32))


def _series(text: str) -> Iterator[tuple[list[list[float]], str]]:
    """Yield the channels and the label of each series after the header."""
    lines = iter(text.splitlines())
    while not next(lines).casefold().startswith("@data"):
        pass
    for line in filter(str.strip, lines):
        *channels, label = line.split(":")
        yield [[float(value) for value in channel.split(",")] for channel in channels], label.strip()


JAPANESE_VOWELS = DataSet(
    name="japanese-vowels",
    says="640 utterances of two vowels by nine speakers: who speaks?",
    wheel="aeon",
    version="1.6.0",
    size=6_421_000,
    members={
        "aeon/datasets/data/JapaneseVowels/JapaneseVowels_TEST.ts": "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
        "aeon/datasets/data/JapaneseVowels/JapaneseVowels_TRAIN.ts": "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    },
    licence="CC BY 4.0",
    citation=(
        "M. Kudo, J. Toyama and M. Shimbo (1999). Multidimensional curve classification using passing-through regions. "
        "Pattern Recognition Letters 20 (11-13), 1103-1111."
    ),
    source="UCI Machine Learning Repository, https://doi.org/10.24432/C5NS47",
    convert=convert,
    reading={"key": "key", "time": "step", "target": "target", "features": _CHANNELS},
    notes=("'split' is the official one: 270 utterances train, 370 test; without --data, 'make run' keeps to it",),
    vendored="japanese_vowels",
)
