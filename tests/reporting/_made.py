"""What are reports tried on, and how is a page read back? Runs made from figures, and a parser of the page as a reader sees it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np

from statewise.evaluation import Predictions, evaluate, write_evaluation
from statewise.runs import (
    DataRecord,
    Ended,
    Epoch,
    History,
    Lags,
    Provenance,
    Run,
    RunConfig,
    RunFiles,
    Update,
    encode_records,
    save_weights,
    write_document,
)
from statewise.verdicts import judge, write_verdict
from tests.verdicts.evidence import SOUND, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from statewise.auditing import Audit
    from statewise.evaluation import Evaluation

VOID = {"meta", "link", "br", "hr", "img", "input"}

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "\"quotes\" & 'apostrophes' <!-- ",
    "Ünïcødé \u202e\u2028 🦜",
    "very long " * 60,
    "{{ 7 * 7 }} ${7*7} datum.x[0]",
)


def make_evaluation(
    counts: Sequence[Sequence[int]], names: Sequence[str], *, task: str = "classify", positive: str | None = None
) -> Evaluation:
    """Return the evaluation of predictions that fall into a confusion matrix."""
    pairs = [(row, column) for row, line in enumerate(counts) for column, count in enumerate(line) for _ in range(count)]
    actual, predicted = (np.array(each) for each in zip(*pairs, strict=True))
    keys = np.array([f"s{number // 4 if task == 'tag' else number}" for number in range(len(pairs))])
    steps = np.arange(len(pairs)) % 4 if task == "tag" else None
    made = Predictions(task=task, class_names=tuple(names), key=keys, predicted=predicted, actual=actual, step=steps, source="test.csv")  # type: ignore[arg-type]
    return evaluate(made, positive=positive)


def make_history(
    epochs: int,
    *,
    updates: int = 3,
    broken_from: int | None = None,
    refit: int = 0,
    valid: bool = True,
    layers: Sequence[str] = ("core.l0", "head"),
) -> History:
    """Return the records of a training that converges, or stops being finite in one epoch."""
    records: list[Any] = []
    for phase, last in (("fit", epochs), ("refit", refit)):
        for epoch in range(1, last + 1):
            broken = broken_from is not None and epoch >= broken_from
            loss = None if broken else 2.0 / epoch
            for number in range(updates):
                norm = None if broken else 0.5 + 0.1 * number
                place = (epoch - 1) * updates + number + 1
                records.append(
                    Update(
                        update=place, epoch=epoch, loss=loss, gradient_norm=norm, norms=dict.fromkeys(layers, norm), clipped=number == 2,
                        learning_rate=1e-3, steps=100, phase=phase,  # type: ignore[arg-type]
                    )
                )  # fmt: skip
            scored = valid and phase == "fit"
            records.append(
                Epoch(
                    epoch=epoch, train_loss=loss, train_accuracy=1 - 0.5 / epoch, valid_loss=2.1 / epoch if scored else None,
                    valid_accuracy=1 - 0.6 / epoch if scored else None, valid_accuracy_low=0.3 if scored else None,
                    valid_accuracy_high=1.0 if scored else None, steps_per_second=1000.0, best=epoch == last, phase=phase,  # type: ignore[arg-type]
                )
            )  # fmt: skip
        if last:
            records.append(Ended(reason="not_finite" if broken_from else "finished", best_epoch=last, seconds=1.0, phase=phase))  # type: ignore[arg-type]
    return History(records=tuple(records))


def make_lags(*factors: float, size: int = 12, phase: str = "fit") -> tuple[Lags, ...]:
    """Return how far back a loss reached, one rate an epoch."""
    return tuple(
        Lags(
            epoch=epoch, lags=tuple(range(size)), norms=tuple(factor**lag for lag in range(size)), counts=(32,) * size, factor=factor,
            r_squared=1.0, inputs="encoded inputs", phase=phase,  # type: ignore[arg-type]
        )
        for epoch, factor in enumerate(factors, 1)
    )  # fmt: skip


def make_config(names: Sequence[str], *, task: str = "classify", source: str = "train.csv") -> RunConfig:
    """Return the configuration of a stranger's model."""
    record = DataRecord(source=source, num_sequences=200, num_steps=3000, sha256="ab" * 32)
    return RunConfig(
        model_name="OwnNet",
        task=task,  # type: ignore[arg-type]
        class_names=tuple(names),
        feature_names=("amount", "age"),
        options={"epochs": 5, "clip": 1.0, "refit": False, "batch_steps": None},
        data={"train": record, "valid": record},
    )


