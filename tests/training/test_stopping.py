"""Do the parts that let a training stop and go on do what they promise, each by itself?"""

from __future__ import annotations

import os
import random
import signal
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from statewise.training._checkpoint import Progress, Sums
from statewise.training._generators import drawing_apart, generator_states, set_generator_states
from statewise.training._interrupts import Interrupts
from statewise.training._pace import Pace
from statewise.training._plain import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_ctrl_c_twice_ends_at_once_and_once_too_late_is_not_lost() -> None:
    def press() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def receive(signals: tuple[int, ...]) -> None:
        for number in signals:
            os.kill(os.getpid(), number)

    with Interrupts() as interrupts:
        press()
        assert interrupts.asked
        with pytest.raises(KeyboardInterrupt):
            press()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        interrupts.check()
    with pytest.raises(KeyboardInterrupt), Interrupts():
        press()
    with Interrupts() as interrupts:
        with interrupts.noted():
            raise KeyboardInterrupt
        with pytest.raises(KeyboardInterrupt), interrupts.noted():  # type: ignore[unreachable]
            raise KeyboardInterrupt
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    for signals in ((signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM), (signal.SIGTERM,)):
        with pytest.raises(SystemExit) as ended, Interrupts():
            receive(signals)
        assert ended.value.code == 143
    kept: list[Any] = []
    thread = threading.Thread(target=lambda: kept.append(Interrupts().__enter__()))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "only the main thread may listen"


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.floats(width=32).map(lambda value: torch.tensor([value]))
)
TREES = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3),
        st.lists(parts, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.integers(), st.text(max_size=3), st.tuples(st.integers())), parts, max_size=3),
    ),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one.view(torch.uint8), other.view(torch.uint8))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or one != one) and str(one) == str(other)  # noqa: PLR0124  # NaN


@given(TREES)
def test_any_tree_of_tensors_numbers_and_text_comes_back_to_the_bit(tree: Any) -> None:
    assert same(tree, from_json(*to_json(tree, where="it")))


def test_complex_numbers_come_back() -> None:
    tree = {"z": torch.tensor([1 + 2j]), "x": torch.tensor([True])}
    assert torch.equal(from_json(*to_json(tree, where="it"))["z"], tree["z"])


@settings(max_examples=15)
@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(min_value=0, allow_infinity=False))
def test_the_sums_of_an_epoch_come_back_to_the_bit(loss: float, weight: float) -> None:
    progress = Progress(sums=Sums(loss=loss, weight=weight))
    again = msgspec.json.decode(msgspec.json.encode(progress), type=Progress)
    assert (again.sums.loss.hex(), again.sums.weight.hex()) == (loss.hex(), weight.hex())


def test_what_draws_apart_does_not_depend_on_what_is_drawn_meanwhile() -> None:
    def draws() -> Iterator[float]:
        for _ in range(4):
            yield float(torch.rand(())) + np.random.rand() + random.random()  # noqa: NPY002, S311

    alone = list(drawing_apart(draws, 3))
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    together = []
    for number in drawing_apart(draws, 3):
        together.append(number)
        if len(together) < 4:
            assert torch.rand(1) == expected[len(together) - 1]
            np.random.rand()  # noqa: NPY002
    assert together == alone
    assert len(set(alone)) == 4
    states = generator_states()
    first = random.gauss(), np.random.randn()  # noqa: NPY002
    set_generator_states(from_json(*to_json(states, where="them")))
    assert first == (random.gauss(), np.random.randn())  # noqa: NPY002


def test_checkpoints_that_take_long_are_written_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("statewise.training._pace.time.perf_counter", lambda: now)
    monkeypatch.setattr("statewise.training._pace._SECONDS_BETWEEN", 2.0)
    monkeypatch.setattr("statewise.training._pace._LARGEST_SHARE", 0.05)
    pace = Pace()
    for took, between in ((0.01, 2.0), (1.0, 19.0)):
        assert pace.is_due()
        with pace.writing():
            now += took
        now += between - 1e-6
        assert not pace.is_due()
        now += 2e-6
