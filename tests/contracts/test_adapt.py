"""Whatever way a module is called, do its outputs equal those of each sequence alone?"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from statewise.contracts import Batch, Contract, Outputs, adapt, resolved
from statewise.errors import ContractError, DataError, ShapeError
from statewise.sequences import Ragged, Sequences

FEATURES, CLASSES = 3, 4


class PackedClassifier(nn.Module):
    """As tutorials write it: batch first, packed, last hidden state."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, 5, batch_first=True)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, last = self.rnn(packed)
        return self.head(last[-1])  # type: ignore[no-any-return]


class TimeFirstTagger(nn.Module):
    """Time first, with a mask that is True at padding, one output a step."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(FEATURES, 5)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor, pad_mask: Tensor) -> Tensor:
        outputs, _ = self.rnn(x.masked_fill(pad_mask.unsqueeze(-1), 0.0))
        return self.head(outputs)  # type: ignore[no-any-return]


class LengthBlind(nn.Module):
    """Takes x alone and reads the last step: wrong on padded batches, right where there is no padding."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, 5, batch_first=True)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])  # type: ignore[no-any-return]


class BlindTagger(LengthBlind):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x.flip(1))[0].flip(1))  # type: ignore[no-any-return]


class PackedTagger(PackedClassifier):
    def forward(self, x: Tensor, lengths: Tensor) -> PackedSequence:  # type: ignore[override]
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = self.rnn(packed)
        return PackedSequence(self.head(outputs.data), outputs.batch_sizes, outputs.sorted_indices, outputs.unsorted_indices)


class LeftPadded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        assert bool(mask[:, -1].all()), "with padding on the left, every last step is real"
        return self.head(x[:, -1])  # type: ignore[no-any-return]


class Stateful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, CLASSES, batch_first=True)
        self.hidden: Tensor | None = None

    def clear(self) -> None:
        self.hidden = None

    def forward(self, x: Tensor) -> Tensor:
        outputs, hidden = self.rnn(x, self.hidden)
        self.hidden = hidden.detach()
        return outputs[:, -1]  # type: ignore[no-any-return]


