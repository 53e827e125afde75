"""SW811 to SW814: are answers paired with their targets, kept from seeing them, and made in the right mode?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from statewise.auditing._check import Found, check
from statewise.auditing._metric_doors import MetricFailedError, nearly

if TYPE_CHECKING:
    from statewise.auditing._metric import MetricSubject


@check("SW811", "targets-broadcast", needs=("function", "metric_of_values"))
def targets_broadcast(subject: MetricSubject) -> Found:
    """Each value is compared with its own target, not with all of them.

    How:
        Perfect values are scored: an error that is that of every value against every target is a failure. Then they are given as [n, 1], as
        a head of one unit gives them; where an evaluation scores them differently it is a warning, of a bare function it is observed.
    Why:
        [n, 1] minus [n] is [n, n]: the error is the spread of the targets, and a model that answers their mean looks best.
    Mend:
        output.squeeze(-1), or compare shapes before subtracting.
    Seen in:
        aiboxlab/nlp#97, deepset-ai/FARM#229
    """
    values = np.concatenate(subject.noisy.targets)
    apart = values[:, None] - values
    everything = {"mean squared error": np.mean(apart**2), "mean absolute error": np.mean(abs(apart)), "rmse": np.sqrt(np.mean(apart**2))}
    for name, value in everything.items():
        if abs(subject.best - value) <= 1e-4 * value:
            says = f"perfect values have an error of {subject.best:.4g}: the {name} of every value against every target"
            return Found(status="fail", evidence=says, value=subject.best, limit=0.0)
    if subject.by_step:
        return Found(status="pass", evidence=f"perfect values score {subject.best:.4g}")
    try:
        column = _as_column(subject)
    except (MetricFailedError, ValueError) as problem:
        return Found(status="pass", evidence=f"values of shape [n, 1] are refused: {problem}")
    says = f"perfect values of shape [n] score {subject.best:.4g}, of shape [n, 1] {column:.4g}"
    if nearly(column, subject.best):
        return Found(status="pass", evidence=says)
    return Found(status="warn" if subject.door.is_model else "observed", evidence=says, value=column, limit=subject.best)


def _as_column(subject: MetricSubject) -> float:
    perfect = subject.noisy.perfect()
    if subject.door.is_model:
        return replace(subject.door, column=True).score(perfect)
    if subject.door.is_object or len(subject.door.takes) != 2:
        raise ValueError("the metric takes more than targets and predictions")
    place = subject.door.takes.index("predictions")

    def as_column(*given: object) -> object:
        shown = list(given)
        shown[place] = shown[place].reshape(-1, 1)  # type: ignore[attr-defined]
        return subject.door.fn(*shown)

    return replace(subject.door, fn=as_column).score(perfect)


@check("SW812", "teacher-forcing-in-evaluation", needs=("function", "evaluation"))
def teacher_forcing_in_evaluation(subject: MetricSubject) -> Found:
    """The model is not given the targets that it is scored on.

    How:
        The evaluation runs twice on the same inputs, the second time with other targets: what the model is given beside its inputs must be
        the same.
    Why:
        Offline the model continues the truth; live it must continue its own answers, and does far worse.
    Mend:
        Let the model run freely in evaluation: feed its own last answer back (`sw.generate`), never the target.
    Seen in:
        keon/seq2seq#8, sgrvinod/a-PyTorch-Tutorial-to-Image-Captioning#6
    """
    count, targets = subject.num_classes, subject.noisy.targets
    other = subject.noisy.with_targets([(each + 1) % count if count else each[::-1] + 0.5 for each in targets])
    seen = [subject.door.watch(asked, batch_size=7)[1].given for asked in (subject.noisy, other)]
    if seen[0] == seen[1]:
        beside = "lengths or the like" if any(seen[0]) else "nothing"
        return Found(status="pass", evidence=f"beside its inputs the model is given {beside}, whatever the targets are")
    changed = sum(one != two for one, two in zip(*seen, strict=False)) + abs(len(seen[0]) - len(seen[1]))
    says = f"with other targets the model is given something else in {changed} of {max(map(len, seen))} calls"
    return Found(status="fail", evidence=says, value=float(changed), limit=0.0)


@check("SW813", "train-mode-in-evaluation", needs=("function", "evaluation"))
def train_mode_in_evaluation(subject: MetricSubject) -> Found:
    """The model is evaluated in eval mode.

    How:
        A model in train mode is handed over, and writes down its mode in each call.
    Why:
        Dropout drops and batch norms read the batch: the figure is noisy and too low, and depends on the batch.
    Mend:
        Call model.eval() first, under torch.no_grad() or torch.inference_mode().
    Seen in:
        amoudgl/pygoturn#14, LiyuanLucasLiu/LM-LSTM-CRF#10
    """
    _, watched = subject.door.watch(subject.noisy, batch_size=7, train=True)
    if not watched.modes:
        return Found(status="not_applicable", evidence="the model is never called")
    wrong = sum(watched.modes)
    says = f"the model is in train mode in {wrong} of {len(watched.modes)} calls"
    return Found(status="fail" if wrong else "pass", evidence=says, value=float(wrong), limit=0.0)


@check("SW814", "mode-not-restored", needs=("function", "evaluation"), after=("SW813",))
def mode_not_restored(subject: MetricSubject) -> Found:
    """After an evaluation the model is in the mode that it was in before.

    How:
        The evaluation gets a model in train mode, and one in eval mode; the mode afterwards is looked at.
    Why:
        An evaluation in the middle of an epoch switches dropout off for the rest of it, and nothing tells.
    Mend:
        was_training = model.training; model.eval(); ...; model.train(was_training)
    """
    after = {mode: subject.door.watch(subject.noisy, batch_size=7, train=mode)[1].mode_after for mode in (True, False)}
    left = [("train" if mode else "eval", "train" if end else "eval") for mode, end in after.items() if mode != end]
    if not left:
        return Found(status="pass", evidence="the mode afterwards is the one before")
    says = " and ".join(f"a model in {before} mode is left in {end} mode" for before, end in left)
    return Found(status="warn", evidence=says, value=float(len(left)), limit=0.0)
