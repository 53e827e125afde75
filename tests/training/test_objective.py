"""Is the loss that of the scored targets, each with its weight: cross-entropy, squared error, or one of the user's own?"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from statewise.errors import ContractError, OptionError
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
    assert scored.correct is not None
    assert torch.equal(scored.correct, values.argmax(1) == targets)


def test_one_logit_equals_two_of_which_the_first_is_zero() -> None:
    values, targets = torch.randn(8, 1), torch.arange(8) % 2
    both = torch.cat([torch.zeros(8, 1), values], dim=1)
    for smoothing in (0.0, 0.2):
        one = Objective(output="logits", label_smoothing=smoothing)(values, targets)
        torch.testing.assert_close(one.loss, functional.cross_entropy(both, targets, label_smoothing=smoothing))
        assert one.correct is not None
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


def test_values_have_the_squared_error_in_units_of_their_spread() -> None:
    values, targets, weights = torch.randn(6, 1), torch.randn(6), torch.tensor([1.0, 2, 0, 1, 1, 1])
    scored = Objective(output="values", holds="values", scale=2.0)(values, targets, weights)
    errors = ((values[:, 0] - targets) / 2).square()
    torch.testing.assert_close(scored.loss, (errors * weights).sum() / weights.sum())
    assert scored.correct is None
    assert scored.scored.tolist() == [True, True, False, True, True, True]


def test_what_is_not_scored_may_be_anything() -> None:
    targets = torch.tensor([[1.0, torch.nan], [torch.inf, 2.0]])
    values = torch.ones(2, 2, requires_grad=True)
    scored = Objective(output="values", holds="values")(values, targets, torch.tensor([[1.0, 0], [0, 1.0]]))
    scored.loss.backward()
    assert scored.loss.item() == pytest.approx(0.5)
    assert values.grad is not None
    assert values.grad.tolist() == [[0, 0], [0, -1]]


def test_several_labels_have_the_mean_of_their_cross_entropies() -> None:
    values, targets = torch.randn(7, 3), torch.rand(7, 3) < 0.5
    expected = functional.binary_cross_entropy_with_logits(values, targets.float())
    torch.testing.assert_close(Objective(output="logits", holds="labels")(values, targets).loss, expected)
    given = Objective(output="probabilities", holds="labels")(values.sigmoid(), targets)
    torch.testing.assert_close(given.loss, expected, rtol=1e-4, atol=1e-5)
    weights = torch.tensor([1.0, 2.0, 5.0])
    weighted = functional.binary_cross_entropy_with_logits(values, targets.float(), pos_weight=weights)
    torch.testing.assert_close(Objective(output="logits", holds="labels", class_weights=weights)(values, targets).loss, weighted)


def test_balanced_weights_of_labels_make_present_count_as_much_as_absent() -> None:
    targets = torch.tensor([[1, 0], [0, 0], [0, 1], [0, 1]]).bool()
    data = Sequences(inputs=Ragged(torch.zeros(4, 1), torch.ones(4, dtype=torch.int64)), targets=targets)
    weights = resolve_class_weights("balanced", data, ("p", "q"))
    assert weights is not None
    assert weights.tolist() == [3.0, 1.0]


def test_a_loss_of_ones_own_gets_one_value_beside_one_target() -> None:
    """An output [rows, 1] beside targets [rows] would spread to [rows, rows]: the loss falls, and it is the wrong one."""
    values, targets = torch.randn(5, 1), torch.randn(5)
    scored = Objective(output="values", holds="values", loss=functional.l1_loss)(values, targets)
    torch.testing.assert_close(scored.loss, (values[:, 0] - targets).abs().mean())


def test_a_loss_of_ones_own_sees_whole_forecasts_only() -> None:
    values, targets = torch.zeros(3, 2), torch.ones(3, 2)
    seen: list[int] = []

    def loss(outputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        seen.append(len(outputs))
        return (outputs - wanted).abs().sum(dim=1)

    scored = Objective(output="values", holds="values", loss=loss)(values, targets, torch.tensor([[1.0, 1], [1, 0], [1, 1]]))
    assert (seen, scored.loss.item()) == ([2], 2.0)


@pytest.mark.parametrize(
    ("objective", "values", "targets", "told"),
    [
        (Objective(output="values", holds="values"), torch.zeros(3, 4), torch.zeros(3, 2), "outputs: 4 a row, while a row has 2 targets"),
        (
            Objective(output="logits", loss=lambda values, _: values.flatten()),
            torch.zeros(3, 2),
            torch.zeros(3, dtype=torch.int64),
            "loss: values of shape (6,) for 3 rows. Return one value a row of the outputs, or their mean",
        ),
    ],
)
def test_outputs_and_losses_of_another_shape_are_refused(objective: Objective, values: Any, targets: Any, told: str) -> None:
    with pytest.raises(ContractError) as error:
        objective(values, targets)
    assert told in str(error.value)


def test_class_weights_of_values_are_refused() -> None:
    data = Sequences(inputs=Ragged(torch.zeros(2, 1), torch.ones(2, dtype=torch.int64)), targets=[1.0, 2.0])
    with pytest.raises(OptionError, match="class_weights: 'balanced', and the targets are values"):
        resolve_class_weights("balanced", data, ())
