"""Does `audit_data` refuse what cannot be meant, leave out what has no step, and pass proper cuts of real sets?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import statewise as sw
from proving_ground.data.making import codes_of, data_of, many
from statewise.auditing import checks_of
from statewise.errors import DataError, OptionError, StatewiseError
from tests._documents import ROOT
from tests._unchecked import unchecked
from tests.auditing._asked import status_of

DATA = ROOT / "tests" / "data"
SETS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "beijing weeks": (
        "beijing_pm25_part.jsonl", {"key": "week", "target": "next_day", "task": "regress", "missing": "mean"}, ("sequence",)),
    "beijing hours": (
        "beijing_pm25_part.npz",
        {"target": "pm2.5", "task": "forecast", "missing": "mean", "unlabelled": "skip"},
        ("time",),
    ),
    "household weeks": (
        "household_power_part.parquet",
        {"key": "week", "time": "time", "target": "next_hour", "task": "regress", "unlabelled": "skip",
         "baselines": ["last_hour", "last_minute", "day_before", "week_before"]},
        ("sequence", "time"),
    ),
    "customers": (
        "online_retail_part.csv",
        {"key": "customer", "time": "time", "target": "target", "task": "tag", "unlabelled": "skip", "ties": "keep"},
        ("sequence", "time"),
    ),
    "scenes": ("shakespeare_part/**/*.txt", {"task": "next"}, ("sequence",)),
    "subjects": ("shoulder_watch_part/*.parquet", {"key": "subject", "time": "step", "target": "exercise", "task": "tag"}, ("sequence",)),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_nothing_is_found_in_proper_cuts_of_real_sets(name: str) -> None:
    path, options, cuts = SETS[name]
    data = sw.read(str(DATA / path), **options)
    with unchecked():
        for by in cuts:
            found = sw.audit_data(*sw.split(data, by=by, fractions=(0.4, 0.3, 0.3)))  # type: ignore[arg-type]
            assert not found.findings, (by, [(each.code, each.evidence) for each in found.findings])
            assert found.ok


def test_nothing_is_found_in_japanese_vowels_where_length_tells_a_little() -> None:
    train, test = (sw.read(path) for path in sw.datasets.japanese_vowels())
    with unchecked():
        found = sw.audit_data(train, test=test, score=0.97)
    assert not found.findings
    length = next(each for each in found.outcomes if each.code == "SW710")
    assert length.status in {"pass", "observed"}
    assert length.value == pytest.approx(0.2, abs=0.06)


def watch(begin: float, end: float) -> sw.Sequences:
    """Return windows of 20 steps, every 10, of the shoulder exercises: between two shares of each recording."""
    values, exercises, subjects, times = [], [], [], []
    data = sw.read(str(DATA / "shoulder_watch_part" / "*.parquet"), key="<file>", time="step", target="exercise", group="subject")
    for row, steps in enumerate(data.parts["x"].to_list()):
        for at in range(int(begin * len(steps)), int(end * len(steps)) - 19, 10):
            values.append(steps[at : at + 20])
            exercises.append(int(torch.as_tensor(data.targets)[row]))
            subjects.append((data.groups or ())[row])
            times.append(torch.arange(at, at + 20) * 0.2)
    inputs, labels = sw.Ragged.from_list(values), torch.tensor(exercises)
    return sw.Sequences(inputs=inputs, targets=labels, groups=subjects, times=torch.cat(times), class_names=data.class_names)


def test_the_shoulder_exercises_fail_at_random_and_in_time_and_pass_by_subject() -> None:
    windows = watch(0.0, 1.0)
    with unchecked():
        at_random = sw.audit_data(*sw.split(windows, by="sequence"))
        in_time = sw.audit_data(watch(0.0, 0.7), test=watch(0.7, 1.0))
        by_subject = sw.audit_data(*sw.split(windows, by="group", fractions=(0.34, 0.33, 0.33)))
    for found in (at_random, in_time):
        assert [each.code for each in found.findings] == ["SW704"]
        assert found.findings[0].status == "fail"
        assert found.findings[0].value == 1.0
        assert "believe a figure from a cut by group, not this one" in found.findings[0].evidence
    shared = next(each for each in at_random.outcomes if each.code == "SW703")
    assert (shared.status, shared.explained_by) == ("fail", "SW704")
    assert not by_subject.findings
    assert status_of(by_subject, "SW704") == "pass"


def parts() -> tuple[sw.Sequences, sw.Sequences]:
    rng = np.random.default_rng(0)
    return data_of(many(rng, 12)), data_of(many(rng, 6))


def test_an_audit_of_data_tells_what_it_is_about() -> None:
    train, test = parts()
    found = sw.audit_data(train, test=test, ignore="SW71")
    assert found.examines == "data"
    assert found.sampled.startswith("Training part 12 sequences, ")
    assert [each.code for each in found.outcomes] == [each.code for each in checks_of("data")]
    assert status_of(found, "SW712") == "skipped"
    alone = sw.audit_data(train)
    assert status_of(alone, "SW701") == "not_applicable"
    assert not alone.findings


def test_sequences_without_a_step_do_not_count() -> None:
    train, test = parts()
    empty = sw.Sequences(inputs=sw.Ragged(torch.zeros(0, 3), torch.zeros(4, dtype=torch.int64)))
    found = sw.audit_data(sw.Sequences.concatenate(train, empty), test=sw.Sequences.concatenate(test, empty))
    assert not found.findings
    assert "12 sequences" in found.sampled
    with pytest.raises(DataError, match="it has no step"):
        sw.audit_data(train, test=empty)


def one_less(data: sw.Sequences) -> sw.Sequences:
    return data.select(range(len(data) - 1))


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"test": torch.zeros(3)}, OptionError, "test: a Tensor"),
        ({"train": None}, OptionError, "train: nothing"),
        ({"run": "runs/x"}, OptionError, "run: a str"),
        ({"model": "lstm"}, OptionError, "model: a str"),
        ({"seed": -1}, OptionError, "seed"),
        ({"score": 97}, OptionError, "score"),
        ({"scaling": 3}, OptionError, "scaling: an int"),
        ({"scaling": {"mean": [0.0], "scale": [1.0]}}, OptionError, r"1 numbers \(mean\) for 3 features"),
        ({"vocabulary": ["a"]}, OptionError, "one list for 0 categorical inputs"),
        ({"vocabulary": {"shop": ["a"]}}, OptionError, "vocabulary: 'shop'"),
        ({"select": "SW1"}, OptionError, "select: 'SW1'"),
        ({"ignore": ("SW799",)}, OptionError, "ignore: 'SW799'"),
        ({"make_features": lambda _: 3}, OptionError, "what make_features returns"),
        ({"make_features": one_less}, DataError, "11 sequences of 12"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], kind: type[StatewiseError], says: str) -> None:
    train, test = parts()
    with unchecked(), pytest.raises(kind, match=says):
        sw.audit_data(**{"train": train, "test": test, **options})


def test_parts_that_no_model_could_read_alike_are_refused() -> None:
    train, test = parts()
    wider = data_of([np.zeros((3, 5))] * 2)
    with pytest.raises(DataError, match="x of 5, and the training part has x of 3"):
        sw.audit_data(train, test=wider)
    tokens = codes_of([np.arange(4)] * 3, 4)
    with pytest.raises(DataError, match="other categories"):
        sw.audit_data(tokens, test=replace(tokens, categories={"token": list("abcd")}))
    labelled = [replace(part, targets=targets, each=None) for part, targets in ((train, torch.arange(12) % 2), (test, torch.rand(6)))]
    with pytest.raises(DataError, match="other task"):
        sw.audit_data(labelled[0], test=labelled[1])


def test_a_run_and_a_model_are_one_too_many() -> None:
    train, test = parts()
    data = replace(train, targets=torch.arange(12) % 2)
    run = sw.fit(sw.build("rnn", data=data, hidden_size=2), data, data, epochs=1)
    with pytest.raises(OptionError, match="a model beside a run"):
        sw.audit_data(train, test=test, run=run, model=run.model)


def test_an_audit_of_data_is_written_and_read_again(tmp_path: Any) -> None:
    train, test = parts()
    found = sw.audit_data(train, test=test)
    again = sw.read_audit(found.save(tmp_path / "data.json"))
    assert again.outcomes == found.outcomes
    assert again.examines == "data"
    assert str(again) == str(found)
