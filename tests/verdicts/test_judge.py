"""Is the level the first that applies, is nothing green that did not run, and is the evidence of a run found?"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from statewise.errors import DataError, OptionError, RunError
from statewise.evaluation import Estimate, Evaluation
from statewise.runs import History, Run, RunConfig, Started, save_weights
from statewise.verdicts import PRESETS, Level, Policy, Verdict, judge, read_policy
from statewise.verdicts._policy import AlertRules, CostRules, Require
from tests.verdicts.evidence import (
    FRAUD,
    GOOD,
    RARE_AND_GOOD,
    audit_of,
    changed,
    epochs_of,
    good_history,
    history_of,
    of_counts,
    printed,
    run_directory,
    subjects,
    updates_of,
)

# A level is better than another only against these: between "needs work" and "not enough evidence" there is no better and no worse.
RANK: dict[Level, int] = {"ready": 2, "needs_work": 1, "not_enough_evidence": 1, "not_ready": 0}
METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "negative_predictive_value")
Ends: TypeAlias = tuple[float, float, float]


# Runs


def test_a_run_directory_is_judged_by_its_evaluation_its_history_and_its_audit(tmp_path: Path) -> None:
    folder = run_directory(tmp_path / "run", GOOD, good_history())
    for given_as in (folder, str(folder)):
        verdict = judge(given_as)
        assert (verdict.level, verdict.exit_code, verdict.reasons) == ("ready", 0, ())
        assert verdict.header == f"run '{folder}': figures, training and model examined; data was not examined"
        assert verdict.not_required == ("data",)
        assert verdict.examined[2] == "audit of Model: 2 checks, 1 passed, 1 did not apply"


def test_a_policy_may_do_without_an_audit_and_the_verdict_says_so(tmp_path: Path) -> None:
    folder = run_directory(tmp_path / "run", GOOD, good_history(), audit=None)
    policy = msgspec.structs.replace(read_policy("default"), require=Require(run=("evaluation", "history")))
    verdict = judge(folder, policy=policy)
    assert "Not required by this policy, and not given: the audit of the model" in printed(verdict)
    assert (verdict.level, verdict.not_required) == ("ready", ("audit", "data"))
    assert verdict.header == f"run '{folder}': figures and training examined; model and data were not examined"


def config() -> RunConfig:
    return RunConfig(model_name="Model", task="classify", class_names=("a", "b"))


def test_a_run_in_memory_is_judged_by_what_it_holds(tmp_path: Path) -> None:
    run, sound = Run(config=config(), history=good_history(), evaluation=GOOD), audit_of("pass")
    assert judge(run, audit=sound).level == "ready"
    assert judge(replace(run, audit=sound)).level == "ready"
    assert judge(run, audit=sound).header.startswith("a run in memory")
    bare = Run(config=config(), history=good_history())
    assert (judge(bare).level, subjects(judge(bare))) == ("not_enough_evidence", ["evaluation", "audit"])
    stored = Run(config=config(), history=good_history(), directory=run_directory(tmp_path, GOOD, None))
    assert judge(stored).level == "ready"


def test_what_is_given_takes_the_place_of_the_runs(tmp_path: Path) -> None:
    folder = run_directory(tmp_path, GOOD, good_history())
    assert judge(folder, evaluation=FRAUD).level == "not_ready"
    assert judge(folder, history=history_of(epochs_of([1.0, None, 0.5]))).level == "not_ready"
    assert judge(folder, audit=audit_of("fail")).level == "not_ready"


@pytest.mark.parametrize(
    "absent", [["history"], ["evaluation"], ["audit"], ["evaluation", "history"], ["evaluation", "history", "audit"]], ids="+".join
)
def test_a_run_without_required_evidence_is_never_ready(tmp_path: Path, absent: list[str]) -> None:
    folder = run_directory(
        tmp_path / "run",
        None if "evaluation" in absent else GOOD,
        None if "history" in absent else good_history(),
        None if "audit" in absent else audit_of("pass"),
    )
    verdict = judge(folder)
    assert (verdict.level, verdict.exit_code, subjects(verdict)) == ("not_enough_evidence", 3, absent)
    assert all("requires" in reason.says and reason.do for reason in verdict.reasons)
    if "audit" in absent:
        assert f"statewise audit {folder}" in verdict.reasons[-1].do
    if len(absent) == 3:
        assert verdict.header.endswith("nothing was examined")


def test_a_history_in_which_nothing_happened_is_none(tmp_path: Path) -> None:
    started = Started(model="m", task="classify", num_parameters=1, num_epochs=6, num_train=9, num_valid=9, steps_per_epoch=9)
    verdict = judge(run_directory(tmp_path, GOOD, history_of([started])))
    assert (verdict.level, subjects(verdict)) == ("not_enough_evidence", ["history"])


def test_a_run_too_short_to_have_a_trend_is_not_ready_for_want_of_evidence(tmp_path: Path) -> None:
    verdict = judge(run_directory(tmp_path, GOOD, good_history(2)))
    assert (verdict.level, set(subjects(verdict))) == ("not_enough_evidence", {"training loss", "validation accuracy"})


def test_nothing_to_judge_is_an_error() -> None:
    with pytest.raises(OptionError) as caught:
        judge()
    assert (caught.value.asked, caught.value.where, caught.value.arrived) == ("judge", "the arguments", "nothing to judge")
    assert "run directory" in caught.value.hint


@pytest.mark.parametrize("is_file", [True, False])
def test_what_is_no_run_directory_is_named(tmp_path: Path, *, is_file: bool) -> None:
    path = tmp_path / "run"
    if is_file:
        path.write_text("x")
    with pytest.raises(RunError) as caught:
        judge(path)
    assert caught.value.asked == "judge a run"
    assert str(path) in caught.value.where
    assert caught.value.arrived == ("a file, and not a run directory" if is_file else "no such folder")
    assert "statewise fit" in caught.value.hint


def test_damaged_evidence_is_an_error_and_not_absent(tmp_path: Path) -> None:
    folder = run_directory(tmp_path, GOOD, good_history())
    (folder / "evaluation.json").write_text('{"schema": 1, "met')
    with pytest.raises(RunError, match="damaged"):
        judge(folder)
    run_directory(tmp_path, GOOD, None)
    (folder / "history.jsonl").write_text("{broken}\n")
    with pytest.raises(DataError, match=r"history\.jsonl"):
        judge(folder)


@pytest.mark.parametrize(
    ("content", "arrived"),
    [('{"schema": 1, "na', "damaged"), ('{"schema": 2}', "schema 2"), ('{"schema": 1}', "damaged"), ("[]", "damaged")],
)
def test_a_damaged_audit_is_an_error_and_not_absent(tmp_path: Path, content: str, arrived: str) -> None:
    folder = run_directory(tmp_path, GOOD, good_history())
    (folder / "audit.json").write_text(content)
    with pytest.raises(RunError) as caught:
        judge(folder)
    assert arrived in caught.value.arrived
    assert "audit.json" in caught.value.where
    assert "udit again" in caught.value.hint


# Headers


def test_the_header_says_what_was_not_looked_at() -> None:
    evaluation, history, audit = GOOD, good_history(), audit_of("pass")
    assert judge(evaluation=evaluation).header == "figures only: model, training and data were not examined"
    assert judge(evaluation=evaluation, history=history).header == "figures and training only: model and data were not examined"
    assert judge(evaluation=evaluation, audit=audit).header == "figures and model only: training and data were not examined"
    assert judge(history=history).header == "training only: figures, model and data were not examined"
    assert judge(evaluation=evaluation, history=history, audit=audit).header == "figures, training and model only: data was not examined"
    assert judge(evaluation=evaluation).not_required == ("history", "audit", "data")


# Audits


@pytest.mark.parametrize(
    ("statuses", "required", "level"),
    [
        (["pass"], True, "ready"),
        (["pass", "warn", "observed", "not_applicable"], True, "ready"),
        (["pass", "skipped"], True, "not_enough_evidence"),
        (["pass", "skipped"], False, "ready"),
        (["pass", "fail"], True, "not_ready"),
        (["pass", "fail", "error", "skipped"], True, "not_ready"),
        (["pass", "fail"], False, "not_ready"),
        (["pass", "error"], True, "not_enough_evidence"),
        (["pass", "error"], False, "ready"),
        (["not_applicable"], True, "not_enough_evidence"),
        (["not_applicable"], False, "ready"),
        ([], True, "not_enough_evidence"),
        (None, True, "not_enough_evidence"),
    ],
)
def test_an_audit_must_not_fail_and_where_required_must_have_judged(statuses: list[str] | None, *, required: bool, level: Level) -> None:
    audit = None if statuses is None else audit_of(*statuses)
    policy = Policy(limits={"recall": 0.5}, require=Require(counts=("evaluation", "audit") if required else ("evaluation",)))
    verdict = judge(evaluation=GOOD, audit=audit, policy=policy)
    assert verdict.level == level
    assert all(reason.says and reason.do for reason in verdict.reasons)
    if level == "not_ready":
        assert verdict.reasons[0].subject == "SW302 check-1"
        assert verdict.reasons[0].says == "Padding changes the answers by 0.1. An answer depends on its batch."
        assert verdict.reasons[0].do == "Pass lengths."
    if statuses is not None:
        assert any(line.startswith("audit of Model: ") for line in verdict.examined)
        assert any(note.startswith("The audit warns: SW302") for note in verdict.notes) == ("warn" in statuses)


def test_a_consequence_is_no_reason_of_its_own() -> None:
    audit = audit_of("fail", "fail")
    folded = replace(audit, outcomes=(audit.outcomes[0], msgspec.structs.replace(audit.outcomes[1], explained_by="SW301")))
    verdict = judge(evaluation=GOOD, audit=folded)
    assert subjects(verdict) == ["SW301 check-0"]
    assert verdict.reasons[0].says.endswith("It also explains SW302.")


@pytest.mark.parametrize("statuses", [["pass"], ["fail"]])
def test_an_audit_of_other_weights_is_no_evidence(tmp_path: Path, statuses: list[str]) -> None:
    folder = run_directory(tmp_path / "run", GOOD, good_history(), audit_of(*statuses))
    save_weights({"core.weight": torch.ones(2, 3)}, folder / "model.safetensors")
    verdict = judge(folder)
    assert (verdict.level, subjects(verdict)) == ("not_enough_evidence", ["audit"])
    assert "other weights" in verdict.reasons[0].says
    assert f"statewise audit '{folder}'" in verdict.reasons[0].do


def test_weights_that_cannot_be_read_leave_an_audit_without_its_model(tmp_path: Path) -> None:
    folder = run_directory(tmp_path / "run", GOOD, good_history())
    (folder / "model.safetensors").write_bytes(b"cut")
    verdict = judge(folder)
    assert (verdict.level, subjects(verdict)) == ("not_enough_evidence", ["audit"])
    assert "cannot be read" in verdict.reasons[0].says


def test_an_audit_that_was_cut_short_is_told_as_such(tmp_path: Path) -> None:
    folder = run_directory(tmp_path / "run", GOOD, good_history(), audit_of("error", "skipped", weights=""))
    verdict = judge(folder)
    assert (verdict.level, subjects(verdict)) == ("not_enough_evidence", ["audit"])
    assert "ended in an error" in verdict.reasons[0].says


# The order of the levels


@pytest.mark.parametrize(("missed", "too_few", "below"), list(product([False, True], repeat=3)))
def test_the_level_is_the_first_that_applies(*, missed: bool, too_few: bool, below: bool) -> None:
    evaluation = of_counts(480, 20, 20, 480)
    if missed:
        evaluation = changed(evaluation, "recall", 0.5, 0.4, 0.6)
    if below:
        evaluation = changed(evaluation, "precision", 0.79, 0.7, 0.85)
    if too_few:
        evaluation = msgspec.structs.replace(evaluation, num_units=49)
    verdict = judge(evaluation=evaluation)
    expected = [level for level, holds in (("not_ready", missed), ("not_enough_evidence", too_few), ("needs_work", below)) if holds]
    assert verdict.level == (expected[0] if expected else "ready")
    assert [reason.points_to for reason in verdict.reasons] == expected


@pytest.mark.parametrize("policy", PRESETS)
def test_every_preset_reaches_every_level_that_it_can(policy: str) -> None:
    levels = {judge(evaluation=of_counts(round(n * r), n - round(n * r), round(n * f), n - round(n * f)), policy=policy).level
              for n in (20, 200) for r in (0.3, 0.48, 0.79, 0.88, 1.0) for f in (0.0, 0.07, 0.6)}  # fmt: skip
    reachable = {"ready", "not_enough_evidence", "not_ready"}
    assert levels == reachable | (set() if policy == "lenient" else {"needs_work"})


def test_a_bad_band_of_training_needs_work(tmp_path: Path) -> None:
    history = history_of(epochs_of([1.0, 0.6, 0.3], [0.5, 0.6, 0.7]), updates_of([50.0] * 30))
    verdict = judge(run_directory(tmp_path, GOOD, history))
    assert (verdict.level, verdict.exit_code, subjects(verdict)) == ("needs_work", 1, ["gradient norms"])


# Properties


@st.composite
def ends(draw: st.DrawFn) -> Ends:
    low, value, high = sorted(draw(st.lists(st.floats(0, 1), min_size=3, max_size=3)))
    return low, value, high


@st.composite
def evaluations(draw: st.DrawFn) -> Evaluation:
    """Draw evaluations of two classes, rare or not, many cases or few, with any figures."""
    base = draw(st.sampled_from([GOOD, RARE_AND_GOOD]))
    metrics = {}
    for metric in METRICS:
        low, value, high = draw(ends())
        metrics[metric] = Estimate(value=value, low=low, high=high, units=draw(st.sampled_from([10, 100])), method="drawn")
    return msgspec.structs.replace(base, metrics=metrics, num_units=draw(st.sampled_from([49, 1000])))


POLICIES = [
    *map(read_policy, PRESETS),
    Policy(limits={"recall": 0.5}, cost=CostRules(miss=20.0, false_alarm=1.0)),
    Policy(limits={"specificity": 0.5}, cost=CostRules(miss=20.0, false_alarm=1.0, max_per_case=0.5)),
    Policy(limits={"balanced_accuracy": 0.7}, alerts=AlertRules(max_false_positive_rate=0.2)),
]


@given(evaluations(), st.sampled_from(POLICIES), st.sampled_from(METRICS), ends())
def test_making_the_interval_of_a_metric_lower_never_improves_the_level(
    evaluation: Evaluation, policy: Policy, metric: str, by: Ends
) -> None:
    before = evaluation.metrics[metric]
    assert before.low is not None
    assert before.high is not None
    low, value, high = before.low * by[0], before.value * by[1], before.high * by[2]
    lower = changed(evaluation, metric, value, min(low, value), max(high, value))
    assert RANK[judge(evaluation=lower, policy=policy).level] <= RANK[judge(evaluation=evaluation, policy=policy).level]


@given(evaluations(), st.sampled_from(POLICIES))
def test_the_level_is_that_of_the_first_reason_and_reasons_are_in_order(evaluation: Evaluation, policy: Policy) -> None:
    verdict = judge(evaluation=evaluation, policy=policy)
    order = ["not_ready", "not_enough_evidence", "needs_work"]
    places = [order.index(reason.points_to) for reason in verdict.reasons]
    assert places == sorted(places)
    assert verdict.level == (verdict.reasons[0].points_to if verdict.reasons else "ready")
    assert all(reason.points_to == "ready" and not reason.do for reason in verdict.supports)
    assert all(reason.says and reason.do for reason in verdict.reasons)


def removals(evaluation: Evaluation, history: History, policy: Policy) -> list[tuple[Evaluation | None, History | None]]:
    """Return the evidence with one piece that the policy judges taken away, in every way."""
    judged = {*policy.limits, "balanced_accuracy", "recall"}
    without = [
        msgspec.structs.replace(evaluation, metrics={name: each for name, each in evaluation.metrics.items() if name != metric})
        for metric in sorted(judged)
    ]
    pointwise = [changed(evaluation, metric, evaluation.metrics[metric].value, None, None) for metric in sorted(judged)]
    if "recall" not in policy.limits:
        pointwise = [each for each in pointwise if each.metrics["recall"].low is not None]
    unknown = msgspec.structs.replace(evaluation, num_positives=None)
    plain = [[msgspec.structs.replace(each, valid_accuracy=None) for each in history.epochs()], history.updates()]
    no_updates = [history.epochs()]
    return [
        (None, history),
        (evaluation, None),
        *((each, history) for each in (*without, *pointwise, unknown)),
        (evaluation, history_of(*plain)),  # type: ignore[arg-type]
        (evaluation, history_of(*no_updates)),
    ]


@pytest.mark.parametrize("policy", PRESETS)
def test_a_verdict_is_never_ready_with_evidence_removed(tmp_path: Path, policy: str) -> None:
    evaluation, history = of_counts(990, 10, 10, 990), good_history()
    assert judge(run_directory(tmp_path / "whole", evaluation, history), policy=policy).level == "ready"
    for number, (some_evaluation, some_history) in enumerate(removals(evaluation, history, read_policy(policy))):
        verdict: Verdict = judge(run_directory(tmp_path / f"{number}", some_evaluation, some_history), policy=policy)
        assert verdict.level == "not_enough_evidence", (number, verdict)


def test_an_audit_of_the_data_counts_where_it_is_given_and_is_required_where_the_policy_says_so() -> None:
    of_data = replace(audit_of("fail"), examines="data", name="train and test")
    verdict = judge(evaluation=GOOD, audit=of_data)
    assert verdict.level == "not_ready"
    assert verdict.header == "figures and data only: model and training were not examined"
    needs_data = Policy(limits={"accuracy": 0.8}, require=Require(counts=("evaluation", "data")))
    assert judge(evaluation=GOOD, policy=needs_data).level == "not_enough_evidence"
    passed = replace(audit_of("pass"), examines="data")
    both = judge(evaluation=GOOD, audit=[passed, audit_of("pass")], policy=needs_data)
    assert both.level == "ready"
    assert {"audit", "audit of the data"} <= {reason.subject for reason in both.supports}


def test_two_audits_of_one_kind_are_refused() -> None:
    with pytest.raises(OptionError, match="one of each kind"):
        judge(evaluation=GOOD, audit=[audit_of("pass"), audit_of("pass")])


def test_a_check_that_the_policy_requires_must_have_passed() -> None:
    code = audit_of("pass").outcomes[0].code
    strict = Policy(limits={"accuracy": 0.8}, require=Require(checks=(code,)))
    assert judge(evaluation=GOOD, audit=audit_of("pass"), policy=strict).level == "ready"
    for status in ("not_applicable", "skipped", "error", "warn", "observed"):
        verdict = judge(evaluation=GOOD, audit=audit_of(status), policy=strict)
        assert verdict.level == "not_enough_evidence", status
        assert f"check {code}" in {reason.subject for reason in verdict.reasons}
    assert judge(evaluation=GOOD, audit=audit_of("fail"), policy=strict).level == "not_ready"
    assert judge(evaluation=GOOD, policy=strict).level == "not_enough_evidence"
    with pytest.raises(OptionError, match="SW999"):
        Policy(limits={"accuracy": 0.8}, require=Require(checks=("SW999",)))
