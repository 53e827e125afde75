"""How are the recurrent parts of a module opened? Their captured calls are run again step by step, and compared with what they gave."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from statewise.tracing._cells import EQUATIONS, kind_of, step, weights_of
from statewise.tracing._records import Cell, Core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statewise.tracing._watch import Call


def open_cores(calls: Sequence[Call], row: int = 0) -> tuple[Core, ...]:
    """Open every recurrent part that was called, in the order of their first calls.

    Args:
        calls: what a `Watch` noted during one run.
        row: the row of the batch to look at.
    """
    by_name: dict[str, list[Call]] = {}
    for call in calls:
        by_name.setdefault(call.name, []).append(call)
    known = [group for group in by_name.values() if isinstance(group[0].module, (nn.RNNBase, nn.RNNCellBase))]
    if known:
        return tuple(_open_layers(group, row) if isinstance(group[0].module, nn.RNNBase) else _open_cell(group, row) for group in known)
    fed_back = [core for group in by_name.values() if (core := _open_loop(group, row)) is not None]
    return tuple(fed_back[:1])


def _open_layers(calls: list[Call], row: int) -> Core:
    """Open an nn.RNN, nn.LSTM or nn.GRU, called once or several times (in windows, or step by step)."""
    module = calls[0].module
    assert isinstance(module, nn.RNNBase)
    runs = [_run_layers(module, call, row) for call in calls]
    cells = tuple(_joined([run.cells[place] for run in runs]) for place in range(len(runs[0].cells)))
    hidden = torch.cat([run.hidden for run in runs])
    notes = _continuity(calls[0].label, runs)
    return Core(
        name=calls[0].name,
        kind=type(module).__name__,
        cells=cells,
        initial=runs[0].initial,
        began=runs[0].began,
        inputs=torch.cat([run.inputs for run in runs]),
        hidden=hidden,
        batch=runs[0].batch,
        difference=_difference(_top(cells, module), hidden),
        equations=EQUATIONS[kind_of(module)],
        notes=notes,
    )


class _Run:
    """One call of a torch recurrent module, one row of it, step by step."""

    def __init__(self, inputs: Tensor, hidden: Tensor, initial: dict[str, Tensor], *, began: str, batch: int) -> None:
        self.inputs, self.hidden, self.initial, self.began, self.batch = inputs, hidden, initial, began, batch
        self.cells: list[Cell] = []


def _run_layers(module: nn.RNNBase, call: Call, row: int) -> _Run:
    given, state = call.argument(0, "input"), call.argument(1, "hx")
    inputs, batch = _one_row(given, row, batch_first=module.batch_first)
    hidden, _ = _one_row(call.output[0], row, batch_first=module.batch_first)
    initial = _initial(module, state, row)
    run = _Run(inputs, hidden, initial, began=_began(initial), batch=batch)
    directions = 2 if module.bidirectional else 1
    below = inputs
    for layer in range(module.num_layers):
        opened = []
        for direction in range(directions):
            place = layer * directions + direction
            begin = {name: leaf[place, 0] for name, leaf in run.initial.items()}
            name = f"layer {layer + 1}" + ("" if directions == 1 else (" backward" if direction else " forward"))
            opened.append(_run_cell(module, f"_l{layer}{'_reverse' if direction else ''}", below, begin, name))
        run.cells += opened
        below = torch.cat([cell.after["h"] for cell in opened], dim=1)
    return run


def _run_cell(module: nn.RNNBase, suffix: str, inputs: Tensor, state: dict[str, Tensor], name: str) -> Cell:
    weights = weights_of(module, suffix)
    backward = suffix.endswith("_reverse")
    steps = []
    for now in inputs.flip(0) if backward else inputs:
        work, new = step(weights, now, state)
        steps.append((state, work, new))
        state = new
    if backward:
        steps.reverse()
    before, work, after = (_stacked([entry[part] for entry in steps]) for part in range(3))
    return Cell(name=name, inputs=inputs, before=before, work=work, after=after, backward=backward)


def _initial(module: nn.RNNBase, state: Any, row: int) -> dict[str, Tensor]:
    """Return the state before the first step, `[layers x directions, 1, size]` by name."""
    places = module.num_layers * (2 if module.bidirectional else 1)
    like = weights_of(module, "_l0").hidden
    names = ("h", "c") if isinstance(module, nn.LSTM) else ("h",)
    if state is None:
        sizes = {"h": module.proj_size or module.hidden_size, "c": module.hidden_size}
        return {name: like.new_zeros(places, 1, sizes[name]) for name in names}
    leaves = state if isinstance(state, (tuple, list)) else (state,)
    return {name: (leaf[:, row : row + 1] if leaf.ndim == 3 else leaf.unsqueeze(1)) for name, leaf in zip(names, leaves, strict=True)}


def _began(initial: dict[str, Tensor]) -> str:
    return "given" if any(bool(leaf.any()) for leaf in initial.values()) else "zeros"


def _one_row(values: Tensor | PackedSequence, row: int, *, batch_first: bool) -> tuple[Tensor, int]:
    """Return the steps `[time, size]` of one row, and how many rows there are."""
    if isinstance(values, PackedSequence):
        padded, lengths = pad_packed_sequence(values, batch_first=True)
        return padded[row, : int(lengths[row])], len(lengths)
    if values.ndim == 2:
        return values, 1
    values = values if batch_first else values.transpose(0, 1)
    return values[row], values.shape[0]


def _open_cell(calls: list[Call], row: int) -> Core:
    """Open an nn.RNNCell, nn.LSTMCell or nn.GRUCell that a module calls once a step."""
    module = calls[0].module
    assert isinstance(module, nn.RNNCellBase)
    names = ("h", "c") if isinstance(module, nn.LSTMCell) else ("h",)
    weights = weights_of(module, "")
    inputs, before, work, given, differences = [], [], [], [], []
    for call in calls:
        now = _cell_row(call.argument(0, "input"), row)
        state = call.argument(1, "hx")
        leaves = [now.new_zeros(module.hidden_size)] * len(names) if state is None else [_cell_row(leaf, row) for leaf in _leaves(state)]
        begin = dict(zip(names, leaves, strict=True))
        parts, new = step(weights, now, begin)
        out = dict(zip(names, [_cell_row(leaf, row) for leaf in _leaves(call.output)], strict=True))
        differences += [_difference(new[name], out[name]) for name in names]
        inputs.append(now)
        before.append(begin)
        work.append(parts)
        given.append(out)
    cell = Cell(name="layer 1", inputs=torch.stack(inputs), before=_stacked(before), work=_stacked(work), after=_stacked(given))
    first = calls[0].argument(0, "input")
    return Core(
        name=calls[0].name,
        kind=type(module).__name__,
        cells=(cell,),
        initial={name: leaf.view(1, 1, -1) for name, leaf in before[0].items()},
        began=_began(before[0]),
        inputs=cell.inputs,
        hidden=cell.after["h"],
        batch=first.shape[0] if first.ndim == 2 else 1,
        difference=max(differences),
        equations=EQUATIONS[kind_of(module)],
        notes=_breaks(calls[0].label, cell),
    )


def _open_loop(calls: list[Call], row: int) -> Core | None:
    """Open a part of one's own that is called once a step with what it gave back at the step before; None where it is not so."""
    if len(calls) < 2:
        return None
    given = [_tensors_in([*call.args, *call.kwargs.values()]) for call in calls]
    back = [_tensors_in(call.output) for call in calls]
    if len({len(each) for each in given}) != 1 or len({len(each) for each in back}) != 1:
        return None
    pairs = {
        (out, place)
        for out in range(len(back[0]))
        for place in range(len(given[0]))
        if all(_same(left[out], right[place]) for left, right in zip(back, given[1:], strict=False))
    }
    fresh = [place for place in range(len(given[0])) if place not in {place for _, place in pairs}]
    if not pairs or not fresh:
        return None
    names = {pair: f"state {number + 1}" if len(pairs) > 1 else "h" for number, pair in enumerate(sorted(pairs))}
    inputs = torch.stack([_cell_row(each[fresh[0]], row) for each in given])
    before = {name: torch.stack([_cell_row(each[place], row) for each in given]) for (_, place), name in names.items()}
    after = {name: torch.stack([_cell_row(each[out], row) for each in back]) for (out, _), name in names.items()}
    cell = Cell(name="layer 1", inputs=inputs, before=before, work={}, after=after)
    return Core(
        name=calls[0].name,
        kind=type(calls[0].module).__name__,
        cells=(cell,),
        initial={name: leaf[0].view(1, 1, -1) for name, leaf in before.items()},
        began=_began({name: leaf[0] for name, leaf in before.items()}),
        inputs=inputs,
        hidden=next(iter(after.values())),
        batch=given[0][fresh[0]].shape[0] if given[0][fresh[0]].ndim > 1 else 1,
        notes=(f"{calls[0].label} is code of its own: what it gives back is what it is given at the next step, so that is its state.",),
    )


