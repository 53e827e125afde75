"""Does what `unroll` promises beside exact numbers hold over dense blocks too, which a GPU takes? Tried here on a processor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from statewise.engine import _torch_kernel, unroll
from statewise.sequences import Ragged
from tests.engine import test_unroll as promises
from tests.engine.cases import DEVICE, NO_CUDNN, Case
from tests.engine.properties import gap, run_densely

if TYPE_CHECKING:
    from collections.abc import Callable

F32, F64 = torch.float32, torch.float64
on_the_device = promises.on_the_device
PROMISES: list[Callable[[], None]] = [
    promises.test_a_dense_call_without_resets_is_the_module_itself,
    promises.test_a_row_of_length_zero_keeps_its_state,
    promises.test_without_return_state_the_outputs_are_the_same_and_no_state_is_given,
    promises.test_all_resets_at_every_step_equal_single_steps,
    promises.test_the_gradient_does_not_cross_a_reset_but_crosses_a_window,
    promises.test_the_gradient_stays_finite_when_a_reset_row_held_nan,
    promises.test_a_subclass_with_a_forward_of_its_own_is_called,
    promises.test_a_forward_that_was_put_on_the_module_itself_is_called,
    promises.test_dropout_between_layers_is_torchs_own_in_training_and_absent_in_evaluation,
    promises.test_mode_weights_and_random_numbers_are_left_as_they_are,
    promises.test_no_gradient_is_recorded_without_one_being_asked_for,
    promises.test_batch_first_does_not_matter_to_ragged_sequences,
    *(
        partial(promise, bidirectional=both)
        for promise in (promises.test_hooks_of_the_module_are_called, promises.test_parametrized_weights_are_computed_anew_and_learn)
        for both in (False, True)
    ),
    *(
        partial(promises.test_under_autocast_outputs_are_as_torch_gives_them_and_the_state_keeps_its_dtype, kind, bidirectional=both)
        for kind in ("gru", "tanh")  # an LSTM on packed data answers in float32 on a processor, in torch itself
        for both in (False, True)
    ),
    *(
        partial(promises.test_a_row_of_nan_leaves_all_of_the_others_alone_but_the_gradients_of_the_weights, kind, dtype)
        for kind in ("lstm", "gru", "tanh", "relu")
        for dtype in (F32, F64)
    ),
    *(partial(promises.test_numbers_beyond_all_bounds_after_a_sequence_ends_reach_no_gradient, kind) for kind in ("lstm", "gru", "relu")),
    *(
        partial(promises.test_inputs_states_and_weights_that_lie_scattered_in_memory_are_read_rightly, kind)
        for kind in ("lstm", "gru", "tanh")
    ),
    *(
        partial(promises.test_transforms_of_torch_func_and_forward_mode_see_through, kind, F64, 1e-12)
        for kind in ("lstm", "gru", "tanh")
        if DEVICE == "cpu"  # cuDNN takes no transforms
    ),
]


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, on its first use of forward mode
@pytest.mark.parametrize("promise", PROMISES)
def test_over_dense_blocks(promise: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    run_densely(monkeypatch)
    promise()


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_rows_of_one_length_go_through_one_call_of_a_module_of_several_layers(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Tensor] = []
    right = _torch_kernel.TorchKernel._dense

    def dense(kernel: _torch_kernel.TorchKernel, values: Tensor, state: Any) -> Any:
        calls.append(values)
        return right(kernel, values, state)

    monkeypatch.setattr(_torch_kernel.TorchKernel, "_dense", dense)
    run_densely(monkeypatch)
    module, values = kind(2, 3, num_layers=2, dropout=0.5, bidirectional=True), torch.randn(30, 4, 2)
    unroll(module, values)
    assert not calls, "dropout is drawn from torch's generator, between layers"
    module.eval()
    outputs, _ = unroll(module, values)
    assert [part.shape for part in calls] == [values.shape], "memory bounds a block, and a whole call is none"
    assert torch.equal(outputs, module(values)[0])
    unroll(module, Ragged(values.flatten(0, 1), torch.tensor([60, 59, 1])))
    assert len(calls) == 1


@NO_CUDNN
@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh"])
def test_gradients_over_dense_blocks_can_be_differentiated_again_where_torchs_own_can(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(kind=kind, lengths=(4, 0, 2, 3, 12), num_layers=2, dtype=F64)
    inputs, found = case.inputs(F64), []
    for is_dense in (False, True):
        if is_dense:
            run_densely(monkeypatch)
        outputs, state = unroll(case.module, inputs)
        ended = state if isinstance(state, tuple) else (state,)
        loss = torch.stack([part.square().sum() for part in (outputs.values, *ended)]).sum()
        (gradient,) = torch.autograd.grad(loss, inputs.values, create_graph=True)
        found.append(torch.autograd.grad(gradient.square().sum(), [inputs.values, *case.module.parameters()]))
    assert all(gap(one, other) < 1e-10 for one, other in zip(*found, strict=True))
