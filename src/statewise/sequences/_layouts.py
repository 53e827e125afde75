"""How does a ragged batch become another layout, and how is it read back from one?

Pure functions between `(values, lengths)` and lists, padded tensors, packed sequences, nested tensors and Arrow lists.
Each moves the steps with one gather, so types and gradients are kept, and none pads on the way. `Ragged` is their face.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from statewise.errors import DataError, OptionError, ShapeError, kind_of, missing_extra

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa  # type: ignore[import-untyped]


def as_lengths(lengths: Tensor | Sequence[int], *, asked: str) -> Int[Tensor, " n"]:
    """Return lengths as an int64 tensor `[n]`.

    Raises:
        ShapeError: they are not one whole, non-negative number a sequence.

    Example:
        >>> as_lengths([2, 0], asked="Ragged(values, lengths)").tolist()
        [2, 0]
    """
    found = torch.as_tensor(lengths)
    if found.numel() == 0 and found.ndim == 1:
        found = found.to(torch.int64)
    if found.ndim != 1 or found.dtype.is_floating_point or found.dtype.is_complex or found.dtype == torch.bool:
        raise ShapeError(
            asked=asked,
            where="lengths",
            arrived=f"a {found.dtype} tensor of shape {tuple(found.shape)}",
            hint="Give one whole number a sequence, such as torch.tensor([3, 5]).",
        )
    found = found.to(torch.int64)
    counts = found.tolist()  # on a few hundred numbers, Python is faster than two calls of torch
    if min(counts, default=0) < 0:
        row = next(row for row, count in enumerate(counts) if count < 0)
        raise ShapeError(
            asked=asked,
            where=f"lengths, sequence {row}",
            arrived=f"the length {counts[row]}",
            hint="A length counts steps: it is 0 or more.",
        )
    return found


def rows_of(lengths: Int[Tensor, " n"]) -> Int[Tensor, " steps"]:
    """Return the number of the sequence that each step belongs to: `[steps]`."""
    return torch.arange(lengths.shape[0], device=lengths.device).repeat_interleave(lengths)


def positions_of(lengths: Int[Tensor, " n"]) -> Int[Tensor, " steps"]:
    """Return the position of each step in its own sequence, from 0: `[steps]`."""
    starts = lengths.cumsum(0) - lengths
    return torch.arange(int(lengths.sum()), device=lengths.device) - starts.repeat_interleave(lengths)


def from_list(sequences: Sequence[Tensor], *, asked: str = "Ragged.from_list(sequences)", item: str = "sequence") -> tuple[Tensor, Tensor]:
    """Return values and lengths of a list of tensors `[time_i, *rest]`.

    Raises:
        ShapeError: the list is empty (it would have no shape), or its tensors differ in all but their first size.
    """
    if len(sequences) == 0:
        raise ShapeError(
            asked=asked,
            where=f"{item}s",
            arrived="an empty list, which says nothing of the size of a step",
            hint="Use Ragged(torch.zeros(0, features), torch.zeros(0, dtype=torch.int64)).",
        )
    first = sequences[0]
    for number, sequence in enumerate(sequences):
        if not isinstance(sequence, Tensor):
            raise ShapeError(
                asked=asked, where=f"{item} {number}", arrived=kind_of(sequence), hint="Give tensors: torch.as_tensor(...) of each."
            )
        if sequence.ndim < 1 or sequence.shape[1:] != first.shape[1:] or sequence.dtype != first.dtype:
            raise ShapeError(
                asked=asked,
                where=f"{item} {number}",
                arrived=f"{sequence.dtype} of shape {tuple(sequence.shape)}, but {item} 0 is {first.dtype} of shape {tuple(first.shape)}",
                hint=f"Each {item} may differ from the others in its number of steps (the first size) only.",
            )
    lengths = torch.tensor([len(sequence) for sequence in sequences], dtype=torch.int64, device=first.device)
    return torch.cat(list(sequences)), lengths


def from_padded(padded: Tensor, lengths: Tensor | Sequence[int], *, batch_first: bool = True) -> tuple[Tensor, Tensor]:
    """Return the real steps of a right-padded tensor, and their lengths.

    Args:
        padded: `[batch, time, *rest]`, or `[time, batch, *rest]` with `batch_first=False`.
        lengths: `[batch]`, none of them longer than `time`.
        batch_first: which of the first two axes is the batch.

    Raises:
        ShapeError: the lengths do not fit the tensor.
    """
    asked = "Ragged.from_padded(padded, lengths)"
    counts = as_lengths(lengths, asked=asked).to(padded.device)
    if padded.ndim < 2:
        raise ShapeError(
            asked=asked,
            where="padded",
            arrived=f"a tensor of shape {tuple(padded.shape)}",
            hint="Give [batch, time, ...], or [time, batch, ...] with batch_first=False.",
        )
    batch, time = padded.shape[:2] if batch_first else (padded.shape[1], padded.shape[0])
    if counts.shape[0] != batch or bool((counts > time).any()):
        told = f"{counts.shape[0]} of them, the longest {int(counts.max()) if len(counts) else 0}"
        raise ShapeError(
            asked=asked,
            where="lengths",
            arrived=f"{told}, but padded has shape {tuple(padded.shape)}: {batch} sequences of at most {time} steps",
            hint=f"Give one length a sequence, at most {time}; if the first axis is {'time' if batch_first else 'the batch'}, "
            f"say batch_first={not batch_first}.",
        )
    rows, positions = rows_of(counts), positions_of(counts)
    source = rows * time + positions if batch_first else positions * batch + rows
    return padded.flatten(0, 1).index_select(0, source), counts


def to_padded(values: Tensor, lengths: Tensor, *, batch_first: bool = True, padding: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return `(padded, lengths)`, as long as the longest sequence and padded on the right.

    Raises:
        OptionError: `padding` cannot be held by whole-number values.
    """
    if not (values.is_floating_point() or values.is_complex()) and not (math.isfinite(padding) and padding == int(padding)):
        raise OptionError(
            asked="Ragged.to_padded(padding=...)",
            where="padding",
            arrived=f"{padding} for values of {values.dtype}",
            hint="Pad whole numbers with a whole number, or convert the values first.",
        )
    counts = lengths.to(values.device)
    batch, time = counts.shape[0], int(counts.max()) if counts.shape[0] else 0
    rows, positions = rows_of(counts), positions_of(counts)
    place = rows * time + positions if batch_first else positions * batch + rows
    flat = values.new_full((batch * time, *values.shape[1:]), padding).index_copy(0, place, values)
    return flat.view(*((batch, time) if batch_first else (time, batch)), *values.shape[1:]), lengths


