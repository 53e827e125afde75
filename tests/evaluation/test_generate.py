"""Does a text go on as the model says, step by step with the carried state, and the same with the same seed?"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from statewise.contracts import Contract
from statewise.errors import ContractError, DataError, OptionError
from statewise.evaluation import generate
from statewise.models import Model, build
from statewise.sequences import UNKNOWN, Ragged, Sequences
from statewise.training import fit


def text(*words: str, names: str = "abc") -> Sequences:
    codes = torch.tensor([names.index(letter) for word in words for letter in word])
    inputs = {"token": Ragged(codes, torch.tensor([len(word) for word in words]))}
    return Sequences(inputs=inputs, targets=codes, class_names=[*names, UNKNOWN], categories={"token": names}, task="next")


def model_of(seed: int = 0, **more: Any) -> Model:
    return build("lstm", data=text("abcabc", "cab"), hidden_size=8, seed=seed, **more).eval()


def test_each_step_is_that_of_the_whole_text_read_at_once() -> None:
    model = model_of()
    drawn = "".join(generate(model, "ab", steps=12, temperature=0))
    for place in range(len(drawn)):
        logits = model.run_sequences(text("ab" + drawn[:place])).values[-1]
        assert drawn[place] == "abc"[int(logits[:3].argmax())]


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    model, before = model_of(), torch.get_rng_state()
    first, again, other = ("".join(generate(model, "a", steps=40, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert torch.equal(torch.get_rng_state(), before), "torch's own generator is left alone"


def test_tokens_come_as_often_as_their_probability_says() -> None:
    model = model_of()
    logits = model.run_sequences(text("a")).values[-1, :3].detach()
    for temperature in (0.5, 1.0, 2.0):
        drawn = Counter(next(generate(model, "a", steps=1, temperature=temperature, seed=seed)) for seed in range(400))
        expected = (logits.double() / temperature).softmax(0)
        found = torch.tensor([drawn[letter] / 400 for letter in "abc"])
        torch.testing.assert_close(found.double(), expected, atol=0.1, rtol=0)


def test_a_model_that_has_learnt_a_pattern_goes_on_with_it() -> None:
    data = text(*["abc" * 6, "bca" * 5, "cab" * 7])
    run = fit(build("gru", data=data, hidden_size=16, seed=0), data, epochs=60, lr=0.03)
    assert "".join(generate(run, "abca", steps=9, temperature=0)) == "bcabcabca"


def test_tokens_stream_and_the_reserved_one_is_never_drawn() -> None:
    tokens = generate(model_of(), "a", steps=10**9)
    assert UNKNOWN not in list(islice(tokens, 200))
    assert list(generate(model_of(), "a", steps=0)) == []


class Stranger(nn.Module):
    """Reads token numbers, and says that the next one is the sum of all so far, modulo 3."""

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = x.cumsum(1) + (0 if state is None else state[:, None])
        return nn.functional.one_hot(total % 3, 3).float() * 50, total[:, -1]


def test_a_strangers_module_goes_on_with_its_own_state() -> None:
    module = Stranger()
    module.class_names = ("0", "1", "2")  # type: ignore[assignment]
    drawn = list(generate(module, ["1"], steps=5, contract=Contract(task="next", each="step", takes=("x", "state"), batch_first=True)))
    assert drawn == ["1", "2", "1", "2", "1"]


@pytest.mark.parametrize(
    ("model", "prompt", "options", "kind", "told"),
    [
        (model_of(), "", {}, OptionError, "prompt: nothing. Give at least one token"),
        (model_of(), "ax", {}, DataError, "prompt, token 2: 'x', never seen in training"),
        (model_of(), "a", {"temperature": -1.0}, OptionError, "temperature=-1.0. Both are 0 or more"),
        (model_of(), "a", {"steps": -1}, OptionError, "steps=-1"),
        (build("gru", task="tag", input_size=2, num_classes=3), "a", {}, OptionError, "task='tag'. Train one that predicts the next token"),
        (
            build("gru", task="next", input_size=2, num_classes=3),
            "a",
            {},
            OptionError,
            "the model's inputs: x. Only a model that reads",
        ),
    ],
)
def test_what_cannot_go_on_is_refused(model: nn.Module, prompt: str, options: dict[str, Any], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind) as error:
        next(generate(model, prompt, **options))
    assert told in str(error.value)


def test_a_module_that_gives_no_state_back_is_refused() -> None:
    module = Stranger()
    module.class_names = ("0", "1", "2")  # type: ignore[assignment]
    with pytest.raises(ContractError, match=r"no state\. Return \(output, state\)"):
        next(generate(module, ["1"], call=lambda module, batch: module(batch.x, None)[0], contract=Contract(task="next", each="step")))


def test_a_model_that_is_being_trained_is_asked_without_dropout_and_goes_on_with_it() -> None:
    model = model_of(dropout=0.5, num_layers=2)
    quiet = "".join(generate(model, "ab", steps=30, temperature=0))
    model.train()
    assert "".join(generate(model, "ab", steps=30, temperature=0)) == quiet
    assert all(part.training for part in model.modules())
