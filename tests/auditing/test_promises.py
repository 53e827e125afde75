"""What does an audit promise of modules that are ordinary, odd, or cannot be asked at all?"""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import statewise as sw
from proving_ground.cases import Correct, Sizes, all_correct
from proving_ground.running import permitted
from statewise.auditing import CUT_SHORT, Progress, audit, checks_of
from statewise.contracts import Contract
from statewise.errors import AuditError, ContractError, DataError, OptionError
from tests._unchecked import unchecked
from tests.auditing._asked import LENGTHS, STEPS, Packed, numbers, status_of


class LastStep(nn.Module):
    """A GRU read at lengths - 1."""

    def __init__(self, inputs: int = 3, hidden: int = 8, outputs: int = 3) -> None:
        super().__init__()
        self.rnn = nn.GRU(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        answer: Tensor = self.head(self.rnn(x)[0][torch.arange(len(x)), lengths - 1])
        return answer


class Streaming(nn.Module):
    """An LSTM that takes and returns its state."""

    def __init__(self, inputs: int = 3, hidden: int = 8, outputs: int = 3) -> None:
        super().__init__()
        self.rnn = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        outputs, state = self.rnn(x, state)
        return self.head(outputs), state


class Tagger(nn.Module):
    """A bidirectional tagger."""

    def __init__(self, inputs: int = 3, hidden: int = 8, outputs: int = 3) -> None:
        super().__init__()
        self.rnn = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        answer: Tensor = self.head(pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])[0])
        return answer


ORDINARY = {
    Packed: Contract(causal=True, order_matters=True),
    LastStep: Contract(causal=True, order_matters=True),
    Streaming: Contract(causal=True, order_matters=True),
    Tagger: Contract(causal=False, order_matters=True),
}


@pytest.mark.parametrize("kind", ORDINARY, ids=lambda kind: kind.__name__)
def test_most_checks_that_the_interface_of_an_ordinary_module_permits_are_judged(kind: Any) -> None:
    case = Correct(name=kind.__name__, build=lambda sizes: kind(sizes.inputs, sizes.hidden, sizes.outputs), contract=ORDINARY[kind])
    outcomes = permitted(case, case.build, 1)
    unjudged = [(each.code, each.evidence) for each in outcomes if each.status in {"not_applicable", "error"}]
    assert len(unjudged) <= len(outcomes) / 5, unjudged
    assert not [each.code for each in outcomes if each.is_finding]


@pytest.mark.parametrize("number", range(0, len(all_correct()), 20))
def test_statuses_are_the_same_again_and_on_two_threads(number: int) -> None:
    case = all_correct()[number]
    torch.manual_seed(0)
    module = case.build(Sizes())
    threads = torch.get_num_threads()

    def statuses() -> list[tuple[str, str, str | None]]:
        found = audit(module, contract=case.contract, call=case.call, seed=3, fast=True)
        return [(each.code, each.status, each.explained_by) for each in found.outcomes]

    try:
        torch.set_num_threads(1)
        first, again = statuses(), statuses()
        torch.set_num_threads(2)
        assert first == again == statuses()
    finally:
        torch.set_num_threads(threads)


class Raising(Packed):
    """A module that raises."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002
        raise ValueError("no such thing")


class OfNaN(Packed):
    """A module that answers with NaN."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(x, lengths) * torch.nan


class OnGPU(Packed):
    """A module that brings its input to a GPU."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(x.to("cuda:7"), lengths)


class RunningMean(nn.Module):
    """A module without parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(1) / torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device)[:, None]


@pytest.mark.parametrize(("kind", "says"), [(Raising, "no such thing"), (OnGPU, "cuda")])
def test_a_module_that_cannot_be_asked_ends_in_errors_with_the_reason(kind: Any, says: str) -> None:
    found = audit(kind(), numbers())
    assert not found.ok
    errors = [each for each in found.outcomes if each.status == "error"]
    assert errors
    assert all(says.lower() in each.evidence.lower() for each in errors), [each.evidence for each in errors]
    assert not [each.code for each in found.outcomes if each.status == "fail"]
    with pytest.raises(AuditError, match=kind.__name__):
        found.raise_if_unsound()


def test_answers_of_nan_are_a_finding_and_the_rest_goes_on() -> None:
    found = audit(OfNaN(), numbers())
    assert [each.code for each in found.findings] == ["SW608"], str(found)
    assert status_of(found, "SW603") == "pass"


def test_a_module_without_parameters_is_audited() -> None:
    found = audit(RunningMean(), numbers(), contract=Contract(batch_first=True, causal=True))
    assert found.ok, str(found)
    assert not found.findings, str(found)
    assert status_of(found, "SW401") == "pass"
    assert status_of(found, "SW507") == "not_applicable"


def test_what_forward_takes_and_nobody_knows_is_refused_by_name() -> None:
    class Odd(Packed):
        def forward(self, x: Tensor, weather: Tensor) -> Tensor:
            return super().forward(x, weather)

    with pytest.raises(ContractError, match="weather"):
        audit(Odd(), numbers())


@pytest.mark.parametrize("option", ["select", "ignore"])
def test_a_code_that_no_check_has_is_refused_with_the_nearest(option: str) -> None:
    given: Any = {option: ["SW399"]}
    with pytest.raises(OptionError, match="SW399"):
        audit(nn.GRU(3, 4), **given)


def test_data_without_a_whole_step_are_refused() -> None:
    data = sw.Sequences(inputs=sw.Ragged(torch.full((4, 3), torch.nan), torch.tensor([4])))
    with pytest.raises(DataError, match="no step"):
        audit(nn.GRU(3, 4), data)


