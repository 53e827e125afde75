"""Would the properties notice a broken engine? It is broken on purpose, one way at a time, and a property must turn red.

| broken on purpose | what a user would see | property that turns red |
|---|---|---|
| off by one in time | each row reads its steps one later | each sequence equals itself alone |
| off by one in a reset | a sequence begins one step late | resets begin fresh; integer lanes |
| wrong row at the end | final states are handed to other rows | each sequence equals itself alone; integer windows |
| wrong row where the batch narrows | ended rows go on, others stop | each sequence equals itself alone; integer windows |
| lost reset | a new sequence goes on from the state of the one before | resets begin fresh; integer lanes |
| reset by multiplication | NaN times 0 is NaN | resets begin fresh |
| reset of every row | one reset begins all lanes anew | windows of lanes equal the whole; integer lanes |
| swapped directions | each direction has the other's weights and state | each sequence equals itself alone |
| backward direction not reversed | it reads forward | each sequence equals itself alone |
| state from a padded end | the padding is read before the state is taken | each sequence equals itself alone; integer windows |
| graph cut between blocks | right values, wrong gradients | each sequence equals itself alone |
| given state dropped | every window begins from zeros | windows equal the whole; integer windows |
| run on cell read | a step's output is computed beyond its sequence's end | each sequence equals itself alone |
| gradient to a run on cell | a last step counts twice in the gradient | each sequence equals itself alone |
| cell state of an earlier step | c is that of a block's beginning, not of the sequence's end | each sequence equals itself alone |
| gradient lost where blocks meet | right values, wrong gradients | each sequence equals itself alone |
| other rows in the next block | rows go on from the state of another | each sequence equals itself alone |
| wrong rows before | right values, wrong gradients of the weights | each sequence equals itself alone |
| batch order not undone | results come longest first | permuting rows permutes results |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from statewise.engine import (
    _c_at_ends,
    _chain,
    _dense_blocks,
    _layer,
    _lstm_blocks,
    _moves,
    _plan,
    _recurrent_kernel,
    _scans,
    _segments,
    _torch_kernel,
    _unroll,
)
from statewise.sequences import Ragged
from statewise.state import detach, map_tensors, num_rows, select
from tests.engine import properties
from tests.engine.cases import ON_A_PROCESSOR, Case, HashCase

State = Any
Break = Callable[[pytest.MonkeyPatch], None]
Property = Callable[[Any], None]

LSTM = Case(lengths=(2, 5, 0, 4, 7), seed=1)
BOTH = Case(kind="gru", bidirectional=True, lengths=(2, 5, 0, 4, 7), seed=2)
FAST = Case(lengths=(2, 5, 0, 4, 7), seed=6, dtype=torch.float32)
CHAIN = Case(lengths=(5, 40, 3), is_given=False, seed=7, dtype=torch.float32)
DENSE = Case(lengths=(5, 40, 3, 5, 12), seed=8)
LANES = Case(kind="gru", lengths=(9, 9, 9), num_windows=4, reset_rate=0.3, seed=3)
HASH = HashCase(lengths=(2, 5, 0, 4, 7), num_windows=3, seed=4)
HASH_LANES = HashCase(lengths=(9, 9, 9), reset_rate=0.3, seed=5)


def off_by_one_in_time(patch: pytest.MonkeyPatch) -> None:
    right = _plan.Plan.gather

    def gather(plan: _plan.Plan, first: np.ndarray, stride: int) -> np.ndarray:
        index = Ragged(torch.arange(int(plan.lengths.sum())), torch.from_numpy(plan.lengths))
        later = torch.cat([part.roll(-1) for part in index.to_list()])
        shifted: np.ndarray = later.numpy()[right(plan, first, stride)]
        return shifted

    patch.setattr(_plan.Plan, "gather", gather)


def off_by_one_in_a_reset(patch: pytest.MonkeyPatch) -> None:
    right = _segments.of_lanes
    patch.setattr(_unroll, "of_lanes", lambda time, batch, flags: right(time, batch, None if flags is None else flags.roll(1, 0)))


def wrong_row_at_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_plan.Plan, "inverse", property(lambda plan: plan.order))


def wrong_row_where_the_batch_narrows(patch: pytest.MonkeyPatch) -> None:
    right = _chain.split_rows

    def split_rows(state: State, width: int, axes: Any) -> tuple[State, State]:
        rows = num_rows(state, axes)
        assert rows is not None
        return right(select(state, list(range(rows))[::-1], axes), width, axes)

    patch.setattr(_chain, "split_rows", split_rows)


def lost_reset(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_unroll, "reset", lambda state, *_: state)


def reset_by_multiplication(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_unroll, "reset", lambda state, is_new, *_: map_tensors(lambda leaf: leaf * ~is_new[:, None], state))


def reset_of_every_row(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_unroll, "reset", lambda _state, _is_new, initial, _axes: initial)


def swapped_directions(patch: pytest.MonkeyPatch) -> None:
    right: Any = _torch_kernel.TorchKernel._layer
    patch.setattr(_torch_kernel.TorchKernel, "_layer", lambda kernel, number, suffix: right(kernel, number, "" if suffix else "_reverse"))


def backward_direction_not_reversed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_plan.Plan, "reversal", property(lambda plan: np.arange(plan.num_cells)))


def state_from_a_padded_end(patch: pytest.MonkeyPatch) -> None:
    def padded(step: Any, data: Tensor, state: State, _axes: Any, plan: _plan.Plan) -> tuple[Tensor, State]:
        lengths = plan.lengths[plan.order]
        in_rows, times = torch.from_numpy(plan.cells.place), torch.from_numpy(plan.cells.time)
        dense = data.new_zeros((len(plan.widths), len(lengths), *data.shape[1:])).index_put((times, in_rows), data)
        outputs, final = step(dense, state)
        return outputs[times, in_rows], final

    patch.setattr(_layer, "chain", padded)
    patch.setattr(_recurrent_kernel, "chain", padded)


def graph_cut_between_blocks(patch: pytest.MonkeyPatch) -> None:
    right = _chain.split_rows
    patch.setattr(_chain, "split_rows", lambda state, width, axes: tuple(detach(part) for part in right(state, width, axes)))


def given_state_dropped(patch: pytest.MonkeyPatch) -> None:
    right = _unroll._begin
    patch.setattr(_unroll, "_begin", lambda kernel, values, segments, _state: right(kernel, values, segments, None))


def batch_order_not_undone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_moves.Moves, "to_values", lambda _moves, cells: cells)


def run_on_cell_read(patch: pytest.MonkeyPatch) -> None:
    right = _moves.moves_of

    def moves_of(index: np.ndarray, run_on: np.ndarray, device: torch.device) -> _moves.Moves:
        moves = right(index, run_on, device)
        wrong = moves.places.clone()
        wrong[index[run_on[0]]] = int(run_on[0])
        return replace(moves, places=wrong)

    patch.setattr(_unroll, "moves_of", moves_of)


def gradient_to_a_run_on_cell(patch: pytest.MonkeyPatch) -> None:
    right = _moves.moves_of
    patch.setattr(_unroll, "moves_of", lambda *given: replace(right(*given), run_on=torch.empty(0, dtype=torch.int64)))


def cell_state_of_an_earlier_step(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_c_at_ends, "_run_through", lambda c, *_: c)


def gradient_lost_where_blocks_meet(patch: pytest.MonkeyPatch) -> None:
    right = _lstm_blocks._widened
    patch.setattr(_lstm_blocks, "_widened", lambda gradient, width: torch.zeros_like(right(gradient, width)))


def wrong_rows_before(patch: pytest.MonkeyPatch) -> None:
    right = _scans._before
    patch.setattr(_scans, "_before", lambda outputs, begin, widths: right(outputs, begin.flip(0), widths))


def other_rows_in_the_next_block(patch: pytest.MonkeyPatch) -> None:
    right = _dense_blocks.run_dense

    def run_dense(call: Any, *given: Any) -> Any:
        def turned(cells: Tensor, begin: State) -> Any:
            return call(cells, tuple(leaf.flip(0) for leaf in begin))

        return right(turned, *given)

    patch.setattr(_layer, "run_dense", run_dense)


ALONE, WINDOWS = properties.assert_each_sequence_equals_itself_alone, properties.assert_windows_equal_the_whole
RESETS, LANE_WINDOWS = properties.assert_resets_begin_fresh, properties.assert_lane_windows_equal_the_whole
HASHES, LANE_HASHES = properties.assert_hashes_to_the_bit, properties.assert_hashes_of_lanes_to_the_bit
MUTATIONS: list[tuple[Break, Property, Case | HashCase]] = [
    (off_by_one_in_time, ALONE, LSTM),
    (off_by_one_in_a_reset, RESETS, LANES),
    (off_by_one_in_a_reset, LANE_HASHES, HASH_LANES),
    (wrong_row_at_the_end, ALONE, LSTM),
    (wrong_row_at_the_end, HASHES, HASH),
    (wrong_row_where_the_batch_narrows, ALONE, LSTM),
    (wrong_row_where_the_batch_narrows, HASHES, HASH),
    (lost_reset, RESETS, LANES),
    (lost_reset, LANE_HASHES, HASH_LANES),
    (reset_by_multiplication, RESETS, LANES),
    (reset_of_every_row, LANE_WINDOWS, LANES),
    (reset_of_every_row, LANE_HASHES, HASH_LANES),
    (swapped_directions, ALONE, BOTH),
    (backward_direction_not_reversed, ALONE, BOTH),
    (state_from_a_padded_end, ALONE, LSTM),
    (state_from_a_padded_end, HASHES, HASH),
    (graph_cut_between_blocks, ALONE, LSTM),
    (given_state_dropped, WINDOWS, LSTM),
    (given_state_dropped, HASHES, HASH),
    (run_on_cell_read, ALONE, FAST),
    (gradient_to_a_run_on_cell, ALONE, FAST),
    (cell_state_of_an_earlier_step, ALONE, FAST),
    (gradient_lost_where_blocks_meet, ALONE, CHAIN),
    (wrong_rows_before, ALONE, BOTH),
    (run_on_cell_read, ALONE, DENSE),
    (gradient_to_a_run_on_cell, ALONE, DENSE),
    (cell_state_of_an_earlier_step, ALONE, DENSE),
    (other_rows_in_the_next_block, ALONE, DENSE),
    (batch_order_not_undone, properties.assert_permuting_rows_permutes_results, LSTM),
]


@ON_A_PROCESSOR
@pytest.mark.parametrize(("broken", "holds", "case"), MUTATIONS, ids=lambda part: getattr(part, "__name__", None))
def test_a_property_turns_red_when_the_engine_is_broken(
    broken: Break, holds: Property, case: Case | HashCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case is CHAIN:
        assert properties.cut_into_chains(monkeypatch) == [0]
    if case is DENSE:
        assert properties.run_densely(monkeypatch) == [0]
    holds(case)
    broken(monkeypatch)
    with pytest.raises(AssertionError):
        holds(case)


def test_the_table_names_every_mutation() -> None:
    assert __doc__ is not None
    rows = [line for line in __doc__.splitlines() if line.startswith("|")][2:]
    assert {row.split("|")[1].strip().replace(" ", "_") for row in rows} == {broken.__name__ for broken, *_ in MUTATIONS}
