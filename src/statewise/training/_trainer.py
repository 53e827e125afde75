"""How is a model trained? Epoch by epoch: one pass, one look at the validation part, one record, and a checkpoint now and then."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from statewise.contracts import device_of
from statewise.errors import OptionError
from statewise.evaluation import accuracy_over_units
from statewise.runs import Ended, Epoch, Update
from statewise.sequences import Aligned, aligned, batches
from statewise.training._checkpoint import Checkpoint, Progress, collect
from statewise.training._gradients import GradientNorms, finite
from statewise.training._own import OwnParts
from statewise.training._through_time import through_time

if TYPE_CHECKING:
    from pathlib import Path

    from statewise.contracts import Adapted
    from statewise.runs._records import EndReason, Phase
    from statewise.sequences import Sequences
    from statewise.training._objective import Objective, Scored
    from statewise.training._options import FitOptions
    from statewise.training._recorder import Recorder
    from statewise.types import Task

_SECONDS_BETWEEN_CHECKPOINTS = 2.0


class NotFiniteError(Exception):
    """The loss or the gradients stopped being numbers; caught by `fit`, which keeps the best weights so far."""


@dataclass(kw_only=True)
class Trainer:
    """One phase of training, which can begin in its middle.

    Attributes:
        adapted: the module and how it is called.
        objective: what is made smaller.
        options: how.
        train: the part trained on.
        valid: the part that chooses the best weights, or None: then the last ones are kept.
        recorder: takes the records.
        progress: how far this phase has come.
        num_epochs: epochs of this phase; the learning rate falls over `options.epochs`.
        first: the weights training began from.
        best: the best weights so far; of a refit, those that validation chose, until it is finished.
        own: optimiser, sampler and metrics of one's own.
        checkpoint: where checkpoints go, or None.
    """

    adapted: Adapted
    objective: Objective
    options: FitOptions
    train: Sequences
    valid: Sequences | None
    recorder: Recorder
    progress: Progress
    num_epochs: int
    first: dict[str, Tensor]
    best: dict[str, Tensor]
    own: OwnParts = field(default_factory=OwnParts)
    checkpoint: Path | None = None
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        """Make the optimiser."""
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if not trained:
            raise OptionError(
                asked="fit",
                where="the module's parameters",
                arrived="none that can be trained",
                hint="Give a module with requires_grad parameters.",
            )
        self.optimizer = self.own.make_optimizer(trained, self.options)
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self._norms = GradientNorms(self.model)
        self._began = time.perf_counter()
        self._written = time.perf_counter()

    @property
    def model(self) -> nn.Module:
        """The module that is trained."""
        return self.adapted.module

    @property
    def task(self) -> Task:
        """What the outputs are for."""
        return self.adapted.contract.task or "classify"

    @property
    def horizon(self) -> int:
        """How many steps ahead an output looks."""
        return self.adapted.contract.horizon or 1

    @property
    def _lowest(self) -> float:
        return math.inf if self.progress.best_loss is None else self.progress.best_loss

    @property
    def phase(self) -> Phase:
        """The phase that this trainer runs."""
        return self.progress.phase

    def run(self) -> None:
        """Train to the end of the phase, or until validation has not improved for `patience` epochs."""
        self._began = time.perf_counter() - self.progress.seconds
        patience = self.options.patience if self.valid is not None else 0
        while self.progress.epoch < self.num_epochs:
            if patience and self.progress.stale >= patience:
                self.end("early_stop")
                return
            self._epoch(self.progress.epoch + 1)
        if self.phase == "refit":
            self.best = copy_weights(self.model)
        self.end("finished")

    def end(self, reason: EndReason) -> None:
        """Put the best weights in place and record how training ended."""
        self.model.load_state_dict(self.best)
        self.model.eval()
        self.recorder(
            Ended(reason=reason, best_epoch=self.progress.best_epoch, seconds=time.perf_counter() - self._began, phase=self.phase)
        )
        self.recorder.flush()

    def _epoch(self, epoch: int) -> None:
        start = time.perf_counter()
        train_loss, train_accuracy = self._pass(epoch)
        seconds = time.perf_counter() - start
        valid_loss, accuracy, metrics = self._validate()
        better = valid_loss is None or (math.isfinite(valid_loss) and valid_loss < self._lowest)
        if better:
            if self.phase == "fit":
                self.best = copy_weights(self.model)
            self.progress.best_epoch, self.progress.best_loss = epoch, valid_loss
        self.progress.stale = 0 if better else self.progress.stale + 1
        self.progress.epoch = epoch
        self.recorder(
            Epoch(
                epoch=epoch,
                train_loss=finite(train_loss),
                train_accuracy=train_accuracy,
                valid_loss=None if valid_loss is None else finite(valid_loss),
                valid_accuracy=accuracy[0],
                valid_accuracy_low=accuracy[1],
                valid_accuracy_high=accuracy[2],
                learning_rate=self.optimizer.param_groups[0]["lr"],
                steps_per_second=self.train.num_steps / seconds,
                seconds=seconds,
                best=better,
                phase=self.phase,
                metrics=metrics,
            )
        )
        if self.options.gradients_by_lag:
            self.recorder(through_time(self.adapted, self.objective, self.train, epoch=epoch, phase=self.phase))
        self._save(always=epoch == self.num_epochs)

    def _pass(self, epoch: int) -> tuple[float, float | None]:
        self.model.train()
        seen = steps = 0
        loss_sum = weight_sum = num_correct = 0.0
        for batch in self.own.batches(self.train, self.options, epoch):
            self._set_learning_rate((epoch - 1 + min((steps + batch.num_steps / 2) / self.train.num_steps, 1.0)) / self.options.epochs)
            scored = self._update(batch, epoch)
            loss_sum += float(scored.loss_sum.detach())
            weight_sum += float(scored.weight_sum)
            if scored.correct is not None:
                num_correct += float(scored.correct.sum())
                seen += scored.correct.numel()
            steps += batch.num_steps
        return loss_sum / weight_sum if weight_sum else math.nan, num_correct / seen if seen else None

    def _update(self, batch: Sequences, epoch: int) -> Scored:
        self.optimizer.zero_grad(set_to_none=True)
        scored = self._score(batch)
        if float(scored.weight_sum) == 0:
            return scored
        loss = scored.loss
        loss.backward()
        value = float(loss.detach())
        norm, norms, clipped = self._norms.measure_and_clip(self.options.clip)
        self.progress.update += 1
        self.recorder(
            Update(
                update=self.progress.update,
                epoch=epoch,
                loss=finite(value),
                gradient_norm=finite(norm),
                norms={name: finite(value) for name, value in norms.items()},
                clipped=clipped,
                learning_rate=self.optimizer.param_groups[0]["lr"],
                steps=batch.num_steps,
                phase=self.phase,
            )
        )
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise NotFiniteError
        self.optimizer.step()
        return scored

    def _score(self, batch: Sequences) -> Scored:
        values, items = self._outputs(batch)
        return self.objective(values, items.targets, items.weights)

    def _outputs(self, batch: Sequences) -> tuple[Tensor, Aligned]:
        """Return the outputs `[rows, out]` of a batch, and what each is held against."""
        device = device_of(self.model)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.options.precision == "bfloat16"):
            outputs = self.adapted(batch)
        items = aligned(batch, self.task, self.horizon)
        return outputs.values.float(), Aligned(targets=items.targets.to(device), weights=items.weights.to(device))

    def _validate(self) -> tuple[float | None, tuple[float | None, float | None, float | None], dict[str, float | None]]:
        if self.valid is None:
            return None, (None, None, None), {}
        self.model.eval()
        loss_sum = weight_sum = 0.0
        correct, scored_rows, kept = [], [], []
        with torch.no_grad():
            for batch in batches(self.valid, 8 * self.options.steps_per_batch(self.train), seed=None):
                values, items = self._outputs(batch)
                scored = self.objective(values, items.targets, items.weights)
                loss_sum += float(scored.loss_sum)
                weight_sum += float(scored.weight_sum)
                scored_rows.append(scored.scored.cpu())
                correct += [] if scored.correct is None else [scored.correct.cpu()]
                if self.own.metrics:
                    whole = scored.scored.reshape(len(values), -1).all(dim=1)
                    kept.append((values[whole].cpu(), items.targets[whole].cpu()))
        accuracy: tuple[float | None, float | None, float | None] = (None, None, None)
        if correct:
            units = _units_of_targets(self.valid)[torch.cat(scored_rows).numpy()]
            estimate = accuracy_over_units(torch.cat(correct).numpy(), units)
            accuracy = (finite(estimate.value), estimate.low, estimate.high)
        return loss_sum / weight_sum if weight_sum else math.nan, accuracy, self.own.measure(kept)

    def _set_learning_rate(self, done: float) -> None:
        """Set the rate for a share `done` of all epochs: up over the first tenth, then down along a cosine to a hundredth."""
        factor = 1.0
        if self.options.schedule == "cosine":
            factor = min(done / 0.1, 1.0) if done < 0.1 else 0.01 + 0.99 * (1 + math.cos(math.pi * (done - 0.1) / 0.9)) / 2
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor

    def _save(self, *, always: bool) -> None:
        self.recorder.flush()
        now = time.perf_counter()
        if self.checkpoint is None or (not always and now - self._written < _SECONDS_BETWEEN_CHECKPOINTS):
            return
        self.progress.num_records, self.progress.seconds = len(self.recorder.records), now - self._began
        self.as_checkpoint().save(self.checkpoint)
        self._written = time.perf_counter()

    def as_checkpoint(self) -> Checkpoint:
        """Return everything the next epoch depends on."""
        return collect(self.model, self.best, self.first, self.optimizer, self.progress)


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _units_of_targets(data: Sequences) -> np.ndarray:
    """Return the independent unit of each target: its group, else its sequence."""
    units = np.array(data.units, dtype=object)
    return units if data.each == "sequence" else np.repeat(units, data.lengths.numpy())
