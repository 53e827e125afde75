"""Is the loss the cross-entropy of the real items, each class with its weight?"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from statewise.errors import OptionError
from statewise.sequences import Ragged, Sequences
from statewise.training._objective import Objective, resolve_class_weights
from tests._unchecked import unchecked


def make_data(targets: list[int], class_names: tuple[str, ...]) -> Sequences:
    n = len(targets)
    return Sequences(
        inputs=Ragged(torch.zeros(n, 1), torch.ones(n, dtype=torch.int64)), targets=torch.tensor(targets), class_names=class_names
    )


def test_the_weighted_loss_equals_torchs() -> None:
    values, targets, weights = torch.randn(9, 3), torch.arange(9) % 3, torch.tensor([0.5, 1.0, 2.0])
    scored = Objective(output="logits", class_weights=weights)(values, targets)
    torch.testing.assert_close(scored.loss, functional.cross_entropy(values, targets, weight=weights))
    assert torch.equal(scored.correct, values.argmax(1) == targets)


def test_one_logit_equals_two_of_which_the_first_is_zero() -> None:
    values, targets = torch.randn(8, 1), torch.arange(8) % 2
    both = torch.cat([torch.zeros(8, 1), values], dim=1)
    for smoothing in (0.0, 0.2):
        one = Objective(output="logits", label_smoothing=smoothing)(values, targets)
        torch.testing.assert_close(one.loss, functional.cross_entropy(both, targets, label_smoothing=smoothing))
        assert torch.equal(one.correct, both.argmax(1) == targets)


def test_probabilities_give_the_loss_of_the_logits_they_came_from() -> None:
    values, targets = torch.randn(6, 4), torch.arange(6) % 4
    from_logits = Objective(output="logits")(values, targets).loss
    torch.testing.assert_close(Objective(output="probabilities")(values.softmax(1), targets).loss, from_logits)
    single = torch.randn(6, 1)
    expected = Objective(output="logits")(single, targets % 2).loss
    torch.testing.assert_close(Objective(output="probabilities")(single.sigmoid(), targets % 2).loss, expected)


def test_batches_add_up_to_the_loss_of_all_items() -> None:
    objective = Objective(output="logits", class_weights=torch.tensor([1.0, 3.0]))
    values, targets = torch.randn(10, 2), torch.arange(10) % 2
    parts = [objective(values[:3], targets[:3]), objective(values[3:], targets[3:])]
    joined = sum(part.loss_sum for part in parts) / sum(part.weight_sum for part in parts)
    torch.testing.assert_close(joined, objective(values, targets).loss)


def test_ones_own_loss_is_used() -> None:
    scored = Objective(output="logits", loss=lambda values, targets: values[:, 0] + targets)(torch.ones(3, 2), torch.tensor([0, 1, 1]))
    assert scored.loss.item() == pytest.approx(5 / 3)


def test_balanced_weights_give_each_class_the_same_total_and_mean_one() -> None:
    data = make_data([0, 0, 0, 1], ("a", "b"))
    weights = resolve_class_weights("balanced", data, ("a", "b"))
    assert weights is not None
    assert (3 * weights[0]).item() == pytest.approx(weights[1].item())
    assert (3 * weights[0] + weights[1]).item() == pytest.approx(4.0)


def test_a_class_that_never_occurs_gets_weight_zero_when_balanced() -> None:
    weights = resolve_class_weights("balanced", make_data([0, 1, 1], ("a", "b", "c")), ("a", "b", "c"))
    assert weights is not None
    assert weights[2] == 0


def test_weights_by_name_and_by_order_agree() -> None:
    data = make_data([0, 1, 1], ("a", "b"))
    by_name = resolve_class_weights({"b": 3.0}, data, ("a", "b"))
    by_order = resolve_class_weights([1.0, 3.0], data, ("a", "b"))
    assert by_name is not None
    assert by_order is not None
    assert torch.equal(by_name, by_order)
    assert resolve_class_weights(None, data, ("a", "b")) is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("even", "'balanced'"),
        ({"bb": 1.0}, "Did you mean 'b'|There are"),
        ([1.0], "1 weights for 2 classes"),
        ([1.0, -1.0], "positive"),
        ([float("nan"), 1.0], "positive"),
        ([0.0, 0.0], "positive"),
    ],
)
def test_weights_that_cannot_be_are_refused(given: Any, says: str) -> None:
    with unchecked(), pytest.raises(OptionError, match=says):
        resolve_class_weights(given, make_data([0, 1, 1], ("a", "b")), ("a", "b"))
