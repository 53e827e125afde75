"""How is a classifier of sequences trained by hand? The loop that most people write, with what `fit` does beside the updates.

The same model, from the same weights, in the same batches: standardised inputs, AdamW with a rate that rises and falls, clipping, the
gradient norm of each layer, a look at the validation part after each epoch, and a copy of the best weights.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from benchmarks.peers.sequences import pad_both_ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Layout = Literal["packed", "padded"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to train; the same words as in `fit`."""

    epochs: int
    lr: float
    weight_decay: float = 0.01
    clip: float = 1.0
    label_smoothing: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """Some sequences `[time, feature]` and the class of each."""

    sequences: list[Tensor]
    labels: Tensor
    lengths: Tensor

    def standardised(self, mean: Tensor, spread: Tensor) -> Labelled:
        """Return the same sequences in units of a spread."""
        return Labelled(sequences=[(each - mean) / spread for each in self.sequences], labels=self.labels, lengths=self.lengths)


class Classifier(nn.Module):
    """An LSTM, the last output or the largest of all steps, and a linear layer."""

    def __init__(self, core: nn.LSTM, head: nn.Linear, layout: Layout, settings: Settings) -> None:
        super().__init__()
        self.core, self.head, self.layout = core, head, layout
        self.dropout = nn.Dropout(settings.dropout)
        self.input_dropout = settings.input_dropout

    def forward(self, sequences: list[Tensor], lengths: Tensor) -> Tensor:
        """Return `[batch, classes]`."""
        padded = pad_sequence(sequences)
        if self.training and self.input_dropout:
            padded = padded * (torch.rand(padded.shape[1:]) >= self.input_dropout)
        read: Tensor = self.head(self.dropout(self._largest(padded, lengths) if self.core.bidirectional else self._last(padded, lengths)))
        return read

    def _last(self, padded: Tensor, lengths: Tensor) -> Tensor:
        if self.layout == "packed":
            _, (h, _) = self.core(pack_padded_sequence(padded, lengths, enforce_sorted=False))
            last: Tensor = h[0]
            return last
        outputs, _ = self.core(padded)
        chosen: Tensor = outputs[lengths - 1, torch.arange(len(lengths))]
        return chosen

    def _largest(self, padded: Tensor, lengths: Tensor) -> Tensor:
        if self.layout == "packed":
            packed, _ = self.core(pack_padded_sequence(padded, lengths, enforce_sorted=False))
            return pad_packed_sequence(packed, padding_value=-math.inf)[0].amax(0)
        outputs = pad_both_ways(self.core, padded, lengths)
        is_padding = torch.arange(len(outputs))[:, None] >= lengths
        return outputs.masked_fill(is_padding[..., None], -math.inf).amax(0)


@dataclass(kw_only=True, eq=False)
class Trained:
    """What a training leaves: the model with its best weights, what came in between, and the scale of its inputs."""

    model: Classifier
    mean: Tensor
    spread: Tensor
    updates: list[tuple[float, float, list[float]]] = field(default_factory=list)
    epochs: list[tuple[float, float, float, float]] = field(default_factory=list)

    def accuracy(self, data: Labelled) -> float:
        """Return the share of sequences that are answered rightly."""
        with torch.no_grad():
            scaled = data.standardised(self.mean, self.spread)
            return float((self.model(scaled.sequences, scaled.lengths).argmax(1) == data.labels).float().mean())


def train_by_hand(
    model: Classifier,
    train: Labelled,
    valid: Labelled,
    settings: Settings,
    *,
    batches: Sequence[Sequence[Tensor]],
    valid_batches: Iterable[Tensor],
) -> Trained:
    """Train for `len(batches)` epochs, in the given rows of each batch, and keep the weights with the lowest validation loss."""
    steps = torch.cat(train.sequences)
    done = Trained(model=model, mean=steps.mean(0), spread=steps.std(0, correction=0))
    train, valid = train.standardised(done.mean, done.spread), valid.standardised(done.mean, done.spread)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    num_steps, best, best_weights = len(steps), math.inf, copy.deepcopy(model.state_dict())
    for epoch, rows_of_batches in enumerate(batches):
        model.train()
        seen, loss_sum, num_correct = 0, 0.0, 0
        for rows in rows_of_batches:
            lengths, labels = train.lengths[rows], train.labels[rows]
            share = (epoch + min((seen + int(lengths.sum()) / 2) / num_steps, 1.0)) / settings.epochs
            optimizer.param_groups[0]["lr"] = settings.lr * _factor(share)
            logits = model([train.sequences[row] for row in rows.tolist()], lengths)
            loss = cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            norms = torch.stack([parameter.grad.norm() for parameter in model.parameters() if parameter.grad is not None])
            norm = nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimizer.step()
            done.updates.append((loss.item(), norm.item(), norms.tolist()))
            seen += int(lengths.sum())
            loss_sum += loss.item() * len(rows)
            num_correct += int((logits.argmax(1) == labels).sum())
        valid_loss, valid_accuracy = _look(model, valid, settings, valid_batches)
        done.epochs.append((loss_sum / len(train.labels), num_correct / len(train.labels), valid_loss, valid_accuracy))
        if valid_loss < best:
            best, best_weights = valid_loss, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_weights)
    model.eval()
    return done


def _look(model: Classifier, valid: Labelled, settings: Settings, batches: Iterable[Tensor]) -> tuple[float, float]:
    """Return loss and accuracy on the validation part."""
    model.eval()
    loss_sum, num_correct = 0.0, 0
    with torch.no_grad():
        for rows in batches:
            logits = model([valid.sequences[row] for row in rows.tolist()], valid.lengths[rows])
            loss_sum += cross_entropy(logits, valid.labels[rows], label_smoothing=settings.label_smoothing).item() * len(rows)
            num_correct += int((logits.argmax(1) == valid.labels[rows]).sum())
    return loss_sum / len(valid.labels), num_correct / len(valid.labels)


def _factor(share: float) -> float:
    """Return what the rate is multiplied by: up over the first tenth, then down along a cosine to a hundredth."""
    return min(share / 0.1, 1.0) if share < 0.1 else 0.01 + 0.99 * (1 + math.cos(math.pi * (share - 0.1) / 0.9)) / 2
