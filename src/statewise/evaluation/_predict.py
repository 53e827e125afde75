"""What does a model answer? Any module's outputs on any sequences, as predictions with names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from statewise.contracts import adapt, class_probabilities, require_outputs, resolved
from statewise.errors import DataError, nearest
from statewise.evaluation._predictions import Predictions
from statewise.runs import Run
from statewise.sequences import Sequences, batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statewise.contracts import Adapted, Contract


def predict(
    model: Run | nn.Module, data: Sequences, *, contract: Contract | None = None, call: Callable[..., Any] | None = None
) -> Predictions:
    """Return what a model answers for some sequences; targets are not needed.

    The model is called in eval mode and without gradient, and left in the mode it was in.

    Args:
        model: a run, or any module.
        data: the sequences; those without a step get no prediction, and a note counts them.
        contract: what a stranger's module promises; that of the run by default.
        call: `lambda module, batch: output`, for what a contract cannot say.

    Raises:
        ShapeError: the model reads other features.
        DataError: no sequence with a step, other feature names, or a label that the model does not know.

    Example:
        >>> from statewise.models import build
        >>> from statewise.sequences import Ragged
        >>> data = Sequences(inputs=Ragged(torch.zeros(5, 2), torch.tensor([2, 3])), keys=["a", "b"])
        >>> predict(build("gru", task="classify", input_size=2, class_names=["no", "yes"]), data).key.tolist()
        ['a', 'b']
    """
    kept = torch.nonzero(data.lengths > 0).flatten()
    if not len(kept):
        raise DataError(asked="predict", where=data.source, arrived="no sequence with a step", hint="Give at least one.")
    num_empty = len(data) - len(kept)
    data = data if not num_empty else data.select(kept)
    adapted = _adapted(model, contract, call)
    _require_features(model, data)
    class_names = _class_names(model, data)
    probabilities = _probabilities(adapted, data, class_names)
    each_step = adapted.contract.each == "step"
    repeats = data.lengths.numpy() if each_step else np.ones(len(data), dtype=np.int64)
    binary = len(class_names) == 2
    notes = (f"{num_empty} sequences without a step have no prediction",) if num_empty else ()
    return Predictions(
        task="tag" if each_step else "classify",
        class_names=class_names,
        key=np.repeat(np.array(data.keys, dtype=object), repeats),
        predicted=probabilities.argmax(axis=1),
        actual=_actual(data, class_names),
        step=next(iter(data.parts.values())).positions.numpy() if each_step else None,
        score=probabilities[:, 1] if binary else None,
        score_class=class_names[1] if binary else None,
        probabilities=None if binary else probabilities,
        group=None if data.groups is None else np.repeat(np.array(data.groups, dtype=object), repeats),
        length=np.repeat(data.lengths.numpy(), repeats),
        source=data.source,
        notes=notes,
    )


def _adapted(model: Run | nn.Module, contract: Contract | None, call: Callable[..., Any] | None) -> Adapted:
    if isinstance(model, Run):
        adapted = model.adapted() if contract is None and call is None else adapt(_module(model), contract=contract, call=call)
        adapted.contract = model.contract
        return adapted
    return adapt(model, contract=contract, call=call)


def _module(run: Run) -> nn.Module:
    run.adapted()
    assert run.model is not None
    return run.model


def _probabilities(adapted: Adapted, data: Sequences, class_names: Sequence[str]) -> np.ndarray:
    """Return one probability a class for every target, float64 `[rows, classes]`."""
    training = adapted.module.training
    adapted.module.eval()
    parts = []
    try:
        with torch.no_grad():
            for batch in batches(data, seed=None):
                outputs = adapted(batch)
                require_outputs(outputs.values, class_names, type(adapted.module).__name__)
                if adapted.contract.each is None or adapted.contract.output is None:
                    adapted.contract = resolved(adapted, outputs)
                parts.append(class_probabilities(outputs.values.double(), adapted.contract.output).cpu())
    finally:
        adapted.module.train(training)
    found = torch.cat(parts).numpy()
    if not np.isfinite(found).all():
        raise DataError(
            asked="predict",
            where=f"outputs of {type(adapted.module).__name__}",
            arrived=f"{int((~np.isfinite(found)).any(axis=1).sum())} of {len(found)} are NaN or infinite",
            hint="Look for the step that makes them with statewise.trace(model, one_sequence).",
        )
    return found


def _class_names(model: Run | nn.Module, data: Sequences) -> tuple[str, ...]:
    known = model.config.class_names if isinstance(model, Run) else getattr(model, "class_names", None)
    if known is not None:
        return tuple(known)
    if data.class_names is None:
        raise DataError(
            asked="predict",
            where="class_names",
            arrived="neither the model nor the data names the classes",
            hint="Give Sequences(..., class_names=[...]).",
        )
    return tuple(data.class_names)


def _actual(data: Sequences, class_names: tuple[str, ...]) -> np.ndarray | None:
    """Return the targets numbered as the model numbers its classes."""
    if not isinstance(data.targets, Tensor):
        return None
    numbers: np.ndarray = data.targets.numpy()
    if data.class_names is None or tuple(data.class_names) == class_names:
        return numbers
    unknown = [name for number, name in enumerate(data.class_names) if name not in class_names and bool((numbers == number).any())]
    if unknown:
        raise DataError(
            asked="predict",
            where=f"targets of {data.source}",
            arrived=f"label {unknown[0]!r}, which the model does not know",
            hint=nearest(unknown[0], class_names),
        )
    place = np.array([class_names.index(name) if name in class_names else 0 for name in data.class_names])
    return np.asarray(place[numbers])


def _require_features(model: Run | nn.Module, data: Sequences) -> None:
    """Refuse the right number of features under other names, or in another order."""
    wanted = model.config.feature_names if isinstance(model, Run) else None
    given = data.feature_names
    if wanted is None or not isinstance(given, (tuple, list)) or len(given) != len(wanted) or tuple(given) == wanted:
        return
    missing = [name for name in wanted if name not in given]
    raise DataError(
        asked="predict",
        where=f"features of {data.source}",
        arrived=f"no feature {missing[0]!r}" if missing else f"another order: {', '.join(given[:8])}",
        hint=nearest(missing[0], given) if missing else f"Read them in the order of training: features={list(wanted)[:8]}.",
    )
