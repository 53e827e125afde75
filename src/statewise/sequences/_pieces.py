"""What is made of sequences once they are read? New ones at holes in time, pieces of a stated length, columns that tell of gaps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from statewise.errors import OptionError
from statewise.sequences._ragged import Ragged
from statewise.sequences._sequences import Sequences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statewise.sequences._options import Options


class Made(NamedTuple):
    """What the features named beside the columns: the indicators that are wanted, all that are needed when empty."""

    indicators: tuple[str, ...] = ()


def finished(data: Sequences, options: Options, made: Made, *, asked: str) -> Sequences:
    """Return the sequences with indicators of missing values and time gaps, cut at holes in time and into pieces.

    Raises:
        OptionError: an option about time where there are no times.
    """
    if data.times is None and (options.max_gap is not None or options.time_gaps):
        where = "max_gap" if options.max_gap is not None else "time_gaps"
        raise OptionError(asked=asked, where=where, arrived="the sequences have no times", hint="Name the column of times with time='...'.")
    if options.missing == "indicator":
        data = _with_indicators(data, made.indicators, asked)
    begins = data_begins = _starts(data)
    if isinstance(data.times, Tensor) and (options.max_gap is not None or options.time_gaps):
        gaps = torch.cat([data.times.new_zeros(min(1, len(data.times))), data.times.diff()])
        if options.max_gap is not None:
            begins = begins | (gaps > options.max_gap)
        if options.time_gaps:
            data = _with_column(data, torch.where(begins, 0.0, gaps), f"{options.time or 'time'}_gap", asked=asked)
    num_holes = int(begins.sum()) - int(data_begins.sum())
    if options.max_gap is not None:
        note = f"{num_holes} sequences begin at a hole in time of more than {options.max_gap_told}"
        data = _cut(data, begins, [note] if num_holes else [])
    return data if options.max_steps is None else in_pieces(data, options.max_steps)


def in_pieces(data: Sequences, max_steps: int) -> Sequences:
    """Return the data with each longer sequence cut into pieces, `key#1`, `key#2`, ...: a way to train on long streams.

    A piece begins without the state of the one before, so score whole sequences and not pieces. The group, unless there are groups,
    is the key of the whole.

    Args:
        data: the sequences.
        max_steps: steps of a piece at most.

    Raises:
        OptionError: `max_steps` below 1.

    Example:
        >>> data = Sequences(inputs=Ragged(torch.zeros(7, 1), torch.tensor([5, 2])), keys=["a", "b"])
        >>> cut = in_pieces(data, 3)
        >>> cut.keys, cut.lengths.tolist(), cut.groups
        (('a#1', 'a#2', 'b'), [3, 2, 2], ('a', 'a', 'b'))
    """
    if max_steps < 1:
        raise OptionError(asked="in_pieces", where="max_steps", arrived=str(max_steps), hint="Give a whole number of steps, 1 or more.")
    begins = _starts(data)
    num_pieces = int((data.lengths.clamp(min=1) + max_steps - 1).div(max_steps, rounding_mode="floor").sum())
    told = "; each has the target of its sequence" if data.each == "sequence" else ""
    notes = [f"sequences of more than {max_steps} steps were cut: {num_pieces} pieces{told}"] if num_pieces > len(data) else []
    return _cut(data, begins | (_positions(begins) % max_steps == 0), notes)


def are_pieces(data: Sequences) -> bool:
    """Tell by the keys whether some sequences are pieces of a longer one, which is then their group."""
    return data.groups is not None and any(key.startswith(f"{group}#") for key, group in zip(data.keys or (), data.groups, strict=True))


def _starts(data: Sequences) -> Tensor:
    """Return which steps begin a sequence: `[steps]`."""
    return next(iter(data.parts.values())).positions == 0


def _positions(begins: Tensor) -> Tensor:
    """Return how many steps lie between each step and the last one that begins something."""
    steps = torch.arange(len(begins))
    return steps - torch.where(begins, steps, 0).cummax(0).values if len(begins) else steps


def _cut(data: Sequences, begins: Tensor, notes: Sequence[str]) -> Sequences:
    """Return a sequence for each step that begins one; the group, unless there are groups, is the key of the whole."""
    keys = [str(key) for key in data.keys or ()]
    rows = next(iter(data.parts.values())).rows
    counts = torch.bincount(rows[begins], minlength=len(data)).clamp(min=1)
    owners = torch.arange(len(data)).repeat_interleave(counts)
    starts = begins.nonzero().flatten()
    lengths = torch.zeros(len(owners), dtype=torch.int64)
    lengths[data.lengths[owners] > 0] = torch.cat([starts, torch.tensor([data.num_steps])]).diff()
    inputs: Any = {name: Ragged(part.values, lengths) for name, part in data.parts.items()}
    groups = data.groups if data.groups is not None else keys
    per_sequence: dict[str, Any] = {"groups": [groups[owner] for owner in owners.tolist()]}
    if data.static is not None:
        per_sequence["static"] = data.static[owners]
    if data.each == "sequence":
        per_sequence |= {name: values[owners] for name, values in _targets(data).items()}
        per_sequence["baselines"] = {name: values[owners] for name, values in data.baselines.items()}  # type: ignore[call-overload]
    names = _keys_of_pieces(keys, counts.tolist())
    single = isinstance(data.inputs, Ragged)
    return replace(data, inputs=inputs["x"] if single else inputs, keys=names, notes=(*data.notes, *notes), **per_sequence)


def _targets(data: Sequences) -> Mapping[str, Tensor]:
    """Return what belongs to targets."""
    return {name: value for name in ("targets", "weights") if isinstance(value := getattr(data, name), Tensor)}


def _keys_of_pieces(keys: Sequence[str], counts: Sequence[int]) -> list[str]:
    """Return `key#1`, `key#2`, ... for what was cut; with a longer mark where such a key is there already."""
    mark, there = "#", set(keys)

    def named() -> list[str]:
        pairs = zip(keys, counts, strict=True)
        return [f"{key}{mark}{number}" if count > 1 else key for key, count in pairs for number in range(1, count + 1)]

    names = named()
    while len(set(names)) < len(names) and len(there) == len(keys):
        mark += "#"
        names = named()
    return names


def _with_indicators(data: Sequences, wanted: Sequence[str], asked: str) -> Sequences:
    """Return the data with a column `<name>_missing` of 0 and 1 for each feature with missing values, or for those wanted."""
    for name, part in data.parts.items():
        names = data.feature_names_of(name)
        if name in data.categories or names is None:
            continue
        is_missing = part.values.isnan()
        chosen = [f"{each}_missing" in wanted if wanted else bool(is_missing[:, place].any()) for place, each in enumerate(names)]
        for place, each in enumerate(names):
            if chosen[place]:
                data = _with_column(data, is_missing[:, place], f"{each}_missing", into=name, asked=asked)
    return data


def _with_column(data: Sequences, values: Tensor, title: str, *, asked: str, into: str | None = None) -> Sequences:
    """Return the data with one more feature of numbers, at the end of an input; of a new one where none holds numbers."""
    if any(title in (data.feature_names_of(name) or ()) for name in data.parts):
        hint = "Rename that column, or leave it out with features=[...]."
        raise OptionError(asked=asked, where=f"the new feature {title!r}", arrived="a column of that name is read too", hint=hint)
    numeric = [name for name in data.parts if name not in data.categories]
    name = into or (numeric[0] if numeric else "x")
    column = values.to(torch.float32)[:, None]
    names = data.feature_names_of(name) or ()
    lengths = data.lengths
    block = column if name not in data.parts else torch.cat([data.parts[name].values, column], dim=1)
    if isinstance(data.inputs, Ragged):
        return replace(data, inputs=Ragged(block, lengths), feature_names=(*names, title))
    titles = dict(data.feature_names or {})  # type: ignore[arg-type]  # a mapping where there are several inputs
    return replace(data, inputs={**data.parts, name: Ragged(block, lengths)}, feature_names={**titles, name: (*names, title)})
