"""Is it told by the written rules how far back in time the loss reaches, and nothing that the figures do not support?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statewise.runs import Epoch, History, Lags
from statewise.training import training_trace
from statewise.training._decay import half_life_of
from statewise.training._narration_lags import tell_change, tell_lags


def falling(a: float, size: int = 21, *, epoch: int = 1, **options: Any) -> Lags:
    found: dict[str, Any] = {"norms": tuple(3.0 * a**lag for lag in range(size)), "counts": (5,) * size}
    found |= {"factor": a, "r_squared": 1.0, "half_life": half_life_of(a)}
    return Lags(epoch=epoch, lags=tuple(range(size)), **found | options)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (falling(0.5), "The gradient vanishes: after 20 steps it is 9.5e-7 of that at lag 0. It halves every step."),
        (falling(0.25), "The gradient vanishes: after 10 steps it is 9.5e-7 of that at lag 0. It halves every 0.5 steps."),
        (falling(0.8), "The gradient fades: after 20 steps it is 0.012 of that at lag 0. It halves every 3.1 steps."),
        (falling(1.0), "The gradient reaches back to the beginning: after 20 steps it is 1 of that at lag 0."),
        (falling(0.99), "The gradient reaches back to the beginning: after 20 steps it is 0.82 of that at lag 0."),
        (falling(1.2), "The gradient grows: after 20 steps it is 38 of that at lag 0. It doubles every 3.8 steps."),
        (falling(1.5), "The gradient explodes: after 20 steps it is 3,300 of that at lag 0. It doubles every 1.7 steps."),
        (falling(0.5, 1, factor=None), "There is one step with a gradient, and no way back from it."),
        (falling(0.5, 0, factor=None), "No sequence could be followed back."),
        (
            falling(0.5, 0, factor=None, num_silent=3),
            "No sequence could be followed back: what is followed has no gradient even at the output.",
        ),
        (
            falling(0.5, 0, factor=None, inputs="nothing"),
            "Nothing that the module reads has a gradient: whole numbers, and no embedding of them.",
        ),
        (falling(0.8, 3, norms=(1.0, 1e9, None), factor=None), "The gradient explodes: it is not finite from lag 2 on."),
        (falling(0.0, 3, norms=(0.0, 0.0, 0.0), factor=None), "No gradient comes to any step."),
        (
            falling(0.8, 2, norms=(5e-324, 1e300), factor=None),
            "The gradient explodes: after 1 step it is 1.8e308 of that at lag 0.",
        ),
        (
            falling(0.8, 3, norms=(0.0, 4.0, 2.0), factor=None),
            "The gradient reaches back to the beginning: after 2 steps it is 0.5 of the largest.",
        ),
    ],
)
def test_each_word_follows_its_rule(found: Lags, words: str) -> None:
    assert tell_lags(found) == words


def test_how_sure_a_rate_is_is_told_and_an_uneven_one_called_so() -> None:
    sure = falling(0.9, factor_low=0.89, factor_high=0.91)
    assert "It halves every 6.6 steps (95 %: 5.9 to 7.3)." in tell_lags(sure)
    assert tell_lags(falling(0.9, r_squared=0.5)).endswith("but at no even rate.")
    unsure = falling(0.9, factor_low=0.7, factor_high=1.1)
    assert "halves" not in tell_lags(unsure)


def test_a_cut_is_told_with_its_cause_and_its_share() -> None:
    cut = falling(0.0, 4, norms=(2.0, 0.0, 0.0, 0.0), counts=(5, 4, 4, 2), factor=None, num_cut=4, cut_after=0, cut="detached")
    assert tell_lags(cut) == "No gradient comes beyond lag 0: the graph is cut there, for what was read before still moves the output."
    some = falling(0.8, 4, num_cut=2, cut_after=1, cut="unread")
    assert tell_lags(some).endswith(
        "No gradient comes beyond lag 1 in 2 of 5 sequences: what was read before does not move the output either."
    )
    whole = falling(0.0, 2, norms=(0.0, 0.0), factor=None, num_cut=5, cut_after=-1)
    assert tell_lags(whole) == "No gradient comes to any step: why cannot be told, for two equal calls of the module differ."


def test_a_model_that_reads_both_ways_is_told_so() -> None:
    arched = falling(1.0, 5, norms=(4.0, 1.0, 0.1, 1.0, 3.0), factor=None, both_ways=True)
    assert tell_lags(arched) == (
        "The model reads both ways: small lags are near to its forward direction, large ones to its backward one. "
        "The gradient is least at lag 2, with 0.025 of that at lag 0."
    )
    fading = falling(0.5, 5, factor=None, both_ways=True)
    assert tell_lags(fading).endswith("The model reads both ways; what comes after the step of the loss is not counted.")


@given(
    norms=st.lists(st.none() | st.floats(0, 1e300), min_size=1, max_size=8),
    factor=st.none() | st.floats(1e-300, 1e300),
    cut=st.sampled_from(["detached", "unread", None]),
    both_ways=st.booleans(),
    after=st.none() | st.integers(-1, 7),
)
def test_something_is_told_of_any_figures(
    norms: list[float | None], factor: float | None, cut: Any, after: int | None, *, both_ways: bool
) -> None:
    ending = {"num_cut": int(after is not None), "cut_after": after, "cut": cut}
    found = falling(1.0, len(norms), norms=tuple(norms), factor=factor, half_life=None, both_ways=both_ways, **ending)
    words = tell_lags(found)
    assert words.endswith(".")
    assert "nan" not in words
    assert "inf" not in words


def test_a_training_is_told_by_the_weights_that_were_kept_and_the_rates_at_its_ends() -> None:
    records = [falling(0.5, epoch=1), falling(0.9, epoch=2), falling(0.8, epoch=3)]
    assert tell_change(records[:1]) == f"After epoch 1 the{tell_lags(records[0])[3:]}"
    assert tell_change(records) == f"After epoch 3 the{tell_lags(records[2])[3:]} After epoch 1 it halved every step."
    kept = tell_change(records, kept=2)
    assert kept.startswith("After epoch 2, whose weights were kept, the gradient reaches back to the beginning: after 20 steps it is 0.12")
    assert kept.endswith("After epoch 1 it halved every step. After epoch 3 it halved every 3.1 steps.")
    flat = falling(1.0, epoch=9)
    assert tell_change([records[0], flat]).endswith("After epoch 1 it halved every step.")
    assert tell_change([flat, records[0]]).endswith("After epoch 9 it had no rate that could be told from none.")


def test_the_story_of_a_training_tells_it_where_it_was_measured() -> None:
    epochs = [Epoch(epoch=number, train_loss=1 / number, best=number == 1) for number in (1, 2)]
    assert training_trace(History(records=tuple(epochs))).through_time is None
    records = (epochs[0], falling(0.5, epoch=1), epochs[1], falling(0.9, epoch=2), falling(0.1, epoch=1, phase="refit"))
    told = training_trace(History(records=records))
    assert told.through_time == tell_change([falling(0.5, epoch=1), falling(0.9, epoch=2)], kept=1)
    assert "Through time: After epoch 1, whose weights were kept, the gradient vanishes" in " ".join(str(told).split())
