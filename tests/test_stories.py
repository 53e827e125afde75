"""Does each story come to its end on the small parts, and show what it is told for? The peers of the text are measured too."""

from __future__ import annotations

import lzma
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from statewise.cli import main
from statewise.evaluation import Evaluation, evaluate, read_evaluation, read_predictions
from statewise.runs import RunFiles, load
from statewise.verdicts import judge
from stories import tutorial
from stories.__main__ import tell
from stories.compression import NGram, ngram_bits, xz_bits
from stories.prepare import prepare
from stories.table import STORIES, Story
from stories.watch import tell_watch
from tests._unchecked import unchecked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOW = ("the model as trained", "going on learning while it reads")
BY_NAME = {story.name: story for story in STORIES}


@pytest.fixture(autouse=True)
def _as_a_user_runs_them() -> Iterator[None]:
    """Run the stories without the checks of types that the tests put around every function."""
    with unchecked():
        yield


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("stories"), part=True)


def told(story: Story, data: Path, out: Path) -> tuple[Evaluation, list[str]]:
    lines = tell(story, data, out, part=True)
    assert RunFiles(out / story.name).report.is_file()
    return read_evaluation(RunFiles(out / story.name).evaluation), lines


def low(evaluation: Evaluation, metric: str) -> float:
    end = evaluation.metrics[metric].low
    assert end is not None
    return end


def test_regress_beats_the_training_mean(data: Path, tmp_path: Path) -> None:
    evaluation, _ = told(BY_NAME["regress"], data, tmp_path)
    assert low(evaluation, "skill") > 0


def test_forecast_beats_persistence_and_the_season_on_blocks_of_one_stream(data: Path, tmp_path: Path) -> None:
    evaluation, _ = told(BY_NAME["forecast"], data, tmp_path)
    assert low(evaluation, "skill") > 0
    assert evaluation.unit == "block"
    assert evaluation.num_units >= 2
    run = load(tmp_path / "forecast")
    assert run.config.model is not None
    assert run.config.model.horizon == 24


def test_tag_answers_each_step_of_people_never_seen(data: Path, tmp_path: Path) -> None:
    evaluation, _ = told(BY_NAME["tag"], data, tmp_path)
    assert (evaluation.task, evaluation.unit) == ("tag", "block"), "one person is left for the test: stretches of time are the units"
    assert evaluation.metrics["accuracy"].value > 2 / 7


def test_binary_is_judged_on_the_invoices_that_have_a_next_one(data: Path, tmp_path: Path) -> None:
    evaluation, _ = told(BY_NAME["binary"], data, tmp_path)
    assert evaluation.positive == "1"
    assert evaluation.prevalence == pytest.approx(0.2, abs=0.06)
    assert evaluation.metrics["recall"].value > 0.3, "weights keep it from answering with the majority"
    assert any("weight 0" in note for note in evaluation.notes)


def test_people_are_cut_apart_and_are_the_units(data: Path, tmp_path: Path) -> None:
    evaluation, _ = told(BY_NAME["people"], data, tmp_path)
    assert (evaluation.task, evaluation.unit) == ("classify", "group")
    assert evaluation.metrics["accuracy"].value > 2 / 7


def test_power_beats_what_the_house_itself_would_say(data: Path, tmp_path: Path) -> None:
    """One stream with a gap: its state is carried from window to window, and begins anew after the gap."""
    evaluation, lines = told(BY_NAME["power"], data, tmp_path)
    assert set(evaluation.baselines) == {"mean", "last_hour", "last_minute", "day_before", "week_before"}
    assert evaluation.judged_baseline in {"last_hour", "last_minute"}, "persistence is the one to beat"
    for name in ("mean", "day_before", "week_before"):
        assert evaluation.baselines[name].skill.value > evaluation.metrics["skill"].value
    assert evaluation.metrics["skill"].value > 0
    assert evaluation.unit == "block"
    run = load(tmp_path / "power")
    assert run.config.options["window"] == 48
    assert not {"last_hour", "last_minute", "next_hour", "week"} & set(run.config.feature_names or ())
    assert any("against last_hour (rmse" in line for line in lines)


def test_power_by_week_begins_each_week_anew(data: Path, tmp_path: Path) -> None:
    evaluation, _ = told(BY_NAME["power-weeks"], data, tmp_path)
    assert evaluation.metrics["skill"].value > 0
    assert load(tmp_path / "power-weeks").config.data["train"].num_sequences >= 4


def test_text_stands_beside_its_twin_an_ngram_and_xz(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twin, _ = told(BY_NAME["text-shuffled"], data, tmp_path)
    evaluation, lines = told(BY_NAME["text"], data, tmp_path)
    assert low(evaluation, "skill") > 0, "better than unigrams"
    assert evaluation.num_sequences == 1, "a whole play, its state carried from end to end"
    told_lines = {line.split(":")[0].strip(): line for line in lines[-8:]}
    trained, learning = (f"bits a held-out character (28,919 of 1 texts, in 2 blocks), {how}" for how in HOW)
    assert {trained, learning} <= told_lines.keys()
    assert lines[-8].startswith(f"    {trained}: {evaluation.metrics['bits'].value:.3f}")
    assert f"{twin.metrics['bits'].value:.3f} bits, of which it saves" in told_lines["shuffled windows"]
    assert any(name.startswith("adaptive 4-gram") for name in told_lines)
    assert "xz: 2.8" in told_lines["xz"]
    saved = float(told_lines["the model as trained"].rsplit("saves ")[1].split(" ")[0])
    assert saved > 0, "what is learnt while reading helps with what comes after"
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "text"), "--prompt", "Enter ", "--steps", "20", "--temperature", "0"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Enter ")
    assert len(printed.rstrip("\n")) >= 24


