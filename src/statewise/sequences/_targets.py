"""What is a target: one class, a number, or several labels? And which targets is each output about?

The number of a label is `_labels`'; which task wants what is told in `statewise.tasks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from statewise.errors import DataError, OptionError, ShapeError
from statewise.sequences._labels import as_classes
from statewise.tasks import TASKS, Holds
from statewise.types import Each, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statewise.sequences._sequences import Sequences

UNKNOWN = "<unknown>"
"""The reserved token of the task `next`, for every one that is not in the file or folder that was read for training."""

_USUAL: dict[tuple[Holds, Each], Task] = {
    ("classes", "sequence"): "classify",
    ("classes", "step"): "tag",
    ("values", "sequence"): "regress",
    ("values", "step"): "regress",
    ("labels", "sequence"): "multilabel",
    ("labels", "step"): "multilabel",
}


def as_targets(targets: Any, class_names: Sequence[str] | None) -> tuple[Tensor, tuple[str, ...] | None]:
    """Return targets in the one form of their kind, and the names of the classes or labels.

    Args:
        targets: whole numbers or labels for classes (int64); floating numbers for values (float32); an array of two axes, of
            True and False or of 0 and 1, for several labels at once (bool).
        class_names: the label behind each class number, or the name of each of several labels.

    Raises:
        DataError: class numbers or labels that have no name.

    Example:
        >>> [as_targets(given, None)[0].dtype for given in (["a", "b"], [0.5, 2.0], torch.tensor([[True, False]]))]
        [torch.int64, torch.float32, torch.bool]
    """
    if isinstance(targets, (list, tuple)) and targets and all(isinstance(each, float) for each in targets):
        targets = np.array(targets)
    if isinstance(targets, np.ndarray) and targets.dtype.kind in "iufb":
        targets = torch.from_numpy(targets)
    if isinstance(targets, Tensor) and targets.ndim == 2:
        return _as_labels(targets, class_names)
    if isinstance(targets, Tensor) and targets.dtype.is_floating_point:
        return targets.float(), None
    return as_classes(targets, class_names)


def holds_of(targets: Tensor) -> Holds:
    """Return what targets in their one form are."""
    return "labels" if targets.ndim == 2 else "values" if targets.dtype.is_floating_point else "classes"


def settled_task(task: Task | None, holds: Holds, each: Each) -> Task:
    """Return what targets are for; the usual task where none is stated.

    Raises:
        OptionError: the task needs targets of another kind, or at other places.
    """
    if task is None:
        return _USUAL[holds, each]
    if task == "other":
        return task
    facts = TASKS[task]
    if facts.holds != holds or each not in facts.each:
        raise OptionError(
            asked="Sequences(...)",
            where=f"task={task!r}",
            arrived=f"targets that are {_TOLD[holds]}, one a {each}",
            hint=f"The task wants {_TOLD[facts.holds]}, one a {' or a '.join(facts.each)}.",
        )
    return task


_TOLD: dict[Holds, str] = {"classes": "classes", "values": "numbers (float)", "labels": "several labels (a column each)"}


def as_weights(weights: Any, *, each: Each | None, lengths: Tensor) -> Float[Tensor, " targets"]:
    """Return one weight a target, float32; those of whole sequences are spread over their steps where targets are one a step.

    Raises:
        ShapeError: neither one a sequence nor one a step.
        DataError: a weight below 0, or one that is not finite.
    """
    given = torch.as_tensor(weights, dtype=torch.float32)
    sizes = {"sequence": len(lengths), "step": int(lengths.sum())}
    wanted = sizes[each or "sequence"]
    if each == "step" and given.shape == (len(lengths),) and given.shape != (wanted,):
        given = given.repeat_interleave(lengths.to(given.device))
    if given.shape != (wanted,) and not (each is None and given.shape == (sizes["step"],)):
        raise ShapeError(
            asked="Sequences(...)",
            where="weights",
            arrived=f"a shape of {tuple(given.shape)} for {sizes['sequence']} sequences with {sizes['step']} steps",
            hint="Give one weight a target, or one a sequence.",
        )
    bad = ~(given.isfinite() & (given >= 0))
    if bool(bad.any()):
        raise DataError(
            asked="Sequences(...)",
            where=f"weights, entry {int(bad.nonzero()[0])}",
            arrived=f"{float(given[bad][0])}",
            hint="A weight is 0 (fed, not scored) or more.",
        )
    return given


def as_baselines(baselines: Mapping[str, Any], targets: Any, task: Task | None) -> dict[str, Float[Tensor, " targets"]]:
    """Return what naive methods answer, by name: float32, one a target; NaN where one has no answer. Without targets there is nothing.

    Raises:
        OptionError: targets that are not those of `regress`.
        ShapeError: not one a target.
        DataError: an infinite answer.
    """
    if not baselines or targets is None:
        return {}
    if task != "regress":
        hint = "They hold what could be answered instead of the values of 'regress': leave them out."
        raise OptionError(asked="Sequences(...)", where="baselines", arrived=f"the task {task!r}", hint=hint)
    found = {str(name): torch.as_tensor(values, dtype=torch.float32) for name, values in baselines.items()}
    for name, values in found.items():
        where = f"baselines[{name!r}]"
        if values.shape != (len(targets),):
            arrived = f"a shape of {tuple(values.shape)} for {len(targets)} targets"
            raise ShapeError(
                asked="Sequences(...)", where=where, arrived=arrived, hint="Give one number a target, NaN where there is none."
            )
        if bool(values.isinf().any()):
            raise DataError(asked="Sequences(...)", where=where, arrived="an infinite number", hint="Give NaN where there is no answer.")
    return found


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """What each output of a model is held against.

    Attributes:
        targets: `[rows]` of class numbers or values, `[rows, labels]`, or for a forecast `[rows, horizon]`.
        weights: `[rows]`, for a forecast `[rows, horizon]`; 0 where nothing is scored.
    """

    targets: Tensor
    weights: Tensor


def aligned(data: Sequences, task: Task, horizon: int = 1, *, at: Int[Tensor, "..."] | None = None) -> Aligned:
    """Return the targets that the outputs of a task are about, in the order of the outputs.

    Most outputs are about their own sequence or step. One of `next` is about the step after it, one of `forecast` about the
    `horizon` steps after it; where a sequence has ended before, the weight is 0.

    Args:
        data: sequences with targets.
        task: what the outputs are for.
        horizon: steps ahead, for `forecast`.
        at: the steps (or sequences, where each has one target) whose outputs these are, of any shape `[*rows]`; None for all of them.

    Example:
        >>> from statewise.sequences import Ragged, Sequences
        >>> series = Sequences(inputs=Ragged(torch.zeros(3, 1), torch.tensor([3])), targets=[5.0, 6.0, 7.0])
        >>> aligned(series, "forecast", 2).targets.tolist()
        [[6.0, 7.0], [7.0, 7.0], [7.0, 7.0]]
        >>> aligned(series, "forecast", 2).weights.tolist()
        [[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]
        >>> aligned(series, "next", at=torch.tensor([1])).targets.tolist()
        [7.0]
    """
    targets = data.targets
    assert isinstance(targets, Tensor), "the caller has refused data without targets"
    weights = data.weights if isinstance(data.weights, Tensor) else targets.new_ones((1,), dtype=torch.float32).expand(len(targets))
    if task not in TASKS or not TASKS[task].ahead:
        return Aligned(targets=targets, weights=weights) if at is None else Aligned(targets=targets[at], weights=weights[at])
    steps, inside = steps_ahead(data.lengths, horizon if task == "forecast" else 1, at=at)
    later = Aligned(targets=targets[steps], weights=torch.where(inside, weights[steps], 0.0))
    return later if task == "forecast" else Aligned(targets=later.targets[..., 0], weights=later.weights[..., 0])


def steps_ahead(
    lengths: Int[Tensor, " n"], horizon: int, *, at: Int[Tensor, "..."] | None = None
) -> tuple[Int[Tensor, "... horizon"], Bool[Tensor, "... horizon"]]:
    """Return the steps 1 to `horizon` after each step, and whether they are in the same sequence; those that are not are its last.

    Args:
        lengths: of the sequences.
        horizon: how many steps.
        at: the steps after which, of any shape `[*rows]`; None for all, `[steps]`.

    Example:
        >>> steps, inside = steps_ahead(torch.tensor([2, 1]), 1)
        >>> steps.flatten().tolist(), inside.flatten().tolist()
        ([1, 1, 2], [True, False, False])
    """
    ends = lengths.cumsum(0)
    if at is None:
        at, last = torch.arange(int(lengths.sum()), device=lengths.device), (ends - 1).repeat_interleave(lengths)
    else:
        last = ends[torch.searchsorted(ends, at, right=True)] - 1
    steps = at[..., None] + torch.arange(1, horizon + 1, device=lengths.device)
    return torch.minimum(steps, last[..., None]), steps <= last[..., None]


def require_known(targets: Tensor, weights: Tensor | None) -> None:
    """Refuse values that are NaN or infinite where they are scored; NaN with a weight of 0 is a target that is not known.

    Raises:
        DataError: the first one is named.
    """
    if not targets.dtype.is_floating_point:
        return
    bad = (~targets.isfinite() if weights is None else ~targets.isfinite() & (weights > 0)).nonzero()
    if len(bad):
        raise DataError(
            asked="Sequences(...)",
            where=f"targets, entry {int(bad[0])}",
            arrived=f"{len(bad)} of {targets.numel()} values that are NaN or infinite",
            hint="Give them the weight 0 (weights=), so that they are fed and not scored; or drop them.",
        )


def _as_labels(targets: Shaped[Tensor, "rows labels"], names: Sequence[str] | None) -> tuple[Tensor, tuple[str, ...]]:
    given = tuple(str(name) for name in names) if names is not None else tuple(str(number) for number in range(targets.shape[1]))
    if len(given) != targets.shape[1]:
        raise DataError(
            asked="Sequences(...)",
            where="class_names",
            arrived=f"{len(given)} names for {targets.shape[1]} labels",
            hint="Give one name a column of targets.",
        )
    odd = (targets != 0) & (targets != 1)
    if bool(odd.any()):
        raise DataError(
            asked="Sequences(...)",
            where=f"targets, entry {odd.nonzero()[0].tolist()}",
            arrived=f"{targets[odd][0].item()}",
            hint="Several labels at once are columns of True and False, or of 1 and 0.",
        )
    return targets.bool(), given
