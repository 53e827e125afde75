"""Do the charts show the records, with titles, units and tooltips, and does Vega-Lite draw them?"""

from __future__ import annotations

from typing import Any

import pytest

from statewise.evaluation import Confusion, Estimate
from statewise.reporting._drawing import chart_png, chart_spec
from statewise.reporting._lag_chart import is_drawable, lag_chart
from statewise.reporting._palette import PAGE, PICTURE, chart_config
from statewise.reporting._score_charts import confusion_chart, metric_chart
from statewise.reporting._training_charts import accuracy_chart, gradient_chart, loss_chart
from statewise.runs import Epoch
from statewise.verdicts import read_policy
from tests.reporting._made import HOSTILE, make_evaluation, make_history, make_lags

RULES = read_policy("default").gradients
EPOCHS = make_history(6, refit=4)


def rows_of(chart: Any) -> list[dict[str, Any]]:
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


def drawn(chart: Any) -> str:
    """Return the chart as Vega-Lite's own compiler draws it, as SVG text."""
    import vl_convert

    spec = {**chart_spec(chart, palette=PICTURE), "width": 500}
    return str(vl_convert.vegalite_to_svg(spec))


def charts() -> dict[str, Any]:
    evaluation = make_evaluation(((30, 2, 1), (0, 25, 3), (4, 0, 20)), ("a", "b", "c"))
    return {
        "loss": loss_chart(EPOCHS.epochs(), EPOCHS.epochs("refit"), best=6, palette=PICTURE),
        "accuracy": accuracy_chart(EPOCHS.epochs(), best=2, palette=PICTURE),
        "gradients": gradient_chart(EPOCHS.updates(), rules=RULES, clip=1.0, palette=PICTURE),
        "lags": lag_chart(make_lags(0.5, 0.8, 0.9), make_lags(0.7, phase="refit"), best=2, palette=PICTURE),
        "metrics": metric_chart(evaluation.metrics, {"recall": 0.8}, palette=PICTURE),
        "confusion": confusion_chart(evaluation.confusion, palette=PICTURE),
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("loss", ("Loss by epoch", "loss (nats)", "epoch", "training", "validation", "refit on both", "best epoch 6")),
        ("accuracy", ("Accuracy by epoch", "accuracy (share)", "best epoch 2")),
        (
            "gradients",
            ("Gradient norms by layer", "gradient norm (log scale)", "update", "core.l0", "head", "clipped above 1", "safe range"),
        ),
        (
            "lags",
            ("Gradient by lag", "lag: steps before the loss", "(log scale)", "epoch 1", "epoch 2 (kept)", "epoch 3", "refit, epoch 1"),
        ),
        ("metrics", ("Metrics with 95 % intervals", "share of 1", "balanced accuracy", "F1")),
        ("confusion", ("Actual against predicted class", "actual class", "predicted class", "number of sequences", "91%")),
    ],
)
def test_each_chart_is_drawn_with_title_axes_and_units(name: str, words: tuple[str, ...]) -> None:
    picture = drawn(charts()[name])
    for word in words:
        assert word in picture


@pytest.mark.parametrize("name", ["loss", "accuracy", "gradients", "lags", "metrics", "confusion"])
def test_each_chart_has_tooltips_and_fills_its_place(name: str) -> None:
    spec = chart_spec(charts()[name])
    assert spec["width"] == "container"
    assert any("tooltip" in layer["encoding"] for layer in spec["layer"])
    assert spec["config"] == chart_config(PAGE)


def test_no_name_of_a_user_becomes_a_field_or_an_expression() -> None:
    names = ("a.b[0]", "datum.x", "'; alert(1)")
    spec = confusion_chart(Confusion(class_names=names, counts=[[5, 1, 0], [0, 5, 0], [1, 1, 5]])).to_dict()
    fields = {
        value
        for layer in spec["layer"]
        for channel in layer["encoding"].values()
        if isinstance(channel, dict)
        for value in [channel.get("field")]
    }
    assert not fields & set(names)


def test_hostile_names_of_classes_and_layers_are_drawn_as_they_are() -> None:
    size = len(HOSTILE)
    confusion = Confusion(class_names=HOSTILE, counts=[[3] * size for _ in range(size)])
    assert "&lt;/script" in drawn(confusion_chart(confusion, palette=PICTURE))
    updates = make_history(2, layers=HOSTILE).updates()
    assert "&lt;script" in drawn(gradient_chart(updates, rules=RULES, palette=PICTURE))


def test_the_positive_class_is_named_and_a_long_name_is_cut_in_the_title_only() -> None:
    name = "x" * 80
    chart = confusion_chart(Confusion(class_names=(name, "n"), counts=[[5, 1], [2, 9]]), positive=name)
    assert chart.to_dict()["title"]["subtitle"][0] == f"positive class: {'x' * 39}…"
    assert {row["actual"] for row in rows_of(chart)} == {name, "n"}


def test_a_class_without_targets_has_a_row_of_nothing() -> None:
    rows = rows_of(confusion_chart(Confusion(class_names=("a", "b"), counts=[[3, 1], [0, 0]])))
    assert [(row["share"], row["shown"]) for row in rows if row["actual"] == "b"] == [(0.0, ""), (0.0, "")]


