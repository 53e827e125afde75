"""Is the module left as it was, whatever it does to itself?"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from statewise import Contract, trace
from statewise.errors import ContractError
from statewise.tracing._watch import Watch
from statewise.training._untouched import untouched
from tests.tracing.strangers import LastState, Leaky


def everything(module: nn.Module) -> dict[str, Any]:
    return {
        "modes": [part.training for part in module.modules()],
        "tensors": {name: value.clone() for name, value in [*module.named_parameters(), *module.named_buffers()]},
        "grads": [parameter.requires_grad for parameter in module.parameters()],
        "hooks": [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules()],
    }


def require_same(module: nn.Module, before: dict[str, Any]) -> None:
    after = everything(module)
    assert {name: after[name] for name in ("modes", "grads", "hooks")} == {name: before[name] for name in ("modes", "grads", "hooks")}
    assert all(torch.equal(after["tensors"][name], value) for name, value in before["tensors"].items())


@pytest.mark.parametrize("training", [True, False])
def test_a_module_that_changes_itself_is_put_back(*, training: bool) -> None:
    model = Leaky().train(training)
    model.rnn.weight_ih_l0.requires_grad = False
    seen, table = model.seen, model.table
    before = everything(model)
    first = trace(model, torch.randn(6, 5))
    require_same(model, before)
    assert model.hidden is None
    assert model.seen is seen
    assert (seen, table) == ([], {})
    assert first.outputs is not None


def test_a_state_kept_inside_is_put_back() -> None:
    model = Leaky()
    kept = model.hidden = torch.ones(1, 1, 4)
    trace(model, torch.randn(6, 5))
    assert model.hidden is kept
    assert torch.equal(kept, torch.ones(1, 1, 4))


def test_a_module_that_fails_is_put_back_too() -> None:
    model = Leaky()
    before = everything(model)
    with pytest.raises(ContractError):
        trace(model, torch.randn(6, 5), call=lambda module, batch: module(batch.x).no_such_name)
    require_same(model, before)


def test_no_random_generator_moves() -> None:
    def draw() -> tuple[float, int, float]:
        return float(torch.rand(1)), random.getrandbits(32), float(np.random.rand())  # noqa: NPY002 - what a stranger may use

    module = nn.Linear(1, 1)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    expected = draw()
    torch.set_rng_state(states[0])
    random.setstate(states[1])
    np.random.set_state(states[2])  # noqa: NPY002
    with untouched(module):
        draw()
    assert draw() == expected


def test_dropout_is_off_so_that_two_traces_agree() -> None:
    model, inputs = LastState().train(), torch.randn(6, 5)
    assert torch.equal(trace(model, inputs).outputs, trace(model, inputs).outputs)  # type: ignore[arg-type]


def test_no_graph_is_kept() -> None:
    found = trace(nn.LSTM(5, 4), torch.randn(6, 5, requires_grad=True))
    cell = found.cores[0].cells[0]
    tensors = [found.hidden, found.outputs, *cell.work.values(), *cell.after.values(), cell.inputs]
    assert not any(each.requires_grad for each in tensors if each is not None)


def test_an_error_that_the_module_catches_does_not_confuse_the_watch() -> None:
    class Tries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wrong, self.right = nn.Linear(3, 2), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            try:
                result: Tensor = self.wrong(x)
            except RuntimeError:
                result = self.right(x)
            return result

    found = trace(Tries(), torch.randn(6, 5), contract=Contract(batch_first=True))
    assert [row.name for row in found.submodules] == ["", "right"]


def test_later_operations_in_place_do_not_reach_what_was_noted() -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(inplace=True))
    inputs = torch.randn(1, 6, 5)
    with Watch(model) as watch, torch.no_grad():
        model(inputs)
    assert torch.equal(watch.calls[1].output, model[0](inputs))


def test_named_tuples_come_through_the_watch_as_they_are() -> None:
    class Gives(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return x.max(1)

    model = Gives()
    with Watch(model) as watch:
        model(x=torch.eye(3))
    assert torch.equal(watch.calls[0].output.values, torch.ones(3))
    assert torch.equal(watch.calls[0].argument(0, "x"), torch.eye(3))
