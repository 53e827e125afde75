"""How good is a recipe on what it has not seen? One model a fold, trained without it and scored on it; nothing of it chooses an epoch.

Which sequences make a fold is told by `sequences.folds` and, by time, `sequences.split`.
"""

from __future__ import annotations

import inspect
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from torch import nn

from statewise.errors import DataError, OptionError, RunError, nearest
from statewise.evaluation import FOLD, Predictions, evaluate, predict, select_rows
from statewise.sequences import Sequences, folds, require_sequences, split
from statewise.training._cross_validation import CrossValidation, Fold, PartScore
from statewise.training._fit import fit, interrupted
from statewise.training._generators import drawn_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from statewise.runs import Run

ASKED = "cross_validate"
By: TypeAlias = Literal["sequence", "group", "time"]
_NOT_OPTIONS = ("model", "train", "valid", "seed", "directory", "resume", "positive")
_CUT = "cut by time at "
"""How the note of `split` begins that tells the times of the cuts."""

_METRICS = {"classes": "accuracy", "values": "rmse", "labels": "hamming_accuracy"}


class _Cut(NamedTuple):
    train: Sequences
    valid: Sequences | None
    test: Sequences
    left_out: str


def cross_validate(
    build: Callable[..., nn.Module],
    data: Sequences,
    *,
    by: By | None = None,
    n: int | Literal["each"] = 5,
    valid: float = 0.15,
    options: Mapping[str, Any] | None = None,
    embargo: float = 0.0,
    seed: int = 0,
    stratify: bool = True,
    positive: str | None = None,
    directory: Path | str | None = None,
    callbacks: Sequence[Callable[[Fold], Any]] = (),
) -> CrossValidation:
    """Train a fresh model for each fold on the others, and score it on the fold.

    What a fold holds is seen by no training, no scale and no choice of an epoch: validation is cut from the training part, in the same
    way (by group where folds are by group). All models share most of their training part, so that the intervals speak of new groups
    under about this training data, and not of other training data.

    Args:
        build: makes a fresh model: `build()`, or `build(train)` where it takes the training part. Its weights are drawn from `seed`.
        data: labelled sequences.
        by: what is never split: `"group"` (person, engine, account) or `"sequence"`; or `"time"`: each fold is a stretch of time, and
            its model learns from the time before alone (rolling origin); the first stretch is trained on only. Absent, the group
            where there are groups, else the sequence.
        n: the number of folds, or `"each"` to leave out one group (or sequence) at a time.
        valid: share of each training part that chooses the epoch; 0: none, and the last weights are kept.
        options: options of `fit`, such as `{"epochs": 20, "lr": 0.005}`.
        embargo: by time: how long after a cut nothing is scored, as in `split`.
        seed: of folds, weights and training; the same seed gives the same answers.
        stratify: whether folds keep the shares of the classes.
        positive: the class that a binary task looks for.
        directory: where the run of each fold is kept, in `fold-1` and so on; None keeps none.
        callbacks: functions of one `Fold`, called as each ends; `[print]` tells of the progress.

    Raises:
        DataError: no groups or times to cut by, or too few of them.
        OptionError: `build` is a module, or an option has a value it cannot have, or is none of `fit`.
        RunError: the training of a fold failed; it is named.

    Example:
        >>> import torch
        >>> from statewise.models import build
        >>> from statewise.sequences import Ragged
        >>> inputs = Ragged(torch.tensor([[0.0], [1.0]] * 20), torch.full((20,), 2))
        >>> data = Sequences(inputs=inputs, targets=["no", "yes"] * 10, groups=[f"g{row // 5}" for row in range(20)])
        >>> make = lambda: build("gru", task="classify", input_size=1, hidden_size=2, class_names=["no", "yes"])
        >>> found = cross_validate(make, data, by="group", n="each", valid=0, options={"epochs": 1})
        >>> [part.name for part in found.parts], found.evaluation.num_units, found.predictions.split[0]
        (['g0', 'g1', 'g2', 'g3'], 4, 'fold 1')
    """
    if isinstance(build, nn.Module):
        hint = "Give what makes a fresh one for each fold: lambda: build(...), or a function of the training part."
        raise OptionError(asked=ASKED, where="build", arrived=f"a module ({type(build).__name__}), not what makes one", hint=hint)
    require_sequences(data, asked=ASKED, where="data")
    if data.targets is None:
        raise DataError(asked=ASKED, where=data.source, arrived="no targets", hint="Give labelled sequences.")
    by = by or ("sequence" if data.groups is None else "group")
    given = _checked(options or {}, valid, embargo, by)
    cuts = list(_cuts(data, by, n, valid=valid, embargo=embargo, seed=seed, stratify=stratify))
    done: list[Fold] = []
    answers: list[Predictions] = []
    for number, cut in enumerate(cuts, start=1):
        folder = None if directory is None else Path(directory) / f"fold-{number}"
        run, predictions = _trained(build, cut, given, seed=seed, positive=positive, directory=folder, name=f"fold {number} of {len(cuts)}")
        answers.append(_out_of_fold(predictions, number, by))
        done.append(_fold(run, cut, answers[-1], number, len(cuts)))
        for callback in callbacks:
            callback(done[-1])
    joined = _joined(answers, _note(data, by))
    evaluation = evaluate(joined, positive=positive)
    return CrossValidation(
        by=by, metric=done[0].metric, folds=tuple(done), parts=_parts(joined, done, by), predictions=joined, evaluation=evaluation
    )


