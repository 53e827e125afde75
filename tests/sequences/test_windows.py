"""Do windows over lanes show each step once, in order, from exactly the state that its stream alone would have?"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader

from statewise.engine import unroll
from statewise.errors import DataError, OptionError
from statewise.sequences import Ragged, Sequences, Window, Windows, aligned, windows
from statewise.sequences._lanes import laid
from statewise.state import detach, leaves
from tests._unchecked import unchecked
from tests.engine.cases import Hash, examples, hash_alone


@dataclass(frozen=True, kw_only=True)
class Case:
    """Streams of whole numbers, and how they are cut into windows."""

    lengths: tuple[int, ...] = (9, 0, 1, 5)
    lanes: int = 2
    window: int = 4
    stride: int | None = None
    burn_in: int = 0
    seed: int = 0
    epoch: int = 0
    cut: bool = False

    @property
    def data(self) -> Sequences:
        """The streams; the target of a step is its place, so that a mix-up shows."""
        total = sum(self.lengths)
        numbers = torch.randint(1, 1000, (total,), generator=torch.Generator().manual_seed(self.seed))
        inputs = Ragged(numbers, torch.tensor(self.lengths, dtype=torch.int64))
        return Sequences(inputs=inputs, targets=torch.arange(total).double(), each="step")

    @property
    def windows(self) -> Windows:
        """The windows under test."""
        return windows(
            self.data,
            lanes=self.lanes,
            window=self.window,
            stride=self.stride,
            burn_in=self.burn_in,
            seed=self.seed,
            epoch=self.epoch,
            cut=self.cut,
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw streams of 0 to 20 steps, and windows of any length, stride and burn-in."""
    window = draw(st.integers(1, 9))
    return Case(
        lengths=tuple(draw(st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any))),
        lanes=draw(st.integers(1, 6)),
        window=window,
        stride=draw(st.one_of(st.none(), st.integers(1, window))),
        burn_in=draw(st.integers(0, 12)),
        seed=draw(st.integers(0, 1000)),
        epoch=draw(st.integers(0, 3)),
        cut=draw(st.booleans()),
    )


HASH = Hash(declares_axes=True)


def through_hash(inputs: Any, state: Any, is_first: Tensor) -> tuple[Any, Any]:
    return unroll(HASH, inputs, state, is_first=is_first)


@given(case=cases())
@examples(25)
def test_every_step_is_scored_once_and_the_state_there_is_that_of_its_stream_alone(case: Case) -> None:
    data, state = case.data, None
    seen: dict[int, tuple[int, ...]] = {}
    order: list[list[int]] = [[] for _ in range(case.windows.num_lanes)]
    begins: set[int] = set()
    for window in case.windows:
        outputs, state = window.run(through_hash, state)
        for lane, scored in enumerate(window.scored.t()):
            places = window.source[scored, lane].tolist()
            assert not seen.keys() & set(places)
            order[lane] += places
            seen |= dict(zip(places, map(tuple, outputs[scored, lane].tolist()), strict=True))
        begins |= set(window.source[window.is_first & window.valid].tolist())
    assert sorted(seen) == list(range(data.num_steps))
    starts = data.parts["x"].offsets[:-1][data.lengths > 0].tolist()
    assert begins == set(starts) if not case.cut else begins >= set(starts)
    edges = [*sorted(begins), data.num_steps]
    numbers = data.parts["x"].values.tolist()
    for begin, end in pairwise(edges):
        assert [seen[place] for place in range(begin, end)] == hash_alone(numbers[begin:end])
    # On its lane a stream comes whole and in order.
    pieces = [tuple(range(begin, end)) for begin, end in pairwise(edges)]
    laid_out = [place for lane in order for place in lane]
    found = {laid_out.index(piece[0]): piece for piece in pieces}
    assert [place for at in sorted(found) for place in found[at]] == laid_out


@given(case=cases())
@examples(40)
def test_what_a_window_shows_is_what_stands_at_its_source(case: Case) -> None:
    data = case.data
    part = data.parts["x"]
    for window in case.windows:
        assert torch.equal(window.inputs, part.values[window.source])  # type: ignore[arg-type]  # a tensor for one input
        assert torch.equal(window.targets, window.source.float())  # type: ignore[arg-type]  # there are targets
        assert torch.equal(window.row, part.rows[window.source])
        assert torch.equal(window.weights, window.scored.float())  # type: ignore[arg-type]  # there are targets
        assert not bool((window.scored & ~window.valid).any())


