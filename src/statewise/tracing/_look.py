"""How is any module run once on one sequence, so that all its parts are seen? Finds the way to call it, and the layout it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from statewise.contracts import Contract, Outputs, adapt, device_of
from statewise.engine import Recurrent
from statewise.errors import ContractError, OptionError, RunError, ShapeError, kind_of
from statewise.models import Model
from statewise.runs import Run
from statewise.sequences import Ragged, Sequences
from statewise.tracing._given import Given, as_given
from statewise.tracing._mistakes import explained, wrong_width
from statewise.tracing._open import honest, on_cpu, open_cores, open_stepwise
from statewise.tracing._seen import Again, Seen, name_of
from statewise.tracing._shapes import describe, sizes
from statewise.tracing._watch import Call, Watch
from statewise.training import untouched
from statewise.words import counted

UserCall: TypeAlias = Callable[..., Any]


def look(model: Any, sequence: Any, *, contract: Contract | None, call: UserCall | None, row: int) -> Seen:
    """Run a module once on one sequence and note everything; the module is left as it was.

    Raises:
        OptionError: the model is no module, or was never initialised.
        ShapeError: the sequence does not fit, with the part that refused it.
        ContractError: it is not known how the module is called, or it failed.
    """
    module, contract, call, class_names = _as_module(model, contract, call)
    given = as_given(sequence, module, row)
    seen = Seen(module=module, class_names=class_names, notes=list(given.notes))
    with untouched(module):
        if isinstance(module, nn.RNNBase):
            _look_at_layers(seen, module, given, row)
        elif isinstance(module, nn.RNNCellBase):
            _look_at_cell(seen, module, _single(given, row, batch_first=False, seen=seen))
        elif given.dense is not None and call is None and contract is None and not isinstance(module, (Model, Recurrent)):
            _look_at_batch(seen, given.dense, row)
        else:
            _look_through_contract(seen, given, contract, call, row)
    if seen.class_names is None and seen.data is not None and seen.data.class_names is not None:
        seen.class_names = tuple(seen.data.class_names)
    seen.cores = tuple(on_cpu(honest(core, seen.notes)) for core in seen.cores)
    seen.sequence = {name: values.cpu() for name, values in seen.sequence.items()}
    seen.output = None if seen.output is None else seen.output.cpu()
    return seen


def _as_module(model: Any, contract: Contract | None, call: UserCall | None) -> tuple[nn.Module, Contract | None, UserCall | None, Any]:
    names = None
    if isinstance(model, Run):
        if model.model is None:
            raise RunError(
                asked="trace",
                where=f"run '{model.directory}'",
                arrived="it was loaded without its module",
                hint="Give the module: statewise.load(..., model=...).",
            )
        names = tuple(model.config.class_names)
        call = call or model.call
        declared = None if isinstance(model.model, Model) or model.contract.takes is None else model.contract
        model, contract = model.model, contract or declared
    # torch.compile hides the parts: the module it was made from runs the same computation in the open.
    module = getattr(model, "_orig_mod", model)
    if not isinstance(module, nn.Module):
        kind = "the class itself" if isinstance(module, type) else "a function" if callable(module) else kind_of(module)
        raise OptionError(
            asked="trace",
            where="model",
            arrived=f"{kind}, not a torch module",
            hint="Give an instance of nn.Module, a model of statewise.build, or a run.",
        )
    if any(is_lazy(each) for each in [*module.parameters(), *module.buffers()]):
        raise OptionError(
            asked="trace",
            where=f"model {type(module).__name__}",
            arrived="a lazy module that has no sizes yet",
            hint="Call it once on a real batch first: tracing never changes a module.",
        )
    if isinstance(module, Model):
        names = module.class_names
    return module, contract, call, names


def _look_at_layers(seen: Seen, module: nn.RNNBase, given: Given, row: int) -> None:
    """Run an nn.RNN, nn.LSTM or nn.GRU itself, on a batch as it was given or on one sequence."""
    title, seen.data = name_of(module), given.data
    if given.dense is None:
        values = _one_input(given, title)
        dense = values.unsqueeze(0 if module.batch_first else 1) if values.ndim == 2 else values
    else:
        dense = given.dense
    wrong = wrong_width(module.input_size, dense, "input_size")
    if wrong is not None:
        raise ShapeError(asked="trace", where=title, arrived=wrong[0] + _named(seen.feature_names), hint=wrong[1])
    dense = dense.to(device_of(module))
    watch, (outputs, _) = _watched(module, lambda: module(dense))
    seen.again = Again(inputs={"x": dense}, run=lambda inputs: module(inputs["x"]))
    batch, time = (dense.shape[0], dense.shape[1]) if module.batch_first else (dense.shape[1], dense.shape[0])
    seen.calls, seen.batch, seen.batch_first = watch.calls, batch, module.batch_first
    if given.dense is not None:
        seen.row = _require_row(row, batch)
        order = "batch first (batch_first=True)" if module.batch_first else "time first (batch_first=False)"
        shown = f" Shown: row {seen.row + 1} of {batch}." if batch > 1 else ""
        doubt = f" If it is one sequence of {batch} steps, give it as [time, feature]." if time == 1 and batch > 1 else ""
        seen.notes.append(
            f"{title} reads {order}: {sizes(dense.shape)} is {counted(time, 'step')} of a batch of {batch}, "
            f"and gives {sizes(outputs.shape)}.{shown}{doubt}"
        )
    seen.cores = open_cores(seen.calls, seen.row)
    seen.sequence = {"x": seen.cores[0].inputs}
    seen.output, seen.each, seen.reading = seen.cores[0].hidden, "step", "values"


def _look_at_cell(seen: Seen, module: nn.RNNCellBase, given: Given) -> None:
    """Run an nn.RNNCell, nn.LSTMCell or nn.GRUCell along one sequence, from zeros."""
    values = _one_input(given, name_of(module)).to(device_of(module))
    wrong = wrong_width(module.input_size, values, "input_size")
    if wrong is not None:
        raise ShapeError(asked="trace", where=name_of(module), arrived=wrong[0], hint=wrong[1])

    def run(inputs: dict[str, Tensor]) -> Tensor:
        states: list[Any] = [None]
        for now in inputs["x"]:
            states.append(module(now.unsqueeze(0), states[-1]))
        return torch.cat([state[0] if isinstance(state, tuple) else state for state in states[1:]])

    watch, _ = _watched(module, lambda: run({"x": values}))
    seen.again = Again(inputs={"x": values}, run=run)
    seen.data, seen.calls, seen.cores = given.data, watch.calls, open_cores(watch.calls)
    seen.sequence = {"x": values}
    seen.output, seen.each, seen.reading = seen.cores[0].hidden, "step", "values"
    seen.notes.append(f"{name_of(module)} computes a single step: it was called {counted(len(values), 'time')}, its state handed on.")


def _look_at_batch(seen: Seen, dense: Tensor, row: int) -> None:
    """Run a stranger's module on a tensor of three axes as it was given; its core tells which axis is time."""
    dense = dense.to(device_of(seen.module))
    watch, result = _watched(seen.module, lambda: seen.module(dense))
    seen.again = Again(inputs={"x": dense}, run=lambda inputs: seen.module(inputs["x"]))
    seen.calls = watch.calls
    seen.batch_first = _layout(seen.calls, (dense.shape[0], dense.shape[1]))
    if seen.batch_first is None:
        raise ContractError(
            asked="trace",
            where="contract field 'batch_first'",
            arrived=f"a tensor of shape {sizes(dense.shape)}, and no part of {type(seen.module).__name__} tells which axis is time",
            hint="Give one sequence as [time, feature], or declare contract=Contract(batch_first=True) or False.",
        )
    batch, time = (dense.shape[0], dense.shape[1]) if seen.batch_first else (dense.shape[1], dense.shape[0])
    seen.batch, seen.row = batch, _require_row(row, batch)
    seen.sequence = {"x": dense[seen.row] if seen.batch_first else dense[:, seen.row]}
    shown = f" Shown: row {seen.row + 1} of {batch}." if batch > 1 else ""
    doubt = f" If it is one sequence of {batch} steps, give it as [time, feature]." if time == 1 and batch > 1 else ""
    order = "batch first" if seen.batch_first else "time first"
    seen.notes.append(f"Its core reads {sizes(dense.shape)} {order}: {counted(time, 'step')} of a batch of {batch}.{shown}{doubt}")
    _finish(seen, result)


