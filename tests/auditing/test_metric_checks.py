"""Are metrics that can be fooled found under the right name, and those of torchmetrics and scikit-learn accused of nothing?"""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torchmetrics
import torchmetrics.text
from sklearn import metrics as sklearn_metrics  # type: ignore[import-untyped]
from torch.nn import functional

import statewise as sw
from proving_ground.evaluation import right
from proving_ground.evaluation.metrics import CLEAN, PLANTED, RunningMean
from statewise.errors import ContractError, OptionError
from tests._unchecked import unchecked
from tests.auditing._asked import status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.evaluation.planted import Clean, Planted

DRAWS = 3
BY_STRENGTH = [case for case in PLANTED if len(case.strengths) > 1]
OF_CLASSES = (
    "accuracy_score", "balanced_accuracy_score", "matthews_corrcoef", "cohen_kappa_score", "f1_score", "precision_score", "recall_score",
    "jaccard_score", "roc_auc_score", "average_precision_score", "log_loss", "brier_score_loss", "hamming_loss", "zero_one_loss",
)  # fmt: skip
OF_VALUES = (
    "mean_squared_error", "mean_absolute_error", "r2_score", "median_absolute_error", "root_mean_squared_error",
    "explained_variance_score", "max_error",
)  # fmt: skip
OBJECTS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "accuracy": (lambda: torchmetrics.classification.MulticlassAccuracy(num_classes=4), {"num_classes": 4}),
    "micro accuracy": (lambda: torchmetrics.classification.MulticlassAccuracy(num_classes=4, average="micro"), {"num_classes": 4}),
    "macro F1": (lambda: torchmetrics.classification.MulticlassF1Score(num_classes=4), {"num_classes": 4}),
    "specificity of ten classes": (lambda: torchmetrics.classification.MulticlassSpecificity(num_classes=10), {"num_classes": 10}),
    "ROC-AUC of four classes": (lambda: torchmetrics.classification.MulticlassAUROC(num_classes=4), {"num_classes": 4}),
    "MCC": (lambda: torchmetrics.classification.MulticlassMatthewsCorrCoef(num_classes=3), {"num_classes": 3}),
    "binary accuracy": (torchmetrics.classification.BinaryAccuracy, {"num_classes": 2}),
    "binary F1": (torchmetrics.classification.BinaryF1Score, {"num_classes": 2}),
    "binary ROC-AUC": (torchmetrics.classification.BinaryAUROC, {"num_classes": 2}),
    "binary PR-AUC": (torchmetrics.classification.BinaryAveragePrecision, {"num_classes": 2}),
    "accuracy of steps": (
        lambda: torchmetrics.classification.MulticlassAccuracy(num_classes=3, ignore_index=-100),
        {"num_classes": 3, "ignore_index": -100, "task": "tag"},
    ),
    "perplexity": (lambda: torchmetrics.text.Perplexity(ignore_index=-100), {"task": "next", "ignore_index": -100}),
    "perplexity without padding": (torchmetrics.text.Perplexity, {"task": "next"}),
    "MSE": (torchmetrics.MeanSquaredError, {"task": "regress"}),
    "MAE": (torchmetrics.MeanAbsoluteError, {"task": "regress"}),
    "R2": (torchmetrics.R2Score, {"task": "regress"}),
    "correlation": (torchmetrics.PearsonCorrCoef, {"task": "regress"}),
}


def accused(audit: sw.Audit) -> dict[str, str]:
    return {each.code: f"{each.status}: {each.evidence}" for each in audit.outcomes if each.status in {"fail", "warn", "error"}}


@pytest.mark.parametrize("case", PLANTED, ids=lambda case: f"{case.code} {case.says}")
def test_the_weakest_mistake_that_matters_is_found_in_every_draw(case: Planted) -> None:
    assert case.found(case.weakest, DRAWS) == 1.0


@pytest.mark.parametrize("case", BY_STRENGTH, ids=lambda case: f"{case.code} {case.says}")
def test_more_of_a_mistake_is_found_at_least_as_often(case: Planted) -> None:
    shares = [case.found(strength, 2) for strength in case.strengths]
    assert shares == sorted(shares)


@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.name)
def test_what_has_no_mistake_is_accused_of_nothing(case: Clean) -> None:
    assert not case.accused(DRAWS)


@pytest.mark.parametrize("name", OF_CLASSES)
def test_metrics_of_classes_of_scikit_learn_are_accused_of_nothing(name: str) -> None:
    for seed in range(2):
        audit = sw.check_metric(getattr(sklearn_metrics, name), seed=seed)
        assert not accused(audit)
        assert {status_of(audit, code) for code in ("SW801", "SW809", "SW810")} == {"pass"}


