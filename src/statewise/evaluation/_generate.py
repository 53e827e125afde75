"""How does a model of next tokens go on with a text? One step at a time, the state carried from each to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from statewise.contracts import adapt, class_probabilities, evaluating
from statewise.errors import ContractError, DataError, OptionError, nearest
from statewise.models import Model
from statewise.runs import Run
from statewise.sequences import UNKNOWN, Ragged, Sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from statewise.contracts import Adapted, Contract
    from statewise.types import State


def generate(
    model: Run | nn.Module,
    prompt: Sequence[str],
    *,
    steps: int = 100,
    temperature: float = 1.0,
    seed: int = 0,
    contract: Contract | None = None,
    call: Callable[..., Any] | None = None,
) -> Iterator[str]:
    """Yield the tokens that follow a prompt, one by one, as the model gives them.

    The prompt is read once; then each drawn token is fed with the state after the one before, so that a step costs the same
    however much came before it.

    Args:
        model: a run, or a module, of the task `"next"`.
        prompt: the tokens to begin from, at least one; of a model of characters simply a text.
        steps: how many tokens to draw.
        temperature: 1 draws from the model's own probabilities, less makes the likely ones likelier, 0 always takes the likeliest.
        seed: draws the same tokens again; no other random state is used or changed.
        contract: what a stranger's module promises.
        call: `lambda module, batch: (output, state)`, for what a contract cannot say.

    Raises:
        OptionError: a model of another task, an empty prompt, a negative temperature, or fewer than 0 steps.
        DataError: a token that the model does not know; the nearest is named.
        ContractError: the module gives no state back.

    Example:
        >>> from statewise.models import build
        >>> tokens = Sequences(inputs={"token": Ragged(torch.tensor([0, 1, 0]), torch.tensor([3]))}, targets=["a", "b", "a"],
        ...                    categories={"token": ("a", "b")}, task="next")
        >>> len("".join(generate(build("gru", data=tokens, seed=0), "ab", steps=5)))
        5
    """
    reader = _Reader(model, contract, call)
    if steps < 0 or not 0 <= temperature < float("inf"):
        arrived = f"steps={steps}, temperature={temperature}"
        raise OptionError(asked="generate", where="options", arrived=arrived, hint="Both are 0 or more.")
    if not len(prompt):
        hint = "Give at least one token: the first one drawn depends on it."
        raise OptionError(asked="generate", where="prompt", arrived="nothing", hint=hint)
    codes = reader.codes(prompt)
    return _drawn(reader, codes, steps, temperature, torch.Generator().manual_seed(seed))


def _drawn(reader: _Reader, codes: Tensor, steps: int, temperature: float, generator: torch.Generator) -> Iterator[str]:
    state: State = None
    for _ in range(steps):
        probabilities, state = reader.read(codes, state)
        chosen = _draw(probabilities, temperature, generator)
        token = reader.class_names[chosen]
        yield token
        codes = reader.codes([token])


def _draw(probabilities: Tensor, temperature: float, generator: torch.Generator) -> int:
    """Return the number of one class; the largest at temperature 0."""
    if temperature == 0:
        return int(probabilities.argmax())
    weights = (probabilities.clamp_min(torch.finfo(torch.float64).tiny).log() / temperature).softmax(dim=0)
    return int(torch.multinomial(weights.masked_fill(probabilities == 0, 0.0), 1, generator=generator))


class _Reader:
    """Reads tokens with a model, from a state to the next, and says which token it expects."""

    def __init__(self, model: Run | nn.Module, contract: Contract | None, call: Callable[..., Any] | None) -> None:
        if isinstance(model, Run):
            self.adapted: Adapted = model.adapted()
            names: Any = model.config.class_names
        else:
            self.adapted = adapt(model, contract=contract, call=call)
            names = getattr(model, "class_names", None)
        task = self.adapted.contract.task
        if task != "next" or not names:
            hint = "Train one that predicts the next token: read(..., task='next'), fit(...)."
            raise OptionError(asked="generate", where="the model", arrived=f"task={task!r}", hint=hint)
        self.class_names: tuple[str, ...] = tuple(names)
        self.input, self.vocabulary = self._input()

    def _input(self) -> tuple[str, tuple[str, ...]]:
        """Return the name of the input that reads tokens, and the token behind each of its codes."""
        module = self.adapted.module
        if not isinstance(module, Model):
            return "x", self.class_names
        if module.config.numeric or len(module.config.categories) != 1:
            inputs = ", ".join((*module.config.numeric, *module.config.categories))
            hint = "Only a model that reads its own tokens and nothing else can go on by itself."
            raise OptionError(asked="generate", where="the model's inputs", arrived=inputs, hint=hint)
        return next(iter(module.config.categories.items()))

    def codes(self, tokens: Sequence[str]) -> Tensor:
        """Return the code of each token, int64 `[steps]`; one that was never seen is refused."""
        place = {token: code for code, token in enumerate(self.vocabulary)} | {UNKNOWN: -1}
        for number, token in enumerate(tokens):
            if token not in place:
                where = f"prompt, token {number + 1}"
                raise DataError(asked="generate", where=where, arrived=f"{token!r}, never seen in training", hint=nearest(token, place))
        return torch.tensor([place[token] for token in tokens], dtype=torch.int64)

    def read(self, codes: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the probability of each class after the last of some tokens, float64 `[classes]`, and the state there."""
        values = Ragged(codes, torch.tensor([len(codes)]))
        data = Sequences(
            inputs=values if self.input == "x" else {self.input: values},
            categories={} if self.input == "x" else {self.input: self.vocabulary},
        )
        with evaluating(self.adapted.module), torch.no_grad():
            outputs = self.adapted(data, state)
        if outputs.state is None:
            name = type(self.adapted.module).__name__
            hint = "Return (output, state), or give call=lambda module, batch: (output, state)."
            raise ContractError(asked="generate", where=f"what {name} returned", arrived="no state", hint=hint)
        found = class_probabilities(outputs.values[-1:].double().cpu(), self.adapted.contract.output)[0]
        if UNKNOWN in self.class_names:
            found[self.class_names.index(UNKNOWN)] = 0.0
        return found, outputs.state
