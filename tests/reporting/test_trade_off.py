"""Does the slider of the report show, at each of its positions, the counts recomputed from the predictions at that threshold?"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import statewise as sw
from statewise.reporting import report
from statewise.reporting._palette import PICTURE
from statewise.reporting._trade_off import thresholds_of, trade_off_chart
from tests.reporting._made import HOSTILE, make_run, read_page

if TYPE_CHECKING:
    from pathlib import Path

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
CELLS = ("tn", "fp", "fn", "tp")
MOVED = """<pre id="cells"></pre><script>
const slider = document.getElementById("threshold-slider"), found = [];
for (let at = 0; at <= Number(slider.max); at++) {
  slider.value = at; slider.dispatchEvent(new Event("input"));
  found.push(["tn", "fp", "fn", "tp"].map((name) => document.getElementById(`threshold-${name}`).textContent));
}
document.getElementById("cells").textContent = JSON.stringify(found);
</script></body>"""


def predictions(seed: int, number: int = 2000, names: tuple[str, str] = ("0", "1")) -> sw.Predictions:
    random = np.random.default_rng(seed)
    actual = (random.random(number) < 0.1).astype(int)
    score = np.round(1 / (1 + np.exp(-random.normal(2.0 * actual - 2, 1.0))), 4)
    labels = [names[each] for each in actual]
    return sw.Predictions.from_columns({"target": labels, "score": score}, positive=names[1], class_names=names)


def reported(folder: Path, evaluation: sw.Evaluation) -> Path:
    run = make_run(folder / "run")
    run.evaluation = evaluation
    return report(run)


@pytest.fixture(scope="module")
def test_part() -> sw.Predictions:
    return predictions(1)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, test_part: sw.Predictions) -> Path:
    """Return the report of a run whose threshold was chosen by cost."""
    chosen = sw.choose_threshold(predictions(0), cost=sw.Cost(miss=20, false_alarm=1))
    return reported(tmp_path_factory.mktemp("runs"), sw.evaluate(test_part, threshold=chosen))


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="thresholds-data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def recomputed(rows: sw.Predictions, threshold: float) -> list[int]:
    assert rows.score is not None
    called, actual = rows.score >= threshold, np.asarray(rows.actual == 1)
    return [int((~actual & ~called).sum()), int((~actual & called).sum()), int((actual & ~called).sum()), int((actual & called).sum())]


def test_each_position_of_the_slider_has_the_counts_of_its_threshold(page: Path, test_part: sw.Predictions) -> None:
    data = data_of(page)
    html = page.read_text("utf-8")
    most = re.search(r'id="threshold-slider" min="0" max="(\d+)"', html)
    assert most is not None
    assert int(most[1]) + 1 == len(data["thresholds"])
    assert 100 < len(data["thresholds"]) <= 300
    for at, threshold in enumerate(data["thresholds"]):
        assert [data[cell][at] for cell in CELLS] == recomputed(test_part, threshold)
        assert data["cost"][at] == pytest.approx((20 * data["fn"][at] + data["fp"][at]) / 2000)
    assert f'value="{data["used"]}" data-used="{data["used"]}"' in html


@pytest.mark.skipif(BROWSER is None, reason="no Chromium to move the slider in")
def test_a_browser_shows_these_counts_as_the_slider_moves(page: Path, test_part: sw.Predictions, tmp_path: Path) -> None:
    moved = tmp_path / "moved.html"
    before, _, after = page.read_text("utf-8").rpartition("</body>")  # the charts' script holds that word too
    moved.write_text(before + MOVED + after, "utf-8")
    words = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom", moved.as_uri()]
    shown = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120).stdout
    cells = re.search(r'<pre id="cells">(.*?)</pre>', shown)
    assert cells is not None
    found = [[int(text.replace(",", "")) for text in each] for each in json.loads(cells[1])]
    assert found == [recomputed(test_part, threshold) for threshold in data_of(page)["thresholds"]]
    assert 'class="slider" hidden' not in shown


def test_the_section_says_how_the_threshold_was_chosen_and_what_it_saves(page: Path) -> None:
    read = read_page(page)
    assert read.problems == []
    assert "thresholds" in read.order
    text = read.text["thresholds"]
    assert "where a miss costs 20, a false alarm 1" in text
    assert "the interval excludes 0" in text
    assert "(used)" in text
    assert "What mistakes are made, with 95 % intervals" in text


def test_without_scores_there_is_no_such_section(tmp_path: Path) -> None:
    page = report(make_run(tmp_path / "run"))
    assert "threshold-slider" not in page.read_text("utf-8")
    assert "thresholds" not in read_page(page).order
    assert thresholds_of(sw.evaluate(sw.Counts(tp=1, fn=1, fp=1, tn=1))) is None


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    evaluation = sw.evaluate(predictions(1, 200, names=(HOSTILE[0], HOSTILE[1])))
    read = read_page(reported(tmp_path, evaluation))
    assert read.problems == []
    assert "alert(2)" in read.text["thresholds"]


def test_the_curve_marks_the_threshold_in_use_and_leaves_out_what_is_undefined(test_part: sw.Predictions) -> None:
    trade_off = sw.evaluate(test_part, threshold=0.4).trade_off
    assert trade_off is not None
    assert trade_off.used is not None
    spec = trade_off_chart(trade_off, palette=PICTURE).to_dict()
    (rows,) = spec["datasets"].values()
    assert len(rows) == len(trade_off.thresholds) - 1
    assert spec["layer"][2]["transform"] == [{"filter": f"datum.place === {trade_off.used}"}]
    (param,) = spec["params"]
    assert param == {"name": "at", "value": trade_off.used}