def from_packed(packed: PackedSequence) -> tuple[Tensor, Tensor]:
    """Return the sequences of a `PackedSequence`, in the order in which they were packed."""
    device = packed.data.device
    batch_sizes = packed.batch_sizes.to(device)
    num_sequences = int(batch_sizes[0]) if len(batch_sizes) else 0
    rank = torch.arange(num_sequences, device=device) if packed.unsorted_indices is None else packed.unsorted_indices.to(device)
    lengths = (batch_sizes[None, :] > rank[:, None]).sum(1)
    return packed.data.index_select(0, _packed_places(lengths, rank, batch_sizes)), lengths


def to_packed(values: Tensor, lengths: Tensor) -> PackedSequence:
    """Return a `PackedSequence`, built by index from the steps as they lie.

    Raises:
        ShapeError: there is a sequence of length 0, or no sequence: torch allows neither.
    """
    counts = lengths.to(values.device)
    empty = (counts == 0).nonzero().flatten().tolist()
    if empty or not len(counts):
        raise ShapeError(
            asked="Ragged.to_packed()",
            where="lengths",
            arrived=f"{len(empty)} sequences without steps (the first is number {empty[0]})" if empty else "no sequence at all",
            hint="A PackedSequence holds no empty sequence: leave them out with ragged.select(ragged.lengths.nonzero().flatten()), "
            "or use unroll, which accepts them.",
        )
    order = counts.argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    reached = torch.bincount(positions_of(counts))
    source = _packed_places(counts, rank, reached).argsort()
    return PackedSequence(values.index_select(0, source), reached.cpu(), order, rank)


def _packed_places(lengths: Tensor, rank: Tensor, batch_sizes: Tensor) -> Tensor:
    """Return where each step lies in packed data: all first steps by rank (longest first), then all second ones, and so on."""
    starts = batch_sizes.cumsum(0) - batch_sizes
    return starts[positions_of(lengths)] + rank[rows_of(lengths)]