def test_a_forecast_without_skill_is_told_so(data: Path, tmp_path: Path) -> None:
    """One hour ahead, the value of now is hard to beat, and hardly trained a model does not."""
    words = BY_NAME["forecast"].words.replace("--horizon 24", "--horizon 1").format(data=data, part="_part").split()
    assert main(["fit", *words, "--epochs", "1", "--hidden-size", "8", "--out", str(tmp_path / "run")]) == 0
    verdict = judge(tmp_path / "run")
    assert verdict.level == "not_ready"
    assert verdict.exit_code == 1
    reason = next(reason for reason in verdict.reasons if "skill" in reason.subject)
    assert "persistence" in reason.says


def test_values_learnt_from_shuffled_targets_have_no_skill(data: Path, tmp_path: Path) -> None:
    words = [*BY_NAME["regress"].arguments(data, tmp_path / "run", part=True), "--shuffle-labels"]
    assert main(words) == 0
    verdict = judge(tmp_path / "run")
    assert verdict.level == "not_ready"
    assert any("skill" in reason.subject for reason in verdict.reasons)


def test_the_ngrams_probabilities_add_up_and_what_it_has_read_comes_cheaper() -> None:
    text, alphabet = "abracadabra", "abcdr"
    for order in range(4):
        model = NGram(len(alphabet), order)
        model.learn(text)
        total = 0.0
        for letter in alphabet:
            fresh = NGram(len(alphabet), order)
            fresh.learn(text)
            total += 2.0 ** -fresh.read("abra" + letter)[order, -1]
        assert total == pytest.approx(1.0)
    first = NGram(5, 3).read(text)[3].sum()
    model = NGram(5, 3)
    model.read(text)
    second = model.read(text)[3].sum()
    assert second < first


def test_the_order_is_chosen_on_validation_and_the_bits_are_those_of_the_test() -> None:
    train, valid, test = ["abcabcabc" * 30], ["abcabc" * 5], ["abc" * 20]
    found = ngram_bits(train, valid, test, largest_order=3)
    assert found.order >= 1
    assert found.bits[0].mean() < 0.1
    noise = ngram_bits(["ab" * 40], ["ba" * 9], ["ab"], largest_order=0)
    assert noise.bits[0].mean() == pytest.approx(1.0, abs=0.05)


def test_xz_is_charged_for_what_the_held_out_text_adds() -> None:
    train, test = ["to be or not to be, that is the question; " * 20], ["to be or not to be, that is the question; "]
    filters: list[dict[str, Any]] = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 27}]
    sizes = [len(lzma.compress(text.encode(), format=lzma.FORMAT_XZ, filters=filters)) for text in (train[0] + test[0], train[0])]
    (bits,) = xz_bits(train, test)
    assert (len(bits), bits.sum()) == (len(test[0]), pytest.approx(8 * (sizes[0] - sizes[1])))
    assert bits.mean() < math.log2(26)
    (split,) = xz_bits(train, test, block=10)
    assert split.sum() == pytest.approx(bits.sum()), "blocks sum up to the whole"
    assert len(set(split.tolist())) > 1


def test_the_tutorial_is_held_against_an_hour_ago_and_has_no_skill_where_nothing_can_be_foreseen() -> None:
    """Dust that walks at random: nothing but its last value tells of the next one."""
    random = np.random.default_rng(0)
    dust = np.abs(100 + np.cumsum(random.normal(0, 5, 900)))
    columns = {name: random.random(900) for name in ("dew_point", "temperature", "pressure", "wind_speed", "snow", "rain")}
    columns["pm2.5"] = np.where(np.arange(900) < 24, np.nan, dust)
    table = pl.DataFrame({"pm2.5": columns.pop("pm2.5"), **columns, "wind_direction": random.choice(["NW", "SE"], 900)}).fill_nan(None)
    read = tutorial.hours(table)
    assert read.shape == (876, 8)
    evaluation = tutorial.told(read, cut=400, epochs=3, seed=0)
    assert evaluation.baselines["persistence"].figures["rmse"] == pytest.approx(np.sqrt(np.mean(np.diff(read[400:, 0]) ** 2)))
    assert evaluation.unit == "block"
    assert evaluation.num_scored == 475
    assert "skill" in {reason.subject for reason in judge(evaluation=evaluation).reasons}


def test_watch_tells_of_new_people_apart_from_a_random_cut(data: Path, tmp_path: Path) -> None:
    """On the small part, six people and five steps a second, the fall is there and six people are too few to be sure of its size."""
    lines = tell_watch(data, tmp_path, part=True)
    by_person = evaluate(read_predictions(tmp_path / "watch" / "by-person.parquet"))
    at_random = evaluate(read_predictions(tmp_path / "watch" / "at-random.parquet"))
    assert by_person.num_units == at_random.num_units == 6
    assert at_random.metrics["accuracy"].value > by_person.metrics["accuracy"].value + 0.02
    assert lines[-1].strip().startswith("believe the figure by person")
    assert any("over 6 people" in line for line in lines)
    assert any(re.search(r"[3-6] of 6 are answered worse when new, by -0\.\d{3} to [+-]0\.\d{3}$", line) for line in lines)
