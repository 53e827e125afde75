"""Does the story of a training say only what its figures support, by the rules that are written down?"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from statewise.errors import DataError
from statewise.runs import Ended, Epoch, History, Record, Update, read_history
from statewise.training import TrainingTrace, training_trace

if TYPE_CHECKING:
    from collections.abc import Sequence

LOSSES, ACCURACIES = [1.2, 0.9, 0.7, 0.5, 0.4], [0.35, 0.50, 0.65, 0.75, 0.82]


def records_of(
    losses: Sequence[float | None],
    accuracies: Sequence[float] = (),
    *,
    valid: Sequence[float | None] = (),
    valid_accuracies: Sequence[float] = (),
) -> list[Record]:
    return [
        Epoch(
            epoch=place + 1,
            train_loss=loss,
            train_accuracy=accuracies[place] if accuracies else None,
            valid_loss=valid[place] if valid else None,
            valid_accuracy=valid_accuracies[place] if valid_accuracies else None,
            valid_accuracy_low=valid_accuracies[place] - 0.05 if valid_accuracies else None,
        )
        for place, loss in enumerate(losses)
    ]


def told(records: Sequence[Record], *, num_classes: int | None = None, majority: float | None = None) -> TrainingTrace:
    return training_trace(History(records=tuple(records)), num_classes=num_classes, majority_accuracy=majority)


def loss_words(losses: Sequence[float | None]) -> list[str]:
    return [line.says[0].removeprefix("loss ") for line in told(records_of(losses)).lines]


def accuracy_words(accuracies: Sequence[float], *, majority: float | None = None) -> list[str]:
    return [
        line.says[1].removeprefix("accuracy ")
        for line in told(records_of([1.0] * len(accuracies), accuracies), majority=majority).lines[1:]
    ]


def printed(trace: TrainingTrace, width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(trace)
    return stream.getvalue()


# The reference run: the words that each epoch of it should get.


def test_the_reference_run_starts_high_falls_improves_rises_steadily_and_converges(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("loss,accuracy\n" + "".join(f"{loss},{accuracy}\n" for loss, accuracy in zip(LOSSES, ACCURACIES, strict=True)))
    text = printed(training_trace(read_history(path)))
    rows = re.findall(r"^ +(\d+) +(\d\.\d+) +(█+) +(\d\.\d+) +(.+?) *$", text, flags=re.MULTILINE)
    assert [(int(epoch), float(loss), float(accuracy)) for epoch, loss, _, accuracy, _ in rows] == list(
        zip(range(1, 6), LOSSES, ACCURACIES, strict=True)
    )
    assert [words for *_, words in rows] == [
        "loss starts high",
        "loss falls, accuracy improves",
        "loss falls, accuracy improves",
        "loss falls, accuracy rises steadily",
        "loss converges, accuracy rises steadily",
    ]
    bars = [len(bar) for _, _, bar, _, _ in rows]
    assert bars == sorted(bars, reverse=True)
    assert bars[0] == 10
    assert "Gradient norms: none in this history." in text


# The loss


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([1.0, 1.0, 1.005, 1.0, 1.0], ["starts at 1", "holds", "holds", "is flat", "is flat"]),
        ([0.5, 0.6, 0.8, 1.0], ["starts at 0.5", "rises", "rises", "rises"]),
        ([1.0, 0.5, 0.7, 0.4], ["starts high", "falls", "jumps", "swings"]),
        ([1.0, 0.5, 0.59, 0.4], ["starts high", "falls", "rises", "swings"]),
        ([1.0, 0.5, 0.9, 0.5, 0.9], ["starts high", "falls", "jumps", "swings", "swings and jumps"]),
        ([1.0, None, 0.5, 0.4], ["starts high", "is not finite", "is finite again", "falls"]),
        ([math.nan, math.inf], ["is not finite", "is not finite"]),
        ([1.0, 0.8, 0.6, 0.4], ["starts high", "falls", "falls", "falls"]),
        ([1.0, 0.5, 0.3, 0.2, 0.2, 0.2, 0.2], ["starts high", "falls", "falls", "converges", "holds", "holds", "has levelled off"]),
        ([1.0, 0.9, 0.7, 0.4], ["starts high", "falls", "falls", "falls"]),
        ([-1.0, -2.0, -3.0], ["starts high", "falls", "falls"]),
    ],
)
def test_the_loss_is_worded_by_the_rules(losses: list[float | None], words: list[str]) -> None:
    assert loss_words(losses) == words


def test_a_loss_at_that_of_guessing_starts_high_whatever_comes_after() -> None:
    rising = records_of([1.1, 1.2])
    assert told(rising, num_classes=3).lines[0].says == ("loss starts high",)
    assert told(rising, num_classes=4).lines[0].says == ("loss starts at 1.1",)
    assert told(rising).lines[0].says == ("loss starts at 1.1",)


@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=20))
def test_words_never_contradict_the_figures(losses: list[float]) -> None:
    trace = told(records_of(losses))
    for place, line in enumerate(trace.lines[1:], 1):
        before, now = losses[place - 1], losses[place]
        words = line.says[0]
        if re.search(r"falls|converges", words):
            assert now < before
        if re.search(r"rises|jumps", words):
            assert now > before
        if re.search(r"holds|flat|levelled", words):
            assert abs(now - before) <= 0.01 * before
        assert 0 <= line.bar <= 1
    assert ("starts high" in trace.lines[0].observation) == (losses[0] == max(losses) and max(losses) - min(losses) > 0.01 * max(losses))


# Accuracy


@pytest.mark.parametrize(
    ("accuracies", "majority", "words"),
    [
        ([0.3, 0.4, 0.5, 0.6], None, ["improves", "improves", "rises steadily"]),
        ([0.6, 0.5, 0.505, 0.51], None, ["drops", "holds", "holds"]),
        ([0.35] * 4, None, ["holds", "holds", "has not moved"]),
        ([0.35] * 4, 0.35, ["holds", "holds", "is stuck at the majority share"]),
        ([0.35] * 4, 0.5, ["holds", "holds", "has not moved"]),
        ([0.2, 0.9, 0.9, 0.9, 0.9], None, ["improves", "holds", "holds", "holds"]),
    ],
)
def test_accuracy_is_worded_by_the_rules(accuracies: list[float], majority: float | None, words: list[str]) -> None:
    assert accuracy_words(accuracies, majority=majority) == words


def test_a_history_of_losses_alone_says_nothing_of_accuracy() -> None:
    trace = told(records_of(LOSSES))
    assert all(len(line.says) == 1 for line in trace.lines)
    assert "accuracy" not in printed(trace)


# Validation


def test_a_regression_of_which_only_losses_are_known_is_told_from_start_to_end() -> None:
    trace = told(records_of(LOSSES, valid=[1.3, 1.0, 0.9, 0.97, 0.98]))
    assert [line.observation for line in trace.lines] == [
        "loss starts high",
        "loss falls",
        "loss falls, best epoch",
        "loss falls, validation loss rises, overfits from here on",
        "loss converges",
    ]
    assert "accuracy" not in str(trace)


@pytest.mark.parametrize(("later", "rises"), [(1.04, False), (1.06, True), (0.5, False)])
def test_validation_loss_rises_by_more_than_a_twentieth_and_only_where_there_is_no_accuracy(later: float, *, rises: bool) -> None:
    (_, alone) = told(records_of([1.0, 0.9], valid=[1.0, later])).lines
    assert ("validation loss rises" in alone.says) is rises
    (_, beside) = told(records_of([1.0, 0.9], [0.5, 0.6], valid=[1.0, later])).lines
    assert "validation loss rises" not in beside.says


def test_overfitting_is_told_from_the_epoch_after_the_lowest_validation_loss() -> None:
    trace = told(records_of(LOSSES, valid=[1.2, 1.0, 0.9, 1.0, 1.1]))
    assert trace.overfits_since == 4
    assert ["overfits from here on" in line.says for line in trace.lines] == [False, False, False, True, False]


@pytest.mark.parametrize(
    ("losses", "valid"),
    [
        (LOSSES, LOSSES),
        (LOSSES, [1.2, 1.0, 0.9, 0.91, 0.92]),
        (LOSSES, [1.2, 1.0, 0.9, 0.8, 1.5]),
        ([1.2, 0.9, 0.7, 0.8, 0.9], [1.2, 1.0, 0.9, 1.0, 1.1]),
        (LOSSES[:2], [1.0, 1.1]),
        (LOSSES, [None] * 5),
    ],
)
def test_overfitting_is_not_told_of_too_little_too_short_or_where_training_rises_too(
    losses: list[float], valid: list[float | None]
) -> None:
    assert told(records_of(losses, valid=valid)).overfits_since is None


@pytest.mark.parametrize(("after", "drops"), [(0.76, False), (0.74, True)])
def test_validation_accuracy_drops_only_out_of_its_interval(after: float, *, drops: bool) -> None:
    trace = told(records_of([1.0, 0.5], valid_accuracies=[0.8, after]))
    assert ("validation accuracy drops" in trace.lines[1].says) is drops


def test_the_best_epoch_is_the_one_that_was_kept() -> None:
    records = records_of(LOSSES, valid=[1.2, 1.0, 0.9, 1.0, 1.1])
    assert told(records).best_epoch == 3
    flagged: list[Record] = [msgspec.structs.replace(each, best=each.epoch in (1, 2)) for each in records if isinstance(each, Epoch)]
    assert told(flagged).best_epoch == 2
    ended = [*flagged, Ended(reason="early_stop", best_epoch=4, seconds=1.0)]
    assert told(ended).best_epoch == 4
    assert [line.epoch for line in told(ended).lines if "best epoch" in line.says] == [4]
    assert re.search(r"^ +4\* ", printed(told(ended)), flags=re.MULTILINE)
    assert told(records_of(LOSSES)).best_epoch is None
    assert told([*records_of(LOSSES), Ended(reason="finished", best_epoch=0, seconds=1.0)]).best_epoch is None


# Long runs


def test_a_long_run_shows_the_first_every_kth_the_best_and_the_last_and_says_how_many_are_left_out() -> None:
    losses = [2 * math.exp(-epoch / 20) for epoch in range(103)]
    trace = told([*records_of(losses), Ended(reason="finished", best_epoch=47, seconds=1.0)])
    assert [line.epoch for line in trace.lines] == sorted({1, 47, 103, *range(10, 103, 10)})
    assert (trace.num_epochs, trace.every, trace.num_left_out) == (103, 10, 90)
    assert "90 of 103 epochs are left out; changes are told over 10 epochs." in printed(trace)
    # Each epoch falls by 5 %, ten by 40 %: from line to line the loss falls, and the words say so.
    assert all(re.search("falls|converges", line.says[0]) for line in trace.lines[1:])


@given(st.integers(1, 500))
def test_few_lines_are_shown_however_long_the_run(num_epochs: int) -> None:
    trace = told(records_of([1 / (1 + epoch) for epoch in range(num_epochs)]))
    assert len(trace.lines) <= 24
    assert trace.lines[0].epoch == 1
    assert trace.lines[-1].epoch == num_epochs
    assert trace.num_left_out == num_epochs - len(trace.lines)


def test_what_broke_in_between_is_never_left_out() -> None:
    losses: list[float | None] = [1 - epoch / 100 for epoch in range(60)]
    losses[32], losses[43:46] = 5.0, [None] * 3
    trace = told(records_of(losses))
    assert 44 in [line.epoch for line in trace.lines]
    assert "The loss also jumps in epoch 33, not shown above." in trace.notes
    many = told(records_of([(5.0 if epoch % 10 == 7 else 1 - epoch / 100) for epoch in range(80)]))
    assert "The loss also jumps in epochs 8, 18, 28, 38, 48 and 3 more, not shown above." in many.notes


def test_changes_over_several_epochs_reach_back_to_the_first_at_most() -> None:
    losses = [1.0, 0.5, 0.5, *[0.5] * 60]
    trace = told([*records_of(losses), Ended(reason="finished", best_epoch=2, seconds=1.0)])
    assert [(line.epoch, line.says[0]) for line in trace.lines[:3]] == [(1, "loss starts high"), (2, "loss falls"), (5, "loss falls")]


# The summary


def updates_of(norms: Sequence[float | None], clipped: int) -> list[Record]:
    return [
        Update(
            update=number + 1,
            epoch=1,
            loss=0.5,
            gradient_norm=norm,
            norms={"core.l0": norm, "head": 0.25},
            clipped=number < clipped,
            learning_rate=0.01,
            steps=100,
        )
        for number, norm in enumerate(norms)
    ]


def test_gradients_clipping_and_throughput_are_summed_up() -> None:
    epochs = [msgspec.structs.replace(each, steps_per_second=41_000.0) for each in records_of(LOSSES) if isinstance(each, Epoch)]
    trace = told([*epochs, *updates_of([0.5, 1.5, 2.5, None], 1)])
    assert (trace.gradient_median, trace.num_updates, trace.clipped_share, trace.steps_per_second) == (1.5, 4, 0.25, 41_000.0)
    assert trace.layer_medians == {"core.l0": 1.5, "head": 0.25}
    text = printed(trace)
    assert "Gradient norm before clipping: median 1.5 over 4 updates, 25% clipped." in text
    assert "By layer: core.l0 1.5, head 0.25." in text
    assert "Throughput: 41,000 real time steps a second." in text


@pytest.mark.parametrize(
    ("reason", "words"),
    [("finished", "All epochs"), ("early_stop", "Stopped early"), ("interrupted", "Interrupted"), ("not_finite", "not finite")],
)
def test_how_training_ended_is_told(reason: str, words: str) -> None:
    ended = msgspec.convert({"record": "ended", "reason": reason, "best_epoch": 5, "seconds": 1.0}, Ended)
    assert any(words in note for note in told([*records_of(LOSSES), ended]).notes)


def test_a_refit_is_told_in_one_line_or_alone() -> None:
    refit = [msgspec.structs.replace(each, phase="refit") for each in records_of([0.9, 0.3]) if isinstance(each, Epoch)]
    both = told([*records_of(LOSSES), *refit])
    assert (both.phase, both.num_epochs) == ("fit", 5)
    assert "Then refitted on the whole training part for 2 epochs, to loss 0.3." in both.notes
    assert (told(refit).phase, told(refit).num_epochs) == ("refit", 2)
    broken = [msgspec.structs.replace(refit[0], train_loss=None)]
    assert "for 1 epoch, to a loss that is not finite" in " ".join(told([*records_of(LOSSES), *broken]).notes)


def test_a_history_without_an_epoch_is_an_error_of_four_facts() -> None:
    with pytest.raises(DataError) as caught:
        told(updates_of([1.0], 0))
    assert (caught.value.asked, caught.value.where) == ("trace a training", "the history")
    assert caught.value.arrived == "1 records and no epoch among them"
    assert "loss,accuracy" in caught.value.hint


# Looks


def many_traces() -> list[TrainingTrace]:
    valid = [1.2, 1.0, 0.9, 1.0, 1.1]
    return [
        told(records_of(LOSSES, ACCURACIES, valid=valid, valid_accuracies=ACCURACIES)),
        told([*records_of([3e5, 20.0, None, 1e-7] * 30), *updates_of([0.5] * 9, 3)]),
        told(records_of([None])),
        told(records_of([0.0, 0.0])),
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for trace in many_traces():
        assert max(map(len, printed(trace, width).splitlines())) <= width


def test_plain_text_is_what_the_terminal_shows() -> None:
    for trace in many_traces():
        assert str(trace).splitlines() == [line.rstrip() for line in printed(trace).splitlines()]


def test_a_terminal_without_unicode_gets_bars_of_ascii() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=stream, width=80, color_system=None).print(told(records_of(LOSSES, ACCURACIES)))
    stream.seek(0)
    text = stream.read()
    assert "##########" in text
    assert text.isascii()


def test_a_notebook_shows_the_same_figures() -> None:
    page = told(records_of(LOSSES, ACCURACIES))._repr_html_()
    assert page.count("<tr>") == 6
    assert "<td>0.820</td>" in page
    assert "loss converges, accuracy rises steadily" in page
    assert "Gradient norms: none in this history." in page


def test_a_trace_goes_to_json_and_back() -> None:
    for trace in many_traces():
        assert msgspec.json.decode(msgspec.json.encode(trace), type=TrainingTrace) == trace
