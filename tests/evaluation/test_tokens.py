"""Are cross-entropy, bits and perplexity those of numpy and scikit-learn, and is skill told against token frequencies?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics as oracle  # type: ignore[import-untyped]

from statewise.errors import DataError
from statewise.evaluation import Predictions, evaluate, read_predictions
from statewise.sequences import UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = ("a", " ", "\n", "é")


def text(rows: int = 600, *, better: float = 3.0) -> tuple[dict[str, object], np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    actual = random.choice(4, rows, p=(0.4, 0.3, 0.2, 0.1))
    logits = random.normal(size=(rows, 4))
    logits[np.arange(rows), actual] += better
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    columns = {
        "key": np.arange(rows) // 30,
        "step": np.arange(rows) % 30,
        "target": np.array(TOKENS)[actual].tolist(),
        "prediction": np.array(TOKENS)[chances.argmax(axis=1)].tolist(),
        "nll": -np.log(chances[np.arange(rows), actual]),
    }
    return columns, actual, chances


def test_code_lengths_equal_scikit_learns_log_loss() -> None:
    columns, actual, chances = text()
    found = evaluate(Predictions.from_columns(columns))
    nats = oracle.log_loss(actual, chances)
    assert (found.task, found.counted, found.num_units, found.unit) == ("next", "tokens", 20, "sequence")
    assert found.metrics["cross_entropy"].value == pytest.approx(nats)
    assert found.metrics["bits"].value == pytest.approx(nats / math.log(2))
    assert found.metrics["perplexity"].value == pytest.approx(math.exp(nats))
    assert found.metrics["accuracy"].value == pytest.approx(oracle.accuracy_score(actual, chances.argmax(axis=1)))
    bits, perplexity = found.metrics["bits"], found.metrics["perplexity"]
    assert bits.low is not None
    assert perplexity.low == pytest.approx(2**bits.low)


def test_skill_is_the_share_of_bits_saved_against_the_frequencies_of_tokens() -> None:
    columns, actual, _ = text()
    own = evaluate(Predictions.from_columns(columns))
    frequencies = np.bincount(actual) / len(actual)
    entropy = -(frequencies * np.log(frequencies)).sum()
    assert own.baselines["unigram"].figures["bits"] == pytest.approx(entropy / math.log(2))
    assert own.metrics["skill"].value == pytest.approx(1 - own.metrics["cross_entropy"].value / entropy)
    assert any("stand in for those of training" in note for note in own.notes)
    told = evaluate(Predictions.from_columns({**columns, "baseline_trigram": np.full(len(actual), 0.5)}))
    assert told.judged_baseline == "trigram"
    assert told.metrics["skill"].value == pytest.approx(1 - told.metrics["cross_entropy"].value / 0.5)


def test_blanks_are_tokens() -> None:
    columns, _, _ = text()
    found = Predictions.from_columns(columns)
    assert set(found.class_names) == set(TOKENS)
    assert found.target is not None
    assert found.target.tolist() == columns["target"]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_blanks_are_tokens_in_a_file_too_also_beside_ones_that_are_not_known(tmp_path: Path, suffix: str) -> None:
    columns = {"key": ["a"] * 3, "target": [" ", "\n", UNKNOWN], "prediction": ["\n", UNKNOWN, " "], "nll": [0.5, 0.1, 0.2]}
    made = Predictions.from_columns(columns, task="next")
    read = read_predictions(made.save(tmp_path / f"rows{suffix}"), task="next")
    assert read.target is not None
    assert (read.target.tolist(), read.prediction.tolist()) == (columns["target"], columns["prediction"])


def test_a_code_length_that_cannot_be_is_refused() -> None:
    columns, _, _ = text(60)
    made = Predictions.from_columns(columns)
    for bad in (math.inf, -0.5, math.nan):
        object.__setattr__(made, "nll", np.array([bad] + [1.0] * 59))
        with pytest.raises(DataError, match="column 'nll'") as caught:
            evaluate(made)
        assert str(bad) in caught.value.arrived
    object.__setattr__(made, "nll", None)
    with pytest.raises(DataError, match="no such column"):
        evaluate(made)


def test_a_perplexity_beyond_all_numbers_is_undefined() -> None:
    columns, _, _ = text(60)
    found = evaluate(Predictions.from_columns({**columns, "nll": np.full(60, 1e6)}))
    assert math.isnan(found.metrics["perplexity"].value)
    assert found.metrics["cross_entropy"].value == pytest.approx(1e6)


def test_a_stream_of_text_is_cut_into_blocks() -> None:
    columns, _, _ = text()
    del columns["key"]
    found = evaluate(Predictions.from_columns({**columns, "step": np.arange(600)}))
    assert (found.unit, found.num_units) == ("block", 60)
    assert found.metrics["skill"].low is not None
