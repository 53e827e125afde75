"""Is the benchmark fair, is a wrong peer never timed, and does a broken floor end it with 1?"""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks.contest import Contest, Contestant, Peer, Row, needing, require_agreement
from benchmarks.judging import AT_MOST, BEST, Floors, Judged, judge
from benchmarks.measuring import HEATS, HOPELESS, Effort, Measured, Taken, measure
from benchmarks.peak import peak_of
from benchmarks.peers.lanes import CELLS, dense
from benchmarks.peers.lanes import ours as ours_on_lanes
from benchmarks.peers.sequences import FLIPPED, PACKED, PADDED, ours
from benchmarks.plans import described, plan_of
from benchmarks.rows.lanes import make_window
from benchmarks.rows.sequences import Case, make_work
from benchmarks.run import HERE, find_rows, main, run
from benchmarks.stateful import LANES, WINDOW, streams_of, train_stateful
from benchmarks.table import lines_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ONCE = Effort(seeds=(0,), warm_up=0, repeats=1)


def constant(name: str, figure: float, answer: float | None = None) -> Contestant:
    """Return a contestant that always gives the same figure, and perhaps an answer."""
    return Contestant(name=name, figure=lambda: figure, answer=None if answer is None else lambda: [torch.tensor([answer])])


def row(ours: Contestant, *peers: Peer, repeats: int = 5) -> Row:
    """Return a row called x."""
    return Row(name="x", says="something", contest=lambda _: Contest(ours=ours, peers=peers), is_drawn=False, warm_up=0, repeats=repeats)


def peer(name: str, *variants: Contestant, rival: bool = True) -> Peer:
    return Peer(name=name, says="", variants=variants, rival=rival)


def taken(ours: Iterable[float], theirs: Iterable[float], seed: int = 0) -> Taken:
    return Taken(seed=seed, ours=list(ours), peers={"p": list(theirs)}, variants={"p": "p"}, notes="")


def judged(seeds: list[Taken], floors: Floors) -> Judged:
    measured = Measured(row=row(constant("", 1.0)), seeds=seeds, rivals=("p",), says={}, missing={})
    return judge(measured, floors)


def test_a_floor_holds_until_the_lower_quartile_of_the_ratios_misses_it() -> None:
    figures = [taken([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0])]
    assert not judged(figures, {"p": 2.0}).is_broken
    assert judged(figures, {"p": 2.01}).is_broken
    assert not judged(figures, {}).is_broken


def test_a_limit_holds_until_the_upper_quartile_of_ours_is_over_it() -> None:
    figures = [taken([1.0, 2.0, 3.0, 4.0, 5.0], [1.0] * 5)]
    assert not judged(figures, {AT_MOST: 4.0}).is_broken
    assert judged(figures, {AT_MOST: 3.99}).is_broken


def test_rounds_are_compared_one_by_one() -> None:
    # A machine that becomes ten times slower in the middle changes no ratio.
    (compared,) = judged([taken([1.0, 1.0, 10.0], [2.0, 2.0, 20.0])], {}).comparisons
    assert (compared.ratio.lower, compared.ratio.median, compared.ratio.upper) == (2.0, 2.0, 2.0)


def test_the_median_of_the_seeds_is_judged() -> None:
    seeds = [taken([1.0], [ratio], seed) for seed, ratio in enumerate((9.0, 1.0, 5.0, 2.0, 7.0))]
    (compared,) = judged(seeds, {"p": 5.0}).comparisons
    assert (compared.seed, compared.ratio.median, compared.by_seed) == (2, 5.0, (9.0, 1.0, 5.0, 2.0, 7.0))
    assert not compared.is_broken


def test_the_best_variant_of_a_peer_goes_on_and_the_best_rival_is_the_one_to_beat(tmp_path: Path) -> None:
    peers = (
        peer("slow", constant("a", 9.0), constant("b", 4.0)),
        peer("fast", constant("c", 3.0)),
        peer("kernel", constant("d", 0.5), rival=False),
    )
    contest = row(constant("ours", 1.0), *peers)
    found = {each.peer: (each.variant, each.ratio.median) for each in judge(measure(contest), {}).comparisons}
    assert found == {"slow": ("b", 4.0), "fast": ("c", 3.0), "kernel": ("d", 0.5), BEST: ("fast", 3.0)}
    assert run([contest], {"x": {BEST: 3.0}}, tmp_path / "a.json", ONCE) == 0
    assert run([contest], {"x": {BEST: 3.1}}, tmp_path / "a.json", ONCE) == 1


