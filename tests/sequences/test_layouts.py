"""Does every layout give back what went in: values, types, gradients, and sequences without steps?"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence, pad_sequence

from statewise.errors import DataError, MissingExtraError, OptionError, ShapeError
from statewise.sequences import Ragged, _layouts
from tests._unchecked import unchecked

DTYPES = [torch.float32, torch.float64, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool]
REST = st.sampled_from([(), (1,), (3,), (2, 3)])


@st.composite
def batches(draw: st.DrawFn, *, min_size: int = 0, min_length: int = 0, rest: st.SearchStrategy[tuple[int, ...]] = REST) -> Ragged:
    """Return a batch of random lengths, type and shape of a step."""
    lengths = draw(st.lists(st.integers(min_length, 5), min_size=min_size, max_size=6))
    shape = (sum(lengths), *draw(rest))
    values = torch.randint(0, 200, shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 2**16))))
    return Ragged(values.to(draw(st.sampled_from(DTYPES))), torch.tensor(lengths, dtype=torch.int64))


def assert_same(found: Ragged, wanted: Ragged) -> None:
    assert found.values.dtype == wanted.values.dtype
    assert found.values.shape == wanted.values.shape
    assert torch.equal(found.values, wanted.values)
    assert torch.equal(found.lengths, wanted.lengths)


@given(batches(min_size=1))
def test_a_list_round_trips(ragged: Ragged) -> None:
    assert_same(Ragged.from_list(ragged.to_list()), ragged)


@given(ragged=batches(), batch_first=st.booleans())
def test_a_padded_tensor_round_trips(ragged: Ragged, *, batch_first: bool) -> None:
    padded, lengths = ragged.to_padded(batch_first=batch_first)
    assert_same(Ragged.from_padded(padded, lengths, batch_first=batch_first), ragged)


@given(ragged=batches(min_size=1), batch_first=st.booleans())
def test_padding_is_that_of_torch(ragged: Ragged, *, batch_first: bool) -> None:
    padded, lengths = ragged.to_padded(batch_first=batch_first, padding=1.0)
    assert torch.equal(padded, pad_sequence(ragged.to_list(), batch_first=batch_first, padding_value=1))
    assert torch.equal(lengths, ragged.lengths)


@given(batches(min_size=1), st.integers(0, 3))
def test_what_stands_in_the_padding_is_never_read(ragged: Ragged, more: int) -> None:
    if not ragged.values.is_floating_point():
        ragged = ragged.with_values(ragged.values.double())
    padded, lengths = ragged.to_padded(padding=float("nan"))
    longer = torch.cat([padded, torch.full((len(ragged), more, *padded.shape[2:]), float("nan"), dtype=padded.dtype)], dim=1)
    assert_same(Ragged.from_padded(longer, lengths.tolist()), ragged)


@given(batches(min_size=1, min_length=1))
def test_a_packed_sequence_round_trips(ragged: Ragged) -> None:
    assert_same(Ragged.from_packed(ragged.to_packed()), ragged)


@given(batches(min_size=1, min_length=1))
def test_packing_is_that_of_torch(ragged: Ragged) -> None:
    ours, theirs = ragged.to_packed(), pack_sequence(ragged.to_list(), enforce_sorted=False)
    assert torch.equal(ours.batch_sizes, theirs.batch_sizes)
    for packed in (ours, theirs):
        padded, lengths = pad_packed_sequence(packed, batch_first=True)
        assert torch.equal(padded, ragged.to_padded()[0])
        assert torch.equal(lengths, ragged.lengths)
        assert_same(Ragged.from_packed(packed), ragged)


def test_a_packed_sequence_that_was_sorted_already_is_read_in_its_order() -> None:
    parts = [torch.ones(3, 2), torch.zeros(1, 2)]
    assert_same(Ragged.from_packed(pack_sequence(parts)), Ragged.from_list(parts))


def test_packed_data_without_any_sequence_is_read_as_none() -> None:
    empty = PackedSequence(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
    assert Ragged.from_packed(empty).values.shape == (0, 3)


def test_our_packed_sequence_runs_through_an_lstm_as_each_sequence_alone() -> None:
    lstm = torch.nn.LSTM(2, 4).double()
    ragged = Ragged(torch.randn(9, 2, dtype=torch.float64), torch.tensor([3, 1, 5]))
    outputs = Ragged.from_packed(lstm(ragged.to_packed())[0])
    for found, part in zip(outputs, ragged, strict=True):
        torch.testing.assert_close(found, lstm(part)[0])


@given(batches(rest=st.sampled_from([(), (1,), (3,), (2, 3)])))
def test_a_nested_tensor_round_trips(ragged: Ragged) -> None:
    assert_same(Ragged.from_nested(ragged.to_nested()), ragged)


def test_a_nested_tensor_shares_the_values() -> None:
    ragged = Ragged(torch.zeros(3, 2), torch.tensor([1, 2]))
    assert Ragged.from_nested(ragged.to_nested()).values.data_ptr() == ragged.values.data_ptr()


def test_a_nested_tensor_with_gaps_is_closed_up() -> None:
    whole = torch.arange(24.0).view(2, 4, 3)
    nested = torch.nested.narrow(whole, 1, torch.tensor([1, 0]), torch.tensor([2, 3]), layout=torch.jagged)
    assert_same(Ragged.from_nested(nested), Ragged.from_list([whole[0, 1:3], whole[1, :3]]))


def test_a_nested_tensor_of_the_old_layout_is_read_too() -> None:
    parts = [torch.ones(2, 3), torch.zeros(1, 3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nested = torch.nested.nested_tensor(parts, layout=torch.strided)
    assert_same(Ragged.from_nested(nested), Ragged.from_list(parts))


@given(batches())
def test_an_arrow_list_round_trips(ragged: Ragged) -> None:
    assert_same(Ragged.from_arrow(ragged.to_arrow()), ragged)


@given(batches(min_size=1, rest=st.sampled_from([(), (3,)])), st.data())
def test_a_slice_and_chunks_of_an_arrow_list_are_read_right(ragged: Ragged, data: st.DataObject) -> None:
    array = ragged.to_arrow()
    cut = data.draw(st.integers(0, len(ragged)))
    assert_same(Ragged.from_arrow(array[cut:]), ragged.select(range(cut, len(ragged))))
    assert_same(Ragged.from_arrow(pa.chunked_array([array[:cut], array[cut:]])), ragged)


def test_an_arrow_array_is_the_list_of_lists_that_it_shows() -> None:
    ragged = Ragged(torch.tensor([[1, 2], [3, 4], [5, 6]]), torch.tensor([2, 0, 1][:3]))
    assert ragged.to_arrow().to_pylist() == [[[1, 2], [3, 4]], [], [[5, 6]]]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.list_(pa.float32())), pa.large_list(pa.list_(pa.float32(), 2)), pa.list_(pa.list_(pa.float32()), 1)]
)
def test_every_kind_of_arrow_list_is_read(kind: pa.DataType) -> None:
    ragged = Ragged.from_arrow(pa.array([[[1.0, 2.0]], [[3.0, 4.0]]], kind))
    assert ragged.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert ragged.lengths.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (pa.array([1.0, 2.0]), "array: its type is double. Give a list array"),
        (pa.array([[1.0], None]), "sequence 1: null instead of a list. Use an empty list"),
        (pa.array([[1.0, None]]), "array: 1 null values. Fill or drop"),
        (pa.array([["a"]]), "array: items of type string. Steps are numbers"),
        (pa.array([[[1.0], [1.0, 2.0]]]), "array: inner lists of 2 different lengths. Each step needs the same number"),
        (pa.array([[]], pa.list_(pa.list_(pa.float32()))), "array: no step, so that the number of features is not known"),
        (pa.array([[[1.0], None]], pa.list_(pa.list_(pa.float32(), 1))), "step 1: null instead of a list"),
    ],
)
def test_an_arrow_array_that_is_no_batch_is_refused(array: Any, told: str) -> None:
    with pytest.raises(DataError) as error:
        Ragged.from_arrow(array)
    assert f"Ragged.from_arrow(array): {told}" in str(error.value)


@pytest.mark.parametrize("values", [torch.zeros(1, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.complex64), torch.zeros(1, 0)])
def test_values_that_arrow_does_not_have_are_refused(values: Tensor) -> None:
    with pytest.raises(DataError, match=r"Ragged\.to_arrow\(\): values: .*Arrow holds"):
        Ragged(values, torch.tensor([1])).to_arrow()


def test_a_missing_pyarrow_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(
        MissingExtraError, match=r"to_arrow.*'pyarrow': it is not installed\. Install it with: pip install 'statewise\[data\]'"
    ):
        Ragged(torch.zeros(1), torch.tensor([1])).to_arrow()


@pytest.mark.parametrize("batch_first", [True, False])
def test_gradients_pass_through_every_layout(*, batch_first: bool) -> None:
    lengths = torch.tensor([2, 1, 3])

    def through(values: Tensor) -> Tensor:
        ragged = Ragged(values, lengths)
        ragged = Ragged.from_padded(*ragged.to_padded(batch_first=batch_first), batch_first=batch_first)
        ragged = Ragged.from_packed(ragged.to_packed())
        ragged = Ragged.from_nested(ragged.to_nested())
        ragged = Ragged.from_list(ragged.select([2, 0, 1]).to_list())
        return ragged.values

    assert torch.autograd.gradcheck(through, torch.randn(6, 2, dtype=torch.float64, requires_grad=True))


def test_padding_takes_no_gradient_and_spoils_none() -> None:
    values = torch.randn(3, 2, requires_grad=True)
    padded, lengths = Ragged(values, torch.tensor([1, 2])).to_padded(padding=float("inf"))
    (gradient,) = torch.autograd.grad(Ragged.from_padded(padded, lengths).values.sum(), values)
    assert torch.equal(gradient, torch.ones(3, 2))


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        (
            [4, 1],
            "lengths: 2 of them, the longest 4, but padded has shape (2, 3, 5): 2 sequences of at most 3 steps. Give one length a sequence",
        ),
        ([1, 1, 1], "lengths: 3 of them, the longest 1"),
        ([], "lengths: 0 of them, the longest 0"),
        ([1, -1], "lengths, sequence 1: the length -1"),
    ],
)
def test_lengths_that_do_not_fit_a_padded_tensor_are_refused(lengths: list[int], told: str) -> None:
    with pytest.raises(ShapeError) as error:
        Ragged.from_padded(torch.zeros(2, 3, 5), lengths)
    assert f"Ragged.from_padded(padded, lengths): {told}" in str(error.value)


def test_a_padded_tensor_without_time_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"from_padded.*padded: a tensor of shape \(2,\)\. Give \[batch, time"):
        _layouts.from_padded(torch.zeros(2), [1, 1])


def test_padding_that_whole_numbers_cannot_hold_is_refused() -> None:
    ragged = Ragged(torch.tensor([1]), torch.tensor([1]))
    for padding in (0.5, float("nan"), float("inf")):
        with pytest.raises(OptionError, match=r"padding: .* for values of torch\.int64\. Pad whole numbers"):
            ragged.to_padded(padding=padding)


@pytest.mark.parametrize(
    ("lengths", "told"), [([2, 0, 0], r"2 sequences without steps \(the first is number 1\)"), ([], "no sequence at all")]
)
def test_packing_refuses_what_torch_cannot_pack(lengths: list[int], told: str) -> None:
    ragged = Ragged(torch.zeros(sum(lengths), 1), torch.tensor(lengths, dtype=torch.int64))
    with pytest.raises(ShapeError, match=rf"Ragged\.to_packed\(\): lengths: {told}\. A PackedSequence holds no empty sequence"):
        ragged.to_packed()


def test_a_list_of_nothing_and_unlike_tensors_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"from_list.*sequences: an empty list.*Use Ragged\("):
        Ragged.from_list([])
    for odd in (torch.zeros(1, 3), torch.zeros(1, 2, dtype=torch.float64), torch.zeros(())):
        with pytest.raises(ShapeError, match=r"sequence 1: .*, but sequence 0 is torch\.float32 of shape \(1, 2\)\. Each sequence"):
            Ragged.from_list([torch.zeros(1, 2), odd])


def test_a_nested_tensor_that_is_not_one_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"nested: a plain tensor of shape \(2, 3\)\. Give torch\.nested"):
        Ragged.from_nested(torch.zeros(2, 3))
    nested = torch.nested.nested_tensor([torch.ones(4, 3), torch.zeros(2, 3)], layout=torch.jagged)
    with pytest.raises(ShapeError, match=r"nested: its second axis has the size 3 .*Transpose it"):
        Ragged.from_nested(nested.transpose(1, 2))


def test_a_list_of_arrays_is_told_to_become_one_of_tensors() -> None:
    with unchecked(), pytest.raises(ShapeError, match=r"sequence 1: an ndarray\. Give tensors: torch\.as_tensor"):
        Ragged.from_list([torch.ones(2), np.ones(3)])  # type: ignore[list-item]
