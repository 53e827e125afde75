"""How many bits does a model of characters need that goes on learning while it reads, as an n-gram and xz do?

It reads the held-out texts one after another, in windows; each is predicted, and only then learnt from, with the state carried
(dynamic evaluation: Mikolov and others 2010; Krause and others 2018). The weights of the run stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import torch

from statewise.runs import Update, load
from statewise.sequences import read, windows
from statewise.training import fit

if TYPE_CHECKING:
    from pathlib import Path

WINDOW = 64
RATE = 4e-4
"""Chosen on the fourth act of the validation play, of 2e-4, 4e-4 and 1e-3."""


def read_and_learn(run: Path, texts: Path, *, window: int = WINDOW, lr: float = RATE) -> pl.DataFrame:
    """Return the nll (nats) of each character but the first of each text: `key`, `step`, `nll`, that of a window spread evenly.

    Args:
        run: the folder of the run, whose weights are the first ones.
        texts: a pattern of the texts.
        window: characters that are predicted before they are learnt.
        lr: the constant rate of AdamW.
    """
    loaded = load(run)
    loaded.adapted()
    assert loaded.model is not None, "a run of ours makes its own module"
    data = read(texts, task="next", class_names=loaded.config.class_names)
    losses: list[float] = []

    def keep(record: object) -> None:
        if isinstance(record, Update):
            assert record.loss is not None, "each window of a text has characters to predict"
            losses.append(record.loss)

    fit(loaded.model, data, epochs=1, window=window, lanes=1, lr=lr, weight_decay=0.0, schedule="constant", callbacks=[keep])
    first = torch.nn.functional.pad(data.lengths.cumsum(0), (1, 0))
    parts = []
    for each, loss in zip(windows(data, lanes=1, window=window, seed=0, epoch=1), losses, strict=True):
        row = each.row[each.scored]
        keys = [(data.keys or ())[number] for number in row.tolist()]
        parts.append(pl.DataFrame({"key": keys, "step": (each.source[each.scored] - first[row]).numpy(), "nll": loss}))
    return pl.concat(parts)
