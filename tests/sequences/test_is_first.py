"""Do episodes begin where they do, for each way in which an environment starts the next?"""

from __future__ import annotations

import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from statewise.errors import OptionError
from statewise.sequences import is_first_from_done


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_episodes_of_any_lengths_are_found_again(lengths: list[int]) -> None:
    """An environment is played: its observations are numbered from 0 in each episode."""
    numbers = [number for length in lengths for number in range(length)]
    wanted = [number == 0 for number in numbers]
    last = [number == length - 1 for length in lengths for number in range(length)]
    assert is_first_from_done(torch.tensor(last)).tolist() == wanted, "the last observation comes with done, then the next episode's first"
    # The environment starts the next episode at once: the last observation of each is never seen, done comes with the next first.
    shown = [done and step > 0 for step, done in enumerate(wanted)]
    assert is_first_from_done(torch.tensor(shown), "same_step").tolist() == wanted


def test_without_a_reset_of_its_own_an_episode_begins_when_done_is_over() -> None:
    done = torch.tensor([False, True, True, True, False, False, True])
    assert is_first_from_done(done, "disabled").tolist() == [True, False, False, False, True, False, False]


def test_each_row_has_its_own_episodes_and_may_go_on_from_before() -> None:
    done = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    assert is_first_from_done(done, first=torch.tensor([True, False])).int().tolist() == [[1, 0], [0, 1], [1, 0]]
    assert is_first_from_done(done, "same_step", first=False).int().tolist() == [[0, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize("autoreset", ["next_step", "same_step", "disabled"])
def test_no_step_gives_no_step(autoreset: str) -> None:
    assert inspect.unwrap(is_first_from_done)(torch.zeros(0, 3), autoreset).shape == (0, 3)


def test_another_word_is_refused() -> None:
    with pytest.raises(OptionError, match=r"autoreset: 'never'\. Choose 'next_step', 'same_step' or 'disabled'"):
        inspect.unwrap(is_first_from_done)(torch.zeros(2), "never")
