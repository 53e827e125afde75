"""Does `unroll` keep its promises on random modules, lengths, windows and resets?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import example, given

from statewise.engine import _layer
from tests.engine import properties
from tests.engine.cases import DEVICE, ON_A_PROCESSOR, Case, HashCase, cases, examples, hash_cases, many_sequences

if TYPE_CHECKING:
    from collections.abc import Callable

# torch says so for any dense float32 LSTM with a projection, and falls back to its own kernel.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
F32, F64 = torch.float32, torch.float64


@given(cases(F64))
@example(many_sequences(F64, kind="gru", bidirectional=True))
@example(Case(lengths=()))
@example(Case(lengths=(0, 0), bidirectional=True))
@example(Case(lengths=(4, 4), bidirectional=True, num_layers=2))
@examples(16)
def test_each_sequence_equals_itself_alone_in_float64(case: Case) -> None:
    properties.assert_each_sequence_equals_itself_alone(case)


@given(cases(F32))
@example(many_sequences(F32))
@examples(16)
def test_each_sequence_equals_itself_alone_in_float32(case: Case) -> None:
    properties.assert_each_sequence_equals_itself_alone(case)


CHAINED: list[tuple[Callable[[Case], None], dict[str, bool]]] = [
    (properties.assert_each_sequence_equals_itself_alone, {}),
    (properties.assert_windows_equal_the_whole, {"both_directions": False}),
    (properties.assert_permuting_rows_permutes_results, {}),
    (properties.assert_resets_begin_fresh, {"dense": True}),
    (properties.assert_lane_windows_equal_the_whole, {"both_directions": False, "dense": True}),
]


@ON_A_PROCESSOR
@pytest.mark.parametrize("short", [0, 2, 10**6], ids=["our graph", "as it is", "torch's graph"])
@pytest.mark.parametrize(("property_of", "drawn"), CHAINED, ids=lambda part: getattr(part, "__name__", ""))
def test_chains_of_blocks_keep_the_promises(
    property_of: Callable[[Case], None], drawn: dict[str, bool], short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules as small as those that are drawn are worth one block, so that blocks are made cheap here."""
    chains = properties.cut_into_chains(monkeypatch, short=short)

    @given(cases(F32, kinds=("lstm",), projections=False, **drawn))
    @example(Case(lengths=(12, 7, 0, 5, 1), is_given=False, dtype=F32))
    @examples(8)
    def holds(case: Case) -> None:
        property_of(case)

    holds()
    assert max(chains) > 2


@pytest.mark.parametrize("way", ["packed", "chain", "dense"])
@pytest.mark.parametrize("dtype", [F32, F64])
def test_each_way_of_running_is_exact(way: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_layer, "way_of", lambda *_: way)

    @given(cases(dtype))
    @examples(8)
    def holds(case: Case) -> None:
        properties.assert_each_sequence_equals_itself_alone(case)

    holds()


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize(("property_of", "drawn"), CHAINED, ids=lambda part: getattr(part, "__name__", ""))
def test_dense_blocks_of_any_kind_keep_the_promises(
    property_of: Callable[[Case], None], drawn: dict[str, bool], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_on = properties.run_densely(monkeypatch)

    @given(cases(dtype, kinds=("lstm", "gru", "tanh", "relu"), **drawn))
    @example(Case(lengths=(12, 7, 0, 5, 1), num_layers=2, dtype=dtype))
    @example(Case(kind="gru", lengths=(12, 7, 0, 5, 1), is_given=False, bias=False, dtype=dtype))
    @example(Case(lengths=(4, 4), num_layers=2, dtype=dtype))
    @examples(10)
    def holds(case: Case) -> None:
        property_of(case)

    holds()
    assert max(run_on) > 0


@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh"])
@pytest.mark.parametrize("count", [64, 512])
def test_a_part_of_each_batch_that_the_benchmark_times_is_exact(kind: str, count: int) -> None:
    drawn = torch.empty(count).log_normal_(3.5, 0.9, generator=torch.Generator().manual_seed(0)).round().clamp(3, 800)
    case = Case(kind=kind, input_size=128, hidden_size=128, lengths=tuple(drawn.long().tolist()[:: count // 32]), dtype=F32, seed=1)
    properties.assert_each_sequence_equals_itself_alone(case)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_any_split_into_windows_equals_the_whole(dtype: torch.dtype) -> None:
    @given(cases(dtype, both_directions=False))
    @examples(15)
    def holds(case: Case) -> None:
        properties.assert_windows_equal_the_whole(case)

    holds()


@given(cases(F64))
@examples(15)
def test_permuting_rows_permutes_results(case: Case) -> None:
    properties.assert_permuting_rows_permutes_results(case)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_a_reset_equals_a_fresh_start_and_touches_no_other_row(dtype: torch.dtype) -> None:
    @given(cases(dtype, dense=True))
    @examples(15)
    def holds(case: Case) -> None:
        properties.assert_resets_begin_fresh(case)

    holds()


@given(cases(F64, both_directions=False, dense=True))
@examples(15)
def test_windows_of_lanes_with_resets_equal_the_whole(case: Case) -> None:
    properties.assert_lane_windows_equal_the_whole(case)


@given(hash_cases())
@example(HashCase(lengths=(200,) * 3 + (0, 1), num_windows=5))
@examples(20)
def test_an_integer_state_is_carried_to_the_bit(case: HashCase) -> None:
    properties.assert_hashes_to_the_bit(case)


@given(hash_cases())
@example(HashCase(reset_rate=1.0))
@examples(20)
def test_an_integer_state_is_reset_to_the_bit(case: HashCase) -> None:
    properties.assert_hashes_of_lanes_to_the_bit(case)


@pytest.mark.parametrize("where", ["first", "last", "every", "none"])
@pytest.mark.parametrize("time", [1, 2, 7])
def test_resets_at_the_edges_of_a_window_are_exact(where: str, time: int) -> None:
    class Edges(Case):
        def flags(self, time: int, batch: int) -> torch.Tensor:
            flags = torch.full((time, batch), where == "every", device=DEVICE)
            flags[{"first": 0, "last": -1}.get(where, 0), 1:] = where != "none"
            return flags

    for kind in ("lstm", "gru", "tanh"):
        properties.assert_resets_begin_fresh(Edges(kind=kind, lengths=(time,) * 3))
