"""In which phases does a training run? `fit`, and where asked `refit`, each from its checkpoint where there is one."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch

from statewise.errors import RunError
from statewise.models import Model
from statewise.runs import History, Started, read_history
from statewise.sequences import Sequences, in_pieces
from statewise.training._checkpoint import Checkpoint, Progress
from statewise.training._interrupts import Interrupts
from statewise.training._recorder import Recorder
from statewise.training._scoring import Scorer
from statewise.training._trainer import NotFiniteError, Trainer, copy_weights
from statewise.training._validation import Validation
from statewise.training._windows import LaneWindows
from statewise.training._work import Batches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from statewise.contracts import Adapted
    from statewise.runs import Phase, Record, RunConfig, RunFiles
    from statewise.training._objective import Objective
    from statewise.training._options import FitOptions
    from statewise.training._own import OwnParts
    from statewise.training._recorder import Consumer
    from statewise.training._work import Work


class Session:
    """The phases of one call of `fit`: `fit`, and where asked `refit`."""

    def __init__(
        self,
        adapted: Adapted,
        objective: Objective,
        options: FitOptions,
        *,
        own: OwnParts,
        train: Sequences,
        valid: Sequences | None,
        files: RunFiles | None,
        config: RunConfig,
        callbacks: Sequence[Consumer],
        resume: bool,
    ) -> None:
        self.adapted, self.objective, self.options, self.train, self.valid = adapted, objective, options, train, valid
        self.config, self.own = config, own
        self.scorer = Scorer(adapted=adapted, objective=objective, precision=options.precision)
        self.interrupts = Interrupts()
        self.path = files.checkpoints / "last.safetensors" if files else None
        self.found = Checkpoint.read(self.path) if resume and self.path is not None and self.path.is_file() else None
        self.recorder = Recorder(files.history if files else None, callbacks, _kept(files.history, self.found) if files else ())
        self.first = {} if not options.refit else self.found.first if self.found else copy_weights(adapted.module)

    def run(self) -> History:
        """Train, and return what happened."""
        with self.interrupts:
            self._run()
        return self.recorder.history()

    def _run(self) -> None:
        trainer = self._trainer("fit", self.train, self.valid, self.options.epochs)
        if self.found is None or self.found.progress.phase == "fit":
            completed = self._phase(trainer)
            chosen = trainer.progress.best_epoch
        else:
            completed, chosen = True, self._chosen()
        if completed and self.options.refit and self.valid is not None and chosen:
            both = Sequences.concatenate(self.train, self.valid)
            refit = self._trainer("refit", both, None, chosen)
            self.adapted.module.load_state_dict(self.first)
            if isinstance(self.adapted.module, Model):
                self.adapted.module.learn(both)
            self._phase(refit)

    def _chosen(self) -> int:
        ended = self.recorder.history().ended("fit")
        assert ended is not None, "a refit begins after the fit has ended"
        return ended.best_epoch

    def _trainer(self, phase: Phase, train: Sequences, valid: Sequences | None, num_epochs: int) -> Trainer:
        steps = 8 * self.options.steps_per_batch(train)
        return Trainer(
            adapted=self.adapted,
            objective=self.objective,
            options=self.options,
            train=train,
            work=self._work(train),
            by_lag=train if self.options.window is None or not self.options.gradients_by_lag else in_pieces(train, self.options.window),
            validation=None if valid is None else Validation(data=valid, steps=steps, own=self.own, scorer=self.scorer),
            recorder=self.recorder,
            progress=Progress(phase=phase),
            num_epochs=num_epochs,
            first=self.first,
            best=copy_weights(self.adapted.module),
            own=self.own,
            checkpoint=self.path,
            interrupts=self.interrupts,
        )

    def _work(self, train: Sequences) -> Work:
        """Return what an epoch consists of: windows of lanes, or batches of whole sequences."""
        if self.options.window is not None:
            return LaneWindows.of(train, self.options, self.scorer)
        return Batches(train=train, options=self.options, own=self.own, scorer=self.scorer)

    def _phase(self, trainer: Trainer) -> bool:
        """Run one phase, from the checkpoint where there is one of it; return whether it came to its own end."""
        found = self.found
        if found is not None and found.progress.phase == trainer.phase:
            trainer.go_on_from(found)
            _warn_of_other_threads(found.progress.threads)
            self.recorder.announce(self._started(trainer))
        else:
            self.recorder(self._started(trainer))
        try:
            trainer.run()
        except KeyboardInterrupt:
            trainer.end("interrupted")
            return False
        except NotFiniteError:
            trainer.end("not_finite")
            return False
        return True

    def _started(self, trainer: Trainer) -> Started:
        return Started(
            model=self.config.model_name,
            task=self.config.task,
            num_parameters=sum(parameter.numel() for parameter in trainer.model.parameters()),
            num_epochs=trainer.num_epochs,
            num_train=len(trainer.train),
            num_valid=0 if trainer.validation is None else len(trainer.validation.data),
            steps_per_epoch=trainer.train.num_steps,
            phase=trainer.phase,
            resumed_at=trainer.progress.epoch,
        )


def _kept(path: Path, found: Checkpoint | None) -> Sequence[Record]:
    """Return the records up to a checkpoint; those after it will be made again."""
    if found is None:
        return ()
    records = read_history(path).records[: found.progress.num_records]
    if len(records) < found.progress.num_records:
        raise RunError(
            asked="resume a run",
            where=f"file '{path}'",
            arrived=f"{len(records)} records, where the checkpoint counts on {found.progress.num_records}",
            hint="Restore it from a copy, or train anew into another folder with --out.",
        )
    return records


def _warn_of_other_threads(before: int) -> None:
    now = torch.get_num_threads()
    if before != now:
        text = f"The run began with {before} threads and goes on with {now}: its last digits may differ from those of one never stopped."
        warnings.warn(f"{text} OMP_NUM_THREADS={before} goes on as it began.", stacklevel=2)