def _checked(options: Mapping[str, Any], valid: float, embargo: float, by: str) -> dict[str, Any]:
    """Return the options of `fit`, none of which is unknown or told elsewhere."""
    known = [name for name in inspect.signature(fit).parameters if name not in _NOT_OPTIONS]
    odd = next((name for name in options if name not in known), None)
    if odd is not None:
        hint = "It is an argument of cross_validate, or of each fold's own." if odd in _NOT_OPTIONS else nearest(odd, known)
        raise OptionError(asked=ASKED, where="options", arrived=f"{odd!r}, which is no option of fit here", hint=hint)
    if not 0 <= valid < 1:
        hint = "Give a share of the training part, such as 0.15, or 0 for none."
        raise OptionError(asked=ASKED, where="valid", arrived=str(valid), hint=hint)
    if embargo and by != "time":
        raise OptionError(asked=ASKED, where="embargo", arrived=f"{embargo:g}, beside by={by!r}", hint="It belongs to by='time'.")
    return dict(options)


def _cuts(data: Sequences, by: By, n: int | Literal["each"], *, valid: float, embargo: float, seed: int, stratify: bool) -> Iterator[_Cut]:
    """Yield the parts of each fold."""
    if by == "time":
        pairs = _rolling(data, n, embargo)
        more: dict[str, Any] = {"by": "time", "embargo": embargo}
    else:
        pairs = folds(data, by=by, n=n, seed=seed, stratify=stratify)
        more = {"by": by, "stratify": stratify, "seed": seed}
    for number, (train, test) in enumerate(pairs, start=1):
        inner = None
        if valid:
            try:
                train, inner = split(train, fractions=(1 - valid, valid), **more)  # noqa: PLW2901 - the rest of it is the training part
            except DataError as problem:
                where = f"validation of fold {number}, from its training part"
                hint = "Give more data, fewer folds, or valid=0: then the last weights are kept."
                raise DataError(asked=ASKED, where=where, arrived=f"{problem.where}: {problem.arrived}", hint=hint) from problem
        yield _Cut(train, inner, test, _left_out(test, by))


def _rolling(data: Sequences, n: int | Literal["each"], embargo: float) -> Iterator[tuple[Sequences, Sequences]]:
    """Yield what lies before each stretch of time, and the stretch, its state warmed by what lies before."""
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise OptionError(asked=ASKED, where="n", arrived=repr(n), hint="By time, give the number of stretches that are scored, 1 or more.")
    total = data.num_steps
    ends = [round(number * total / (n + 1)) for number in range(1, n + 2)]
    for begin, end in pairwise(ends):
        # In whole steps, so that where one stretch ends the next one begins.
        shares = [begin / total, (end - begin) / total, (total - end) / total]
        train, test, *_ = split(data, by="time", fractions=[share for share in shares if share], embargo=embargo)
        yield train, test


def _left_out(test: Sequences, by: str) -> str:
    """Return in words what a fold leaves out."""
    if by == "group":
        groups = list(dict.fromkeys(test.groups or ()))
        named = ", ".join(map(repr, groups[:3])) + (f" and {len(groups) - 3} more" if len(groups) > 3 else "")
        return f"group {named}" if len(groups) == 1 else f"groups {named}"
    if by == "time":
        told = next(note for note in reversed(test.notes) if note.startswith(_CUT)).removeprefix(_CUT)
        begin, *end = told.partition(";")[0].split(", ")
        return f"the time from {begin} {f'to {end[0]}' if end else 'on'}"
    return f"{len(test):,} sequences"


def _trained(
    build: Callable[..., nn.Module],
    cut: _Cut,
    options: dict[str, Any],
    *,
    seed: int,
    positive: str | None,
    directory: Path | None,
    name: str,
) -> tuple[Run, Predictions]:
    """Return the run of a fold and what it answers there; whatever fails, the fold is named."""
    try:
        model = _built(build, cut.train, seed)
        run = fit(model, cut.train, cut.valid, seed=seed, positive=positive, directory=directory, **options)
        answers = predict(run, cut.test)
    except Exception as problem:
        hint = "Train on this fold alone to look into it; the error above says where it began."
        arrived = f"{type(problem).__name__}: {problem}".rstrip(".")
        raise RunError(asked=ASKED, where=f"{name} ({cut.left_out} left out)", arrived=arrived, hint=hint) from problem
    if interrupted(run):
        raise KeyboardInterrupt
    return run, answers


