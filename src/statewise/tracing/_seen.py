"""What did one run of a module show, and how is the module named?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from torch import Tensor, nn

from statewise.models import Model
from statewise.sequences import Sequences, told
from statewise.tasks import TASKS
from statewise.tracing._records import Core
from statewise.tracing._watch import Call
from statewise.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Reading: TypeAlias = Literal["logits", "probabilities", "values"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Again:
    """How the module is run once more.

    Attributes:
        inputs: what it was run on, by name, in the layout that it reads.
        run: runs it on such inputs, and returns what it gave back.
    """

    inputs: Mapping[str, Tensor]
    run: Callable[[dict[str, Tensor]], Any]


@dataclass(kw_only=True)
class Seen:
    """What one run of a module showed; all but the calls on the CPU.

    Attributes:
        sequence: what was given, of the one sequence that is shown: `[time, *]` by the name of the input.
        calls: every call of every part.
        cores: the recurrent parts, opened.
        output: `[1, out]` or `[time, out]`, of the sequence that is shown; None where the module gave back no tensor.
        each: whether that is one output a sequence or a step.
        reading: what the outputs are, where that is known.
        again: how to run it once more; None where nothing could be run.
        row, batch, batch_first: which row of how many, and the order of the axes of what the parts were called with.
        tensors: brings what a part was called with, or gave back, to the rows of the one sequence.
    """

    module: nn.Module
    data: Sequences | None = None
    sequence: dict[str, Tensor] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    cores: tuple[Core, ...] = ()
    output: Tensor | None = None
    each: Literal["sequence", "step"] = "sequence"
    reading: Reading | None = None
    task: str | None = None
    class_names: tuple[str, ...] | None = None
    again: Again | None = None
    row: int = 0
    batch: int = 1
    batch_first: bool | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features of a single input as they can stand in a line, where they are known."""
        names = None if self.data is None else self.data.feature_names
        return tuple(map(told, names)) if isinstance(names, (list, tuple)) else ()

    def rows(self, values: Any) -> Tensor | None:
        """Return the rows `[1, k]` or `[time, k]` of the one sequence in a part's input or output, or None where they cannot be told."""
        if not isinstance(values, Tensor) or not 1 <= values.ndim <= 3:
            return None
        one: Tensor = values.cpu()
        if one.ndim == 3:
            first = self.batch_first if self.batch > 1 and self.batch_first is not None else one.shape[0] == self.batch
            return (one if first else one.transpose(0, 1))[min(self.row, self.batch - 1)]
        if one.ndim == 1:
            return one[self.row].view(1, 1) if self.batch > 1 and len(one) == self.batch else one.unsqueeze(0)
        return one[self.row : self.row + 1] if self.batch > 1 and len(one) == self.batch else one


def name_of(module: nn.Module) -> str:
    """Return how a module is named in a title, with its sizes where it is a recurrent one of torch.

    Example:
        >>> name_of(nn.GRU(5, 4, num_layers=2, bidirectional=True))
        'GRU(5, 4, num_layers=2, bidirectional)'
    """
    kind = type(module).__name__
    if isinstance(module, Model):
        config = module.config
        direction = "bidirectional " if config.bidirectional else ""
        word = {"classes": "class", "labels": "label", "values": "value"}[TASKS[config.task].holds]
        given = counted(config.num_outputs if word == "value" else len(config.class_names), word)
        return f"{kind} ({direction}{config.core}, hidden {config.hidden_size}, {given})"
    if not isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        return kind
    layers = getattr(module, "num_layers", 1)
    projected = getattr(module, "proj_size", 0)
    more = [f"num_layers={layers}"] * (layers > 1) + [f"proj_size={projected}"] * (projected > 0)
    more += ["bidirectional"] * bool(getattr(module, "bidirectional", False))
    return f"{kind}({', '.join([str(module.input_size), str(module.hidden_size), *more])})"
