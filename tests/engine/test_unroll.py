"""What does `unroll` promise beside exact numbers: layouts, hooks, modes, dtypes, graphs?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import pack_sequence

from statewise.engine import unroll
from statewise.sequences import Ragged
from statewise.state import leaves, map_tensors
from tests.engine.cases import DEVICE, NO_CUDNN, ON_A_PROCESSOR, Case
from tests.engine.properties import assert_each_sequence_equals_itself_alone, cut_into_chains, gap

if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTHS = torch.tensor([4, 0, 1, 7])


@pytest.fixture(autouse=True)
def on_the_device() -> Iterator[None]:
    """Make modules and inputs there, unless a test says where."""
    with torch.device(DEVICE):
        yield


def ragged(features: int = 2, dtype: torch.dtype = torch.float32) -> Ragged:
    return Ragged(torch.randn(int(LENGTHS.sum()), features, dtype=dtype), LENGTHS)


def test_rnn_5_3_on_4_2_5_gives_4_2_3() -> None:
    outputs, final = unroll(nn.RNN(5, 3), torch.randn(4, 2, 5))
    assert outputs.shape == (4, 2, 3)
    assert final.shape == (1, 2, 3)


def test_a_dense_call_without_resets_is_the_module_itself() -> None:
    module, inputs = nn.LSTM(2, 3, num_layers=2, bidirectional=True), torch.randn(5, 4, 2)
    outputs, (h, c) = unroll(module, inputs)
    wanted, (wanted_h, wanted_c) = module(inputs)
    assert torch.equal(outputs, wanted)
    assert torch.equal(h, wanted_h)
    assert torch.equal(c, wanted_c)


def test_a_row_of_length_zero_keeps_its_state() -> None:
    state = torch.randn(1, 4, 3), torch.randn(1, 4, 3)
    _, final = unroll(nn.LSTM(2, 3), ragged(), state)
    assert all(torch.equal(after[:, 1], before[:, 1]) for after, before in zip(final, state, strict=True))


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_no_step_at_all_gives_no_output_and_the_state_as_it_was(lengths: list[int]) -> None:
    inputs = Ragged(torch.zeros(0, 2), torch.tensor(lengths, dtype=torch.int64))
    state = torch.randn(2, len(lengths), 3)
    outputs, final = unroll(nn.GRU(2, 3, bidirectional=True), inputs, state)
    assert outputs.values.shape == (0, 6)
    assert torch.equal(final, state)


@pytest.mark.parametrize(("time", "batch"), [(0, 3), (5, 0), (0, 0)])
def test_empty_dense_windows_give_empty_outputs(time: int, batch: int) -> None:
    flags = torch.ones(time, batch, dtype=torch.bool)
    state = torch.randn(1, batch, 3)
    outputs, final = unroll(nn.GRU(2, 3), torch.randn(time, batch, 2), state, is_first=flags)
    assert outputs.shape == (time, batch, 3)
    assert torch.equal(final, state)


def test_without_return_state_the_outputs_are_the_same_and_no_state_is_given() -> None:
    module, inputs = nn.LSTM(2, 3), ragged()
    outputs, state = unroll(module, inputs, return_state=False)
    assert state is None
    assert torch.equal(outputs.values, unroll(module, inputs)[0].values)
    assert unroll(module, inputs.select([1]), return_state=False)[1] is None


def test_all_resets_at_every_step_equal_single_steps() -> None:
    module, inputs = nn.GRU(2, 3, dtype=torch.float64), torch.randn(6, 2, 2, dtype=torch.float64)
    outputs, _ = unroll(module, inputs, is_first=torch.ones(6, 2, dtype=torch.bool))
    alone, _ = module(inputs.reshape(1, 12, 2))
    assert gap(outputs, alone.view(6, 2, 3)) <= 1e-12


def test_the_gradient_does_not_cross_a_reset_but_crosses_a_window() -> None:
    module, inputs = nn.RNN(2, 3), torch.randn(4, 1, 2, requires_grad=True)
    state = torch.zeros(1, 1, 3, requires_grad=True)
    outputs, _ = unroll(module, inputs, state, is_first=torch.tensor([[False], [False], [True], [False]]))
    (before, given) = torch.autograd.grad(outputs[3].sum(), [inputs, state], retain_graph=True)
    assert bool((before[:2] == 0).all())
    assert bool((given == 0).all())
    assert bool((before[2:] != 0).any())
    (given,) = torch.autograd.grad(outputs[1].sum(), [state])
    assert bool((given != 0).any())


def test_the_gradient_stays_finite_when_a_reset_row_held_nan() -> None:
    module, inputs = nn.LSTM(2, 3), torch.randn(4, 2, 2)
    state = tuple(torch.full((1, 2, 3), float("inf")).index_fill(1, torch.tensor(1), 0.5).requires_grad_() for _ in "hc")
    outputs, final = unroll(module, inputs, state, is_first=torch.tensor([[True, False]] + [[False, False]] * 3))
    (outputs.sum() + final[1].sum()).backward()
    for tensor in (*state, *module.parameters()):
        assert tensor.grad is not None
        assert bool(tensor.grad.isfinite().all())


@pytest.mark.parametrize("bidirectional", [False, True])
def test_hooks_of_the_module_are_called(*, bidirectional: bool) -> None:
    module, inputs = nn.LSTM(2, 3, num_layers=2, bidirectional=bidirectional), ragged()
    wanted, wanted_final = unroll(module, inputs)
    calls: list[Any] = []
    module.register_forward_hook(lambda _module, _inputs, outputs: calls.append(outputs))
    outputs, final = unroll(module, inputs)
    assert calls
    assert gap(outputs.values, wanted.values) <= 1e-5
    assert all(gap(after, before) <= 1e-5 for after, before in zip(final, wanted_final, strict=True))


def test_a_subclass_with_a_forward_of_its_own_is_called() -> None:
    class Doubled(nn.GRU):
        def forward(self, inputs: Any, state: Any = None) -> Any:
            outputs, final = super().forward(inputs, state)
            return outputs._replace(data=2 * outputs.data), final

    module, inputs = Doubled(2, 3, bidirectional=True), ragged()
    plain = nn.GRU(2, 3, bidirectional=True)
    plain.load_state_dict(module.state_dict())
    assert gap(unroll(module, inputs)[0].values, 2 * unroll(plain, inputs)[0].values) <= 1e-5


def test_a_forward_that_was_put_on_the_module_itself_is_called() -> None:
    module, inputs, calls = nn.GRU(2, 3, bidirectional=True), ragged(), []
    wanted, _ = unroll(module, inputs)
    right = module.forward
    module.forward = lambda *arguments: (calls.append(1), right(*arguments))[1]  # type: ignore[assignment, method-assign, func-returns-value]
    assert gap(unroll(module, inputs)[0].values, wanted.values) <= 1e-5
    assert calls == [1]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_parametrized_weights_are_computed_anew_and_learn(*, bidirectional: bool) -> None:
    class Halved(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return weight / 2

    module, inputs = nn.GRU(2, 3, bidirectional=bidirectional), ragged()
    parametrize.register_parametrization(module, "weight_hh_l0", Halved())
    plain = nn.GRU(2, 3, bidirectional=bidirectional)
    for name in plain.state_dict():
        getattr(plain, name).data = getattr(module, name).detach().clone()
    outputs, _ = unroll(module, inputs)
    assert gap(outputs.values, unroll(plain, inputs)[0].values) <= 1e-6
    outputs.values.sum().backward()
    (original,) = [part for name, part in module.named_parameters() if name.endswith("weight_hh_l0.original")]
    assert original.grad is not None
    assert bool((original.grad != 0).any())


def test_dropout_between_layers_is_torchs_own_in_training_and_absent_in_evaluation() -> None:
    module, inputs = nn.GRU(2, 64, num_layers=2, dropout=0.5, bidirectional=True), ragged()
    first, second = (unroll(module, inputs)[0].values for _ in range(2))
    assert not torch.equal(first, second)
    module.eval()
    assert torch.equal(unroll(module, inputs)[0].values, unroll(module, inputs)[0].values)
    certain = nn.GRU(2, 4, num_layers=2, dropout=1.0, bidirectional=True)
    with torch.device("cpu"):  # where torch wants the lengths
        packed = pack_sequence([part for part in inputs.to_list() if len(part)], enforce_sorted=False)
    silent, _ = certain(packed)
    found, _ = unroll(certain, inputs)
    assert gap(Ragged.from_packed(silent).values, found.values) <= (1e-6 if DEVICE == "cpu" else 5e-5)


def test_mode_weights_and_random_numbers_are_left_as_they_are() -> None:
    module, inputs = nn.LSTM(2, 3, bidirectional=True), ragged()
    weights, seed = {name: part.clone() for name, part in module.state_dict().items()}, torch.get_rng_state()
    unroll(module, inputs)
    assert module.training
    assert torch.equal(torch.get_rng_state(), seed)
    assert all(torch.equal(part, weights[name]) for name, part in module.state_dict().items())


@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_under_autocast_outputs_are_as_torch_gives_them_and_the_state_keeps_its_dtype(kind: str, *, bidirectional: bool) -> None:
    case = Case(kind=kind, bidirectional=bidirectional, lengths=(4, 0, 1, 7), dtype=torch.float32)
    inputs = case.inputs(torch.float32)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        whole, _ = case.module(torch.randn(5, 2, 2))
        outputs, state = unroll(case.module, inputs)
        outputs, state = unroll(case.module, inputs, state)
    assert outputs.values.dtype == whole.dtype
    assert all(leaf.dtype == torch.float32 for _, leaf in leaves(state))
    wanted, wanted_state = unroll(case.twin, case.inputs(torch.float64), map_tensors(Tensor.double, unroll(case.module, inputs)[1]))
    assert gap(outputs.values, wanted.values) < 0.03
    assert all(gap(a, b) < 0.03 for (_, a), (_, b) in zip(leaves(state), leaves(wanted_state), strict=True))


@ON_A_PROCESSOR
def test_under_autocast_a_carried_state_loses_nothing_where_a_window_ends() -> None:
    module, values = nn.LSTM(3, 8), torch.randn(40, 5, 3)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        whole, final = unroll(module, values)
        first, carried = unroll(module, values[:17])
        second, ended = unroll(module, values[17:], carried)
    assert torch.equal(torch.cat([first, second]), whole), (
        "c is handed on in float32, as inside a call, and h has no more digits than bfloat16"
    )
    assert all(torch.equal(a, b) for a, b in zip(ended, final, strict=True))


@NO_CUDNN
@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh", "relu"])
@pytest.mark.parametrize(("dtype", "limit", "short"), [(torch.float64, 1e-10, 2), (torch.float32, 1e-4, 0), (torch.float32, 1e-4, 99)])
def test_gradients_can_be_differentiated_again(
    kind: str, dtype: torch.dtype, limit: float, short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chains = cut_into_chains(monkeypatch, short=short)
    case = Case(kind=kind, lengths=(4, 0, 2, 3, 7), dtype=dtype)

    def second_gradients(module: nn.Module, inputs: Ragged, results: list[Tensor]) -> tuple[Tensor, ...]:
        loss = torch.stack([part.square().sum() for part in results]).sum()
        (gradient,) = torch.autograd.grad(loss, inputs.values, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), [inputs.values, *module.parameters()])

    inputs, truth = case.inputs(dtype), case.inputs(torch.float64)
    outputs, state = unroll(case.module, inputs)
    alone = [case.twin(part.unsqueeze(1)) for part in truth.to_list() if len(part)]
    found = second_gradients(case.module, inputs, [outputs.values, *(leaf for _, leaf in leaves(state))])
    wanted = second_gradients(case.twin, truth, [leaf for _, leaf in leaves(alone)])
    assert all(gap(a, b) <= limit for a, b in zip(found, wanted, strict=True))
    assert max(chains) > 2 or kind != "lstm" or dtype == torch.float64


@NO_CUDNN
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, on its first use of forward mode
@pytest.mark.parametrize(
    ("kind", "dtype", "limit"),
    [*((kind, torch.float64, 1e-12) for kind in ("lstm", "gru", "tanh")), ("lstm", torch.float32, 1e-5)],
)
def test_transforms_of_torch_func_and_forward_mode_see_through(kind: str, dtype: torch.dtype, limit: float) -> None:
    case = Case(kind=kind, lengths=(4, 0, 2, 3), dtype=dtype)
    module, inputs = case.module, case.inputs(dtype)

    def loss(values: Tensor) -> Tensor:
        return unroll(module, Ragged(values, inputs.lengths))[0].values.square().sum()

    (wanted,) = torch.autograd.grad(loss(inputs.values), inputs.values, create_graph=True)
    values = inputs.values.detach()
    assert gap(torch.func.grad(loss)(values), wanted) < limit
    direction = torch.randn_like(values)
    along = torch.func.jvp(loss, (values,), (direction,))[1]
    assert along.item() == pytest.approx((wanted * direction).sum().item(), rel=max(limit, 1e-6))
    with torch.autograd.forward_ad.dual_level():
        dual = loss(torch.autograd.forward_ad.make_dual(values, direction))
        assert torch.autograd.forward_ad.unpack_dual(dual).tangent.item() == pytest.approx(along.item())
    (turned,) = torch.autograd.grad(wanted, inputs.values, direction)
    assert gap(torch.func.jvp(torch.func.grad(loss), (values,), (direction,))[1], turned) < 10 * limit


@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh"])
def test_inputs_states_and_weights_that_lie_scattered_in_memory_are_read_rightly(kind: str) -> None:
    case = Case(kind=kind, input_size=3, hidden_size=4, dtype=torch.float32)
    module, twin = case.module, case.twin
    module.weight_hh_l0 = nn.Parameter(module.weight_hh_l0.detach().t().contiguous().t())  # type: ignore[operator]
    values = torch.randn(12, 5, 3)[::2, 1:4]
    state = map_tensors(lambda leaf: leaf[:, :1].expand(-1, 3, -1), case.state(1, torch.float32))
    outputs, final = unroll(module, values, state)
    for lane in range(3):
        wanted, ended = twin(values[:, lane : lane + 1].double(), map_tensors(lambda leaf: leaf[:, :1].double(), state))
        assert gap(outputs[:, lane : lane + 1], wanted) < 1e-5
        assert all(gap(a[:, lane : lane + 1], b) < 1e-5 for (_, a), (_, b) in zip(leaves(final), leaves(ended), strict=True))
    sources = [part.requires_grad_() for part in (values, *module.parameters())]
    found = torch.autograd.grad(unroll(module, values, state)[0].square().sum(), sources)
    truth = [values.detach().double().requires_grad_(), *twin.parameters()]
    loss = twin(truth[0], map_tensors(lambda leaf: leaf.double().contiguous(), state))[0].square().sum()
    assert all(gap(a, b) < 5e-5 for a, b in zip(found, torch.autograd.grad(loss, truth), strict=True))


@pytest.mark.parametrize("kind", ["lstm", "gru", "relu"])
def test_numbers_beyond_all_bounds_after_a_sequence_ends_reach_no_gradient(kind: str) -> None:
    module = Case(kind=kind, hidden_size=4, dtype=torch.float32).module
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(1000)
    values = torch.full((401, 2), 1e4).requires_grad_()
    inputs = Ragged(values, torch.tensor([400, 1]))
    outputs, _ = unroll(module, inputs)
    short = outputs.values[400:]
    gradients = torch.autograd.grad(short.sum(), [values, *module.parameters()])
    alone, _ = module(values[400:].unsqueeze(1))
    wanted = torch.autograd.grad(alone.sum(), [values, *module.parameters()])
    assert bool(gradients[0][400:].isfinite().all())
    if kind != "relu":  # there the long sequence itself overflows, and 0 times infinity in its own steps is NaN in torch too
        assert all(gap(a, b) <= 5e-5 for a, b in zip(gradients, wanted, strict=True))


def test_no_gradient_is_recorded_without_one_being_asked_for() -> None:
    with torch.no_grad():
        outputs, final = unroll(nn.GRU(2, 3), ragged())
    assert not outputs.values.requires_grad
    assert not final.requires_grad


def test_batch_first_does_not_matter_to_ragged_sequences() -> None:
    for batch_first in (False, True):
        assert_each_sequence_equals_itself_alone(Case(batch_first=batch_first, lengths=(5, 5)))
        assert_each_sequence_equals_itself_alone(Case(batch_first=batch_first, lengths=(5, 0, 3), num_layers=2))


@NO_CUDNN
@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh"])
def test_gradients_are_mapped_over_by_vmap(kind: str) -> None:
    case = Case(kind=kind, dtype=torch.float64)
    module, values = case.module, torch.randn(3, 4, 2, case.input_size, dtype=torch.float64)

    def loss(lanes: Tensor) -> Tensor:
        return unroll(module, lanes)[0].square().sum()

    mapped = torch.func.vmap(torch.func.grad(loss))(values)
    assert gap(mapped, torch.stack([torch.func.grad(loss)(each) for each in values])) < 1e-12


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_without_a_step_the_state_is_a_copy_of_the_one_given(kind: str) -> None:
    case = Case(kind=kind, dtype=torch.float32)
    state = case.state(2, torch.float32)
    for inputs in (torch.zeros(0, 2, case.input_size), Ragged(torch.zeros(0, case.input_size), torch.tensor([0, 0]))):
        _, final = unroll(case.module, inputs, state)
        for (_, one), (_, other) in zip(leaves(state), leaves(final), strict=True):
            assert torch.equal(one, other)
            assert one.data_ptr() != other.data_ptr()


@pytest.mark.parametrize("module", [nn.LSTM(2, 3, device=DEVICE), nn.GRUCell(2, 3, device=DEVICE)])
def test_hooks_of_all_modules_are_called(module: nn.Module) -> None:
    calls: list[str] = []
    hooks = [
        nn.modules.module.register_module_forward_hook(lambda *_: calls.append("forward")),
        nn.modules.module.register_module_forward_pre_hook(lambda *_: calls.append("before")),
    ]
    try:
        unroll(module, torch.zeros(4, 2, 2))  # type: ignore[call-overload]
        assert {"before", "forward"} == set(calls)
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh", "relu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_of_nan_leaves_all_of_the_others_alone_but_the_gradients_of_the_weights(kind: str, dtype: torch.dtype) -> None:
    case = Case(kind=kind, lengths=(4, 3, 2), dtype=dtype)
    clean = case.inputs(dtype).values.detach()
    spoilt = torch.cat([clean[:4], torch.full_like(clean[4:7], float("nan")), clean[7:]])

    def found(values: Tensor) -> list[Tensor]:
        values = values.clone().requires_grad_()
        outputs, state = unroll(case.module, Ragged(values, torch.tensor([4, 3, 2])))
        ended = [leaf[0, ::2] for _, leaf in leaves(state)]
        loss = outputs.values[:4].sum() + outputs.values[7:].sum() + sum(part.sum() for part in ended)
        (gradient,) = torch.autograd.grad(loss, values)
        return [*ended, *(part[rows] for part in (outputs.values, gradient) for rows in (slice(4), slice(7, None)))]

    for one, other in zip(found(clean), found(spoilt), strict=True):
        assert gap(one, other) < 1e-6