def _look_through_contract(seen: Seen, given: Given, contract: Contract | None, call: UserCall | None, row: int) -> None:
    """Run ours, a module that carries its state, or a stranger's through its contract or the user's own line."""
    module = seen.module
    given = _single(given, row, batch_first=_order_of_axes(module, contract, call), seen=seen)
    assert given.data is not None
    # A tensor [time] of tokens, and targets that would say "one a step", are no part of what is asked here.
    data = seen.data = replace(given.data, targets=None, each=None)
    seen.sequence = {name: part.values for name, part in data.parts.items()}
    ours = isinstance(module, Model)
    if isinstance(module, Recurrent) and not ours and call is None and contract is None:
        _look_at_recurrent(seen, module)
        return
    watch, outputs, filled = _through_adapter(seen, data, contract, call)
    seen.again = _through_contract_again(module, data, filled, call)
    seen.calls, seen.batch_first = watch.calls, True if call is not None else filled.batch_first
    seen.task, seen.reading = filled.task, filled.output
    if isinstance(module, Model):
        _see_core_of_ours(seen, module)
    _finish(seen, outputs)


def _through_contract_again(module: nn.Module, data: Sequences, contract: Contract, call: UserCall | None) -> Again:
    adapted = adapt(module, contract=contract, call=call)

    def run(inputs: dict[str, Tensor]) -> Outputs:
        parts = {name: part.with_values(inputs[name]) for name, part in data.parts.items()}
        return adapted(replace(data, inputs=parts["x"] if isinstance(data.inputs, Ragged) else parts))

    return Again(inputs={name: part.values for name, part in data.parts.items()}, run=run)


