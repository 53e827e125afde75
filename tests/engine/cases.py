"""Which modules, sequences and resets is the engine tried on, and what is the truth for each?

A case is small numbers only (kinds, sizes, lengths, a seed), so Hypothesis can shrink it; tensors come from the seed. The
truth is torch's own module run on each sequence alone in float64, or, for the hash, plain Python on whole numbers.
`STATEWISE_EXAMPLES=20` tries 20 times as many cases, `STATEWISE_DEVICE=cuda` tries them there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor, nn

from statewise.sequences import Ragged
from statewise.state import map_tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

State = Any
DEVICE = os.environ.get("STATEWISE_DEVICE", "cpu")
ON_A_PROCESSOR = pytest.mark.skipif(DEVICE != "cpu", reason="a way of running that only a processor takes")
NO_CUDNN = pytest.mark.skipif(DEVICE != "cpu", reason="cuDNN has no derivative of its derivative, nor takes transforms")
torch.backends.cudnn.allow_tf32 = False  # the limits are those of float32, and cuDNN computes with less of it if it may
Module = nn.RNN | nn.LSTM | nn.GRU


def examples(count: int) -> settings:
    """Return settings with `count` examples, or a multiple of it."""
    return settings(max_examples=count * int(os.environ.get("STATEWISE_EXAMPLES", "1")))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A recurrent module of torch, sequences for it, and cuts and resets in them."""

    kind: str = "lstm"
    num_layers: int = 1
    bidirectional: bool = False
    proj_size: int = 0
    bias: bool = True
    batch_first: bool = False
    input_size: int = 2
    hidden_size: int = 3
    lengths: tuple[int, ...] = (3, 0, 5, 1)
    is_given: bool = True
    """Whether sequences begin from a given state, not from zeros."""
    num_windows: int = 2
    reset_rate: float = 0.2
    seed: int = 0
    dtype: torch.dtype = torch.float64

    @cached_property
    def module(self) -> Module:
        """The module under test."""
        return self._build(self.dtype)

    @cached_property
    def twin(self) -> Module:
        """The same weights in float64: the truth."""
        return self._build(torch.float64)

    def tensor(self, *shape: int, salt: int = 0) -> Tensor:
        """Return float32 numbers that the case's seed decides; float64 holds them exactly."""
        generator = torch.Generator().manual_seed(1000 * self.seed + salt)
        return torch.randn(*shape, generator=generator, dtype=torch.float32, device="cpu").to(DEVICE)

    def integers(self, high: int, *shape: int, salt: int = 0) -> Tensor:
        """Return whole numbers from 0 to `high` (included) that the case's seed decides."""
        return torch.randint(0, high + 1, shape, generator=torch.Generator().manual_seed(1000 * self.seed + salt), device="cpu")

    def inputs(self, dtype: torch.dtype) -> Ragged:
        """Return the sequences; the gradient of their values is wanted."""
        values = self.tensor(sum(self.lengths), self.input_size, salt=1).to(dtype).requires_grad_()
        return Ragged(values, torch.tensor(self.lengths, dtype=torch.int64, device="cpu"))

    def state(self, rows: int, dtype: torch.dtype) -> State:
        """Return a state to begin from."""
        depth = self.num_layers * (1 + self.bidirectional)
        h = self.tensor(depth, rows, self.proj_size or self.hidden_size, salt=2).to(dtype).requires_grad_()
        if self.kind != "lstm":
            return h
        return h, self.tensor(depth, rows, self.hidden_size, salt=3).to(dtype).requires_grad_()

    def flags(self, time: int, batch: int) -> Tensor:
        """Return resets of dense lanes."""
        return (torch.rand(time, batch, generator=torch.Generator().manual_seed(self.seed), device="cpu") < self.reset_rate).to(DEVICE)

    def _build(self, dtype: torch.dtype) -> Module:
        torch.manual_seed(self.seed)
        options: dict[str, Any] = {
            "num_layers": self.num_layers,
            "bidirectional": self.bidirectional,
            "bias": self.bias,
            "batch_first": self.batch_first,
        }
        module: Module
        if self.kind == "lstm":
            module = nn.LSTM(self.input_size, self.hidden_size, proj_size=self.proj_size, **options)
        elif self.kind == "gru":
            module = nn.GRU(self.input_size, self.hidden_size, **options)
        else:
            module = nn.RNN(self.input_size, self.hidden_size, nonlinearity=self.kind, **options)
        return module.to(DEVICE, dtype)


@st.composite
def cases(
    draw: st.DrawFn,
    dtype: torch.dtype = torch.float64,
    *,
    kinds: Sequence[str] = ("lstm", "gru", "tanh", "relu"),
    both_directions: bool = True,
    projections: bool = True,
    dense: bool = False,
) -> Case:
    """Draw a case; lengths reach 200 and batches 64 sequences, though most are smaller. Dense ones have up to 8 lanes."""
    kind = draw(st.sampled_from(kinds))
    hidden_size = draw(st.integers(2, 6))
    # In float32 a unit of relu that sits on its kink rounds to the other side once in some million cells.
    longest, most = (12, 6) if kind == "relu" and dtype == torch.float32 else (200, 8 if dense else 64)
    # Long batches have one layer: the truth is computed one sequence at a time, which is what takes long here.
    is_long = draw(st.sampled_from([False, False, True]))
    lengths = st.lists(st.integers(0, longest), max_size=most) if is_long else st.lists(st.integers(0, 9), max_size=min(most, 12))
    return Case(
        kind=kind,
        num_layers=1 if is_long else draw(st.integers(1, 3)),
        bidirectional=both_directions and draw(st.booleans()),
        proj_size=draw(st.integers(0, hidden_size - 1)) if kind == "lstm" and projections else 0,
        bias=draw(st.booleans()),
        batch_first=not dense and draw(st.booleans()),
        input_size=draw(st.integers(1, 4)),
        hidden_size=hidden_size,
        lengths=tuple(draw(lengths)),
        is_given=draw(st.booleans()),
        num_windows=draw(st.integers(1, 4)),
        reset_rate=draw(st.sampled_from([0.0, 0.02, 0.2, 1.0])),
        seed=draw(st.integers(0, 10_000)),
        dtype=dtype,
    )


