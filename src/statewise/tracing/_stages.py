"""Which stages does a sequence pass on its way to an output, and what are the numbers at each?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from statewise.models import Model
from statewise.sequences import Ragged
from statewise.tracing._backwards import gradients_by_lag
from statewise.tracing._prediction import prediction_layers
from statewise.tracing._readout import Chances, Head, find_chances, find_head, find_readout
from statewise.tracing._records import Core, Stage, Submodule, Trace
from statewise.tracing._seen import name_of
from statewise.tracing._shapes import describe, flat, gives, gives_together, sizes
from statewise.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from statewise.tracing._seen import Seen
    from statewise.tracing._watch import Call


def build_trace(seen: Seen, *, gradients: bool = False) -> Trace:
    """Return the trace of what one run showed, with gradients by lag where asked for."""
    head = find_head(seen)
    chances = find_chances(seen, head)
    stages = [_input_stage(seen), *_encoded_stages(seen)]
    for core in seen.cores:
        stages += _core_stages(core, f" of {core.name}" if len(seen.cores) > 1 else "")
    stages += _readout_stages(seen, head)
    if seen.output is not None:
        stages.append(_output_stage(seen, head, chances))
    if not seen.cores:
        seen.notes.append(_no_core(seen))
    back = gradients_by_lag(seen, chances) if gradients else None
    return Trace(
        title=f"{name_of(seen.module)} on {_input_shape(seen)}",
        stages=tuple(stages),
        layers=tuple(prediction_layers(seen, head, chances)),
        gradients=back,
        cores=seen.cores,
        hidden=seen.cores[-1].hidden if seen.cores else None,
        outputs=seen.output,
        probabilities=chances.values,
        class_names=chances.names,
        submodules=tuple(_submodules(seen.calls)),
        notes=tuple(seen.notes),
    )


def _no_core(seen: Seen) -> str:
    kinds = sorted({type(call.module).__name__ for call in seen.calls if call.name})
    ran = f"what ran is {', '.join(kinds[:8])}{', ...' if len(kinds) > 8 else ''}" if kinds else "no submodule ran"
    return (
        f"No recurrent core found: {ran}. A state that the module's own code keeps cannot be opened; "
        "the inputs and outputs of every submodule are listed."
    )


def _input_shape(seen: Seen) -> str:
    shapes = {name: _steps(values) for name, values in seen.sequence.items()}
    if len(shapes) == 1:
        return next(iter(shapes.values()))
    return "; ".join(f"{name}: {shape}" for name, shape in shapes.items())


def _steps(values: Tensor) -> str:
    if values.ndim == 1:
        return f"{counted(len(values), 'step')} of token numbers" if not values.is_floating_point() else counted(len(values), "step")
    if values.ndim > 2:
        return f"{counted(len(values), 'step')} x {sizes(values.shape[1:])}"
    return f"{counted(len(values), 'step')} x {counted(values.shape[1], 'feature')}"


def _input_stage(seen: Seen) -> Stage:
    single = len(seen.sequence) == 1
    values = next(iter(seen.sequence.values()))
    tokens = single and values.ndim == 1 and not values.is_floating_point()
    return Stage(
        name="input sequence",
        says=f"What the model reads: one {'token' if tokens else 'row of numbers'} a step, in order.",
        shape=_input_shape(seen),
        values=flat(values) if single else {name: flat(part) for name, part in seen.sequence.items()},
        axes=("", "step") if tokens else ("step", "feature"),
        columns=seen.feature_names if single and values.ndim == 2 and len(seen.feature_names) == values.shape[1] else (),
    )


def _encoded_stages(seen: Seen) -> list[Stage]:
    """Show what the first core reads, where that is not the sequence itself."""
    if not seen.cores:
        return []
    read, values = seen.cores[0].inputs, next(iter(seen.sequence.values()))
    if len(seen.sequence) == 1 and read.shape == values.shape and torch.allclose(read, values.to(read.dtype)):
        return []
    name, says = _encoding(seen)
    shape = f"{counted(len(read), 'step')} x {counted(read.shape[1], 'feature')}"
    return [Stage(name=name, says=says, shape=shape, values=read, axes=("step", "feature"))]


def _encoding(seen: Seen) -> tuple[str, str]:
    """Return the name of the stage between the sequence and the first core, and what happens there."""
    if isinstance(seen.module, Model):
        if seen.module.config.categories:
            scaled = "Numbers standardised with the training part's mean and spread, categories looked up as vectors"
            return "encoded input", f"{scaled}: what the core reads."
        scaled = "Each feature minus its mean, divided by its spread, both taken from the training part"
        return "standardised input", f"{scaled}: what the core reads."
    leaves = [call.name for call in seen.calls if call.name and not any(call.module.children())]
    first = seen.cores[0].name
    before = leaves[: leaves.index(first)] if first in leaves else []
    shown = ", ".join(repr(name) for name in before[:4]) + (", ..." if len(before) > 4 else "")
    return "input as the core reads it", f"The sequence after {shown or 'code of the module itself'}."


def _core_stages(core: Core, suffix: str) -> list[Stage]:
    stages = [_initial_stage(core, suffix)]
    if core.cells:
        stages.append(_cells_stage(core, suffix))
    return [*stages, _hidden_stage(core, suffix)]


def _initial_stage(core: Core, suffix: str) -> Stage:
    places = max(1, len(core.cells))
    directions = 2 if any(cell.backward for cell in core.cells) else 1
    sizes_of = {name: leaf.shape[-1] for name, leaf in core.initial.items()}
    layers = counted(places // directions, "layer") + (" x 2 directions" if directions == 2 else "")
    alike = len(set(sizes_of.values())) == 1
    named = ", ".join(f"{name} {size}" for name, size in sizes_of.items())
    hidden = f"hidden {next(iter(sizes_of.values()))}" if alike else named
    both = f" ({' and '.join(sizes_of)})" if alike and len(sizes_of) > 1 else ""
    says = {
        "zeros": "The memory before anything was read: all zeros.",
        "learned": "The memory before anything was read: learned in training, the same for every sequence.",
        "given": "The memory before the first step, as it was handed in.",
    }[core.began]
    num_places = next(iter(core.initial.values())).shape[0]
    values = {_label(core, name, place): leaf[place] for place in range(num_places) for name, leaf in core.initial.items()}
    return Stage(
        name=f"initial hidden state{suffix}",
        says=says,
        shape=f"{layers} x batch {core.batch} x {hidden}{both}, {core.began}",
        values=next(iter(core.initial.values())) if len(values) == 1 else values,
        axes=("", "unit"),
    )


def _label(core: Core, name: str, place: int) -> str:
    return f"{core.cells[place].name} {name}" if len(core.cells) > 1 and place < len(core.cells) else name


def _cells_stage(core: Core, suffix: str) -> Stage:
    shapes: list[tuple[str, str]] = []
    values: dict[str, Tensor] = {}
    for cell in core.cells:
        prefix = f"{cell.name} " if len(core.cells) > 1 else ""
        states = list(cell.before)
        words = {name: "" if states == ["h"] else f" {name}" for name in states}
        values[f"{prefix}input"] = cell.inputs
        values |= {f"{prefix}state{words[name]}": cell.before[name] for name in states}
        values |= {f"{prefix}new state{words[name]}": cell.after[name] for name in states}
        shapes.append((cell.name, gives(cell)))
    memory = "hidden state and cell state" if list(core.cells[0].before) == ["h", "c"] else "state"
    return Stage(
        name=f"cell processing at each step{suffix}",
        says=f"At each step the cell takes that step's input and the {memory} before it, and makes a new one.",
        shape=gives_together(shapes),
        values=values,
        axes=("step", "unit"),
    )


def _hidden_stage(core: Core, suffix: str) -> Stage:
    time, width = core.hidden.shape
    backward = any(cell.backward for cell in core.cells)
    halves = f" ({width // 2} forward, {width // 2} backward)" if backward else ""
    top = " of the top layer" if len({cell.name.split()[1] for cell in core.cells if cell.name.startswith("layer")}) > 1 else ""
    return Stage(
        name=f"hidden state updated across time{suffix}",
        says=f"The state{top} after each step: a row a step, a column a unit. This is the memory at work.",
        shape=f"{time} x {width}{halves}",
        values=core.hidden,
        axes=("step", "unit"),
        view="heat",
    )


def _readout_stages(seen: Seen, head: Head | None) -> list[Stage]:
    """Show what the output layer reads, where that is not simply the state after the last step."""
    if head is None or not seen.cores:
        return []
    found = _readout(seen, head)
    plain = found in ("the hidden state after the last step", "the hidden state of every step")
    if plain and not isinstance(seen.module, Model):
        return []
    made = found or "made from the hidden states by code of the module itself"
    axes = ("step" if len(head.features) > 1 else "", "unit")
    return [
        Stage(
            name="readout",
            says=f"What the output layer reads: {made}.",
            shape=sizes(head.features.shape),
            values=head.features,
            axes=axes,
        )
    ]


def _readout(seen: Seen, head: Head) -> str:
    core = seen.cores[-1]
    attention = seen.module.attention if isinstance(seen.module, Model) else None
    if attention is not None:
        with torch.no_grad():
            weights = attention.weights(Ragged(core.hidden, torch.tensor([len(core.hidden)])))
        if torch.allclose(weights @ core.hidden, head.features[0, : core.hidden.shape[1]], rtol=1e-5, atol=1e-6):
            most = int(weights.argmax())
            share = f"{float(weights[most]):.1%} to step {most + 1}"
            return f"the mean of the hidden states, each with the weight that attention gives it, most of it, {share}"
    return find_readout(head.features, core.hidden, directions=2 if any(cell.backward for cell in core.cells) else 1)


def _output_stage(seen: Seen, head: Head | None, chances: Chances) -> Stage:
    output = seen.output
    assert output is not None
    rows, width = output.shape
    columns = chances.column_names(width)
    axes = ("step" if seen.each == "step" else "", "class" if columns else "out")
    if head is None:
        return Stage(name="output", says=_without_head(seen, output), shape=sizes(output.shape), values=output, axes=axes, columns=columns)
    squashed = head.then not in ("", "more")
    per_step = f" at each of {rows} steps" if seen.each == "step" else ""
    return Stage(
        name="output",
        says=_through_head(seen, head),
        shape=f"1 x {head.features.shape[1]} gives 1 x {width}{_classes_word(width, chances, head)}{per_step}",
        values={"read": head.features, **({"logits": head.logits} if squashed else {}), "output": output},
        axes=axes,
        columns=columns,
    )


def _without_head(seen: Seen, output: Tensor) -> str:
    if seen.cores and output.shape == seen.cores[-1].hidden.shape and torch.equal(output, seen.cores[-1].hidden):
        return "There is no output layer: what the module gives back is its hidden state at each step."
    return "What the module gave back; no output layer was found."


def _through_head(seen: Seen, head: Head) -> str:
    read = f"the last linear layer{f' {head.name!r}' if head.name else ''}"
    turned = {"": "turns it into the output", "more": "is followed by more code, whose result is the output"}.get(
        head.then, f"and {head.then.replace('_', ' ')} turn it into the output"
    )
    made = _readout(seen, head) if seen.cores else ""
    words = f"{made} goes in; {read} {turned}" if made else f"{read} {turned}"
    return f"{words[0].upper()}{words[1:]}."


def _classes_word(width: int, chances: Chances, head: Head) -> str:
    if chances.values is None:
        return ""
    if width > 1:
        return " classes"
    return f" (one {'probability' if head.then == 'sigmoid' else 'logit'}, for two classes)"


def _submodules(calls: Iterable[Call]) -> Iterable[Submodule]:
    """Return a row for every part that was called, in the order of the first calls."""
    grouped: dict[str, list[Call]] = {}
    for call in calls:
        grouped.setdefault(call.name, []).append(call)
    for name, group in grouped.items():
        first = group[0]
        small = isinstance(first.output, Tensor) and 0 < first.output.numel() <= 64
        yield Submodule(
            name=name,
            kind=type(first.module).__name__,
            inputs=describe((*first.args, *first.kwargs.values())),
            outputs=describe(first.output),
            calls=len(group),
            values=first.output.cpu() if small else None,
        )
