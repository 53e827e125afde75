"""Do the bands of a training hold what they promise: finite losses, a falling loss, steady validation, safe gradients?"""

from __future__ import annotations

from pathlib import Path

import pytest

from statewise.runs import Ended, Epoch, History, Record, Started, read_history
from statewise.verdicts import Policy, Reason, Verdict, judge, read_policy
from statewise.verdicts._policy import GradientRules, TrainingRules
from statewise.verdicts._training import judge_training
from tests.verdicts.evidence import GOOD, epochs_of, good_history, history_of, of_forecast, printed, run_directory, updates_of

FALLING = [1.2, 0.9, 0.7, 0.5, 0.4, 0.35]
RISING = [0.35, 0.50, 0.65, 0.75, 0.82, 0.83]
POLICY = read_policy("default")


def bands(*records: list[Record], policy: Policy = POLICY, required: bool = True) -> dict[str, Reason]:
    """Return the reason of each band by its subject, its largest rise or drop included."""
    found = judge_training(history_of(*records), policy, required=required)
    return {reason.subject.partition(",")[0]: reason for reason in found.reasons}


def notes_of(*records: list[Record]) -> str:
    return " ".join(judge_training(history_of(*records), POLICY, required=False).notes)


def verdict_with(history: History) -> Verdict:
    return judge(evaluation=GOOD, history=history)


# Finite losses


def test_a_good_training_speaks_for_the_model_in_every_band() -> None:
    found = judge_training(good_history(), POLICY, required=True)
    assert {reason.subject: reason.points_to for reason in found.reasons} == dict.fromkeys(
        ("finite losses", "training loss", "validation accuracy", "gradient norms", "gradient spikes"), "ready"
    )
    assert verdict_with(good_history()).level == "ready"


@pytest.mark.parametrize(
    ("records", "place"),
    [
        (epochs_of([1.0, None, 0.5]), "epoch 2"),
        (epochs_of([1.0, float("inf"), 0.5]), "epoch 2"),
        ([*epochs_of(FALLING), *updates_of([1.0] * 3, losses=[0.5, None, 0.5])], "update 2"),
        (epochs_of(FALLING, RISING, valid_losses=[1.0, 0.9, None, 0.7, 0.6, 0.5]), "the validation of epoch 3"),
        (epochs_of(FALLING, RISING, valid_losses=[1.0, 0.9, float("nan"), 0.7, 0.6, 0.5]), "the validation of epoch 3"),
        ([*epochs_of(FALLING), *epochs_of([1.0, None], phase="refit")], "epoch 2"),
        ([*epochs_of(FALLING), Ended(reason="not_finite", best_epoch=1, seconds=1.0)], "the last update"),
        (updates_of([None], losses=[None]), "update 1"),
    ],
)
def test_a_loss_that_is_not_finite_anywhere_is_not_ready(records: list[Record], place: str) -> None:
    reason = bands(records)["finite losses"]
    assert reason.points_to == "not_ready"
    assert place in reason.says
    assert verdict_with(history_of(records)).level == "not_ready"


def test_validation_losses_that_were_never_finite_are_told_from_validation_that_never_ran() -> None:
    epochs = epochs_of(FALLING, RISING)
    started = Started(model="m", task="classify", num_parameters=1, num_epochs=6, num_train=9, num_valid=9, steps_per_epoch=9)
    assert bands([started, *epochs])["finite losses"].points_to == "not_ready"
    assert bands(epochs)["finite losses"].points_to == "ready"


# Training loss


def test_the_reference_run_is_a_good_training() -> None:
    reason = bands(epochs_of([1.2, 0.9, 0.7, 0.5, 0.4]))["training loss"]
    assert (reason.points_to, reason.value, reason.limit) == ("ready", 0.4, 1.2)