def from_nested(nested: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sequences of a nested tensor with the jagged layout; one with gaps between its rows is closed up.

    Raises:
        ShapeError: the tensor is not nested, or its ragged axis is not the one after the batch.
    """
    if not nested.is_nested:
        raise ShapeError(
            asked="Ragged.from_nested(nested)",
            where="nested",
            arrived=f"a plain tensor of shape {tuple(nested.shape)}",
            hint="Give torch.nested.nested_tensor(parts, layout=torch.jagged); for a padded tensor use Ragged.from_padded(x, lengths).",
        )
    if nested.layout != torch.jagged:
        return from_list(nested.unbind())
    jagged: Any = nested
    second = jagged.shape[1]
    if isinstance(second, int):  # the size of the ragged axis is a symbol, not a number
        raise ShapeError(
            asked="Ragged.from_nested(nested)",
            where="nested",
            arrived=f"its second axis has the size {second} for every sequence, so the ragged one comes later",
            hint="Transpose it so that the steps come right after the batch: [batch, steps, ...].",
        )
    offsets, stated = jagged.offsets(), jagged.lengths()
    if stated is None:
        return jagged.values(), offsets.diff()
    lengths = stated.to(torch.int64)
    return jagged.values().index_select(0, offsets[:-1][rows_of(lengths)] + positions_of(lengths)), lengths


def to_nested(values: Tensor, lengths: Tensor) -> Tensor:
    """Return a nested tensor with the jagged layout, sharing the values."""
    offsets = torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).to(values.device)
    nested: Tensor = torch.nested.nested_tensor_from_jagged(values, offsets)
    return nested


def from_arrow(array: pa.ListArray | pa.LargeListArray | pa.ChunkedArray) -> tuple[Tensor, Tensor]:
    """Return the sequences of an Arrow list array: one list a sequence, of numbers or of equally long lists of numbers.

    Raises:
        DataError: something is null, not a number, or the inner lists differ in length.
        MissingExtraError: pyarrow is not installed.
    """
    pa = _pyarrow("Ragged.from_arrow(array)")
    array = _one_chunk(array, pa)
    if not _is_list(array.type, pa):
        raise _arrow_error("array", f"its type is {array.type}", "Give a list array: one list of steps a sequence.")
    lengths = _list_lengths(array, "sequence")
    flat, sizes = array.flatten(), []
    while _is_list(flat.type, pa):
        sizes.append(_common_size(flat, pa))
        flat = flat.flatten()
    if flat.null_count:
        raise _arrow_error("array", f"{flat.null_count} null values", "Fill or drop missing values first.")
    if not (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type) or pa.types.is_boolean(flat.type)):
        raise _arrow_error("array", f"items of type {flat.type}", "Steps are numbers: encode words as codes first.")
    values = torch.from_numpy(flat.to_numpy(zero_copy_only=False).copy())
    return values.view(int(lengths.sum()), *sizes), lengths


def to_arrow(values: Tensor, lengths: Tensor) -> pa.LargeListArray:
    """Return an Arrow list array: one list a sequence, its items numbers or fixed-size lists; it carries no gradient.

    Raises:
        DataError: Arrow has no such values (bfloat16, complex, or features of size 0).
        MissingExtraError: pyarrow is not installed.
    """
    asked = "Ragged.to_arrow()"
    pa = _pyarrow(asked)
    if values.dtype == torch.bfloat16 or values.is_complex() or 0 in values.shape[1:]:
        raise DataError(
            asked=asked,
            where="values",
            arrived=f"{values.dtype} of shape {tuple(values.shape)}",
            hint="Arrow holds whole numbers, float16, float32, float64 and bool, with at least one feature: convert first.",
        )
    items = pa.array(values.detach().cpu().flatten().numpy())
    for size in reversed(values.shape[1:]):
        items = pa.FixedSizeListArray.from_arrays(items, size)
    offsets = torch.nn.functional.pad(lengths.cpu().cumsum(0), (1, 0))
    return pa.LargeListArray.from_arrays(pa.array(offsets.numpy()), items)


def _pyarrow(asked: str) -> Any:
    """Return the optional package."""
    try:
        import pyarrow as pa
    except ImportError as problem:
        raise missing_extra(asked, "pyarrow", "data") from problem
    return pa


def _one_chunk(array: Any, pa: Any) -> Any:
    """Return a chunked array as one array."""
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _is_list(type_: Any, pa: Any) -> bool:
    """Tell whether an Arrow type is one of the three kinds of list."""
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def _list_lengths(lists: Any, name: str) -> Tensor:
    """Return the length of each list, and refuse a null one."""
    if lists.null_count:
        row = lists.is_null().index(True).as_py()
        raise _arrow_error(f"{name} {row}", "null instead of a list", "Use an empty list for a sequence without steps.")
    return torch.from_numpy(lists.value_lengths().to_numpy(zero_copy_only=False).astype("int64"))


def _common_size(lists: Any, pa: Any) -> int:
    """Return the one length that all inner lists have."""
    if pa.types.is_fixed_size_list(lists.type):
        _list_lengths(lists, "step")
        return int(lists.type.list_size)
    sizes = set(_list_lengths(lists, "step").tolist())
    if len(sizes) != 1:
        told = f"inner lists of {len(sizes)} different lengths" if sizes else "no step, so that the number of features is not known"
        raise _arrow_error("array", told, "Each step needs the same number of features; a fixed-size list type states it.")
    return int(sizes.pop())


def _arrow_error(where: str, arrived: str, hint: str) -> DataError:
    return DataError(asked="Ragged.from_arrow(array)", where=where, arrived=arrived, hint=hint)