def test_an_example_takes_the_place_of_data() -> None:
    found = audit(Packed(), example=torch.randn(2, 4, 3))
    assert found.ok
    assert "the example" in found.sampled
    codes = audit(nn.Sequential(nn.Embedding(9, 4)), example=torch.randint(0, 9, (3, 5)), contract=Contract(takes=("x",), batch_first=True))
    assert not codes.findings
    with pytest.raises(ContractError, match="example"):
        audit(Packed(), example="a batch")


class Joined(nn.Module):
    """A model of numbers, codes and static features, called by its user's line."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.core = Packed(3 + 4 + 2)

    def forward(self, x: Tensor, codes: Tensor, static: Tensor, lengths: Tensor) -> Tensor:
        answer: Tensor = self.core(torch.cat([x, self.table(codes), static[:, None].expand(-1, x.shape[1], -1)], -1), lengths)
        return answer


class Unpacked(Joined):
    """The same, read at the end of the padding."""

    def forward(self, x: Tensor, codes: Tensor, static: Tensor, lengths: Tensor) -> Tensor:
        answer: Tensor = super().forward(x, codes, static, torch.full_like(lengths, x.shape[1]))
        return answer


def test_several_inputs_and_static_features_are_asked_about() -> None:
    draw = torch.Generator().manual_seed(1)
    parts = {"x": sw.Ragged(torch.randn(STEPS, 3, generator=draw), LENGTHS), "codes": sw.Ragged(torch.randint(0, 7, (STEPS,)), LENGTHS)}
    data = sw.Sequences(inputs=parts, static=torch.randn(6, 2, generator=draw))

    def line(module: nn.Module, batch: Any) -> Any:
        return module(batch.x["x"], batch.x["codes"], batch.static, batch.lengths)

    sound, found = audit(Joined(), data, call=line), audit(Unpacked(), data, call=line)
    assert not sound.findings, str(sound)
    assert sound.ok, str(sound)
    assert [each.code for each in found.findings] == ["SW301"], str(found)


def test_a_line_that_reads_no_lengths_is_not_asked_about_padding() -> None:
    found = audit(nn.GRU(3, 4, batch_first=True), numbers(), call=lambda module, batch: module(batch.x))
    assert not found.findings, str(found)
    assert status_of(found, "SW301") == "not_applicable"


def test_weights_of_zero_hide_nothing() -> None:
    module = Packed()
    nn.init.zeros_(module.head.weight)
    found = audit(module, numbers())
    assert not found.findings, str(found)
    assert "head.weight" in found.sampled
    assert not module.head.weight.any()


def test_two_defects_are_two_findings_and_consequences_are_folded() -> None:
    class Both(Tagger):
        """Rows mix, and dropout is on."""

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            answer = super().forward(x, lengths)
            return nn.functional.dropout(answer - answer.mean(0, keepdim=True), 0.5, training=True)

    found = audit(Both(), numbers())
    assert {"SW201", "SW602"} <= {each.code for each in found.findings}, str(found)
    assert any(each.explained_by is not None for each in found.outcomes), "something is folded"


def test_a_warning_hides_no_failure() -> None:
    class Late(nn.Module):
        """Reads the step before the last of data so large that its gates are shut."""

        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 8, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.rnn(x)[0][:, -2]
            return answer

    large = sw.Sequences(inputs=sw.Ragged(100 * numbers().parts["x"].values, LENGTHS))
    found = audit(Late(), large, contract=Contract(batch_first=True))
    assert status_of(found, "SW504") == "warn"
    assert "SW303" in {each.code for each in found.findings if each.status == "fail"}, str(found)
    assert not found.ok


@pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt()], ids=["an error", "Ctrl-C"])
def test_what_a_module_raises_leaves_everything_as_it_was(problem: BaseException) -> None:
    class Stops(Packed):
        """Raises in the middle of a call."""

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            torch.randn(3)
            if len(x) == 2:
                raise problem
            return super().forward(x, lengths)

    def conditions() -> tuple[Any, ...]:
        return (
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.get_rng_state().tolist(),
            random.getstate(),
        )

    module = Stops().train()
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    with unchecked():  # the checks of types draw from Python's generator
        before = conditions()
        if isinstance(problem, KeyboardInterrupt):
            with pytest.raises(KeyboardInterrupt):
                audit(module, numbers())
        else:
            assert not audit(module, numbers()).ok
        assert conditions() == before
    assert module.training
    assert all(torch.equal(value, weights[name]) for name, value in module.state_dict().items())


def test_a_code_may_be_given_alone() -> None:
    chosen = {each.code for each in audit(Packed(), numbers(), select="SW301").outcomes if each.status != "skipped"}
    assert chosen == {"SW301"}
    left = {each.code for each in audit(Packed(), numbers(), ignore="SW3", fast=True).outcomes if each.status == "skipped"}
    assert left
    assert all(code.startswith("SW3") for code in left)


def test_progress_is_told_for_every_check() -> None:
    told: list[Progress] = []
    whole = audit(nn.GRU(3, 4), progress=told.append)
    assert [each.code for each in told] == [*(each.code for each in checks_of("module")), ""]
    assert [each.done for each in told] == list(range(len(checks_of("module")) + 1))
    for each in told:
        known = each.so_far.outcomes
        assert known[: each.done] == whole.outcomes[: each.done]
        assert {(left.status, left.evidence) for left in known[each.done :]} <= {("skipped", CUT_SHORT)}
