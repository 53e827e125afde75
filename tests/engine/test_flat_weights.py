"""Do weights that are moved into one buffer stay the same weights, with their gradients, and are those that lie there left alone?"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from statewise.engine._flat_weights import Layout, flat_weights, lie_flat, moved
from statewise.engine._layer import Layer
from tests.engine.properties import gap

# Two matrices of 12 and 16 numbers and two biases of 4: in torch's order, with room between them, and in another order.
SHAPES = ((4, 3), (4, 4), (4,), (4,))
LAYOUTS = [Layout(36, (0, 12, 28, 32)), Layout(48, (0, 16, 34, 38)), Layout(36, (16, 0, 32, 28))]


def weights() -> tuple[Tensor, ...]:
    return tuple(torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in SHAPES)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_moved_weights_are_the_same_and_lie_as_the_layout_says(layout: Layout) -> None:
    given = weights()
    found = moved(given, layout)
    assert all(torch.equal(one, other) for one, other in zip(found, given, strict=True))
    assert lie_flat(found, layout)
    assert not lie_flat(given, layout)
    room = torch.ones(layout.size, dtype=torch.bool)
    for weight, offset in zip(given, layout.offsets, strict=True):
        room[offset : offset + weight.numel()] = False
    buffer = torch.empty(0, dtype=torch.float64).set_(found[0].untyped_storage())
    assert bool((buffer[room] == 0).all()), "what is read as biases that a module has not is zero"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_to_moved_weights_go_to_each_also_the_second(layout: Layout) -> None:
    def cubed(*given: Tensor) -> tuple[Tensor, ...]:
        return tuple(weight**3 for weight in moved(given, layout))

    assert torch.autograd.gradcheck(cubed, weights())
    assert torch.autograd.gradgradcheck(cubed, weights())


def test_two_matrices_without_biases_leave_room_for_them() -> None:
    w_ih, w_hh, *_ = weights()
    found = moved((w_ih, w_hh), Layout(36, (0, 12)))
    assert found[0].untyped_storage().nbytes() == 36 * 8
    assert lie_flat(found, Layout(36, (0, 12)))


def test_weights_beside_others_in_one_buffer_do_not_lie_flat() -> None:
    buffer = torch.randn(72, dtype=torch.float64)
    w_ih, w_hh = buffer[:12].view(4, 3), buffer[12:28].view(4, 4)
    assert not lie_flat((w_ih, w_hh), Layout(36, (0, 12))), "torch would read what follows as biases"


def test_on_a_processor_weights_are_taken_as_they_are() -> None:
    given = weights()
    assert flat_weights("rnn_tanh", given) is given


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_layer_of_moved_weights_computes_the_same(kind: type[nn.LSTM | nn.GRU | nn.RNN]) -> None:
    module = kind(3, 4, dtype=torch.float64)
    own = tuple(module.all_weights[0])
    ends = [sum(weight.numel() for weight in own[:count]) for count in range(5)]
    found = moved(own, Layout(ends[-1], tuple(ends[:-1])))
    layer = Layer(mode=module.mode.lower(), weights=found, has_biases=True)
    state = tuple(torch.zeros(2, 4, dtype=torch.float64) for _ in ("hc" if kind is nn.LSTM else "h"))
    values = torch.randn(5, 2, 3, dtype=torch.float64)
    outputs, _ = layer._call(found, values, state)
    wanted, _ = module(values)
    assert gap(outputs, wanted) < 1e-12
    gradients = (torch.autograd.grad(part.square().sum(), own) for part in (outputs, wanted))
    assert all(gap(one, other) < 1e-12 for one, other in zip(*gradients, strict=True))