def open_stepwise(module: nn.Module, inputs: Tensor, *, batch_first: bool) -> Core | None:
    """Open a module of one's own that takes and returns its state, by feeding it one step at a time.

    Args:
        module: has `initial_state(batch_size, device=, dtype=)` and `forward(inputs, state) -> (outputs, state)`.
        inputs: `[time, feature]`.
        batch_first: the order of its first two axes.

    Returns:
        The opened core, or None where its state holds no tensors.
    """
    state = begun = module.initial_state(1, device=inputs.device, dtype=inputs.dtype)  # type: ignore[operator]
    before, after, outputs = [], [], []
    for now in inputs:
        before.append(_named(state))
        out, state = module(now.view(1, 1, -1), state)
        after.append(_named(state))
        outputs.append(out.reshape(-1))
    initial = _named(begun)
    if not initial or not outputs:
        return None
    window = inputs.unsqueeze(0 if batch_first else 1)
    whole, _ = module(window, begun)
    hidden = torch.stack(outputs)
    return Core(
        name="",
        kind=type(module).__name__,
        cells=(Cell(name="layer 1", inputs=inputs, before=_stacked(before), work={}, after=_stacked(after)),),
        initial={name: leaf.view(1, 1, -1) for name, leaf in initial.items()},
        began=_began(initial),
        inputs=inputs,
        hidden=whole.reshape(hidden.shape),
        difference=_difference(hidden, whole.reshape(hidden.shape)),
        notes=(f"{type(module).__name__} is code of its own: it was fed one step at a time, and its state is shown as it returned it.",),
    )