@given(case=cases())
@examples(40)
def test_gradient_goes_through_window_steps_and_the_last_stride_are_scored(case: Case) -> None:
    """The one who scores a step can go back at least `window - stride` steps; the burn-in is no longer than what came before."""
    stride = case.stride or case.window
    found = list(case.windows)
    assert len(found) == len(case.windows)
    begin = 0
    for window in found:
        time = len(window.is_first)
        assert window.burn_in == min(case.burn_in, window.number * stride)
        assert begin + window.burn_in == window.number * stride
        assert time - window.burn_in <= case.window
        assert not bool(window.scored[: window.burn_in].any())
        if window.number:
            assert not bool(window.scored[: window.burn_in + case.window - stride].any())
        begin += window.carry
    assert all(len(window.is_first) == window.burn_in + case.window for window in found[:-1])


@given(case=cases(), at=st.integers(0, 200))
@examples(10)
def test_going_on_in_the_middle_gives_what_never_stopping_gives(case: Case, at: int) -> None:
    whole, states = [], [None]
    for window in case.windows:
        outputs, state = window.run(through_hash, states[-1])
        whole.append(outputs)
        states.append(state)
    at %= len(whole) + 1
    rest, state = case.windows.starting_at(at), states[at]
    assert len(rest) == len(whole) - at
    for wanted, window in zip(whole[at:], rest, strict=True):
        outputs, state = window.run(through_hash, state)
        assert torch.equal(outputs, wanted)


@given(case=cases())
@examples(20)
def test_seed_and_epoch_alone_decide_the_order_and_iterating_again_gives_the_same(case: Case) -> None:
    first, made_again = case.windows, replace(case).windows
    torch.manual_seed(case.seed + 1)
    orders = [[window.source.tolist() for window in each] for each in (first, first, made_again)]
    assert orders[0] == orders[1] == orders[2]


def test_another_epoch_or_seed_gives_another_order_and_no_seed_that_of_the_data() -> None:
    case = Case(lengths=(3,) * 40, lanes=4)

    def order(**changed: Any) -> list[Any]:
        return [window.source.tolist() for window in replace(case, **changed).windows]

    assert order() != order(epoch=1) != order(seed=1) != order()
    lanes = laid(torch.tensor([3, 3, 3, 3]), lanes=2, seed=None)
    assert lanes.row.tolist() == [0, 2, 1, 3]


