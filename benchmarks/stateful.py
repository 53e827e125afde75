"""What is trained where state is carried from window to window? Streams on lanes, long enough to show what grows with them."""

from __future__ import annotations

import torch

from statewise import Ragged, Run, Sequences, build, fit

LANES, WINDOW, FEATURES, SIZE = 64, 128, 4, 128


def streams_of(steps: int) -> Sequences:
    """Return streams of so many steps each, one a lane, with a value to be told at each step."""
    values = torch.randn(steps * LANES, FEATURES, generator=torch.Generator().manual_seed(0))
    return Sequences(inputs=Ragged(values, torch.full((LANES,), steps)), targets=values[:, 0].clone(), each="step")


def train_stateful(streams: Sequences) -> Run:
    """Train one pass over the streams with `fit`, window after window, the state carried."""
    model = build("lstm", data=streams, hidden_size=SIZE, seed=0)
    return fit(model, streams, window=WINDOW, lanes=LANES, epochs=1)
