"""Are modules judged rightly that are unusual, though correct; and what is easily overlooked, is it seen?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import statewise as sw
from statewise.auditing import audit
from statewise.contracts import Contract, adapt, resolved
from statewise.errors import ContractError, OptionError
from tests.auditing._asked import LENGTHS, Packed, numbers, status_of


class Base(nn.Module):
    """A GRU and a head; `forward` is given by each test."""

    def __init__(self, layers: int = 1, *, bidirectional: bool = False) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 8, layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(8, 2)


class LastInputs(nn.Module):
    """A causal convolution whose state is the last two inputs, each a leaf of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(9, 4)

    def initial_state(self, rows: int) -> tuple[Tensor, Tensor]:
        return self.mix.weight.new_zeros(rows, 3), self.mix.weight.new_zeros(rows, 3)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        older, newer = state
        outputs = []
        for step in x.unbind(1):
            outputs.append(self.mix(torch.cat([older, newer, step], -1)).tanh())
            older, newer = newer, step
        return torch.stack(outputs, 1), (older, newer)


class Segments(Base):
    """A bidirectional GRU, run over each segment between flags alone."""

    def __init__(self) -> None:
        super().__init__(bidirectional=True)

    def forward(self, x: Tensor, is_first: Tensor) -> Tensor:
        rows = []
        for own, flags in zip(x, is_first, strict=True):
            begins = [*{0, *flags.nonzero().flatten().tolist()}]
            edges = [*sorted(begins), len(own)]
            rows.append(torch.cat([self.rnn(own[None, a:b])[0][0] for a, b in pairwise(edges)]))
        return torch.stack(rows)


class Frozen(Base):
    """An echo-state network: its recurrent weights are never trained."""

    def __init__(self) -> None:
        super().__init__()
        cast("Tensor", self.rnn.weight_hh_l0).requires_grad = False

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][torch.arange(len(x)), lengths - 1])  # type: ignore[no-any-return]


class ByKeyword(Base):
    """Calls its layer with names."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.head(self.rnn(input=x, hx=None)[0][torch.arange(len(x)), lengths - 1])  # type: ignore[no-any-return]


class Cache(nn.Module):
    """Attention over all steps so far, whose state holds them: it grows with the sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(3, 3)

    def forward(self, x: Tensor, lengths: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        del lengths
        past = x if state is None else torch.cat([state, x], 1)
        scores = self.mix(x) @ past.transpose(1, 2)
        later = torch.ones_like(scores, dtype=torch.bool).triu(past.shape[1] - x.shape[1] + 1)
        return scores.masked_fill(later, -torch.inf).softmax(-1) @ past, past


class Counting(Base):
    """Returns how many steps it has seen beside its state, a number that all rows share."""

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        hidden, seen = (None, torch.zeros((), dtype=x.dtype)) if state is None else state
        outputs, hidden = self.rnn(x, hidden)
        return outputs, (hidden, seen + x.shape[1])


@pytest.mark.parametrize(
    ("build", "contract"),
    [
        (LastInputs, Contract(batch_first=True)),
        (Segments, Contract(causal=False)),
        (Frozen, None),
        (ByKeyword, None),
        (Cache, Contract(batch_first=True)),
        (Counting, None),
    ],
)
def test_unusual_and_correct_modules_are_not_accused(build: Any, contract: Contract | None) -> None:
    torch.manual_seed(0)
    found = audit(build(), numbers(), contract=contract)
    assert not [each for each in found.findings if each.status == "fail"], str(found)
    assert found.ok, str(found)
    if build is Counting:
        assert found.contract.returns_state


class Deep(Base):
    """Reads the state of the first of two layers: the second is of no use."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.head(self.rnn(packed)[1][0])  # type: ignore[no-any-return]


class Fixed(Base):
    """Collects its answers in a tensor of a fixed dtype."""

    def forward(self, x: Tensor) -> Tensor:
        collected = torch.zeros(len(x), x.shape[1], 2)
        collected[:] = self.head(self.rnn(x)[0])
        return collected


class Positions(Base):
    """Adds positions that it looks up on the CPU, wherever it is."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Embedding(200, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x + self.places(torch.arange(x.shape[1])))[0]  # type: ignore[no-any-return]


class Clears(Base):
    """Sets the padding of its caller's tensor to zero."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        x[torch.arange(x.shape[1]) >= lengths[:, None]] = 0.0
        return self.head(self.rnn(x)[0][torch.arange(len(x)), lengths - 1])  # type: ignore[no-any-return]


class Placed(Base):
    """Cuts its positions to the number of sequences, where that of steps is meant."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("places", torch.randn(200, 1, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x + cast("Tensor", self.places)[: len(x)])[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(("build", "code"), [(Deep, "SW507"), (Fixed, "SW112"), (Positions, "SW120"), (Clears, "SW606"), (Placed, "SW204")])
def test_what_is_easily_overlooked_is_found(build: Any, code: str) -> None:
    layers = {"layers": 2} if build is Deep else {}
    torch.manual_seed(0)
    found = audit(build(**layers), numbers())
    assert code in {each.code for each in found.findings}, str(found)


def test_noise_on_the_input_is_not_taken_for_a_random_state() -> None:
    class Noisy(Base):
        """Adds noise in eval mode too."""

        def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
            outputs, state = self.rnn(x + 0.1 * torch.randn_like(x), state)
            return outputs, state

    found = audit(Noisy(), numbers())
    assert {each.code for each in found.findings} == {"SW601"}, str(found)


def test_a_mean_over_the_batch_is_not_taken_for_a_confused_axis() -> None:
    class Centred(Base):
        """Takes the mean of the batch from a mean over time."""

        def forward(self, x: Tensor) -> Tensor:
            mean = cast("Tensor", self.rnn.weight_ih_l0)[:8] @ x.tanh().mean(1).T
            return self.head((mean - mean.mean(1, keepdim=True)).T)  # type: ignore[no-any-return]

    found = audit(Centred(), numbers())
    assert "SW201" in {each.code for each in found.findings}, str(found)
    assert status_of(found, "SW202") == "pass"


def test_features_of_a_sequence_are_exchanged_with_it() -> None:
    def call(module: Any, batch: Any) -> Tensor:
        spread = batch.static.repeat(batch.x.shape[1], 1).view(len(batch.x), batch.x.shape[1], -1)  # mixes the rows
        said: Tensor = module.head(module.rnn(batch.x + spread)[0][torch.arange(len(batch.x)), batch.lengths - 1])
        return said

    data = numbers(static=torch.randn(len(LENGTHS), 3))
    assert status_of(audit(Base(), data, call=call), "SW201") == "fail"


def test_outputs_that_are_true_or_false_are_audited() -> None:
    class Decides(Base):
        """Answers yes or no."""

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x)[0]) > 0  # type: ignore[no-any-return]

    found = audit(Decides(), numbers())
    assert not found.findings, str(found)
    assert found.ok, str(found)


