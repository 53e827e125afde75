"""Does a model of characters need fewer bits than its peers, on the same characters? As predictions with a column for each peer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from statewise.evaluation import Evaluation, evaluate, read_predictions
from statewise.runs import RunFiles
from stories.compression import BLOCK, ngram_bits, xz_bits

if TYPE_CHECKING:
    from pathlib import Path


def compare(run: Path, shuffled: Path, plays: Path) -> tuple[Evaluation, list[str]]:
    """Return the evaluation of a run against its peers, and what it says, a line each.

    The peers stand in columns `baseline_<name>` of `compared.parquet` in the run's folder: the twin that was trained on shuffled windows
    (where it was), the adaptive n-gram and xz. Blocks of the held-out plays are the sequences, and with them the independent units.

    Args:
        run: the folder of the run.
        shuffled: that of its twin, which need not exist.
        plays: the folder with the texts that it was trained and tested on, in `train`, `valid` and `test`.
    """
    texts = {part: {file.stem: file.read_bytes().decode() for file in sorted((plays / part).glob("*.txt"))} for part in PARTS}
    train, valid, test = ([*texts[part].values()] for part in PARTS)
    ngram = ngram_bits(train, valid, test)
    rows = pl.read_parquet(RunFiles(run).predictions).drop("baseline_unigram")
    names = {"ngram": ngram.bits, "xz": xz_bits([*train, *valid], test)}
    peers = pl.concat(_rows(key, place, names) for place, key in enumerate(texts["test"]))
    rows = rows.join(peers, on=["key", "step"], how="left", validate="1:1", maintain_order="left")
    if RunFiles(shuffled).predictions.is_file():
        twin = pl.read_parquet(RunFiles(shuffled).predictions).select("key", "step", baseline_shuffled="nll")
        rows = rows.join(twin, on=["key", "step"], how="left", validate="1:1", maintain_order="left")
    block = ((pl.col("step") + 1) // BLOCK + 1).cast(pl.String)
    file = run / "compared.parquet"
    rows.with_columns(key=pl.col("key") + ", block " + block).write_parquet(file)
    evaluation = evaluate(read_predictions(file, task="next"))
    return evaluation, _lines(evaluation, ngram.order, len(test))


PARTS = ("train", "valid", "test")


def _rows(key: str, place: int, names: dict[str, list[np.ndarray]]) -> pl.DataFrame:
    """Return the nll of each character of one play but the first, at the step that it is predicted at: the one before."""
    columns = {f"baseline_{name}": bits[place][1:] * math.log(2) for name, bits in names.items()}
    return pl.DataFrame({"key": key, "step": np.arange(len(next(iter(columns.values())))), **columns})


def _lines(evaluation: Evaluation, order: int, num_texts: int) -> list[str]:
    told = {"ngram": f"adaptive {order + 1}-gram, its order chosen on validation", "xz": "xz", "shuffled": "shuffled windows"}
    where = f"{evaluation.num_scored:,} of {num_texts} texts, in {evaluation.num_sequences} blocks"
    lines = [f"    bits a held-out character ({where}): model {evaluation.metrics['bits']}"]
    for name, score in evaluation.baselines.items():
        lines.append(f"    {told[name]}: {score.figures['bits']:.3f} bits, of which the model saves {score.skill}")
    return lines
