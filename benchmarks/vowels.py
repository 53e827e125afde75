"""How accurate is the recipe of `make run` on japanese-vowels: on the official split over seeds, or inside its training part?

Recipes are chosen by `--folds`, which never sees the test part; docs/recipes.md lists each that was ever scored on it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch

from statewise.cli import main as statewise
from statewise.datasets import japanese_vowels
from statewise.evaluation import accuracy_over_units
from statewise.sequences import Sequences, folds, read

# Accuracy on the official split as published, by kind of model. Many of these chose an epoch on the test part.
PUBLISHED = (("BiLSTM", "0.954"), ("1-D CNN", "0.957"), ("kernels", "0.986"), ("transformers", "0.978-0.992"))


def score(train: Path, test: Path, words: list[str], seed: int, folder: Path) -> np.ndarray:
    """Run the command line as a user does and return whether each test sequence was answered rightly."""
    out = folder / f"seed-{seed}"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = statewise(["fit", *words, "--train", str(train), "--test", str(test), "--seed", str(seed), "--out", str(out)])
    if code != 0:
        raise SystemExit(printed.getvalue())
    rows = pl.read_parquet(out / "predictions.parquet").sort(pl.col("key").cast(pl.Int64))
    return np.asarray((rows["target"] == rows["prediction"]).to_numpy())


def write_ts(data: Sequences, path: Path) -> None:
    """Write sequences of one input as a .ts file, so that a fold goes through the same command."""
    names = data.class_names or ()
    lines = [f"@classLabel true {' '.join(names)}", "@data"]
    assert isinstance(data.targets, torch.Tensor)
    for steps, target in zip(data.parts["x"].to_list(), data.targets.tolist(), strict=True):
        lines.append(":".join([*(",".join(f"{value:.6f}" for value in channel) for channel in steps.T.tolist()), names[target]]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def official(words: list[str], seeds: list[int]) -> None:
    """Score the recipe on the official test part, once a seed, and print the published rows beside it."""
    train, test = japanese_vowels()
    right = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            begun = time.perf_counter()
            right.append(score(train, test, words, seed, Path(folder)))
            one = accuracy_over_units(right[-1], np.arange(len(right[-1])))
            print(f"seed {seed}: {one}   {time.perf_counter() - begun:.0f} s", flush=True)
    values = [float(each.mean()) for each in right]
    print(f"mean over seeds {', '.join(map(str, seeds))}: {np.mean(values):.4f} (smallest {min(values):.4f}, largest {max(values):.4f})")
    for name, accuracy in PUBLISHED:
        print(f"published: {name:<13} {accuracy}")


def crossed(words: list[str], seeds: list[int]) -> None:
    """Cross-validate the recipe inside the training part: 5 folds, each class in each fold alike."""
    data = read(japanese_vowels()[0])
    for seed in seeds:
        right = []
        with tempfile.TemporaryDirectory() as name:
            for number, (train, test) in enumerate(folds(data, by="sequence", n=5, seed=seed)):
                folder = Path(name) / str(number)
                folder.mkdir()
                write_ts(train, folder / "train.ts")
                write_ts(test, folder / "test.ts")
                right.append(score(folder / "train.ts", folder / "test.ts", words, seed, folder))
        joined = np.concatenate(right)
        print(f"5 folds, seed {seed}: {accuracy_over_units(joined, np.arange(len(joined)))}", flush=True)


def main() -> None:
    """Read the command line: --folds or not, --seeds, and behind -- the words of `statewise fit`."""
    own, words = (sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]) if "--" in sys.argv else (sys.argv[1:], [])
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vowels", description=__doc__)
    parser.add_argument("--folds", action="store_true", help="cross-validate inside the training part instead")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args(own)
    (crossed if given.folds else official)(words, given.seeds)


if __name__ == "__main__":
    main()