def many_sequences(dtype: torch.dtype, *, kind: str = "lstm", bidirectional: bool = False) -> Case:
    """Return 64 sequences of 0 to 200 steps."""
    lengths = torch.randint(0, 201, (64,), generator=torch.Generator().manual_seed(5)).tolist()
    return Case(kind=kind, bidirectional=bidirectional, hidden_size=5, lengths=(0, 200, *lengths[2:]), dtype=dtype)


def alone(module: Module, sequence: Tensor, state: State) -> tuple[Tensor, State]:
    """Return what torch gives for one sequence `[time, feature]` and the state of one row; no step leaves the state as it is."""
    if len(sequence) == 0:
        directions = 2 if module.bidirectional else 1
        return sequence.new_zeros(0, (module.proj_size or module.hidden_size) * directions), state
    axis = 0 if module.batch_first else 1
    outputs, final = module(sequence.unsqueeze(axis), map_tensors(Tensor.contiguous, state))  # cuDNN takes no other
    return outputs.squeeze(axis), final


def row_of(state: State, row: int) -> State:
    """Return one row of a torch state, as a state of one row."""
    return map_tensors(lambda leaf: leaf[:, row : row + 1], state)


def stacked(states: list[State]) -> State:
    """Return states of one row each as one state."""
    return map_tensors(lambda *rows: torch.cat(rows, 1), *states)


@dataclass(frozen=True, kw_only=True)
class HashCase:
    """Whole numbers for a hash that is carried as state: any leak, loss or double step changes it to the bit."""

    lengths: tuple[int, ...] = (3, 0, 5, 1)
    batch_first: bool = False
    declares_axes: bool = False
    num_windows: int = 2
    reset_rate: float = 0.2
    seed: int = 0

    def numbers(self, *shape: int) -> Tensor:
        """Return the inputs."""
        return torch.randint(1, 1000, shape, generator=torch.Generator().manual_seed(self.seed)).to(DEVICE)

    def flags(self, time: int, batch: int) -> Tensor:
        """Return resets of dense lanes."""
        return (torch.rand(time, batch, generator=torch.Generator().manual_seed(self.seed)) < self.reset_rate).to(DEVICE)

    @property
    def module(self) -> Hash:
        """The module under test."""
        return Hash(batch_first=self.batch_first, declares_axes=self.declares_axes)


@st.composite
def hash_cases(draw: st.DrawFn) -> HashCase:
    """Draw a case for the hash."""
    return HashCase(
        lengths=tuple(draw(st.one_of(st.lists(st.integers(0, 6), max_size=10), st.lists(st.integers(0, 200), max_size=64)))),
        batch_first=draw(st.booleans()),
        declares_axes=draw(st.booleans()),
        num_windows=draw(st.integers(1, 5)),
        reset_rate=draw(st.sampled_from([0.0, 0.02, 0.2, 1.0])),
        seed=draw(st.integers(0, 10_000)),
    )


BASE = 1_000_003


class Hash(nn.Module):
    """A Recurrent: the polynomial hash and the number of the steps since the sequence began, modulo 2 to the 64th.

    Its state is a dict: `hash` with the rows on axis 0, `count` with the rows on axis 1, and `base`, shared by all rows.
    """

    def __init__(self, *, batch_first: bool = False, declares_axes: bool = False) -> None:
        super().__init__()
        self.batch_first = batch_first
        if declares_axes:
            self.state_axes = {"hash": 0, "count": 1, "base": None}

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> State:
        assert dtype == torch.get_default_dtype()  # the inputs are whole numbers and the module has no weights
        return {
            "hash": torch.full((batch_size,), 7, device=device),
            "count": torch.zeros(1, batch_size, dtype=torch.int64, device=device),
            "base": torch.tensor(BASE, device=device),
        }

    def forward(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        hashes, count = state["hash"], state["count"]
        outputs = []
        for numbers in inputs.unbind(1 if self.batch_first else 0):
            hashes, count = hashes * state["base"] + numbers, count + 1
            outputs.append(torch.stack([hashes, count[0]], -1))
        return torch.stack(outputs, 1 if self.batch_first else 0), {"hash": hashes, "count": count, "base": state["base"]}


def hash_alone(numbers: list[int], begin: tuple[int, int] = (7, 0)) -> list[tuple[int, int]]:
    """Return (hash, count) after each step, by Python's own whole numbers."""
    value, count = begin
    seen = []
    for number in numbers:
        value, count = (value * BASE + number + 2**63) % 2**64 - 2**63, count + 1
        seen.append((value, count))
    return seen