def _order_of_axes(module: nn.Module, contract: Contract | None, call: UserCall | None) -> bool | None:
    """Return whether a batch is read batch first: always by ours and by `call=`, else as declared."""
    if call is not None or isinstance(module, Model):
        return True
    if contract is not None:
        return contract.batch_first
    return bool(getattr(module, "batch_first", False)) if isinstance(module, Recurrent) else None


def _through_adapter(
    seen: Seen, data: Sequences, contract: Contract | None, call: UserCall | None
) -> tuple[Watch, Outputs | None, Contract]:
    try:
        adapted = adapt(seen.module, contract=contract, call=call)
    except ContractError as problem:
        if problem.where != "contract field 'batch_first'":
            raise
        return _try_layouts(seen, data, contract or Contract(), problem)
    watch = Watch(seen.module)
    try:
        _, outputs = _watched(seen.module, lambda: adapted(data), watch)
    except ContractError as problem:
        if problem.where != "what forward returned":
            raise
        seen.notes.append(f"The output could not be read: {problem.arrived}. {_way_to_the_output(watch.calls, problem.hint)}")
        outputs = None
    return watch, outputs, adapted.contract


def _way_to_the_output(calls: list[Call], otherwise: str) -> str:
    whole = next((call.output for call in calls if not call.name), None)
    if not isinstance(whole, dict) or not whole:
        return otherwise
    keys = ", ".join(repr(key) for key in whole)
    return f"Its keys are {keys}: say which one with call=lambda module, batch: module(batch.x)[{next(iter(whole))!r}]."


def _try_layouts(seen: Seen, data: Sequences, contract: Contract, problem: ContractError) -> tuple[Watch, Outputs | None, Contract]:
    """Find the order of the axes by running both: the right one is that in which the core sees the steps as steps."""
    import msgspec

    time, right, failed = data.num_steps, [], []
    for batch_first in (True, False):
        tried = msgspec.structs.replace(contract, batch_first=batch_first)
        before = len(seen.notes)
        try:
            found = _through_adapter(seen, data, tried, None)
        except (ShapeError, ContractError) as refused:
            failed.append(refused)
            continue
        said, seen.notes[before:] = seen.notes[before:], []
        if _layout(found[0].calls, (1, time) if batch_first else (time, 1)) == batch_first:
            right.append((batch_first, found, said))
    if len(failed) == 2:
        raise failed[0]
    if len(right) != 1:
        raise problem
    batch_first, found, said = right[0]
    seen.notes += said
    if time > 1:
        order = "[batch, time, feature]" if batch_first else "[time, batch, feature]"
        seen.notes.append(f"Called with {order}: run both ways, its core sees {counted(time, 'step')} of one sequence only in this order.")
    return found


def _layout(calls: list[Call], shape: tuple[int, int]) -> bool | None:
    """Return whether a batch `[a, b]` is batch first, as the first recurrent part saw it; None where none tells."""
    if shape[0] == shape[1]:
        return True if shape[0] == 1 else None
    for call in calls:
        given = call.argument(0, "input")
        if isinstance(call.module, nn.RNNBase) and isinstance(given, Tensor) and given.ndim == 3:
            batch, time = (given.shape[0], given.shape[1]) if call.module.batch_first else (given.shape[1], given.shape[0])
            return True if (batch, time) == shape else False if (time, batch) == shape else None
        if isinstance(call.module, nn.RNNCellBase) and isinstance(given, Tensor) and given.ndim == 2:
            return True if given.shape[0] == shape[0] else False if given.shape[0] == shape[1] else None
    return None


