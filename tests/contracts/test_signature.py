"""What is read off a module's signature, and what stays open and is asked for by name?"""

from __future__ import annotations

import msgspec
import pytest
import torch
from torch import Tensor, nn

from statewise.contracts import Contract, adapt
from statewise.errors import ContractError


class Reads(nn.Module):
    """A module whose forward is given in each test."""

    def __init__(self, *, batch_first: bool = True) -> None:
        super().__init__()
        self.rnn = nn.GRU(2, 3, batch_first=batch_first)


class WithLengths(Reads):
    def forward(self, inputs: Tensor, lens: Tensor) -> Tensor:
        return inputs.sum() + lens.sum()


class WithMask(Reads):
    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        return x.sum() + attention_mask.sum()


class WithState(Reads):
    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        return x.sum() + hidden.sum()


class WithFactory(WithState):
    def init_hidden(self, batch_size: int) -> Tensor:
        return torch.zeros(1, batch_size, 3)


class WithUnknown(Reads):
    def forward(self, x: Tensor, temperature: float) -> Tensor:
        return x * temperature


class WithOption(Reads):
    def forward(self, x: Tensor, temperature: float = 1.0, lengths: Tensor | None = None) -> Tensor:
        return x * temperature if lengths is None else x


def test_usual_names_are_read_in_their_order() -> None:
    contract = adapt(WithLengths()).contract
    assert contract.takes == ("x", "lengths")
    assert contract.batch_first is True
    assert contract.padding == "right"


def test_a_state_factory_is_found_by_its_usual_name() -> None:
    assert adapt(WithFactory()).contract.initial_state == "init_hidden"


def test_arguments_behind_an_unknown_optional_one_are_left_alone() -> None:
    assert adapt(WithOption()).contract.takes == ("x",)


@pytest.mark.parametrize(
    ("module", "field"),
    [
        (WithMask(), "mask"),
        (WithState(), "initial_state"),
        (WithUnknown(), "takes"),
        (WithLengths(batch_first=False), "batch_first"),
    ],
)
def test_an_open_field_is_named(module: nn.Module, field: str) -> None:
    with pytest.raises(ContractError) as caught:
        adapt(module)
    assert caught.value.where == f"contract field {field!r}"
    assert caught.value.asked == f"call {type(module).__name__}"
    assert "Contract(" in caught.value.hint


def test_a_stateful_module_must_say_how_it_is_reset() -> None:
    with pytest.raises(ContractError, match="'reset'"):
        adapt(WithLengths(), contract=Contract(stateful=True))


def test_what_is_declared_is_never_overruled() -> None:
    contract = adapt(WithLengths(), contract=Contract(takes=("lengths", "x"), batch_first=False)).contract
    assert contract.takes == ("lengths", "x")
    assert contract.batch_first is False


def test_a_contract_prints_as_python_that_makes_it_again() -> None:
    contract = Contract(takes=("x", "mask"), mask="padding", each="step")
    assert eval(repr(contract), {"Contract": Contract}) == contract  # noqa: S307  # the promise is that it is Python


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("batch_first", "yes", "True or False"),
        ("stateful", 1, "True or False"),
        ("takes", ("x", "frames"), '"lengths"'),
        ("takes", ("lengths",), '"x" among them'),
        ("takes", ("x", "x"), "each once"),
        ("mask", "real", '"valid" or "padding"'),
        ("task", "guess", '"classify"'),
        ("reset", 3, "name of a method"),
        ("horizon", 0, "1 or more"),
    ],
)
def test_a_field_that_means_nothing_is_refused_by_name(field: str, value: object, says: str) -> None:
    with pytest.raises(ContractError, match=f"contract field '{field}'") as caught:
        Contract(**{field: value})  # type: ignore[arg-type]
    assert says in caught.value.hint
    with pytest.raises(ContractError):
        msgspec.structs.replace(Contract(), **{field: value})


def test_a_list_stands_for_a_tuple() -> None:
    assert Contract(takes=["x", "lengths"]) == Contract(takes=("x", "lengths"))  # type: ignore[arg-type]
