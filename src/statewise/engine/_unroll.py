"""How is any recurrent module run over sequences of unequal lengths, each exactly as if it ran alone?

Here data is moved in and out: one gather into cell order, one back. `_segments` says what the pieces are, `_plan` in
which order their cells are run, `_kernels` how a module is called.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, overload

from jaxtyping import Bool, Shaped
from torch import Tensor

from statewise.engine._again import without_onednn
from statewise.engine._cell_kernel import TorchCell
from statewise.engine._checks import check_dense, check_flags
from statewise.engine._kernels import Kernel, kernel_for
from statewise.engine._moves import moves_of, on_device
from statewise.engine._recurrent import Recurrent
from statewise.engine._segments import Segments, of_lanes, of_sequences
from statewise.engine._torch_kernel import TorchRNN
from statewise.engine._transforms import is_transformed
from statewise.sequences import Ragged
from statewise.state import map_tensors, reset, select
from statewise.types import State


@overload
def unroll(
    module: TorchRNN | TorchCell | Recurrent, inputs: Ragged, state: State = None, *, is_first: None = None, return_state: bool = True
) -> tuple[Ragged, State]: ...
@overload
def unroll(
    module: TorchRNN | TorchCell | Recurrent,
    inputs: Shaped[Tensor, "time batch *feature"],
    state: State = None,
    *,
    is_first: Bool[Tensor, "time batch"] | None = None,
    return_state: bool = True,
) -> tuple[Shaped[Tensor, "time batch *out"], State]: ...
def unroll(module: Any, inputs: Any, state: State = None, *, is_first: Any = None, return_state: bool = True) -> Any:
    """Run a recurrent module over sequences, each exactly as if it ran alone, and return `(outputs, final_state)`.

    Args:
        module: an `nn.RNN`, `nn.LSTM` or `nn.GRU` (its own `batch_first` does not matter to a `Ragged`), one of their cells (whose state
            has no axis of layers), or a `Recurrent`.
        inputs: a `Ragged` `[steps, *feature]`, or dense lanes, always `[time, batch, *feature]`.
        state: one row a sequence or lane; None begins from the module's initial state (zeros for torch's modules).
        is_first: `[time, batch]`, true at each step that begins a new sequence in its lane, from the initial state; a lane
            whose first flag is false continues `state`. None: no lane begins anew. Only for dense inputs.
        return_state: with False the final state is not gathered, and None stands in its place.

    Returns:
        The outputs in the layout of the inputs, and the state of each row at its own true end: for a lane, that of the
        sequence which it is in at the end. A row without a step keeps its state. The gradient is whole: to the inputs, the
        weights and the state; it does not cross a step at which a sequence begins.

    Two directions: a piece between resets is read both ways by itself. A state that is given begins the forward direction at a
    row's first step and the backward one at its last, as in torch; windows of a bidirectional module therefore do not equal the whole.

    The module's mode is not changed; dropout between layers draws anew for every step. A `Recurrent` whose state has no `state_axes` is
    called twice on one step, once and for all, to find them.

    Raises:
        ShapeError: inputs, flags or a state whose sizes do not fit; dense inputs to a torch module with `batch_first=True`.
        ContractError: a module of another kind, or a `Recurrent` that does not return what it promises.

    Example:
        >>> import torch
        >>> from statewise.sequences import Ragged
        >>> module = torch.nn.LSTM(2, 3)
        >>> outputs, (h, c) = unroll(module, Ragged(torch.ones(5, 2), torch.tensor([4, 0, 1])))
        >>> outputs.values.shape, h.shape
        (torch.Size([5, 3]), torch.Size([1, 3, 3]))
        >>> bool((h[:, 1] == 0).all()), torch.allclose(h[0, 0], outputs[0][-1])
        (True, True)
        >>> is_first = torch.tensor([[True], [False], [True]])
        >>> outputs, _ = unroll(module, torch.ones(3, 1, 2), is_first=is_first)
        >>> torch.allclose(outputs[0], outputs[2])
        True
    """
    kernel = kernel_for(module)
    if isinstance(inputs, Ragged):
        check_flags(kernel, inputs, is_first)
        values, segments = inputs.values, of_sequences(inputs)
    else:
        check_dense(kernel, inputs)
        check_flags(kernel, inputs, is_first)
        time, batch = inputs.shape[:2]
        values, segments = inputs.flatten(0, 1), of_lanes(time, batch, is_first)
    kernel.check(values)
    with without_onednn() if is_transformed() else nullcontext():
        begin = _begin(kernel, values, segments, state)
        outputs, final = _run(kernel, values, segments, begin, is_alike=state is None and kernel.begins_alike, return_state=return_state)
    return inputs.with_values(outputs) if isinstance(inputs, Ragged) else outputs.view(*inputs.shape[:2], *outputs.shape[1:]), final


def _begin(kernel: Kernel, values: Tensor, segments: Segments, state: State) -> State:
    """Return the state in which each piece begins: that of its row where it continues, else the initial one."""
    if state is None:
        return kernel.initial_state(len(segments.row), values)
    given = kernel.check_state(state, len(segments.last), values)
    if not segments.is_new.any():
        return given
    axes = kernel.axes(values)
    own = given if segments.is_one_a_row else select(given, on_device(values.device, segments.row)[0], axes)
    return reset(own, on_device(values.device, segments.is_new)[0], kernel.initial_state(len(segments.row), values), axes)


def _run(kernel: Kernel, values: Tensor, segments: Segments, begin: State, *, is_alike: bool, return_state: bool) -> tuple[Tensor, State]:
    """Return the outputs `[steps, *]` in the order of the values, and the final state of each row; `is_alike`: all rows begin the same."""
    plan = kernel.plan(segments.lengths, values)
    if not plan.blocks:
        return kernel.no_outputs(values), map_tensors(Tensor.clone, begin) if return_state else None
    if not (is_alike or plan.is_sorted):
        begin = select(begin, on_device(values.device, plan.order)[0], kernel.axes(values))
    ends = plan.inverse[segments.last] if return_state else None
    if plan.is_whole and segments.stride == len(segments.row):  # lanes that no reset cuts lie in cell order already
        return kernel.ragged(values, begin, plan, ends)
    moves = moves_of(plan.gather(segments.first, segments.stride), plan.cells.run_on, values.device)
    cells, final = kernel.ragged(moves.to_cells(values), begin, plan, ends)
    return moves.to_values(cells), final
