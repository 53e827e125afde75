"""Evidence to judge: evaluations of real counts and predictions, histories of plain figures, run directories."""

from __future__ import annotations

import io
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch
from rich.console import Console

from statewise.auditing import Audit, Outcome, weights_hash
from statewise.contracts import Contract
from statewise.evaluation import Counts, Evaluation, Predictions, evaluate, read_predictions, write_evaluation
from statewise.runs import Ended, Epoch, History, Record, Started, Update, encode_records, save_weights
from statewise.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence


@cache
def of_counts(tp: int, fn: int, fp: int, tn: int) -> Evaluation:
    return evaluate(Counts(tp=tp, fn=fn, fp=fp, tn=tn))


FRAUD = of_counts(12, 88, 112, 9788)
RARE_AND_GOOD = of_counts(176, 24, 392, 19408)
GOOD = of_counts(480, 20, 20, 480)


def of_rows(folder: Path, rows: Sequence[tuple[str, str, str]]) -> Evaluation:
    """Evaluate rows of (group, target, prediction), a sequence each, through a predictions file."""
    path = folder / "predictions.csv"
    lines = [f"s{number},{group},{target},{prediction}" for number, (group, target, prediction) in enumerate(rows)]
    path.write_text("\n".join(["key,group,target,prediction", *lines]) + "\n")
    return evaluate(read_predictions(path))


def of_matrix(folder: Path, matrix: Sequence[Sequence[int]]) -> Evaluation:
    """Evaluate a confusion matrix of classes a, b, c, ... with each case its own group."""
    names = "abcdefghijklmnopqrstuvwxyz"
    cells = [(a, b) for a, row in enumerate(matrix) for b, count in enumerate(row) for _ in range(count)]
    return of_rows(folder, [(f"g{number}", names[a], names[b]) for number, (a, b) in enumerate(cells)])


def of_forecast(*, advantage: float, num_steps: int = 3000, seed: int = 0) -> Evaluation:
    """Evaluate forecasts of one long stream, one and two steps ahead, that make `advantage` less error than persistence."""
    random = np.random.default_rng(seed)
    series = np.cumsum(random.normal(size=num_steps + 2))
    step, ahead = np.repeat(np.arange(num_steps), 2), np.tile([1, 2], num_steps)
    actual, last = series[step + ahead], series[step]
    size = (1 - advantage) * random.uniform(0.99, 1.01, len(actual))  # were all alike, nothing would tell how much others differ
    predicted = actual + size * (last - actual) * random.choice([-1.0, 1.0], len(actual))
    columns = {"step": step, "ahead": ahead, "target": actual, "prediction": predicted}
    return evaluate(Predictions.from_columns(columns, source="forecasts.csv"))