@pytest.mark.parametrize(
    ("losses", "level", "words"),
    [
        ([1.0, 1.0, 1.0], "needs_work", "does not fall"),
        ([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], "needs_work", "does not fall"),
        ([1.0, 0.8, 0.6, 0.4, 0.56, 0.3], "needs_work", "rises by 0.16 in epoch 5"),
        ([1.0, 0.8, 0.6, 0.4, 0.53, 0.3], "ready", "last third"),
        ([0.5, 2.0, 1.0, 0.6, 0.49, 0.45], "needs_work", "jumps"),
        ([1.0, 0.1, 0.27, 0.27], "ready", "last third"),  # the whole fall is to the lowest epoch, not to the last
    ],
)
def test_the_training_loss_falls_from_third_to_third_and_never_jumps(losses: list[float], level: str, words: str) -> None:
    reason = bands(epochs_of(losses))["training loss"]
    assert reason.points_to == level
    assert words in reason.says
    assert bool(reason.do) == (level != "ready")


def test_a_rise_of_exactly_the_allowed_share_is_no_jump() -> None:
    losses = [1.0, 0.5, 0.7, 0.0]
    assert bands(epochs_of(losses))["training loss"].points_to == "ready"
    strict = Policy(limits={"recall": 0.5}, training=TrainingRules(max_rise=0.19))
    assert bands(epochs_of(losses), policy=strict)["training loss"].points_to == "needs_work"


@pytest.mark.parametrize("epochs", [1, 2])
def test_one_or_two_epochs_have_no_trend(epochs: int) -> None:
    reason = bands(epochs_of(FALLING[:epochs]))["training loss"]
    assert reason.points_to == "not_enough_evidence"
    assert "too few for a trend" in reason.says
    assert "training loss" not in bands(epochs_of(FALLING[:epochs]), required=False)
    assert "Not judged: training loss." in notes_of(epochs_of(FALLING[:epochs]))


def test_a_refit_has_its_own_training_loss() -> None:
    found = bands(epochs_of(FALLING), epochs_of([1.0, 1.0, 1.0], phase="refit"), updates_of([1.0]), updates_of([1e-9], phase="refit"))
    assert found["training loss"].points_to == "ready"
    assert found["training loss of the refit"].points_to == "needs_work"
    assert found["gradient norms"].points_to == "ready"
    assert found["gradient norms of the refit"].points_to == "needs_work"


# Validation accuracy


@pytest.mark.parametrize(
    ("accuracies", "half_width", "level", "words"),
    [
        (RISING, 0.05, "ready", "last third"),
        ([0.9] * 6, 0.05, "ready", "stable"),
        ([0.90, 0.91, 0.90, 0.88, 0.88, 0.87], 0.05, "ready", "stable"),
        ([0.90, 0.91, 0.90, 0.88, 0.88, 0.87], None, "needs_work", "no interval here"),
        ([0.90, 0.90, 0.85, 0.80, 0.75, 0.70], 0.06, "needs_work", "gets worse"),
        ([0.40, 0.60, 0.80, 0.65, 0.85, 0.90], 0.05, "needs_work", "drops by 0.150 in epoch 4"),
        ([0.40, 0.60, 0.80, 0.65, 0.85, 0.90], 0.16, "ready", "last third"),
        ([0.40, 0.60, 0.80, 0.72, 0.85, 0.90], 0.05, "ready", "last third"),
    ],
)
def test_validation_accuracy_climbs_or_is_stable_within_its_interval(
    accuracies: list[float], half_width: float | None, level: str, words: str
) -> None:
    reason = bands(epochs_of(FALLING, accuracies, half_width=half_width))["validation accuracy"]
    assert (reason.points_to, bool(reason.do)) == (level, level != "ready")
    assert words in reason.says


def test_a_history_without_validation_is_not_guessed_at() -> None:
    assert bands(epochs_of(FALLING))["validation accuracy"].points_to == "not_enough_evidence"
    assert "few for a trend" in bands(epochs_of(FALLING[:2], RISING[:2]))["validation accuracy"].says
    assert "Not judged: validation accuracy. There is none." in notes_of(epochs_of(FALLING))


# Gradients


