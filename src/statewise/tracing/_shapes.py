"""How is the shape of anything said in words?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from statewise.sequences import Ragged

if TYPE_CHECKING:
    from statewise.tracing._records import Cell


def describe(value: Any) -> str:
    """Return the shape of a tensor, or the shapes inside a tree of them.

    Example:
        >>> import torch
        >>> describe((torch.zeros(2, 3), None))
        '(2 x 3, None)'
    """
    if isinstance(value, Tensor):
        return sizes(value.shape) if value.ndim else "one number"
    if isinstance(value, Ragged):
        return f"{len(value)} ragged, {sizes(value.values.shape)} in all"
    if isinstance(value, PackedSequence):
        return f"{int(value.batch_sizes[0])} packed, {sizes(value.data.shape)} in all"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {describe(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        inside = ", ".join(describe(each) for each in value)
        return inside if len(value) == 1 else f"({inside})"
    return "None" if value is None else str(value) if isinstance(value, (bool, int, float)) else type(value).__name__


def sizes(shape: Any) -> str:
    """Return sizes as `"10 x 5"`."""
    return " x ".join(str(size) for size in shape)


def flat(values: Tensor) -> Tensor:
    """Return rows `[time, k]` of `[time, *rest]`; numbers `[time]` become one row."""
    return values.unsqueeze(0) if values.ndim == 1 else values.flatten(1)


def gives(cell: Cell) -> str:
    """Return what one step of a cell takes and gives: `"1 x 5 and 1 x 4 give 1 x 4"`."""
    widths = {name: state.shape[1] for name, state in cell.before.items()}
    if len(set(widths.values())) == 1:
        each = f" ({' and '.join(widths)})" if len(widths) > 1 else ""
        state = made = f"1 x {next(iter(widths.values()))}{each}"
    else:
        state = " and ".join(f"1 x {width} ({name})" for name, width in widths.items())
        made = " and ".join(f"1 x {after.shape[1]} ({name})" for name, after in cell.after.items())
    return f"1 x {cell.inputs.shape[1]} and {state} give {made}"


def gives_together(shapes: list[tuple[str, str]]) -> str:
    """Return what the cells give, those that give the same named together."""
    alike: dict[str, list[str]] = {}
    for name, gives in shapes:
        alike.setdefault(gives, []).append(name)
    if len(alike) == 1:
        return next(iter(alike))
    return "; ".join(f"{', '.join(names)}: {gives}" for gives, names in alike.items())