def of_tokens(*, better: float, num_texts: int = 60) -> Evaluation:
    """Evaluate next tokens whose code is `better` nats shorter than that of their frequencies, noise aside."""
    random = np.random.default_rng(0)
    target = random.choice(list("abcd"), 40 * num_texts, p=(0.4, 0.3, 0.2, 0.1))
    frequency = {token: float((target == token).mean()) for token in "abcd"}
    nll = -np.log([frequency[token] for token in target]) - better + 0.1 * random.normal(size=len(target))
    columns = {"key": np.arange(len(target)) // 40, "target": target.tolist(), "prediction": ["a"] * len(target), "nll": np.maximum(nll, 0)}
    return evaluate(Predictions.from_columns(columns, task="next"))


def of_labels(*, right: float, rows: int = 400, shares: Sequence[float] = (0.5, 0.4, 0.3)) -> Evaluation:
    """Evaluate labels of which a share is right, whatever they are."""
    random = np.random.default_rng(0)
    truth = random.random((rows, len(shares))) < shares
    given = np.where(random.random(truth.shape) < right, truth, ~truth)
    columns = {f"{side}_{n}": answers[:, n] for side, answers in (("target", truth), ("prediction", given)) for n in range(len(shares))}
    return evaluate(Predictions.from_columns(columns))


def changed(evaluation: Evaluation, metric: str, value: float, low: float | None, high: float | None) -> Evaluation:
    """Return the evaluation with another estimate of one metric."""
    estimate = msgspec.structs.replace(evaluation.metrics[metric], value=value, low=low, high=high)
    return msgspec.structs.replace(evaluation, metrics=evaluation.metrics | {metric: estimate})


def epochs_of(
    losses: Sequence[float | None],
    accuracies: Sequence[float | None] = (),
    *,
    valid_losses: Sequence[float | None] = (),
    half_width: float | None = 0.05,
    phase: str = "fit",
) -> list[Record]:
    """Return one record an epoch; `accuracies` are those of validation, each with an interval unless `half_width` is None."""
    records: list[Record] = []
    for place, loss in enumerate(losses):
        accuracy = accuracies[place] if accuracies else None
        has_interval = half_width is not None and accuracy is not None
        epoch = Epoch(
            epoch=place + 1,
            train_loss=loss,
            valid_loss=valid_losses[place] if valid_losses else None,
            valid_accuracy=accuracy,
            valid_accuracy_low=accuracy - half_width if has_interval else None,  # type: ignore[operator]
            valid_accuracy_high=accuracy + half_width if has_interval else None,  # type: ignore[operator]
        )
        records.append(msgspec.structs.replace(epoch, phase=phase))
    return records


def updates_of(norms: Sequence[float | None], *, losses: Sequence[float | None] = (), clipped: int = 0, phase: str = "fit") -> list[Record]:
    """Return one record an update, the first `clipped` of them clipped."""
    return [
        msgspec.structs.replace(
            Update(
                update=number + 1,
                epoch=1,
                loss=losses[number] if losses else 0.5,
                gradient_norm=norm,
                norms={"core": norm, "head": None if norm is None else 2 * norm},
                clipped=number < clipped,
                learning_rate=0.01,
                steps=100,
            ),
            phase=phase,
        )
        for number, norm in enumerate(norms)
    ]


def history_of(*records: Sequence[Record]) -> History:
    return History(records=tuple(record for part in records for record in part))


def good_history(num_epochs: int = 9) -> History:
    """Return a training in which every band is good."""
    losses = [math.exp(-epoch / 3) for epoch in range(num_epochs)]
    accuracies = [0.9 - 0.5 * loss for loss in losses]
    return history_of(
        [Started(model="Model", task="classify", num_parameters=9, num_epochs=num_epochs, num_train=50, num_valid=50, steps_per_epoch=99)],
        epochs_of(losses, accuracies, valid_losses=losses),
        updates_of([0.5] * 100, clipped=25),
        [Ended(reason="finished", best_epoch=num_epochs, seconds=1.0)],
    )


WEIGHTS = {"core.weight": torch.arange(6.0).view(2, 3)}


def audit_of(*statuses: str, weights: str | None = None) -> Audit:
    """Return an audit of the weights of `run_directory`, one check a status."""
    outcomes = tuple(
        msgspec.convert(
            {
                "code": f"SW{301 + number}", "name": f"check-{number}", "status": status,
                "evidence": f"padding changes the answers by 0.{number}", "why": "An answer depends on its batch.", "fix": "Pass lengths.",
            },
            Outcome,
        )
        for number, status in enumerate(statuses)
    )  # fmt: skip
    return Audit(
        name="Model", contract=Contract(), outcomes=outcomes, num_calls=9, weights=weights_hash(WEIGHTS) if weights is None else weights
    )


SOUND = audit_of("pass", "not_applicable")


def run_directory(folder: Path, evaluation: Evaluation | None, history: History | None, audit: Audit | None = SOUND) -> Path:
    """Write what a verdict reads of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "model.safetensors").exists():  # a run that was trained keeps its own
        save_weights(WEIGHTS, folder / "model.safetensors")
    if audit is not None:
        audit.save(folder / "audit.json")
    if evaluation is not None:
        write_evaluation(evaluation, folder / "evaluation.json")
    if history is not None:
        (folder / "history.jsonl").write_bytes(encode_records(history.records))
    return folder


def printed(shown: object, width: int = 80) -> str:
    """Return what a terminal without colour shows."""
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(shown)
    return stream.getvalue()


def subjects(verdict: Verdict, points_to: str | None = None) -> list[str]:
    return [reason.subject for reason in verdict.reasons if points_to in (None, reason.points_to)]