@pytest.mark.parametrize("name", OF_VALUES)
def test_metrics_of_values_of_scikit_learn_are_accused_of_nothing(name: str) -> None:
    audit = sw.check_metric(getattr(sklearn_metrics, name), task="regress")
    assert not accused(audit)
    assert status_of(audit, "SW801") == "pass"


@pytest.mark.parametrize("name", OBJECTS)
def test_metrics_of_torchmetrics_are_accused_of_nothing(name: str) -> None:
    make, more = OBJECTS[name]
    audit = sw.check_metric(make(), **more)
    assert not accused(audit)
    assert {status_of(audit, code) for code in ("SW801", "SW806", "SW809")} == {"pass"}


@pytest.mark.parametrize("num_classes", [2, 3, 5])
@pytest.mark.parametrize("positive", [0, 1])
def test_a_figure_of_one_class_is_not_accused_of_leaving_out_the_others(num_classes: int, positive: int) -> None:
    def recall(true: np.ndarray, said: np.ndarray) -> float:
        return float(((true == positive) & (said == positive)).sum() / (true == positive).sum())

    def precision(true: np.ndarray, said: np.ndarray) -> float:
        return float(((true == positive) & (said == positive)).sum() / max((said == positive).sum(), 1))

    for figure in (recall, precision):
        assert sw.check_metric(figure, num_classes=num_classes).findings == (), figure


def test_what_was_taken_is_said_and_can_be_told() -> None:
    audit = sw.check_metric(lambda a, b: float((a == b).mean()))
    said = "(targets, predictions) for classify, predictions as classes, in numpy arrays, 3 classes; higher (tried)"
    assert said in " ".join(str(audit).split())
    more: dict[str, Any] = {"takes": ("predictions", "targets"), "given": "logits", "num_classes": 5, "higher_is_better": False}
    told = sw.check_metric(functional.cross_entropy, **more)
    assert not accused(told)
    assert "logits, in tensors, 5 classes; lower (told)" in " ".join(str(told).split())


def test_a_direction_that_is_told_is_held_against_the_score() -> None:
    error = sw.check_metric(sklearn_metrics.zero_one_loss)
    assert status_of(error, "SW801") == "pass"
    assert status_of(sw.check_metric(sklearn_metrics.zero_one_loss, higher_is_better=True), "SW801") == "fail"


def test_one_of_several_results_is_chosen_by_name() -> None:
    def report(targets: Any, predictions: Any) -> dict[str, float]:
        return {"half": 0.5, "accuracy": right.accuracy(targets, predictions)}

    assert status_of(sw.check_metric(report), "SW805") == "fail"
    assert not accused(sw.check_metric(report, which="accuracy"))
    with pytest.raises(ContractError, match="it returned no 'f1', but"):
        sw.check_metric(report, which="f1")
    of_classes: Callable[..., Any] = functools.partial(sklearn_metrics.recall_score, average=None)
    assert "result 1" in str(sw.check_metric(of_classes, which=1))
    with pytest.raises(ContractError, match="it returned one float, and no 'f1' among several"):
        sw.check_metric(right.accuracy, which="f1")


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "root_mean_squared_error"])
def test_an_error_of_values_that_is_asked_about_classes_is_told(name: str) -> None:
    fn = getattr(sklearn_metrics, name)
    assert status_of(sw.check_metric(fn), "SW818") == "warn"
    assert status_of(sw.check_metric(fn, num_classes=2), "SW818") == "not_applicable"


def test_a_better_error_than_that_of_perfect_answers_is_the_one_that_is_told() -> None:
    def far(targets: Any, predictions: Any) -> float:
        return float(1 - abs(targets - predictions).mean() / 100)

    found = next(each for each in sw.check_metric(far, task="regress", higher_is_better=False).outcomes if each.code == "SW801")
    assert found.status == "fail"
    assert found.limit is not None
    assert found.value is not None
    assert found.limit < found.value


@pytest.mark.parametrize(
    "options", [{"given": "probs"}, {"takes": ("target", "predictions")}, {"num_classes": 1}, {"seed": -1}, {"seed": "a"}]
)
def test_an_option_that_is_none_is_refused_before_anything_is_called(options: dict[str, Any]) -> None:
    with unchecked(), pytest.raises(OptionError, match=next(iter(options))):
        sw.check_metric(lambda targets, predictions: 1 / 0, **options)