def test_contestants_are_measured_in_turn_and_each_goes_first() -> None:
    calls: list[str] = []

    def named(name: str) -> Contestant:
        def figure() -> float:
            calls.append(name)
            return float(len(calls))

        return Contestant(name=name, figure=figure)

    contest = Contest(ours=named("o"), peers=(peer("p", named("p")), peer("q", named("q"))))
    measured = measure(Row(name="x", says="", contest=lambda _: contest, is_drawn=False, warm_up=1, repeats=3))
    assert "".join(calls) == "pqoo" + "opq" + "pqo" + "qop" + "opq"
    assert measured.seeds[0].ours == [10.0, 12.0, 14.0]
    assert measured.seeds[0].peers == {"p": [8.0, 13.0, 15.0], "q": [9.0, 11.0, 16.0]}


def test_variants_run_a_few_heats_and_only_the_best_meets_ours() -> None:
    counts: Counter[str] = Counter()

    def counted(name: str, figure: float) -> Contestant:
        def once() -> float:
            counts[name] += 1
            return figure

        return Contestant(name=name, figure=once)

    measure(row(counted("ours", 1.0), peer("p", counted("bad", 3.0), counted("good", 2.0)), repeats=7))
    assert counts == {"ours": 2 + 7, "bad": 1 + HEATS, "good": 1 + HEATS + 7}


def test_what_is_hopeless_at_first_is_measured_once_and_its_figure_stands() -> None:
    calls: list[str] = []

    def slow() -> float:
        calls.append("slow")
        return 2 * HOPELESS

    contest = row(constant("ours", 1.0), peer("p", Contestant(name="slow", figure=slow)), peer("q", constant("q", HOPELESS)))
    slowest, near, best = judge(measure(contest), {}).comparisons
    assert calls == ["slow"]
    assert (slowest.variant, slowest.ratio.median, slowest.theirs) == ("slow", 2 * HOPELESS, 2 * HOPELESS)
    assert (near.ratio.median, best.variant) == (HOPELESS, "q")


def test_each_seed_has_data_of_its_own_where_a_seed_changes_them() -> None:
    seeds: list[int] = []

    def contest(seed: int) -> Contest:
        seeds.append(seed)
        return Contest(ours=constant("ours", 1.0), peers=())

    drawn = Row(name="x", says="", contest=contest, warm_up=0, repeats=1)
    assert [each.seed for each in measure(drawn).seeds] == seeds == [0, 1, 2, 3, 4]
    seeds.clear()
    measure(Row(name="x", says="", contest=contest, is_drawn=False, warm_up=0, repeats=1))
    assert seeds == [0]


