"""What do several tests of the audit ask, and of what?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import statewise as sw
from statewise.auditing import Audit, Outcome

LENGTHS = torch.tensor([5, 9, 3, 7, 12, 2])
STEPS = int(LENGTHS.sum())


def numbers(size: int = 3, **more: Any) -> sw.Sequences:
    """Return sequences of so many numbers a step."""
    return sw.Sequences(inputs=sw.Ragged(torch.randn(STEPS, size, generator=torch.Generator().manual_seed(0)), LENGTHS), **more)


def status_of(found: Audit, code: str) -> str:
    """Return how a check ended."""
    return next(each.status for each in found.outcomes if each.code == code)


class Packed(nn.Module):
    """A classifier of packed sequences."""

    def __init__(self, inputs: int = 3, hidden: int = 8, outputs: int = 3) -> None:
        super().__init__()
        self.rnn = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        answer: Tensor = self.head(self.rnn(packed)[1][0][-1])
        return answer


def said(code: str, *parts: sw.Sequences | None, **options: Any) -> Outcome:
    """Return what one check says."""
    return next(each for each in sw.audit_data(*parts, select=code, **options).outcomes if each.code == code)  # type: ignore[arg-type]