def make_provenance_record(config: RunConfig) -> Provenance:
    """Return where a run came from."""
    return Provenance(
        created="2024-05-01T12:00:00+00:00",
        command="statewise fit lstm --data claims.csv",
        seed=7,
        versions={"python": "3.11.7", "torch": "2.13.0"},
        device="cpu",
        threads=1,
        weights_sha256="cd" * 32,
        data=config.data,
    )


def make_run(
    directory: Path,
    *,
    names: Sequence[str] = ("no", "yes"),
    counts: Sequence[Sequence[int]] = ((460, 20), (10, 190)),
    task: str = "classify",
    history: History | None = None,
    without: Sequence[str] = (),
    policy: str = "default",
    audit: Audit | None = None,
) -> Run:
    """Write a run directory, with weights of no module, and return its run; `without` names the parts to leave out."""
    files = RunFiles(directory)
    directory.mkdir(parents=True, exist_ok=True)
    config = make_config(names, task=task)
    history = make_history(5) if history is None else history
    write_document(files.config, config)
    if "history" not in without:
        files.history.write_bytes(encode_records(history.records))
    run = Run(config=config, history=History() if "history" in without else history, directory=directory)
    if "evaluation" not in without:
        run.evaluation = make_evaluation(counts, names, task=task)
        write_evaluation(run.evaluation, files.evaluation)
    if "audit" not in without:
        save_weights(WEIGHTS, files.weights)
        (SOUND if audit is None else audit).save(files.audit)
    if "verdict" not in without:
        write_verdict(judge(run, policy=policy), files.verdict)
    if "provenance" not in without:
        write_document(files.provenance, make_provenance_record(config))
    return run


@dataclass
class Page:
    """A page read back: what each section says and shows.

    Attributes:
        text: the visible text by section id.
        figures: the exact numbers by section id, in order.
        scripts: (type, content) of each script.
        attributes: every attribute of every tag as (tag, name, value).
        order: section ids from top to bottom.
        problems: tags that were not closed in order.
    """

    text: dict[str, str] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=dict)
    scripts: list[tuple[str, str]] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def specs(self) -> dict[str, dict[str, Any]]:
        """Return the chart specifications, parsed as JSON."""
        ids = [value.removeprefix("spec-") for tag, name, value in self.attributes if tag == "script" and name == "id"]
        return dict(zip(ids, (json.loads(content) for kind, content in self.scripts if kind == "application/json"), strict=True))

    def values(self, name: str) -> list[str]:
        """Return every value of one attribute."""
        return [value for _, attribute, value in self.attributes if attribute == name]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page, self.open, self.section = Page(), [], ""  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.page.attributes += [(tag, name, value) for name, value in given.items()]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = given["id"]
            self.page.order.append(self.section)
        if tag == "script":
            self.page.scripts.append((given.get("type", ""), ""))
        if tag == "data" and given["value"]:
            self.page.figures.setdefault(self.section, []).append(float(given["value"]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.page.problems.append(f"</{tag}> at {self.getpos()}")
        if tag == "section":
            self.section = ""

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            kind, content = self.page.scripts[-1]
            self.page.scripts[-1] = (kind, content + data)
        elif self.open and self.open[-1] != "style":
            self.page.text[self.section] = f"{self.page.text.get(self.section, '')} {data.strip()}".replace("  ", " ")


def read_page(path: Path) -> Page:
    """Return a page as a reader and a browser see it."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    reader.page.problems += [f"<{tag}> left open" for tag in reader.open]
    return reader.page