class Keeps(Base):
    """Keeps its state between calls."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: Tensor | None = None

    def reset(self) -> None:
        self.hidden = None

    def forward(self, x: Tensor) -> Tensor:
        outputs, hidden = self.rnn(x, self.hidden)
        self.hidden = hidden.detach()
        return outputs  # type: ignore[no-any-return]


def test_a_module_that_was_used_is_audited_as_a_fresh_one() -> None:
    torch.manual_seed(0)
    module = Keeps()
    fresh = audit(module, numbers(), contract=Contract(stateful=True))
    assert fresh.contract.reset == "reset", "a reset of a usual name is found"
    module(torch.randn(32, 4, 3))
    used = audit(module, numbers(), contract=Contract(stateful=True))
    assert [(each.code, each.status) for each in used.outcomes] == [(each.code, each.status) for each in fresh.outcomes]


def test_a_reset_that_fails_before_the_first_call_ends_no_audit() -> None:
    class Zeroes(Keeps):
        """Has nothing to clear before it is called."""

        def reset(self) -> None:
            assert self.hidden is not None
            self.hidden.zero_()

    found = audit(Zeroes(), numbers())
    assert found.contract.reset is None
    declared = audit(Zeroes(), numbers(), contract=Contract(reset="reset"))
    assert "AssertionError" in next(each.evidence for each in declared.outcomes if each.status == "error")


def test_a_module_that_was_trained_in_groups_of_a_length_is_known_to_return_a_state() -> None:
    module = Counting()
    adapted = adapt(module)
    assert resolved(adapted, adapted(numbers())).returns_state is True


def test_an_example_beside_data_is_refused() -> None:
    with pytest.raises(OptionError, match="example"):
        audit(Frozen(), numbers(), example=torch.zeros(2, 3, 3))


def test_a_module_that_answers_no_call_is_told_once() -> None:
    class Broken(Packed):
        """Raises in every call."""

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002  # as a contract reads it
            raise RuntimeError("CUDA is not here")

    found = audit(Broken(), numbers())
    told = {(each.status, each.evidence) for each in found.outcomes if each.code != "SW114"}
    assert told == {("error", "the module failed: RuntimeError: CUDA is not here")}
    assert status_of(found, "SW114") == "not_applicable"
    assert found.sure == {"takes": "read", "batch_first": "read", "padding": "read"}
    assert found.contract.each is None


def test_a_decision_need_not_change_with_the_last_step() -> None:
    class Decides(Packed):
        """Returns the class, and not the scores."""

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return super().forward(x, lengths).argmax(-1)

    found = audit(Decides(), numbers())
    assert not found.findings, str(found)
    assert status_of(found, "SW303") == "not_applicable"


def test_a_relu_is_not_saturated_by_large_inputs() -> None:
    large = sw.Sequences(inputs=sw.Ragged(100 * numbers().parts["x"].values, LENGTHS))
    assert status_of(audit(nn.RNN(3, 8, nonlinearity="relu", batch_first=True), large, fast=True), "SW504") == "not_applicable"
    assert status_of(audit(nn.RNN(3, 8, batch_first=True), large, fast=True), "SW504") == "warn"


def test_parameters_without_a_size_are_refused() -> None:
    with pytest.raises(ContractError, match="first call"):
        audit(nn.Sequential(nn.LazyLinear(3)), numbers())


@pytest.mark.parametrize("inverted", [False, True])
def test_a_mask_read_against_its_name_is_told(inverted: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    class Pooled(nn.Module):
        """The mean over real steps, by a mask of a name that means True at real ones."""

        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 8, batch_first=True)

        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            mask = ~attention_mask if inverted else attention_mask
            answer: Tensor = (self.rnn(x)[0] * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            return answer

    found = audit(Pooled(), numbers())
    assert found.ok, str(found)
    assert status_of(found, "SW306") == ("observed" if inverted else "pass")
    declared = audit(Pooled(), numbers(), contract=Contract(mask="padding" if inverted else "valid"))
    assert status_of(declared, "SW306") == "pass"


def test_a_frozen_size_is_held_against_those_alone_that_are_exported() -> None:
    class Divided(nn.Module):
        """Divides by the number of steps, which Python takes."""

        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 8, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(x)[0].sum(1) / float(x.shape[1])  # type: ignore[no-any-return]

    assert {
        exported: status_of(audit(Divided(), numbers(), contract=Contract(exported=exported), fast=True), "SW604")
        for exported in (None, False, True)
    } == {None: "observed", False: "observed", True: "fail"}
