"""State as a value: operations on any tree of tensors that a recurrent module carries from step to step."""

from statewise.state._axes import Axes, Leaf, find_axes, leaves_with_axes
from statewise.state._rows import detach, join, num_rows, reset, scatter, select
from statewise.state._store import load, put_together, save, take_apart
from statewise.state._tree import aligned, described, leaves, map_tensors, named, rebuild

__all__ = [
    "Axes",
    "Leaf",
    "aligned",
    "described",
    "detach",
    "find_axes",
    "join",
    "leaves",
    "leaves_with_axes",
    "load",
    "map_tensors",
    "named",
    "num_rows",
    "put_together",
    "rebuild",
    "reset",
    "save",
    "scatter",
    "select",
    "take_apart",
]