def _look_at_recurrent(seen: Seen, module: nn.Module) -> None:
    """Run a module of one's own that takes and returns its state, one step at a time and whole."""
    values = _one_input(Given(data=seen.data), type(module).__name__).to(device_of(module))
    batch_first = bool(getattr(module, "batch_first", False))
    window = values.unsqueeze(0 if batch_first else 1)

    def run(inputs: dict[str, Tensor]) -> Any:
        return module(inputs["x"], module.initial_state(1, device=values.device, dtype=window.dtype))  # type: ignore[operator]

    watch, (outputs, _) = _watched(module, lambda: run({"x": window}))
    seen.again = Again(inputs={"x": window}, run=run)
    seen.calls, seen.batch_first = watch.calls, batch_first
    inside = open_cores(watch.calls)
    core = None if inside else open_stepwise(module, values, batch_first=batch_first)
    seen.cores = inside or (() if core is None else (core,))
    seen.output, seen.each = seen.rows(outputs), "step"
    seen.reading = "values"


def _see_core_of_ours(seen: Seen, model: Model) -> None:
    """Add the core's call on the whole sequence: the engine runs cores in blocks, or through their weights alone."""
    encoded = next(call.output for call in seen.calls if call.name == "encoder")
    state = model.initial_state(1)
    window = encoded.values.unsqueeze(0 if model.core.batch_first else 1)
    call = Call("core", model.core, (window, state), {}, model.core(window, state))
    others = [each for each in seen.calls if each.name != "core"]
    place = next(number for number, each in enumerate(others) if each.name == "head")
    seen.calls = [*others[:place], call, *others[place:]]


def _finish(seen: Seen, result: Any) -> None:
    """Open the cores, and bring what the module gave back to rows."""
    if not seen.cores:
        seen.cores = open_cores(seen.calls, seen.row)
    if isinstance(seen.module, Model) and seen.module.learned_state:
        seen.cores = tuple(replace(core, began="learned") for core in seen.cores)
    if isinstance(result, Outputs):
        seen.output, seen.each = result.values.detach(), result.each
        return
    first = result[0] if isinstance(result, (tuple, list)) and result else result
    seen.output = seen.rows(first)
    if seen.output is None:
        if result is not None:
            seen.notes.append(f"The module gave back {describe(result)}, which could not be read as one output a sequence or a step.")
        return
    seen.each = "step" if isinstance(first, Tensor) and first.ndim == 3 else "sequence"


def _watched(module: nn.Module, run: Callable[[], Any], watch: Watch | None = None) -> tuple[Watch, Any]:
    watch = watch or Watch(module)
    try:
        with watch:
            return watch, run()
    except Exception as problem:
        told = explained(problem, watch)
        if told is problem:
            raise
        raise told from problem


def _single(given: Given, row: int, *, batch_first: bool | None, seen: Seen) -> Given:
    """Return one sequence; of a batch with three axes the row asked for."""
    if given.data is not None:
        return given
    assert given.dense is not None
    if batch_first is None:
        raise ContractError(
            asked="trace",
            where="contract field 'batch_first'",
            arrived=f"a tensor of shape {sizes(given.dense.shape)}, which may be batch first or time first",
            hint="Give one sequence as [time, feature], or declare Contract(batch_first=True) or False.",
        )
    batch = given.dense.shape[0 if batch_first else 1]
    chosen = _require_row(row, batch)
    values = given.dense[chosen] if batch_first else given.dense[:, chosen]
    order = "batch first" if batch_first else "time first"
    shown = f" Shown: row {chosen + 1} of {batch}." if batch > 1 else ""
    seen.notes.append(f"{sizes(given.dense.shape)} is read {order}: {counted(len(values), 'step')} of a batch of {batch}.{shown}")
    return Given(data=Sequences(inputs=Ragged(values, torch.tensor([len(values)])), source="the sequence given to trace"))


def _require_row(row: int, batch: int) -> int:
    if -batch <= row < batch:
        return row % batch
    raise OptionError(
        asked="trace", where="row", arrived=f"{row}, but the batch has {batch} rows", hint=f"Give a row from 0 to {batch - 1}."
    )


def _one_input(given: Given, title: str) -> Tensor:
    assert given.data is not None
    parts = given.data.parts
    if set(parts) == {"x"}:
        return parts["x"].values
    raise ShapeError(
        asked="trace",
        where=title,
        arrived=f"several inputs ({', '.join(parts)})",
        hint="It reads one: join them with torch.cat, or give call=lambda module, batch: ...",
    )


def _named(names: tuple[str, ...]) -> str:
    return f": {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}" if names else ""
