"""Does the section on training tell of the refit and of gradients through time what the records say, and what is not there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.reporting import report
from statewise.runs import Epoch, History
from tests.reporting._made import make_history, make_lags, make_run, read_page

if TYPE_CHECKING:
    from pathlib import Path

    from statewise.runs import Run
    from tests.reporting._made import Page


def written(run: Run) -> Page:
    page = read_page(report(run))
    assert page.problems == []
    return page


def test_losses_alone_are_drawn_without_accuracy(tmp_path: Path) -> None:
    epochs = tuple(Epoch(epoch=number, train_loss=1 / number) for number in (1, 2, 3))
    page = written(make_run(tmp_path / "run", history=History(records=epochs)))
    assert set(page.specs()) == {"loss", "metrics", "confusion"}
    assert "No gradient norms were recorded" in page.text["training"]


def test_how_far_back_the_loss_reaches_is_drawn_and_told_where_it_was_measured(tmp_path: Path) -> None:
    page = written(make_run(tmp_path / "without"))
    assert "How far back in time the loss reaches was not measured." in page.text["training"]
    assert "--gradients-by-lag" in page.text["training"]
    history = make_history(3, refit=2)
    run = make_run(
        tmp_path / "with", history=History(records=(*history.records, *make_lags(0.5, 0.5, 0.5), *make_lags(0.9, phase="refit")))
    )
    page = written(run)
    assert "lags" in page.specs()
    assert "with respect to the encoded inputs of each step" in page.text["training"]
    assert "the median over the same 32 sequences" in page.text["training"]
    assert "After epoch 3, whose weights were kept, the gradient vanishes" in page.text["training"]
    assert "Right of the dashed line is the refit; its median is 0.6." in page.text["training"]


def test_a_loss_that_no_step_gets_a_gradient_of_is_told_without_a_chart(tmp_path: Path) -> None:
    import msgspec

    (found,) = make_lags(0.5, size=2)
    silent = msgspec.structs.replace(found, norms=(0.0, 0.0), factor=None, num_cut=32, cut_after=-1, cut="detached")
    page = written(make_run(tmp_path / "run", history=History(records=(*make_history(1).records, silent))))
    assert "lags" not in page.specs()
    assert "no gradient comes to any step: the graph is cut there" in page.text["training"]
    assert "--gradients-by-lag" not in page.text["training"]