@given(lengths=st.lists(st.integers(0, 300), min_size=1, max_size=40).filter(any), lanes=st.integers(1, 70), shortest=st.integers(1, 50))
@examples(40)
def test_lanes_are_equally_long_to_within_the_longest_piece(lengths: list[int], lanes: int, shortest: int) -> None:
    found = laid(torch.tensor(lengths), lanes=lanes, cut=True, shortest=shortest)
    assert len(found) <= lanes
    assert int(found.lengths.min()) >= 1
    assert int(found.lengths.sum()) == sum(lengths)
    pieces = found.begins.diff()
    assert int(found.lengths.max() - found.lengths.min()) <= int(pieces.max())
    share = max(shortest, -(-sum(lengths) // lanes))
    assert all(int(piece) >= min(shortest, length) for length in lengths for piece in pieces[found.row == lengths.index(length)])
    assert int(pieces.max()) <= max(2 * share, 1)


@given(lengths=st.lists(st.integers(900, 1800), min_size=20, max_size=50), lanes=st.integers(40, 70))
@examples(40)
def test_streams_of_any_length_beyond_a_share_leave_no_lane_waiting(lengths: list[int], lanes: int) -> None:
    """Cut into shares alone, some lanes would hold two pieces and others one: a third of the windows would be half empty."""
    found = laid(torch.tensor(lengths), lanes=lanes, cut=True, shortest=16)
    share = sum(lengths) / lanes
    assert found.time <= 1.3 * share
    assert int(found.begins.diff().min()) >= min(share / 8, 900)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(1, 4))
def test_no_stream_is_cut_where_each_has_room_on_a_lane(lengths: list[int], lanes: int) -> None:
    sizes = torch.tensor(lengths)
    found = laid(sizes, lanes=lanes, cut=True)
    pieces = torch.bincount(found.row, minlength=len(lengths))
    share = -(-sum(lengths) // lanes)
    if max(lengths) <= share:
        assert torch.equal(pieces, (sizes > 0).long())
    else:
        assert int(pieces.max()) > 1


def test_one_long_stream_is_cut_for_all_lanes_unless_it_is_kept_whole() -> None:
    case = Case(lengths=(1000,), lanes=8, window=50, cut=True)
    assert case.windows.lanes.lengths.tolist() == [125] * 8
    assert case.windows.window(0).is_first[0].all()
    whole = replace(case, cut=False).windows
    assert (whole.num_lanes, len(whole)) == (1, 20)


def test_a_piece_is_never_shorter_than_a_window_so_few_steps_use_fewer_lanes() -> None:
    assert Case(lengths=(100,), lanes=64, window=30, cut=True).windows.lanes.lengths.tolist() == [34, 33, 33]


@given(case=cases(), start=st.integers(0, 60), length=st.integers(1, 40))
@examples(40)
def test_runs_are_the_steps_of_the_dense_lanes_without_the_filling(case: Case, start: int, length: int) -> None:
    lanes = case.windows.lanes
    start %= lanes.time
    dense, runs = lanes.dense(start, min(start + length, lanes.time)), lanes.runs(start, start + length)
    assert torch.equal(runs.places, dense.places.t()[dense.valid.t()])
    begins = runs.first[runs.is_new]
    assert torch.equal(begins, dense.places.t()[(dense.is_first & dense.valid).t()])
    assert bool((runs.lengths > 0).all())
    lane, time = dense.valid.t().nonzero(as_tuple=True)
    assert torch.equal(runs.times, time + start)
    assert torch.equal(runs.lane.repeat_interleave(runs.lengths), lane)
    assert torch.equal(runs.row, case.data.parts["x"].rows[runs.first])
    if start == 0:
        assert torch.equal(runs.lane[runs.last], torch.arange(len(lanes)))


def test_a_lane_that_has_ended_repeats_a_real_step_and_a_state_that_blew_up_there_reaches_nothing() -> None:
    case = Case(lengths=(9, 2), lanes=2, window=5)
    first, second = case.windows
    short = int((first.row == 1).any(0).nonzero())
    assert first.valid[:, short].tolist() == [True, True, False, False, False]
    assert first.source[:, short].tolist() == [9, 10, 10, 10, 10]
    assert first.is_first[:, short].tolist() == [True, False, True, False, False]
    assert second.is_first[:, short].tolist() == [True, False, False, False]
    assert not second.scored[:, short].any()


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than cores, on purpose
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("first", [0, 2])
def test_a_loader_gives_the_same_windows_in_the_same_order_with_any_number_of_workers(workers: int, first: int) -> None:
    case = Case(lengths=(40, 31, 7), lanes=2, window=5, stride=3, burn_in=2)
    found = case.windows.starting_at(first)
    loader: DataLoader[Window] = DataLoader(found, batch_size=None, num_workers=workers)
    assert len(loader) == len(found)
    for _ in range(2):
        loaded = list(loader)
        assert [window.number for window in loaded] == list(range(first, len(case.windows)))
        assert all(torch.equal(one.source, other.source) for one, other in zip(loaded, found, strict=True))
        assert all(torch.equal(one.inputs, other.inputs) for one, other in zip(loaded, found, strict=True))  # type: ignore[arg-type]


def test_a_loader_that_would_shuffle_is_refused_by_torch_itself() -> None:
    with pytest.raises(ValueError, match="shuffle"):
        DataLoader(Case().windows, batch_size=None, shuffle=True)


def test_several_inputs_categories_static_features_times_and_weights_come_along() -> None:
    lengths = torch.tensor([6, 4])
    data = Sequences(
        inputs={"x": Ragged(torch.randn(10, 2), lengths), "kind": Ragged(torch.arange(10) % 3 - 1, lengths)},
        targets=torch.arange(10) % 2,
        each="step",
        weights=[1, 1, 0, 1, 1, 1, 2, 2, 2, 2],
        static=torch.tensor([[0.5], [1.5]]),
        times=torch.arange(10) * 60,
        categories={"kind": ["a", "b"]},
    )
    for window in windows(data, lanes=2, window=3).starting_at(0):
        moved = window.to("cpu")
        assert isinstance(moved.inputs, dict)
        assert torch.equal(moved.inputs["kind"], data.parts["kind"].values[window.source])
        assert moved.static is not None
        assert torch.equal(moved.static[..., 0], window.row + 0.5)
        assert moved.times is not None
        assert torch.equal(moved.times, window.source * 60)
        assert not bool((window.scored & (window.source == 2)).any())
        outputs, _ = window.run(lambda inputs, state, is_first: (inputs["x"] * 2, state), None)
        assert torch.equal(outputs, moved.inputs["x"] * 2)


def test_what_looks_ahead_is_held_against_the_steps_after_it_also_beyond_the_window() -> None:
    inputs = Ragged(torch.randn(11, 1), torch.tensor([7, 4]))
    series = Sequences(inputs=inputs, targets=torch.arange(11).float(), task="forecast")
    wanted = aligned(series, "forecast", 3)
    for window in windows(series, lanes=2, window=2, horizon=3):
        assert window.targets is not None
        assert window.weights is not None
        assert torch.equal(window.targets, wanted.targets[window.source])
        assert torch.equal(window.weights[window.scored], wanted.weights[window.source[window.scored]])
    tokens = Sequences(inputs=Ragged(torch.arange(11) % 3, torch.tensor([7, 4])), targets=torch.arange(11) % 3, task="next")
    found = Counter(place for window in windows(tokens, lanes=2, window=2) for place in window.source[window.scored].tolist())
    assert found == Counter({*range(11)} - {6, 10})


def test_one_target_a_sequence_is_told_at_each_of_its_steps_and_none_is_none() -> None:
    inputs = Ragged(torch.randn(5, 1), torch.tensor([2, 3]))
    for window in windows(Sequences(inputs=inputs, targets=["b", "a"]), lanes=1, window=2):
        assert torch.equal(window.targets, 1 - window.row)  # type: ignore[arg-type]  # there are targets
    bare = windows(Sequences(inputs=inputs), lanes=1, window=2).window(0)
    assert (bare.targets, bare.weights) == (None, None)
    assert bare.scored.all()


def test_the_plain_loop_of_the_docstring_carries_what_run_carries() -> None:
    core = torch.nn.GRU(1, 3)
    data = Sequences(inputs=Ragged(torch.randn(30, 1), torch.tensor([19, 11])))
    by_hand = by_run = None
    for window in windows(data, lanes=2, window=4):
        assert isinstance(window.inputs, Tensor)
        _, state = unroll(core, window.inputs, by_hand, is_first=window.is_first)
        by_hand = detach(state)
        outputs, by_run = window.run(lambda inputs, state, is_first: unroll(core, inputs, state, is_first=is_first), by_run)
        assert outputs.requires_grad
        for (_, one), (_, other) in zip(leaves(by_hand), leaves(by_run), strict=True):
            assert not other.requires_grad
            torch.testing.assert_close(one, other)


def test_the_burn_in_runs_without_gradient_and_the_gradient_reaches_back_to_the_windows_beginning() -> None:
    data = Sequences(inputs=Ragged(torch.randn(40, 1), torch.tensor([40])))
    core = torch.nn.RNN(1, 2)
    window = windows(data, lanes=1, window=8, stride=4, burn_in=3).window(3)
    assert isinstance(window.inputs, Tensor)
    leaf = window.inputs.clone().requires_grad_()
    outputs, _ = replace(window, inputs=leaf).run(lambda x, state, is_first: unroll(core, x, state, is_first=is_first), None)
    outputs[window.scored].sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.flatten(1).any(1).tolist() == [False] * 3 + [True] * 8


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"lanes": 0}, "lanes"),
        ({"window": 0}, "window"),
        ({"window": 4, "stride": 5}, "stride"),
        ({"stride": 0}, "stride"),
        ({"burn_in": -1}, "burn_in"),
        ({"horizon": 3}, "horizon"),
        *(({name: value}, name) for name in ("lanes", "window", "stride", "burn_in", "epoch") for value in ("8", 2.5, True, float("nan"))),
        *(({name: None}, name) for name in ("lanes", "window", "burn_in", "epoch", "cut")),
        *(({"seed": seed}, "seed") for seed in ("x", 2**70, 0.5)),
        ({"cut": "no"}, "cut"),
    ],
)
def test_sizes_that_would_leave_steps_out_or_are_none_are_refused(options: dict[str, Any], where: str) -> None:
    with unchecked(), pytest.raises(OptionError) as caught:
        windows(Case().data, **options)
    assert caught.value.where == where