def test_an_undefined_metric_is_left_out_and_one_without_interval_is_drawn() -> None:
    undefined = Estimate(value=float("nan"), low=None, high=None, units=3, method="none")
    alone = Estimate(value=0.5, low=None, high=None, units=3, method="none")
    chart = metric_chart({"precision": undefined, "recall": alone}, {}, palette=PICTURE)
    assert [row["metric"] for row in rows_of(chart)] == ["recall"]
    assert "recall" in drawn(chart)


def test_a_loss_that_is_not_finite_is_marked_where_it_happened() -> None:
    history = make_history(4, broken_from=3)
    marked = [row for row in rows_of(loss_chart(history.epochs())) if "until" in row]
    assert marked == [{"epoch": 2.5, "until": 4.5, "says": "not finite: epoch 3 to 4"}]
    chart = gradient_chart(history.updates(), rules=RULES, palette=PICTURE)
    assert [(row["update"], row["until"]) for row in rows_of(chart) if "until" in row] == [(6.5, 12.5)]
    assert "<svg" in drawn(chart)


def test_each_stretch_that_is_not_finite_has_a_band_of_its_own() -> None:
    epochs = [Epoch(epoch=place, train_loss=loss) for place, loss in enumerate((None, 1.0, None, None, 0.5, None), 1)]
    bands = [row["says"] for row in rows_of(loss_chart(epochs)) if "until" in row]
    assert bands == ["not finite: epoch 1", "not finite: epoch 3 to 4", "not finite: epoch 6"]


def test_clipped_updates_are_marked_and_none_where_clipping_was_off() -> None:
    clipped = rows_of(gradient_chart(EPOCHS.updates(), rules=RULES, clip=1.0))
    assert [row["update"] for row in clipped if "share" in row] == [3, 6, 9, 12, 15, 18]
    off = rows_of(gradient_chart(EPOCHS.updates(), rules=RULES))
    assert not any("share" in row or "clipped" in str(row.get("says")) for row in off)
    unclipped = [update for update in EPOCHS.updates() if not update.clipped]
    assert not any("share" in row for row in rows_of(gradient_chart(unclipped, rules=RULES, clip=1.0)))


def test_the_gradients_of_the_refit_follow_after_those_of_the_fit() -> None:
    chart = gradient_chart(EPOCHS.updates(), EPOCHS.updates("refit"), rules=RULES, clip=1.0, palette=PICTURE)
    rows = [row for row in rows_of(chart) if row.get("series") == "head"]
    assert [row["update"] for row in rows] == list(range(1, 31))
    assert [row["phase"] for row in rows] == ["fit"] * 18 + ["refit"] * 12
    assert (rows[18]["updates"], rows[29]["updates"]) == ("1 of the refit", "12 of the refit")
    assert [row["update"] for row in rows_of(chart) if row.get("says") == "refit"] == [18.5]
    assert [row["update"] for row in rows_of(chart) if "share" in row][-1] == 30
    assert "refit" in drawn(chart)
    alone = gradient_chart([], EPOCHS.updates("refit"), rules=RULES, palette=PICTURE)
    assert not any(row.get("says") == "refit" for row in rows_of(alone))


def test_gradients_by_lag_are_those_of_the_first_the_kept_and_the_last_epoch() -> None:
    rows = rows_of(lag_chart(make_lags(0.5, 0.8, 0.9, 0.7), best=3))
    assert {row["series"] for row in rows} == {"epoch 1", "epoch 3 (kept)", "epoch 4"}
    assert {row["lag"]: row["norm"] for row in rows if row["series"] == "epoch 3 (kept)"} == {lag: 0.9**lag for lag in range(12)}
    assert {row["series"] for row in rows_of(lag_chart(make_lags(0.5)))} == {"epoch 1"}
    assert {row["series"] for row in rows_of(lag_chart(make_lags(0.5, 0.6), best=1))} == {"epoch 1 (kept)", "epoch 2"}


@pytest.mark.parametrize(("factor", "size"), [(1e-30, 9), (1e30, 9), (1.0, 1), (1.0, 2), (0.9, 400)])
def test_gradients_by_lag_of_any_size_are_drawn(factor: float, size: int) -> None:
    assert "Gradient by lag" in drawn(lag_chart(make_lags(factor, size=size), palette=PICTURE))


def test_a_norm_of_zero_or_one_that_is_not_finite_is_left_out_by_lag() -> None:
    import msgspec

    (found,) = make_lags(0.5, size=3)
    broken = msgspec.structs.replace(found, norms=(1.0, 0.0, None))
    assert [row["lag"] for row in rows_of(lag_chart([broken]))] == [0]
    assert is_drawable([broken])
    assert not is_drawable([msgspec.structs.replace(found, norms=(0.0, None, None))])
    assert not is_drawable([])


def test_a_layer_without_gradients_and_a_range_from_zero_do_not_break_the_logarithm() -> None:
    import msgspec

    silent = [msgspec.structs.replace(update, norms={"dead": 0.0, "head": update.gradient_norm}) for update in EPOCHS.updates()]
    rules = msgspec.structs.replace(RULES, median_low=0.0)
    chart = gradient_chart(silent, rules=rules, palette=PICTURE)
    assert not any(row.get("series") == "dead" for row in rows_of(chart))
    assert "<svg" in drawn(chart)


def test_a_training_without_validation_shows_training_alone() -> None:
    chart = loss_chart(make_history(3, valid=False).epochs())
    assert {row["series"] for row in rows_of(chart) if "series" in row} == {"training"}


def test_a_chart_becomes_a_picture() -> None:
    assert chart_png(charts()["loss"], palette=PICTURE, scale=1.0).startswith(b"\x89PNG")