class GivenState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, CLASSES, batch_first=True)

    def init_hidden(self, batch_size: int) -> Tensor:
        return torch.ones(1, batch_size, CLASSES)

    def forward(self, x: Tensor, h0: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, state = self.rnn(packed, h0)
        return pad_packed_sequence(outputs, batch_first=True)[0], state


def make_data(lengths: list[int], *, each: str = "sequence") -> Sequences:
    values = torch.randn(sum(lengths), FEATURES, generator=torch.Generator().manual_seed(sum(lengths)))
    count = len(lengths) if each == "sequence" else sum(lengths)
    return Sequences(inputs=Ragged(values, torch.tensor(lengths)), targets=torch.zeros(count, dtype=torch.int64), each=each)  # type: ignore[arg-type]


WAYS: list[tuple[type[nn.Module], Contract | None, str]] = [
    (PackedClassifier, None, "sequence"),
    (TimeFirstTagger, Contract(mask="padding", batch_first=False), "step"),
    (LengthBlind, None, "sequence"),
    (BlindTagger, None, "step"),
    (PackedTagger, None, "step"),
    (LeftPadded, Contract(mask="valid", padding="left", batch_first=True), "sequence"),
    (Stateful, Contract(stateful=True, reset="clear"), "sequence"),
    (GivenState, None, "step"),
]


@pytest.mark.parametrize(("kind", "contract", "each"), WAYS)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_a_sequence_in_a_batch_gives_what_it_gives_alone(
    kind: type[nn.Module], contract: Contract | None, each: str, lengths: list[int]
) -> None:
    torch.manual_seed(0)
    adapted = adapt(kind().eval(), contract=contract)
    data = make_data(lengths, each=each)
    with torch.no_grad():
        together = adapted(data)
        alone = torch.cat([adapted(data.select([row])).values for row in range(len(data))])
    assert together.each == each
    torch.testing.assert_close(together.values, alone)


def test_a_bare_recurrent_module_gives_its_last_output() -> None:
    module, data = nn.GRU(FEATURES, CLASSES), make_data([3, 1, 4])
    outputs = adapt(module)(data)
    assert isinstance(data.inputs, Ragged)
    expected = torch.stack([module(sequence)[0][-1] for sequence in data.inputs.to_list()])
    torch.testing.assert_close(outputs.values, expected)


def test_a_bare_bidirectional_module_has_no_last_output_to_trust() -> None:
    with pytest.raises(ContractError, match="backward direction has seen a single step"):
        adapt(nn.GRU(FEATURES, CLASSES, bidirectional=True))(make_data([3, 1]))


def test_call_sees_everything_that_belongs_to_a_batch() -> None:
    seen: list[Batch] = []

    def call(module: nn.Module, batch: Batch) -> Tensor:
        seen.append(batch)
        assert isinstance(batch.x, Tensor)
        return torch.zeros(len(batch.lengths), CLASSES)

    data = make_data([2, 3])
    adapt(nn.Identity(), call=call)(data)
    batch = seen[-1]
    assert isinstance(batch.x, Tensor)
    assert tuple(batch.x.shape) == (2, 3, FEATURES)
    assert batch.mask.tolist() == [[True, True, False], [True, True, True]]
    assert batch.is_first.tolist() == [[True, False, False], [True, False, False]]
    assert batch.x[0, 2].tolist() == [0.0] * FEATURES


def test_a_call_that_reads_no_lengths_never_sees_padding() -> None:
    class Last(nn.Module):
        """Reads its outputs out at the last place, with dropout in training."""

        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(FEATURES, CLASSES, batch_first=True)
            self.calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return torch.dropout(self.rnn(x)[0][:, -1], 0.5, self.training)

    module, data = Last().eval(), make_data([2, 3, 2, 5])
    adapted = adapt(module, call=lambda module, batch: module(batch.x))
    outputs = adapted(data).values
    alone = torch.cat([module(part.values[None]) for part in (data.select([row]).parts["x"] for row in range(4))])
    torch.testing.assert_close(outputs, alone)
    assert module.calls == 3 + 4
    before = torch.get_rng_state()
    adapt(module, call=lambda module, batch: module(batch.x))(data)
    assert torch.equal(before, torch.get_rng_state()), "finding out what is read drew random numbers"
    module.train()
    draws = []
    for adapting in (adapted, adapt(module, call=lambda module, batch: module(batch.x))):  # one that knows, one that finds out
        torch.manual_seed(0)
        draws.append(adapting(data).values)
    torch.testing.assert_close(*draws)


def test_a_call_that_reads_lengths_is_made_once() -> None:
    module, data = PackedClassifier(), make_data([2, 3, 2, 5])
    calls = []
    module.register_forward_hook(lambda module, *_: calls.append(module))
    adapt(module, call=lambda module, batch: module(batch.x, batch.lengths))(data)
    assert sum(each is module for each in calls) == 1


def _add_inputs(_module: nn.Module, batch: Batch) -> Tensor:
    assert isinstance(batch.x, dict)
    return batch.x["a"][:, 0] + batch.x["b"][:, 0]


def test_several_inputs_need_a_call() -> None:
    part = Ragged(torch.randn(3, FEATURES), torch.tensor([1, 2]))
    data = Sequences(inputs={"a": part, "b": part}, targets=torch.tensor([0, 1]))
    with pytest.raises(ContractError, match="several of them"):
        adapt(PackedClassifier())(data)
    with pytest.raises(ContractError, match="several of them"):
        adapt(nn.GRU(FEATURES, CLASSES))(data)
    outputs = adapt(nn.Identity(), call=_add_inputs)(data)
    torch.testing.assert_close(outputs.values, 2 * part.values[part.offsets[:-1]])


def test_an_empty_sequence_is_refused_before_the_module_sees_it() -> None:
    with pytest.raises(DataError, match="1 sequences without a step"):
        adapt(PackedClassifier())(make_data([2, 0]))


def test_another_number_of_features_is_explained_before_the_call() -> None:
    data = Sequences(
        inputs=Ragged(torch.randn(4, 10), torch.tensor([4])), source="'claims.csv'", feature_names=[f"f{i}" for i in range(10)]
    )
    with pytest.raises(ShapeError) as caught:
        adapt(nn.LSTM(8, 4))(data)
    assert caught.value.where == "'claims.csv'"
    assert "10 features a step (f0, f1" in caught.value.arrived
    assert "reads 8" in caught.value.arrived
    assert "input_size=10" in caught.value.hint


@pytest.mark.parametrize(
    ("result", "each", "says"),
    [
        (torch.zeros(2, 3, CLASSES), "sequence", "one output a sequence wanted"),
        (torch.zeros(2, CLASSES), "step", "one output a step wanted"),
        ({"logits": torch.zeros(2, CLASSES)}, "sequence", "a dict"),
        ((torch.zeros(1), 1, 2), "sequence", "a tuple"),
    ],
)
def test_an_output_that_does_not_fit_is_told_with_its_shape(result: Any, each: str, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        adapt(nn.Identity(), call=lambda _module, _batch: result)(make_data([2, 3], each=each))


def test_a_module_that_fails_is_told_with_its_own_words() -> None:
    def fail(module: nn.Module, batch: Batch) -> Tensor:
        raise RuntimeError("the flux is reversed")

    with pytest.raises(ContractError, match="the flux is reversed") as caught:
        adapt(nn.Identity(), call=fail)(make_data([2]))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_method_that_is_not_there_is_named() -> None:
    with pytest.raises(ContractError, match="no method 'wipe'"):
        adapt(LengthBlind(), contract=Contract(reset="wipe"))(make_data([2]))


def test_a_single_column_is_a_probability_where_a_sigmoid_ends_the_module() -> None:
    adapted = adapt(nn.Sequential(nn.Linear(3, 1), nn.Sigmoid()), contract=Contract(takes=("x",), batch_first=True))
    assert resolved(adapted, Outputs(torch.tensor([[0.2], [0.9]]), "sequence")).output == "probabilities"


@pytest.mark.parametrize(
    ("values", "output"),
    [
        (torch.tensor([[0.25, 0.75], [1.0, 0.0]]), "probabilities"),
        (torch.tensor([[0.25, 0.25]]), "logits"),
        (torch.tensor([[-1.0, 2.0]]), "logits"),
        (torch.tensor([[0.2], [0.9]]), "logits"),
        (torch.tensor([[0.2], [1.9]]), "logits"),
        (torch.tensor([[float("nan"), 0.5]]), "logits"),
    ],
)
def test_the_form_of_the_output_is_read_off_its_values(values: Tensor, output: str) -> None:
    adapted = adapt(nn.GRU(FEATURES, CLASSES))
    assert resolved(adapted, Outputs(values, "sequence")).output == output


def test_a_carried_core_with_a_contract_still_goes_through_the_engine() -> None:
    data = make_data([3, 1, 2])
    bare, declared = adapt(nn.LSTM(FEATURES, CLASSES)), adapt(nn.LSTM(FEATURES, CLASSES), contract=Contract(output="logits"))
    declared.module.load_state_dict(bare.module.state_dict())
    torch.testing.assert_close(declared(data).values, bare(data).values)


class ProjectsFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(5, CLASSES, batch_first=True)
        self.inp = nn.Linear(FEATURES, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(self.inp(x))[0][:, -1]  # type: ignore[no-any-return]


def test_a_core_that_reads_a_projection_is_not_taken_for_one_of_other_features() -> None:
    assert adapt(ProjectsFirst())(make_data([2, 3])).values.shape == (2, CLASSES)


@pytest.mark.parametrize("call", [lambda _module, batch: batch.inputs, lambda module, batch: module(batch.x["amount"])])
def test_what_fails_in_a_call_is_told_as_its_own_with_the_fields_of_a_batch(call: Any) -> None:
    with pytest.raises(ContractError, match="your call=") as told:
        adapt(nn.Identity(), call=call)(make_data([2, 3]))
    assert "or give call=" not in told.value.hint
    for name in ("x", "lengths", "mask", "state", "is_first", "static"):
        assert f"batch.{name}" in told.value.hint
