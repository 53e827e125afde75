"""How do hidden states become the output? Recognises the readout, the output layer and the last squashing from their real values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from statewise.contracts import class_probabilities
from statewise.sequences import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from statewise.tracing._seen import Seen


@dataclass(frozen=True, kw_only=True)
class Head:
    """The output layer: the last linear layer that ran after the recurrent parts.

    Attributes:
        name: dotted path inside the module.
        features: `[rows, k]`, what it read.
        logits: `[rows, out]`, what it gave.
        then: what the module did to that before giving it back: `""` nothing, `"softmax"`, `"log_softmax"`, `"sigmoid"`, or
            `"more"` where it is none of these.
    """

    name: str
    features: Tensor
    logits: Tensor
    then: str


def find_head(seen: Seen) -> Head | None:
    """Return the output layer, or None where no linear layer ran after the recurrent parts."""
    inside = {core.name for core in seen.cores}
    last = max((place for place, call in enumerate(seen.calls) if call.name in inside), default=-1)
    if "" in inside:
        return None
    linear = [call for call in seen.calls[last + 1 :] if isinstance(call.module, nn.Linear)]
    # A layer inside the step loop of cells also runs after the last cell: it counts once for each step.
    for call in reversed(linear):
        features, logits = seen.rows(call.argument(0, "input")), seen.rows(call.output)
        if features is None or logits is None:
            continue
        return Head(name=call.name, features=features, logits=logits, then=_then(logits, seen.output))
    return None


def _then(logits: Tensor, output: Tensor | None) -> str:
    if output is None or output.shape != logits.shape:
        return "more"
    for name, squash in _SQUASHED.items():
        if torch.allclose(squash(logits), output, rtol=1e-5, atol=1e-6):
            return name
    return "more"


_SQUASHED: dict[str, Callable[[Tensor], Tensor]] = {
    "": lambda logits: logits,
    "softmax": lambda logits: logits.softmax(-1),
    "log_softmax": lambda logits: logits.log_softmax(-1),
    "sigmoid": lambda logits: logits.sigmoid(),
}


def find_readout(features: Tensor, hidden: Tensor, *, directions: int) -> str:
    """Return in words how the output layer's input was made from the hidden states `[time, hidden]`; `""` where it is not known."""
    width, half = hidden.shape[1], hidden.shape[1] // 2
    if features.shape[1] < width or not len(hidden):
        return ""
    beside = features.shape[1] - width
    ended = f", with {beside} more numbers beside it" if beside else ""
    features = features[:, :width]
    if features.shape == hidden.shape and len(hidden) > 1 and torch.allclose(features, hidden, rtol=1e-5, atol=1e-6):
        return f"the hidden state of every step{ended}"
    ways = {"the hidden state after the last step": hidden[-1]}
    if directions == 2:
        ways = {"the last state of each direction": torch.cat([hidden[-1, :half], hidden[0, half:]])}
        ways["the hidden state at the last step, where the backward direction has read one step only"] = hidden[-1]
    ways |= {
        "the mean of the hidden states over all steps": hidden.mean(0),
        "the largest value of each unit over all steps": hidden.amax(0),
        "the sum of the hidden states over all steps": hidden.sum(0),
        "the hidden state at the first step": hidden[0],
    }
    if len(features) != 1:
        return ""
    return next((f"{words}{ended}" for words, made in ways.items() if torch.allclose(features[0], made, rtol=1e-5, atol=1e-6)), "")


@dataclass(frozen=True, kw_only=True)
class Chances:
    """Probabilities of classes, where the outputs can be read as such.

    Attributes:
        values: `[rows, classes]`, or None.
        how: how they come from what the last layer gave: `"softmax"`, `"sigmoid"` or `"as given"`.
        names: the label behind each class number, where known.
    """

    values: Tensor | None = None
    how: str = ""
    names: tuple[str, ...] | None = None

    def column_names(self, width: int) -> tuple[str, ...]:
        """Return a name for each of `width` outputs where there is one a class, else nothing."""
        if self.values is None or self.values.shape[1] != width:
            return ()
        return self.names or tuple(f"class {place}" for place in range(width))


def find_chances(seen: Seen, head: Head | None) -> Chances:
    """Return one probability a class for every row of the output.

    Where nobody said what the outputs are, outputs that add up to one are probabilities, and several numbers of an output layer
    are read as logits, with a note; a single number is left alone.
    """
    output = seen.output
    if output is None or not output.is_floating_point() or output.shape[1] == 0:
        return Chances()
    reading = _reading(seen, head, output)
    if reading == "values":
        return Chances()
    squashed = head.then if head is not None else ""
    if squashed == "log_softmax":
        values, how = output.exp(), "softmax"
    elif reading == "probabilities":
        values = output if seen.task == "multilabel" else class_probabilities(output, "probabilities")
        how = squashed if squashed in ("softmax", "sigmoid") else "as given"
    elif seen.task == "multilabel":
        values, how = output.sigmoid(), "sigmoid"
    else:
        values, how = class_probabilities(output, "logits"), "softmax" if output.shape[1] > 1 else "sigmoid"
    known = seen.class_names if seen.class_names is not None and len(seen.class_names) == values.shape[1] else None
    return Chances(values=values, how=how, names=None if known is None else tuple(map(told, known)))


def _reading(seen: Seen, head: Head | None, output: Tensor) -> str:
    """Return what the outputs are: `"logits"`, `"probabilities"` or `"values"`, with a note where that is an assumption."""
    if seen.task in ("regress", "forecast"):
        return "values"
    if seen.reading is not None:
        return seen.reading
    if head is not None and head.then in ("softmax", "log_softmax", "sigmoid"):
        return "probabilities"
    several = output.shape[1] > 1
    if several and bool((output >= 0).all()) and torch.allclose(output.sum(1), output.new_ones(()), atol=1e-4):
        seen.notes.append("The outputs of each row add up to one: they are read as probabilities.")
        return "probabilities"
    if not several or head is None:
        return "values"
    seen.notes.append("Nothing says what the outputs are: they are read as logits. Otherwise: contract=Contract(output='values').")
    return "logits"