def _built(build: Callable[..., nn.Module], train: Sequences, seed: int) -> nn.Module:
    """Return a fresh model, its weights drawn from the seed."""
    with drawn_apart(seed):
        model = build(train) if _takes_data(build) else build()
    if not isinstance(model, nn.Module):
        raise OptionError(asked=ASKED, where="build", arrived=f"it returned {model!r}", hint="It returns a fresh torch module.")
    return model


def _takes_data(build: Callable[..., nn.Module]) -> bool:
    """Return whether a function must be given the training part."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):  # some callables written in C tell nothing
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(each.kind in positional and each.default is inspect.Parameter.empty for each in parameters)


def _out_of_fold(predictions: Predictions, number: int, by: str) -> Predictions:
    """Return the answers of a fold, which is named in each row; by time without the steps that only warmed the state."""
    if by == "time" and predictions.weight is not None:
        predictions = select_rows(predictions, predictions.weight > 0)
    return replace(predictions, split=np.full(len(predictions), f"{FOLD}{number}", dtype=object))


def _fold(run: Run, cut: _Cut, answers: Predictions, number: int, of: int) -> Fold:
    metric = "bits" if answers.task == "next" else _METRICS[answers.holds]
    ended = run.history.ended()
    assert ended is not None, "fit has returned"
    return Fold(
        number=number,
        of=of,
        left_out=cut.left_out,
        num_train=len(cut.train),
        num_valid=0 if cut.valid is None else len(cut.valid),
        num_scored=int(_counts(answers).sum()),
        metric=metric,
        value=_figure(answers, metric),
        epochs=len(run.history.epochs()),
        best_epoch=ended.best_epoch,
    )


def _figure(answers: Predictions, metric: str) -> float:
    """Return the figure of some answers; rows of weight 0 and values that are not known do not count, and NaN where none does."""
    assert answers.actual is not None, "the data has targets"
    kept = _counts(answers)
    if not kept.any():
        return float("nan")
    if metric == "rmse":
        return float(np.sqrt(((answers.predicted - answers.actual)[kept] ** 2).mean()))
    if metric == "bits":
        assert answers.nll is not None, "predict gives it for tokens"
        return float(answers.nll[kept].mean() / np.log(2))
    return float((answers.predicted == answers.actual)[kept].mean())


def _counts(answers: Predictions) -> np.ndarray:
    """Return which rows count, as those do that `evaluate` scores: bool `[rows]`."""
    assert answers.actual is not None, "the data has targets"
    kept = np.ones(len(answers), dtype=bool) if answers.weight is None else answers.weight != 0
    return kept & ~np.isnan(answers.actual) if answers.holds == "values" else kept


def _note(data: Sequences, by: By) -> tuple[str, ...]:
    """Return what must be known of groups that are on both sides of a cut."""
    if by != "sequence" or data.groups is None:
        return ()
    return ("folds by sequence although there are groups: a group is trained on and scored, and nothing is said of new ones",)


def _joined(answers: Sequence[Predictions], more: tuple[str, ...]) -> Predictions:
    """Return the answers of all folds, one fold after another."""
    first = answers[0]
    if any(each.class_names != first.class_names for each in answers):
        hint = "Name all classes: Sequences(..., class_names=[...])."
        raise DataError(asked=ASKED, where="class_names", arrived="models of different folds tell other classes apart", hint=hint)
    joined: dict[str, Any] = {}
    for each in fields(first):
        parts = [getattr(one, each.name) for one in answers]
        if all(isinstance(part, np.ndarray) for part in parts):
            joined[each.name] = np.concatenate(parts)
        elif each.name in ("baselines", "more"):
            shared = [name for name in parts[0] if all(name in part for part in parts)]
            joined[each.name] = {name: np.concatenate([part[name] for part in parts]) for name in shared}
        elif any(isinstance(part, np.ndarray) for part in parts):
            joined[each.name] = None
    notes = dict.fromkeys(note for each in answers for note in each.notes)
    return replace(first, **joined, notes=(*notes, *more))


def _parts(joined: Predictions, done: Sequence[Fold], by: str) -> tuple[PartScore, ...]:
    """Return the figure of each group, or of each fold where groups are not left out."""
    assert joined.split is not None, "each row names its fold"
    if by != "group" or joined.group is None:
        return tuple(PartScore(name=f"fold {fold.number}", fold=fold.number, num_scored=fold.num_scored, value=fold.value) for fold in done)
    found = []
    for group in dict.fromkeys(joined.group.tolist()):
        rows = select_rows(joined, joined.group == group)
        assert rows.split is not None
        fold = int(rows.split[0].removeprefix(FOLD))
        found.append(PartScore(name=group, fold=fold, num_scored=int(_counts(rows).sum()), value=_figure(rows, done[0].metric)))
    return tuple(found)
