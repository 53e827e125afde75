"""Does the page of the simulations say what their figures say, do both say what comes out today, and are the promises kept?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulations.coverage import RIVALS, SIZES, simulate
from simulations.readiness import TOO_FEW, TRUE, cases, simulate_ready, world_with
from simulations.rivals import Sums, percentiles, resampled, standard_error, told_once
from simulations.streams import COEFFICIENTS, STEPS, simulate_stream
from simulations.table import APART, PAGE, page_of, promised, read
from simulations.worlds import WORLDS, Classes, World
from tests._unchecked import unchecked

KNOWN = read()
BY_CASE = {(each.world, each.metric, each.units): each for each in [*KNOWN.coverage, *KNOWN.streams]}
MEANS_AND_SHARES = ("accuracy", "recall", "precision", "f1", "balanced_accuracy", "mae", "mae, a sequence once")


def test_the_page_is_made_of_the_figures_and_both_know_every_case() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(KNOWN), "make intervals writes it anew"
    of_units = {(world.name, metric, units) for world in WORLDS for metric in world.truths for units in SIZES}
    streams, metrics = [f"one stream, {each}" for each in COEFFICIENTS], ("accuracy", "mae", "rmse")
    of_streams = {(stream, metric, steps) for stream in streams for steps in STEPS for metric in metrics}
    assert set(BY_CASE) == of_units | of_streams
    assert {(each.metric, each.rows, each.units, each.true) for each in KNOWN.ready} == set(cases())
    assert {each.draws for each in BY_CASE.values()} == {2000}
    assert {each.draws for each in KNOWN.ready} == {1000}


def test_the_promised_coverage_is_kept() -> None:
    many, some = promised(KNOWN, 200, 1000), promised(KNOWN, 30, 100)
    assert [each for each in many if not 0.93 <= each.share <= 0.97 and each.world != "one row a unit"] == []
    assert [each for each in many if each.share < 0.93] == []
    assert [each for each in some if each.share < 0.90] == []
    few = [each for each in KNOWN.coverage if each.units <= 20 and each.metric in MEANS_AND_SHARES and each.world not in APART]
    assert [each for each in few if each.share < 0.92] == []
    assert len({each.metric for each in few}) == len(MEANS_AND_SHARES)


def test_rows_of_a_unit_depend_on_each_other_at_least_as_much_as_promised() -> None:
    dependent = [each for each in promised(KNOWN, 200, 1000) if each.world != "one row a unit"]
    assert min(each.effect for each in dependent) >= 4
    assert max(each.rivals[RIVALS[2]] / each.draws for each in dependent) < 0.85


def test_hardly_a_model_under_its_limit_is_called_ready_and_none_on_few_units() -> None:
    assert [each for each in KNOWN.ready if each.units >= 50 and each.ready > 0.04 * each.draws] == []
    assert [each for each in KNOWN.ready if each.units == TOO_FEW and each.ready] == []
    assert any(each.ready for each in KNOWN.ready), "nothing is ever ready"


@pytest.mark.parametrize(("place", "units"), [(0, 20), (2, 8), (4, 50), (5, 100)])
def test_a_small_run_finds_what_the_figures_say(place: int, units: int) -> None:
    draws = 60
    with unchecked():
        for found in simulate(place, units, draws):
            known = BY_CASE[found.world, found.metric, found.units]
            room = 4 * math.sqrt(max(known.share * (1 - known.share), 0.01) / draws)
            assert found.share == pytest.approx(known.share, abs=room), found
            assert found.width == pytest.approx(known.width, rel=0.5), found
            assert set(found.rivals) == set(known.rivals)


def test_a_small_run_of_streams_finds_what_the_figures_say() -> None:
    with unchecked():
        for found in simulate_stream(COEFFICIENTS[1], STEPS[0], 40):
            assert found.share == pytest.approx(BY_CASE[found.world, found.metric, found.units].share, abs=0.17), found


@pytest.mark.parametrize("rows", ["one row a unit", "dependent rows"])
def test_a_small_run_of_verdicts_finds_what_the_figures_say(rows: str) -> None:
    for metric, kind, units, true in cases():
        if kind == rows and metric == "recall" and units in {TOO_FEW, 100}:
            with unchecked():
                found = simulate_ready(metric, kind, units, true, 20)
            assert found.ready <= 4
            assert sum(found.levels.values()) == 20


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_the_true_figures_are_those_of_very_many_units(world: World) -> None:
    num_units = 300_000 if isinstance(world, Classes) and world.lengths == "one" else 30_000
    rows = world.draw(np.random.default_rng(1), num_units)
    if isinstance(world, Classes):
        actual, first, second = (rows[name] == 1 for name in ("actual", "first", "second"))
        found = {
            "accuracy": (actual == first).mean(),
            "recall": first[actual].mean(),
            "precision": actual[first].mean(),
            "difference of accuracy": (actual == first).mean() - (actual == second).mean(),
        }
    else:
        absolute = np.abs(rows["first"])
        found = {
            "mae": absolute.mean(),
            "rmse": np.sqrt((absolute**2).mean()),
            "skill": 1 - (absolute**2).sum() / (rows["naive"] ** 2).sum(),
            "difference of mae": absolute.mean() - np.abs(rows["second"]).mean(),
        }
    for name, value in found.items():
        assert float(value) == pytest.approx(world.truths[name], abs=0.006 if isinstance(world, Classes) else 0.03), name


def test_a_world_is_made_to_have_the_figure_asked_for() -> None:
    assert world_with("precision", "one row a unit", TRUE).truths["precision"] == pytest.approx(TRUE, abs=1e-6)


def test_resamples_are_those_of_units_drawn_one_by_one() -> None:
    random = np.random.default_rng(0)
    right, rows = random.integers(0, 3, 500), np.full(500, 2)
    units = told_once({"right": right, "rows": rows})
    assert len(units.repeats) == 3
    assert {name: int(total) for name, total in units.total.items()} == {"right": int(right.sum()), "rows": 1000}
    share = {"share": lambda sums: sums["right"] / sums["rows"]}
    by_kinds = percentiles(resampled(units, share, random, 20_000)["share"])
    drawn = right[random.integers(0, 500, (20_000, 500))].sum(axis=1) / 1000
    width = by_kinds[1] - by_kinds[0]
    assert by_kinds == pytest.approx(percentiles(drawn), abs=0.02 * width)
    each = Sums({"right": right, "rows": rows}, np.ones(500, dtype=np.int64))
    assert standard_error(units, share["share"]) == pytest.approx(standard_error(each, share["share"]))
    assert percentiles(np.full(3, np.nan)) == (-np.inf, np.inf)
