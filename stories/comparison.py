"""Does a model of characters need fewer bits than its peers, on the same characters? As predictions with a column for each peer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from statewise.evaluation import Evaluation, evaluate, read_predictions
from statewise.runs import RunFiles
from stories.adaptive import read_and_learn
from stories.compression import BLOCK, ngram_bits, xz_bits

if TYPE_CHECKING:
    from pathlib import Path

PARTS = ("train", "valid", "test")


def compare(run: Path, shuffled: Path, plays: Path) -> tuple[dict[str, Evaluation], list[str]]:
    """Return the evaluations of a run against its peers, as trained and going on learning, and what they say, a line each.

    The peers stand in columns `baseline_<name>` of `as-trained.parquet` and `learning.parquet` in the run's folder: the twin that was
    trained on shuffled windows (where it was), the adaptive n-gram and xz. Blocks of the held-out plays are the sequences, and with
    them the independent units.

    Args:
        run: the folder of the run.
        shuffled: that of its twin, which need not exist.
        plays: the folder with the texts that it was trained and tested on, in `train`, `valid` and `test`.
    """
    texts = {part: {file.stem: file.read_bytes().decode() for file in sorted((plays / part).glob("*.txt"))} for part in PARTS}
    train, valid, test = ([*texts[part].values()] for part in PARTS)
    ngram = ngram_bits(train, valid, test)
    names = {"ngram": ngram.bits, "xz": xz_bits([*train, *valid], test)}
    peers = pl.concat(_rows(key, place, names) for place, key in enumerate(texts["test"]))
    rows = _joined(pl.read_parquet(RunFiles(run).predictions).drop("baseline_unigram"), peers)
    if RunFiles(shuffled).predictions.is_file():
        rows = _joined(rows, pl.read_parquet(RunFiles(shuffled).predictions).select("key", "step", baseline_shuffled="nll"))
    learning = read_and_learn(run, plays / "test" / "*.txt")
    later = _joined(rows.drop("nll", "baseline_shuffled", strict=False).with_columns(baseline_static=rows["nll"]), learning)
    files = {"as-trained": rows, "learning": later}
    block = ((pl.col("step") + 1) // BLOCK + 1).cast(pl.String)
    found, lines = {}, []
    for name, table in files.items():
        file = run / f"{name}.parquet"
        table.with_columns(key=pl.col("key") + ", block " + block).write_parquet(file)
        found[name] = evaluate(read_predictions(file, task="next"))
        lines += _lines(found[name], name, ngram.order, len(test))
    return found, lines


def _joined(rows: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """Return rows with further columns of the same key and step, which each of them must have."""
    return rows.join(more, on=["key", "step"], how="inner", validate="1:1", maintain_order="left")


def _rows(key: str, place: int, names: dict[str, list[np.ndarray]]) -> pl.DataFrame:
    """Return the nll of each character of one play but the first, at the step that it is predicted at: the one before."""
    columns = {f"baseline_{name}": bits[place][1:] * math.log(2) for name, bits in names.items()}
    return pl.DataFrame({"key": key, "step": np.arange(len(next(iter(columns.values())))), **columns})


def _lines(evaluation: Evaluation, name: str, order: int, num_texts: int) -> list[str]:
    told = {"ngram": f"adaptive {order + 1}-gram, its order chosen on validation", "xz": "xz", "shuffled": "shuffled windows"}
    told |= {"static": "the model as trained"}
    how = {"as-trained": "the model as trained", "learning": "going on learning while it reads"}[name]
    where = f"{evaluation.num_scored:,} of {num_texts} texts, in {evaluation.num_sequences} blocks"
    lines = [f"    bits a held-out character ({where}), {how}: {evaluation.metrics['bits']}"]
    for peer, score in evaluation.baselines.items():
        lines.append(f"        {told[peer]}: {score.figures['bits']:.3f} bits, of which it saves {score.skill}")
    return lines