@pytest.mark.parametrize("wrong", [1.1, float("nan")])
def test_a_peer_with_another_answer_is_never_timed(wrong: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contest = row(constant("ours", 1.0, answer=1.0), peer("p", constant("right", 2.0, answer=1.0), constant("wrong", 2.0, answer=wrong)))
    with pytest.raises(AssertionError, match="p, wrong answers otherwise than ours in place 0"):
        measure(contest)
    assert run([contest], {}, tmp_path / "a.json", ONCE) == 1
    shown = capsys.readouterr()
    assert "NOT TIMED: p, wrong answers otherwise" in shown.out
    assert shown.err == "broken: x\n"


def test_a_package_that_is_missing_is_named_and_its_floor_is_not_held(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = needing("no_such_package", "stranger", "another library", tuple)
    contest = row(constant("ours", 1.0), absent, peer("p", constant("p", 2.0)))
    assert run([contest], {"x": {"p": 1.5}}, tmp_path / "a.json", ONCE) == 0
    assert "stranger: not measured, since no_such_package is not installed: pip install 'statewise[bench]'" in capsys.readouterr().out
    assert run([contest], {"x": {"stranger": 1.5}}, tmp_path / "a.json", ONCE) == 1
    assert "BROKEN: a floor that could not be measured is not held: stranger" in capsys.readouterr().out
    assert run([contest], {"x": {BEST: 1.5}}, tmp_path / "a.json", ONCE) == 1


@pytest.mark.parametrize("name", ["paded", BEST])
def test_a_floor_that_names_no_peer_of_the_row_is_not_held(name: str) -> None:
    """`best` names none where there is one rival."""
    figures = [taken([1.0] * 5, [9.0] * 5)]
    assert not judged(figures, {"p": 5.0}).is_broken
    assert judged(figures, {"p": 5.0, name: 5.0, AT_MOST: 2.0}).not_measured == (name,)
    assert judged(figures, {name: 5.0}).is_broken


def test_the_file_holds_every_figure_and_what_the_table_says(tmp_path: Path) -> None:
    contest = row(constant("ours", 2.0), peer("p", constant("v", 3.0)), repeats=3)
    run([contest], {"x": {"p": 2.0}}, tmp_path / "new" / "a.json")
    document = json.loads((tmp_path / "new" / "a.json").read_text(encoding="utf-8"))
    (record,) = document["rows"]
    (compared,) = record["comparisons"]
    assert document["schema"] == 2
    assert document["machine"]["threads"] == torch.get_num_threads()
    assert (record["name"], record["broken"], record["ours"]["median"]) == ("x", True, 2.0)
    assert (compared["peer"], compared["variant"], compared["ratio"]["median"], compared["floor"]) == ("p", "v", 1.5, 2.0)
    assert (record["seeds"][0]["ours"], record["seeds"][0]["peers"]) == ([2.0] * 3, {"p": [3.0] * 3})


def test_the_table_says_what_who_how_much_and_whether() -> None:
    contest = row(constant("ours", 0.002), peer("p", constant("v", 0.003)), peer("kernel", constant("kernel", 0.001), rival=False))
    lines = list(lines_of(judge(measure(contest), {"p": 2.0, "kernel": 0.4})))
    assert lines[1] == "x: something"
    assert lines[2].split() == ["p", "(v)", "2", "ms", "3", "ms", "1.50", "[1.50-1.50]", ">=", "2", "BROKEN"]
    assert lines[3].split() == ["kernel", "(beside)", "2", "ms", "1", "ms", "0.50", "[0.50-0.50]", ">=", "0.4", "ok"]
    assert shown(0.0123, "s") == "12.3 ms"
    assert shown(3 * 2**20, "B") == "3 MiB"


@pytest.mark.parametrize(
    "case",
    [
        Case(core="lstm", lengths="short", use="states"),
        Case(core="rnn", lengths="short"),
        Case(core="gru", lengths="short", use="inference"),
        Case(core="gru", lengths="short", bidirectional=True),
        Case(core="lstm", lengths="short", num_layers=2),
    ],
    ids=lambda case: case.name,
)
def test_all_ways_over_sequences_agree_and_each_gets_its_gradients(case: Case) -> None:
    work = make_work(case, seed=3)
    ways = {"ours": ours, **PACKED, **(FLIPPED if case.bidirectional else PADDED if case.use != "states" else {})}
    answers = {name: work.run(way) for name, way in ways.items()}
    contestants = tuple(Contestant(name=name, figure=float, answer=lambda name=name: answers[name]) for name in ways)  # type: ignore[misc]
    require_agreement(Contest(ours=contestants[0], peers=(peer("all", *contestants),)), 1e-4)
    num_gradients = 0 if case.use == "inference" else 1 + len(list(work.module.parameters()))
    num_states = 2 if case.use == "states" else 0
    assert {len(answer) for answer in answers.values()} == {1 + num_states + num_gradients}


def test_all_ways_over_lanes_agree_and_a_lost_reset_would_be_seen() -> None:
    window = make_window(seed=3)
    answers = {name: window.run(way) for name, way in {"ours": ours_on_lanes, **CELLS}.items()}
    contestants = tuple(Contestant(name=name, figure=float, answer=lambda name=name: answers[name]) for name in answers)  # type: ignore[misc]
    require_agreement(Contest(ours=contestants[0], peers=(peer("cells", *contestants),)), 1e-4)
    without = Contestant(name="dense", figure=float, answer=lambda: window.run(dense))
    with pytest.raises(AssertionError, match="dense, dense answers otherwise"):
        require_agreement(Contest(ours=contestants[0], peers=(peer("dense", without),)), 1e-4)


def test_the_blocks_of_a_plan_hold_every_step() -> None:
    lengths = torch.tensor([3, 0, 5, 5, 1])
    module = torch.nn.LSTM(2, 3)
    assert plan_of(module, lengths).num_cells >= int(lengths.sum())
    assert "14 steps in 5 sequences of 0-5" in described(module, lengths, gradient=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak since a moment is read from /proc")
def test_the_peak_is_what_was_taken_meanwhile_even_if_it_is_given_back() -> None:
    size = 64 * 2**20
    assert 0.9 * size < peak_of(lambda: torch.ones(size // 4).sum()) < 1.5 * size
    assert peak_of(lambda: None) < size // 4


def test_streams_are_trained_on_in_windows_that_lie_beside_one_another() -> None:
    run = train_stateful(streams_of(3 * WINDOW))
    assert [update.steps for update in run.history.updates()] == [LANES * WINDOW] * 3


def test_every_row_has_a_name_of_its_own_and_every_floor_a_row() -> None:
    names = [each.name for each in find_rows()]
    floors = tomllib.loads((HERE / "floors.toml").read_text(encoding="utf-8"))
    assert len(set(names)) == len(names)
    assert set(floors) <= set(names)
    assert all(floor and all(value > 0 for value in floor.values()) for floor in floors.values())


def test_a_row_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["hlep"])
    assert ended.value.code == 2
    assert "no row is called 'hlep'; there are: " in capsys.readouterr().err


def test_the_rows_are_listed_and_chosen_by_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(each.name in listed for each in find_rows())