def test_what_cannot_be_begun_is_refused() -> None:
    for number in (99, -1, 1.5, "0"):
        with unchecked(), pytest.raises(OptionError, match=rf"starting_at: '?{number}'?\. There are 3 windows, counted from 0"):
            Case().windows.starting_at(number)  # type: ignore[arg-type]
        with unchecked(), pytest.raises(OptionError, match=rf"window: '?{number}'?\. There are 3 windows, counted from 0"):
            Case().windows.window(number)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="window: 3"):
        Case().windows.window(3)
    assert list(Case().windows.starting_at(3)) == []
    for data, told in (
        (Case().data.inputs, "a Ragged. Give Sequences(inputs="),
        (torch.ones(3), "a Tensor. Give Sequences(inputs=Ragged.from_list"),
        (None, "nothing. Give Sequences"),
    ):
        with unchecked(), pytest.raises(OptionError, match=re.escape(f"windows: data: {told}")):
            windows(data)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no sequence with a step"):
        windows(Sequences(inputs=Ragged(torch.ones(0, 1), torch.tensor([0]))))
    series = Sequences(inputs=Ragged(torch.ones(3, 1), torch.tensor([3])), targets=[1.0, 2.0, 3.0], task="forecast")
    with pytest.raises(OptionError, match="horizon"):
        windows(series)
    for horizon in (0, -2, 1.5, True, "1"):
        with unchecked(), pytest.raises(OptionError, match=f"horizon: '?{horizon}'?. Give a whole number from 1 up"):
            windows(series, horizon=horizon)  # type: ignore[arg-type]