def _named(state: Any) -> dict[str, Tensor]:
    leaves = _tensors_in(state)
    names = ["h"] if len(leaves) == 1 else [f"state {number + 1}" for number in range(len(leaves))]
    return {name: leaf.detach().reshape(-1).clone() for name, leaf in zip(names, leaves, strict=True)}


def _tensors_in(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    elif hasattr(value, "__dataclass_fields__"):
        value = list(vars(value).values())
    return [leaf for part in value for leaf in _tensors_in(part)] if isinstance(value, (list, tuple)) else []


def _leaves(state: Any) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else list(state)


def _cell_row(values: Tensor, row: int) -> Tensor:
    return values[row] if values.ndim > 1 else values


def _same(left: Tensor, right: Tensor) -> bool:
    return left.shape == right.shape and left.is_floating_point() and left.numel() > 0 and torch.equal(left, right)


def _stacked(entries: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([entry[name] for entry in entries]) for name in entries[0]}


def _joined(cells: list[Cell]) -> Cell:
    first = cells[0]

    def join(part: str) -> dict[str, Tensor]:
        return {name: torch.cat([getattr(cell, part)[name] for cell in cells]) for name in getattr(first, part)}

    inputs = torch.cat([cell.inputs for cell in cells])
    return Cell(name=first.name, inputs=inputs, before=join("before"), work=join("work"), after=join("after"), backward=first.backward)


def _top(cells: tuple[Cell, ...], module: nn.RNNBase) -> Tensor:
    return torch.cat([cell.after["h"] for cell in cells[-(2 if module.bidirectional else 1) :]], dim=1)


def _difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max()) if ours.numel() else 0.0


def _continuity(label: str, runs: list[_Run]) -> tuple[str, ...]:
    """Say whether a core that was called several times was handed its state from call to call."""
    if len(runs) == 1:
        return ()
    places = len(runs[0].cells)
    lost = [
        number + 2
        for number, (left, right) in enumerate(pairwise(runs))
        if not all(
            torch.allclose(cell.after[name][0 if cell.backward else -1], right.initial[name][place, 0], atol=1e-5)
            for place, cell in zip(range(places), left.cells, strict=True)
            for name in right.initial
        )
    ]
    if not lost:
        return (f"{label} was called {len(runs)} times, and each call began from the state in which the one before ended.",)
    shown = ", ".join(str(number) for number in lost[:6])
    return (f"{label} was called {len(runs)} times, and the state was not carried into call {shown}{', ...' if len(lost) > 6 else ''}.",)


def _breaks(label: str, cell: Cell) -> tuple[str, ...]:
    """Say at which steps a cell did not begin from the state that it had handed on."""
    lost = [
        number + 2
        for number in range(len(cell.inputs) - 1)
        if not all(torch.equal(cell.after[name][number], cell.before[name][number + 1]) for name in cell.before)
    ]
    if not lost:
        return ()
    shown = ", ".join(str(number) for number in lost[:6])
    return (f"{label} did not begin from the state it had handed on at step {shown}{', ...' if len(lost) > 6 else ''}.",)


def honest(core: Core, notes: list[str]) -> Core:
    """Drop what was recomputed where it is not what the module computed, and say so."""
    notes += core.notes
    if core.difference is None or not core.hidden.numel():
        return core
    label = f"{core.kind} {core.name!r}" if core.name else core.kind
    # cuDNN rounds the products of float32 to ten bits where TF32 is allowed, as it is by default.
    rounding = 1e-2 if core.hidden.is_cuda else torch.finfo(core.hidden.dtype).eps ** 0.5
    allowed = rounding * max(1.0, float(core.hidden.abs().max()))
    if core.difference <= allowed:
        notes.append(f"{label} was run again step by step: largest difference from its own output {core.difference:.1e}.")
        return core
    notes.append(
        f"{label} could not be opened: run again step by step it differs by {core.difference:.1e} from its own output, so it does "
        "more than its weights say. Its own output is shown, its cells are not."
    )
    return replace(core, cells=())


def on_cpu(core: Core) -> Core:
    """Return a core with all its tensors on the CPU."""

    def move(parts: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: part.cpu() for name, part in parts.items()}

    def move_cell(cell: Cell) -> Cell:
        return replace(cell, inputs=cell.inputs.cpu(), before=move(cell.before), work=move(cell.work), after=move(cell.after))

    cells = tuple(move_cell(cell) for cell in core.cells)
    return replace(core, cells=cells, initial=move(core.initial), inputs=core.inputs.cpu(), hidden=core.hidden.cpu())