def test_batches_of_an_evaluation_can_be_made_otherwise() -> None:
    def evaluate(model: Any, loader: Any) -> float:
        was_training = model.training
        model.eval()
        found = right.ratio([((model(each["x"]).argmax(-1) == each["y"])[each["mask"]].sum(), each["mask"].sum()) for each in loader])
        model.train(was_training)
        return found

    def batch(x: torch.Tensor, y: torch.Tensor, lengths: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"x": x, "y": y, "mask": torch.arange(x.shape[1]) < lengths[:, None]}

    audit = sw.check_metric(evaluate, task="tag", batch=batch)
    assert not accused(audit)
    assert {status_of(audit, code) for code in ("SW806", "SW807", "SW808", "SW812", "SW813", "SW814")} == {"pass"}


def test_lengths_given_to_the_model_are_no_teacher_forcing() -> None:
    def evaluate(model: Any, loader: Any) -> float:
        parts = []
        for x, y, lengths in loader:
            real = torch.arange(x.shape[1]) < lengths[:, None]
            parts.append((((model(x, lengths).argmax(-1) == y) & real).sum(), real.sum()))
        return right.ratio(parts)

    assert status_of(sw.check_metric(evaluate, task="tag"), "SW812") == "pass"


def test_consequences_are_folded_under_what_caused_them() -> None:
    def evaluate(model: Any, loader: Any) -> float:
        model.eval()
        return right.ratio([((model(x).argmax(-1) == y).sum(), y.numel()) for x, y, _ in loader])

    audit = sw.check_metric(evaluate, task="tag")
    assert [each.code for each in audit.findings] == ["SW808", "SW814"]
    assert {each.code for each in audit.outcomes if each.explained_by is not None} >= {"SW801", "SW806"}


def test_a_metric_that_draws_by_itself_is_told_so_and_nothing_is_compared() -> None:
    source = np.random.default_rng(0)

    def bootstrapped(targets: Any, predictions: Any) -> float:
        rows = source.integers(0, len(targets), len(targets))
        return right.accuracy(targets[rows], predictions[rows])

    audit = sw.check_metric(bootstrapped)
    assert [each.code for each in audit.findings] == ["SW809"]
    assert status_of(audit, "SW810") == "not_applicable"


def test_generators_and_objects_are_left_as_they_were() -> None:
    metric = RunningMean()
    metric.update(torch.tensor([1, 1]), torch.tensor([1, 0]))
    with unchecked():  # the checks of types draw random numbers
        before = [torch.rand(1).item(), random.random()]  # noqa: S311
        torch.manual_seed(3)
        random.seed(3)
        expected = [torch.rand(1).item(), random.random()]  # noqa: S311
        torch.manual_seed(3)
        random.seed(3)
        sw.check_metric(metric)
        assert [torch.rand(1).item(), random.random()] == expected != before  # noqa: S311
    assert metric.batches == [0.5]


@pytest.mark.parametrize(
    ("fn", "more", "error", "says"),
    [
        (3, {}, ContractError, "int"),
        (lambda targets, predictions: "good", {}, ContractError, "no number came back"),
        (lambda targets, predictions: None, {}, ContractError, "NoneType"),
        (lambda targets, predictions: targets.nothing, {}, ContractError, "AttributeError"),
        (right.accuracy, {"task": "multilabel"}, OptionError, "task"),
        (right.accuracy, {"select": ["SW901"]}, OptionError, "SW901"),
    ],
)
def test_what_cannot_be_asked_is_told_in_four_facts(fn: Any, more: dict[str, Any], error: type[Exception], says: str) -> None:
    with unchecked(), pytest.raises(error, match=says):
        sw.check_metric(fn, **more)


def test_a_metric_that_gives_nan_to_perfect_answers_fails() -> None:
    def naive_entropy(targets: Any, probabilities: Any) -> float:
        with np.errstate(all="ignore"):
            spread = np.round(probabilities)
            return float(-(spread * np.log(spread)).mean())

    audit = sw.check_metric(naive_entropy)
    assert not audit.ok


def test_a_metric_of_two_classes_alone_is_found_to_be_one() -> None:
    area = sw.check_metric(torchmetrics.AUROC(task="binary"))
    assert not accused(area)
    assert "2 classes; higher (tried)" in " ".join(str(area).split())


def test_of_more_classes_than_are_tried_chance_is_asked_of_these_alone() -> None:
    def top2(targets: Any, scores: Any) -> float:
        return float(np.mean([true in np.argsort(each)[-2:] for true, each in zip(targets, scores, strict=True)]))

    assert status_of(sw.check_metric(top2, num_classes=6, given="probabilities"), "SW802") == "pass"


def test_what_is_bound_by_partial_keeps_its_name() -> None:
    audit = sw.check_metric(functools.partial(sklearn_metrics.f1_score, average="micro"))
    assert status_of(audit, "SW816") == "observed"
    assert "f1_score" in repr(audit)
