"""What do the checks of data say where things are neither a plain leak nor clean, and which finding is taken for the cause?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import statewise as sw
from proving_ground.data.making import codes_of, data_of, many, walk
from statewise.sequences import fit_statistics
from tests._unchecked import unchecked
from tests.auditing._asked import said, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator


RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _without_checks_of_types() -> Iterator[None]:
    with unchecked():
        yield


def dated(n: int, steps: int, begin: float) -> torch.Tensor:
    return (torch.arange(float(steps)).double() * 60 + begin).repeat(n)


def test_a_set_that_repeats_itself_is_a_warning() -> None:
    once = many(RNG, 300)
    twice = data_of([*once, *once])
    order = RNG.permutation(600).tolist()
    found = said("SW701", twice.select(order[:450]), None, twice.select(order[450:]))
    assert found.status == "warn"
    assert "the set repeats itself" in found.evidence
    assert found.value == pytest.approx(0.75, abs=0.1)
    assert found.control == pytest.approx(0.75, abs=0.1)
    first_twice = said("SW701", twice.select(range(450)), None, twice.select(range(450, 600)))
    assert first_twice.status == "fail"


def test_sentences_that_are_said_often_are_told_and_copied_ones_fail() -> None:
    habits = [RNG.integers(0, 500, 12) for _ in range(40)]
    texts = [habits[int(RNG.integers(0, 40))] if RNG.random() < 0.5 else RNG.integers(0, 500, 12) for _ in range(600)]
    train, test = codes_of(texts[:400], 500), codes_of(texts[400:], 500)
    assert said("SW701", train, None, test).status == "observed"
    fresh = codes_of([RNG.integers(0, 500, 12) for _ in range(400)], 500)
    assert said("SW701", fresh, None, fresh.select(range(50))).status == "fail"


def test_steps_alone_are_copies_where_training_has_none_of_its_own() -> None:
    rows = [RNG.standard_normal((1, 3)) for _ in range(1000)]
    train, test = data_of(rows[:800]), data_of(rows[700:900])
    found = said("SW701", train, None, test)
    assert (found.status, found.value) == ("fail", 0.5)


def test_equal_constants_say_as_little_as_chance() -> None:
    found = said("SW701", data_of([np.zeros((9, 1))] * 60), None, data_of([np.zeros((9, 1))] * 20))
    assert found.status == "pass"
    assert "20 more do" in found.evidence


def test_copies_explain_common_groups_and_groups_explain_windows() -> None:
    streams = many(RNG, 40, steps=(60, 61))
    windows = [each[at : at + 20] for each in streams for at in range(0, 41, 10)]
    groups = [f"g{place // 5}" for place in range(200)]
    data = data_of(windows, groups=groups)
    train, test = data.select(range(0, 200, 2)), data.select(range(1, 200, 2))
    found = sw.audit_data(train, test=test)
    assert [each.code for each in found.findings] == ["SW704"]
    explained = {each.code: each.explained_by for each in found.outcomes if each.status == "fail"}
    assert explained == {"SW703": "SW704", "SW704": None}
    assert "believe a figure from a cut by group" in found.findings[0].evidence
    copied = data_of([*many(RNG, 30, steps=(20, 21)), *windows[:5]], groups=[*(f"n{place}" for place in range(30)), *["g0"] * 5])
    outcomes = sw.audit_data(data, test=copied).outcomes
    assert {each.code: each.explained_by for each in outcomes if each.status == "fail"} == {"SW701": None, "SW704": "SW701"}


def test_what_only_warms_a_state_up_is_in_no_two_parts() -> None:
    streams = [walk(RNG, 400, 2) for _ in range(3)]
    targets = torch.from_numpy(np.concatenate(streams)[:, 0].astype(np.float32))
    data = data_of(streams, keys=["a", "b", "c"], times=dated(3, 400, 1.5e9), targets=targets, each="step", task="forecast")
    train, valid, test = sw.split(data, by="time")
    assert test.num_steps == 3 * 400
    found = sw.audit_data(train, valid, test)
    assert not found.findings
    assert status_of(found, "SW704") == "observed"
    assert status_of(found, "SW705") == "pass"


def test_positions_in_recordings_are_no_common_time() -> None:
    train, test = (data_of(many(RNG, 60, steps=(20, 21)), groups=[f"p{place % 9}" for place in range(60)]) for _ in range(2))
    anew, running = torch.arange(20.0).repeat(60), torch.arange(1200.0)
    assert said("SW705", replace(train, times=anew), None, replace(test, times=anew)).status == "not_applicable"
    assert said("SW705", replace(train, times=running), None, replace(test, times=running)).status == "fail"


def test_keys_that_are_numbers_of_lines_are_nobody() -> None:
    parts = [data_of(many(RNG, 30), keys=range(1, 31)) for _ in range(2)]
    assert said("SW704", parts[0], None, parts[1]).status == "not_applicable"
    names = [data_of(many(RNG, 30), keys=[f"engine {place}" for place in range(30)]) for _ in range(2)]
    assert said("SW704", names[0], None, names[1]).status == "warn"
    windows = [data_of(many(RNG, 90), keys=[place % 9 for place in range(90)]) for _ in range(2)]
    assert said("SW704", windows[0], None, windows[1]).status == "warn"


def test_stretches_of_other_dates_are_no_windows() -> None:
    tide = np.sin(np.arange(40) / 7)[:, None] + 1e-3 * np.arange(40)[:, None] ** 1.5
    train, test = many(RNG, 60, steps=(40, 41), features=1), many(RNG, 20, steps=(40, 41), features=1)
    train[0], test[0] = np.concatenate([tide[:30], train[0][:10]]), np.concatenate([tide[:30], test[0][:10]])
    same, later = dated(60, 40, 1.5e9), dated(20, 40, 1.6e9)
    assert said("SW703", data_of(train), None, data_of(test)).status == "fail"
    assert said("SW703", data_of(train, times=same), None, data_of(test, times=later)).status == "pass"


def test_too_little_for_windows_is_told() -> None:
    short, coarse = data_of(many(RNG, 9, steps=(1, 3))), data_of([np.zeros((50, 1))] * 9)
    assert "4 steps or more" in said("SW703", short, None, short).evidence
    assert "too few different steps" in said("SW703", coarse, None, coarse).evidence


def test_near_duplicates_need_enough_training_sequences_that_differ() -> None:
    few = data_of(many(RNG, 50))
    assert "50 training sequences" in said("SW702", few, None, few).evidence
    twice = many(RNG, 80)
    assert "equal one" in said("SW702", data_of([*twice, *twice]), None, few).evidence
    many_of_them = data_of(many(RNG, 120))
    assert "every later sequence" in said("SW702", many_of_them, None, many_of_them).evidence


@pytest.mark.parametrize("kind", ["statistics", "scale", "mapping", "scaler", "range"])
def test_statistics_are_read_in_every_form(kind: str) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    train, test = data_of(many(RNG, 80)), data_of([each + 1 for each in many(RNG, 40)])
    both = sw.Sequences.concatenate(train, test)
    for data, status in ((train, "pass"), (both, "fail")):
        table = data.parts["x"].values.double().numpy()
        statistics = fit_statistics(data)
        given = {
            "statistics": statistics,
            "scale": statistics.inputs["x"],
            "mapping": {"mean": table.mean(0), "scale": table.std(0, ddof=1)},
            "scaler": preprocessing.StandardScaler().fit(table),
            "range": preprocessing.MinMaxScaler().fit(table),
        }[kind]
        assert said("SW706", train, None, test, scaling=given).status == status


def test_statistics_of_other_data_and_of_equal_parts_are_not_judged() -> None:
    train, test = data_of(many(RNG, 80)), data_of(many(RNG, 40))
    other = fit_statistics(data_of(many(RNG, 80)))
    assert "of no union" in said("SW706", train, None, test, scaling=other).evidence
    assert "not standardised" in said("SW706", train, None, test).evidence
    twice = fit_statistics(sw.Sequences.concatenate(train, train))
    assert said("SW706", train, None, train, scaling=twice).status == "pass"


def test_a_refit_may_know_the_validation_part() -> None:
    train, valid, test = (data_of([each + level for each in many(RNG, 60)]) for level in (0.0, 1.0, 2.0))
    scaling = fit_statistics(sw.Sequences.concatenate(train, valid))
    assert said("SW706", train, valid, test, scaling=scaling).status == "pass"
    assert said("SW706", train, valid, scaling=scaling).status == "fail"


def test_the_statistics_and_the_score_of_a_run_are_used() -> None:
    signals = [walk(RNG, 5 + 15 * (place % 2), 2) for place in range(160)]
    data = data_of(signals, targets=[("short", "long")[place % 2] for place in range(160)])
    train, valid, test = sw.split(data)
    run = sw.fit(sw.build("gru", data=train, hidden_size=4), train, valid, epochs=1)
    run.evaluation = sw.evaluate(run, test)
    found = sw.audit_data(train, valid, test, run=run)
    assert status_of(found, "SW706") == "pass"
    length = next(each for each in found.outcomes if each.code == "SW710")
    assert length.limit == run.evaluation.metrics["accuracy"].value
    assert said("SW706", test, None, train, model=run.model).status == "not_applicable"


def test_a_vocabulary_is_judged_by_what_uses_it() -> None:
    train, test = codes_of([np.arange(20)] * 9, 30), codes_of([np.arange(10, 23)] * 3, 30)
    words = [f"t{place}" for place in range(30)]
    assert said("SW707", train, None, test, vocabulary=words[:23]).status == "warn"
    assert said("SW707", train, None, test, vocabulary={"token": words}).status == "pass"
    assert said("SW707", train, None, test, vocabulary=words[:20]).status == "pass"
    assert said("SW707", train, None, train).status == "not_applicable"
    exact = [replace(part, categories={"token": words[:23]}) for part in (train, test)]
    assert said("SW707", exact[0], None, exact[1]).status == "observed"
    assert said("SW707", train, None, test, vocabulary={}).status == "not_applicable"


def test_a_target_of_a_sequence_may_stand_in_its_last_step_or_be_the_same_in_all() -> None:
    signals = many(RNG, 300)
    last = torch.tensor([2 * each[-1, 1] - 1 for each in signals])
    assert said("SW708", data_of(signals, targets=last)).where == "feature 2"
    labels = RNG.integers(0, 3, 300)
    told = [np.column_stack([each, np.full(len(each), 7.0 - label)]) for each, label in zip(signals, labels, strict=True)]
    assert said("SW708", data_of(told, targets=torch.from_numpy(labels))).status == "fail"
    static = torch.from_numpy(labels.astype(np.float32))[:, None]
    assert said("SW708", data_of(signals, targets=torch.from_numpy(labels), static=static)).where == "static feature 1"
    assert said("SW708", data_of(signals, targets=torch.from_numpy(labels))).status == "pass"


def test_a_noisy_copy_of_the_class_at_both_ends_of_its_sequences_is_a_warning_and_at_one_end_none() -> None:
    signals, labels = many(RNG, 300), RNG.integers(0, 3, 300)
    noisy = [np.column_stack([each, label + 0.1 * RNG.normal(size=len(each))]) for each, label in zip(signals, labels, strict=True)]
    found = said("SW708", data_of(noisy, targets=torch.from_numpy(labels)))
    assert (found.status, found.where) == ("warn", "feature 4")
    for each in noisy:
        each[0, -1] = RNG.normal()
    assert said("SW708", data_of(noisy, targets=torch.from_numpy(labels))).status == "pass"


def test_a_level_that_nearly_tells_a_class_is_a_warning() -> None:
    signals = many(RNG, 200)
    targets = torch.from_numpy((np.concatenate(signals)[:, 0] > 0).astype(np.int64))
    assert said("SW708", data_of(signals, targets=targets, each="step")).status == "warn"


def test_the_series_of_a_forecast_is_no_leak_and_what_comes_later_is() -> None:
    streams = [walk(RNG, 200, 2) for _ in range(5)]
    series = torch.from_numpy(np.concatenate(streams)[:, 0].astype(np.float32))
    data = data_of(streams, targets=series, each="step", task="forecast", feature_names=["load", "wind"])
    assert said("SW708", data).status == "pass"
    ahead = [np.column_stack([each[:, 0], np.append(each[1:, 0], 0.0)]) for each in streams]
    leaking = data_of(ahead, targets=series, each="step", task="forecast", feature_names=["load", "plan"])
    assert said("SW708", leaking).where == "plan 1 step before"
    assert said("SW708", replace(leaking, known=["plan"])).status == "pass"


def test_several_labels_at_once_are_not_judged_for_their_copies() -> None:
    data = data_of(many(RNG, 20), targets=torch.zeros(20, 3, dtype=torch.bool))
    assert said("SW708", data).status == "not_applicable"


def test_features_that_are_drawn_or_refuse_shorter_sequences_are_not_judged() -> None:
    data = data_of(many(RNG, 20))

    def drawn(of: sw.Sequences) -> sw.Sequences:
        return replace(of, inputs=of.parts["x"].with_values(torch.rand_like(of.parts["x"].values)))

    def refusing(of: sw.Sequences) -> sw.Sequences:
        if of.num_steps < data.num_steps:
            raise ValueError("too short")
        return of

    assert "they are drawn" in said("SW709", data, make_features=drawn).evidence
    assert "refuses shorter" in said("SW709", data, make_features=refusing).evidence
    assert said("SW709", data_of([np.zeros((1, 1))] * 5), make_features=lambda of: of).status == "not_applicable"
    assert said("SW709", data, make_features=lambda of: of).status == "pass"


def test_filling_backwards_looks_ahead() -> None:
    signals = [np.where(RNG.random(each.shape) < 0.3, np.nan, each) for each in many(RNG, 20)]

    def filled(of: sw.Sequences) -> sw.Sequences:
        columns = [torch.from_numpy(_backwards(np.asarray(each))) for each in of.parts["x"].to_list()]
        return replace(of, inputs=of.parts["x"].with_values(torch.cat(columns)))

    assert said("SW709", data_of(signals, missing="mean"), make_features=filled).status == "fail"


def _backwards(table: np.ndarray) -> np.ndarray:
    later = np.where(np.isnan(table), len(table), np.arange(len(table))[:, None])
    next_known = np.minimum.accumulate(later[::-1])[::-1]
    return np.take_along_axis(np.vstack([table, np.full((1, table.shape[1]), np.nan, dtype=table.dtype)]), next_known, axis=0)


@pytest.mark.parametrize(("score", "status"), [(None, "warn"), (0.99, "observed"), (0.6, "fail")])
def test_lengths_fail_only_where_they_reach_the_score(score: float | None, status: str) -> None:
    labels = RNG.integers(0, 2, 300)
    data = data_of([walk(RNG, max(2, int(RNG.normal(20 + 12 * label, 4))), 1) for label in labels], targets=torch.from_numpy(labels))
    assert said("SW710", data.select(range(200)), None, data.select(range(200, 300)), score=score).status == status


def test_lengths_of_few_sequences_and_of_equal_ones_tell_nothing() -> None:
    data = data_of(many(RNG, 60, steps=(9, 10)), targets=torch.arange(60) % 2)
    assert said("SW710", data.select(range(30)), None, data.select(range(30, 60))).status == "pass"
    assert said("SW710", data.select(range(50)), None, data.select(range(50, 60))).status == "not_applicable"


def test_holes_in_time_warn_in_windows_and_are_told_in_streams() -> None:
    times = torch.arange(20.0).repeat(30).reshape(30, 20)
    times[3, 10:] += 500
    windows = data_of(many(RNG, 30, steps=(20, 21)), times=times.flatten())
    assert said("SW711", windows).status == "warn"
    assert said("SW711", windows.select(range(5))).status == "observed"
    assert said("SW711", data_of(many(RNG, 5))).status == "not_applicable"


def test_a_feature_that_may_change_is_no_border() -> None:
    signals = [np.column_stack([each, np.arange(len(each))]) for each in many(RNG, 30)]
    assert said("SW711", data_of(signals, feature_names=["a", "b", "c", "customer_id"])).status == "pass"
    codes = codes_of([np.repeat(place % 7, 8) for place in range(30)], 7)
    named = replace(codes, inputs={"user": codes.parts["token"]}, categories={"user": codes.categories["token"]})
    assert said("SW711", named).status == "pass"


def test_conflicts_give_the_ceiling_and_of_numbers_the_floor() -> None:
    torn = data_of([np.zeros((3, 1))] * 4, targets=["a", "a", "a", "b"])
    found = said("SW712", torn)
    assert (found.status, found.value) == ("observed", 0.25)
    assert "no model has an accuracy above 0.7500" in found.evidence
    signal = many(RNG, 1)[0]
    numbers = said("SW712", data_of([signal, signal, *many(RNG, 20)], targets=torch.tensor([0.0, 2.0, *[1.0] * 20])))
    assert numbers.status == "warn"
    assert numbers.value == pytest.approx(2 / 22)
    assert said("SW712", data_of([signal, signal], targets=["a", "a"], class_names=["a", "b"])).status == "pass"


def test_a_later_season_is_told_and_few_persons_are_not_judged() -> None:
    train, test = many(RNG, 60, steps=(20, 21)), [each + 2 for each in many(RNG, 60, steps=(20, 21))]
    now, later = dated(60, 20, 1.5e9), dated(60, 20, 1.6e9)
    assert said("SW713", data_of(train), None, data_of(test)).status == "warn"
    assert said("SW713", data_of(train, times=now), None, data_of(test, times=later)).status == "observed"
    persons = [data_of(part, groups=[f"{name}{place % 4}" for place in range(60)]) for name, part in (("p", train), ("q", test))]
    assert said("SW713", persons[0], None, persons[1]).status == "not_applicable"


def test_irregular_clocks_are_ranked() -> None:
    def bought(n: int, pause: float) -> sw.Sequences:
        times = np.concatenate([1.5e9 + RNG.exponential(pause, 15).cumsum() for _ in range(n)])
        return data_of(many(RNG, n, steps=(15, 16)), times=torch.from_numpy(times))

    assert said("SW714", bought(80, 10.0), None, bought(60, 10.0)).status == "pass"
    assert said("SW714", bought(80, 10.0), None, bought(60, 40.0)).status == "warn"
    assert said("SW714", bought(5, 10.0), None, bought(3, 10.0)).status == "not_applicable"
    alone = data_of([np.zeros((1, 1))] * 5, times=torch.zeros(5))
    assert said("SW714", alone, None, alone).status == "not_applicable"


def test_what_is_missing_is_no_error_of_ours() -> None:
    signals = [np.where(RNG.random(each.shape) < 0.2, np.nan, each) for each in many(RNG, 150)]
    for each in signals:
        each[:, 2] = np.nan
    data = data_of(signals, missing="mean", targets=torch.arange(150) % 2, times=torch.zeros(sum(map(len, signals))))
    found = sw.audit_data(data.select(range(100)), data.select(range(100, 120)), data.select(range(120, 150)))
    assert found.ok, [(each.code, each.evidence) for each in found.outcomes if each.status in {"fail", "error"}]
    assert not found.findings
