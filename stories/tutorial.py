"""Does the LSTM of the most copied forecasting tutorial beat "as an hour ago"? `python -m stories.tutorial` runs its protocol, and judges.

The protocol, as it is told: fine dust of Beijing, missing values as 0, the first day left out; the first year trains, the others are the
test. The model reads the eight columns of one hour, each scaled by its range over ALL years, and says the dust of the next: an LSTM with 50
units, absolute error, Adam, batches of 72 hours, 50 epochs. The tutorial tells an RMSE of 26.496; "as an hour ago" has 26.559 under it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from torch.nn import functional

import statewise as sw
from statewise.datasets import get

if TYPE_CHECKING:
    from statewise.evaluation import Evaluation

TOLD = 26.496
"""The RMSE that the tutorial reports."""
HOURS_OF_A_DAY, HOURS_OF_TRAINING = 24, 365 * 24


def hours(table: pl.DataFrame) -> np.ndarray:
    """Return the eight columns of each hour as the protocol reads them: dust first, missing as 0, the wind's direction as a number."""
    plain = [name for name in table.columns if name not in ("key", "time", "wind_direction")]
    directions = {name: float(number) for number, name in enumerate(sorted(table["wind_direction"].unique().to_list()))}
    read = table.select(*(pl.col(name).fill_null(0.0) for name in plain), pl.col("wind_direction").replace_strict(directions))
    return read.to_numpy()[HOURS_OF_A_DAY:].astype(np.float64)


def as_sequences(read: np.ndarray, first: int, last: int) -> sw.Sequences:
    """Return a sequence of one hour for each hour, with the dust of the next: inputs and target scaled by their range over all hours."""
    low, high = read.min(axis=0), read.max(axis=0)
    scaled = torch.tensor((read - low) / (high - low), dtype=torch.float32)
    inputs = sw.Ragged(scaled[first : last - 1], torch.ones(last - 1 - first, dtype=torch.int64))
    return sw.Sequences(inputs=inputs, targets=scaled[first + 1 : last, 0], task="regress", source="beijing-pm25, as in the tutorial")


def told(read: np.ndarray, *, cut: int, epochs: int, seed: int) -> Evaluation:
    """Train on the hours before the cut and return how good the answers after it are, in micrograms, beside "as an hour ago"."""
    train, test = as_sequences(read, 0, cut), as_sequences(read, cut, len(read))
    model = sw.build("lstm", data=train, hidden_size=50, seed=seed)
    run = sw.fit(model, train, epochs=epochs, batch_steps=72, lr=1e-3, loss=functional.l1_loss, seed=seed, schedule="constant")
    span = np.ptp(read[:, 0])
    answers = sw.predict(run, test).predicted * span
    # One stream of hours: the rows say so, and blocks of hours are the independent units. Each hour as a unit of its own would lie.
    columns = {"key": np.full(len(answers), "beijing"), "step": np.arange(len(answers)), "prediction": answers}
    known = {"target": read[cut + 1 :, 0], "baseline_persistence": read[cut:-1, 0]}
    return sw.evaluate(sw.Predictions.from_columns(columns | known, task="regress", source="the tutorial's test years"))


def main(arguments: list[str] | None = None) -> int:
    """Print what comes out, and the verdict."""
    parser = argparse.ArgumentParser(prog="python -m stories.tutorial", description=__doc__)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the evaluation as JSON")
    given = parser.parse_args(arguments)
    evaluation = told(hours(pl.read_parquet(get("beijing-pm25"))), cut=HOURS_OF_TRAINING, epochs=given.epochs, seed=given.seed)
    print(evaluation)
    print(sw.judge(evaluation=evaluation))
    rmse = evaluation.metrics["rmse"].value
    print(f"RMSE {rmse:.3f}, {100 * (rmse / TOLD - 1):+.1f} % from the {TOLD} of the tutorial")
    return 0


if __name__ == "__main__":
    sys.exit(main())
