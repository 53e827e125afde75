"""What does a model answer? Any module's outputs on any sequences, as predictions with names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from statewise.contracts import Outputs, adapt, answers, evaluating, require_outputs, resolved
from statewise.errors import ContractError, DataError, nearest
from statewise.evaluation._baselines import naive_answers, naive_forecasts
from statewise.evaluation._outputs import as_fields, columns_of
from statewise.evaluation._predictions import Predictions
from statewise.runs import Run
from statewise.sequences import Sequences
from statewise.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statewise.contracts import Adapted, Contract
    from statewise.types import Each


def predict(
    model: Run | nn.Module, data: Sequences, *, contract: Contract | None = None, call: Callable[..., Any] | None = None
) -> Predictions:
    """Return what a model answers for some sequences; targets are not needed.

    The model is called in eval mode and without gradient, and each of its parts is left in the mode it was in.

    Args:
        model: a run, or any module.
        data: the sequences; those without a step get no prediction, and a note counts them.
        contract: what a stranger's module promises; what it leaves open is as in that of the run.
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
    if adapted.contract.task == "other":
        hint = "Call it yourself and hand the figures on: Predictions.from_columns({...})."
        raise ContractError(asked="predict", where="task='other'", arrived="nothing is known of what its outputs mean", hint=hint)
    _require_features(model, data)
    class_names = _class_names(model, data, adapted)
    columns = _columns(adapted, data, class_names)
    each = adapted.contract.each or "sequence"
    rows = columns["row"]
    notes = (f"{num_empty} sequences without a step have no prediction",) if num_empty else ()
    fields = {**_belonging(data, rows, each), **as_fields(columns, class_names)}
    if "ahead" in fields and isinstance(data.targets, Tensor):
        naive = naive_forecasts(data, int(fields["ahead"].max(initial=1)))
        fields["baselines"] = {name: answers[rows, fields["ahead"] - 1] for name, answers in naive.items()}
        change = model.config.baseline.get("change") if isinstance(model, Run) else None
        if isinstance(change, (int, float)):
            fields["change"] = np.full(len(rows), float(change))
    else:
        learnt = model.config.baseline if isinstance(model, Run) else {}
        given = {name: np.asarray(answers, dtype=np.float64)[rows] for name, answers in data.baselines.items()}
        fields["baselines"] = naive_answers(learnt, fields.get("actual"), len(rows)) | given
    return Predictions(
        task=adapted.contract.task,  # type: ignore[arg-type]  # settled by the first call
        class_names=class_names,
        positive=model.config.positive if isinstance(model, Run) else None,
        source=data.source,
        notes=notes,
        **fields,
    )


def _belonging(data: Sequences, rows: np.ndarray, each: Each) -> dict[str, Any]:
    """Return what belongs to the sequence, or step, of each row."""
    first = next(iter(data.parts.values()))
    sequence = first.rows.numpy()[rows] if each == "step" else rows
    fields: dict[str, Any] = {"key": np.array(data.keys, dtype=object)[sequence], "length": data.lengths.numpy()[sequence]}
    if data.groups is not None:
        fields["group"] = np.array(data.groups, dtype=object)[sequence]
    if each == "step":
        fields["step"] = first.positions.numpy()[rows]
        if data.times is not None:
            fields["more"] = {"time": data.times.cpu().numpy()[rows]}
    if isinstance(data.weights, Tensor) and (each == "step" or not data.weighs_steps):
        fields["weight"] = data.weights.cpu().numpy()[rows if data.weighs_steps else sequence]
        if each == "step":
            fields["history"] = fields["step"]
    return fields


def _adapted(model: Run | nn.Module, contract: Contract | None, call: Callable[..., Any] | None) -> Adapted:
    if isinstance(model, Run):
        if contract is None and call is None:
            return model.adapted()
        told = {} if contract is None else {name: value for name, value in msgspec.structs.asdict(contract).items() if value is not None}
        return adapt(_module(model), contract=msgspec.structs.replace(model.contract, **told), call=call)
    return adapt(model, contract=contract, call=call)


def _module(run: Run) -> nn.Module:
    run.adapted()
    assert run.model is not None
    return run.model


def _columns(adapted: Adapted, data: Sequences, class_names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the columns of predictions of all sequences, in the order of the data."""
    parts: list[dict[str, np.ndarray]] = []
    with evaluating(adapted.module), torch.no_grad():
        for outputs, at in answers(adapted, data):
            _settle(adapted, outputs, data, class_names)
            _require_finite(outputs.values, adapted)
            task = adapted.contract.task
            assert task is not None, "the first call has settled it"
            assert task != "other", "refused before the first call"
            parts.append(columns_of(task)(outputs.values.double().cpu(), data, at, adapted.contract, class_names))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(columns["row"], kind="stable")
    return {name: column[order] for name, column in columns.items()}


def _settle(adapted: Adapted, outputs: Outputs, batch: Sequences, class_names: Sequence[str]) -> None:
    """Complete the contract at the first call, and refuse outputs that do not fit the task."""
    contract = adapted.contract
    if contract.task is None and batch.task is not None and batch.each == outputs.each:
        adapted.contract = msgspec.structs.replace(contract, task=batch.task)
    adapted.contract = resolved(adapted, outputs)
    task = adapted.contract.task
    assert task in TASKS, "another task was refused before the first call"
    require_outputs(outputs.values, class_names, type(adapted.module).__name__, holds=TASKS[task].holds)


def _require_finite(values: Tensor, adapted: Adapted) -> None:
    spoilt = ~values.isfinite()
    if bool(spoilt.any()):
        raise DataError(
            asked="predict",
            where=f"outputs of {type(adapted.module).__name__}",
            arrived=f"{int(spoilt.flatten(1).any(dim=1).sum())} of {len(values)} are NaN or infinite",
            hint="Look for the step that makes them with statewise.trace(model, one_sequence).",
        )


def _class_names(model: Run | nn.Module, data: Sequences, adapted: Adapted) -> tuple[str, ...]:
    task = adapted.contract.task or data.task
    if task in TASKS and TASKS[task].holds == "values":
        return ()
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


def _require_features(model: Run | nn.Module, data: Sequences) -> None:
    """Refuse the right number of features under other names, or in another order."""
    if not isinstance(model, Run):
        return
    single = {} if model.config.feature_names is None else {next(iter(data.parts)): model.config.feature_names}
    for name, wanted in (model.config.input_names or single).items():
        given = data.feature_names_of(name) if name in data.parts else None
        if given is None or len(given) != len(wanted) or given == wanted:
            continue
        missing = [feature for feature in wanted if feature not in given]
        raise DataError(
            asked="predict",
            where=f"features of {data.source}",
            arrived=f"no feature {missing[0]!r}" if missing else f"another order: {', '.join(given[:8])}",
            hint=nearest(missing[0], given) if missing else f"Read them in the order of training: features={list(wanted)[:8]}.",
        )
