"""Modules that other people wrote, for tracing: none of them knows statewise."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

Cells = type[nn.RNNCell | nn.LSTMCell | nn.GRUCell]


class LastState(nn.Module):
    """Reads out the state after the last step; batch first as its recurrent part is."""

    def __init__(self, kind: type[nn.RNN | nn.LSTM | nn.GRU] = nn.GRU, *, classes: int = 3, batch_first: bool = True) -> None:
        super().__init__()
        self.rnn = kind(5, 4, batch_first=batch_first)
        self.head = nn.Linear(4, classes)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.rnn(x)
        last = outputs[:, -1] if self.rnn.batch_first else outputs[-1]
        logits: Tensor = self.head(self.dropout(last))
        return logits


class Squashed(LastState):
    """Gives back what a function makes of its logits."""

    def __init__(self, how: str, *, classes: int = 3) -> None:
        super().__init__(classes=classes)
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        ways = {"softmax": logits.softmax(-1), "log_softmax": logits.log_softmax(-1), "sigmoid": logits.sigmoid(), "other": logits * 2}
        return ways[self.how]


class Pooled(nn.Module):
    """Reads out in one of several ways."""

    def __init__(self, how: str, *, bidirectional: bool = False) -> None:
        super().__init__()
        self.rnn = nn.LSTM(5, 4, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(8 if bidirectional else 4, 3)
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        outputs, (h, _) = self.rnn(x)
        ways = {
            "mean": outputs.mean(1),
            "max": outputs.amax(1),
            "sum": outputs.sum(1),
            "first": outputs[:, 0],
            "last": outputs[:, -1],
            "ends": torch.cat([*h], dim=1),
            "odd": outputs[:, -1] ** 2,
        }
        logits: Tensor = self.head(ways[self.how])
        return logits


class Tokens(nn.Module):
    """A next-token model that reads time first, as torch does by default."""

    def __init__(self, size: int = 20) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, 6)
        self.rnn = nn.RNN(6, 4)
        self.head = nn.Linear(4, size)

    def forward(self, tokens: Tensor) -> Tensor:
        outputs, _ = self.rnn(self.embedding(tokens))
        logits: Tensor = self.head(outputs)
        return logits


class CellLoop(nn.Module):
    """Calls a cell once a step; `reset_at` loses the state there."""

    def __init__(self, kind: Cells = nn.LSTMCell, *, reset_at: int | None = None, classes: int = 1) -> None:
        super().__init__()
        self.cell = kind(5, 4)
        self.head = nn.Linear(4, classes)
        self.reset_at = reset_at

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], None if step == self.reset_at else state)
        last = state[0] if isinstance(state, tuple) else state
        logits: Tensor = self.head(last)
        return logits


class Windows(nn.Module):
    """Runs its recurrent part in two windows, with or without carrying the state."""

    def __init__(self, *, carry: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(5, 4, batch_first=True)
        self.carry = carry

    def forward(self, x: Tensor) -> Tensor:
        half = x.shape[1] // 2
        first, state = self.rnn(x[:, :half])
        second, _ = self.rnn(x[:, half:], state if self.carry else None)
        return torch.cat([first, second], dim=1)


class OwnCell(nn.Module):
    """A cell that torch does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(9, 4)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.mix(torch.cat([x, h], -1)))


class OwnLoop(nn.Module):
    """Calls its own cell once a step."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = OwnCell()
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), 4)
        for step in range(x.shape[1]):
            h = self.cell(x[:, step], h)
        logits: Tensor = self.head(h)
        return logits


class OwnRecurrent(nn.Module):
    """Takes its state and gives it back."""

    def __init__(self, *, batch_first: bool = False, leaves: int = 1) -> None:
        super().__init__()
        self.cell = OwnCell()
        self.batch_first, self.leaves = batch_first, leaves

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        return {f"leaf{place}": torch.full((batch_size, 4), float(place), device=device, dtype=dtype) for place in range(self.leaves)}

    def forward(self, inputs: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        steps = inputs.transpose(0, 1) if self.batch_first else inputs
        outputs = []
        for now in steps:
            state = {name: self.cell(now, leaf) for name, leaf in state.items()}
            outputs.append(sum(state.values(), torch.zeros(())))
        stacked = torch.stack(outputs)
        return (stacked.transpose(0, 1) if self.batch_first else stacked), state


class GivesDict(LastState):
    """Gives back a dict."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"logits": super().forward(x), "lengths": x.new_full((len(x),), x.shape[1])}


class Packs(nn.Module):
    """Packs its input and starts from a state of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(5, 4, batch_first=True)
        self.begin = nn.Parameter(torch.randn(1, 1, 4))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, last = self.rnn(packed, self.begin.expand(1, len(x), 4).contiguous())
        final: Tensor = last[0]
        return final


class Leaky(nn.Module):
    """Changes itself in every way at each call: attributes, lists, buffers, parameters and random generators."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(5, 4, batch_first=True)
        self.norm = nn.BatchNorm1d(4)
        self.hidden: Tensor | None = None
        self.seen: list[int] = []
        self.table: dict[str, int] = {}
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        outputs, state = self.rnn(x, self.hidden)
        self.hidden = state
        self.seen.append(x.shape[1])
        self.table["calls"] = len(self.seen)
        self.count += 1
        next(self.rnn.parameters()).mul_(0.5)
        self.norm.train()
        normed: Tensor = self.norm(outputs.transpose(1, 2) + torch.rand(1))[..., -1]
        return normed


class Cheating(nn.LSTM):
    """Does more than its weights say."""

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # type: ignore[override]
        outputs, state = super().forward(x)
        return outputs + 1, state
