"""How is a model trained? Epoch by epoch: the items of one epoch, one look at the validation part, one record; checkpoints between.

What an item is, and what an epoch consists of, is `_work`'s. All that the next update depends on stands in `Progress`, the module,
the optimiser, the carried state and the random generators, so that training can stop between any two updates and go on as if it had
not.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from statewise.errors import OptionError
from statewise.runs import Ended, Epoch, Update
from statewise.state import take_apart
from statewise.training._checkpoint import Checkpoint, Progress, Sums
from statewise.training._generators import generator_states, set_generator_states
from statewise.training._gradients import GradientNorms, finite
from statewise.training._interrupts import Interrupts
from statewise.training._optimizer import as_made, require_same_optimizer, restore_optimizer
from statewise.training._own import OwnParts
from statewise.training._pace import Pace
from statewise.training._through_time import through_time
from statewise.training._validation import Validated

if TYPE_CHECKING:
    from pathlib import Path

    from statewise.contracts import Adapted
    from statewise.runs import EndReason, Phase
    from statewise.sequences import Sequences
    from statewise.training._objective import Objective, Scored
    from statewise.training._options import FitOptions
    from statewise.training._recorder import Recorder
    from statewise.training._validation import Validation
    from statewise.training._work import Item, Work
    from statewise.types import State


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
        by_lag: the sequences of it on which gradients by lag are measured.
        work: the items of an epoch of it.
        validation: scores the part that chooses the best weights, or None: then the last ones are kept.
        recorder: takes the records.
        progress: how far this phase has come.
        num_epochs: epochs of this phase; the learning rate falls over `options.epochs`.
        first: the weights training began from, where a refit will start from them.
        best: the best weights so far; of a refit, those that validation chose, until it is finished.
        own: the optimiser, where it is one's own.
        checkpoint: where checkpoints go, or None.
        interrupts: tell whether Ctrl-C was pressed.
        pace: tells when a checkpoint is due.
        state: what the next item of this epoch takes over from the one before.
    """

    adapted: Adapted
    objective: Objective
    options: FitOptions
    train: Sequences
    by_lag: Sequences
    work: Work
    validation: Validation | None
    recorder: Recorder
    progress: Progress
    num_epochs: int
    first: dict[str, Tensor]
    best: dict[str, Tensor]
    own: OwnParts = field(default_factory=OwnParts)
    checkpoint: Path | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)
    pace: Pace = field(default_factory=Pace)
    state: State = None
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        """Make the optimiser.

        Raises:
            OptionError: the module has no parameter that can be trained, or `optimizer` made something else than an optimiser.
        """
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if not trained:
            raise OptionError(
                asked="fit",
                where="the module's parameters",
                arrived="none that can be trained",
                hint="Give a module with requires_grad parameters.",
            )
        self.optimizer = self.own.make_optimizer(trained, self.options)
        self._made = as_made(self.optimizer)
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self._norms = GradientNorms(self.model)
        self._began = time.perf_counter()

    @property
    def model(self) -> nn.Module:
        """The module that is trained."""
        return self.adapted.module

    @property
    def phase(self) -> Phase:
        """The phase that this trainer runs."""
        return self.progress.phase

    def go_on_from(self, found: Checkpoint) -> None:
        """Put everything back as it was when a checkpoint of this phase was written.

        Raises:
            RunError: the run began with another optimiser.
        """
        require_same_optimizer(found.progress.optimizer, self._made, f"checkpoint '{self.checkpoint}'")
        self.progress, self.best = found.progress, found.best
        self.model.load_state_dict(found.weights)
        restore_optimizer(self.optimizer, found.optimizer)
        self.state = found.state(self.work.like())
        set_generator_states(found.generators)

    def run(self) -> None:
        """Train to the end of the phase, or until validation has not improved for `patience` epochs."""
        self._began = time.perf_counter() - self.progress.seconds
        while not self._is_over():
            self._epoch(self.progress.epoch + 1)
        if self.phase == "refit":
            self.best = copy_weights(self.model)
        self.end("finished" if self.progress.epoch >= self.num_epochs else "early_stop")

    def end(self, reason: EndReason) -> None:
        """Put the best weights in place and record how training ended."""
        self.model.load_state_dict(self.best)
        self.model.eval()
        self.recorder(
            Ended(reason=reason, best_epoch=self.progress.best_epoch, seconds=time.perf_counter() - self._began, phase=self.phase)
        )
        self.recorder.flush()

    def _is_over(self) -> bool:
        patience = self.options.patience if self.validation is not None else 0
        return self.progress.epoch >= self.num_epochs or bool(patience and self.progress.stale >= patience)

    def _epoch(self, epoch: int) -> None:
        self._pass(epoch)
        progress = self.progress
        validated = None if self.validation is None else self._validate(self.validation)
        better = validated is None or (
            math.isfinite(validated.loss) and (progress.best_loss is None or validated.loss < progress.best_loss)
        )
        if better:
            if self.phase == "fit":
                self.best = copy_weights(self.model)
            progress.best_epoch, progress.best_loss = epoch, None if validated is None else validated.loss
        progress.stale = 0 if better else progress.stale + 1
        self.recorder(self._record(epoch, validated, better=better))
        if self.options.gradients_by_lag:
            self.recorder(through_time(self.adapted, self.objective, self.by_lag, epoch=epoch, phase=self.phase))
        progress.epoch, progress.cursor, progress.sums, self.state = epoch, 0, Sums(), None
        self._save(always=self._is_over())

    def _validate(self, validation: Validation) -> Validated:
        """Measure; where Ctrl-C cuts that short, the checkpoint is of its beginning, after the last item of the epoch."""
        generators = generator_states()
        try:
            return validation.measure(self.interrupts.check)
        except KeyboardInterrupt:
            set_generator_states(generators)  # a stranger's module, or a metric, may have drawn from them
            self._save(always=True)
            raise

    def _record(self, epoch: int, validated: Validated | None, *, better: bool) -> Epoch:
        sums = self.progress.sums
        found = Validated(loss=math.nan) if validated is None else validated
        return Epoch(
            epoch=epoch,
            train_loss=finite(sums.loss / sums.weight) if sums.weight else None,
            train_accuracy=sums.correct / sums.seen if sums.seen else None,
            valid_loss=finite(found.loss),
            valid_accuracy=found.accuracy,
            valid_accuracy_low=found.accuracy_low,
            valid_accuracy_high=found.accuracy_high,
            learning_rate=float(self.optimizer.param_groups[0]["lr"]),
            steps_per_second=sums.steps / sums.seconds if sums.seconds else None,
            seconds=sums.seconds,
            best=better,
            phase=self.phase,
            metrics=found.metrics,
        )

    def _pass(self, epoch: int) -> None:
        """Train on the items of an epoch that are not done yet."""
        self.model.train()
        progress, sums = self.progress, self.progress.sums
        begun = time.perf_counter() - sums.seconds
        for item in self.work.items(epoch, progress.cursor):
            done = min((sums.steps + item.num_steps / 2) / self.work.num_steps, 1.0)
            self._set_learning_rate((epoch - 1 + done) / self.options.epochs)
            self._update(item, epoch)
            sums.steps += item.num_steps
            sums.seconds = time.perf_counter() - begun
            progress.cursor += 1
            self._save(always=self.interrupts.asked)
            self.interrupts.check()

    def _update(self, item: Item, epoch: int) -> None:
        """Take one step, add up what it gave, and keep the state that it hands on."""
        self.optimizer.zero_grad(set_to_none=True)
        scored, self.state = self.work.score(item, self.state)
        weight = float(scored.weight_sum)
        if weight:
            self._step(scored, item.num_steps, epoch)
        sums = self.progress.sums
        sums.loss += float(scored.loss_sum.detach())
        sums.weight += weight
        if scored.correct is not None:
            sums.correct += int(scored.correct.sum())
            sums.seen += scored.correct.numel()

    def _step(self, scored: Scored, num_steps: int, epoch: int) -> None:
        loss = scored.loss
        loss.backward()
        value = float(loss.detach())
        norm, norms, clipped = self._norms.measure_and_clip(self.options.clip)
        self.progress.update += 1
        update = Update(
            update=self.progress.update,
            epoch=epoch,
            loss=finite(value),
            gradient_norm=finite(norm),
            norms={name: finite(value) for name, value in norms.items()},
            clipped=clipped,
            learning_rate=float(self.optimizer.param_groups[0]["lr"]),
            steps=num_steps,
            phase=self.phase,
        )
        with self.interrupts.noted():
            self.recorder(update)
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise NotFiniteError
        self.optimizer.step()

    def _set_learning_rate(self, done: float) -> None:
        """Set the rate for a share `done` of all epochs: up over the first tenth, then down along a cosine to a hundredth.

        A constant rate is left alone: a callback may have a schedule of its own.
        """
        if self.options.schedule != "cosine":
            return
        factor = min(done / 0.1, 1.0) if done < 0.1 else 0.01 + 0.99 * (1 + math.cos(math.pi * (done - 0.1) / 0.9)) / 2
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor

    def _save(self, *, always: bool) -> None:
        """Write what there is to be written, where it is time."""
        if self.checkpoint is None or not (always or self.pace.is_due()):
            return
        with self.pace.writing():
            self.recorder.flush()
            self.progress.num_records, self.progress.seconds = len(self.recorder.records), time.perf_counter() - self._began
            self.progress.threads, self.progress.optimizer = torch.get_num_threads(), self._made
            self.as_checkpoint().save(self.checkpoint)

    def as_checkpoint(self) -> Checkpoint:
        """Return everything the next update depends on."""
        return Checkpoint(
            progress=self.progress,
            weights=self.model.state_dict(),
            best=self.best,
            first=self.first,
            optimizer=self.optimizer.state_dict(),
            generators=generator_states(),
            carried=take_apart(self.state),
        )


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
