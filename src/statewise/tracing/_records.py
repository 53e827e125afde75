"""What does a trace hold? Stages with shapes and real values, and how they are handed to a screen, a page or a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console, ConsoleOptions, RenderResult

View: TypeAlias = Literal["table", "heat", "bars", "lags"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """One stage of the way from a sequence to an output.

    Attributes:
        name: what the stage is, such as `"initial hidden state"`.
        says: one sentence for a reader who sees it for the first time.
        shape: sizes in words, such as `"10 steps x 5 features"`.
        values: the real numbers: a tensor whose rows and columns are named by `axes`, or a dict of such tensors.
        axes: what a row and what a column of the values is.
        columns: a name for each column (features, classes); empty where columns are only numbered.
        view: how the values are best shown: numbers, a picture across time, bars, or bars by lag on a logarithmic scale.
    """

    name: str
    says: str
    shape: str
    values: Tensor | dict[str, Tensor]
    axes: tuple[str, str] = ("step", "unit")
    columns: tuple[str, ...] = ()
    view: View = "table"

    def parts(self) -> Mapping[str, Tensor]:
        """Return the values by name; a single tensor is called `""`."""
        return {"": self.values} if isinstance(self.values, Tensor) else self.values

    def column_names(self, name: str) -> tuple[str, ...]:
        """Return what the columns of one part are called: by `columns` where they fit, else numbered from 1.

        Where columns are outputs, only the last part has them: those before it are what the output was made from.
        """
        parts, word = self.parts(), self.axes[1]
        width = parts[name].shape[-1]
        if word in ("class", "out") and name != list(parts)[-1]:
            return tuple(f"unit {place + 1}" for place in range(width))
        return self.columns if len(self.columns) == width else tuple(f"{word} {place + 1}" for place in range(width))

    def to_dict(self) -> dict[str, Any]:
        """Return the stage as plain numbers and words; what is not finite becomes None."""
        return {
            "name": self.name,
            "says": self.says,
            "shape": self.shape,
            "axes": list(self.axes),
            "columns": list(self.columns),
            "values": plain(self.values) if isinstance(self.values, Tensor) else {name: plain(part) for name, part in self.values.items()},
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Submodule:
    """What went in and out of one part of the module.

    Attributes:
        name: dotted path inside the module; `""` for the module itself.
        kind: its class.
        inputs: shapes of what it was called with.
        outputs: shapes of what it gave back.
        calls: how often it was called; shapes are those of the first call.
        values: the output of the first call where it is at most 64 numbers.
    """

    name: str
    kind: str
    inputs: str
    outputs: str
    calls: int = 1
    values: Tensor | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain numbers and words."""
        names = ("name", "kind", "inputs", "outputs", "calls")
        return {**{name: getattr(self, name) for name in names}, "values": None if self.values is None else plain(self.values)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One layer of a recurrent core in one direction, opened step by step. All tensors are in the order of time.

    Attributes:
        name: such as `"layer 1"` or `"layer 2 backward"`.
        inputs: `[time, feature]`, what the cell read at each step.
        before: the state that it was given at each step, by name: `[time, hidden]` each.
        work: the computation at each step, in the order of calculation, by name: `[time, hidden]` each.
        after: the state that it handed on at each step, by name.
        backward: whether it reads the last step first.
    """

    name: str
    inputs: Tensor
    before: dict[str, Tensor]
    work: dict[str, Tensor]
    after: dict[str, Tensor]
    backward: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Core:
    """A recurrent part of the module, opened.

    Attributes:
        name: dotted path inside the module; `""` when it is the module itself.
        kind: `"RNN"`, `"LSTM"`, `"GRUCell"`, or the class of a module of one's own.
        cells: its layers and directions.
        initial: the state before the first step by name, `[layers x directions, 1, hidden]` each.
        began: where that state came from: `"zeros"`, `"given"` by the code around it, or `"learned"`.
        inputs: `[time, feature]`, what it read.
        hidden: `[time, hidden]`, what it gave out at each step (both directions side by side).
        batch: how many rows it ran at once; the first is shown.
        difference: largest difference between the step-by-step values and the module's own output; None where there is no such check.
        equations: how a cell computes, in one sentence.
        notes: what should be known about how it was called.
    """

    name: str
    kind: str
    cells: tuple[Cell, ...]
    initial: dict[str, Tensor]
    began: str
    inputs: Tensor
    hidden: Tensor
    batch: int = 1
    difference: float | None = None
    equations: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Trace:
    """What happened to one sequence inside a module, stage by stage, with the real values.

    Print it, show it in a notebook, or take it apart.

    Attributes:
        title: what was traced.
        stages: from the input sequence to the output.
        gradients: where asked for, how much the last output changes with what was read at each step, by lag: row 0 is the last step.
        layers: one prediction layer by layer: input at step 1, cell computation, state passed on, output layer, probabilities.
        cores: the recurrent parts that were opened, in the order in which they ran.
        hidden: `[time, hidden]`, the hidden state across time of the last core, or None where none was opened.
        outputs: what the module said: `[1, out]` for the sequence or `[time, out]` for each step; None where that is not a tensor.
        probabilities: the outputs as probabilities, one a class, where they are logits or probabilities.
        class_names: the label behind each class number, where known.
        submodules: what went in and out of every part, in the order of the calls.
        notes: what should be known: layout, what was assumed, what could not be opened.
    """

    title: str
    stages: tuple[Stage, ...]
    layers: tuple[Stage, ...] = ()
    gradients: Stage | None = None
    cores: tuple[Core, ...] = ()
    hidden: Tensor | None = None
    outputs: Tensor | None = None
    probabilities: Tensor | None = None
    class_names: tuple[str, ...] | None = None
    submodules: tuple[Submodule, ...] = field(default=())
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the trace as plain text, 80 columns wide."""
        from statewise.tracing._lines import trace_lines

        return "\n".join("".join(text for text, _ in line).rstrip() for line in trace_lines(self))

    def __repr__(self) -> str:
        """Return the title and the sizes, not the numbers."""
        return f"Trace({self.title}; {' -> '.join(stage.shape for stage in self.stages)})"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Show the trace in a terminal."""
        from statewise.tracing._terminal import render

        yield from render(self, ascii_only=options.ascii_only)

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self, *, page: bool = False) -> str:
        """Return the trace as HTML that needs nothing else: a fragment, or with `page=True` a whole document."""
        from statewise.tracing._html import trace_html

        return trace_html(self, page=page)

    def to_svg(self) -> str:
        """Return the hidden state across time as a picture of its own, one panel a core.

        Without an opened core the picture says so.
        """
        from statewise.tracing._svg import hidden_svg

        return hidden_svg(self.cores, standalone=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the trace as plain numbers and words, ready for JSON; what is not finite becomes None."""
        return {
            "schema": 1,
            "title": self.title,
            "stages": [stage.to_dict() for stage in self.stages],
            "layers": [stage.to_dict() for stage in self.layers],
            "gradients": None if self.gradients is None else self.gradients.to_dict(),
            **{name: None if (found := getattr(self, name)) is None else plain(found) for name in ("hidden", "outputs", "probabilities")},
            "class_names": None if self.class_names is None else list(self.class_names),
            "submodules": [row.to_dict() for row in self.submodules],
            "notes": list(self.notes),
        }


def plain(values: Tensor) -> Any:
    """Return a tensor as nested lists; a number that is not finite becomes None, as JSON has no word for it."""
    if not values.is_floating_point():
        return values.tolist()
    return _finite(values.tolist())


def _finite(values: Any) -> Any:
    if isinstance(values, list):
        return [_finite(each) for each in values]
    return values if abs(values) < float("inf") else None
