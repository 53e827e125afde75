"""What does an evaluation do with a model and its data? A model that answers what it is told to, and writes down how it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from statewise.auditing._metric_answers import EPSILON, Answers, padded

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(kw_only=True)
class Watched:
    """What a model has seen of an evaluation.

    Attributes:
        ids: the sequences that it was asked about, in order.
        modes: whether it was in train mode, call by call.
        given: all numbers that it was given besides the inputs, call by call.
        mode_after: whether it is in train mode afterwards.
        with_gradient: whether gradients were recorded.
    """

    ids: list[int] = field(default_factory=list)
    modes: list[bool] = field(default_factory=list)
    given: list[tuple[float, ...]] = field(default_factory=list)
    mode_after: bool = False
    with_gradient: bool = False


class Oracle(nn.Module):
    """A model whose answers stand in its inputs `[batch, time, 3]`: the answer, the number of the sequence, the step."""

    def __init__(self, *, num_classes: int, by_step: bool, column: bool, watched: Watched) -> None:
        super().__init__()
        self.num_classes, self.by_step, self.column, self.watched = num_classes, by_step, column, watched
        self.weight = nn.Parameter(torch.zeros(1))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor, *more: Any, **named: Any) -> Tensor:
        """Return logits or values; whatever else is given is only written down."""
        self.watched.ids += [int(each) for each in x[:, 0, 1]]
        self.watched.modes.append(self.training)
        self.watched.with_gradient |= torch.is_grad_enabled()
        others = [each for each in (*more, *named.values()) if isinstance(each, Tensor)]
        self.watched.given.append(tuple(float(value) for each in others for value in each.detach().double().flatten()))
        answers = x[..., 0] if self.by_step else x[:, 0, 0]
        if not self.num_classes:
            values = answers + 0.0 * self.weight
            return values[..., None] if self.column else values
        spread = nn.functional.one_hot(answers.long().clamp(0, self.num_classes - 1), self.num_classes).to(x.dtype)
        low, high = np.log(EPSILON / max(self.num_classes - 1, 1)), np.log(1 - EPSILON)
        logits: Tensor = spread * (high - low) + low + 0.0 * self.weight
        return logits


class _Rows(Dataset[Any]):
    """Sequences, one at a time."""

    def __init__(self, inputs: list[Tensor], targets: list[Tensor]) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.inputs)

    def __getitem__(self, place: int) -> Any:
        """Return the inputs and the targets of one."""
        return self.inputs[place], self.targets[place]


def loader_of(answers: Answers, size: int, extra: int, *, pad: int | None, batch: Callable[[Any, Any, Any], Any] | None) -> DataLoader[Any]:
    """Return batches of `(x, targets)`, or of tasks with a target a step `(x, targets, lengths)`; `batch` makes them otherwise."""
    inputs, targets = [], []
    kind = torch.long if answers.num_classes else torch.float32
    for place, (true, answer) in enumerate(zip(answers.targets, answers.answers, strict=True)):
        columns = [answer.astype(float), np.full(len(answer), float(place)), np.arange(len(answer), dtype=float)]
        inputs.append(torch.tensor(np.stack(columns, axis=-1), dtype=torch.float32))
        targets.append(torch.tensor(true if answers.by_step else true[0], dtype=kind))

    def collate(rows: list[Any]) -> Any:
        x, y = (list(part) for part in zip(*rows, strict=True))
        if not answers.by_step:
            whole = torch.stack(x), torch.stack(y), torch.ones(len(x), dtype=torch.long)
            return batch(*whole) if batch is not None else whole[:2]
        lengths = torch.tensor([len(each) for each in y])
        time = int(lengths.max()) + extra
        fill = (-100 if answers.num_classes else 0.0) if pad is None else pad
        asked = torch.tensor(padded([each.numpy() for each in x], time, np.array([0.0, -1.0, 0.0], dtype=np.float32)))
        whole = asked, torch.tensor(padded([each.numpy() for each in y], time, fill)), lengths
        return batch(*whole) if batch is not None else whole

    return DataLoader(_Rows(inputs, targets), batch_size=size, shuffle=False, collate_fn=collate)