@pytest.mark.parametrize(
    ("norms", "level", "words"),
    [
        ([0.5] * 30, "ready", "Median 0.5"),
        ([1e-4] * 30, "ready", "Median 0.0001"),
        ([10.0] * 30, "ready", "Median 10"),
        ([0.9e-4] * 30, "needs_work", "vanish"),
        ([10.1] * 30, "needs_work", "explode"),
    ],
)
def test_the_median_norm_lies_in_the_safe_range(norms: list[float | None], level: str, words: str) -> None:
    reason = bands(epochs_of(FALLING), updates_of(norms))["gradient norms"]
    assert reason.points_to == level
    assert words in reason.says
    assert "0.0001 to 10" in reason.says


@pytest.mark.parametrize(
    ("spikes", "level"), [([], "ready"), ([5, 19], "ready"), ([20], "ready"), ([30], "ready"), ([30, 99], "needs_work")]
)
def test_spikes_are_rare_and_the_first_twenty_updates_are_exempt(spikes: list[int], level: str) -> None:
    norms: list[float | None] = [51.0 if at in spikes else 5.0 for at in range(120)]
    reason = bands(epochs_of(FALLING), updates_of(norms))["gradient spikes"]
    assert reason.points_to == level
    assert reason.value == pytest.approx(sum(at >= 20 for at in spikes) / 100)
    assert "50 before them" in reason.says


def test_norms_that_fall_a_hundredfold_while_the_run_converges_are_no_spikes() -> None:
    norms: list[float | None] = [5.0 * 0.95**at for at in range(300)]
    found = bands(epochs_of(FALLING), updates_of(norms))
    assert found["gradient spikes"].value == 0
    late: list[float | None] = [*norms[:-2], 5.0, norms[-1]]  # far above its neighbours, though the run began there
    rules = Policy(limits={"recall": 0.5}, gradients=GradientRules(max_spike_share=0.0))
    assert bands(epochs_of(FALLING), updates_of(late), policy=rules)["gradient spikes"].points_to == "needs_work"


def test_a_window_looks_back_only_so_far() -> None:
    # 60 large norms, then small ones: with a window of 50 the first small ones are judged against large, a later rise against small.
    norms: list[float | None] = [*[8.0] * 60, *[0.1] * 60, 8.0, 8.0]
    assert bands(epochs_of(FALLING), updates_of(norms))["gradient spikes"].value == pytest.approx(2 / 102)


@pytest.mark.parametrize("norms", [[0.5] * 29 + [None], [None] * 5, [float("nan"), 0.5]])
def test_a_norm_that_is_not_finite_needs_work(norms: list[float | None]) -> None:
    found = judge_training(history_of(epochs_of(FALLING), updates_of(norms)), POLICY, required=True)
    broken = [reason for reason in found.reasons if "not finite" in reason.says]
    assert [reason.points_to for reason in broken] == ["needs_work"]


def test_a_short_run_has_no_update_that_could_be_a_spike() -> None:
    reason = bands(epochs_of(FALLING), updates_of([1.0, 100.0, 1.0]))["gradient spikes"]
    assert (reason.points_to, reason.value) == ("ready", 0.0)
    assert "0 of 0 updates" in reason.says


def test_a_csv_of_losses_and_accuracies_says_that_gradients_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("loss,accuracy\n1.2,0.35\n0.9,0.50\n0.7,0.65\n0.5,0.75\n0.4,0.82\n")
    verdict = verdict_with(read_history(path))
    assert verdict.level == "ready"
    assert "Not judged: gradient norms. This history has no record of them." in " ".join(printed(verdict).split())
    required = Policy(limits={"recall": 0.5}, require=type(POLICY.require)(counts=("evaluation", "history")))
    strict = judge(evaluation=GOOD, history=read_history(path), policy=required)
    assert strict.level == "not_enough_evidence"
    assert {reason.subject for reason in strict.reasons} == {"gradient norms", "validation accuracy"}


# Remarks


