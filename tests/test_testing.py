"""Does `assert_sound` let sound modules pass, fail on others with the table, and leave random numbers alone?"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import statewise as sw
from statewise.testing import assert_sound


class Sound(nn.Module):
    """Reads out at the last real step."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        given: Tensor = self.head(self.rnn(x)[0][torch.arange(len(x)), lengths - 1])
        return given


class Padded(Sound):
    """Reads out at the last padded step."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        given: Tensor = self.head(self.rnn(x)[0][:, lengths.max() - 1])
        return given


def test_a_sound_module_passes_at_every_seed() -> None:
    assert_sound(Sound, seeds=(0, 1, 2))


def test_a_defect_fails_with_its_code_what_was_seen_and_its_mend() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_sound(Padded, seeds=(4,))
    told = str(caught.value)
    for word in ("seed 4", "audit of Padded: not sound", "SW301", "padding-reaches-answers", "lengths - 1"):
        assert word in told


def test_a_finding_that_is_ignored_does_not_fail() -> None:
    assert_sound(Padded, ignore=("SW2", "SW3"))
    with pytest.raises(AssertionError, match="SW301"):
        assert_sound(Padded, select=["SW301"])


def test_nothing_that_could_be_judged_is_not_sound() -> None:
    with pytest.raises(AssertionError, match="no check could be judged"):
        assert_sound(Sound, select=["SW115"])


def test_a_warning_fails_where_it_is_asked_to() -> None:
    class Single(Padded):
        """Reads float32 alone, so that rounding cannot be told for sure."""

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return super().forward(x.float(), lengths)

    assert_sound(Single, select=["SW301"])
    with pytest.raises(AssertionError, match=r"SW301 *warn"):
        assert_sound(Single, select=["SW301"], fail_on="warn")


def test_data_contract_and_call_reach_the_audit() -> None:
    data = sw.Sequences(inputs=sw.Ragged(torch.randn(40, 3), torch.tensor([10, 30])))
    assert_sound(Sound, data=data, contract=sw.Contract(takes=("x", "lengths"), batch_first=True))
    assert_sound(Sound, call=lambda module, batch: module(batch.x, batch.lengths), contract=sw.Contract(each="sequence"))


def test_random_numbers_of_the_caller_stay_as_they_were() -> None:
    before = torch.get_rng_state()
    assert_sound(Sound, seeds=(0, 1))
    assert torch.equal(torch.get_rng_state(), before)


def test_what_cannot_be_audited_is_told_as_itself() -> None:
    with pytest.raises(sw.errors.ContractError):
        assert_sound(nn.Identity)
