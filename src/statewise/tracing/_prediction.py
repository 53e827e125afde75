"""How does one prediction come about, layer by layer, from the first step to the probabilities?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from statewise.tracing._records import Cell, Core, Stage
from statewise.tracing._shapes import flat, gives, gives_together
from statewise.words import counted

if TYPE_CHECKING:
    from statewise.tracing._readout import Chances, Head
    from statewise.tracing._seen import Seen


def prediction_layers(seen: Seen, head: Head | None, chances: Chances) -> list[Stage]:
    """Follow one prediction: input at step 1, cell computation, state passed on, output layer, probabilities.

    Where there is one output a step, it is that of step 1. Without an opened core there is nothing to follow.
    """
    if not seen.cores or not seen.cores[0].cells:
        return []
    layers = [_first_input(seen), _first_cell(seen), _passed_on(seen)]
    at = " at step 1" if seen.each == "step" else ""
    if head is not None and len(head.logits):
        layers.append(_output_layer(head, chances, at))
    if chances.values is not None and len(chances.values):
        layers.append(_chances(seen, chances, chances.values[:1], at))
    return layers


def _output_layer(head: Head, chances: Chances, at: str) -> Stage:
    logits = head.logits[:1]
    classes = chances.column_names(logits.shape[1])
    each = (
        "each class weighs what was read in its own way, and adds a bias" if classes else "what was read, weighed and added up, plus a bias"
    )
    return Stage(
        name=f"final output layer{at}",
        says=f"W h + b: {each}.",
        shape=f"1 x {head.features.shape[1]} gives 1 x {logits.shape[1]}",
        values={"h, read out": head.features[:1], "W h + b": logits},
        axes=("", "class" if classes else "out"),
        columns=classes,
    )


def _chances(seen: Seen, chances: Chances, values: Tensor, at: str) -> Stage:
    says = {
        "softmax": "exp of each logit, divided by their sum: between 0 and 1, together 1.",
        "sigmoid": "1 / (1 + exp(-logit)): a probability between 0 and 1.",
        "as given": "The outputs are probabilities as they come.",
    }[chances.how]
    names = chances.column_names(values.shape[1])
    best = int(values[0].argmax())
    answer = "" if seen.task == "multilabel" else f" The answer is {names[best]}, with {float(values[0, best]):.3f}."
    return Stage(
        name=f"{'probabilities' if chances.how == 'as given' else chances.how}{at}",
        says=says + answer,
        shape=f"1 x {values.shape[1]}",
        values=values,
        axes=("", "class"),
        columns=names,
        view="bars",
    )


def _first_input(seen: Seen) -> Stage:
    given = {name: flat(values)[:, :1] if values.ndim == 1 else flat(values)[:1] for name, values in seen.sequence.items()}
    read = seen.cores[0].inputs[:1]
    first = next(iter(given.values()))
    same = len(given) == 1 and first.shape == read.shape and torch.allclose(first.to(read.dtype), read)
    as_given = {"as given" if len(given) == 1 else f"{name}, as given": values for name, values in given.items()}
    return Stage(
        name="input at step 1",
        says="The first row of the sequence." if same else "The first row of the sequence, and what the core reads of it.",
        shape=f"1 x {read.shape[1]}",
        values=read if same else {**as_given, "as the core reads it": read},
        axes=("", "feature"),
        columns=seen.feature_names if len(seen.feature_names) == read.shape[1] else (),
    )


def _first_cell(seen: Seen) -> Stage:
    values: dict[str, Tensor] = {}
    shapes: list[tuple[str, str]] = []
    for _, cell, prefix in _cells(seen.cores):
        made = cell.work or {f"new state {name}" if len(cell.after) > 1 else "new state": state for name, state in cell.after.items()}
        values |= {f"{prefix}{name}": each[:1] for name, each in made.items() if len(each)}
        shapes.append((prefix.strip(), gives(cell)))
    backward = any(cell.backward for _, cell, _ in _cells(seen.cores))
    own_code = "The state before and the input make the new state, in the module's own code."
    says = next((core.equations for core in seen.cores if core.equations), own_code)
    note = " The backward direction reads this step last." if backward else ""
    return Stage(name="cell computation at step 1", says=says + note, shape=gives_together(shapes), values=values, axes=("", "unit"))


def _passed_on(seen: Seen) -> Stage:
    values: dict[str, Tensor] = {}
    for _, cell, prefix in _cells(seen.cores):
        time = len(cell.inputs)
        start, end = (time, 1) if cell.backward else (1, time)
        for name, states in cell.after.items():
            leaf = f" {name}" if len(cell.after) > 1 else ""
            first, last = states[start - 1 : start], states[end - 1 : end]
            values[f"{prefix}after step {start}{leaf}"] = first
            if time > 1:
                values[f"{prefix}after step {end}{leaf}"] = last
    core = seen.cores[-1]
    width = next(iter(core.cells[-1].after.values())).shape[1] if core.cells else core.hidden.shape[1]
    time = len(core.inputs)
    on = f"The new state goes into step 2 with that step's input, and so on to step {time}."
    return Stage(
        name="hidden state passed on",
        says=on if time > 1 else "There is one step: the state goes nowhere else.",
        shape=f"1 x {width}, {counted(time, 'time')}",
        values=values,
        axes=("", "unit"),
    )


def _cells(cores: tuple[Core, ...]) -> list[tuple[Core, Cell, str]]:
    """Return every cell with its core and the words that tell it from the others."""
    found = []
    for core in cores:
        for cell in core.cells:
            words = [core.name] * (len(cores) > 1) + [cell.name] * (len(core.cells) > 1)
            found.append((core, cell, "".join(f"{word} " for word in words)))
    return found