def test_overfitting_is_told_and_decides_nothing() -> None:
    records = epochs_of(FALLING, [0.5, 0.7, 0.8, 0.8, 0.8, 0.8], valid_losses=[1.0, 0.7, 0.6, 0.7, 0.8, 0.9])
    told = notes_of(records, [Ended(reason="early_stop", best_epoch=3, seconds=1.0)])
    assert "Overfitting from epoch 4 on" in told
    assert "epoch 3 were kept" in told
    assert verdict_with(history_of(records)).level == "ready"
    assert "Overfitting" not in notes_of(epochs_of(FALLING, RISING, valid_losses=FALLING))


def test_how_training_ended_is_told() -> None:
    updates = updates_of([1.0])
    assert "has not ended" in notes_of(epochs_of(FALLING), updates)
    assert "interrupted after 6 epochs" in notes_of(epochs_of(FALLING), updates, [Ended(reason="interrupted", best_epoch=6, seconds=1)])
    ended = notes_of(epochs_of(FALLING), updates, [Ended(reason="finished", best_epoch=6, seconds=1)])
    assert "ended" not in ended
    assert "interrupted" not in ended


def test_an_epoch_without_a_record_of_validation_is_skipped() -> None:
    records: list[Record] = [Epoch(epoch=n + 1, train_loss=loss, valid_accuracy=0.5 if n % 2 else None) for n, loss in enumerate(FALLING)]
    assert bands(records)["validation accuracy"].points_to == "ready"


# Tasks without an accuracy


def started(task: str) -> Started:
    return Started(model="Model", task=task, num_parameters=9, num_epochs=6, num_train=50, num_valid=50, steps_per_epoch=99)


@pytest.mark.parametrize(
    ("losses", "level", "words"),
    [
        ([1.2, 0.9, 0.7, 0.5, 0.4, 0.35], "ready", "Mean of the last third"),
        ([0.5, 0.5, 0.5, 0.501, 0.502, 0.501], "ready", "Mean of the last third"),
        ([0.5, 0.5, 0.5, 0.6, 0.7, 0.8], "needs_work", "The validation loss rises"),
        ([1.2, 0.9, 0.7, 0.95, 0.4, 0.35], "needs_work", "jumps: it rises by 0.25 in epoch 4"),
        ([1.2, 0.9], "not_enough_evidence", "2 epochs with one are too few"),
        ([], "not_enough_evidence", "There is none"),
    ],
)
def test_where_there_is_no_accuracy_the_validation_loss_is_judged(losses: list[float], level: str, words: str) -> None:
    training = FALLING[: len(losses)] or FALLING
    reason = bands([started("forecast")], epochs_of(training, valid_losses=losses))["validation loss"]
    assert reason.points_to == level
    assert words in reason.says


def test_the_task_may_be_told_by_the_evaluation_and_a_class_task_is_never_excused() -> None:
    history = history_of(epochs_of(FALLING, valid_losses=FALLING), updates_of([0.5] * 100))
    assert verdict_with(history).level == "ready"  # of a stranger's figures the policy requires no history
    for task, subject in (("regress", "validation loss"), ("classify", "validation accuracy"), (None, "validation accuracy")):
        found = judge_training(history, POLICY, required=True, task=task)
        assert subject in {reason.subject for reason in found.reasons}


def test_a_forecast_whose_training_is_known_is_ready(tmp_path: Path) -> None:
    history = history_of([started("forecast")], epochs_of(FALLING, valid_losses=FALLING), updates_of([0.5] * 100))
    verdict = judge(run_directory(tmp_path, of_forecast(advantage=0.4), history))
    assert verdict.level == "ready"
    assert "validation loss" in {reason.subject for reason in verdict.supports}


def test_the_epoch_of_a_jump_is_named_where_one_before_has_no_loss() -> None:
    losses = [1.2, None, 0.9, 0.7, 0.95, 0.4, 0.35]
    reason = bands([started("forecast")], epochs_of([*FALLING, 0.1, 0.1][: len(losses)], valid_losses=losses))["validation loss"]
    assert "in epoch 5" in reason.says
